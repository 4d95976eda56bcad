/* Adafactor in PyTorch's form: the second moment of a matrix is the product of a row and a column vector, the update is clipped by
 * its root mean square, the step is scaled by the weights'. Round 0: column sums of g^2 and the sum of theta^2; round 1: the sum of U^2. */
#include "common/math/vec.h"
#include "optim.h"
#include "power.h"

#include <math.h>

enum adafactor_variant { ADAFACTOR_TORCH };
struct adafactor {
    int variant;
    double eps[2], update_clip, decay_rate;
};
enum { SLOT_ROW, SLOT_COLUMN, SLOT_V };
enum { NOTE_FORGET, NOTE_ALPHA, NOTE_MEAN, NOTE_SCALE }; /* 1 - beta_t; step size; mean of the column moments; alpha / max(1, RMS(U)/d) */
enum { SUM_THETA = 0, SUM_U = 0 };                       /* of round 0, of round 1 */
enum { BLOCK_ROWS = 8 }; /* rows whose squares are added in double before they become fixed point: an eighth of the conversions */

static bool factored(const struct param *p) { return p->n_dims >= 2; }

static enum extent extent_of_row(const struct param *p, const void *hyper) { return (void)hyper, factored(p) ? PER_ROW : EXTENT_NONE; }
static enum extent extent_of_column(const struct param *p, const void *hyper) { return (void)hyper, factored(p) ? PER_COL : EXTENT_NONE; }
static enum extent extent_of_v(const struct param *p, const void *hyper) { return (void)hyper, factored(p) ? EXTENT_NONE : PER_ELEMENT; }

static int64_t adafactor_row_align(const struct param *p, const void *hyper) { return (void)hyper, factored(p) ? BLOCK_ROWS : 1; }

static void adafactor_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)hyper;
    out->scalars[0] = out->scalars[1] = 1;
    out->column[0] = factored(p) ? 2 : 0;
}

static void adafactor_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct adafactor *h = s->hyper;
    tensor->note[NOTE_FORGET] = power((double)s->t, -h->decay_rate); /* 1 at t = 1: the initial zeros are forgotten */
}

/* R <- beta R + (1 - beta) rowmean(g^2) (or V, elementwise); u carries the gradient to the rounds. */
static void adafactor_propose(const struct opt_step *s, struct opt_tile *v)
{
    (void)s;
    const double forget = v->tensor->note[NOTE_FORGET];
    const float a = (float)forget, b = (float)(1 - forget);
    for (int64_t i = 0; i < v->count; i++) v->u[i] = v->grad[i];
    if (v->slot[SLOT_V] != NULL)
        for (int64_t i = 0; i < v->count; i++) v->slot[SLOT_V][i] = b * v->slot[SLOT_V][i] + a * (v->grad[i] * v->grad[i]);
    else
        for (int64_t r = 0; r < v->n_rows; r++) {
            const double mean = vec_sum_squares(v->grad + r * v->cols, v->cols) / (double)v->cols;
            v->slot[SLOT_ROW][r] = (float)((1 - forget) * (double)v->slot[SLOT_ROW][r] + forget * mean);
        }
}

static void partial_moments(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[SUM_THETA] = vec_sum_squares(block->theta, block->count);
    if (!factored(block->tensor->param)) return;
    double *restrict column = terms->column;
    for (int64_t j = 0; j < block->cols; j++) column[j] = 0;
    for (int64_t r = 0; r < block->n_rows; r++) {
        const float *restrict g = block->grad + r * block->cols;
        for (int64_t j = 0; j < block->cols; j++) column[j] += (double)g[j] * (double)g[j];
    }
}

/* C <- beta C + (1 - beta) colmean(g^2). mean(R) = mean(C), since both average the same squares with the same weights, and every owner
 * has all of C. alpha = max(eps2, RMS(theta)) min(lr, 1/sqrt t). */
static void settle_moments(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct adafactor *h = s->hyper;
    const struct param *p = tensor->param;
    const double forget = tensor->note[NOTE_FORGET], rms = sqrt(sums->scalar[SUM_THETA] / (double)(p->rows * p->cols));
    tensor->note[NOTE_ALPHA] = fmax(h->eps[1], rms) * fmin(s->lr, 1 / sqrt((double)s->t));
    if (!factored(p)) return;
    float *c = tensor->slot[SLOT_COLUMN];
    for (int64_t j = 0; j < p->cols; j++) c[j] = (float)((1 - forget) * (double)c[j] + forget * (sums->column[j] / (double)p->rows));
    tensor->note[NOTE_MEAN] = fmax(vec_sum(c, p->cols) / (double)p->cols, h->eps[0]);
}

/* U = g / sqrt(V), V = (R_i / mean(R)) C_j; eps1 bounds mean(R) and sqrt(V) from below. The quotient comes first: with a tiny gradient the
 * product of R and C underflows. */
static void absorb_moments(const struct opt_step *s, struct opt_tile *v)
{
    const struct adafactor *h = s->hyper;
    const float least = (float)(h->eps[0] * h->eps[0]);
    for (int64_t r = 0; r < v->n_rows; r++) {
        float *restrict u = v->u + r * v->cols;
        const float *restrict c = v->tensor->slot[SLOT_COLUMN];
        const float *restrict element = v->slot[SLOT_V] != NULL ? v->slot[SLOT_V] + r * v->cols : NULL;
        const float ratio = element != NULL ? 1 : (float)((double)v->slot[SLOT_ROW][r] / v->tensor->note[NOTE_MEAN]);
        for (int64_t j = 0; j < v->cols; j++) {
            const float estimate = element != NULL ? element[j] : ratio * c[j];
            u[j] /= sqrtf(estimate > least ? estimate : least);
        }
    }
}

static void partial_update(const struct opt_step *s, const struct opt_tile *block, struct opt_sums *terms)
{
    (void)s;
    terms->scalar[SUM_U] = vec_sum_squares(block->u, block->count);
}

static void settle_update(const struct opt_step *s, struct opt_tensor *tensor, const struct opt_sums *sums)
{
    const struct adafactor *h = s->hyper;
    const double rms = sqrt(sums->scalar[SUM_U] / (double)(tensor->param->rows * tensor->param->cols));
    tensor->note[NOTE_SCALE] = tensor->note[NOTE_ALPHA] / fmax(1, rms / h->update_clip);
}

static void absorb_update(const struct opt_step *s, struct opt_tile *v)
{
    (void)s;
    const float scale = (float)v->tensor->note[NOTE_SCALE];
    for (int64_t i = 0; i < v->count; i++) v->u[i] *= scale;
}

static const char *const variant_words[] = { "torch", NULL };
static const struct field adafactor_fields[] = {
    { "variant", FIELD_ENUM, offsetof(struct adafactor, variant), "torch", 0, 0, variant_words, "",
      "whose formula: torch (torch/optim/_adafactor.py)", true },
    { "eps", FIELD_F64x2, offsetof(struct adafactor, eps), "[1.1920928955078125e-07, 1e-3]", 0, 1, NULL, "",
      "least root of the second moment, and least root mean square of the weights that scales the step", true },
    { "update_clip", FIELD_F64, offsetof(struct adafactor, update_clip), "1", 1e-3, 1e6, NULL, "",
      "root mean square above which an update is scaled down", true },
    { "decay_rate", FIELD_F64, offsetof(struct adafactor, decay_rate), "0.8", 0, 1, NULL, "",
      "c in beta_t = 1 - t^-c, the decay of the second moment", true },
    { 0 }
};
static const struct opt_slot adafactor_slots[] = { [SLOT_ROW] = { .name = "row", .extent_of = extent_of_row },
                                                   [SLOT_COLUMN] = { .name = "column", .extent_of = extent_of_column },
                                                   [SLOT_V] = { .name = "v", .extent_of = extent_of_v } };
static const char *const adafactor_preset[] = { "lr", "1e-2", "weight_decay", "0", NULL };

const struct opt_desc opt_adafactor = { .variant = { .name = "adafactor",
                                                     .summary = "factored second moments, step scaled by the weights",
                                                     .source = "Shazeer & Stern 2018, Alg. 5; pytorch/pytorch torch/optim/_adafactor.py",
                                                     .fields = adafactor_fields,
                                                     .bytes = sizeof(struct adafactor),
                                                     .preset = adafactor_preset },
                                        .slots = adafactor_slots,
                                        .n_slots = 3,
                                        .decay = DECAY_BEFORE,
                                        .flags = OPT_STEP_OWN,
                                        .row_align = adafactor_row_align,
                                        .need = adafactor_need,
                                        .prepare = adafactor_prepare,
                                        .propose = adafactor_propose,
                                        .rounds = { { partial_moments, settle_moments, absorb_moments },
                                                    { partial_update, settle_update, absorb_update } } };
