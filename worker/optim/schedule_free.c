/* Schedule-Free AdamW: in place of a falling rate, an average of the weights. Three sequences:
 *
 *     z    takes plain steps,                    z <- z - eta d,  d = g / (sqrt(v / (1 - b2^t)) + eps) + lambda y
 *     x    is the average of z,                  x <- (1 - c) x + c z,  c = w_t / (w_1 + ... + w_t),  w_t = t^r eta_most^p
 *     y    is where gradients are taken,         y = (1 - b1) z + b1 x
 *
 * eta = lr min(1, t / warmup), eta_most the largest so far. The stored weights are y; x is what is evaluated and exported. */
#include "common/base/clones.h"
#include "optim.h"
#include "power.h"

#include <math.h>

struct schedule_free {
    double betas[2], eps, r, weight_lr_power;
    int64_t warmup;
};
enum { SLOT_AHEAD, SLOT_V, SLOT_RATE, SLOT_AVERAGED };
enum { NOTE_ETA, NOTE_SHARE, NOTE_INVERSE }; /* eta, c, 1 / sqrt(1 - b2^t) */

static void shape_of_averaged(const struct param *p, const void *hyper, int64_t *rows, int64_t *cols)
{
    (void)p, (void)hyper;
    *rows = 1;
    *cols = 2;
}

static const char *schedule_free_problem(const struct opt_rule *rule)
{
    const struct schedule_free *h = rule->hyper;
    return h->betas[0] > 0 ? NULL : "betas[0] must be above 0: the weights to evaluate are y + (1 - 1 / betas[0]) (z - y)";
}

/* 1/c is kept, not the sum of w: sums of a small rate's powers leave the range of an fp32, while 1/c lies between 1 and t. It is
 * (sum of w) / w_t, so 1 + (1/c before) w_(t-1) / w_t. As high and low part: after many steps it would stop growing in one. */
static double averaged(const struct schedule_free *h, int64_t t, double rate_before, double rate, const float kept[2])
{
    if (rate == 0 && h->weight_lr_power > 0) return 0; /* no step had weight yet */
    const double before = (double)kept[0] + (double)kept[1];
    if (before == 0) return 1;
    const double of_rate = h->weight_lr_power > 0 ? power(rate_before / rate, h->weight_lr_power) : 1;
    return 1 + before * of_rate * power((double)(t - 1) / (double)t, h->r);
}

static void schedule_free_prepare(const struct opt_step *s, struct opt_tensor *tensor)
{
    const struct schedule_free *h = s->hyper;
    const double eta = s->lr * (s->t < h->warmup ? (double)s->t / (double)h->warmup : 1);
    float *most = tensor->slot[SLOT_RATE], *kept = tensor->slot[SLOT_AVERAGED];
    const float before = *most;
    *most = (float)eta > before ? (float)eta : before;
    const double steps = averaged(h, s->t, (double)before, (double)*most, kept);
    kept[0] = (float)steps;
    kept[1] = (float)(steps - (double)kept[0]);
    tensor->note[NOTE_ETA] = eta;
    tensor->note[NOTE_SHARE] = steps > 0 ? 1 / steps : 0;
    tensor->note[NOTE_INVERSE] = 1 / sqrt(1 - power_whole(h->betas[1], s->t));
}

/* In terms of y and e = z - y, which starts at 0 (x = z = y):
 *     y <- y - u,  u = eta (1 - b1 (1 - c)) d - c e          e <- (1 - c) (e - eta b1 d)                x = y + (1 - 1/b1) e */
VECTOR_CLONES static void schedule_free_propose(const struct opt_step *s, struct opt_tile *tile)
{
    const struct schedule_free *h = s->hyper;
    const double *note = tile->tensor->note, b1 = h->betas[0];
    const float b2 = (float)h->betas[1], a2 = (float)(1 - h->betas[1]), inverse = (float)note[NOTE_INVERSE], eps = (float)h->eps;
    const float lambda = (float)s->weight_decay, share = (float)note[NOTE_SHARE], rest = (float)(1 - note[NOTE_SHARE]);
    const float of_y = (float)(note[NOTE_ETA] * (1 - b1 * (1 - note[NOTE_SHARE]))), of_e = (float)(note[NOTE_ETA] * b1);
    const float *restrict g = tile->grad, *restrict y = tile->theta;
    float *restrict e = tile->slot[SLOT_AHEAD], *restrict v = tile->slot[SLOT_V], *restrict u = tile->u;
    for (int64_t i = 0; i < tile->count; i++) {
        v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
        const float divisor = sqrtf(v[i]) * inverse + eps;
        const float d = (divisor > 0 ? g[i] / divisor : 0) + lambda * y[i];
        u[i] = of_y * d - share * e[i];
        e[i] = rest * (e[i] - of_e * d);
    }
}

VECTOR_CLONES static void schedule_free_eval(const void *hyper, const struct opt_tile *tile, float *out)
{
    const float factor = (float)(1 - 1 / ((const struct schedule_free *)hyper)->betas[0]);
    const float *restrict y = tile->theta, *restrict e = tile->slot[SLOT_AHEAD];
    for (int64_t i = 0; i < tile->count; i++) out[i] = y[i] + factor * e[i];
}

static const struct field schedule_free_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct schedule_free, betas), "[0.9, 0.999]", 0, 0.999999, NULL, "",
      "share of the average x in y, where gradients are taken; decay of the mean of their squares", true },
    { "eps", FIELD_F64, offsetof(struct schedule_free, eps), "1e-8", 0, 1, NULL, "", "added to the root of the corrected second moment",
      true },
    { "warmup", FIELD_I64, offsetof(struct schedule_free, warmup), "0", 0, 1e9, NULL, "steps",
      "steps over which the rate rises to lr, beside any schedule", true },
    { "r", FIELD_F64, offsetof(struct schedule_free, r), "0", 0, 20, NULL, "", "the average weighs step t by t to this power", true },
    { "weight_lr_power", FIELD_F64, offsetof(struct schedule_free, weight_lr_power), "2", 0, 10, NULL, "",
      "and by the largest rate so far to this power", true },
    { 0 }
};
static const struct opt_slot schedule_free_slots[] = {
    [SLOT_AHEAD] = { .name = "z_less_y", .extent = PER_ELEMENT, .precise = true },
    [SLOT_V] = { .name = "v", .extent = PER_ELEMENT, .positive = true },
    [SLOT_RATE] = { .name = "rate_most", .extent = PER_TENSOR },
    [SLOT_AVERAGED] = { .name = "averaged", .extent = PER_TENSOR, .shape = shape_of_averaged },
};
static const char *const schedule_free_preset[] = { "lr", "2.5e-3", "weight_decay", "0", NULL };

const struct opt_desc opt_schedule_free = {
    .variant = { .name = "schedule-free",
                 .summary = "AdamW whose weights are averaged instead of its rate lowered",
                 .source = "Defazio et al. 2024 (arXiv 2405.15682), Alg. 1; "
                           "facebookresearch/schedule_free adamw_schedulefree.py",
                 .fields = schedule_free_fields,
                 .bytes = sizeof(struct schedule_free),
                 .preset = schedule_free_preset },
    .equations = "eta = lr min(1, t / warmup);  w = t^r eta_most^weight_lr_power, eta_most the largest eta so far;  c = w / sum of w\n"
                 "v <- b2 v + (1 - b2) g^2;  d = g / (sqrt(v / (1 - b2^t)) + eps) + weight_decay y\n"
                 "z <- z - eta d;  x <- (1 - c) x + c z;  y = (1 - b1) z + b1 x\n"
                 "theta is y, where gradients are taken; the weights to evaluate are x",
    .slots = schedule_free_slots,
    .n_slots = 4,
    .decay = DECAY_INSIDE,
    .flags = OPT_STEP_OWN | OPT_PLAIN,
    .problem = schedule_free_problem,
    .prepare = schedule_free_prepare,
    .propose = schedule_free_propose,
    .eval_weights = schedule_free_eval
};
