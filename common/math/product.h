/* product.h: dense matrix products with the same bits at any thread count.
 * A product is tiles whose size follows from its shape alone; each tile is one sequential library call, and each output element is
 * written by one task. K is never split between tasks. The library (oneDNN, else CBLAS) never opens threads here. */
#ifndef LAMINA_MATH_PRODUCT_H
#define LAMINA_MATH_PRODUCT_H

#include "common/tensor/tensor.h"
#include <stdbool.h>

struct matrix {
    const void *data;
    enum dtype dtype;
    int64_t ld;
    bool transposed;
}; /* logical [r,c]; transposed: stored [c,r] with ld */

/* Called per finished tile with fp32 values (leading dimension ld) of C[row.., col..]; runs in the task's thread. */
typedef void (*product_tile_fn)(void *context, int64_t row, int64_t col, int64_t rows, int64_t cols, const float *tile, int64_t ld);

struct product {
    int64_t m, n, k;
    struct matrix a, b; /* a: logical [m,k], b: logical [k,n]; both fp32 or both bf16 */
    /* Exactly one destination: */
    void *c;
    enum dtype c_dtype;
    int64_t c_ld;
    bool add; /* C = AB (+ C when add); bf16 C is rounded after the add */
    product_tile_fn tile;
    void *context;
    const float *bias; /* [n], added before storing; NULL: none */
};

/* Bytes of scratch per thread for any product of these sizes (tile, converted panels). */
size_t product_scratch(int64_t m, int64_t n, int64_t k, enum dtype dtype);
/* scratch: parallel_threads() * scratch_bytes, each thread takes its own part. Runs parallel_for. A library failure breaks an invariant. */
void product_run(const struct product *p, void *scratch, size_t scratch_bytes);

/* How products are computed here, for the run header: "oneDNN 2.6.3 jit:avx2 gemm, tiles 512x768". */
const char *product_describe(enum dtype dtype);
/* True where bf16 products run in hardware (AVX512_BF16, AMX) and the library serves them. */
bool product_bf16_native(void);
/* Best of five GFLOP/s over plain, padded and packed products of 4096x768x3072 and 2048^3 on parallel_threads() threads. Allocates; for
 * info and bench. 0 where the library refuses the type. */
double product_peak(enum dtype dtype);
/* Choose the instruction set before the first product: LAMINA_ISA = generic | avx2 | avx512 | avx512_bf16 | amx, NULL: the best of the
 * machine. Once per process, or with the same word again. Fails: ST_LAUNCH on an unknown word or one the machine lacks. */
enum status math_start(const char *isa) MUST_USE;
const char *math_isa(void);
/* All that are compiled in, and which of them this machine has: "here: generic, avx2; not here: avx512". */
const char *math_isa_choices(void);
/* The best set of this machine as a number that grows with it; and the word of LAMINA_ISA that makes machines of at least this level alike.
 */
int math_isa_level(void);
const char *math_isa_for(int level);
/* LAPACK and BLAS in use, and the core type that the library chose. */
const char *math_libraries(void);
/* OpenBLAS chooses its kernels when it is loaded. Where it takes the processor for an old one, or LAMINA_ISA asks for others, it needs
 * OPENBLAS_CORETYPE in the environment before: returns the value to set (then re-execute), or NULL. */
const char *math_openblas_coretype_needed(void);

#endif
