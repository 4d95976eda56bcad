#include "common/base/log.h"
#include "coordinator/sinks/private.h"

const struct sink_desc *const sink_table[] = { &sink_terminal, &sink_jsonl, &sink_curve, &sink_tensorboard, NULL };

void evaluation_add(struct evaluation_sum *sum, struct evaluation_metrics *m)
{
    sum->weight += m->weight;
    sum->loss += m->weight * m->result.loss;
    sum->bits += m->weight * m->result.bits_per_byte;
    m->mean_loss = sum->loss / sum->weight;
    m->mean_bits = sum->bits / sum->weight;
}

enum { SINKS_MAX = sizeof sink_table / sizeof sink_table[0] };
struct sinks {
    void *state[SINKS_MAX];
    bool lost[SINKS_MAX];
};

static void judge(struct sinks *sinks, int i, enum status s)
{
    if (s == ST_OK) return;
    sinks->lost[i] = true;
    log_warn("no more %s from here on: %s", sink_table[i]->summary, status_text());
    status_clear();
}

struct sinks *sinks_open(struct arena *arena, const struct sink_setup *setup)
{
    struct sinks *sinks = arena_place(arena, sizeof *sinks);
    *sinks = (struct sinks){ 0 };
    for (int i = 0; sink_table[i] != NULL; i++) judge(sinks, i, sink_table[i]->open(arena, setup, &sinks->state[i]));
    return sinks;
}

void sinks_step(struct sinks *sinks, const struct step_metrics *m)
{
    for (int i = 0; sink_table[i] != NULL; i++)
        if (!sinks->lost[i] && sink_table[i]->step != NULL) judge(sinks, i, sink_table[i]->step(sinks->state[i], m));
}

void sinks_evaluation(struct sinks *sinks, const struct evaluation_metrics *m)
{
    for (int i = 0; sink_table[i] != NULL; i++)
        if (!sinks->lost[i] && sink_table[i]->evaluation != NULL) judge(sinks, i, sink_table[i]->evaluation(sinks->state[i], m));
}

void sinks_close(struct sinks *sinks)
{
    for (int i = 0; sinks != NULL && sink_table[i] != NULL; i++)
        if (!sinks->lost[i] && sink_table[i]->close != NULL) judge(sinks, i, sink_table[i]->close(sinks->state[i]));
}
