/* sources.h: what a run reads of each training source, for people and for programs: planned up to its end, or counted so far. */
#ifndef LAMINA_COORDINATOR_SOURCES_H
#define LAMINA_COORDINATOR_SOURCES_H

#include "common/config/config.h"
#include "common/data/corpus.h"

struct source_facts {
    const char *name;
    const struct tokens *file;
    const struct pack *packing; /* in a plan, where documents are kept apart; else NULL */
    double share, epochs;       /* of the samples of this order; samples in epochs of the source */
    int64_t samples;
    double tokens; /* of them */
};
struct sources {
    int n;
    struct source_facts row[CONFIG_MAX_SOURCES];
    int64_t step;       /* after which */
    double per_step;    /* samples, all sources */
    double asked;       /* with `epochs` in the configuration: how often they are met after run.steps, 1 as asked; 0: no epochs */
    double asked_steps; /* in how many steps they would be met */
};

/* After `steps` steps. Borrows from the corpus. Cost: up to a second or two. */
void sources_plan(const struct corpus *c, const struct config *config, int64_t steps, struct sources *out);
/* What a ledger says was read. */
void sources_read(const struct corpus *c, const struct ledger *l, int64_t step, struct sources *out);

/* One line for a single source, else a table. */
void sources_print(const struct sources *s, struct text *out);
/* "a 1,200 samples (0.31 epochs), b ..." */
void sources_words(const struct sources *s, struct text *out);
/* Sentences about what a reader may not have meant, a line each: a source that is read too often, epochs that the run does not meet. */
void sources_doubts(const struct sources *s, struct text *out);
/* Owns: the caller frees it. */
struct json_t;
struct json_t *sources_json(const struct sources *s);

#endif
