#define LAMINA_OPS_INSIDE
#include "private.h"

/* logits[b] = x[b,T-1] W^T: generation needs the last position only. */
static void logits_infer(struct op_shape *s)
{
    CHECK(s->n_in == 1 && s->n_param == 1 && s->in[0].n_dims == 3 && s->param[0].dim[1] == s->in[0].dim[2]);
    const int64_t B = s->in[0].dim[0], C = s->in[0].dim[2], V = s->param[0].dim[0];
    s->n_out = 1;
    s->out[0] = tensor_make(DT_F32, 2, (int64_t[]){ B, V }, NULL);
    s->contributions = 1;
    s->scratch_bytes = (product_scratch(B, V, C, s->compute) + 63) / 64 * 64;
    s->flops_forward = 2.0 * (double)B * (double)V * (double)C;
}

static void logits_forward(const struct op_call *c)
{
    const int64_t B = c->in[0].dim[0], T = c->in[0].dim[1], C = c->in[0].dim[2], V = c->param[0].dim[0];
    const enum dtype dtype = c->shape->compute;
    const unsigned char *last = (const unsigned char *)c->in[0].data + (size_t)((T - 1) * C) * dtype_bytes(dtype);
    const struct product p = { .m = B,
                               .n = V,
                               .k = C,
                               .a = { last, dtype, T * C, false },
                               .b = { c->param[0].data, dtype, C, true },
                               .c = c->out[0].data,
                               .c_dtype = DT_F32,
                               .c_ld = V };
    product_run(&p, c->scratch, c->shape->scratch_bytes);
}

/* Generation has no backward. */
const struct op_desc op_logits = { .name = "logits",
                                   .summary = "scores of the next token at the last position",
                                   .source = "Bengio et al. 2003, sec. 2",
                                   .infer = logits_infer,
                                   .forward = logits_forward };
