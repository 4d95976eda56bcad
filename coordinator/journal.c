#include "journal.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/libraries.h"
#include "common/base/log.h"
#include "common/math/product.h"
#include "coordinator/built.h"
#include "coordinator/environment.h"
#include "coordinator/metrics_file.h"
#include "coordinator/sources.h"
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(json_t *object, const char *key, json_t *value) { CHECK(json_object_set_new(object, key, value) == 0); }

/* Values come from outside and may be no UTF-8, which JSON cannot hold. */
static json_t *printable(const char *value)
{
    struct text out = { 0 };
    text_add_printable(&out, value, strlen(value));
    json_t *string = json_string(out.data != NULL ? out.data : "");
    text_free(&out);
    return string;
}

static json_t *environment_json(void)
{
    json_t *o = json_object();
    for (const struct environment_row *e = environment_table; e->name != NULL; e++)
        if (getenv(e->name) != NULL) set(o, e->name, printable(getenv(e->name)));
    return o;
}

static json_t *libraries_json(void)
{
    json_t *o = json_object();
#define LIBRARY_SET(word, name, debian, module, lost) set(o, name, library_##word() != NULL ? printable(library_##word()) : json_null());
    LIBRARY_LIST(LIBRARY_SET)
    return o;
}

enum status journal_run(const struct run_folder *f, const struct session *s, const struct plan_facts *facts, const struct sources *sources,
                        const struct comm *world)
{
    char digest[DIGEST_HEX], when[24];
    json_t *o = json_object(), *hosts = json_array();
    for (int r = 0; r < comm_size(world); r++) CHECK(json_array_append_new(hosts, printable(comm_host(world, r))) == 0);
    set(o, "name", json_string(s->config->run.name));
    set(o, "started", json_string(clock_iso8601(clock_unix(), when)));
    set(o, "lamina", json_string(built_version));
    set(o, "commit", json_string(built_commit));
    set(o, "compiler", json_string(__VERSION__));
    set(o, "mpi", json_string(comm_library()));
    set(o, "libraries", libraries_json());
    set(o, "linear_algebra", json_string(math_libraries()));
    set(o, "isa", json_string(math_isa()));
    set(o, "ranks", json_integer(s->ranks));
    set(o, "threads", json_integer(s->threads));
    set(o, "hosts", hosts);
    set(o, "precision", json_string(s->precision));
    set(o, "peak_flops", metrics_number(s->peak));
    set(o, "config_digest", json_string(digest_hex(config_digest(s->config, worker_tables()), digest)));
    set(o, "plan_digest", json_string(digest_hex(plan_digest(&s->plan), digest)));
    set(o, "fingerprint", json_string(digest_hex(s->fingerprint, digest)));
    set(o, "steps", json_integer(s->plan.steps));
    set(o, "tokens_per_step", json_integer(facts->tokens));
    set(o, "flops_per_token", metrics_number(s->plan.flops_per_token));
    set(o, "parameters", json_integer(facts->parameters));
    set(o, "state_bytes_per_parameter", metrics_number(facts->state_bytes));
    set(o, "rules", plan_rules_json(facts));
    set(o, "sources", sources_json(sources));
    set(o, "environment", environment_json());
    char *json = json_dumps(o, JSON_INDENT(2));
    CHECK(json != NULL);
    struct text out = { 0 };
    text_add(&out, "%s\n", json);
    const enum status result = file_replace(f->run_json, out.data, out.length);
    text_free(&out);
    free(json);
    json_decref(o);
    return result;
}

void journal_facts(const struct run_folder *f, const char *kind, int64_t step, const char *sentence, json_t *facts)
{
    char when[24];
    json_t *o = json_object();
    set(o, "time", json_string(clock_iso8601(clock_unix(), when)));
    set(o, "event", json_string(kind));
    set(o, "step", json_integer(step));
    set(o, "text", printable(sentence));
    if (facts != NULL) set(o, "facts", facts);
    if (metrics_append(f->events, o) == ST_OK) return;
    log_warn("%s", status_text());
    status_clear();
}

enum { SENTENCE = 1024 };

void journal_event(const struct run_folder *f, const char *kind, int64_t step, const char *format, ...)
{
    char sentence[SENTENCE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    journal_facts(f, kind, step, sentence, NULL);
}

void journal_say(const struct run_folder *f, const char *kind, int64_t step, const char *format, ...)
{
    char sentence[SENTENCE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    log_note("%s", sentence);
    journal_facts(f, kind, step, sentence, NULL);
}
