/* lamina show: what a checkpoint holds. Reads names and shapes, not the tensors; needs no MPI. */
#include "common/base/check.h"
#include "common/store/state.h"
#include "coordinator/checkpoints.h"
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option_row show_options[] = {
    RUN_REF_FOLDER_ROW,
    { .name = "config", .type = OPTION_FLAG, .help = "print the configuration that the checkpoint carries, as YAML" },
    { .name = "tensors", .type = OPTION_FLAG, .help = "list every tensor" },
    OPTION_JSON_ROW,
    { 0 },
};

static void shape_text(const struct state_entry *e, char out[48])
{
    if (e->n_dims == 1)
        (void)snprintf(out, 48, "[%lld]", (long long)e->cols);
    else
        (void)snprintf(out, 48, "[%lld, %lld]", (long long)e->rows, (long long)e->cols);
}

struct show {
    const char *checkpoint;
    const struct state *state;
    struct worker_facts facts;
    struct ledger ledger;
    int64_t bytes;
};

/* What was read of each source, also of those that are not read any more. */
static json_t *sources_json(const struct ledger *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->n; i++) {
        const struct ledger_row *r = &l->row[i];
        json_t *o =
            json_pack("{s:s, s:f, s:I}", "name", r->name, "share", (double)r->share / (double)mix_whole, "samples", (json_int_t)r->taken);
        CHECK(o != NULL && json_array_append_new(list, o) == 0);
    }
    return list;
}

static void show_sources(const struct ledger *l)
{
    if (l->n > 0) (void)printf("orders         %lld\n", (long long)l->orders + 1);
    for (int i = 0; i < l->n; i++) {
        const struct ledger_row *r = &l->row[i];
        char count[32];
        (void)printf("  source %-16s %6.2f %%, %s samples read\n", r->name, 100 * (double)r->share / (double)mix_whole,
                     str_count(count, sizeof count, r->taken));
    }
}

static void show_json(const struct show *s, bool tensors)
{
    char config[DIGEST_HEX], fingerprint[DIGEST_HEX];
    json_t *o = json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:i, s:I}", "checkpoint", s->checkpoint, "step", (json_int_t)s->facts.step,
                          "tokens", (json_int_t)s->facts.tokens, "config_digest", digest_hex(s->facts.config, config), "fingerprint",
                          digest_hex(s->facts.fingerprint, fingerprint), "lineage", (json_int_t)s->facts.lineage, "datasets",
                          state_count(s->state), "bytes", (json_int_t)s->bytes);
    json_t *list = json_array();
    CHECK(o != NULL);
    for (int i = 0; tensors && i < state_count(s->state); i++) {
        const struct state_entry *e = state_entry(s->state, i);
        char shape[48];
        shape_text(e, shape);
        CHECK(json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "name", e->name, "dtype", dtype_name(e->dtype), "shape", shape,
                                                    "bytes", (json_int_t)e->bytes)) == 0);
    }
    CHECK(json_object_set_new(o, "sources", sources_json(&s->ledger)) == 0);
    if (tensors) CHECK(json_object_set(o, "tensors", list) == 0);
    char *text = json_dumps(o, JSON_INDENT(2));
    CHECK(text != NULL);
    (void)printf("%s\n", text);
    free(text);
    json_decref(list);
    json_decref(o);
}

static void show_text(const struct show *s, bool tensors)
{
    char count[32], bytes[32], config[DIGEST_HEX], fingerprint[DIGEST_HEX];
    (void)printf("checkpoint     %s\n", s->checkpoint);
    (void)printf("step           %lld\n", (long long)s->facts.step);
    (void)printf("tokens         %s\n", str_count(count, sizeof count, s->facts.tokens));
    (void)printf("datasets       %d, %s\n", state_count(s->state), str_bytes(bytes, sizeof bytes, (double)s->bytes));
    (void)printf("config digest  %s\nfingerprint    %s\nlineage        %lld\n", digest_hex(s->facts.config, config),
                 digest_hex(s->facts.fingerprint, fingerprint), (long long)s->facts.lineage);
    show_sources(&s->ledger);
    for (int i = 0; tensors && i < state_count(s->state); i++) {
        const struct state_entry *e = state_entry(s->state, i);
        char shape[48];
        shape_text(e, shape);
        (void)printf("  %-56s %-6s %s\n", e->name, dtype_name(e->dtype), shape);
    }
}

static enum status show_state(struct show *s, const struct options *options)
{
    struct text config = { 0 }, shown = { 0 };
    TRY(worker_facts_stored(s->state, &s->facts));
    TRY(worker_ledger_stored(s->state, &s->ledger));
    for (int i = 0; i < state_count(s->state); i++) s->bytes += state_entry(s->state, i)->bytes;
    if (option_flag(options, "config")) {
        TRY(checkpoint_config(s->state, &config));
        text_add_printable(&shown, config.data, config.length);
        (void)fputs(shown.data != NULL ? shown.data : "", stdout);
        text_free(&shown);
        text_free(&config);
    } else if (option_flag(options, "json")) {
        show_json(s, option_flag(options, "tensors"));
    } else {
        show_text(s, option_flag(options, "tensors"));
    }
    return ST_OK;
}

static enum status show_run(const struct options *options)
{
    char checkpoint[PATH_BYTES];
    struct state *state = NULL;
    TRY(run_ref_open(options->operand[0], option_text(options, "folder"), checkpoint, &state));
    struct show s = { .checkpoint = checkpoint, .state = state };
    const enum status result = show_state(&s, options);
    state_close(state);
    return result;
}

const struct command command_show = {
    .name = "show",
    .group = "state",
    .summary = "Show what a checkpoint holds",
    .rules = { .rows = show_options, .least = 1, .most = 1, .usage = "RUN [options]" },
    .notes = RUN_REF_NOTES,
    .example = "lamina show quickstart@400 --tensors",
    .local = show_run,
};
