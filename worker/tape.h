/* tape.h: the straight-line program of a unit kind: ops in the order of the forward pass; backward is the reverse walk. Written once per
 * kind by a model family, then laid out: which values must live until backward, where each stands, who writes a gradient first and who
 * adds. Bound to every layer by offsets in the unit's buffer, and to every microbatch by base addresses. Read common/plan/describe.h first.
 */
#ifndef LAMINA_WORKER_TAPE_H
#define LAMINA_WORKER_TAPE_H

#include "common/base/arena.h"
#include "common/plan/describe.h"

enum { TAPE_MAX_VALUES = 64, TAPE_MAX_OPS = 32 };

enum value_kind {
    VALUE_BOUNDARY_IN,  /* activation that enters the unit [B,T,C] */
    VALUE_BOUNDARY_OUT, /* activation that leaves it; the head's is the loss per token or the logits */
    VALUE_TOKENS,       /* input ids [B,T] */
    VALUE_TARGETS,      /* target ids [B,T], -1: no loss */
    VALUE_STARTS,       /* place in its window where the document of each token begins [B,T] */
    VALUE_PARAM,
    VALUE_TEMPORARY, /* not read by backward */
    VALUE_SAVED      /* read by backward */
};
struct tape_value {
    enum value_kind kind;
    struct tensor shape; /* data NULL */
    int param;           /* VALUE_PARAM: index in the unit's shape, */
    bool tied;           /* or in the embedding unit's */
    size_t offset;       /* in the saved or the temporary region; a parameter's in its unit's buffer */
    bool needs_grad;
    size_t grad_offset;    /* in the backward region; unused for boundaries and parameters */
    int first_op, last_op; /* forward lifetime */
};
struct tape_op {
    const struct op_desc *desc;
    struct op_shape shape;
    int in[OP_MAX], out[OP_MAX], param[OP_MAX];
    size_t saved_offset[OP_MAX]; /* in the saved region; in the temporary one where no backward follows */
    size_t cache_offset[OP_MAX]; /* in the unit's cache */
    bool add[OP_MAX];            /* d_in[i] already holds a sum when backward reaches this op */
    bool want[OP_MAX];           /* d_in[i] is needed */
};
struct tape {
    enum unit_kind kind;
    enum tape_end end;
    enum dtype compute;
    int64_t batch, time, width, cache_tokens;
    struct unit_shape unit;                     /* parameters declared on the way */
    const struct unit_shape *embedding;         /* of the embedding unit, for a tied head; NULL while writing that one */
    bool separate;                              /* documents of a window are kept apart */
    int n_values, n_ops, input, output, starts; /* value numbers; -1: none yet */
    struct tape_value value[TAPE_MAX_VALUES];
    struct tape_op op[TAPE_MAX_OPS];
    struct arena *attributes; /* attributes of ops live here */
    /* After tape_layout: */
    bool train;
    size_t saved_bytes, forward_bytes, backward_bytes, scratch_bytes, shared_bytes, cache_bytes;
    double flops_forward, flops_backward;
    int64_t contributions; /* most additions to one parameter element per microbatch */
};

/* Start a tape for microbatches [batch, time]. attributes: not a measuring arena, they are read when ops infer their shapes. */
void tape_begin(struct tape *t, struct arena *attributes, enum unit_kind kind, enum tape_end end, enum dtype compute,
                const struct model_config *config, int64_t batch, int64_t time, int64_t cache_tokens, const struct unit_shape *embedding);
/* Between tape_begin and what a family writes: a window may hold several documents, which do not see each other and whose positions count
 * from their own first token. Without a cache. */
void tape_separate(struct tape *t);

/* What a family writes. Each returns a value number. */
int tape_input(struct tape *t); /* boundary activation [B,T,C] */
int tape_tokens(struct tape *t);
int tape_targets(struct tape *t);
int tape_starts(struct tape *t); /* the same value each time; -1 where a window is one document */
int tape_param(struct tape *t, const char *name, enum role role, int n_dims, int64_t rows, int64_t cols, enum init init, double std);
int tape_tied(struct tape *t, const char *name); /* a parameter of the embedding unit */
/* One op; attr is copied (attr_bytes). Returns its first output. n_param parameters that must stand adjacent stand adjacent in declaration
 * order. */
int tape_op(struct tape *t, const struct op_desc *op, const void *attr, size_t attr_bytes, int n_in, const int in[], int n_param,
            const int param[]);
void tape_output(struct tape *t, int value);

/* Lifetimes and offsets. train: backward will run, so values it reads become saved. below: the gradient of the unit's input is needed.
 * Which parameters are frozen may change in a run: the sinks say it (sum NULL), the layout does not depend on it. */
void tape_layout(struct tape *t, bool train, bool below);

/* Time in the kernels of one op, and how often they ran. */
struct op_seconds {
    double forward, backward;
    int64_t forwards, backwards;
};

/* Addresses for one run of the tape. */
struct tape_run {
    const void *weights;            /* the unit's flat buffer in the compute type */
    const void *tied_weights;       /* the embedding unit's, for a tied head */
    const struct exact_sink *sinks; /* [unit.n_params], sum NULL: frozen; backward only */
    const struct exact_sink *tied_sinks;
    void *input, *output;                     /* boundary activations; a recomputing forward writes output again (to the same bits) */
    void *d_input, *d_output;                 /* their gradients; d_input NULL: not wanted */
    const int32_t *tokens, *targets, *starts; /* starts: of a separate tape */
    unsigned char *saved, *pass;              /* regions of saved_bytes and max(forward_bytes, backward_bytes) */
    unsigned char *scratch, *shared, *cache;
    int64_t position;
    const struct label_draw *draw; /* NULL: targets are given */
    struct op_seconds *seconds;    /* [n_ops], added to; NULL: not measured */
};
void tape_forward(const struct tape *t, const struct tape_run *run);
/* The head's backward runs its forward first (all but the loss, which backward computes as well). */
void tape_backward(const struct tape *t, const struct tape_run *run);

/* The tape as text, a line per op: name, operands, shapes, FLOPs. */
struct text;
void tape_print(const struct tape *t, struct text *out);

#endif
