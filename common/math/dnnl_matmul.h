/* dnnl_matmul.h: oneDNN matmul primitives, the one place where the C interfaces of versions 2 and 3 differ. Private to gemm_dnnl.c. */
#ifndef LAMINA_MATH_DNNL_MATMUL_H
#define LAMINA_MATH_DNNL_MATMUL_H

#ifndef LAMINA_MATH
#error "common/math/dnnl_matmul.h is for common/math"
#endif

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t dnnl_md; /* a borrowed memory descriptor, whatever the version calls it */
#else
typedef const dnnl_memory_desc_t *dnnl_md;
#endif

struct matmul_spec {
    dnnl_dim_t m, n, k;
    dnnl_dims_t a_strides, b_strides, c_strides; /* two are used */
    dnnl_data_type_t ab_type, c_type;
    bool b_any;        /* the library chooses the layout of B (packed weights) */
    bool bias, add;    /* fp32 bias [n]; add to what C holds */
    int max_threads;   /* the library plans the primitive for these */
    bool user_scratch; /* scratch is passed at execution, else the library keeps its own */
};
struct matmul {
    dnnl_primitive_t primitive;
    dnnl_primitive_desc_t desc;
};
/* Fails with oneDNN's status (dnnl_unimplemented: no such product on this machine). Owns: until matmul_close. */
dnnl_status_t matmul_open(dnnl_engine_t engine, const struct matmul_spec *spec, struct matmul *out);
/* The implementation's name without compiling anything, or NULL where refused. */
const char *matmul_implementation(dnnl_engine_t engine, const struct matmul_spec *spec);
void matmul_close(struct matmul *m);

dnnl_md matmul_md(const struct matmul *m, dnnl_query_t what); /* dnnl_query_src_md, ... */
size_t matmul_scratch(const struct matmul *m);

#endif
