/* The numbers of a run for TensorBoard: NAME/tensorboard/events.out.tfevents.*, one file per process that worked on the run, where
 * run.tensorboard asks for it. `tensorboard --logdir runs` shows them. */
#include "common/base/clock.h"
#include "coordinator/file.h"
#include "coordinator/sinks/private.h"
#include "coordinator/tfevents.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { TAG_BYTES = FIELD_TEXT_MAX + 32 };

struct tensorboard {
    const struct sink_setup *setup;
    char path[PATH_BYTES];            /* empty: not asked for */
    double opened_unix, opened_clock; /* wall time moves with the monotonic clock: readers sort by it */
};

static double wall_time(const struct tensorboard *t) { return t->opened_unix + clock_seconds() - t->opened_clock; }

/* Readers take the files of a folder in the order of their names, so the time comes first. */
static enum status name_file(struct tensorboard *t)
{
    char folder[PATH_BYTES], host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    if (snprintf(folder, sizeof folder, "%s/tensorboard", t->setup->folder) >= (int)sizeof folder ||
        snprintf(t->path, sizeof t->path, "%s/events.out.tfevents.%010lld.%s.%ld", folder, (long long)t->opened_unix, host,
                 (long)getpid()) >= (int)sizeof t->path)
        FAIL(ST_IO, "%s: the path is too long", t->setup->folder);
    return folder_make(folder);
}

static enum status tensorboard_open(struct arena *arena, const struct sink_setup *setup, void **state)
{
    struct tensorboard *t = arena_place(arena, sizeof *t);
    *t = (struct tensorboard){ .setup = setup, .opened_unix = (double)clock_unix(), .opened_clock = clock_seconds() };
    *state = t;
    if (!setup->config->run.tensorboard) return ST_OK;
    TRY(name_file(t));
    struct text head = { 0 };
    tfevents_add_version(&head, t->opened_unix);
    if (setup->start > 0) tfevents_add_restart(&head, t->opened_unix, setup->start + 1); /* a killed process wrote steps that come again */
    const enum status s = file_append(t->path, head.data, head.length);
    text_free(&head);
    return s;
}

static enum status write_summary(const struct tensorboard *t, int64_t step, struct text *summary)
{
    struct text record = { 0 };
    tfevents_add_summary(&record, wall_time(t), step, summary);
    const enum status s = file_append(t->path, record.data, record.length);
    text_free(&record);
    return s;
}

static enum status tensorboard_step(void *state, const struct step_metrics *m)
{
    const struct tensorboard *t = state;
    const struct step_report *r = m->report;
    const struct config *config = t->setup->config;
    struct text summary = { 0 };
    if (t->path[0] == '\0') return ST_OK;
    tfevents_scalar(&summary, "loss", r->loss);
    if (isfinite(t->setup->bits_per_nat)) tfevents_scalar(&summary, "bits_per_byte", r->loss * t->setup->bits_per_nat);
    tfevents_scalar(&summary, "grad_norm", r->norm);
    for (int i = 0; i < config->n_rules; i++) {
        char tag[TAG_BYTES];
        if (isnan(r->lr[i])) continue; /* the optimizer finds its own */
        (void)snprintf(tag, sizeof tag, "lr/%s", config->rules[i].name);
        tfevents_scalar(&summary, tag, r->lr[i]);
    }
    tfevents_scalar(&summary, "tokens_per_second", m->tokens_per_second);
    if (isfinite(m->mfu)) tfevents_scalar(&summary, "mfu", m->mfu);
    tfevents_scalar(&summary, "memory/peak_bytes", (double)m->peak_bytes);
    tfevents_scalar(&summary, "memory/planned_bytes", (double)t->setup->planned_bytes);
    return write_summary(t, r->step, &summary);
}

static enum status tensorboard_evaluation(void *state, const struct evaluation_metrics *m)
{
    const struct tensorboard *t = state;
    struct text summary = { 0 };
    char tag[TAG_BYTES];
    if (t->path[0] == '\0') return ST_OK;
    (void)snprintf(tag, sizeof tag, "eval/%s/loss", m->source);
    tfevents_scalar(&summary, tag, m->result.loss);
    (void)snprintf(tag, sizeof tag, "eval/%s/bits_per_byte", m->source);
    if (isfinite(m->result.bits_per_byte)) tfevents_scalar(&summary, tag, m->result.bits_per_byte);
    return write_summary(t, m->step, &summary);
}

const struct sink_desc sink_tensorboard = { .name = "tensorboard",
                                            .summary = "events for TensorBoard",
                                            .open = tensorboard_open,
                                            .step = tensorboard_step,
                                            .evaluation = tensorboard_evaluation };
