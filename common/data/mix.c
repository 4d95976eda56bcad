#include "mix.h"
#include "common/base/check.h"

__extension__ typedef __int128 int128;

struct mix mix_make(const double weight[], int n)
{
    CHECK(n >= 1 && n <= MIX_MOST);
    struct mix m = { .n = n };
    double sum = 0;
    int64_t given = 0;
    int most = 0;
    for (int i = 0; i < n; i++) sum += weight[i];
    for (int i = 0; i < n; i++) {
        CHECK(weight[i] > 0);
        m.share[i] = max_i64(1, (int64_t)(weight[i] / sum * (double)mix_whole));
        given += m.share[i];
        if (m.share[i] > m.share[most]) most = i;
    }
    m.share[most] += mix_whole - given;
    return mix_of(m.share, n);
}

struct mix mix_of(const int64_t share[], int n)
{
    struct mix m = { .n = n };
    const int64_t parts = n > 1 ? 2 * n - 2 : 1;
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        CHECK(share[i] > 0);
        m.share[i] = share[i];
        m.pace[i].whole = mix_whole / share[i];
        m.pace[i].rest = parts * (mix_whole % share[i]);
        m.pace[i].unit = parts * share[i];
        sum += share[i];
    }
    CHECK(n >= 1 && n <= MIX_MOST && sum == mix_whole);
    return m;
}

/* Turn number c of source i is open from sample ceil((c + 1/D) / w), and due at floor((c + 1 - 1/D) / w) + 1, D = 2k - 2. From one turn to
 * the next both fractions grow by 1 / w. */
static void set_turn(const struct mix *m, struct mix_place *p, int i)
{
    const int64_t unit = m->pace[i].unit, parts = unit / m->share[i];
    const int128 open = ((int128)p->count[i] * parts + 1) * mix_whole, due = (((int128)p->count[i] + 1) * parts - 1) * mix_whole;
    p->open[i] = (int64_t)((open + unit - 1) / unit);
    p->open_spare[i] = (int64_t)((int128)p->open[i] * unit - open);
    p->due[i] = (int64_t)(due / unit) + 1;
    p->due_spare[i] = (int64_t)((int128)p->due[i] * unit - due) - 1;
}

struct mix_place mix_place_at(const struct mix *m, const int64_t count[])
{
    struct mix_place p = { 0 };
    for (int i = 0; i < m->n; i++) {
        p.count[i] = count[i];
        p.samples += count[i];
        set_turn(m, &p, i);
    }
    return p;
}

struct mix_place mix_begin(const struct mix *m)
{
    static const int64_t none[MIX_MOST];
    return mix_place_at(m, none);
}

bool mix_holds(const struct mix *m, const int64_t count[])
{
    const int64_t parts = m->n > 1 ? 2 * m->n - 2 : 1;
    int64_t samples = 0;
    for (int i = 0; i < m->n; i++) samples += count[i];
    for (int i = 0; i < m->n; i++) {
        const int128 off = (int128)samples * m->share[i] - (int128)count[i] * mix_whole;
        if ((off < 0 ? -off : off) * parts > (int128)mix_whole * (parts - 1)) return false;
    }
    return true;
}

static void pass_on(int64_t *at, int64_t *spare, int64_t whole, int64_t rest, int64_t unit)
{
    const int64_t left = *spare - rest;
    *at += whole + (left < 0);
    *spare = left < 0 ? left + unit : left;
}

int mix_next(const struct mix *m, struct mix_place *p)
{
    const int64_t now = ++p->samples;
    int64_t first = INT64_MAX; /* due and source in one number, so that the loop is a minimum */
    for (int i = 0; i < m->n; i++) {
        const int64_t turn = p->open[i] <= now ? p->due[i] * MIX_MOST + i : INT64_MAX;
        first = turn < first ? turn : first;
    }
    const int next = (int)(first % MIX_MOST);
    CHECK(first < INT64_MAX); /* the sum of n w - count over the sources is 1: one of them has at least 1/k of it */
    p->count[next]++;
    pass_on(&p->open[next], &p->open_spare[next], m->pace[next].whole, m->pace[next].rest, m->pace[next].unit);
    pass_on(&p->due[next], &p->due_spare[next], m->pace[next].whole, m->pace[next].rest, m->pace[next].unit);
    return next;
}

/* --- Looking up --------------------------------------------------------------------------------------------------------- */

struct mix_cursor mix_cursor(const struct mix_place *from, int64_t stride)
{
    CHECK(stride > 0);
    struct mix_cursor c = { .stride = stride, .from = *from, .now = *from };
    for (int i = 0; i < MIX_KEPT; i++) c.kept[i] = *from;
    return c;
}

/* The latest place that is known and not past `samples`. */
static void go_back(const struct mix *m, struct mix_cursor *c, int64_t samples)
{
    const struct mix_place *best = c->from.samples <= samples ? &c->from : NULL;
    for (int i = 0; i < MIX_KEPT; i++)
        if (c->kept[i].samples <= samples && (best == NULL || c->kept[i].samples > best->samples)) best = &c->kept[i];
    c->now = best != NULL ? *best : mix_begin(m);
}

const struct mix_place *mix_after(const struct mix *m, struct mix_cursor *c, int64_t samples)
{
    CHECK(samples >= 0);
    if (samples < c->now.samples) go_back(m, c, samples);
    if (m->n == 1) c->now = mix_place_at(m, &samples); /* no need to walk */
    while (c->now.samples < samples) {
        if (c->now.samples % c->stride == 0) c->kept[c->now.samples / c->stride % MIX_KEPT] = c->now;
        (void)mix_next(m, &c->now);
    }
    return &c->now;
}

struct mix_turn mix_find(const struct mix *m, struct mix_cursor *c, int64_t sample)
{
    (void)mix_after(m, c, sample);
    if (sample % c->stride == 0) c->kept[sample / c->stride % MIX_KEPT] = c->now;
    const int source = mix_next(m, &c->now);
    return (struct mix_turn){ source, c->now.count[source] - 1 };
}
