#include "newton_schulz.h"
#include "common/base/check.h"
#include "common/base/clones.h"
#include "common/math/linalg.h"
#include "common/math/vec.h"
#include "workspace.h"

#include <math.h>

const char *const newton_schulz_words[] = { "keller", "quintic", "polar-express", "deepseek-v4", NULL };
const char *const newton_schulz_scale_words[] = { "keller", "rms", "spectral", "unit", NULL };

enum { MOST_TRIPLES = 10 };
static const struct coefficients {
    bool again; /* with more steps than triples */
    int n;
    double triple[MOST_TRIPLES][3];
} table[] = {
    [COEFFICIENTS_KELLER] = { .n = 1, .triple = { { 3.4445, -4.7750, 2.0315 } } },
    [COEFFICIENTS_QUINTIC] = { .again = true,
                               .n = 5,
                               .triple = { { 4.0848, -6.8946, 2.9270 },
                                           { 3.9505, -6.3029, 2.6377 },
                                           { 3.7418, -5.5913, 2.3037 },
                                           { 2.8769, -3.1427, 1.2046 },
                                           { 2.8366, -3.0525, 1.2012 } } },
    [COEFFICIENTS_POLAR_EXPRESS] = { .n = 8,
                                     .triple = { { 8.2051, -22.9019, 16.4607 },
                                                 { 4.0664, -2.8612, 0.5184 },
                                                 { 3.9096, -2.8234, 0.5250 },
                                                 { 3.2856, -2.4153, 0.4853 },
                                                 { 2.2779, -1.6198, 0.3985 },
                                                 { 1.8726, -1.2307, 0.3585 },
                                                 { 1.8564, -1.2132, 0.3568 },
                                                 { 1.8750, -1.2500, 0.3750 } } },
    [COEFFICIENTS_DEEPSEEK_V4] = { .n = 10,
                                   .triple = { { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 3.4445, -4.7750, 2.0315 },
                                               { 2, -1.5, 0.5 },
                                               { 2, -1.5, 0.5 } } },
};

static const double *triple_of(enum newton_schulz_coefficients which, int64_t step)
{
    const struct coefficients *c = &table[which];
    return c->triple[c->again ? step % c->n : min_i64(step, c->n - 1)];
}

double newton_schulz_scale(enum newton_schulz_scale scale, int64_t rows, int64_t cols)
{
    const double n = (double)rows, m = (double)cols;
    switch (scale) {
    case SCALE_KELLER: return sqrt(fmax(1, n / m));
    case SCALE_RMS: return 0.2 * sqrt(fmax(n, m));
    case SCALE_SPECTRAL: return sqrt(fmax(n, m));
    case SCALE_UNIT: return sqrt(n / m);
    }
    CHECK(!"a scale of the list");
}

/* X and what it becomes [k,l], k the short side; A = X X^T and the polynomial of it [k,k]. */
struct buffers {
    float *x, *next, *a, *polynomial;
};
static struct buffers take(struct workspace *w, int64_t rows, int64_t cols)
{
    const int64_t k = min_i64(rows, cols), l = max_i64(rows, cols);
    return (struct buffers){ workspace_floats(w, k * l), workspace_floats(w, k * l), workspace_floats(w, k * k),
                             workspace_floats(w, k * k) };
}
size_t newton_schulz_scratch(int64_t rows, int64_t cols)
{
    struct workspace w = { NULL, 0 };
    (void)take(&w, rows, cols);
    return w.used;
}

double newton_schulz_flops(int64_t steps, int64_t rows, int64_t cols)
{
    const double k = (double)min_i64(rows, cols), l = (double)max_i64(rows, cols);
    return (double)steps * (3 * k * k * l + k * k * k); /* symmetric products cost half */
}

/* out [cols, rows] = factor times the transpose, in squares that stay in cache; out [rows, cols] where it is not turned. */
static void copy(float *restrict out, const float *restrict in, int64_t rows, int64_t cols, bool turn, float factor)
{
    enum { SIDE = 16 };
    if (!turn) {
        vec_scale(out, factor, in, rows * cols);
        return;
    }
    for (int64_t row = 0; row < rows; row += SIDE)
        for (int64_t col = 0; col < cols; col += SIDE)
            for (int64_t i = row; i < min_i64(row + SIDE, rows); i++)
                for (int64_t j = col; j < min_i64(col + SIDE, cols); j++) out[j * rows + i] = factor * in[i * cols + j];
}

/* p <- b A + c p, p = A^2; then a on the diagonal, so that one product with X is the whole step. */
VECTOR_CLONES static void combine(float *restrict p, const float *restrict a, const double *triple, int64_t k)
{
    const float diagonal = (float)triple[0], linear = (float)triple[1], square = (float)triple[2];
    for (int64_t i = 0; i < k * k; i++) p[i] = linear * a[i] + square * p[i];
    for (int64_t i = 0; i < k; i++) p[i * k + i] += diagonal;
}

void newton_schulz(const struct newton_schulz *how, int64_t rows, int64_t cols, float *u, void *scratch)
{
    struct workspace w = { scratch, 0 };
    struct buffers b = take(&w, rows, cols);
    const int64_t k = min_i64(rows, cols), l = max_i64(rows, cols);
    const bool turn = rows > cols;
    double squares = 0;
    for (int64_t i = 0; i < rows; i++) squares += vec_sum_squares(u + i * cols, cols);
    const double norm = sqrt(squares) + how->eps;
    copy(b.x, u, rows, cols, turn, norm > 0 ? (float)(1 / norm) : 0);
    for (int64_t step = 0; step < how->steps; step++) {
        linalg_gram_f32(b.a, k, l, b.x);
        linalg_gram_f32(b.polynomial, k, k, b.a); /* A is symmetric: A^2 = A A^T */
        combine(b.polynomial, b.a, triple_of(how->coefficients, step), k);
        linalg_product_f32(b.next, k, l, k, b.polynomial, false, b.x, false);
        float *swap = b.x;
        b.x = b.next;
        b.next = swap;
    }
    copy(u, b.x, k, l, turn, (float)how->scale);
}
