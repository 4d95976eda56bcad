/* From a configuration to a plan: the tables, the tapes, the precision. No MPI, no files. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/math/fingerprint.h"
#include "common/math/product.h"
#include "worker/models/models.h"
#include "worker/ops/ops.h"
#include "worker/optim/optim.h"
#include "worker/schedules/schedules.h"

#include <math.h>

const struct config_tables *worker_tables(void)
{
    enum { MOST = 64 };
    static const struct variant *optimizers[MOST], *schedules[MOST];
    static const struct config_tables tables = { optimizers, schedules, model_variants };
    if (optimizers[0]) return &tables;
    for (int i = 0; opt_table[i]; i++) optimizers[i] = &opt_table[i]->variant;
    for (int i = 0; schedule_table[i]; i++) schedules[i] = &schedule_table[i]->variant;
    return &tables;
}

enum dtype worker_compute(const struct config *config)
{
    if (config->precision.compute == COMPUTE_AUTO) return product_bf16_native() ? DT_BF16 : DT_F32;
    return config->precision.compute == COMPUTE_BF16 ? DT_BF16 : DT_F32;
}

void setup_tapes(struct arena *attributes, const struct config *config, const struct model_desc *model, enum dtype compute, bool train,
                 struct tape tapes[UNIT_KINDS])
{
    for (int kind = 0; kind < UNIT_KINDS; kind++) {
        struct tape *t = &tapes[kind];
        tape_begin(t, attributes, (enum unit_kind)kind, TAPE_LOSS, compute, &config->model, config->batch.micro, config->model.context, 0,
                   kind == UNIT_EMBEDDING ? NULL : &tapes[UNIT_EMBEDDING].unit);
        if (config->data.documents == DOCUMENTS_SEPARATE) tape_separate(t);
        model->write(t, (enum unit_kind)kind, &config->model);
        tape_layout(t, train, kind != UNIT_EMBEDDING);
    }
}

enum status worker_plan(struct arena *arena, const struct config *config, enum dtype compute, int ranks, struct plan *out,
                        struct text *problems)
{
    const struct model_desc *model = model_find(config->model.family);
    CHECK(model != NULL); /* the configuration knows the families of the table only */
    if (model->check) TRY(model->check(&config->model));
    struct tape *tapes = arena_place_n(arena, UNIT_KINDS, sizeof *tapes);
    setup_tapes(arena, config, model, compute, true, tapes);
    struct unit_shape *shapes = arena_place_n(arena, UNIT_KINDS, sizeof *shapes);
    int64_t contributions = 0;
    for (int kind = 0; kind < UNIT_KINDS; kind++) {
        shapes[kind] = tapes[kind].unit;
        contributions = max_i64(contributions, tapes[kind].contributions);
    }
    if (config->model.tie) contributions += 1; /* the head's chunks and the embedding's rows meet in one tensor */
    const struct plan_input input = { .config = config,
                                      .model = model,
                                      .optimizer_table = opt_table,
                                      .shapes = shapes,
                                      .contributions_per_micro = contributions,
                                      .compute = compute,
                                      .ranks = ranks };
    return plan_build(arena, &input, out, problems);
}

/* Scores, outputs and gradients of one head, tile by tile, in fp32. */
static void attention_fingerprint(const struct model_config *m, struct fingerprint *out)
{
    const int64_t tile = min_i64(m->context, ATTENTION_TILE), head = m->width / m->heads;
    fingerprint_product(out, PRODUCT_Y, tile, tile, head, DT_F32);
    fingerprint_product(out, PRODUCT_DX, tile, head, tile, DT_F32);
    fingerprint_product(out, PRODUCT_DW, tile, head, tile, DT_F32);
}

void worker_fingerprint(const struct plan *plan, struct fingerprint *out)
{
    fingerprint_start(out);
    const struct partition *p = &plan->partition;
    bool whole = false;
    for (int i = 0; i < p->n_params; i++) whole |= p->params[i].owner >= 0;
    if (whole) fingerprint_linalg(out);
    attention_fingerprint(&plan->config->model, out);
    for (int i = 0; i < p->n_params; i++) {
        const struct param *q = &p->params[i];
        if (q->n_dims != 2 || q->layer > 0) continue; /* one block stands for all */
        fingerprint_weights(out, plan->micro_tokens, q->rows, q->cols, plan->compute);
    }
}

static const struct opt_desc *optimizer_of(const struct rule_config *rule)
{
    int i = 0;
    while (opt_table[i] != NULL && &opt_table[i]->variant != rule->optimizer) i++;
    CHECK(opt_table[i] != NULL);
    return opt_table[i];
}

double worker_lr(const struct config *config, int rule, int64_t step)
{
    const struct rule_config *r = &config->rules[rule];
    const struct param matrix = { .n_dims = 2, .rows = 1, .cols = 1 };
    const double lr = opt_base(&(struct opt_rule){ optimizer_of(r), r->fields, &r->common }, &matrix, 0).lr;
    if (lr < 0) return (double)NAN;
    return step == 0 ? lr : lr * schedule_factor(&config->schedules[r->schedule], step, config->run.steps);
}

void worker_traffic(const struct plan *plan, int rank, int64_t step, struct traffic *out)
{
    plan_traffic(plan, rank, step, out);
    for (int exchange = 0; exchange < OPT_EXCHANGES; exchange++) {
        const int64_t bytes = driver_exchange_values(plan, exchange) * (int64_t)sizeof(int64_t);
        out->bytes[COMM_OPTIMIZER] += 2 * bytes * (plan->group - 1) / plan->group;
    }
    out->bytes[COMM_OPTIMIZER] += plan_whole_bytes(plan, rank, step);
}

void worker_print_tapes(const struct plan *plan, struct text *out)
{
    struct arena arena;
    arena_open_growing(&arena, "tapes");
    struct tape *tapes = arena_place_n(&arena, UNIT_KINDS, sizeof *tapes);
    setup_tapes(&arena, plan->config, plan->model, plan->compute, true, tapes);
    for (int kind = 0; kind < UNIT_KINDS; kind++) tape_print(&tapes[kind], out);
    arena_close(&arena);
}
