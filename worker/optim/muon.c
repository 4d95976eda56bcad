/* Muon: the momentum of a matrix, made nearly orthogonal at its owner. */
#include "newton_schulz.h"
#include "optim.h"

#include <math.h>

struct muon {
    double momentum, scale_factor, eps;
    bool nesterov;
    int scale, coefficients;
    int64_t steps;
    struct counts split;
};

/* m <- mu m + (1 - mu) g; u = m, or with Nesterov (1 - mu) g + mu m. */
static void muon_propose(const struct opt_step *s, struct opt_tile *v)
{
    const struct muon *h = s->hyper;
    const float b = (float)h->momentum, a = (float)(1 - h->momentum);
    const float *restrict g = v->grad;
    float *restrict u = v->u, *restrict m = v->slot[0];
    for (int64_t i = 0; i < v->count; i++) m[i] = b * m[i] + a * g[i];
    for (int64_t i = 0; i < v->count; i++) u[i] = h->nesterov ? a * g[i] + b * m[i] : m[i];
}

static void muon_need(const struct param *p, const void *hyper, struct opt_need *out)
{
    (void)p;
    (void)hyper;
    out->whole = true;
}

/* Parts of a fused tensor are matrices of their own, each with its norm and its scale. */
static int n_parts(const struct muon *h) { return h->split.n > 0 ? h->split.n : 1; }
static int64_t part_rows(const struct muon *h, const struct param *p, int part) { return h->split.n > 0 ? h->split.value[part] : p->rows; }

static const char *muon_refuse(const struct param *p, const void *hyper)
{
    const struct muon *h = hyper;
    int64_t rows = 0;
    for (int i = 0; i < n_parts(h); i++) rows += part_rows(h, p, i);
    if (p->n_dims < 2) return "muon is for matrices: give gains and biases to another optimizer, such as adamw";
    return rows != p->rows ? "the counts of split must add up to the rows of each tensor" : NULL;
}

static void muon_direction(const struct opt_step *s, struct opt_matrix *x)
{
    const struct muon *h = s->hyper;
    const struct param *p = x->tensor->param;
    float *u = x->u;
    for (int i = 0; i < n_parts(h); i++) {
        const int64_t rows = part_rows(h, p, i);
        const double scale = newton_schulz_scale((enum newton_schulz_scale)h->scale, rows, p->cols) * h->scale_factor;
        const struct newton_schulz how = { (enum newton_schulz_coefficients)h->coefficients, h->steps, h->eps, scale };
        newton_schulz(&how, rows, p->cols, u, x->scratch);
        u += rows * p->cols;
    }
}

static size_t muon_scratch(const struct param *p, const void *hyper)
{
    size_t most = 0;
    for (int i = 0; i < n_parts(hyper); i++) {
        const size_t bytes = newton_schulz_scratch(part_rows(hyper, p, i), p->cols);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static double muon_flops(const struct param *p, const void *hyper)
{
    const struct muon *h = hyper;
    double sum = 0;
    for (int i = 0; i < n_parts(h); i++) sum += newton_schulz_flops(h->steps, part_rows(h, p, i), p->cols);
    return sum;
}

static const char *const split_words[] = { "none", NULL };
static const struct field muon_fields[] = {
    { "momentum", FIELD_F64, offsetof(struct muon, momentum), "0.95", 0, 0.999999, NULL, "",
      "decay of the mean of gradients that is made orthogonal", true },
    { "nesterov", FIELD_BOOL, offsetof(struct muon, nesterov), "true", 0, 0, NULL, "", "take the momentum that the next step would see",
      true },
    { "scale", FIELD_ENUM, offsetof(struct muon, scale), "keller", 0, 0, newton_schulz_scale_words, "",
      "size of a step of n rows and m columns: sqrt(max(1, n/m)); rms 0.2 sqrt(max(n, m)), so that AdamW's rates serve; spectral "
      "sqrt(max(n, m)); unit sqrt(n/m)",
      true },
    { "scale_factor", FIELD_F64, offsetof(struct muon, scale_factor), "1", 0, 1e6, NULL, "", "multiplies the scale", true },
    { "coefficients", FIELD_ENUM, offsetof(struct muon, coefficients), "keller", 0, 0, newton_schulz_words, "",
      "polynomials of the Newton-Schulz steps", true },
    { "steps", FIELD_I64, offsetof(struct muon, steps), "5", 1, 99, NULL, "", "Newton-Schulz steps", true },
    { "eps", FIELD_F64, offsetof(struct muon, eps), "1e-7", 0, 1, NULL, "", "added to the norm that the momentum is divided by", true },
    { "split", FIELD_COUNTS, offsetof(struct muon, split), "none", 1, 1e9, split_words, "",
      "rows of the parts of a fused tensor, each made orthogonal by itself", true },
    { 0 }
};
static const struct opt_slot muon_slots[] = { { .name = "m", .extent = PER_ELEMENT } };
static const char *const muon_preset[] = { "lr", "0.02", "weight_decay", "0", NULL };

const struct opt_desc opt_muon = {
    .variant = { .name = "muon",
                 .summary = "momentum of a matrix, made nearly orthogonal",
                 .source = "Jordan et al. 2024, KellerJordan/Muon muon.py; pytorch/pytorch torch/optim/_muon.py",
                 .fields = muon_fields,
                 .bytes = sizeof(struct muon),
                 .preset = muon_preset },
    .equations =
        "m <- mu m + (1 - mu) g;  u = m;  nesterov: u = mu m + (1 - mu) g\n"
        "X = u / (|u| + eps);  `steps` times: A = X X^T, X <- a X + (b A + c A^2) X;  (a, b, c) by coefficients\n"
        "theta <- (1 - lr weight_decay) theta - lr s scale_factor X\n"
        "s for n rows and m columns: keller sqrt(max(1, n / m)), rms 0.2 sqrt(max(n, m)), spectral sqrt(max(n, m)), unit sqrt(n / m)",
    .slots = muon_slots,
    .n_slots = 1,
    .decay = DECAY_BEFORE,
    .refuse = muon_refuse,
    .need = muon_need,
    .propose = muon_propose,
    .direction = muon_direction,
    .whole_scratch = muon_scratch,
    .whole_flops = muon_flops
};
