#ifdef LAMINA_HAVE_DNNL
#include "dnnl_matmul.h"

#include "common/base/parallel.h"

/* Primitive attributes: who owns the scratch, and C += as a post-operation. */
static dnnl_status_t attributes(const struct matmul_spec *s, dnnl_primitive_attr_t *out)
{
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    if (status == dnnl_success && s->user_scratch) status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || !s->add) return status;

    dnnl_post_ops_t post = NULL;
    status = dnnl_post_ops_create(&post);
#if DNNL_VERSION_MAJOR >= 3
    if (status == dnnl_success) status = dnnl_post_ops_append_sum(post, 1, 0, dnnl_data_type_undef);
#else
    if (status == dnnl_success) status = dnnl_post_ops_append_sum(post, 1);
#endif
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(*out, post);
    (void)dnnl_post_ops_destroy(post);
    return status;
}

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t describe(dnnl_engine_t engine, const struct matmul_spec *s, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_memory_desc_t a = NULL, b = NULL, c = NULL, bias = NULL;
    dnnl_status_t status = dnnl_memory_desc_create_with_strides(&a, 2, (dnnl_dims_t){ s->m, s->k }, s->ab_type, s->a_strides);
    if (status == dnnl_success)
        status = s->b_any ? dnnl_memory_desc_create_with_tag(&b, 2, (dnnl_dims_t){ s->k, s->n }, s->ab_type, dnnl_format_tag_any)
                          : dnnl_memory_desc_create_with_strides(&b, 2, (dnnl_dims_t){ s->k, s->n }, s->ab_type, s->b_strides);
    if (status == dnnl_success) status = dnnl_memory_desc_create_with_strides(&c, 2, (dnnl_dims_t){ s->m, s->n }, s->c_type, s->c_strides);
    if (status == dnnl_success && s->bias)
        status = dnnl_memory_desc_create_with_strides(&bias, 2, (dnnl_dims_t){ 1, s->n }, dnnl_f32, (dnnl_dims_t){ s->n, 1 });
    if (status == dnnl_success) status = dnnl_matmul_primitive_desc_create(out, engine, a, b, bias, c, attr);
    dnnl_memory_desc_t all[] = { a, b, c, bias };
    for (int i = 0; i < 4; i++)
        if (all[i] != NULL) (void)dnnl_memory_desc_destroy(all[i]);
    return status;
}
#else
static dnnl_status_t describe(dnnl_engine_t engine, const struct matmul_spec *s, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_memory_desc_t a, b, c, bias;
    dnnl_status_t status = dnnl_memory_desc_init_by_strides(&a, 2, (dnnl_dims_t){ s->m, s->k }, s->ab_type, s->a_strides);
    if (status == dnnl_success)
        status = s->b_any ? dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){ s->k, s->n }, s->ab_type, dnnl_format_tag_any)
                          : dnnl_memory_desc_init_by_strides(&b, 2, (dnnl_dims_t){ s->k, s->n }, s->ab_type, s->b_strides);
    if (status == dnnl_success) status = dnnl_memory_desc_init_by_strides(&c, 2, (dnnl_dims_t){ s->m, s->n }, s->c_type, s->c_strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_strides(&bias, 2, (dnnl_dims_t){ 1, s->n }, dnnl_f32, (dnnl_dims_t){ s->n, 1 });
    dnnl_matmul_desc_t operation;
    if (status == dnnl_success) status = dnnl_matmul_desc_init(&operation, &a, &b, s->bias ? &bias : NULL, &c);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(out, &operation, attr, engine, NULL);
    return status;
}
#endif

/* The library plans for as many threads as it may open now, and a plan for more than one would run wrong or split K inside a task. */
static dnnl_status_t describe_for_threads(dnnl_engine_t engine, const struct matmul_spec *s, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = attributes(s, &attr);
    if (status == dnnl_success) {
        const int before = parallel_library_threads(s->max_threads);
        status = describe(engine, s, attr, out);
        (void)parallel_library_threads(before);
    }
    (void)dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t matmul_open(dnnl_engine_t engine, const struct matmul_spec *spec, struct matmul *out)
{
    dnnl_status_t status = describe_for_threads(engine, spec, &out->desc);
    if (status != dnnl_success) return status;
    const int before = parallel_library_threads(spec->max_threads);
    status = dnnl_primitive_create(&out->primitive, out->desc);
    (void)parallel_library_threads(before);
    if (status != dnnl_success) (void)dnnl_primitive_desc_destroy(out->desc);
    return status;
}

static const char *implementation_of(const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success ? name : NULL;
}

const char *matmul_implementation(dnnl_engine_t engine, const struct matmul_spec *spec)
{
    dnnl_primitive_desc_t desc = NULL;
    if (describe_for_threads(engine, spec, &desc) != dnnl_success) return NULL;
    const char *name = implementation_of(desc); /* a constant of the library, it outlives the descriptor */
    (void)dnnl_primitive_desc_destroy(desc);
    return name;
}

void matmul_close(struct matmul *m)
{
    (void)dnnl_primitive_destroy(m->primitive);
    (void)dnnl_primitive_desc_destroy(m->desc);
}

dnnl_md matmul_md(const struct matmul *m, dnnl_query_t what) { return dnnl_primitive_desc_query_md(m->desc, what, 0); }

size_t matmul_scratch(const struct matmul *m)
{
    dnnl_md md = matmul_md(m, dnnl_query_scratchpad_md);
    return md == NULL ? 0 : dnnl_memory_desc_get_size(md);
}
#else
enum { DNNL_MATMUL_IS_NOT_BUILT }; /* a translation unit needs a declaration */
#endif
