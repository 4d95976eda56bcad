#include "learn.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/base/str.h"
#include "common/data/tokenizers/byte_letters.h"
#include "learn_pairs.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tasks are cut by these alone. */
enum { TASK_PLACES = 1 << 15, TASK_CELLS = 1 << 18, PROGRESS_MERGES = 64 };

/* Memory for each cell: itself, its piece, its places: one at first, and at most two more as each merge takes a cell away and makes two
 * places. */
enum { CELL_BYTES = 5 * sizeof(int32_t) };

/* All pieces stand in one row of cells, with an EDGE before, between and behind them. A symbol of n bytes covers n cells: its id stands in
 * the first, -n in the last where n > 1, so that neighbours are found from both sides; a cell between holds something negative or stale. */
static const int32_t EDGE = INT32_MIN, INSIDE = -1;

struct learner {
    const struct learn_options *options;
    int32_t *cell;
    uint32_t *piece; /* of each cell */
    int64_t *count;  /* of each piece */
    int64_t n_cells, n_pieces, most_merges;
    struct learn_pairs pairs;
    struct tally whole, *tally; /* one for each task of a step */
    int64_t n_tallies;
    int32_t *length; /* bytes of each symbol */
    struct learned *out;
};

/* --- bytes ------------------------------------------------------------------------------------------------------------- */

unsigned char learn_byte(int32_t id)
{
    CHECK(id >= 0 && id < LEARN_BYTES);
    uint32_t letter = 0;
    for (int32_t below = 0; below < id || byte_of_letter(letter) < 0; letter++) below += byte_of_letter(letter) >= 0;
    return (unsigned char)byte_of_letter(letter);
}

/* --- laying out -------------------------------------------------------------------------------------------------------- */

/* What is laid out of the pieces: their bytes, and an end of each. */
static int64_t cells_of(const struct pieces *pieces)
{
    int64_t n = 1;
    for (int i = 0; i < PIECE_SHARDS; i++) n += (int64_t)(pieces->shard[i].n_bytes + pieces->shard[i].used);
    return n;
}

int64_t learn_memory(const struct pieces *pieces)
{
    int64_t slots = 0;
    for (int i = 0; i < PIECE_SHARDS; i++) slots += (int64_t)piece_table_memory(&pieces->shard[i]);
    return slots + CELL_BYTES * cells_of(pieces);
}

enum status learn_bound(const struct pieces *pieces)
{
    const int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), need = learn_memory(pieces);
    char a[32], b[32];
    if (cells_of(pieces) > learn_most_bytes)
        FAIL(ST_DATA, "the text has more than %lld bytes of different pieces: give less of it, or a pattern that cuts it into more pieces",
             (long long)learn_most_bytes);
    if (need > machine)
        FAIL(ST_IO, "learning from the different pieces of the text takes %s, and this machine has %s of memory: give less text",
             str_bytes(a, sizeof a, (double)need), str_bytes(b, sizeof b, (double)machine));
    return ST_OK;
}

static enum status allocate(struct learner *l, const struct pieces *pieces)
{
    l->n_cells = 1;
    for (int i = 0; i < PIECE_SHARDS; i++) {
        struct piece p;
        for (size_t at = 0; piece_table_next(&pieces->shard[i], &at, &p);) {
            l->n_pieces += p.n > 1;
            l->n_cells += p.n > 1 ? p.n + 1 : 0;
            l->out->n_tokens += p.n * p.count;
        }
    }
    l->most_merges = min_i64(l->options->most_merges, l->n_cells); /* each merge takes a cell at least */
    l->cell = malloc((size_t)l->n_cells * sizeof *l->cell);
    l->piece = malloc((size_t)l->n_cells * sizeof *l->piece);
    l->count = malloc((size_t)(l->n_pieces + 1) * sizeof *l->count);
    l->length = malloc((size_t)(LEARN_BYTES + l->most_merges) * sizeof *l->length);
    l->out->merge = malloc((size_t)(l->most_merges + 1) * sizeof *l->out->merge);
    if (l->cell == NULL || l->piece == NULL || l->count == NULL || l->length == NULL || l->out->merge == NULL)
        FAIL(ST_IO, "no memory for %lld bytes of different pieces and %lld merges", (long long)l->n_cells, (long long)l->most_merges);
    return ST_OK;
}

/* A piece of one byte has no pair, and no place here. */
static void lay_out(struct learner *l, struct pieces *pieces)
{
    int32_t id[LEARN_BYTES];
    int64_t at = 0;
    uint32_t n = 0;
    for (int32_t i = 0; i < LEARN_BYTES; i++) {
        id[learn_byte(i)] = i;
        l->length[i] = 1;
    }
    l->cell[at] = EDGE;
    l->piece[at++] = 0;
    for (int i = 0; i < PIECE_SHARDS; i++) {
        struct piece p;
        for (size_t next = 0; piece_table_next(&pieces->shard[i], &next, &p);) {
            if (p.n == 1) continue;
            for (int64_t k = 0; k <= p.n; k++) {
                l->cell[at] = k < p.n ? id[p.bytes[k]] : EDGE;
                l->piece[at++] = n;
            }
            l->count[n++] = p.count;
        }
        piece_table_free(&pieces->shard[i]);
    }
    CHECK(at == l->n_cells && n == l->n_pieces);
}

/* --- a step: tasks change their tallies, which become one, which changes the pairs -------------------------------------- */

static enum status tallies(struct learner *l, int64_t n)
{
    if (n > l->n_tallies) {
        struct tally *const more = realloc(l->tally, (size_t)n * sizeof *more);
        if (more == NULL) FAIL(ST_IO, "no memory for %lld tasks", (long long)n);
        memset(more + l->n_tallies, 0, (size_t)(n - l->n_tallies) * sizeof *more);
        l->tally = more;
        l->n_tallies = n;
    }
    for (int64_t i = 0; i < n; i++) tally_clear(&l->tally[i]);
    tally_clear(&l->whole);
    return ST_OK;
}

/* In the order of tasks, so that places stay in ascending order. The whole is the only task's tally, or the sum of all. */
static enum status fold(struct learner *l, int64_t n_tasks, struct tally **whole)
{
    bool failed = false;
    *whole = n_tasks == 1 ? &l->tally[0] : &l->whole;
    for (int64_t i = 0; i < n_tasks; i++) {
        struct tally *const t = &l->tally[i];
        failed = failed || t->failed;
        l->out->n_tokens -= t->merged;
        for (size_t k = 0; k < t->n && !failed; k++) {
            struct change *const c = &t->change[k];
            const int64_t into = n_tasks == 1 ? (int64_t)k : tally_find(&l->whole, c->key);
            failed = into < 0;
            if (failed) break;
            c->into = (uint32_t)into;
            c->begin = 0;
            if (n_tasks == 1) continue;
            struct change *const all = &l->whole.change[into];
            c->begin = all->n_places;
            all->n_places += c->n_places;
            all->delta += c->delta;
        }
    }
    if (failed) FAIL(ST_IO, "no memory for the changes that a merge makes");
    return pairs_change(&l->pairs, *whole);
}

struct step {
    struct learner *l;
    struct tally *whole;
    const uint32_t *place; /* of the pair that is merged */
    int64_t n_places, n_tasks;
    int32_t left, right, made;
};

static void keep(const struct step *s, struct change *c, uint32_t place)
{
    uint32_t *const list = s->whole->change[c->into].place;
    if (list != NULL) list[c->begin++] = place;
}

/* --- the first step: every pair of bytes -------------------------------------------------------------------------------- */

/* A task's cells: from the first piece that begins in its part to the last that does. The EDGE before them. */
static int64_t first_cell(const struct learner *l, int64_t task)
{
    int64_t low = task * TASK_CELLS, high = l->n_cells;
    if (low == 0 || low >= high) return min_i64(low, high - 1);
    for (const uint32_t of = l->piece[low]; low < high;) {
        const int64_t middle = low + (high - low) / 2;
        if (l->piece[middle] > of)
            high = middle;
        else
            low = middle + 1;
    }
    return low - 1;
}

static void count_pairs(void *context, int64_t task, int thread)
{
    const struct step *const s = context;
    const struct learner *const l = s->l;
    struct tally *const t = &l->tally[task];
    const int64_t end = first_cell(l, task + 1);
    for (int64_t i = first_cell(l, task) + 1; i < end; i++) {
        if (l->cell[i] == EDGE || l->cell[i + 1] == EDGE) continue;
        const int64_t k = tally_find(t, pair_key(l->cell[i], l->cell[i + 1]));
        if (k < 0) {
            t->failed = true;
            return;
        }
        t->change[k].delta += l->count[l->piece[i]];
        t->change[k].n_places++;
    }
}

static void keep_pairs(void *context, int64_t task, int thread)
{
    const struct step *const s = context;
    const struct learner *const l = s->l;
    struct tally *const t = &l->tally[task];
    const int64_t end = first_cell(l, task + 1);
    for (int64_t i = first_cell(l, task) + 1; i < end; i++)
        if (l->cell[i] != EDGE && l->cell[i + 1] != EDGE)
            keep(s, &t->change[tally_find(t, pair_key(l->cell[i], l->cell[i + 1]))], (uint32_t)i);
}

static enum status begin(struct learner *l)
{
    struct step s = { .l = l, .n_tasks = ceil_div(l->n_cells, TASK_CELLS) };
    TRY(tallies(l, s.n_tasks));
    parallel_for(s.n_tasks, count_pairs, &s);
    TRY(fold(l, s.n_tasks, &s.whole));
    parallel_for(s.n_tasks, keep_pairs, &s);
    return ST_OK;
}

/* --- one merge --------------------------------------------------------------------------------------------------------- */

/* The symbol before cell `at`; its first cell. */
static int32_t symbol_before(const struct learner *l, int64_t at, int64_t *first)
{
    const int32_t last = l->cell[at - 1];
    *first = last < 0 && last != EDGE ? at + last : at - 1;
    return l->cell[*first];
}

static void merge_at(const struct step *s, struct tally *t, int64_t at)
{
    const struct learner *const l = s->l;
    const int64_t second = at + l->length[s->left], end = second + l->length[s->right];
    if (l->cell[at] != s->left || l->cell[second] != s->right) return; /* it was there once */
    const int64_t count = l->count[l->piece[at]];
    const int32_t after = l->cell[end];
    int64_t first;
    const int32_t earlier = symbol_before(l, at, &first);
    if (earlier != EDGE) {
        tally_add(t, pair_key(earlier, s->left), -count);
        tally_note(t, pair_key(earlier, s->made), count, (uint32_t)first);
    }
    if (after != EDGE) {
        tally_add(t, pair_key(s->right, after), -count);
        tally_note(t, pair_key(s->made, after), count, (uint32_t)at);
    }
    l->cell[at] = s->made;
    l->cell[second] = INSIDE;
    l->cell[end - 1] = (int32_t)(at - end);
    t->merged += count;
}

/* Where the places of a task begin: a piece's places belong to one task, as neighbours change each other. */
static int64_t first_place(const struct step *s, int64_t task)
{
    const uint32_t *const piece = s->l->piece;
    int64_t low = task * TASK_PLACES, high = s->n_places;
    if (low == 0 || low >= high || piece[s->place[low]] != piece[s->place[low - 1]]) return min_i64(low, high);
    for (const uint32_t of = piece[s->place[low]]; low < high;) {
        const int64_t middle = low + (high - low) / 2;
        if (piece[s->place[middle]] > of)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void merge_task(void *context, int64_t task, int thread)
{
    const struct step *const s = context;
    const int64_t end = first_place(s, task + 1);
    for (int64_t i = first_place(s, task); i < end; i++) merge_at(s, &s->l->tally[task], s->place[i]);
}

static void keep_task(void *context, int64_t task, int thread)
{
    const struct step *const s = context;
    struct tally *const t = &s->l->tally[task];
    for (size_t i = 0; i < t->n_notes; i++) keep(s, &t->change[t->note[i].change], t->note[i].place);
}

/* Opening a team of threads costs more than a small task. */
static void run(int64_t n_tasks, parallel_task_fn fn, struct step *s)
{
    if (n_tasks == 1)
        fn(s, 0, 0);
    else
        parallel_for(n_tasks, fn, s);
}

static enum status merge(struct learner *l, const struct learn_pair *pair)
{
    struct step s = {
        .l = l, .place = pair->place, .n_places = pair->n_places, .left = pair_left(pair->key), .right = pair_right(pair->key)
    };
    s.n_tasks = ceil_div(s.n_places, TASK_PLACES);
    s.made = LEARN_BYTES + (int32_t)l->out->n_merges;
    l->length[s.made] = l->length[s.left] + l->length[s.right];
    l->out->merge[l->out->n_merges++] = (struct learned_merge){ .left = s.left, .right = s.right, .count = pair->count };
    TRY(tallies(l, s.n_tasks));
    run(s.n_tasks, merge_task, &s);
    TRY(fold(l, s.n_tasks, &s.whole));
    run(s.n_tasks, keep_task, &s);
    return ST_OK;
}

/* --- all of it --------------------------------------------------------------------------------------------------------- */

static void spell(const struct learned *l, int32_t id, const int32_t *length, unsigned char *out)
{
    for (; id >= LEARN_BYTES; id = l->merge[id - LEARN_BYTES].left) { /* from the right: the longest way is the loop's */
        const struct learned_merge *const m = &l->merge[id - LEARN_BYTES];
        spell(l, m->right, length, out + length[m->left]);
    }
    *out = learn_byte(id);
}

static bool reserved(const struct learner *l, uint64_t key)
{
    const int32_t left = pair_left(key), right = pair_right(key);
    const int64_t n = l->length[left] + l->length[right];
    for (int i = 0; i < l->options->n_reserved; i++) {
        if (l->options->reserved[i].n != n) continue;
        unsigned char *const bytes = malloc((size_t)n);
        CHECK(bytes != NULL);
        spell(l->out, left, l->length, bytes);
        spell(l->out, right, l->length, bytes + l->length[left]);
        const bool same = memcmp(bytes, l->options->reserved[i].bytes, (size_t)n) == 0;
        free(bytes);
        if (same) return true;
    }
    return false;
}

static enum status learn(struct learner *l, struct pieces *pieces)
{
    struct learn_pair pair;
    TRY(learn_bound(pieces));
    TRY(allocate(l, pieces));
    lay_out(l, pieces);
    TRY(begin(l));
    while (l->out->n_merges < l->most_merges && pairs_take(&l->pairs, &pair)) {
        if (reserved(l, pair.key)) continue;
        TRY(merge(l, &pair));
        if (l->options->progress != NULL && l->out->n_merges % PROGRESS_MERGES == 0)
            l->options->progress(l->options->context, l->out->n_merges);
    }
    return ST_OK;
}

enum status learn_merges(struct pieces *pieces, const struct learn_options *options, struct learned *out)
{
    CHECK(options->least_count >= 1 && options->most_merges >= 0 && options->most_merges < INT32_MAX - LEARN_BYTES);
    struct learner l = { .options = options, .out = out, .pairs = { .least_count = options->least_count } };
    *out = (struct learned){ 0 };
    const enum status s = learn(&l, pieces);
    for (int64_t i = 0; i < l.n_tallies; i++) tally_free(&l.tally[i]);
    tally_free(&l.whole);
    pairs_free(&l.pairs);
    free(l.tally);
    free(l.cell);
    free(l.piece);
    free(l.count);
    free(l.length);
    pieces_free(pieces);
    if (s) learned_free(out);
    return s;
}

void learned_free(struct learned *l)
{
    free(l->merge);
    *l = (struct learned){ 0 };
}
