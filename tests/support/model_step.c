#include "model_step.h"

#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/tensor/convert.h"
#include "worker/models/models.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EXPONENT = 36, BITS = 51 }; /* gradients below 2^15, to 2^-36 */

double model_step_uniform(const char *name, int64_t index)
{
    uint32_t x = 2166136261U; /* FNV-1a of the name, then a 32-bit finalizer of both */
    for (; *name != '\0'; name++) x = (x ^ (uint32_t)(unsigned char)*name) * 16777619U;
    x += (uint32_t)index * 0x9e3779b9U;
    x = (x ^ x >> 16) * 0x21f0aaadU;
    x = (x ^ x >> 15) * 0x735a2d97U;
    return (double)((x ^ x >> 15) >> 8) / 16777216.0 - 0.5;
}

void model_step_batch(const char *name, int64_t count, int64_t vocab, int32_t *tokens, int32_t *targets)
{
    char stream[64];
    (void)snprintf(stream, sizeof stream, "targets.%s", name);
    for (int64_t i = 0; i < count; i++) {
        tokens[i] = (int32_t)((model_step_uniform(stream + 8, i) + 0.5) * (double)vocab);
        targets[i] = i % 11 == 5 ? -1 : (int32_t)((model_step_uniform(stream, i) + 0.5) * (double)vocab);
    }
}

static void write_tape(struct model_step *m, struct tape *t, enum unit_kind kind, enum tape_end end)
{
    tape_begin(t, m->arena, kind, end, m->compute, &m->config, m->batch, m->time, 0,
               kind == UNIT_EMBEDDING ? NULL : &m->shapes[UNIT_EMBEDDING]);
    if (m->starts != NULL) tape_separate(t);
    model_find(m->config.family)->write(t, kind, &m->config);
    tape_layout(t, end == TAPE_LOSS, kind != UNIT_EMBEDDING);
}

/* Norm gains around one, all else around zero. */
static void initial_weights(struct model_step *m)
{
    for (int p = 0; p < m->partition.n_params; p++) {
        const struct param *q = &m->partition.params[p];
        float *w = model_step_weights(m, p);
        for (int64_t i = 0; i < q->rows * q->cols; i++)
            w[i] = (float)(0.5 * model_step_uniform(q->name, i) + (q->role == ROLE_NORM ? 1 : 0));
    }
}

void model_step_init(struct model_step *m, struct arena *arena, const struct model_config *config, enum dtype compute, int64_t batch,
                     int64_t time, const int32_t *starts)
{
    *m = (struct model_step){ .config = *config, .compute = compute, .batch = batch, .time = time, .starts = starts, .arena = arena };
    size_t pass = 0, scratch = 0, shared = 0;
    for (int k = 0; k < UNIT_KINDS; k++) {
        write_tape(m, &m->tape[k], (enum unit_kind)k, TAPE_LOSS);
        m->shapes[k] = m->tape[k].unit;
    }
    write_tape(m, &m->logits, UNIT_HEAD, TAPE_LOGITS);
    const struct tape *tapes[] = { &m->tape[0], &m->tape[1], &m->tape[2], &m->logits };
    for (int i = 0; i < 4; i++) {
        const struct tape *t = tapes[i];
        if (t->forward_bytes > pass) pass = t->forward_bytes;
        if (t->backward_bytes > pass) pass = t->backward_bytes;
        if (t->scratch_bytes > scratch) scratch = t->scratch_bytes;
        if (t->shared_bytes > shared) shared = t->shared_bytes;
    }
    m->pass = arena_place(arena, pass);
    m->scratch = arena_place(arena, (size_t)parallel_threads() * scratch);
    m->shared = arena_place(arena, shared);

    partition_units(arena, m->shapes, config->layers, config->tie, &m->partition);
    const int units = m->partition.n_units, params = m->partition.n_params;
    const size_t boundary_bytes = (size_t)(batch * time * config->width) * dtype_bytes(compute);
    m->weights = arena_place_n(arena, (size_t)units, sizeof *m->weights);
    m->gradients = arena_place_n(arena, (size_t)units, sizeof *m->gradients);
    m->stored = arena_place_n(arena, (size_t)units, sizeof *m->stored);
    m->saved = arena_place_n(arena, (size_t)units, sizeof *m->saved);
    m->boundary = arena_place_n(arena, (size_t)units, sizeof *m->boundary);
    m->d_boundary = arena_place(arena, 2 * boundary_bytes);
    for (int u = 0; u < units; u++) {
        const size_t count = (size_t)m->partition.units[u].count;
        m->weights[u] = arena_place_n(arena, count, sizeof(float));
        m->gradients[u] = arena_place_n(arena, count, sizeof(float));
        m->stored[u] = arena_place_n(arena, count, dtype_bytes(compute));
        m->saved[u] = arena_place(arena, m->tape[m->partition.units[u].kind].saved_bytes);
        m->boundary[u] = arena_place(arena, boundary_bytes);
    }
    m->nll = arena_place_n(arena, (size_t)(batch * time), sizeof(float));
    m->last = arena_place_n(arena, (size_t)(batch * config->vocab), sizeof(float));
    m->sinks = arena_place_n(arena, (size_t)params, sizeof *m->sinks);
    m->max_bits = arena_place_n(arena, (size_t)params, sizeof *m->max_bits);
    for (int p = 0; p < params; p++) {
        const struct param *q = &m->partition.params[p];
        m->sinks[p] = (struct exact_sink){ arena_place_n(arena, (size_t)(q->rows * q->cols), sizeof(int64_t)), q->cols, EXPONENT, BITS,
                                           &m->max_bits[p] };
    }
    initial_weights(m);
}

float *model_step_weights(const struct model_step *m, int param)
{
    const struct param *q = &m->partition.params[param];
    return m->weights[q->unit] + q->offset;
}

float *model_step_gradients(const struct model_step *m, int param)
{
    const struct param *q = &m->partition.params[param];
    return m->gradients[q->unit] + q->offset;
}

static struct tape_run bind(const struct model_step *m, int unit, const int32_t *tokens, const int32_t *targets)
{
    const struct unit *u = &m->partition.units[unit];
    return (struct tape_run){ .weights = m->stored[unit],
                              .tied_weights = m->stored[0],
                              .sinks = m->sinks + u->first_param,
                              .tied_sinks = m->sinks,
                              .input = unit > 0 ? m->boundary[unit - 1] : NULL,
                              .output = unit == m->partition.n_units - 1 ? (void *)m->nll : m->boundary[unit],
                              .tokens = tokens,
                              .targets = targets,
                              .starts = m->starts,
                              .saved = m->saved[unit],
                              .pass = m->pass,
                              .scratch = m->scratch,
                              .shared = m->shared };
}

/* Master weights into the compute type; then every unit below the head. */
static void forward_to_head(struct model_step *m, const int32_t *tokens)
{
    for (int u = 0; u < m->partition.n_units; u++) {
        const int64_t count = m->partition.units[u].count;
        if (m->compute == DT_BF16)
            convert_f32_to_bf16(m->stored[u], m->weights[u], count);
        else
            memcpy(m->stored[u], m->weights[u], (size_t)count * sizeof(float));
    }
    for (int u = 0; u < m->partition.n_units - 1; u++) {
        const struct tape_run run = bind(m, u, tokens, NULL);
        tape_forward(&m->tape[m->partition.units[u].kind], &run);
    }
}

double model_step_run(struct model_step *m, const int32_t *tokens, const int32_t *targets)
{
    for (int p = 0; p < m->partition.n_params; p++)
        memset(m->sinks[p].sum, 0, (size_t)(m->partition.params[p].rows * m->partition.params[p].cols) * sizeof(int64_t));
    forward_to_head(m, tokens);
    const size_t half = (size_t)(m->batch * m->time * m->config.width) * dtype_bytes(m->compute);
    for (int u = m->partition.n_units - 1; u >= 0; u--) {
        struct tape_run run = bind(m, u, tokens, targets);
        run.d_output = (unsigned char *)m->d_boundary + (u % 2 == 0 ? 0 : half);
        run.d_input = u == 0 ? NULL : (unsigned char *)m->d_boundary + (u % 2 == 0 ? half : 0);
        tape_backward(&m->tape[m->partition.units[u].kind], &run);
    }
    for (int p = 0; p < m->partition.n_params; p++)
        exact_decode(model_step_gradients(m, p), m->sinks[p].sum, m->partition.params[p].rows * m->partition.params[p].cols, EXPONENT, 1);
    double sum = 0;
    for (int64_t i = 0; i < m->batch * m->time; i++) sum += (double)m->nll[i];
    return sum;
}

void model_step_logits(struct model_step *m, const int32_t *tokens)
{
    forward_to_head(m, tokens);
    struct tape_run run = bind(m, m->partition.n_units - 1, tokens, NULL);
    run.output = m->last;
    tape_forward(&m->logits, &run);
}
