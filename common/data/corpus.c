#include "corpus.h"
#include "common/base/check.h"
#include <math.h>
#include <string.h>

/* --- Opening ------------------------------------------------------------------------------------------------------------- */

/* Share of the places in a source's samples that hold a token: padding is not read. */
static double filled(const struct stream *s) { return s->separate ? 1 - pack_padding(&s->pack) : 1; }

/* How many samples are wanted of a source, beside the others. */
static enum status amount_of(const struct corpus_wish *wish, int i, const struct stream *s, double *out)
{
    const double documents = (double)s->tokens.n_documents, amount = wish->source[i].amount;
    if (wish->by == CORPUS_BY_DOCUMENTS && s->tokens.n_documents == 0)
        FAIL(ST_DATA, "%s: knows no documents, and data.weights shares documents out", s->tokens.path);
    *out = wish->by == CORPUS_BY_EPOCHS      ? amount * (double)stream_epoch(s)
           : wish->by == CORPUS_BY_DOCUMENTS ? amount * (double)s->tokens.n_tokens / documents / filled(s)
                                             : amount / filled(s);
    return ST_OK;
}

/* Not 0, which a single source has. */
static uint32_t key_of(const char *name)
{
    const uint32_t key = (uint32_t)digest_bytes(name, strlen(name)).low;
    return key != 0 ? key : 1;
}

static enum status open_all(const struct corpus_wish *wish, struct corpus *c)
{
    double amount[MIX_MOST];
    for (int i = 0; i < wish->n; i++) {
        struct ledger_row *r = &c->ledger.row[i];
        const char *name = wish->source[i].name;
        CHECK(strlen(name) < sizeof r->name);
        TRY(stream_open(wish->source[i].path, wish->seed, wish->n > 1 ? key_of(name) : 0, wish->context, wish->separate, &c->stream[i]));
        c->n = i + 1;
        TRY(amount_of(wish, i, &c->stream[i], &amount[i]));
        *r = (struct ledger_row){ .content = c->stream[i].tokens.content_digest, .key = c->stream[i].order.stream };
        memcpy(r->name, name, strlen(name) + 1);
    }
    c->mix = mix_make(amount, c->n);
    for (int i = 0; i < c->n; i++) c->ledger.row[i].share = c->mix.share[i];
    c->start = mix_begin(&c->mix);
    return ST_OK;
}

enum status corpus_open(const struct corpus_wish *wish, struct corpus *out)
{
    CHECK(wish->n >= 1 && wish->n <= MIX_MOST);
    *out = (struct corpus){ .context = wish->context, .sequences = wish->sequences, .separate = wish->separate };
    out->ledger.sequences = wish->sequences;
    out->ledger.context = wish->context;
    out->ledger.separate = wish->separate;
    out->ledger.n = out->ledger.n_read = wish->n;
    const enum status s = open_all(wish, out);
    if (s) corpus_close(out);
    return s;
}

void corpus_close(struct corpus *c)
{
    for (int i = 0; i < c->n; i++) stream_close(&c->stream[i]);
    c->n = 0;
}

/* --- Going on ------------------------------------------------------------------------------------------------------------ */

static int find(const struct ledger *l, const char *name)
{
    int i = 0;
    while (i < l->n && strcmp(l->row[i].name, name) != 0) i++;
    return i < l->n ? i : -1;
}

static bool same_content(const struct ledger_row *a, const struct ledger_row *b)
{
    const struct digest128 unknown = { 0 };
    return digest_equal(a->content, b->content) || digest_equal(a->content, unknown);
}

static bool same_order(const struct corpus *c, const struct ledger *before)
{
    if (before->n_read != c->n || before->sequences != c->sequences || before->context != c->context || before->separate != c->separate)
        return false;
    for (int i = 0; i < c->n; i++) {
        const struct ledger_row *then = &before->row[i], *now = &c->ledger.row[i];
        if (strcmp(then->name, now->name) != 0 || then->share != now->share || !same_content(then, now)) return false;
    }
    return true;
}

/* Does the ledger say what its order deals in the steps that it stands for? */
static enum status check_counts(const struct ledger *l, int64_t step)
{
    int64_t share[MIX_MOST], count[MIX_MOST];
    for (int i = 0; i < l->n_read; i++) {
        share[i] = l->row[i].share;
        count[i] = l->row[i].taken - l->row[i].before;
    }
    const struct mix m = mix_of(share, l->n_read);
    const int64_t steps = step - l->first_step, samples = mix_holds(&m, count) ? mix_place_at(&m, count).samples : -1;
    if (steps < 0 || samples % l->sequences != 0 || samples / l->sequences != steps)
        FAIL(ST_DAMAGED, "data/ledger of a checkpoint: its counts are not those of step %lld", (long long)step);
    return ST_OK;
}

/* Samples of another length: as much text. */
static int64_t in_samples(int64_t taken, int64_t context, int64_t new_context)
{
    return context == new_context ? taken : (int64_t)fmin((double)taken * (double)context / (double)new_context, 0x1p50);
}

/* Rows of sources that are not read now come behind those that are. */
static enum status keep_others(struct ledger *l, const struct ledger *before)
{
    for (int i = 0; i < before->n; i++) {
        if (find(l, before->row[i].name) >= 0) continue;
        if (l->n == LEDGER_MOST) FAIL(ST_CONFIG, "this run has read %d sources, and more cannot be kept apart: begin anew", LEDGER_MOST);
        struct ledger_row *r = &l->row[l->n++];
        *r = before->row[i];
        r->share = 0;
        r->before = r->taken = in_samples(r->taken, before->context, l->context);
    }
    return ST_OK;
}

static void set_key(struct corpus *c, int i, uint32_t key)
{
    c->ledger.row[i].key = key;
    c->stream[i].order.stream = key;
}

static enum status begin_order(struct corpus *c, const struct ledger *before, int64_t step, struct ledger_change *out)
{
    struct ledger *l = &c->ledger;
    l->orders = before->orders + 1;
    l->first_step = step;
    for (int i = 0; i < c->n; i++) {
        const int at = find(before, l->row[i].name);
        if (at < 0) {
            set_key(c, i, key_of(l->row[i].name));
        } else if (!same_content(&before->row[at], &l->row[i])) {
            out->replaced[out->n_replaced++] = i;
        } else {
            set_key(c, i, before->row[at].key);
            l->row[i].before = l->row[i].taken = in_samples(before->row[at].taken, before->context, c->context);
        }
    }
    return keep_others(l, before);
}

enum status corpus_go_on(struct corpus *c, const struct ledger *before, int64_t step, struct ledger_change *out)
{
    *out = (struct ledger_change){ 0 };
    TRY(check_counts(before, step));
    if (!same_order(c, before)) {
        out->begins = true;
        return begin_order(c, before, step, out);
    }
    int64_t count[MIX_MOST];
    struct ledger now = *before;
    for (int i = 0; i < c->n; i++) {
        now.row[i].content = c->ledger.row[i].content;
        count[i] = now.row[i].taken - now.row[i].before;
    }
    c->ledger = now;
    for (int i = 0; i < c->n; i++) set_key(c, i, now.row[i].key);
    c->start = mix_place_at(&c->mix, count);
    return ST_OK;
}

/* --- Reading ------------------------------------------------------------------------------------------------------------- */

/* Number of this order's sample. */
static int64_t within(const struct corpus *c, int64_t index)
{
    const int64_t n = index - c->ledger.first_step * c->sequences;
    CHECK(n >= 0);
    return n;
}

struct mix_cursor corpus_cursor(const struct corpus *c) { return mix_cursor(&c->start, c->sequences); }

struct mix_turn corpus_turn(const struct corpus *c, struct mix_cursor *at, int64_t index)
{
    struct mix_turn turn = mix_find(&c->mix, at, within(c, index));
    turn.index += c->ledger.row[turn.source].before;
    return turn;
}

enum status corpus_sample(const struct corpus *c, struct mix_cursor *at, int64_t index, struct samples out)
{
    const struct mix_turn turn = corpus_turn(c, at, index);
    return stream_sample(&c->stream[turn.source], turn.index, out);
}

void corpus_ledger(const struct corpus *c, struct mix_cursor *at, int64_t step, struct ledger *out)
{
    const struct mix_place *p = mix_after(&c->mix, at, within(c, step * c->sequences));
    *out = c->ledger;
    for (int i = 0; i < c->n; i++) out->row[i].taken = out->row[i].before + p->count[i];
}

double corpus_seen(const struct corpus *c)
{
    double seen = 0, tokens = 0;
    for (int i = 0; i < c->n && c->separate; i++) {
        const double n = (double)c->mix.share[i] * filled(&c->stream[i]);
        seen += n * pack_seen(&c->stream[i].pack);
        tokens += n;
    }
    return tokens > 0 ? seen / tokens : (double)c->context / 2;
}

double corpus_tokens_per_byte(const struct corpus *c)
{
    double bytes = 0, tokens = 0;
    for (int i = 0; i < c->n; i++) {
        const struct tokens *t = &c->stream[i].tokens;
        const double n = (double)c->mix.share[i] / (double)mix_whole * filled(&c->stream[i]);
        bytes += n * (double)t->text_bytes / (double)t->n_tokens;
        tokens += n;
    }
    return bytes > 0 ? tokens / bytes : (double)NAN;
}
