#include "session.h"
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "common/comm/agree.h"
#include "common/math/fingerprint.h"
#include "common/math/product.h"
#include "coordinator/peak.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void session_open(struct session *s)
{
    *s = (struct session){ .ranks = 1, .threads = 1 };
    arena_open_growing(&s->arena, "session");
}

void session_close(struct session *s)
{
    tokenizer_close(&s->tokenizer);
    if (s->arena.name != NULL) arena_close(&s->arena);
    *s = (struct session){ 0 };
}

/* --- Configuration ---------------------------------------------------------------------------------------------------- */

/* The failure carries the problems, so that it can travel to the rank that prints. */
static enum status carry(enum status s, const struct text *problems)
{
    if (problems->length == 0) return s;
    size_t n = problems->length;
    while (n > 0 && problems->data[n - 1] == '\n') n--;
    return status_fail(s, __FILE__, __LINE__, "%.*s", (int)n, problems->data);
}

enum status session_read(struct session *s, const char *path, const struct options *options)
{
    struct text problems = { 0 };
    enum status result = config_read(path, options->override, options->n_overrides, worker_tables(), &s->arena, &s->config, &problems);
    if (result != ST_OK) result = carry(result, &problems);
    text_free(&problems);
    TRY(result);
    return session_tokenizer(s);
}

enum status session_tokenizer(struct session *s)
{
    TRY(tokenizer_open(&s->arena, s->config->tokenizer, &s->tokenizer));
    s->config->model.vocab = s->tokenizer.vocab;
    return ST_OK;
}

enum status session_tell_tokenizer(struct session *s, struct worker *w)
{
    const struct tokenizer *t = &s->tokenizer;
    struct text text = { 0 };
    int32_t *bytes = arena_place_n(&s->arena, (size_t)t->vocab, sizeof *bytes);
    for (int32_t id = 0; id < t->vocab; id++) {
        text.length = 0;
        if (id != t->end_of_document) (void)t->desc->decode(t, false, id, &text); /* an id without a token stands for nothing */
        bytes[id] = (int32_t)text.length;
    }
    text_free(&text);
    return worker_tokenizer(w, t->digest, bytes);
}

/* Problems begin with file:line:column, so that editors find them: they are printed as they are, once, by whoever speaks. */
static enum status tell_problems(enum status s, bool speaks, const char *path)
{
    if (s != ST_CONFIG) return s;
    if (speaks) (void)fprintf(stderr, "%s\n", status_text());
    FAIL(ST_CONFIG, "%s: nothing was started; the lines above say what to correct", path);
}

enum status session_config(struct session *s, const char *path, const struct options *options)
{
    return tell_problems(session_read(s, path, options), true, path);
}

enum status session_config_all(const struct comm *world, struct session *s, const char *path, const struct options *options)
{
    TRY(tell_problems(comm_agree(world, session_read(s, path, options)), comm_rank(world) == 0, path));
    return comm_same(world, "configuration", config_digest(s->config, worker_tables()));
}

enum status session_config_stored(struct arena *arena, const char *name, const struct text *text, struct config **out)
{
    struct text problems = { 0 };
    enum status s = config_parse(name, text->data, text->length, NULL, 0, worker_tables(), arena, out, &problems);
    if (s != ST_OK) s = status_fail(ST_DAMAGED, __FILE__, __LINE__, "%s: the stored configuration does not read:\n%s", name, problems.data);
    text_free(&problems);
    return s;
}

/* --- Machine ---------------------------------------------------------------------------------------------------------- */

static enum status choose_machine(struct session *s)
{
    if (getenv("OMP_NUM_THREADS") == NULL) parallel_set_threads(s->cores.allowed / s->cores.sharing);
    s->threads = parallel_threads();
    return math_start(getenv("LAMINA_ISA"));
}

enum status session_machine(struct session *s)
{
    cores_here(&s->cores);
    return choose_machine(s);
}

enum status session_machine_all(const struct comm *world, struct session *s)
{
    s->ranks = comm_size(world);
    TRY(cores_all(world, &s->cores));
    TRY_ALL(world, choose_machine(s));
    return ST_OK;
}

/* --- Plan ------------------------------------------------------------------------------------------------------------- */

static enum status build_plan(struct session *s, enum dtype compute, int ranks)
{
    struct text problems = { 0 };
    enum status result = worker_plan(&s->arena, s->config, compute, ranks, &s->plan, &problems);
    if (result != ST_OK) result = carry(result, &problems);
    text_free(&problems);
    return result;
}

/* lacking: a host without bf16 hardware, NULL when all have it. */
static void explain_precision(struct session *s, enum dtype compute, const char *lacking)
{
    const char *how = product_describe(compute);
    if (s->precision_kept)
        (void)snprintf(s->precision, sizeof s->precision, "%s, as the run began (%s)", dtype_name(compute), how);
    else if (s->config->precision.compute != COMPUTE_AUTO)
        (void)snprintf(s->precision, sizeof s->precision, "%s, as the configuration asks (%s)", dtype_name(compute), how);
    else if (lacking == NULL)
        (void)snprintf(s->precision, sizeof s->precision, "bf16: auto, and every rank has hardware for it (%s)", how);
    else
        (void)snprintf(s->precision, sizeof s->precision, "fp32: auto, and %s has no hardware for bf16 (%s)", lacking, how);
}

static void resolve_precision(struct config *config, enum dtype compute)
{
    config->precision.compute = compute == DT_BF16 ? COMPUTE_BF16 : COMPUTE_FP32;
}

enum status session_lay_out(struct session *s, int ranks)
{
    const enum dtype compute = worker_compute(s->config);
    explain_precision(s, compute, compute == DT_BF16 ? NULL : "this machine");
    resolve_precision(s->config, compute);
    s->ranks = ranks;
    return build_plan(s, compute, ranks);
}

enum status session_plan(struct session *s, int ranks) { return tell_problems(session_lay_out(s, ranks), true, s->config->file); }

enum status session_plan_all(const struct comm *world, struct session *s)
{
    /* The lowest rank without bf16, or size. */
    int64_t lacking = worker_compute(s->config) == DT_BF16 ? comm_size(world) : comm_rank(world);
    lacking = -lacking;
    TRY(comm_max_i64(world, COMM_CONTROL, &lacking, 1));
    lacking = -lacking;
    const enum dtype compute = lacking == comm_size(world) ? DT_BF16 : DT_F32;
    explain_precision(s, compute, compute == DT_BF16 ? NULL : comm_host(world, (int)lacking));
    resolve_precision(s->config, compute);
    return tell_problems(comm_agree(world, build_plan(s, compute, comm_size(world))), comm_rank(world) == 0, s->config->file);
}

/* --- Sameness and speed ------------------------------------------------------------------------------------------------ */

/* What the ranks tell each other: what their kernels compute, and what could make them compute the same. */
struct numerics {
    struct digest128 kernel[FINGERPRINT_MAX];
    int level;      /* best instruction set of the machine */
    char asked[16]; /* LAMINA_ISA */
};

/* What to do about unlike ranks. Where all have the word that usually helps, the libraries compute by something else (sizes of caches). */
static void advise(const struct numerics *all, int size, char *out, size_t room)
{
    int level = all[0].level;
    for (int r = 1; r < size; r++) level = all[r].level < level ? all[r].level : level;
    const char *word = math_isa_for(level);
    bool set = true;
    for (int r = 0; r < size; r++) set = set && strcmp(all[r].asked, word) == 0;
    if (!set)
        (void)snprintf(out, room, "set LAMINA_ISA=%s for all ranks, or use like machines", word);
    else
        (void)snprintf(out, room, "LAMINA_ISA=%s, which all have, is not enough here: use like machines with the same libraries", word);
}

enum status session_fingerprint_all(const struct comm *world, struct session *s)
{
    struct fingerprint mine = { 0 };
    struct numerics here = { .level = math_isa_level() };
    const char *asked = getenv("LAMINA_ISA");
    worker_fingerprint(&s->plan, &mine);
    s->fingerprint = fingerprint_digest(&mine);
    memcpy(here.kernel, mine.digest, sizeof here.kernel);
    (void)snprintf(here.asked, sizeof here.asked, "%s", asked != NULL ? asked : "");
    const int size = comm_size(world);
    struct numerics *all = arena_place_n(&s->arena, (size_t)size, sizeof *all);
    TRY(comm_same(world, "list of kernels", digest_bytes(&mine.n, sizeof mine.n)));
    TRY(comm_gather_all(world, COMM_CONTROL, &here, sizeof here, all));
    for (int r = 1; r < size; r++) {
        for (int k = 0; k < mine.n; k++) {
            if (digest_equal(all[0].kernel[k], all[r].kernel[k])) continue;
            char advice[160];
            advise(all, size, advice, sizeof advice);
            FAIL(ST_LAUNCH, "rank 0 on %s and rank %d on %s compute %s with different bits: %s", comm_host(world, 0), r,
                 comm_host(world, r), mine.kernel[k], advice);
        }
    }
    return ST_OK;
}

enum status session_peak_all(const struct comm *world, struct session *s, bool at_length)
{
    TRY(comm_barrier(world)); /* all at one time: ranks of a node share its cores and its memory */
    const double mine = at_length ? 1e9 * product_peak(s->plan.compute) : peak_quick(s->plan.compute);
    int64_t sum = (int64_t)mine;
    TRY(comm_sum_i64(world, COMM_CONTROL, &sum, 1));
    const double used = (double)s->ranks * s->threads, share = s->cores.world < used ? s->cores.world / used : 1;
    s->peak = share * (double)sum; /* the best of ranks that share a core are moments when the others waited */
    return ST_OK;
}
