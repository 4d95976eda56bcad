/* sink.h: where the numbers of a run go. One file per sink, one row in the table. Rank 0 alone has sinks. */
#ifndef LAMINA_COORDINATOR_SINKS_SINK_H
#define LAMINA_COORDINATOR_SINKS_SINK_H

#include "worker/worker.h"

/* Known before the first step. Everything outlives the sinks. */
struct sink_setup {
    const char *folder; /* of the run */
    const struct config *config;
    int64_t start;                /* step of the state that was loaded; 0: a new run */
    double bits_per_nat;          /* of a loss in nats per token, to bits per byte of training text */
    int64_t planned_bytes;        /* all arenas of rank 0 */
    double flops_per_token, peak; /* peak: FLOP/s of all ranks, 0 unknown */
};
struct step_metrics {
    const struct step_report *report;
    double seconds, tokens_per_second, mfu; /* of this step; mfu is NAN without a peak */
    int64_t peak_bytes;                     /* most resident memory of rank 0 so far */
};
struct evaluation_metrics {
    int64_t step;
    const char *source;
    struct eval_result result;
    double seconds;
    double weight;               /* in the mean over the sources of one evaluation */
    int number, n_sources;       /* from 0; and how many there are */
    double mean_loss, mean_bits; /* weighted means up to this source: with the last one those over all */
};

/* The next source of an evaluation: fills in the means, which `sum` (zeroed before the first) collects. */
struct evaluation_sum {
    double weight, loss, bits;
};
void evaluation_add(struct evaluation_sum *sum, struct evaluation_metrics *m);

/* Any member but name, summary and open may be NULL. open places its state in the arena. */
struct sink_desc {
    const char *name, *summary;
    enum status (*open)(struct arena *arena, const struct sink_setup *setup, void **state);
    enum status (*step)(void *state, const struct step_metrics *m);
    enum status (*evaluation)(void *state, const struct evaluation_metrics *m);
    enum status (*close)(void *state);
};
extern const struct sink_desc *const sink_table[]; /* NULL-terminated */

/* All sinks of a process. One that fails (a full disk) says so once and is left out from then on: a run does not die of its log. */
struct sinks;
struct sinks *sinks_open(struct arena *arena, const struct sink_setup *setup);
void sinks_step(struct sinks *sinks, const struct step_metrics *m);
void sinks_evaluation(struct sinks *sinks, const struct evaluation_metrics *m);
void sinks_close(struct sinks *sinks);

#endif
