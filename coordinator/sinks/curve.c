/* The loss over the whole run: loss.svg, and a small plot in the terminal at the end. */
#include "coordinator/curve.h"
#include "coordinator/file.h"
#include "coordinator/metrics_file.h"
#include "coordinator/sinks/private.h"
#include <math.h>
#include <stdio.h>

enum { TERMINAL_WIDTH = 72, TERMINAL_HEIGHT = 14, SERIES = 2 };

struct loss_curve {
    const struct sink_setup *setup;
    bool bits; /* bits per byte where they are known, else nats per token */
    struct curve series[SERIES];
    int64_t evaluated; /* step of the evaluation that these are of: weights and losses so far */
    double weight, sum;
};

/* One point for each evaluation: the mean over its sources, which come one after the other. */
static void add_source(struct loss_curve *c, int64_t step, double weight, double loss)
{
    struct curve *validation = &c->series[1];
    if (step != c->evaluated) c->weight = c->sum = 0;
    c->evaluated = step;
    c->weight += weight;
    c->sum += weight * loss;
    if (validation->n > 0 && validation->points[validation->n - 1].step == step) validation->n--;
    curve_add(validation, step, c->sum / c->weight);
}

static void add(struct loss_curve *c, const struct metrics_point *p)
{
    const double loss = c->bits ? p->bits_per_byte : p->loss;
    if (p->evaluation)
        add_source(c, p->step, p->weight, loss);
    else
        curve_add(&c->series[0], p->step, loss);
}

static void add_old(void *context, const struct metrics_point *p)
{
    struct loss_curve *c = context;
    if (p->step <= c->setup->start) add(c, p);
}

static enum status loss_open(struct arena *arena, const struct sink_setup *setup, void **state)
{
    char path[PATH_BYTES];
    struct loss_curve *c = arena_place(arena, sizeof *c);
    *c = (struct loss_curve){ .setup = setup, .bits = isfinite(setup->bits_per_nat), .evaluated = -1 };
    c->series[0] = (struct curve){ .name = "training", .mark = ".", .color = "#4878a8" };
    c->series[1] = (struct curve){ .name = "validation", .mark = "o", .color = "#c04020" };
    *state = c;
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", setup->folder);
    return metrics_each(path, add_old, c);
}

static enum status loss_step(void *state, const struct step_metrics *m)
{
    struct loss_curve *c = state;
    const double loss = m->report->loss;
    add(c, &(struct metrics_point){ .step = m->report->step, .loss = loss, .bits_per_byte = loss * c->setup->bits_per_nat });
    return ST_OK;
}

static enum status loss_evaluation(void *state, const struct evaluation_metrics *m)
{
    const struct eval_result *r = &m->result;
    add(state, &(struct metrics_point){
                   .step = m->step, .loss = r->loss, .bits_per_byte = r->bits_per_byte, .weight = m->weight, .evaluation = true });
    return ST_OK;
}

static enum status loss_close(void *state)
{
    struct loss_curve *c = state;
    char path[PATH_BYTES];
    struct text svg = { 0 }, plot = { 0 };
    const char *unit = c->bits ? "bits per byte" : "nats per token";
    curve_svg(c->series, SERIES, c->setup->config->run.name, unit, &svg);
    curve_draw(c->series, SERIES, TERMINAL_WIDTH, TERMINAL_HEIGHT, unit, &plot);
    if (plot.length > 0) (void)printf("\n%s\n", plot.data);
    (void)snprintf(path, sizeof path, "%s/loss.svg", c->setup->folder);
    const enum status s = svg.length > 0 ? file_replace(path, svg.data, svg.length) : ST_OK;
    text_free(&svg);
    text_free(&plot);
    for (int i = 0; i < SERIES; i++) curve_free(&c->series[i]);
    return s;
}

const struct sink_desc sink_curve = { .name = "curve",
                                      .summary = "loss curve (loss.svg)",
                                      .open = loss_open,
                                      .step = loss_step,
                                      .evaluation = loss_evaluation,
                                      .close = loss_close };
