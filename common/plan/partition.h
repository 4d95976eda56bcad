/* partition.h: which rank owns which rows. Pure: a function of shapes and counts. Read describe.h first. */
#ifndef LAMINA_PLAN_PARTITION_H
#define LAMINA_PLAN_PARTITION_H

#include "common/base/arena.h"
#include "common/plan/describe.h"

struct param {
    char name[72]; /* "blocks.3.attn.q.weight", "embedding.token.weight" */
    enum role role;
    int unit, layer; /* layer -1: outside the blocks */
    int n_dims;
    int64_t rows, cols;
    int64_t offset; /* of element 0 in the unit's flat buffer */
    enum init init;
    double std;
    int rule;             /* index of the optimizer rule that takes it */
    int64_t frozen_until; /* 0: never frozen; -1: for ever; else the first step that updates it */
    int64_t head_rows;    /* rows of one attention head in attn.q and attn.k, else 0 */
    int64_t row_align;    /* cuts inside this tensor fall on multiples of this many rows */
    int owner;            /* member of the shard group that computes the direction of the whole matrix; -1: its rule needs none */
    int name_order;       /* place in the order of names: what digests and files follow */
};

/* A unit: its parameters stand one after the other in a flat buffer of `count` elements. Rank r of the shard group owns the
 * span [cut[r], cut[r+1]); cuts fall on rows. */
struct unit {
    enum unit_kind kind;
    int layer; /* -1 outside the blocks */
    int first_param, n_params;
    int64_t count;
    int64_t *cut; /* [group + 1] */
};

struct partition {
    int n_units, n_params, group;
    struct unit *units;   /* embedding, blocks, head */
    struct param *params; /* in unit order, inside a unit in tape order */
    int *by_name;         /* param indices in name order */
    int64_t n_elements;   /* all parameters */
    int tied_param;       /* the token embedding that the head uses as well, or -1 */
};

/* Rows [row_begin, row_end) of one parameter: what a span consists of. */
struct piece {
    int param;
    int64_t row_begin, row_end;
};

/* Parameters and units of a model from the shapes of its unit kinds (rule 0, no freezing, row_align 1 until set). Local, no failure. */
void partition_units(struct arena *arena, const struct unit_shape shapes[UNIT_KINDS], int64_t layers, bool tie, struct partition *out);
/* Cut every unit over `group` ranks: balanced by elements, on multiples of row_align; spans may be empty. */
void partition_cut(struct arena *arena, struct partition *p, int group);
/* The pieces of rank r's span of one unit, in order; out holds at most the unit's n_params. Returns how many. */
int partition_pieces(const struct partition *p, int unit, int r, struct piece out[UNIT_MAX_PARAMS]);
/* Elements that rank r of the group owns. */
int64_t partition_owned(const struct partition *p, int r);

#endif
