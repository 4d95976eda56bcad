/* gemm_dnnl.c: products by oneDNN. fp32 goes through dnnl_sgemm, which packs by itself; bf16 through matmul primitives. Called inside a
 * task, the library runs in that thread alone. */
#ifdef LAMINA_HAVE_DNNL
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/libraries.h"
#include "common/base/parallel.h"
#include "dnnl_matmul.h"
#include "private.h"
#include <oneapi/dnnl/dnnl_debug.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(dnnl_status_t status) { CHECK(status == dnnl_success); }

/* One engine for the process; one stream per thread, which goes when the thread ends. */
static dnnl_engine_t engine;
static pthread_key_t stream_key;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static void stream_close(void *stream) { (void)dnnl_stream_destroy(stream); }
static void engine_open(void)
{
    must(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(pthread_key_create(&stream_key, stream_close) == 0);
}
static dnnl_engine_t the_engine(void)
{
    (void)pthread_once(&engine_once, engine_open);
    return engine;
}
static dnnl_stream_t the_stream(void)
{
    const dnnl_engine_t of = the_engine(); /* makes the key */
    dnnl_stream_t stream = pthread_getspecific(stream_key);
    if (stream != NULL) return stream;
    must(dnnl_stream_create(&stream, of, dnnl_stream_default_flags));
    CHECK(pthread_setspecific(stream_key, stream) == 0);
    return stream;
}

static dnnl_data_type_t type_of(enum dtype dtype) { return dtype == DT_BF16 ? dnnl_bf16 : dnnl_f32; }

static void sgemm(const struct gemm *g)
{
    must(dnnl_sgemm(g->a_transposed ? 'T' : 'N', g->b_transposed ? 'T' : 'N', g->m, g->n, g->k, 1, g->a, g->lda, g->b, g->ldb,
                    g->add ? 1 : 0, g->c, g->ldc));
}

static struct matmul_spec spec_of(const struct gemm *g)
{
    struct matmul_spec s = { .m = g->m, .n = g->n, .k = g->k, .max_threads = 1, .user_scratch = true };
    s.a_strides[g->a_transposed ? 1 : 0] = g->lda, s.a_strides[g->a_transposed ? 0 : 1] = 1;
    s.b_strides[g->b_transposed ? 1 : 0] = g->ldb, s.b_strides[g->b_transposed ? 0 : 1] = 1;
    s.c_strides[0] = g->ldc, s.c_strides[1] = 1;
    s.ab_type = type_of(g->ab_dtype), s.c_type = type_of(g->c_dtype);
    s.bias = g->bias != NULL, s.add = g->add;
    return s;
}

/* ---- primitives, kept by shape for the life of the process ---- */

struct gemm_primitive {
    struct matmul matmul;
    struct matmul_spec spec;
    size_t scratch_bytes;
    bool refused;
    struct gemm_primitive *next;
};
static struct gemm_primitive *cache;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

static bool same_spec(const struct matmul_spec *a, const struct matmul_spec *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && memcmp(a->a_strides, b->a_strides, sizeof a->a_strides) == 0 &&
           memcmp(a->b_strides, b->b_strides, sizeof a->b_strides) == 0 && a->c_strides[0] == b->c_strides[0] && a->ab_type == b->ab_type &&
           a->c_type == b->c_type && a->bias == b->bias && a->add == b->add;
}

/* A shape that the library refuses is remembered as well. */
static struct gemm_primitive *primitive_of(const struct matmul_spec *spec)
{
    (void)pthread_mutex_lock(&cache_lock);
    struct gemm_primitive *p = cache;
    while (p != NULL && !same_spec(&p->spec, spec)) p = p->next;
    if (p == NULL) {
        p = calloc(1, sizeof *p);
        CHECK(p != NULL);
        p->spec = *spec;
        p->refused = matmul_open(the_engine(), spec, &p->matmul) != dnnl_success;
        p->scratch_bytes = p->refused ? 0 : matmul_scratch(&p->matmul);
        p->next = cache;
        cache = p;
    }
    (void)pthread_mutex_unlock(&cache_lock);
    return p;
}

static struct gemm_primitive *prepare(const struct gemm *g, size_t room)
{
    const struct matmul_spec spec = spec_of(g);
    struct gemm_primitive *p = primitive_of(&spec);
    return p->refused || p->scratch_bytes > room ? NULL : p;
}

static void *writable(const void *p)
{
    void *w;
    memcpy(&w, &p, sizeof w); /* oneDNN's handles are not const; inputs are only read */
    return w;
}

static void execute(struct gemm_primitive *p, const struct gemm *g, void *scratch)
{
    const struct {
        int arg;
        dnnl_query_t md;
        void *handle;
    } use[] = {
        { DNNL_ARG_SRC, dnnl_query_src_md, writable(g->a) },
        { DNNL_ARG_WEIGHTS, dnnl_query_weights_md, writable(g->b) },
        { DNNL_ARG_DST, dnnl_query_dst_md, g->c },
        { DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md, p->scratch_bytes > 0 ? scratch : NULL },
    };
    dnnl_exec_arg_t args[5];
    int n = 0;
    for (size_t i = 0; i < sizeof use / sizeof *use; i++) {
        if (use[i].handle == NULL) continue;
        args[n].arg = use[i].arg;
        must(dnnl_memory_create(&args[n++].memory, matmul_md(&p->matmul, use[i].md), the_engine(), use[i].handle));
    }
    if (g->bias != NULL) {
        args[n].arg = DNNL_ARG_BIAS; /* the second of the weights, to a query */
        must(dnnl_memory_create(&args[n++].memory, dnnl_primitive_desc_query_md(p->matmul.desc, dnnl_query_weights_md, 1), the_engine(),
                                writable(g->bias)));
    }
    must(dnnl_primitive_execute(p->matmul.primitive, the_stream(), n, args));
    must(dnnl_stream_wait(the_stream()));
    for (int i = 0; i < n; i++) (void)dnnl_memory_destroy(args[i].memory);
}

/* ---- what the library has here ---- */

static struct matmul_spec plain_spec(int64_t m, int64_t n, int64_t k, int64_t pad, enum dtype dtype)
{
    struct matmul_spec s = { .m = m, .n = n, .k = k, .ab_type = type_of(dtype), .c_type = type_of(dtype), .max_threads = 1 };
    s.a_strides[0] = k + pad, s.b_strides[0] = n + pad, s.c_strides[0] = n + pad;
    s.a_strides[1] = s.b_strides[1] = s.c_strides[1] = 1;
    return s;
}

static const char *bf16_implementation(void)
{
    const struct matmul_spec s = plain_spec(512, 768, 768, 0, DT_BF16);
    return matmul_implementation(the_engine(), &s);
}

static bool bf16_native(void)
{
    const unsigned need = (unsigned)dnnl_cpu_isa_avx512_core_bf16, have = (unsigned)dnnl_get_effective_cpu_isa();
    const char *name = (have & need) == need ? bf16_implementation() : NULL;
    return name != NULL && strstr(name, "ref") == NULL;
}

/* The library's word for what it uses; it has words for x86 only. */
static const char *library_isa(void)
{
#if defined(__x86_64__)
    const char *isa = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa()), *prefix = "cpu_isa_";
    return strncmp(isa, prefix, strlen(prefix)) == 0 ? isa + strlen(prefix) : isa;
#else
    return "its own choice";
#endif
}

static void describe(enum dtype dtype, char *out, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    const bool native = dtype == DT_BF16 && bf16_native();
    (void)snprintf(out, size, "oneDNN %d.%d.%d %s (%s)", v->major, v->minor, v->patch, native ? bf16_implementation() : "sgemm",
                   library_isa());
}

static void limit(enum isa isa)
{
#if defined(__x86_64__) /* elsewhere these words mean nothing to the library, and generic is all there is */
    static const dnnl_cpu_isa_t set[ISA_COUNT] = {
        [ISA_GENERIC] = dnnl_cpu_isa_sse41,       [ISA_AVX2] = dnnl_cpu_isa_avx2,
        [ISA_AVX512] = dnnl_cpu_isa_avx512_core,  [ISA_AVX512_BF16] = dnnl_cpu_isa_avx512_core_bf16,
        [ISA_AMX] = dnnl_cpu_isa_avx512_core_amx,
    };
    must(dnnl_set_max_cpu_isa(set[isa])); /* fails once a primitive exists: math_start comes first */
#endif
}

/* ---- peak ---- */

static double time_best(struct gemm_primitive *p, const struct gemm *g, int times)
{
    double best = -1;
    const int before = parallel_library_threads(parallel_threads());
    execute(p, g, NULL);
    for (int i = 0; i < times; i++) {
        const double start = clock_seconds();
        execute(p, g, NULL);
        const double seconds = clock_seconds() - start;
        if (best < 0 || seconds < best) best = seconds;
    }
    (void)parallel_library_threads(before);
    return best;
}

/* Contents do not change the time; zeros would (no denormals, but some processors run cooler on them). */
static void *filled(size_t bytes, enum dtype dtype)
{
    unsigned char *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    CHECK(p != NULL);
    for (size_t i = 0; i < bytes; i++) p[i] = i % dtype_bytes(dtype) == dtype_bytes(dtype) - 1 ? 0x3f : (unsigned char)(i * 37 % 128);
    return p;
}

static double peak(int64_t m, int64_t n, int64_t k, int64_t pad, bool packed, enum dtype dtype, int times)
{
    struct gemm_primitive p = { .spec = plain_spec(m, n, k, pad, dtype) };
    p.spec.b_any = packed;
    p.spec.max_threads = parallel_threads();
    if (matmul_open(the_engine(), &p.spec, &p.matmul) != dnnl_success) return -1;
    const size_t b_bytes = dnnl_memory_desc_get_size(matmul_md(&p.matmul, dnnl_query_weights_md)), size = dtype_bytes(dtype);
    void *a = filled((size_t)(m * (k + pad)) * size, dtype), *b = filled(b_bytes, dtype),
         *c = filled((size_t)(m * (n + pad)) * size, dtype);
    const struct gemm g = { .a = a, .b = b, .c = c };
    const double seconds = time_best(&p, &g, times);
    free(a), free(b), free(c);
    matmul_close(&p.matmul);
    return seconds;
}

const char *library_dnnl(void)
{
    static _Thread_local char version[32];
    const dnnl_version_t *v = dnnl_version();
    (void)snprintf(version, sizeof version, "%d.%d.%d", v->major, v->minor, v->patch);
    return version;
}

const struct gemm_backend *gemm_backend(void)
{
    static const struct gemm_backend dnnl = {
        .describe = describe,
        .sgemm = sgemm,
        .bf16_native = bf16_native,
        .prepare = prepare,
        .execute = execute,
        .limit = limit,
        .peak = peak,
    };
    return &dnnl;
}
#else
enum { GEMM_DNNL_IS_NOT_BUILT };
#endif
