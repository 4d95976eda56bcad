/* config_tables.h: small tables of choices and one good configuration, for the tests of common/config. */
#ifndef LAMINA_TESTS_UNIT_CONFIG_TABLES_H
#define LAMINA_TESTS_UNIT_CONFIG_TABLES_H

#include "common/config/config.h"

struct adam {
    double betas[2], eps;
};
struct adalayer {
    double betas[2];
    int granularity;
};
struct lion {
    double betas[2];
};
struct sgd {
    struct momentum momentum;
    bool nesterov;
};
struct wsd {
    struct share warmup, decay;
    double floor;
};

static const char *const granularity_words[] = { "tensor", "row", NULL };
static const struct field adam_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct adam, betas), "[0.9, 0.999]", 0, 1, NULL, "", "decays of the moments", false },
    { "eps", FIELD_F64, offsetof(struct adam, eps), "1e-8", 0, 1, NULL, "", "beside the root", false },
    { 0 }
};
static const struct field adalayer_fields[] = { { "betas", FIELD_F64x2, offsetof(struct adalayer, betas), "[0.9, 0.95]", 0, 1, NULL, "",
                                                  "decays of the moments", false },
                                                { "granularity", FIELD_ENUM, offsetof(struct adalayer, granularity), "tensor", 0, 0,
                                                  granularity_words, "", "what shares a rate", false },
                                                { 0 } };
static const struct field lion_fields[] = {
    { "betas", FIELD_F64x2, offsetof(struct lion, betas), "[0.9, 0.99]", 0, 1, NULL, "", "weights of the momentum", false }, { 0 }
};
static const struct field sgd_fields[] = {
    { "momentum", FIELD_MOMENTUM, offsetof(struct sgd, momentum), "0", 0, 1, NULL, "", "of the gradient", false },
    { "nesterov", FIELD_BOOL, offsetof(struct sgd, nesterov), "false", 0, 0, NULL, "", "look ahead", false },
    { 0 }
};
static const struct field constant_fields[] = {
    { "warmup", FIELD_SHARE, offsetof(struct wsd, warmup), "0", 0, 0, NULL, "steps", "linear rise", false }, { 0 }
};
static const struct field wsd_fields[] = {
    { "warmup", FIELD_SHARE, offsetof(struct wsd, warmup), "0", 0, 0, NULL, "steps", "linear rise", false },
    { "decay", FIELD_SHARE, offsetof(struct wsd, decay), "20%", 0, 0, NULL, "steps", "linear fall at the end", false },
    { "floor", FIELD_F64, offsetof(struct wsd, floor), "0", 0, 1, NULL, "", "factor at the end", false },
    { 0 }
};

static const struct variant variant_adamw = {
    "adamw", "Adam, decay apart", "", adam_fields, sizeof(struct adam), (const char *const[]){ "lr", "1e-3", "weight_decay", "1e-2", NULL }
};
static const struct variant variant_adalayer = { "adalayer",      "Adam with a rate per layer", "",
                                                 adalayer_fields, sizeof(struct adalayer),      NULL };
static const struct variant variant_lion = { "lion", "sign of a momentum", "Chen 2023", lion_fields, sizeof(struct lion), NULL };
static const struct variant variant_sgd = {
    "sgd", "plain", "", sgd_fields, sizeof(struct sgd), (const char *const[]){ "cautious", NULL, NULL }
};
static const struct variant variant_constant = {
    "constant", "the same rate after warm-up", "", constant_fields, sizeof(struct wsd), (const char *const[]){ "run.steps", NULL, NULL }
};
static const struct variant variant_wsd = { "wsd", "warm up, stay, decay", "", wsd_fields, sizeof(struct wsd), NULL };
static const struct variant variant_cosine = { "cosine", "half a wave over the run", "", NULL, 0, NULL };
static const struct variant variant_gpt2 = { "gpt2", "GPT-2",
                                             "",     NULL,
                                             0,      (const char *const[]){ "tie", "true", "rope_base", NULL, "qk_norm", NULL, NULL } };
static const struct variant variant_llama = { "llama", "LLaMA", "", NULL, 0, (const char *const[]){ "mlp", "8/3*width", NULL } };

static const struct config_tables test_tables = {
    .optimizers = (const struct variant *const[]){ &variant_adamw, &variant_adalayer, &variant_lion, &variant_sgd, NULL },
    .schedules = (const struct variant *const[]){ &variant_constant, &variant_wsd, &variant_cosine, NULL },
    .families = (const struct variant *const[]){ &variant_gpt2, &variant_llama, NULL },
};

/* The example of the README, as it stands there. Lines are counted from 1: `run:` is the first. */
static const char good_yaml[] =
    "run:       {name: quickstart, seed: 1, steps: 650}\n"
    "model:     {family: llama, width: 192, layers: 4, heads: 6, kv_heads: 3, mlp: 512, context: 256, tie: false}\n"
    "tokenizer: bytes                                        # or a tokenizer.json; it fixes the vocabulary\n"
    "data:      {train: [{name: gcide, path: data/gcide.train.h5, weight: 1}], valid: [{name: gcide, path: data/gcide.valid.h5}]}\n"
    "batch:     {sequences: 16, micro: 4}                    # global batch, and sequences per microbatch\n"
    "precision: {compute: auto}\n"
    "parallel:  {shard: full, group: world, window: 1, reduce: exact}\n"
    "optimizer:\n"
    "  clip: 1.0\n"
    "  schedules: {main: {type: wsd, warmup: 5%, decay: 30%, floor: 0}}     # integers are steps, N% is a share of the run\n"
    "  defaults: {optimizer: adamw, lr: 4e-3, betas: [0.9, 0.95], weight_decay: 0.1, schedule: main}\n"
    "  rules:                                                # first match wins; every tensor matches one; every rule matches something\n"
    "    - {name: gains,  match: {role: [norm, bias]}, weight_decay: 0}\n"
    "    - {name: head,   match: {role: head}, optimizer: adalayer, granularity: row, lr: 4e-3}\n"
    "    - {name: hidden, match: {role: [\"attn.*\", \"mlp.*\"]}, optimizer: lion, lr: 4e-4}\n"
    "    - {name: rest,   match: all}\n"
    "checkpoint: {every: 200, keep: 3}\n"
    "eval:       {every: 100, batches: 20}\n";

#endif
