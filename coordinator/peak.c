#include "peak.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/parallel.h"
#include "common/math/product.h"
#include <string.h>

/* No leading dimension is a multiple of 4 KiB: such strides make cache lines collide. */
enum { PEAK_M = 1024, PEAK_N = 1056, PEAK_K = 992, PEAK_MOST = 32 };
static const double PEAK_SECONDS = 0.1;

double peak_quick(enum dtype dtype)
{
    struct arena arena;
    arena_open_growing(&arena, "peak"); /* zeros: products of zeros take as long as any other */
    const size_t bytes = dtype_bytes(dtype), scratch_bytes = product_scratch(PEAK_M, PEAK_N, PEAK_K, dtype); /* of one thread */
    const struct product p = {
        .m = PEAK_M,
        .n = PEAK_N,
        .k = PEAK_K,
        .a = { .data = arena_place(&arena, PEAK_M * PEAK_K * bytes), .dtype = dtype, .ld = PEAK_K },
        .b = { .data = arena_place(&arena, PEAK_K * PEAK_N * bytes), .dtype = dtype, .ld = PEAK_N },
        .c = arena_place(&arena, PEAK_M * PEAK_N * sizeof(float)),
        .c_dtype = DT_F32,
        .c_ld = PEAK_N,
    };
    void *scratch = arena_place(&arena, (size_t)parallel_threads() * scratch_bytes);
    double best = 0;
    const double begin = clock_seconds();
    for (int i = 0; i < PEAK_MOST && (i < 3 || clock_seconds() - begin < PEAK_SECONDS); i++) {
        const double before = clock_seconds();
        product_run(&p, scratch, scratch_bytes);
        const double rate = 2.0 * PEAK_M * PEAK_N * PEAK_K / (clock_seconds() - before);
        if (rate > best) best = rate;
    }
    arena_close(&arena);
    return best;
}
