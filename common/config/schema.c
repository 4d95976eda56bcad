/* schema.c: every key of a run, but for those that optimizers, schedules and families bring (struct variant). */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

static const char *const nonfinite_words[] = { "skip", "stop", NULL };
static const char *const compute_words[] = { "auto", "bf16", "fp32", NULL };
static const char *const shard_words[] = { "none", "optimizer", "gradients", "full", NULL };
static const char *const group_words[] = { "world", "node", NULL };
static const char *const window_words[] = { "all", NULL };
static const char *const reduce_words[] = { "exact", NULL };
static const char *const accumulate_words[] = { "auto", "local", "owner", NULL };
static const char *const decay_words[] = { "lr", "schedule", "independent", NULL };
static const char *const clip_words[] = { "none", NULL };
static const char *const rule_clip_words[] = { "none", "global", NULL };
static const char *const rate_words[] = { "", "none", NULL };
static const char *const documents_words[] = { "concat", "separate", NULL };
static const char *const weights_words[] = { "tokens", "documents", NULL };
static const char *const none_words[] = { "none", NULL };
static const char *const eval_words[] = { "average", "trained", NULL };
static const char *const until_words[] = { "end", NULL };
static const char *const at_end_words[] = { "end", NULL };
static const char *const never_words[] = { "never", NULL };

/* clang-format off */
static const struct field run_fields[] = {
    { "name", FIELD_TEXT, offsetof(struct run_config, name), NULL, 0, 0, NULL, "", "folder of the run below run.folder: letters, digits, '.', '_' and '-', at most 64", false },
    { "seed", FIELD_I64, offsetof(struct run_config, seed), "1", 0, 0x1p63, NULL, "", "of initial weights, sample order and every other random number", true },
    { "steps", FIELD_I64, offsetof(struct run_config, steps), NULL, 1, 1e15, NULL, "steps", "length of the run; may grow later where no schedule depends on it", true },
    { "folder", FIELD_TEXT, offsetof(struct run_config, folder), "runs", 0, 0, NULL, "", "where run folders stand", false },
    { "on_nonfinite", FIELD_ENUM, offsetof(struct run_config, on_nonfinite), "stop", 0, 0, nonfinite_words, "", "a step that is not finite after its redo is skipped, or ends the run (exit 7)", true },
    { "tensorboard", FIELD_BOOL, offsetof(struct run_config, tensorboard), "false", 0, 0, NULL, "", "also write the metrics as TensorBoard event files, in the folder tensorboard/ of the run", false },
    { 0 } };

static const struct field model_fields[] = {
    { "family", FIELD_TEXT, offsetof(struct model_config, family), NULL, 0, 0, NULL, "", "which decoder; see Families", true },
    { "width", FIELD_I64, offsetof(struct model_config, width), NULL, 1, 1 << 20, NULL, "channels", "of a token vector", true },
    { "layers", FIELD_I64, offsetof(struct model_config, layers), NULL, 1, 10000, NULL, "", "transformer blocks", true },
    { "heads", FIELD_I64, offsetof(struct model_config, heads), NULL, 1, 1 << 16, NULL, "", "query heads; they divide the width", true },
    { "kv_heads", FIELD_I64, offsetof(struct model_config, kv_heads), "heads", 1, 1 << 16, NULL, "", "key and value heads; they divide the query heads", true },
    { "mlp", FIELD_I64, offsetof(struct model_config, mlp), "4*width", 1, 1 << 24, NULL, "channels", "hidden width of the MLP", true },
    { "context", FIELD_I64, offsetof(struct model_config, context), NULL, 1, 1 << 24, NULL, "tokens", "of one sequence", true },
    { "tie", FIELD_BOOL, offsetof(struct model_config, tie), "false", 0, 0, NULL, "", "one tensor serves as embedding and head", true },
    { "qkv_bias", FIELD_BOOL, offsetof(struct model_config, qkv_bias), "false", 0, 0, NULL, "", "biases on queries, keys and values", true },
    { "qk_norm", FIELD_BOOL, offsetof(struct model_config, qk_norm), "false", 0, 0, NULL, "", "normalise queries and keys per head", true },
    { "norm_eps", FIELD_F64, offsetof(struct model_config, norm_eps), "1e-5", 0, 1, NULL, "", "inside the root of the norms", true },
    { "rope_base", FIELD_F64, offsetof(struct model_config, rope_base), "1e4", 1, 1e12, NULL, "", "base of the rotary angles", true },
    { "init_std", FIELD_F64, offsetof(struct model_config, init_std), "0.02", 0, 10, NULL, "", "standard deviation of initial weights", true },
    { 0 } };

static const struct field batch_fields[] = {
    { "sequences", FIELD_I64, offsetof(struct batch_config, sequences), NULL, 1, 1e9, NULL, "sequences", "of one step, over all ranks", true },
    { "micro", FIELD_I64, offsetof(struct batch_config, micro), NULL, 1, 1e6, NULL, "sequences", "of one microbatch; divides batch.sequences", true },
    { 0 } };

static const struct field precision_fields[] = {
    { "compute", FIELD_ENUM, offsetof(struct precision_config, compute), "auto", 0, 0, compute_words, "", "type of weights and activations in products; auto: bf16 where every rank has hardware for it", true },
    { 0 } };

/* Layout never alters the numbers: that is the promise of the exact reduction, so only `reduce` belongs to the trajectory. */
static const struct field parallel_fields[] = {
    { "shard", FIELD_ENUM, offsetof(struct parallel_config, shard), "full", 0, 0, shard_words, "", "what is cut over the ranks of a group", false },
    { "group", FIELD_I64, offsetof(struct parallel_config, group), "world", 1, 1 << 24, group_words, "ranks", "that share one copy of the model; must divide the world", false },
    { "window", FIELD_I64, offsetof(struct parallel_config, window), "1", 1, 1e6, window_words, "microbatches", "for which a unit is gathered once", false },
    { "reduce", FIELD_ENUM, offsetof(struct parallel_config, reduce), "exact", 0, 0, reduce_words, "", "gradients are summed as integers: same bits at any rank count", true },
    { "accumulate", FIELD_ENUM, offsetof(struct parallel_config, accumulate), "auto", 0, 0, accumulate_words, "", "where the sums over microbatches stand", false },
    { "recompute", FIELD_BOOL, offsetof(struct parallel_config, recompute), "false", 0, 0, NULL, "", "compute a block's activations again in the backward pass: less memory, a third more work", false },
    { 0 } };

static const struct field checkpoint_fields[] = {
    { "every", FIELD_I64, offsetof(struct checkpoint_config, every), "200", 1, 1e15, at_end_words, "steps", "between checkpoints; end: only when the run ends or is stopped", false },
    { "keep", FIELD_I64, offsetof(struct checkpoint_config, keep), "3", 1, 1e6, NULL, "", "verified checkpoints that stay", false },
    { 0 } };

static const struct field eval_fields[] = {
    { "every", FIELD_I64, offsetof(struct eval_config, every), "100", 1, 1e15, never_words, "steps", "between evaluations; never, too, where data.valid is not given", false },
    { "batches", FIELD_I64, offsetof(struct eval_config, batches), "20", 1, 1e9, NULL, "batches", "of batch.sequences windows in one evaluation, from the start of each source", false },
    { "weights", FIELD_ENUM, offsetof(struct eval_config, weights), "average", 0, 0, eval_words, "", "average: where a rule keeps averages of its weights, those; trained: what is trained", false },
    { 0 } };

const struct section config_sections[] = {
    { "run", "The run itself.", offsetof(struct config, run), run_fields },
    { "model", "The decoder. Defaults may differ by family.", offsetof(struct config, model), model_fields },
    { "batch", "The step.", offsetof(struct config, batch), batch_fields },
    { "precision", "Types of numbers.", offsetof(struct config, precision), precision_fields },
    { "parallel", "How the work is cut. Nothing here but `reduce` alters a result.", offsetof(struct config, parallel), parallel_fields },
    { "checkpoint", "Saved state.", offsetof(struct config, checkpoint), checkpoint_fields },
    { "eval", "Evaluation in the loop.", offsetof(struct config, eval), eval_fields },
    { 0 } };

const struct field root_fields[] = {
    { "tokenizer", FIELD_TEXT, offsetof(struct config, tokenizer), NULL, 0, 0, NULL, "", "`bytes`, or the path of a tokenizer.json; it fixes the vocabulary", true },
    { 0 } };

const struct field data_fields[] = {
    { "documents", FIELD_ENUM, offsetof(struct data_config, documents), "concat", 0, 0, documents_words, "", "concat: the text is one stream, a window is a piece of it, and attention runs across the ends of documents. separate: windows are packed with whole documents (longer ones are cut at the context); attention stays inside a document and positions count from its beginning", true },
    { "weights", FIELD_ENUM, offsetof(struct data_config, weights), "tokens", 0, 0, weights_words, "", "what the weights of train are shares of: tokens, or documents, where a source's tokens follow from the mean length of its documents", true },
    { 0 } };

const struct field train_fields[] = {
    { "path", FIELD_TEXT, offsetof(struct source_config, path), NULL, 0, 0, NULL, "", "a token file (lamina data build)", true },
    { "weight", FIELD_F64, offsetof(struct source_config, weight), "1", 1e-9, 1e9, NULL, "", "share of the training text, beside the other rows' weights", true },
    { "epochs", FIELD_F64, offsetof(struct source_config, epochs), "none", 1e-6, 1e6, none_words, "", "instead of weight, in every row or in none: how often the source is read over the run, where run.steps is as long as that; else beside the other rows' epochs", true },
    { 0 } };

const struct field valid_fields[] = {
    { "path", FIELD_TEXT, offsetof(struct source_config, path), NULL, 0, 0, NULL, "", "a token file (lamina data build)", false },
    { "weight", FIELD_F64, offsetof(struct source_config, weight), "1", 1e-9, 1e9, NULL, "", "in the mean over all valid sources, beside the other rows' weights", false },
    { 0 } };

const struct field optimizer_fields[] = {
    { "clip", FIELD_F64, offsetof(struct config, clip), "1", 1e-12, 1e15, clip_words, "", "bound of the global norm of the averaged gradients", true },
    { 0 } };

const struct field rule_fields[] = {
    { "lr", FIELD_F64, offsetof(struct rule_common, lr), NULL, 0, 1e6, rate_words, "", "peak learning rate; the schedule's factor multiplies it. The default is the optimizer's own; none: where the optimizer has a rate without", true },
    { "lr_mult", FIELD_F64, offsetof(struct rule_common, lr_mult), "1", 0, 1e6, NULL, "", "of a rule: multiplies the lr of the defaults, instead of lr", true },
    { "layer_decay", FIELD_F64, offsetof(struct rule_common, layer_decay), "1", 1e-6, 1, NULL, "", "multiplies lr once for each unit above the tensor: blocks near the input learn more slowly", true },
    { "weight_decay", FIELD_F64, offsetof(struct rule_common, weight_decay), "0", 0, 1e3, NULL, "", "pull of weights towards zero; its place is the optimizer's", true },
    { "schedule", FIELD_TEXT, offsetof(struct rule_common, schedule), NULL, 0, 0, NULL, "", "a name under optimizer.schedules; may be left out where there is only one", true },
    { "clip", FIELD_F64, offsetof(struct rule_common, clip), "global", 1e-12, 1e15, rule_clip_words, "", "none: these tensors do not enter the global norm and are not scaled by it; a number: likewise, but their own norm is bounded by it", true },
    { "agc", FIELD_F64, offsetof(struct rule_common, agc), "none", 1e-6, 1e6, none_words, "", "adaptive gradient clipping: bound of each gradient row's norm beside its weights' (Brock et al. 2021, eq. 3)", true },
    { "decay_mode", FIELD_ENUM, offsetof(struct rule_common, decay_mode), "lr", 0, 0, decay_words, "", "decay per step: lr x decay, schedule factor x decay, or decay alone", true },
    { "cautious", FIELD_BOOL, offsetof(struct rule_common, cautious), "false", 0, 0, NULL, "", "leave out update elements whose sign opposes the gradient's", true },
    { "cautious_decay", FIELD_BOOL, offsetof(struct rule_common, cautious_decay), "false", 0, 0, NULL, "", "decay only where decay and update agree in sign", true },
    { "average", FIELD_F64, offsetof(struct rule_common, average), "none", 1e-6, 0.9999999, none_words, "", "keep a running mean of the weights with this decay, to be evaluated (eval.weights)", true },
    { "state", FIELD_STORAGE, offsetof(struct rule_common, state), "fp32", 0, 0, NULL, "", "storage of state per element: fp32, bf16 (rounded at random), or q8, also as {dtype: q8, block: 256, min_size: 4096}: bytes with a scale per block, for tensors of at least min_size elements", true },
    { 0 } };

const struct field freeze_fields[] = {
    { "until_step", FIELD_I64, offsetof(struct freeze_config, until_step), "end", 1, 1e15, until_words, "steps", "the first step that moves the tensors, where their optimizer begins anew; end: none does", true },
    { 0 } };
/* clang-format on */

const char *const root_keys[] = { "run",      "model",     "tokenizer",  "data", "batch", "precision",
                                  "parallel", "optimizer", "checkpoint", "eval", NULL };
const char *const data_keys[] = { "train", "valid", NULL };
const char *const optimizer_keys[] = { "decay_mode", "schedules", "defaults", "rules", "freeze", NULL };
const char *const source_keys[] = { "name", NULL };
const char *const rule_keys[] = { "name", "match", "optimizer", NULL };
const char *const run_rule_keys[] = { "lr_mult", "layer_decay", "schedule", "clip", NULL };
const char *const freeze_keys[] = { "match", NULL };
const char *const match_keys[] = { "role", "glob", "layers", NULL };
const char *const schedule_keys[] = { "type", NULL };
