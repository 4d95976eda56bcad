/* The links of a group: in its header where they are few (eight, as HDF5 chooses), else in a fractal heap, and a B-tree says where in it.
 * Heap and tree have the constants that every version of HDF5 gives them for links; others are refused. Source: HDF5 File Format
 * Specification 3.0, III.A.2 (tree), III.G (heap), IV.A.2.g (link). */
#define LAMINA_STORE
#include "common/base/check.h"
#include "private.h"
#include <stdlib.h>
#include <string.h>

enum { HEAP_WIDTH = 4, HEAP_LEAST = 512, HEAP_LEAST_LOG = 9, HEAP_DIRECT = 65536, HEAP_BITS = 32, DIRECT_ROWS = 9, ROWS_MOST = 22 };
enum { HEAP_BYTES = 146, BLOCK_HEAD = 21, BLOCK_SUM = 17, BLOCKS_MOST = 4096 };
enum { NODE_BYTES = 512, NODE_FRAME = 10, TREE_BYTES = 38, TREE_KIND = 5, RECORD = 11, DEPTH_MOST = 4 };
enum { ID_BYTES = 7 };

struct block {
    uint64_t address;
    size_t size;
    unsigned char *bytes;
};
struct heap {
    uint64_t address, root;
    unsigned rows; /* of the root's table; 0: the root is a block */
    struct block *block;
    int n_blocks;
};
struct group {
    struct h5_source *source;
    const char *what;
    struct heap heap;
    struct h5_link *link;
    int n, cap;
};

static enum status odd(const struct group *g, const char *part)
{
    FAIL(g->source->bad, "%s: %s: %s is not as HDF5 writes it; the file is damaged", g->source->path, g->what, part);
}

/* --- one link -------------------------------------------------------------------------------------------------------------- */

static enum status add_link(struct group *g, struct h5_bytes b)
{
    const struct h5_source *const s = g->source;
    const bool known = h5_take(&b, 1) == 1;
    const unsigned flags = (unsigned)h5_take(&b, 1);
    const unsigned type = flags & 8 ? (unsigned)h5_take(&b, 1) : 0;
    if (flags & 4) (void)h5_take(&b, 8);
    if (flags & 16) (void)h5_take(&b, 1);
    const uint64_t length = h5_take(&b, (size_t)1 << (flags & 3));
    const char *const name = length < H5_NAME ? (const char *)h5_take_bytes(&b, (size_t)length) : NULL;
    if (!known || flags > 31 || name == NULL || !h5_is_name(name, (size_t)length) || memchr(name, '/', (size_t)length) != NULL)
        FAIL(s->bad, "%s: %s: holds a name that is not 1 to %d letters, digits, '.', '_' or '-'", s->path, g->what, H5_NAME - 1);
    if (type != 0) FAIL(s->bad, "%s: %s: %.*s is a link to something else, which is refused", s->path, g->what, (int)length, name);
    struct h5_link link = { .address = h5_take(&b, 8) };
    memcpy(link.name, name, (size_t)length);
    if (b.over) return odd(g, "a link");
    if (g->source->names-- == 0) FAIL(s->bad, "%s: %s: holds more names than a checkpoint has", s->path, g->what);
    if (g->n == g->cap) {
        g->cap = 2 * g->cap + 16;
        g->link = realloc(g->link, (size_t)g->cap * sizeof *g->link);
        CHECK(g->link != NULL);
    }
    g->link[g->n++] = link;
    return ST_OK;
}

/* --- the heap -------------------------------------------------------------------------------------------------------------- */

static enum status open_heap(struct group *g, uint64_t address)
{
    unsigned char bytes[HEAP_BYTES];
    TRY(h5_fetch_piece(g->source, g->what, "FRHP", address, sizeof bytes, bytes));
    struct h5_bytes b = { bytes + 4, sizeof bytes - 4, false };
    const bool version = h5_take(&b, 1) == 0, id = h5_take(&b, 2) == ID_BYTES, plain = h5_take(&b, 2) == 0;
    const bool summed = (h5_take(&b, 1) & 2) != 0;
    (void)h5_take_bytes(&b, 4 + 12 * 8); /* what is counted: objects, space, huge and tiny ones */
    const bool table =
        h5_take(&b, 2) == HEAP_WIDTH && h5_take(&b, 8) == HEAP_LEAST && h5_take(&b, 8) == HEAP_DIRECT && h5_take(&b, 2) == HEAP_BITS;
    (void)h5_take(&b, 2);
    g->heap.address = address;
    g->heap.root = h5_take(&b, 8);
    g->heap.rows = (unsigned)h5_take(&b, 2);
    if (!version || !id || !plain || !summed || !table || b.over || g->heap.rows > ROWS_MOST) return odd(g, "the heap of its names");
    return ST_OK;
}

static uint64_t row_bytes(unsigned row) { return (uint64_t)HEAP_LEAST << (row == 0 ? 0 : row - 1); }

/* Of the table at `address` with this many rows: the address of the entry that covers *offset, which becomes one inside it. */
static enum status step_down(struct group *g, uint64_t address, unsigned rows, uint64_t *offset, unsigned *row, uint64_t *entry)
{
    enum { HEAD = 17, MOST = HEAD + ROWS_MOST * HEAP_WIDTH * 8 + 4 };
    unsigned char bytes[MOST];
    const uint64_t width = HEAP_LEAST * HEAP_WIDTH;
    *row = 0;
    for (uint64_t first = width; *offset >= first && *row < rows; first *= 2) ++*row; /* rows end at 1, 2, 4, ... times the first */
    if (*row >= rows) return odd(g, "a place in the heap of its names");
    const uint64_t begin = *row == 0 ? 0 : width << (*row - 1), column = (*offset - begin) / row_bytes(*row);
    TRY(h5_fetch_piece(g->source, g->what, "FHIB", address, HEAD + (uint64_t)rows * HEAP_WIDTH * 8 + 4, bytes));
    memcpy(entry, bytes + HEAD + (*row * HEAP_WIDTH + column) * 8, sizeof *entry);
    *offset -= begin + column * row_bytes(*row);
    return ST_OK;
}

static enum status read_block(struct group *g, uint64_t address, size_t size, unsigned char *bytes)
{
    uint32_t sum;
    const struct h5_source *const s = g->source;
    TRY(h5_fetch(g->source, g->what, address, size, bytes));
    memcpy(&sum, bytes + BLOCK_SUM, sizeof sum);
    memset(bytes + BLOCK_SUM, 0, sizeof sum); /* it is taken over the block with zeros in its place */
    if (memcmp(bytes, "FHDB", 4) != 0 || sum != h5_checksum(bytes, size))
        FAIL(s->bad, "%s: %s: the checksum of its names at byte %llu is another; the file is damaged", s->path, g->what,
             (unsigned long long)address);
    return ST_OK;
}

/* Blocks are kept: the tree is in order of a hash, and asks for them in no order. */
static enum status find_block(struct group *g, uint64_t address, size_t size, const unsigned char **out)
{
    struct heap *const h = &g->heap;
    for (int i = 0; i < h->n_blocks; i++)
        if (h->block[i].address == address) {
            *out = h->block[i].bytes;
            return h->block[i].size == size ? ST_OK : odd(g, "the heap of its names");
        }
    if (h->n_blocks == BLOCKS_MOST) return odd(g, "the heap of its names");
    if (h->block == NULL) h->block = calloc(BLOCKS_MOST, sizeof *h->block);
    unsigned char *const bytes = malloc(size);
    CHECK(h->block != NULL && bytes != NULL);
    h->block[h->n_blocks++] = (struct block){ address, size, bytes };
    TRY(read_block(g, address, size, bytes));
    *out = bytes;
    return ST_OK;
}

static enum status link_in_heap(struct group *g, const unsigned char id[ID_BYTES])
{
    struct h5_bytes b = { id, ID_BYTES, false };
    const bool managed = h5_take(&b, 1) == 0;
    uint64_t offset = h5_take(&b, 4), address = g->heap.root;
    const size_t length = (size_t)h5_take(&b, 2);
    unsigned row = 0;
    const unsigned char *block = NULL;
    if (!managed) return odd(g, "a place in the heap of its names");
    for (unsigned rows = g->heap.rows; rows > 0; rows = row >= DIRECT_ROWS ? row - 2 : 0)
        TRY(step_down(g, address, rows, &offset, &row, &address));
    const size_t size = (size_t)row_bytes(row);
    if (offset < BLOCK_HEAD || offset > size || length > size - offset) return odd(g, "a place in the heap of its names");
    TRY(find_block(g, address, size, &block));
    return add_link(g, (struct h5_bytes){ block + offset, length, false });
}

/* --- the tree -------------------------------------------------------------------------------------------------------------- */

/* Bytes that hold a number up to this one. */
static size_t width_of(uint64_t most)
{
    size_t n = 1;
    while (most >>= 8) n++;
    return n;
}

/* How many records a node of this level can have, itself, and with all below it. */
struct level {
    uint64_t most, in_all;
    size_t pointer; /* bytes of one pointer to the level below: address, its records, and all records below it */
};
static void measure_levels(struct level level[DEPTH_MOST + 1])
{
    level[0] = (struct level){ .most = (NODE_BYTES - NODE_FRAME) / RECORD, .in_all = (NODE_BYTES - NODE_FRAME) / RECORD };
    for (int i = 1; i <= DEPTH_MOST; i++) {
        struct level *const l = &level[i], *const below = &level[i - 1];
        l->pointer = 8 + width_of(level[0].most) + (i > 1 ? width_of(below->in_all) : 0);
        l->most = (NODE_BYTES - NODE_FRAME - l->pointer) / (RECORD + l->pointer);
        l->in_all = (l->most + 1) * below->in_all + l->most;
    }
}

static enum status read_node(struct group *g, const struct level *level, int depth, uint64_t address, uint64_t n)
{
    unsigned char bytes[NODE_BYTES];
    if (n > level[depth].most) return odd(g, "the tree of its names");
    const size_t pointers = depth > 0 ? (size_t)(n + 1) * level[depth].pointer : 0, size = NODE_FRAME + (size_t)n * RECORD + pointers;
    TRY(h5_fetch_piece(g->source, g->what, depth > 0 ? "BTIN" : "BTLF", address, size, bytes));
    if (bytes[4] != 0 || bytes[5] != TREE_KIND) return odd(g, "the tree of its names");
    for (uint64_t i = 0; i < n; i++) TRY(link_in_heap(g, bytes + 6 + i * RECORD + 4)); /* behind the hash */
    struct h5_bytes b = { bytes + 6 + n * RECORD, pointers, false };
    for (uint64_t i = 0; depth > 0 && i <= n; i++) {
        const uint64_t child = h5_take(&b, 8), records = h5_take(&b, width_of(level[0].most));
        if (depth > 1) (void)h5_take(&b, width_of(level[depth - 1].in_all));
        TRY(read_node(g, level, depth - 1, child, records));
    }
    return ST_OK;
}

static enum status read_tree(struct group *g, uint64_t address)
{
    unsigned char bytes[TREE_BYTES];
    struct level level[DEPTH_MOST + 1];
    TRY(h5_fetch_piece(g->source, g->what, "BTHD", address, sizeof bytes, bytes));
    struct h5_bytes b = { bytes + 4, sizeof bytes - 4, false };
    const bool ours = h5_take(&b, 1) == 0 && h5_take(&b, 1) == TREE_KIND && h5_take(&b, 4) == NODE_BYTES && h5_take(&b, 2) == RECORD;
    const uint64_t depth = h5_take(&b, 2);
    (void)h5_take(&b, 2);
    const uint64_t root = h5_take(&b, 8), records = h5_take(&b, 2);
    if (!ours || depth > DEPTH_MOST) return odd(g, "the tree of its names");
    measure_levels(level);
    return root == h5_nowhere && records == 0 ? ST_OK : read_node(g, level, (int)depth, root, records);
}

/* --- all of them ----------------------------------------------------------------------------------------------------------- */

static enum status read_links(struct group *g, const struct h5_object *o)
{
    struct h5_bytes info;
    for (int i = 0; i < o->n; i++)
        if (o->message[i].kind == H5_LINK) TRY(add_link(g, h5_object_message(o, i)));
    if (!h5_object_find(o, H5_LINK_INFO, &info)) return odd(g, "its header");
    const bool known = h5_take(&info, 1) == 0;
    const unsigned flags = (unsigned)h5_take(&info, 1);
    if (flags & 1) (void)h5_take(&info, 8);
    const uint64_t heap = h5_take(&info, 8), tree = h5_take(&info, 8);
    if (!known || flags > 3 || info.over) return odd(g, "its header");
    if (heap == h5_nowhere) return ST_OK;
    TRY(open_heap(g, heap));
    return read_tree(g, tree);
}

static int by_name(const void *a, const void *b) { return strcmp(((const struct h5_link *)a)->name, ((const struct h5_link *)b)->name); }

enum status h5_links_read(struct h5_source *s, const char *what, const struct h5_object *group, struct h5_link **out, int *n)
{
    struct group g = { .source = s, .what = what };
    const enum status read = read_links(&g, group);
    for (int i = 0; i < g.heap.n_blocks; i++) free(g.heap.block[i].bytes);
    free(g.heap.block);
    *out = g.link;
    *n = g.n;
    TRY(read);
    if (g.n > 0) qsort(g.link, (size_t)g.n, sizeof *g.link, by_name);
    for (int i = 1; i < g.n; i++)
        if (strcmp(g.link[i - 1].name, g.link[i].name) == 0) FAIL(s->bad, "%s: %s: holds the name %s twice", s->path, what, g.link[i].name);
    return ST_OK;
}
