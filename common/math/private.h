/* private.h: what the files of common/math share and nobody else sees: instruction sets, kernel tables, the product backend. */
#ifndef LAMINA_MATH_PRIVATE_H
#define LAMINA_MATH_PRIVATE_H

#ifndef LAMINA_MATH
#error "common/math/private.h is for common/math and its unit tests"
#endif

#include "common/tensor/tensor.h"
#include <stdbool.h>

/* --- Instruction sets: isa.c ------------------------------------------------------------------------------------------ */

enum isa { ISA_GENERIC, ISA_AVX2, ISA_AVX512, ISA_AVX512_BF16, ISA_AMX, ISA_COUNT }; /* each includes the ones before it */

/* In use: what math_start chose, else the best that the processor and the system support. */
enum isa isa_current(void);
bool isa_supported(enum isa isa);
const char *isa_name(enum isa isa);
bool isa_find(const char *word, enum isa *out);

/* --- Elementwise kernels: vec_kernels.c, compiled once per table ----------------------------------------------------- */

/* vec.h says what each does; these differ only in the instructions used. */
struct vec_table {
    const char *name;
    void (*exp)(float *out, const float *x, int64_t n);
    void (*log)(float *out, const float *x, int64_t n);
    void (*tanh)(float *out, const float *x, int64_t n);
    double (*sum)(const float *x, int64_t n);
    double (*sum_squares)(const float *x, int64_t n);
    double (*dot)(const float *x, const float *y, int64_t n);
    float (*max)(const float *x, int64_t n);
    void (*add)(float *out, const float *x, int64_t n);
    void (*axpy)(float *out, float a, const float *x, int64_t n);
    void (*scale)(float *out, float a, const float *x, int64_t n);
    double (*softmax_body)(float *out, const float *x, float max, int64_t n);
    void (*gelu)(float *out, const float *x, int64_t n);
    void (*gelu_backward)(float *dx, const float *x, const float *dy, int64_t n);
    void (*swiglu)(float *y, const float *a, const float *b, int64_t n);
    void (*swiglu_backward)(float *da, float *db, const float *a, const float *b, const float *dy, int64_t n);
    void (*from_bf16)(float *out, const uint16_t *x, int64_t n);
    void (*to_bf16)(uint16_t *out, const float *x, int64_t n);
};
/* The table of an instruction set: sets without kernels of their own use those of the set before. Not checked against the machine. */
const struct vec_table *vec_table_of(enum isa isa);
const struct vec_table *vec_table(void); /* of isa_current() */

/* --- BLAS and LAPACK: libraries.c --------------------------------------------------------------------------------------- */

/* From here on BLAS works in the thread that calls it; libraries_threads(n) opens n, for the peak alone. */
void libraries_single_threaded(void);
void libraries_threads(int n);

/* --- Matrix products: gemm_*.c ----------------------------------------------------------------------------------------- */

/* One tile, computed by one thread: C[m,n] = A[m,k] B[k,n] (+ C when add); row-major; a transposed operand is stored [k,m] or [n,k]. */
struct gemm {
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t lda, ldb, ldc;
    bool a_transposed, b_transposed, add;
    enum dtype ab_dtype, c_dtype;
    const float *bias; /* [n]; gemm_primitive only */
};
struct gemm_backend {
    /* Library, version and the implementation that serves this type: "oneDNN 2.6.3 sgemm avx2". */
    void (*describe)(enum dtype dtype, char *out, size_t size);
    /* fp32 only; packs by itself. Any shape, any thread. */
    void (*sgemm)(const struct gemm *g);
    /* True when the library multiplies bf16 in hardware; false also where it has no primitives at all. */
    bool (*bf16_native)(void);
    /* Primitives are prepared once per shape (takes a lock, compiles code), then run from any thread with scratch of this thread.
     * prepare returns NULL where the library refuses the shape or wants more scratch than room bytes. */
    struct gemm_primitive *(*prepare)(const struct gemm *g, size_t room);
    void (*execute)(struct gemm_primitive *p, const struct gemm *g, void *scratch);
    /* Limit the library to an instruction set; before its first product. */
    void (*limit)(enum isa isa);
    /* One product of m, n, k on parallel_threads() threads of the library's own, leading dimensions pad longer, B in the library's own
     * layout where packed: seconds of the best of `times` runs, for product_peak. Negative: refused. */
    double (*peak)(int64_t m, int64_t n, int64_t k, int64_t pad, bool packed, enum dtype dtype, int times);
};
const struct gemm_backend *gemm_backend(void);

/* --- Tiles: product.c -------------------------------------------------------------------------------------------------- */

/* A function of the product's shape alone: that is what makes its bits independent of threads. */
struct tiling {
    int64_t rows, cols; /* of a tile; the last ones may be smaller */
    int64_t down, across;
};
struct tiling product_tiling(int64_t m, int64_t n);
struct product;
/* A product of which all is one tile, and what it needs of scratch. */
void product_run_tile(const struct product *p, void *scratch, size_t scratch_bytes);
size_t product_tile_scratch(int64_t m, int64_t n, int64_t k, enum dtype dtype);

#endif
