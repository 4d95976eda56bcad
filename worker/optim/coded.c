/* State that is stored in fewer bytes, on its way into a tile and back. Coding is work without memory, and its tables and random numbers
 * make processors forget which streams they were reading ahead (Zen 4: the gradient then comes at a quarter of its speed). So it is done in
 * pieces, and with each piece some lines of the next tile are asked for. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"
#include "common/tensor/convert.h"
#include "worker/optim/storage.h"

enum { PIECE = 256, LINE = 64 }; /* elements; bytes */

static bool coded_here(const struct span *s, int slot, int stage)
{
    if (s->slot[slot].data == NULL || s->slot[slot].whole.dtype == STORAGE_FP32) return false;
    return stage == STAGE_OBSERVE ? s->rule.opt->slots[slot].observed : s->rule.opt->slots[slot].stage == stage;
}

/* An observed slot is only read in the step. */
static bool written_here(const struct span *s, int slot, int stage)
{
    return coded_here(s, slot, stage) && (stage == STAGE_OBSERVE || !s->rule.opt->slots[slot].observed);
}

/* ---- what comes next ---- */

static void add_range(struct ahead *a, const void *from, int64_t bytes)
{
    a->range[a->n].at = from;
    a->range[a->n++].end = (const char *)from + bytes;
    a->bytes += bytes;
}

void coded_look_ahead(const struct span *s, int stage, int64_t row, int64_t end, struct ahead *out)
{
    const int64_t at = (row - s->piece.row_begin) * s->param->cols, n = min_i64(s->tile_rows, end - row) * s->param->cols;
    int64_t times = 0;
    *out = (struct ahead){ 0 };
    if (n <= 0) return;
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        if (!coded_here(s, k, stage)) continue;
        const int64_t bytes = s->slot[k].whole.dtype == STORAGE_BF16 ? sizeof(uint16_t) : 1;
        add_range(out, (const char *)s->slot[k].data + at * bytes, n * bytes);
        times += written_here(s, k, stage) ? 2 : 1;
    }
    if (times == 0) return;
    if (stage == 0 || stage == STAGE_OBSERVE) add_range(out, s->piece.sum + at, n * (int64_t)sizeof(int64_t));
    if (stage != STAGE_OBSERVE) add_range(out, s->piece.theta + at, n * (int64_t)sizeof(float));
    if (s->u != NULL && stage != STAGE_OBSERVE) add_range(out, s->u + at, n * (int64_t)sizeof(float));
    out->bytes = out->bytes / (times * ceil_div(n, PIECE)) + LINE;
}

static void ask(struct ahead *a)
{
    int64_t left = a->bytes;
    for (int r = 0; r < a->n && left > 0; r++)
        for (; a->range[r].at < a->range[r].end && left > 0; a->range[r].at += LINE, left -= LINE) __builtin_prefetch(a->range[r].at, 0, 2);
}

/* ---- pieces ---- */

/* The piece that begins at this element of the tensor: up to an edge where blocks of scales, and of random numbers, end too. */
static int64_t piece_of(const struct stored *slot, int64_t element, int64_t left)
{
    const int64_t block = slot->whole.dtype == STORAGE_Q8 ? slot->whole.block : PIECE, size = ceil_div(PIECE, block) * block;
    return min_i64(left, size - element % size);
}

void coded_open(const struct span *s, int stage, struct opt_tile *v, const struct scratch *scratch, struct ahead *next)
{
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        if (!coded_here(s, k, stage)) continue;
        const struct stored *slot = &s->slot[k];
        const int64_t at = (v->row - s->piece.row_begin) * v->cols;
        v->slot[k] = scratch->state[k];
        for (int64_t i = 0, n; i < v->count; i += n) {
            n = piece_of(slot, v->row * v->cols + i, v->count - i);
            ask(next);
            if (slot->whole.dtype == STORAGE_BF16)
                convert_bf16_to_f32(v->slot[k] + i, (const uint16_t *)slot->data + at + i, n);
            else
                storage_q8_decode(v->slot[k] + i, (const uint8_t *)slot->data + at + i, slot->scale + (at + i) / slot->whole.block, n,
                                  slot->whole.block, s->rule.opt->slots[k].positive);
        }
    }
}

void coded_close(const struct span *s, int stage, const struct opt_tile *v, struct ahead *next)
{
    for (int k = 0; k < s->rule.opt->n_slots; k++) {
        if (!written_here(s, k, stage)) continue;
        const struct stored *slot = &s->slot[k];
        const int64_t at = (v->row - s->piece.row_begin) * v->cols;
        const struct rng_key key = { s->now.step.key.seed, RNG_ROUND, (uint32_t)(s->piece.param * OPT_MAX_SLOTS + k) };
        for (int64_t i = 0, n; i < v->count; i += n) {
            n = piece_of(slot, v->row * v->cols + i, v->count - i);
            ask(next);
            if (slot->whole.dtype == STORAGE_BF16)
                storage_bf16_encode((uint16_t *)slot->data + at + i, v->slot[k] + i, n, key, s->now.step.t, v->row * v->cols + i);
            else
                storage_q8_encode((uint8_t *)slot->data + at + i, slot->scale + (at + i) / slot->whole.block, v->slot[k] + i, n,
                                  slot->whole.block, s->rule.opt->slots[k].positive);
        }
    }
}
