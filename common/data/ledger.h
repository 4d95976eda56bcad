/* ledger.h: how much a run has read of each source. A checkpoint holds it, so that a run whose sources change goes on with each of them
 * where it stood. Read mix.h first. */
#ifndef LAMINA_DATA_LEDGER_H
#define LAMINA_DATA_LEDGER_H

#include "common/base/digest.h"
#include "common/base/str.h"
#include "common/data/mix.h"

enum { LEDGER_MOST = 256, LEDGER_NAME = 65 };

struct ledger_row {
    char name[LEDGER_NAME];
    struct digest128 content; /* of its token file; zero: not known */
    uint32_t key;             /* of its order: the stream of random numbers */
    int64_t share;            /* of mix_whole; 0: the run does not read it any more */
    int64_t before, taken;    /* its samples up to where this order began, and up to now */
};
struct ledger {
    int64_t orders;                         /* how often a change made another order begin */
    int64_t first_step, sequences, context; /* steps done when this order began; samples of a step since then, and their tokens */
    bool separate;                          /* samples are of documents kept apart */
    int n_read, n;                          /* the first n_read rows are mixed, in this order; the others were read once */
    struct ledger_row row[LEDGER_MOST];
};

/* What a run that goes on finds, beside its ledger. */
struct ledger_change {
    bool begins;            /* another order begins here: sources, shares, samples of a step or what a sample is are not those of before */
    int replaced[MIX_MOST]; /* sources whose file holds other text than before: they begin anew */
    int n_replaced;
};

/* One JSON object; layout in common/store/FORMAT.md. */
void ledger_write(const struct ledger *l, struct text *out);
/* Fails: ST_DAMAGED where it is none, or its numbers contradict each other. */
enum status ledger_read(const char *text, size_t n, struct ledger *out) MUST_USE;

#endif
