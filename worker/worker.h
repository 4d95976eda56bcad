/* worker.h: all that the coordinator sees of the mechanism: plan a run, open it on every rank, do steps, evaluate, generate, save and load.
 * Policy (when to save, evaluate, stop, what to keep) is above this line; nothing here decides it. */
#ifndef LAMINA_WORKER_WORKER_H
#define LAMINA_WORKER_WORKER_H

#include "common/base/digest.h"
#include "common/comm/comm.h"
#include "common/config/config.h"
#include "common/data/ledger.h"
#include "common/plan/plan.h"

/* Everything that may be named in a configuration: optimizers, schedules, families. */
const struct config_tables *worker_tables(void);

/* --- Planning: no MPI, and but for token files no files
 * ------------------------------------------------------------------------------------ */

/* Resolve the precision for this machine (auto: bf16 where the hardware has it), write the tapes, assign rules, cut.
 * compute: DT_F32 or DT_BF16; worker_compute resolves `auto` for this process, the caller agrees over ranks (bf16 only if all have it).
 * Fails: ST_CONFIG, ST_LAUNCH, with all problems in one text. */
enum dtype worker_compute(const struct config *config);
enum status worker_plan(struct arena *arena, const struct config *config, enum dtype compute, int ranks, struct plan *out,
                        struct text *problems) MUST_USE;

/* EVALUATE: weights alone, forward alone. UPDATE: what the optimizer touches, for worker_time_optimizer. */
enum worker_mode { WORKER_TRAIN, WORKER_EVALUATE, WORKER_UPDATE };

/* Bytes per arena on one rank, measured by the same builders that the run uses. */
struct worker_memory {
    size_t run, step, pass, scratch, data, total;
};
void worker_measure(const struct plan *plan, enum worker_mode mode, int rank, int threads, struct worker_memory *out);

/* The training sources that a configuration names, opened and mixed as at the beginning of a run. Owns: until corpus_close. Local.
 * Fails: ST_DATA. */
struct corpus;
enum status worker_corpus_open(const struct config *config, struct corpus *out) MUST_USE;

/* Learning rate of a rule's matrices at a step: the base rate times the schedule's factor; step 0: the base rate. NAN where the optimizer
 * finds its own. */
double worker_lr(const struct config *config, int rule, int64_t step);

/* The same of one tensor: with what its rule makes of the rate, and layer_decay. NaN: its rule has none. */
double worker_tensor_lr(const struct plan *plan, int param, int64_t step);

/* plan_traffic and what the optimizer's exchanges add: every phase but control (headers and reports, a few KB). */
void worker_traffic(const struct plan *plan, int rank, int64_t step, struct traffic *out);

/* The tapes of the unit kinds as text: a line per op with operands, shapes and FLOPs. */
void worker_print_tapes(const struct plan *plan, struct text *out);

/* --- Optimizers by themselves: no MPI ------------------------------------------------------------------------------- */

/* The rule of this name; NULL: there is none. Their names and order: worker_tables()->optimizers. */
const struct opt_desc *worker_optimizer(const char *name);

/* A rule on one tensor, stepped by the driver of every run on one rank. Nothing clips. */
struct try_problem {
    const char *name;               /* in messages */
    const struct rule_config *rule; /* optimizer and settings (config_parse_rule) */
    int n_dims;                     /* 1: one row */
    int64_t rows, cols, n_steps;
    const float *theta;          /* [rows, cols] before the first step */
    const float *const *grad;    /* [n_steps], each [rows, cols]; finite */
    const double *factor;        /* [n_steps]: of the schedule; NULL: 1 */
    const float *const *sampled; /* [n_steps]: the second gradient that the rule observes before the step, or NULL; NULL: none */
    const float *projection;     /* [n_projected, shorter side]: in place of the rule's own; NULL: its own */
    int64_t n_projected;
    bool eval; /* ask for the weights to evaluate, where a rule trains others */
};
/* after: [n_steps][rows * cols], the weights after each step.
 * Fails: ST_DATA when settings exclude each other, or the rule has no use for what is given. */
enum status worker_try(const struct try_problem *problem, float *after) MUST_USE;

/* --- A run ---------------------------------------------------------------------------------------------------------- */

struct worker;

/* Places all memory of this rank and opens the token files (sources of train and valid), which must hold the same on all ranks, like the
 * plan. Owns: until worker_close. Collective: yes, equal plan and mode. Fails: ST_DATA; ST_LAUNCH where ranks see other files. */
enum status worker_open(const struct comm *world, const struct plan *plan, enum worker_mode mode, struct worker **out) MUST_USE;
void worker_close(struct worker *w);

/* The run's tokenizer: its digest, and how many bytes each id decodes to by itself ([vocab], borrowed until worker_close), so that bits per
 * byte of a part of a source are those of the very tokens that were evaluated. Local. Fails: ST_DATA where an open token file was made with
 * another tokenizer. */
enum status worker_tokenizer(struct worker *w, struct digest128 tokenizer, const int32_t *token_bytes) MUST_USE;

/* Initial weights by (seed, tensor, element). Local. */
void worker_fresh(struct worker *w);

/* One step: header (equal on all ranks) -> report (equal on all ranks). */
struct step_header {
    int64_t step;        /* from 1: the step to do now */
    bool skip_nonfinite; /* else a non-finite gradient after the redo stops with ST_DIVERGED */
    unsigned signals;    /* this rank's signal bits so far: the only field that may differ */
};
enum step_outcome { STEP_APPLIED, STEP_SKIPPED };
enum { WORKER_MAX_LR = CONFIG_MAX_RULES };
struct phase_times {
    double forward, backward, gather, reduce, optimizer, data, total;
}; /* seconds of this step */
struct step_report {
    int64_t step, tokens;     /* tokens with loss in the step, world-wide */
    double loss;              /* mean nats per token */
    double norm, clip;        /* global norm of averaged gradients before clipping, factor applied */
    double lr[WORKER_MAX_LR]; /* per rule */
    int redone;               /* attempts beyond the first */
    enum step_outcome outcome;
    int nonfinite_param; /* first tensor in name order with a non-finite gradient, -1: none */
    unsigned signals;    /* OR over ranks */
    struct phase_times least, mean, most;
    int slowest; /* rank with the largest compute time */
};
/* Collective: yes, equal header but for signals. Fails: ST_DIVERGED; a local failure of any rank as that rank's status. */
enum status worker_step(const struct comm *world, struct worker *w, const struct step_header *header, struct step_report *report) MUST_USE;

/* Mean loss over the first `batches` batches of `sequences` windows of a valid source (0: all of it), in the order of stream_window; the
 * last batch is padded to shape. Collective: yes, equal arguments. */
struct eval_result {
    int64_t tokens;
    double bytes; /* of text that the tokens stand for, without ends of documents */
    double nats, loss, bits_per_byte;
};
enum status worker_evaluate(const struct comm *world, struct worker *w, int source, int64_t batches, struct eval_result *out) MUST_USE;

/* Digest of the whole state (or of the weights only), as DESIGN fixes it: tensors in name order in tensor coordinates, then scalars.
 * Collective: yes. */
enum status worker_digest(const struct comm *world, struct worker *w, bool weights_only, struct digest128 *out) MUST_USE;

/* Write state.h5 into an existing folder / read it. before: the configuration that the file was written with; a tensor whose rule has
 * another optimizer now, or stores other state, keeps its weights and begins its state anew. NULL: nothing changed. Publication (manifest,
 * rename) is common/store/publish.h, decided above. load: any rank count and shard mode; EVALUATE mode reads weights alone. facts: what the
 * file says besides tensors. Collective: yes, equal folder. Fails: ST_IO, ST_DAMAGED, ST_CONFIG (another model). */
struct worker_facts {
    int64_t step, tokens;
    struct digest128 config, fingerprint;
    int64_t lineage;           /* grows when resumed under another fingerprint */
    int64_t anew;              /* load: tensors whose optimizer state begins anew, because the run's rules for them changed */
    struct ledger_change data; /* load: is the order of samples that of before? */
};
enum status worker_save(const struct comm *world, struct worker *w, const char *path, const char *config_text,
                        const struct worker_facts *facts) MUST_USE;
enum status worker_load(const struct comm *world, struct worker *w, const char *path, const struct config *before,
                        struct worker_facts *facts) MUST_USE;

/* The facts alone: anew and data stay empty. Local. Fails: ST_DAMAGED, also where they are numbers that no run has. */
struct state;
enum status worker_facts_stored(const struct state *f, struct worker_facts *out) MUST_USE;
/* Holds the file at path the weights of this plan? Asked before memory is taken for a model that only a configuration speaks of. Local.
 * Fails: ST_DAMAGED. */
enum status worker_fits(const struct plan *plan, const char *path) MUST_USE;

/* The weights that this worker holds (of EVALUATE: those that eval.weights chooses), as safetensors under their own names.
 * dtype: DT_F32, DT_BF16. Collective: yes, equal arguments. Fails: ST_IO. */
enum status worker_export(const struct comm *world, struct worker *w, const char *path, enum dtype dtype) MUST_USE;

int64_t worker_step_done(const struct worker *w); /* last applied or skipped step */
int64_t worker_tokens_done(const struct worker *w);
/* Facts of an open token file, for bits per byte and entropies. */
struct tokens;
const struct tokens *worker_valid(const struct worker *w, int source);
/* The training text, and what was read of it so far; where none is open, what the state that was loaded says. */
const struct corpus *worker_corpus(const struct worker *w);
void worker_ledger(struct worker *w, struct ledger *out);
/* What a state file says was read; n = 0 where it is from before there were ledgers. Local. Fails: ST_DAMAGED. */
enum status worker_ledger_stored(const struct state *f, struct ledger *out) MUST_USE;

/* Measured by independent counters, for planned against measured. */
struct worker_counters {
    size_t run, step, pass, scratch, data;
    int gathered_most;
    int64_t steps;
    int64_t bytes[COMM_PHASES]; /* of the last step */
};
void worker_counters(const struct worker *w, struct worker_counters *out);

/* Where this rank's last step went, op by op: what `bench` prints. Seconds, FLOPs and bytes are added over the microbatches and the units
 * of a kind; bytes are operands and results, each touched once, and the int64 sums that gradients are added to. */
struct op_cost {
    double seconds, flops, bytes;
};
struct op_time {
    const char *op;
    int64_t cols_in, cols_out; /* of its rows: what tells one linear op from another */
    struct op_cost forward, backward;
};
enum { WORKER_MAX_OPS = 32 };
int worker_op_times(const struct worker *w, enum unit_kind kind, struct op_time out[WORKER_MAX_OPS]); /* returns how many */
/* This rank's own phases of its last step. */
struct phase_times worker_phases(const struct worker *w);

/* What the optimizers of a plan cost by themselves: all ranks together. */
struct optimizer_cost {
    double seconds; /* a step: the best of some. Of a rule whose steps differ the mean over a period of them (opt_desc.whole_every, or
                       observe_every, then without the passes that make the second gradient) */
    double bytes;   /* that one step moves where rows lie (opt_step_bytes), second gradients not counted */
    double flops;   /* of whole matrices in a mean step, as owners are balanced by; 0: there are none */
    double state_bytes, elements; /* of one copy of the model */
};
/* Places what the plan's optimizers need for this rank's rows, makes up weights and gradients, and steps the run's driver, with its
 * exchanges, for some seconds (a step that takes longer is done three times at least). Collective: yes, equal plan. */
enum status worker_time_optimizer(const struct comm *world, const struct plan *plan, struct optimizer_cost *out) MUST_USE;

/* --- Generation ------------------------------------------------------------------------------------------------------- */

struct generate_options {
    int64_t max_tokens;
    double temperature; /* 0: greedy */
    int64_t top_k;      /* 0: all */
    double top_p;       /* 1: all */
    uint64_t seed;
    int32_t stop_token; /* -1: none */
    bool cached;        /* false: recompute the whole context for each token (the reference) */
};
/* Continue ids[0..n) and hand every new token to `emit` on every rank alike; emit returns false to stop (equal on all ranks).
 * Context slides by dropping the older half when it is full. Collective: yes, equal arguments. */
enum status worker_generate(const struct comm *world, struct worker *w, const struct generate_options *options, const int32_t *ids,
                            int64_t n, bool (*emit)(void *context, int32_t token), void *context) MUST_USE;

/* This machine's numerics fingerprint for the plan's kernel shapes. Local. */
struct fingerprint;
void worker_fingerprint(const struct plan *plan, struct fingerprint *out);

#endif
