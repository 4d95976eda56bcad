/* describe.h: what an op and a model family tell about themselves, so that planning needs neither MPI nor files nor kernels.
 * The tables of ops and families are filled in worker/ and passed in as arguments. Optimizers describe themselves in optimizer.h. */
#ifndef LAMINA_PLAN_DESCRIBE_H
#define LAMINA_PLAN_DESCRIBE_H

#include "common/base/rng.h"
#include "common/comm/exact.h"
#include "common/config/config.h"
#include "common/tensor/tensor.h"

/* --- Parameters ---------------------------------------------------------------------------------------------------- */

/* What a tensor is for; rules match these words, never substrings of names. A tied token embedding has the role head. */
#define ROLE_LIST(X)                                                                                                                       \
    X(ROLE_EMBEDDING, "embedding")                                                                                                         \
    X(ROLE_POSITION, "position")                                                                                                           \
    X(ROLE_HEAD, "head")                                                                                                                   \
    X(ROLE_NORM, "norm")                                                                                                                   \
    X(ROLE_BIAS, "bias")                                                                                                                   \
    X(ROLE_ATTN_Q, "attn.q")                                                                                                               \
    X(ROLE_ATTN_K, "attn.k")                                                                                                               \
    X(ROLE_ATTN_V, "attn.v")                                                                                                               \
    X(ROLE_ATTN_O, "attn.o")                                                                                                               \
    X(ROLE_MLP_IN, "mlp.in")                                                                                                               \
    X(ROLE_MLP_GATE, "mlp.gate")                                                                                                           \
    X(ROLE_MLP_OUT, "mlp.out")
enum role {
#define ROLE_ENUM(name, text) name,
    ROLE_LIST(ROLE_ENUM)
#undef ROLE_ENUM
        ROLE_COUNT
};
const char *role_name(enum role role);

enum init { INIT_NORMAL, INIT_ZERO, INIT_ONE };

/* One parameter of a unit kind: [rows, cols] row-major (a 1-D tensor is one row). Name inside the unit: "attn.q.weight". */
struct param_shape {
    char name[48];
    enum role role;
    int n_dims;
    int64_t rows, cols;
    enum init init;
    double std; /* INIT_NORMAL: standard deviation */
};

/* What is gathered together: the embedding, one transformer block, the final norm + head. */
enum unit_kind { UNIT_EMBEDDING, UNIT_BLOCK, UNIT_HEAD, UNIT_KINDS };
enum { UNIT_MAX_PARAMS = 32 };
struct unit_shape {
    int n_params;
    struct param_shape param[UNIT_MAX_PARAMS];
};

/* --- Ops ----------------------------------------------------------------------------------------------------------- */

enum { OP_MAX = 6 }; /* inputs, outputs, parameters or saved tensors of one op */

/* What an op computes from the shapes of its operands; the caller fills the first part, infer the second. No data is touched. */
struct op_shape {
    const void *attr;     /* the op's own attributes */
    enum dtype compute;   /* type of stored activations and of weights: DT_F32 or DT_BF16 */
    int64_t cache_tokens; /* generation: tokens that a key/value cache holds; 0: none */
    int n_in, n_param;
    struct tensor in[OP_MAX], param[OP_MAX];

    int n_out, n_saved, n_cache;
    struct tensor out[OP_MAX], saved[OP_MAX], cache[OP_MAX];
    unsigned reads_in, reads_out; /* bit i: backward reads in[i], out[i] */
    size_t scratch_bytes;         /* per thread, for forward and backward */
    size_t shared_bytes;          /* once, for forward and backward */
    double flops_forward, flops_backward;
    int64_t contributions; /* how often backward adds to an element of its parameters (1; token chunks at the head) */
};

/* Labels drawn from the model's own probabilities in place of the targets (Sophia-G), by the number of the token in the step: the same on
 * any rank. */
struct label_draw {
    struct rng_key key;
    int64_t step, first; /* first: number of the microbatch's first token */
};

/* One op bound to memory for one microbatch. */
struct op_call {
    const struct op_shape *shape;
    struct tensor in[OP_MAX], out[OP_MAX], param[OP_MAX], saved[OP_MAX], cache[OP_MAX];
    /* backward: d_out is read, d_in[i] is written (added to where add[i]) unless its data is NULL; sink[i] takes the gradient of
     * param[i] unless its sum is NULL (frozen). */
    struct tensor d_in[OP_MAX], d_out[OP_MAX];
    bool add[OP_MAX];
    struct exact_sink sink[OP_MAX];
    void *scratch, *shared;        /* scratch: threads * scratch_bytes */
    int64_t position;              /* generation: tokens already in the cache */
    const struct label_draw *draw; /* for a loss; NULL: targets are given */
};

struct op_desc {
    const char *name, *summary, *source;
    /* Shape errors are ours (models check the configuration first), so infer checks invariants and returns nothing. */
    void (*infer)(struct op_shape *shape);
    void (*forward)(const struct op_call *call);
    void (*backward)(const struct op_call *call);
    /* A loss: backward computes the outputs as well, so that training runs backward alone and logits exist once. */
    bool loss;
};

/* --- Model families ------------------------------------------------------------------------------------------------ */

struct tape; /* worker/tape.h: the straight-line program of a unit kind */

/* Head tapes end in the loss (training, evaluation) or in logits (generation). */
enum tape_end { TAPE_LOSS, TAPE_LOGITS };

struct model_desc {
    struct variant variant; /* name, summary, source and the keys this family reads beyond the common ones */
    /* What the configuration must satisfy for this family (after the common cross-checks); NULL: nothing. Fails: ST_CONFIG. */
    enum status (*check)(const struct model_config *config);
    /* Write the tape of a unit kind; declares its parameters on the way. */
    void (*write)(struct tape *tape, enum unit_kind kind, const struct model_config *config);
};

#endif
