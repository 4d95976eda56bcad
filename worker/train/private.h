/* private.h: what one rank holds during a run, and the parts of worker/train as they call each other. Nothing outside this folder includes
 * it. */
#ifndef LAMINA_WORKER_TRAIN_PRIVATE_H
#define LAMINA_WORKER_TRAIN_PRIVATE_H

#ifndef LAMINA_WORKER_TRAIN
#error "worker/train/private.h belongs to worker/train; include worker/worker.h"
#endif

#include "common/comm/agree.h"
#include "common/comm/slices.h"
#include "common/data/prefetch.h"
#include "worker/optim/driver.h"
#include "worker/tape.h"
#include "worker/train/ends.h"
#include "worker/train/report.h"
#include "worker/worker.h"

/* The programs of one stretch of steps: a new stretch begins where a frozen tensor is freed. */
struct stretch {
    int64_t from_step;
    bool *trains;         /* [n_units] */
    int lowest;           /* unit that backward reaches */
    struct program *pass; /* [window + 1]: by microbatches in the pass */
    struct program finish;
};

/* One unit on this rank. Pointers that a layout does not need are NULL. */
struct unit_memory {
    unsigned char *resident;    /* weights in the compute type, whole unit */
    unsigned char *own_weights; /* own span in the compute type; inside `resident` where that exists */
    float *master;              /* own span in fp32; the same memory as own_weights in fp32 */
    int64_t *own_sum;           /* own span of the sum of contributions */
    int64_t *contribution;      /* whole unit, kept until the last pass; own_sum in a group of one */
    size_t *span_bytes;         /* [group] weights in the compute type */
};

struct worker {
    const struct plan *plan;
    enum worker_mode mode;
    const struct comm *world;
    struct comm *shard, *across; /* ranks that share a copy of the model; ranks with the same span in other copies */
    int rank, member, threads;
    struct arena run, step, pass, scratch, data, tables; /* tables: small lists, growing, not counted */

    struct tape tapes[UNIT_KINDS];
    struct stretch *stretches;
    int n_stretches;
    struct program *evaluate; /* [window + 1] */

    struct unit_memory *units;
    struct ends gathered, contributing;
    struct comm_request gathering;
    int gathering_unit, reducing_unit; /* -1: none */
    struct slices *slices;
    bool stale;      /* masters are newer than the weights other ranks hold */
    bool travelling; /* messages of whole matrices are on their way */

    int *exponent;                   /* [n_params] F of the next attempt */
    uint32_t *before_max, *max_bits; /* [n_params] the maximum that set F; of this attempt */
    struct exact_sink *sinks;        /* [n_params] */
    int *observed_exponent;          /* [n_params] the same two of the gradients that are observed; in place of the others meanwhile */
    uint32_t *observed_max;
    struct label_draw draw;
    bool drawing;        /* labels are drawn: this attempt is for observers */
    int64_t micro_begin; /* number in the step of the first microbatch of the pass */
    struct driver *driver;
    struct report_record *record;
    size_t record_bytes;

    /* Step memory: boundary activations and their gradients, saved tensors, loss per token. */
    int64_t boundary_bytes;
    unsigned char *boundaries, *gradients, *saved;
    size_t saved_stride;         /* of one microbatch: all units */
    unsigned char **gradient_of; /* [window] current gradient buffer of a microbatch, + a spare at [window] */
    float *nll;                  /* [B*T] of one microbatch */
    unsigned char *pass_memory, *scratch_memory, *shared_memory;
    struct samples batch; /* [window * B, T] */

    struct corpus corpus;
    struct ledger loaded;    /* what the state that was loaded says was read; n = 0: nothing was loaded */
    struct mix_cursor taken; /* how the samples of the steps done were dealt; with `counting` it stands in the corpus */
    bool counting;
    struct stream valid[CONFIG_MAX_SOURCES];
    int n_valid;
    const int32_t *token_bytes;            /* [vocab] that an id decodes to by itself; NULL: not known */
    double text_scale[CONFIG_MAX_SOURCES]; /* of valid sources, see evaluate.c; 0: not known yet */
    struct prefetch *prefetch;

    int64_t step_done, tokens_done;
    struct phase_times times, last_times;
    struct op_seconds op_seconds[UNIT_KINDS][TAPE_MAX_OPS]; /* of the last step, all attempts */
    int64_t bytes_before[COMM_PHASES], bytes_step[COMM_PHASES];
    int64_t steps;
};

/* setup.c */
void setup_tapes(struct arena *attributes, const struct config *config, const struct model_desc *model, enum dtype compute, bool train,
                 struct tape tapes[UNIT_KINDS]);

/* place.c: every byte of a rank; run on measuring arenas by worker_measure. Contents are not touched. */
void place_worker(struct worker *w);
/* Programs of all stretches. */
void place_programs(struct worker *w);

/* exchange.c: between the ranks of a shard group, and across groups. Collective: all that take a communicator, with equal unit and stretch.
 */
enum status exchange_gather_begin(const struct comm *shard, struct worker *w, int unit) MUST_USE;
enum status exchange_gather_wait(const struct comm *shard, struct worker *w, int unit) MUST_USE;
void exchange_release(struct worker *w, int unit);
enum status exchange_reduce_begin(const struct comm *shard, struct worker *w, int unit) MUST_USE;
enum status exchange_reduce_wait(const struct comm *shard, struct worker *w, int unit) MUST_USE;
/* Sums of this group's owners and of the other groups' become one. Collective: yes, equal stretch. */
enum status exchange_across(const struct comm *across, struct worker *w, const struct stretch *s) MUST_USE;
/* Owners' weights reach everyone who keeps them: those of the units trained in this stretch, or all (NULL). Collective: yes, equal stretch.
 */
enum status exchange_refresh(const struct comm *shard, struct worker *w, const struct stretch *s) MUST_USE;
/* Where contributions to a unit go in this pass, and where its weights are now. */
int64_t *exchange_contribution(struct worker *w, int unit);
const unsigned char *exchange_weights(struct worker *w, int unit);
void exchange_poll(void *worker);

/* executor.c: run one program. loss takes the nll of every token of the head's actions. Collective: yes; programs differ by local work
 * only. */
struct pass {
    const struct program *program;
    const struct stretch *stretch; /* NULL: evaluation */
    int64_t n_now;
    struct super *loss;
    int64_t *n_tokens;
};
enum status executor_run(const struct comm *world, struct worker *w, const struct pass *pass) MUST_USE;

/* worker.c: owned fp32 masters were filled; the weights made from them follow, other ranks' at the next collective call. */
void worker_masters_changed(struct worker *w);

/* data.c */
enum status data_open(struct worker *w) MUST_USE;
/* A file that another rank sees otherwise would end in weights that nobody can explain. Collective: yes. */
enum status data_same(const struct comm *world, const struct worker *w) MUST_USE;
void data_close(struct worker *w);
/* What a state holds of the ledger: its text in this dataset, and, where one source alone was read from the first step on and the step says
 * all, nothing in the digest. */
#define DATA_LEDGER "data/ledger"
char *data_ledger_text(struct worker *w, struct arena *arena);
void data_digest(struct worker *w, struct text *out);
/* The corpus, if there is one, goes on where the state's ledger leaves it. before: as in worker_load. */
struct state;
enum status data_go_on(struct worker *w, const struct state *f, const struct config *before, struct worker_facts *facts) MUST_USE;

/* step.c */
const struct stretch *step_stretch(const struct worker *w, int64_t step);
/* State and masters of all owned rows move by one step. Collective: yes, equal now. */
enum status step_update(const struct comm *shard, struct worker *w, const struct driver_step *now) MUST_USE;

/* Rows of a piece that this rank writes and hashes: replicas share the rows of a span. */
struct piece place_share(const struct worker *w, struct piece piece);
/* First element of a piece inside its owner's span of the unit. */
int64_t place_in_span(const struct worker *w, const struct piece *piece);

#endif
