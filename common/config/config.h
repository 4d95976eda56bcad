/* config.h: a run as the user wrote it, checked and with every default filled in. Read field.h first.
 * Needs no MPI. Parsing reports all problems in one go; the result is immutable and lives in one arena. */
#ifndef LAMINA_CONFIG_CONFIG_H
#define LAMINA_CONFIG_CONFIG_H

#include "common/base/arena.h"
#include "common/base/digest.h"
#include "common/base/str.h"
#include "common/config/field.h"

enum { CONFIG_NAME_MAX = 65, CONFIG_MAX_SOURCES = 32, CONFIG_MAX_RULES = 32, CONFIG_MAX_SCHEDULES = 32, CONFIG_MAX_MATCH = 32 };

enum compute_choice { COMPUTE_AUTO, COMPUTE_BF16, COMPUTE_FP32 };
enum shard { SHARD_NONE, SHARD_OPTIMIZER, SHARD_GRADIENTS, SHARD_FULL };
enum accumulate { ACCUMULATE_AUTO, ACCUMULATE_LOCAL, ACCUMULATE_OWNER };
enum on_nonfinite { NONFINITE_SKIP, NONFINITE_STOP }; /* after the redo */
enum decay_mode { DECAY_MODE_LR, DECAY_MODE_SCHEDULE, DECAY_MODE_INDEPENDENT };

struct run_config {
    char name[FIELD_TEXT_MAX], folder[FIELD_TEXT_MAX];
    int64_t seed, steps;
    int on_nonfinite;
    bool tensorboard;
};

struct model_config {
    char family[FIELD_TEXT_MAX];
    int64_t width, layers, heads, kv_heads, mlp, context;
    bool tie, qkv_bias, qk_norm;
    double norm_eps, rope_base, init_std;
    int64_t vocab; /* not a key: the tokenizer fixes it */
};

struct source_config {
    char name[FIELD_TEXT_MAX], path[FIELD_TEXT_MAX];
    double weight, epochs; /* epochs: of train alone; 0: weights count, else every row has them */
};
enum documents { DOCUMENTS_CONCAT, DOCUMENTS_SEPARATE };
enum data_weights { WEIGHTS_TOKENS, WEIGHTS_DOCUMENTS };
struct data_config {
    int n_train, n_valid;
    int weights; /* of train: what they are shares of */
    int documents;
    struct source_config train[CONFIG_MAX_SOURCES], valid[CONFIG_MAX_SOURCES];
};
struct batch_config {
    int64_t sequences, micro;
};
struct precision_config {
    int compute;
};
struct parallel_config {
    int shard, accumulate, reduce;
    int64_t group, window;
    bool recompute;
}; /* group 0: world; window 0: all */
struct checkpoint_config {
    int64_t every, keep;
}; /* every 0: only when the run ends or is stopped */
enum eval_weights { EVAL_AVERAGE, EVAL_TRAINED };
struct eval_config {
    int64_t every, batches; /* every 0: never */
    int weights;            /* of rules that keep an average, or train other weights than they mean: which to evaluate */
};

/* Where a row of a list stands, for messages of later: "run.yaml:12:7: " before the sentence; its line and a caret after it, or "". */
struct config_place {
    const char *before, *below;
};

/* Which tensors a rule takes. Empty lists match everything; lists that are given must all agree. */
struct match_config {
    bool all;
    int n_roles, n_globs;
    const char *roles[CONFIG_MAX_MATCH], *globs[CONFIG_MAX_MATCH]; /* role globs ("attn.*"), tensor-name globs */
    int64_t layer_low, layer_high;                                 /* -1, -1: any; "0-1" is 0, 1 */
};

struct schedule_config {
    const char *name;
    const struct variant *type;
    const void *fields;
};

/* Fields that the driver serves for every rule; they stand beside the optimizer's own in YAML. */
enum { RATE_NONE = -1, CLIP_NONE = 0, CLIP_GLOBAL = -1 };
struct rule_common {
    double lr, lr_mult, layer_decay, weight_decay; /* lr: or RATE_NONE */
    char schedule[FIELD_TEXT_MAX];
    double clip, agc; /* a bound of the rule's own norm, or CLIP_NONE, CLIP_GLOBAL; of a row's norm beside its weights', 0: none */
    int decay_mode;
    bool cautious, cautious_decay;
    double average; /* decay of a running mean of the weights; 0: none is kept */
    struct storage state;
};

struct rule_config {
    const char *name;
    struct match_config match;
    const struct variant *optimizer;
    const void *fields;        /* the optimizer's own struct */
    struct rule_common common; /* lr already multiplied by lr_mult */
    int schedule;              /* index into schedules */
    struct config_place place;
};
struct freeze_config {
    struct match_config match;
    int64_t until_step;
    struct config_place place;
}; /* until_step 0: for ever */

struct config {
    const char *file; /* as given */
    struct run_config run;
    struct model_config model;
    char tokenizer[FIELD_TEXT_MAX];
    struct data_config data;
    struct batch_config batch;
    struct precision_config precision;
    struct parallel_config parallel;
    double clip; /* 0: none */
    int n_schedules, n_rules, n_freeze;
    struct schedule_config schedules[CONFIG_MAX_SCHEDULES];
    struct rule_config rules[CONFIG_MAX_RULES];
    struct freeze_config freeze[CONFIG_MAX_RULES];
    struct checkpoint_config checkpoint;
    struct eval_config eval;
};

/* What may be chosen by name. NULL-terminated arrays of pointers. */
struct config_tables {
    const struct variant *const *optimizers, *const *schedules, *const *families;
};

/* Read a YAML file, apply overrides ("key.path=value", list rows by name), fill defaults, check each value and the values
 * against each other (all that needs no tensor list). Every problem is appended to `problems` as
 * file:line:column: sentence, the line itself, a caret and the nearest word; an override's place is "command line".
 * Fails: ST_CONFIG when there was any problem; ST_IO never (an unreadable file is a problem too). */
enum status config_read(const char *path, const char *const overrides[], int n_overrides, const struct config_tables *tables,
                        struct arena *arena, struct config **out, struct text *problems) MUST_USE;
/* The same from memory; name stands for the file in messages. */
enum status config_parse(const char *name, const char *yaml, size_t n, const char *const overrides[], int n_overrides,
                         const struct config_tables *tables, struct arena *arena, struct config **out, struct text *problems) MUST_USE;

/* The settings of one rule by themselves: a map of the optimizer's own keys and of those that every rule knows, in flow or block style
 * (JSON is YAML), read, completed and complained about as in a file. What only a run has is refused: lr_mult, layer_decay, schedule, clip.
 * out->match takes everything, out->schedule is -1. Fails: ST_CONFIG when there was any problem. */
enum status config_parse_rule(const char *name, const char *yaml, size_t n, const struct variant *optimizer,
                              const struct config_tables *tables, struct arena *arena, struct rule_config *out,
                              struct text *problems) MUST_USE;

/* The resolved configuration as YAML that reads back to the same; what runs/NAME/config.yaml holds. */
void config_write(const struct config *config, const struct config_tables *tables, struct text *out);

/* Digest of everything that affects the trajectory. */
struct digest128 config_digest(const struct config *config, const struct config_tables *tables);
/* Keys that affect the trajectory and differ, one "key: old -> new" line each; returns how many. */
int config_compare(const struct config *before, const struct config *after, const struct config_tables *tables, const char *const allowed[],
                   int n_allowed, struct text *out);

/* A key in words: what configs/REFERENCE.md says of it. value: the default, NULL where the key must be given. */
struct config_key {
    const char *key, *type, *value, *allowed, *unit, *help;
};
/* The keys that config_parse_rule reads for this optimizer, with the defaults that count: a preset's before the row's. */
void config_rule_keys(const struct variant *optimizer, void (*take)(void *context, const struct config_key *key), void *context);

/* configs/REFERENCE.md, from the tables. */
void config_write_reference(const struct config_tables *tables, struct text *out);

#endif
