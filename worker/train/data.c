/* The text of a run on one rank: its token files, and the ledger of what was read of them. */
#define LAMINA_WORKER_TRAIN
#include "private.h"

#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/store/state.h"

#include <stdio.h>
#include <string.h>

/* --- Token files --------------------------------------------------------------------------------------------------------- */

static enum status check_vocab(const struct worker *w, const struct tokens *t)
{
    const int64_t vocab = w->plan->config->model.vocab;
    if (t->vocab != vocab)
        FAIL(ST_DATA,
             "%s: made with a vocabulary of %lld (tokenizer %s), the run has %lld: build it again with `lamina data build --tokenizer %s`",
             t->path, (long long)t->vocab, t->tokenizer, (long long)vocab, w->plan->config->tokenizer);
    return ST_OK;
}

enum status worker_corpus_open(const struct config *config, struct corpus *out)
{
    _Static_assert((int)MIX_MOST == (int)CONFIG_MAX_SOURCES && (int)LEDGER_NAME == (int)CONFIG_NAME_MAX,
                   "every list of sources can be mixed");
    const struct data_config *d = &config->data;
    struct corpus_wish wish = { .seed = (uint64_t)config->run.seed,
                                .context = config->model.context,
                                .sequences = config->batch.sequences,
                                .separate = d->documents == DOCUMENTS_SEPARATE,
                                .by = d->weights == WEIGHTS_DOCUMENTS ? CORPUS_BY_DOCUMENTS : CORPUS_BY_TOKENS,
                                .n = d->n_train };
    if (d->train[0].epochs > 0) wish.by = CORPUS_BY_EPOCHS; /* of one, so of all */
    for (int i = 0; i < d->n_train; i++) {
        wish.source[i].name = d->train[i].name;
        wish.source[i].path = d->train[i].path;
        wish.source[i].amount = wish.by == CORPUS_BY_EPOCHS ? d->train[i].epochs : d->train[i].weight;
    }
    return corpus_open(&wish, out);
}

enum status data_open(struct worker *w)
{
    const struct data_config *d = &w->plan->config->data;
    TRY(fault_here(FAULT_data_open));
    for (int i = 0; i < d->n_valid; i++) {
        TRY(stream_open(d->valid[i].path, 0, 0, w->plan->context, d->documents == DOCUMENTS_SEPARATE, &w->valid[i]));
        w->n_valid++;
        TRY(check_vocab(w, &w->valid[i].tokens));
    }
    if (w->mode == WORKER_EVALUATE || d->n_train == 0) return ST_OK;
    TRY(worker_corpus_open(w->plan->config, &w->corpus));
    for (int i = 0; i < w->corpus.n; i++) TRY(check_vocab(w, &w->corpus.stream[i].tokens));
    return prefetch_open(&w->corpus, w->plan->window * w->plan->micro, &w->prefetch);
}

enum status data_same(const struct comm *world, const struct worker *w)
{
    char what[160];
    for (int i = 0; i < w->corpus.n; i++) {
        (void)snprintf(what, sizeof what, "the token file of the training source %s", w->corpus.ledger.row[i].name);
        TRY(comm_same(world, what, w->corpus.stream[i].tokens.content_digest));
    }
    for (int i = 0; i < w->n_valid; i++) {
        (void)snprintf(what, sizeof what, "the token file of the validation source %.80s", w->plan->config->data.valid[i].name);
        TRY(comm_same(world, what, w->valid[i].tokens.content_digest));
    }
    return ST_OK;
}

void data_close(struct worker *w)
{
    prefetch_close(w->prefetch);
    corpus_close(&w->corpus);
    for (int i = 0; i < w->n_valid; i++) stream_close(&w->valid[i]);
}

static enum status check_tokenizer(const struct worker *w, const struct tokens *t, struct digest128 tokenizer)
{
    if (digest_equal(t->tokenizer_digest, tokenizer)) return ST_OK;
    FAIL(ST_DATA,
         "%s: was made with another tokenizer (%s) than that of the run (%s): build it again with `lamina data build --tokenizer %s`",
         t->path, t->tokenizer, w->plan->config->tokenizer, w->plan->config->tokenizer);
}

enum status worker_tokenizer(struct worker *w, struct digest128 tokenizer, const int32_t *token_bytes)
{
    w->token_bytes = token_bytes;
    for (int i = 0; i < w->corpus.n; i++) TRY(check_tokenizer(w, &w->corpus.stream[i].tokens, tokenizer));
    for (int i = 0; i < w->n_valid; i++) TRY(check_tokenizer(w, &w->valid[i].tokens, tokenizer));
    return ST_OK;
}

/* --- The ledger ---------------------------------------------------------------------------------------------------------- */

const struct tokens *worker_valid(const struct worker *w, int source) { return &w->valid[source].tokens; }
const struct corpus *worker_corpus(const struct worker *w) { return &w->corpus; }

void worker_ledger(struct worker *w, struct ledger *out)
{
    *out = w->loaded;
    if (w->corpus.n == 0) return;
    if (!w->counting) w->taken = corpus_cursor(&w->corpus);
    w->counting = true;
    corpus_ledger(&w->corpus, &w->taken, w->step_done, out);
}

void data_digest(struct worker *w, struct text *out)
{
    struct ledger l;
    worker_ledger(w, &l);
    if (l.n_read < 2 && l.orders == 0) return;
    const int64_t head[] = { l.orders, l.first_step, l.n_read, l.n };
    text_add_bytes(out, (const char *)head, sizeof head);
    for (int i = 0; i < l.n; i++) {
        const struct ledger_row *r = &l.row[i];
        const int64_t row[] = { r->key, r->share, r->before, r->taken };
        text_add_bytes(out, r->name, strlen(r->name) + 1);
        text_add_bytes(out, (const char *)row, sizeof row);
    }
}

char *data_ledger_text(struct worker *w, struct arena *arena)
{
    struct ledger l;
    struct text text = { 0 };
    worker_ledger(w, &l);
    ledger_write(&l, &text);
    char *copy = arena_strdup(arena, text.data);
    text_free(&text);
    return copy;
}

/* Of a file from before sources could be mixed: one source, read from the first step on. */
static void make_ledger(const struct worker *w, const struct config *before, int64_t step, struct ledger *out)
{
    const struct config *c = before != NULL && before->data.n_train > 0 ? before : w->plan->config;
    *out = (struct ledger){ .sequences = c->batch.sequences,
                            .context = c->model.context,
                            .separate = c->data.documents == DOCUMENTS_SEPARATE,
                            .n_read = 1,
                            .n = 1 };
    out->row[0] = (struct ledger_row){ .share = mix_whole, .taken = step * c->batch.sequences };
    snprintf(out->row[0].name, sizeof out->row[0].name, "%.*s", LEDGER_NAME - 1, c->data.train[0].name);
}

enum status worker_ledger_stored(const struct state *f, struct ledger *out)
{
    enum { MOST = 1 << 20 };
    const struct state_entry *e = state_find(f, DATA_LEDGER);
    *out = (struct ledger){ 0 };
    if (e == NULL) return ST_OK;
    if (e->dtype != DT_U8 || e->n_dims != 1 || e->cols > MOST) FAIL(ST_DAMAGED, DATA_LEDGER " of a checkpoint is not a text");
    struct arena arena;
    arena_open_growing(&arena, "ledger");
    char *text = arena_place_n(&arena, (size_t)e->cols + 1, 1);
    enum status s = state_read_rows(f, e, &(struct state_rows){ 0, 1, text }, 1);
    if (!s) s = ledger_read(text, (size_t)e->cols, out);
    arena_close(&arena);
    return s;
}

enum status data_go_on(struct worker *w, const struct state *f, const struct config *before, struct worker_facts *facts)
{
    TRY(worker_ledger_stored(f, &w->loaded));
    if (w->loaded.n == 0) make_ledger(w, before, facts->step, &w->loaded);
    w->counting = false;
    return w->corpus.n > 0 ? corpus_go_on(&w->corpus, &w->loaded, facts->step, &facts->data) : ST_OK;
}
