/* lamina diff: do two checkpoints hold the same? Compares logical tensors, so rank counts and shard modes do not matter. */
#include "common/base/check.h"
#include "common/store/state.h"
#include "coordinator/checkpoints.h"
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row diff_options[] = {
    RUN_REF_FOLDER_ROW,
    { .name = "weights", .type = OPTION_FLAG, .help = "compare the weights alone" },
    { 0 },
};

enum { BLOCK_BYTES = 1 << 22 };

struct apart {
    int64_t different; /* elements */
    double largest;    /* of |a - b|, fp32 only */
};

static void compare_block(const struct state_entry *e, const unsigned char *a, const unsigned char *b, int64_t n, struct apart *out)
{
    const size_t width = dtype_bytes(e->dtype);
    for (int64_t i = 0; i < n; i++) {
        const unsigned char *x = a + (size_t)i * width, *y = b + (size_t)i * width;
        if (memcmp(x, y, width) == 0) continue;
        out->different++;
        if (e->dtype != DT_F32) continue;
        float p, q;
        memcpy(&p, x, sizeof p);
        memcpy(&q, y, sizeof q);
        out->largest = fmax(out->largest, fabs((double)p - (double)q));
    }
}

static enum status compare_rows(const struct state *a, const struct state *b, const struct state_entry *e, unsigned char *buffer,
                                int64_t step, struct apart *out)
{
    const size_t row_bytes = (size_t)e->cols * dtype_bytes(e->dtype);
    unsigned char *second = buffer + (size_t)step * row_bytes;
    for (int64_t row = 0; row < e->rows; row += step) {
        const int64_t n = min_i64(step, e->rows - row);
        TRY(state_read_rows(a, e, &(struct state_rows){ row, n, buffer }, 1));
        TRY(state_read_rows(b, e, &(struct state_rows){ row, n, second }, 1));
        if (memcmp(buffer, second, (size_t)n * row_bytes) != 0) compare_block(e, buffer, second, n * e->cols, out);
    }
    return ST_OK;
}

static enum status compare_tensor(const struct state *a, const struct state *b, const struct state_entry *e, struct apart *out)
{
    const int64_t row_bytes = max_i64(1, e->cols * (int64_t)dtype_bytes(e->dtype));
    const int64_t step = max_i64(1, min_i64(e->rows, BLOCK_BYTES / row_bytes));
    unsigned char *buffer = malloc(2 * (size_t)(step * row_bytes));
    *out = (struct apart){ 0 };
    if (buffer == NULL) FAIL(ST_IO, "no memory for two rows of %s", e->name);
    const enum status s = compare_rows(a, b, e, buffer, step, out);
    free(buffer);
    return s;
}

static bool same_shape(const struct state_entry *x, const struct state_entry *y)
{
    return x->dtype == y->dtype && x->n_dims == y->n_dims && x->rows == y->rows && x->cols == y->cols;
}

/* The configuration's text is no state: it holds names and paths, and no digest covers it. */
static bool wanted(const char *name, bool weights) { return weights ? strncmp(name, "weights/", 8) == 0 : strcmp(name, "config") != 0; }

/* One line per tensor that differs; *differ counts them. */
static enum status diff_states(const struct state *a, const struct state *b, bool weights, int *differ)
{
    for (int i = 0; i < state_count(a); i++) {
        const struct state_entry *x = state_entry(a, i), *y = state_find(b, x->name);
        struct apart apart;
        char count[32];
        if (!wanted(x->name, weights)) continue;
        if (y == NULL || !same_shape(x, y)) {
            (void)printf("%s: %s\n", x->name, y == NULL ? "only in the first" : "another shape or type");
            ++*differ;
            continue;
        }
        TRY(compare_tensor(a, b, x, &apart));
        if (apart.different == 0) continue;
        ++*differ;
        (void)printf("%s: %s of %lld elements differ", x->name, str_count(count, sizeof count, apart.different),
                     (long long)(x->rows * x->cols));
        (void)printf(x->dtype == DT_F32 ? ", by at most %.3g\n" : "\n", apart.largest);
    }
    for (int i = 0; i < state_count(b); i++) {
        const struct state_entry *y = state_entry(b, i);
        if (!wanted(y->name, weights) || state_find(a, y->name) != NULL) continue;
        (void)printf("%s: only in the second\n", y->name);
        ++*differ;
    }
    return ST_OK;
}

static enum status diff_facts(const struct state *a, const struct state *b, int *differ)
{
    struct worker_facts x, y;
    TRY(worker_facts_stored(a, &x));
    TRY(worker_facts_stored(b, &y));
    if (x.step != y.step) (void)printf("step: %lld and %lld\n", (long long)x.step, (long long)y.step), ++*differ;
    if (x.tokens != y.tokens) (void)printf("tokens: %lld and %lld\n", (long long)x.tokens, (long long)y.tokens), ++*differ;
    return ST_OK;
}

static enum status diff_open(const struct options *options, struct state *state[2])
{
    const bool weights = option_flag(options, "weights");
    int differ = 0;
    for (int i = 0; i < 2; i++) {
        char checkpoint[PATH_BYTES];
        TRY(run_ref_open(options->operand[i], option_text(options, "folder"), checkpoint, &state[i]));
    }
    if (!weights) TRY(diff_facts(state[0], state[1], &differ));
    TRY(diff_states(state[0], state[1], weights, &differ));
    return differ > 0 ? ST_DIFFER : ST_OK;
}

static enum status diff_run(const struct options *options)
{
    struct state *state[2] = { NULL, NULL };
    const enum status s = diff_open(options, state);
    state_close(state[0]);
    state_close(state[1]);
    return s;
}

const struct command command_diff = {
    .name = "diff",
    .group = "state",
    .summary = "Compare two checkpoints tensor by tensor (exit 0: equal, 1: they differ)",
    .rules = { .rows = diff_options, .least = 2, .most = 2, .usage = "RUN RUN [options]" },
    .notes = RUN_REF_NOTES,
    .example = "lamina diff quickstart@200 quickstart@400 --weights",
    .local = diff_run,
};
