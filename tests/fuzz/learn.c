/* Merges learned from random pieces: each is a frequent pair of what was there, none is learned twice, and doing them again one after the
 * other gives the tokens that were promised and leaves no pair as frequent as asked. */
#include "common/data/tokenizers/learn.h"
#include "tests/support/fuzz.h"

enum { ROWS = 12, ROW = 120, MERGES = 100 };
struct row {
    int64_t n, count;
    int32_t id[ROW];
};

static int32_t id_of(unsigned char byte)
{
    int32_t id = 0;
    while (learn_byte(id) != byte) id++;
    return id;
}

/* A random part of a random pattern again and again, so that pairs are frequent; now and then any bytes. */
static void draw_row(struct fuzz *f, unsigned char *bytes, struct row *r)
{
    unsigned char few[6];
    const uint64_t letters = 1 + fuzz_below(f, sizeof few), any = fuzz_below(f, 5);
    for (size_t i = 0; i < sizeof few; i++) few[i] = any == 0 ? (unsigned char)fuzz_draw(f) : (unsigned char)("ab \xe3\x81z"[i]);
    r->n = 1 + (int64_t)fuzz_below(f, fuzz_below(f, 4) == 0 ? ROW : 20);
    r->count = 1 + (int64_t)fuzz_below(f, fuzz_below(f, 3) == 0 ? 1000 : 2);
    const uint64_t period = 1 + fuzz_below(f, 40);
    for (int64_t i = 0; i < r->n; i++) {
        bytes[i] = (uint64_t)i >= period && fuzz_below(f, 10) != 0 ? bytes[(uint64_t)i - period] : few[fuzz_below(f, letters)];
        r->id[i] = id_of(bytes[i]);
    }
}

static int64_t count_pair(const struct row *rows, int n, int32_t left, int32_t right)
{
    int64_t count = 0;
    for (int r = 0; r < n; r++)
        for (int64_t i = 0; i + 1 < rows[r].n; i++) count += rows[r].id[i] == left && rows[r].id[i + 1] == right ? rows[r].count : 0;
    return count;
}

static void apply(struct row *r, struct learned_merge m, int32_t made)
{
    int64_t to = 0;
    for (int64_t i = 0; i < r->n; to++) {
        const bool here = i + 1 < r->n && r->id[i] == m.left && r->id[i + 1] == m.right;
        r->id[to] = here ? made : r->id[i];
        i += here ? 2 : 1;
    }
    r->n = to;
}

static void one(struct fuzz *f)
{
    static struct row rows[ROWS];
    const int n = 1 + (int)fuzz_below(f, ROWS);
    struct piece_table table = { 0 };
    struct pieces pieces = { 0 };
    struct learned learned;
    const struct learn_options o = { .most_merges = (int64_t)fuzz_below(f, MERGES), .least_count = 1 + (int64_t)fuzz_below(f, 4) };
    for (int r = 0; r < n; r++) {
        unsigned char bytes[ROW];
        draw_row(f, bytes, &rows[r]);
        FUZZ_CHECK(f, piece_table_add(&table, (struct piece){ .bytes = bytes, .n = rows[r].n, .count = rows[r].count }));
    }
    FUZZ_CHECK(f, pieces_take(&pieces, &table, 1) == ST_OK);
    FUZZ_CHECK(f, learn_merges(&pieces, &o, &learned) == ST_OK);
    int64_t tokens = 0;
    for (int64_t i = 0; i < learned.n_merges; i++) {
        const struct learned_merge m = learned.merge[i];
        FUZZ_CHECK(f, m.left < LEARN_BYTES + i && m.right < LEARN_BYTES + i && m.count >= o.least_count);
        FUZZ_CHECK(f, i == 0 || m.count <= learned.merge[i - 1].count);
        FUZZ_CHECK(f, m.count == count_pair(rows, n, m.left, m.right)); /* never learned before: then none would be left */
        for (int r = 0; r < n; r++) apply(&rows[r], m, (int32_t)(LEARN_BYTES + i));
    }
    for (int r = 0; r < n; r++) {
        tokens += rows[r].n * rows[r].count;
        for (int64_t i = 0; i + 1 < rows[r].n && learned.n_merges < o.most_merges; i++)
            FUZZ_CHECK(f, count_pair(rows, n, rows[r].id[i], rows[r].id[i + 1]) < o.least_count);
    }
    FUZZ_CHECK(f, tokens == learned.n_tokens);
    learned_free(&learned);
    piece_table_free(&table);
    pieces_free(&pieces);
}

int main(int argc, char **argv) { return fuzz_main(argc, argv, "learn", one); }
