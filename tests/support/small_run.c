#include "small_run.h"
#include "common/base/parallel.h"
#include "common/data/tokens.h"
#include "common/math/product.h"
#include "tests/support/mpi_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VOCAB = 61 };

static struct arena arena;
static struct comm *self;
enum { FILES = 3 };
static char folder[256], tokens_path[FILES][300];

static const char yaml[] = "run: {name: t, seed: 3, steps: 20}\n"
                           "model: {family: %s, width: 24, layers: 3, heads: 4, context: 32%s}\n"
                           "tokenizer: bytes\n"
                           "data: {train: [{name: a, path: %s%s}], valid: [{name: a, path: %s}]}\n"
                           "batch: {sequences: 14, micro: 2}\n"
                           "precision: {compute: %s}\n"
                           "%s";

/* Tokens with some structure, so that losses fall and gradients differ in size. */
static enum status write_tokens(int file)
{
    struct tokens_writer *w;
    int32_t *ids = arena_place_n(&arena, SMALL_TOKENS, sizeof *ids);
    for (int64_t i = 0; i < SMALL_TOKENS; i++) ids[i] = (int32_t)((i * i / (7 + file) + i % (13 - file) * 5) % VOCAB);
    TRY(tokens_create(tokens_path[file], "test", digest_bytes("test", 4), VOCAB, &w));
    TRY(tokens_append(w, ids, SMALL_TOKENS, NULL, SMALL_TOKENS));
    return tokens_publish(w);
}

void small_start(const struct comm *world)
{
    if (self) return;
    parallel_init();
    arena_open_growing(&arena, "test");
    mpi_ck_assert(world, math_start(getenv("LAMINA_ISA")) == ST_OK);
    mpi_ck_assert(world, comm_split(world, comm_rank(world), &self) == ST_OK);
    if (comm_rank(world) == 0) {
        snprintf(folder, sizeof folder, "%s/lamina-train-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        if (mkdtemp(folder) == NULL) folder[0] = '\0';
    }
    mpi_ck_assert(world, comm_broadcast(world, COMM_CONTROL, folder, sizeof folder, 0) == ST_OK && folder[0]);
    for (int i = 0; i < FILES; i++) {
        snprintf(tokens_path[i], sizeof tokens_path[i], "%s/tokens-%d.h5", folder, i);
        mpi_ck_assert(world, comm_rank(world) != 0 || write_tokens(i) == ST_OK);
    }
}

int small_end(void)
{
    char command[300];
    if (!folder[0]) return EXIT_SUCCESS;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct comm *small_self(void) { return self; }
const char *small_path(const char *name) { return arena_printf(&arena, "%s/%s", folder, name); }

const struct plan *small_plan(const struct small_model *model, const char *precision, const struct small_layout *layout, int ranks)
{
    const char *others = "";
    if (model->mixed)
        others = arena_printf(&arena, ", weight: 5}, {name: b, path: %s, weight: 3}, {name: c, path: %s", tokens_path[1], tokens_path[2]);
    char *text =
        arena_printf(&arena, yaml, model->family, model->keys, tokens_path[0], others, tokens_path[0], precision, model->optimizer);
    int n = 0;
    while (layout && n < SMALL_SETTINGS && layout->settings[n]) n++;
    struct config *config;
    struct text problems = { 0 };
    struct plan *plan = arena_place(&arena, sizeof *plan);
    enum status s =
        config_parse("test", text, strlen(text), layout ? layout->settings : NULL, n, worker_tables(), &arena, &config, &problems);
    if (!s) {
        config->model.vocab = VOCAB;
        s = worker_plan(&arena, config, worker_compute(config), ranks, plan, &problems);
    }
    if (s) ck_abort_msg("%s: %s", status_text(), problems.data ? problems.data : "");
    text_free(&problems);
    return plan;
}

struct worker *small_open(const struct comm *world, const struct plan *plan)
{
    struct worker *w;
    const enum status s = worker_open(world, plan, WORKER_TRAIN, &w);
    if (s) ck_abort_msg("%s", status_text());
    return w;
}

void small_steps(const struct comm *world, struct worker *w, int64_t from, int64_t to)
{
    for (int64_t step = from; step <= to; step++) {
        const struct step_header header = { .step = step };
        struct step_report report;
        const enum status s = worker_step(world, w, &header, &report);
        mpi_ck_assert(world, s == ST_OK);
        mpi_ck_assert(world, report.tokens == SMALL_STEP_TOKENS && report.redone <= 1);
    }
}

struct digest128 small_digest(const struct comm *world, struct worker *w)
{
    struct digest128 d;
    ck_assert(worker_digest(world, w, false, &d) == ST_OK);
    return d;
}

struct digest128 small_reference(const struct small_model *model, const char *precision)
{
    enum { MOST = 64 };
    static struct {
        const struct small_model *model;
        const char *precision;
        struct digest128 digest;
    } kept[MOST];
    int i = 0;
    while (i < MOST && kept[i].model && !(kept[i].model == model && strcmp(kept[i].precision, precision) == 0)) i++;
    ck_assert(i < MOST);
    if (kept[i].model == NULL) {
        parallel_set_threads(1);
        struct worker *w = small_open(self, small_plan(model, precision, NULL, 1));
        worker_fresh(w);
        small_steps(self, w, 1, SMALL_STEPS);
        kept[i].digest = small_digest(self, w);
        kept[i].model = model;
        kept[i].precision = precision;
        worker_close(w);
    }
    return kept[i].digest;
}

void small_check_plan(const struct comm *world, const struct plan *plan)
{
    parallel_set_threads(1);
    struct worker_memory memory;
    worker_measure(plan, WORKER_TRAIN, comm_rank(world), 1, &memory);
    struct worker *w = small_open(world, plan);
    worker_fresh(w);
    small_steps(world, w, 1, 3);
    struct worker_counters c;
    worker_counters(w, &c);
    mpi_ck_assert(world, c.run == memory.run && c.step == memory.step && c.pass == memory.pass && c.scratch == memory.scratch &&
                             c.data == memory.data);
    struct traffic t;
    worker_traffic(plan, comm_rank(world), 3, &t);
    mpi_ck_assert(world, t.bytes[COMM_GATHER] == c.bytes[COMM_GATHER]);
    mpi_ck_assert(world, t.bytes[COMM_REDUCE] == c.bytes[COMM_REDUCE]);
    mpi_ck_assert(world, t.bytes[COMM_ACROSS] == c.bytes[COMM_ACROSS]);
    mpi_ck_assert(world, t.bytes[COMM_OPTIMIZER] == c.bytes[COMM_OPTIMIZER]);
    worker_close(w);
}
