#include "product.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "private.h"
#include "vec.h"
#include <stdio.h>

/* ---- tiles: README.md says what was measured ---- */

enum {
    TILE_LONG = 768,
    TILE_SHORT = 512,
    SKINNY = 64, /* up to so many rows (or columns) the other matrix is read once, in narrow strips */
    SKINNY_STRIP = 256,
    MIN_TILES = 4,        /* fewer than this are halved, */
    MIN_AREA = 32 * 1024, /* down to this many elements */
    GRAIN = 16,
    PANEL_K = 512,  /* K per converted or copied panel */
    ALIAS_K = 1024, /* K per call where rows lie a multiple of 4 KiB apart */
    BAD_LD = 256,   /* leading dimensions that map rows onto few cache sets */
    VERY_BAD_LD = 1024,
};

static int64_t round_up(int64_t n, int64_t to) { return ceil_div(n, to) * to; }

/* n in equal parts of at most `limit`. */
static int64_t equal_part(int64_t n, int64_t limit) { return min_i64(n, round_up(ceil_div(n, ceil_div(n, limit)), GRAIN)); }

/* The library's share of packing a tile's operands: 1/rows + 1/cols. */
static double packing(int64_t rows, int64_t cols) { return 1 / (double)rows + 1 / (double)cols; }

static int64_t tiles(int64_t m, int64_t n, int64_t rows, int64_t cols) { return ceil_div(m, rows) * ceil_div(n, cols); }

/* What a tiling costs: packing, and the half that waits where two share an odd number of tiles. */
static double cost(int64_t m, int64_t n, int64_t rows, int64_t cols)
{
    const int64_t count = tiles(m, n, rows, cols);
    return packing(rows, cols) * (double)round_up(count, 2) / (double)count;
}

struct tiling product_tiling(int64_t m, int64_t n)
{
    struct tiling t = { .rows = equal_part(m, TILE_SHORT), .cols = equal_part(n, TILE_LONG) };
    const int64_t rows = equal_part(m, TILE_LONG), cols = equal_part(n, TILE_SHORT);
    if (cost(m, n, rows, cols) < cost(m, n, t.rows, t.cols)) t.rows = rows, t.cols = cols;
    if (m <= SKINNY) t.rows = m, t.cols = equal_part(n, SKINNY_STRIP);
    if (n <= SKINNY && m > SKINNY) t.cols = n, t.rows = equal_part(m, SKINNY_STRIP);
    while (tiles(m, n, t.rows, t.cols) < MIN_TILES && t.rows * t.cols >= 2 * MIN_AREA) {
        if (t.rows > t.cols)
            t.rows = round_up(ceil_div(t.rows, 2), GRAIN);
        else
            t.cols = round_up(ceil_div(t.cols, 2), GRAIN);
    }
    t.down = ceil_div(m, t.rows), t.across = ceil_div(n, t.cols);
    return t;
}

/* ---- scratch of a thread: the tile, then panels of A and B (or what a library primitive asks for) ---- */

static int64_t panel_ld(int64_t columns)
{
    const int64_t ld = round_up(columns, GRAIN) + GRAIN;
    return ld % BAD_LD == 0 ? ld + GRAIN : ld;
}
static int64_t panel_count(int64_t side, int64_t k) { return max_i64(side * panel_ld(k), k * panel_ld(side)); }

static size_t tile_bytes(const struct tiling *t) { return (size_t)round_up(t->rows * t->cols * (int64_t)sizeof(float), 64); }

static size_t scratch_of(const struct tiling *t, int64_t k, enum dtype dtype)
{
    const int64_t panel_k = min_i64(k, PANEL_K);
    int64_t bytes = (panel_count(t->rows, panel_k) + panel_count(t->cols, panel_k)) * (int64_t)sizeof(float);
    if (dtype == DT_BF16 && product_bf16_native()) { /* room for the library's copies of both operands and its sums, in blocks of 64 */
        const int64_t rows = round_up(t->rows, 64), cols = round_up(t->cols, 64), depth = round_up(k, 64);
        bytes = max_i64(bytes, (rows + cols) * depth * 2 + rows * cols * 4 + 64 * 1024);
    }
    return tile_bytes(t) + (size_t)round_up(bytes, 64);
}

size_t product_scratch(int64_t m, int64_t n, int64_t k, enum dtype dtype)
{
    const struct tiling t = product_tiling(m, n);
    return scratch_of(&t, k, dtype);
}

size_t product_tile_scratch(int64_t m, int64_t n, int64_t k, enum dtype dtype)
{
    return scratch_of(&(struct tiling){ m, n, 1, 1 }, k, dtype);
}

/* ---- one tile ---- */

enum { EDGES = 2 }; /* tiles have two heights and two widths: whole ones and the last ones */

struct job {
    const struct product *p;
    struct tiling tiling;
    bool small; /* so small that the library multiplies in place instead of packing */
    unsigned char *scratch;
    size_t scratch_bytes;
    struct gemm_primitive *primitive[EDGES][EDGES]; /* NULL: fp32 path */
};

struct place {
    int64_t row, col, rows, cols;
};
static struct place place_of(const struct job *job, int64_t task)
{
    const struct tiling *t = &job->tiling;
    const int64_t row = task / t->across * t->rows, col = task % t->across * t->cols;
    return (struct place){ row, col, min_i64(t->rows, job->p->m - row), min_i64(t->cols, job->p->n - col) };
}

/* Element (row, col) of a logical matrix. */
static const void *element(const struct matrix *x, int64_t row, int64_t col)
{
    const int64_t index = x->transposed ? col * x->ld + row : row * x->ld + col;
    return (const unsigned char *)x->data + (size_t)index * dtype_bytes(x->dtype);
}

/* Where K runs down the stored rows and these lie on few cache sets, a product in place is half as fast: copy the panel first. */
static bool must_copy(const struct job *job, const struct matrix *x, bool k_down)
{
    return x->dtype == DT_BF16 || (job->small && k_down && x->ld % BAD_LD == 0);
}

/* The block [rows, cols] of x at (row, col) as fp32 at `panel`, stored the way x is. Returns its leading dimension. */
static int64_t panel_load(float *panel, const struct matrix *x, int64_t row, int64_t col, int64_t rows, int64_t cols)
{
    const int64_t lines = x->transposed ? cols : rows, length = x->transposed ? rows : cols, ld = panel_ld(length);
    const size_t line_bytes = (size_t)x->ld * dtype_bytes(x->dtype);
    const unsigned char *from = element(x, row, col);
    for (int64_t i = 0; i < lines; i++, from += line_bytes) {
        if (x->dtype == DT_BF16)
            vec_table()->from_bf16(panel + i * ld, (const uint16_t *)(const void *)from, length);
        else
            vec_table()->scale(panel + i * ld, 1, (const float *)(const void *)from, length);
    }
    return ld;
}

/* out[rows, cols] = A B (+ out when add) in fp32, K in chunks in order. */
static void multiply(const struct job *job, const struct place *at, float *out, int64_t out_ld, bool add, float *panels)
{
    const struct product *p = job->p;
    const bool copy_a = must_copy(job, &p->a, p->a.transposed), copy_b = must_copy(job, &p->b, !p->b.transposed);
    const bool aliases = p->a.ld % VERY_BAD_LD == 0 || p->b.ld % VERY_BAD_LD == 0;
    const int64_t chunk = copy_a || copy_b ? PANEL_K : aliases ? ALIAS_K : p->k;
    float *panel_b = panels + panel_count(job->tiling.rows, min_i64(p->k, PANEL_K));

    for (int64_t k = 0; k < p->k; k += chunk) {
        const int64_t depth = min_i64(chunk, p->k - k);
        struct gemm g = { .m = at->rows, .n = at->cols, .k = depth, .c = out, .ldc = out_ld, .add = add || k > 0 };
        g.a_transposed = p->a.transposed, g.a = element(&p->a, at->row, k), g.lda = p->a.ld;
        g.b_transposed = p->b.transposed, g.b = element(&p->b, k, at->col), g.ldb = p->b.ld;
        if (copy_a) g.a = panels, g.lda = panel_load(panels, &p->a, at->row, k, at->rows, depth);
        if (copy_b) g.b = panel_b, g.ldb = panel_load(panel_b, &p->b, k, at->col, depth, at->cols);
        gemm_backend()->sgemm(&g);
    }
}

/* The finished tile to C as bf16, rounded once. */
static void store_bf16(const struct product *p, const struct place *at, float *tile, float *row)
{
    for (int64_t i = 0; i < at->rows; i++) {
        uint16_t *c = (uint16_t *)p->c + (at->row + i) * p->c_ld + at->col;
        float *t = tile + i * at->cols;
        if (p->add) {
            vec_table()->from_bf16(row, c, at->cols);
            vec_add(t, row, at->cols);
        }
        vec_table()->to_bf16(c, t, at->cols);
    }
}

/* The product as the library's primitive wants it: straight into C, or into the tile when a callback waits for it. */
static struct gemm native_of(const struct product *p, const struct place *at, float *tile)
{
    struct gemm g = { .m = at->rows, .n = at->cols, .k = p->k, .ab_dtype = p->a.dtype, .add = p->add };
    g.a_transposed = p->a.transposed, g.a = element(&p->a, at->row, 0), g.lda = p->a.ld;
    g.b_transposed = p->b.transposed, g.b = element(&p->b, 0, at->col), g.ldb = p->b.ld;
    g.bias = p->bias != NULL ? p->bias + at->col : NULL;
    if (p->tile != NULL)
        g.c = tile, g.ldc = at->cols, g.c_dtype = DT_F32;
    else
        g.c = (unsigned char *)p->c + (size_t)(at->row * p->c_ld + at->col) * dtype_bytes(p->c_dtype), g.ldc = p->c_ld,
        g.c_dtype = p->c_dtype;
    return g;
}

static void tile_task(void *context, int64_t task, int thread)
{
    const struct job *job = context;
    const struct product *p = job->p;
    const struct place at = place_of(job, task);
    float *tile = (float *)(void *)(job->scratch + (size_t)thread * job->scratch_bytes);
    float *panels = (float *)(void *)((unsigned char *)tile + tile_bytes(&job->tiling));
    struct gemm_primitive *primitive = job->primitive[at.rows < job->tiling.rows][at.cols < job->tiling.cols];

    if (primitive != NULL) {
        const struct gemm g = native_of(p, &at, tile);
        gemm_backend()->execute(primitive, &g, panels);
    } else {
        const bool direct = p->tile == NULL && p->c_dtype == DT_F32;
        float *out = direct ? (float *)p->c + at.row * p->c_ld + at.col : tile;
        const int64_t ld = direct ? p->c_ld : at.cols;
        multiply(job, &at, out, ld, direct && p->add, panels);
        if (p->bias != NULL)
            for (int64_t i = 0; i < at.rows; i++) vec_add(out + i * ld, p->bias + at.col, at.cols);
        if (!direct && p->tile == NULL) store_bf16(p, &at, tile, panels);
    }
    if (p->tile != NULL) p->tile(p->context, at.row, at.col, at.rows, at.cols, tile, at.cols);
}

/* The library's primitives for the at most four tile shapes, before the tasks start. */
static void prepare(struct job *job)
{
    const struct product *p = job->p;
    const struct tiling *t = &job->tiling;
    const size_t room = job->scratch_bytes - tile_bytes(t);
    for (int bottom = 0; bottom < EDGES; bottom++)
        for (int right = 0; right < EDGES; right++) {
            const int64_t row = bottom ? t->down - 1 : 0, col = right ? t->across - 1 : 0;
            const struct place at = place_of(job, row * t->across + col);
            if ((at.rows < t->rows) != bottom || (at.cols < t->cols) != right) continue; /* no such edge */
            const struct gemm g = native_of(p, &at, NULL);
            job->primitive[bottom][right] = gemm_backend()->prepare(&g, room);
        }
}

static void run(const struct product *p, struct tiling tiling, void *scratch, size_t scratch_bytes)
{
    CHECK(p->k > 0 && p->a.dtype == p->b.dtype && (p->c != NULL) != (p->tile != NULL) && !(p->tile != NULL && p->add));
    CHECK(scratch_bytes >= scratch_of(&tiling, p->k, p->a.dtype));
    struct job job = { .p = p, .tiling = tiling, .scratch = scratch, .scratch_bytes = scratch_bytes };
    job.small = packing(job.tiling.rows, job.tiling.cols) >= 0.0038; /* oneDNN's own threshold for AVX2 */
    if (p->a.dtype == DT_BF16 && product_bf16_native()) prepare(&job);
    parallel_for(job.tiling.down * job.tiling.across, tile_task, &job);
}

void product_run(const struct product *p, void *scratch, size_t scratch_bytes)
{
    if (p->m == 0 || p->n == 0) return;
    run(p, product_tiling(p->m, p->n), scratch, scratch_bytes);
}

void product_run_tile(const struct product *p, void *scratch, size_t scratch_bytes)
{
    run(p, (struct tiling){ p->m, p->n, 1, 1 }, scratch, scratch_bytes);
}

/* ---- what the machine can do ---- */

bool product_bf16_native(void)
{
    static _Thread_local int known = -1; /* asking the library makes a descriptor */
    if (known < 0) known = isa_current() >= ISA_AVX512_BF16 && gemm_backend()->bf16_native();
    return known;
}

const char *product_describe(enum dtype dtype)
{
    static char text[2][160]; /* for the run header: not called from tasks */
    char *out = text[dtype == DT_BF16];
    char library[112];
    gemm_backend()->describe(dtype, library, sizeof library);
    const bool panels = dtype == DT_BF16 && !product_bf16_native();
    (void)snprintf(out, sizeof text[0], "%s%s, tiles %dx%d", library, panels ? " on panels converted to fp32" : "", TILE_SHORT, TILE_LONG);
    return out;
}

double product_peak(enum dtype dtype)
{
    static const int64_t shape[][3] = { { 4096, 768, 3072 }, { 2048, 2048, 2048 } };
    static const struct {
        int64_t pad;
        bool packed;
    } layout[] = { { 0, false }, { 16, false }, { 0, true } };
    enum { TIMES = 5 };
    double best = 0;
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (size_t j = 0; j < sizeof layout / sizeof *layout; j++) {
            const int64_t *s = shape[i];
            const double seconds = gemm_backend()->peak(s[0], s[1], s[2], layout[j].pad, layout[j].packed, dtype, TIMES);
            const double rate = seconds > 0 ? 2e-9 * (double)s[0] * (double)s[1] * (double)s[2] / seconds : 0;
            if (rate > best) best = rate;
        }
    return best;
}
