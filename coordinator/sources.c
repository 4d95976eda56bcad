#include "sources.h"
#include "common/base/check.h"
#include "common/data/tokens.h"
#include "coordinator/metrics_file.h"
#include <jansson.h>
#include <math.h>

enum { CELL = 32 };
static const double OFTEN = 4;    /* times */
static const double CLOSE = 0.01; /* epochs are met to within so much */
static const double LONG = 1e8;   /* samples, a second or two to deal out */

static void fill(const struct corpus *c, const struct ledger *l, int64_t step, struct sources *out)
{
    *out = (struct sources){ .n = c->n, .step = step, .per_step = (double)c->sequences };
    for (int i = 0; i < c->n; i++) {
        const struct ledger_row *r = &l->row[i];
        const double filled = c->separate ? 1 - pack_padding(&c->stream[i].pack) : 1;
        out->row[i] = (struct source_facts){ .name = c->ledger.row[i].name,
                                             .file = &c->stream[i].tokens,
                                             .share = (double)r->share / (double)mix_whole,
                                             .epochs = (double)r->taken / (double)stream_epoch(&c->stream[i]),
                                             .samples = r->taken,
                                             .tokens = (double)r->taken * (double)c->context * filled };
    }
}

/* Dealt out by the order itself; of a longer run, shares of all its samples, which are at most one off. */
static void deal(const struct corpus *c, int64_t steps, struct ledger *out)
{
    const double samples = (double)(steps - c->ledger.first_step) * (double)c->sequences;
    if (samples <= LONG) {
        struct mix_cursor at = corpus_cursor(c);
        corpus_ledger(c, &at, steps, out);
        return;
    }
    *out = c->ledger;
    for (int i = 0; i < c->n; i++) {
        struct ledger_row *r = &out->row[i];
        r->taken = r->before + (int64_t)fmin(round(samples * ((double)r->share / (double)mix_whole)), 0x1p60);
    }
}

void sources_plan(const struct corpus *c, const struct config *config, int64_t steps, struct sources *out)
{
    struct ledger end;
    deal(c, steps, &end);
    fill(c, &end, steps, out);
    for (int i = 0; i < c->n && c->separate; i++) out->row[i].packing = &c->stream[i].pack;
    if (config->data.train[0].epochs <= 0) return;
    double samples = 0;
    for (int i = 0; i < c->n; i++) samples += config->data.train[i].epochs * (double)stream_epoch(&c->stream[i]);
    out->asked_steps = samples / (double)c->sequences;
    out->asked = (double)steps / out->asked_steps;
}

void sources_read(const struct corpus *c, const struct ledger *l, int64_t step, struct sources *out) { fill(c, l, step, out); }

static int64_t whole(double x) { return (int64_t)fmin(x, 0x1p62); }

/* --- For people ---------------------------------------------------------------------------------------------------------- */

static void print_one(const struct sources *s, struct text *out)
{
    const struct source_facts *r = &s->row[0];
    char count[CELL];
    text_add(out, "data       %s tokens in %s, read %.3g times by step %lld", str_count(count, CELL, r->file->n_tokens), r->file->path,
             r->epochs, (long long)s->step);
    if (isfinite(r->file->entropy0))
        text_add(out, "; order-0 bytes %.2f, order-1 %.2f bits per byte", r->file->entropy0, r->file->entropy1);
    text_add(out, "\n");
}

static void print_table(const struct sources *s, struct text *out)
{
    text_add(out, "%-16s %8s %13s %16s %18s %8s  %s\n", "source", "share", "samples/step", "samples", "tokens", "epochs", "token file");
    for (int i = 0; i < s->n; i++) {
        const struct source_facts *r = &s->row[i];
        char samples[CELL], tokens[CELL];
        text_add(out, "%-16s %6.2f %% %13.2f %16s %18s %8.3g  %s\n", r->name, 100 * r->share, r->share * s->per_step,
                 str_count(samples, CELL, r->samples), str_count(tokens, CELL, whole(r->tokens)), r->epochs, r->file->path);
    }
    text_add(out, "samples, tokens and epochs are those up to step %lld\n", (long long)s->step);
}

void sources_print(const struct sources *s, struct text *out)
{
    if (s->n == 1)
        print_one(s, out);
    else
        print_table(s, out);
    for (int i = 0; i < s->n && s->row[i].packing != NULL; i++) {
        text_add(out, s->n == 1 ? "documents  kept apart: " : "documents of %s are kept apart: ", s->row[i].name);
        pack_print(s->row[i].packing, out);
    }
}

void sources_words(const struct sources *s, struct text *out)
{
    for (int i = 0; i < s->n; i++) {
        char samples[CELL];
        text_add(out, "%s%s %s samples (%.3g epochs)", i > 0 ? ", " : "", s->row[i].name, str_count(samples, CELL, s->row[i].samples),
                 s->row[i].epochs);
    }
}

void sources_doubts(const struct sources *s, struct text *out)
{
    for (int i = 0; i < s->n; i++)
        if (s->row[i].epochs > OFTEN)
            text_add(out, "%s is read %.3g times by step %lld; what text teaches fades from about %g times on\n", s->row[i].name,
                     s->row[i].epochs, (long long)s->step, OFTEN);
    if (s->asked > 0 && fabs(s->asked - 1) > CLOSE)
        text_add(out,
                 "the epochs of data.train take %.0f steps and run.steps is %lld: each source is read %.3g times as often as they say\n",
                 ceil(s->asked_steps), (long long)s->step, s->asked);
}

/* --- For programs -------------------------------------------------------------------------------------------------------- */

json_t *sources_json(const struct sources *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++) {
        const struct source_facts *r = &s->row[i];
        json_t *o = json_pack("{s:s, s:o, s:I, s:I, s:o, s:I, s:I}", "name", r->name, "share", metrics_number(r->share), "samples",
                              (json_int_t)r->samples, "tokens", (json_int_t)whole(r->tokens), "epochs", metrics_number(r->epochs),
                              "file_tokens", (json_int_t)r->file->n_tokens, "file_documents", (json_int_t)r->file->n_documents);
        if (r->packing != NULL) CHECK(json_object_set_new(o, "packing", pack_json(r->packing)) == 0);
        CHECK(o != NULL && json_array_append_new(list, o) == 0);
    }
    return list;
}
