/* lamina bench: how fast a training step is here, and where its time goes, beside what the machine can do. */
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "common/math/product.h"
#include "coordinator/bench.h"
#include "coordinator/bench_optimizers.h"
#include "coordinator/bench_tokenizer.h"
#include "coordinator/private.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row bench_options[] = {
    { .name = "layers", .type = OPTION_INTEGER, .arg = "N", .value = "12", .low = 1, .high = 1000, .help = "transformer blocks" },
    { .name = "micro", .type = OPTION_INTEGER, .arg = "N", .value = "4", .low = 1, .high = 1024, .help = "sequences per microbatch" },
    { .name = "context", .type = OPTION_INTEGER, .arg = "N", .value = "1024", .low = 1, .high = 1 << 20, .help = "tokens per sequence" },
    { .name = "vocab", .type = OPTION_INTEGER, .arg = "N", .value = "50257", .low = 2, .high = 1 << 24, .help = "size of the vocabulary" },
    { .name = "steps",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "1",
      .low = 0,
      .high = 1000,
      .help = "training steps to time; the best counts; 0: optimizers alone" },
    { .name = "peak",
      .type = OPTION_NUMBER,
      .arg = "GFLOPS",
      .value = "0",
      .low = 0,
      .high = 1e9,
      .help = "fp32 peak of all ranks together, where it is known; 0: measure it" },
    { .name = "precision", .type = OPTION_TEXT, .arg = "NAME", .value = "both", .help = "fp32, bf16 or both" },
    { .name = "optimizers",
      .type = OPTION_TEXT,
      .arg = "NAMES",
      .value = "some",
      .help = "whose steps to time: NAME[/STATE],... (state fp32, bf16, q8), all, some (not those that take minutes), none" },
    { .name = "tokenizer",
      .type = OPTION_TEXT,
      .arg = "NAME",
      .help = "time nothing but this tokenizer, on the text of --text: bytes, or the path of a tokenizer.json" },
    { .name = "text", .type = OPTION_TEXT, .arg = "FILE", .help = "a text file for --tokenizer" },
    OPTION_JSON_ROW,
    { 0 },
};

enum { TOKENIZER_PASSES = 3 };

static const struct {
    const char *name;
    enum compute_choice compute;
} precisions[] = { { "fp32", COMPUTE_FP32 }, { "bf16", COMPUTE_BF16 } };
enum { PRECISIONS = 2 };

/* A machine that others use as well is slower at times: the peak is the best of the looks taken before and after the steps. */
struct bench {
    struct session session;
    struct bench_machine machine;
    bool chosen[PRECISIONS];
    struct bench_step step[PRECISIONS];
    int weights; /* precision whose weights the optimizers below move */
    struct bench_optimizers optimizers;
};

/* --- As text ------------------------------------------------------------------------------------------------------------ */

static const char *const unit_names[UNIT_KINDS] = { [UNIT_EMBEDDING] = "embedding", [UNIT_BLOCK] = "blocks", [UNIT_HEAD] = "head" };

static void print_cost(const struct op_cost *c)
{
    (void)printf("  %9.1f %8.1f %7.1f", 1e3 * c->seconds, 1e-9 * c->flops / c->seconds, 1e-9 * c->bytes / c->seconds);
}

/* Ops that did not run have no row: the loss is computed by its backward. */
static void print_ops(const struct bench_step *step)
{
    (void)printf("  %-34s  %9s %8s %7s  %9s %8s %7s\n", "op of rank 0", "ms fwd", "GFLOP/s", "GB/s", "ms bwd", "GFLOP/s", "GB/s");
    for (int kind = 0; kind < UNIT_KINDS; kind++)
        for (int i = 0; i < step->n_ops[kind]; i++) {
            const struct op_time *t = &step->ops[kind][i];
            char name[64];
            (void)snprintf(name, sizeof name, "%s: %s %lld to %lld", unit_names[kind], t->op, (long long)t->cols_in,
                           (long long)t->cols_out);
            (void)printf("  %-34s", name);
            if (t->forward.seconds > 0)
                print_cost(&t->forward);
            else
                (void)printf("  %9s %8s %7s", "-", "-", "-");
            if (t->backward.seconds > 0) print_cost(&t->backward);
            (void)printf("\n");
        }
}

static void print_step(const struct bench *b, int i)
{
    const struct bench_step *s = &b->step[i];
    const struct phase_times *p = &s->phases;
    const double rest = p->total - p->forward - p->backward - p->gather - p->reduce - p->optimizer - p->data;
    (void)printf("\n%s: %lld tokens in %.3f s = %.1f tokens/s = %.1f GFLOP/s, %.1f %% of fp32 peak", precisions[i].name,
                 (long long)s->tokens, s->seconds, (double)s->tokens / s->seconds, 1e-9 * s->flops / s->seconds,
                 100 * s->flops / s->seconds / b->machine.fp32);
    if (i == 1 && b->machine.bf16 > 0) (void)printf(", %.1f %% of bf16 peak", 100 * s->flops / s->seconds / b->machine.bf16);
    if (i == 1 && b->chosen[0]) (void)printf(", %.2f of fp32's speed", b->step[0].seconds / s->seconds);
    (void)printf("\n  forward %.3f, backward %.3f, gather %.3f, reduce %.3f, optimizer %.3f, data %.3f, rest %.3f s\n", p->forward,
                 p->backward, p->gather, p->reduce, p->optimizer, p->data, rest);
    (void)printf("  optimizer: %.1f GB/s = %.2f of a copy's\n", 1e-9 * s->optimizer_bytes / p->optimizer,
                 s->optimizer_bytes / p->optimizer / b->machine.copy);
    print_ops(s);
}

/* What a training step would take with this optimizer is what it took but for its own. */
static double share(const struct bench_step *step, double seconds) { return seconds / (step->seconds - step->phases.optimizer + seconds); }

static void print_optimizer(const struct bench *b, const struct bench_optimizer *o)
{
    const struct optimizer_cost *c = &o->cost;
    (void)printf("  %-15s %-5s %9.2f %9.1f", o->opt->variant.name, o->state, c->state_bytes / c->elements, 1e3 * c->seconds);
    for (int i = 0; i < PRECISIONS; i++)
        if (b->chosen[i]) (void)printf(" %11.2f %%", 100 * share(&b->step[i], c->seconds));
    if (o->whole)
        (void)printf(" %7s %7s %9.1f\n", "-", "-", 1e-9 * c->flops / c->seconds);
    else
        (void)printf(" %7.1f %7.2f\n", 1e-9 * c->bytes / c->seconds, c->bytes / c->seconds / b->machine.copy);
}

static void print_optimizers(const struct bench *b)
{
    const struct bench_optimizers *o = &b->optimizers;
    if (o->n == 0) return;
    (void)printf(
        "\noptimizer steps of %.0f parameters in %s by themselves; a rule with GFLOP/s has the matrices of attention and MLP, adamw "
        "the rest\n  %-15s %-5s %9s %9s",
        o->row[0].cost.elements, precisions[b->weights].name, "", "state", "B/param", "ms");
    for (int i = 0; i < PRECISIONS; i++)
        if (b->chosen[i]) (void)printf("  of %s step", precisions[i].name);
    (void)printf(" %7s %7s %9s\n", "GB/s", "of copy", "GFLOP/s");
    for (int i = 0; i < o->n; i++) print_optimizer(b, &o->row[i]);
}

static void print_text(const struct bench *b)
{
    const struct config *c = b->session.config;
    (void)printf(
        "%s: %lld layers, width %lld, vocabulary %lld; T = %lld, %lld sequences per microbatch, one microbatch per rank and step\n",
        c->model.family, (long long)c->model.layers, (long long)c->model.width, (long long)c->model.vocab, (long long)c->model.context,
        (long long)c->batch.micro);
    (void)printf("%d ranks x %d threads on %d cores; %s\n", b->session.ranks, b->session.threads, b->session.cores.world,
                 product_describe(DT_F32));
    (void)printf("peak: fp32 %.1f GFLOP/s", 1e-9 * b->machine.fp32);
    if (b->machine.bf16 > 0)
        (void)printf(", bf16 %.1f GFLOP/s", 1e-9 * b->machine.bf16);
    else
        (void)printf(", bf16 not in hardware");
    (void)printf("; copy %.1f GB/s\n", 1e-9 * b->machine.copy);
    for (int i = 0; i < PRECISIONS; i++)
        if (b->chosen[i]) print_step(b, i);
    print_optimizers(b);
}

/* --- As JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *ops_json(const struct bench_step *step)
{
    json_t *all = json_array();
    for (int kind = 0; kind < UNIT_KINDS; kind++)
        for (int i = 0; i < step->n_ops[kind]; i++) {
            const struct op_time *t = &step->ops[kind][i];
            const struct op_cost *f = &t->forward, *b = &t->backward;
            json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:[f, f, f], s:[f, f, f]}", "unit", unit_names[kind], "op", t->op, "cols_in",
                                    (json_int_t)t->cols_in, "cols_out", (json_int_t)t->cols_out, "forward_seconds_flops_bytes", f->seconds,
                                    f->flops, f->bytes, "backward_seconds_flops_bytes", b->seconds, b->flops, b->bytes);
            CHECK(row != NULL && json_array_append_new(all, row) == 0);
        }
    return all;
}

static json_t *step_json(const struct bench *b, int i)
{
    const struct bench_step *s = &b->step[i];
    const struct phase_times *p = &s->phases;
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f}, s:f, s:o}", "precision", precisions[i].name,
                     "tokens", (json_int_t)s->tokens, "seconds", s->seconds, "flops", s->flops, "of_fp32_peak",
                     s->flops / s->seconds / b->machine.fp32, "phases", "forward", p->forward, "backward", p->backward, "gather", p->gather,
                     "reduce", p->reduce, "optimizer", p->optimizer, "data", p->data, "total", p->total, "optimizer_bytes",
                     s->optimizer_bytes, "ops", ops_json(s));
}

static json_t *optimizers_json(const struct bench *b)
{
    json_t *all = json_array();
    for (int i = 0; i < b->optimizers.n; i++) {
        const struct bench_optimizer *o = &b->optimizers.row[i];
        const struct optimizer_cost *c = &o->cost;
        json_t *shares = json_object();
        for (int k = 0; k < PRECISIONS; k++)
            if (b->chosen[k]) CHECK(json_object_set_new(shares, precisions[k].name, json_real(share(&b->step[k], c->seconds))) == 0);
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "optimizer", o->opt->variant.name, "state", o->state,
                      "weights", precisions[b->weights].name, "matrices_alone", o->whole, "state_bytes_per_parameter",
                      c->state_bytes / c->elements, "seconds", c->seconds, "bytes", c->bytes, "bytes_per_second", c->bytes / c->seconds,
                      "of_copy", c->bytes / c->seconds / b->machine.copy, "flops", c->flops, "of_step", shares);
        CHECK(row != NULL && json_array_append_new(all, row) == 0);
    }
    return all;
}

static void print_json(const struct bench *b)
{
    const struct config *c = b->session.config;
    json_t *steps = json_array();
    for (int i = 0; i < PRECISIONS; i++)
        if (b->chosen[i]) CHECK(json_array_append_new(steps, step_json(b, i)) == 0);
    json_t *all = json_pack("{s:s, s:I, s:I, s:I, s:I, s:i, s:i, s:f, s:f, s:f, s:o, s:o}", "family", c->model.family, "layers",
                            (json_int_t)c->model.layers, "vocab", (json_int_t)c->model.vocab, "context", (json_int_t)c->model.context,
                            "micro", (json_int_t)c->batch.micro, "ranks", b->session.ranks, "threads", b->session.threads,
                            "fp32_peak_flops", b->machine.fp32, "bf16_peak_flops", b->machine.bf16, "copy_bytes_per_second",
                            b->machine.copy, "steps", steps, "optimizers", optimizers_json(b));
    char *text = all != NULL ? json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    CHECK(text != NULL);
    (void)printf("%s\n", text);
    free(text);
    json_decref(all);
}

/* --- Measuring ---------------------------------------------------------------------------------------------------------- */

static enum status look_at_machine(const struct comm *world, const struct options *options, struct bench *b)
{
    struct bench_machine now, *best = &b->machine;
    TRY(bench_machine(world, 1e9 * option_number(options, "peak"), &now));
    if (now.fp32 > best->fp32) best->fp32 = now.fp32;
    if (now.bf16 > best->bf16) best->bf16 = now.bf16;
    if (now.copy > best->copy) best->copy = now.copy;
    return ST_OK;
}

/* steps 0: no precision is chosen, and optimizers move fp32 weights unless bf16 alone is asked for. */
static enum status choose(const struct options *options, struct bench *b)
{
    const char *wanted = option_text(options, "precision");
    for (int i = 0; i < PRECISIONS; i++) b->chosen[i] = strcmp(wanted, "both") == 0 || strcmp(wanted, precisions[i].name) == 0;
    if (!b->chosen[0] && !b->chosen[1]) FAIL(ST_USAGE, "--precision is fp32, bf16 or both, not \"%s\"", wanted);
    b->weights = b->chosen[0] ? 0 : 1;
    for (int i = 0; i < PRECISIONS; i++) b->chosen[i] &= option_integer(options, "steps") > 0;
    return bench_optimizers_choose(option_text(options, "optimizers"), &b->optimizers);
}

static enum status time_steps(const struct comm *world, const struct options *options, struct bench *b, int i)
{
    log_note("%s: steps of %lld sequences, the first of them not timed", precisions[i].name, (long long)b->session.config->batch.sequences);
    b->session.config->precision.compute = precisions[i].compute;
    TRY(session_plan_all(world, &b->session));
    TRY(bench_steps(world, &b->session, option_integer(options, "steps"), &b->step[i]));
    return look_at_machine(world, options, b);
}

/* Between them the copy is looked at again: by itself it takes no time. */
static enum status time_optimizers(const struct comm *world, const struct options *options, struct bench *b)
{
    b->session.config->precision.compute = precisions[b->weights].compute;
    for (int i = 0; i < b->optimizers.n; i++) {
        double copy;
        TRY(bench_optimizer_time(world, options, &b->session, &b->optimizers.row[i]));
        TRY(bench_copy(world, &copy));
        if (copy > b->machine.copy) b->machine.copy = copy;
    }
    return ST_OK;
}

static enum status bench_all(const struct comm *world, const struct options *options, struct bench *b)
{
    TRY(choose(options, b));
    TRY(session_machine_all(world, &b->session));
    TRY_ALL(world, bench_config(options, b->session.ranks, "clip: 1.0, defaults: {optimizer: adamw, lr: 1e-3}", &b->session));
    TRY(look_at_machine(world, options, b));
    for (int i = 0; i < PRECISIONS; i++)
        if (b->chosen[i]) TRY(time_steps(world, options, b, i));
    return time_optimizers(world, options, b);
}

static enum status bench_run(const struct comm *world, const struct options *options)
{
    struct bench b = { 0 };
    const char *const tokenizer = option_text(options, "tokenizer"), *const text = option_text(options, "text");
    if ((tokenizer == NULL) != (text == NULL)) FAIL(ST_USAGE, "--tokenizer and --text belong together");
    if (tokenizer != NULL) { /* on one core, of rank 0 */
        TRY_ALL(world, comm_rank(world) == 0 ? bench_tokenizer(tokenizer, text, TOKENIZER_PASSES, option_flag(options, "json")) : ST_OK);
        return ST_OK;
    }
    session_open(&b.session);
    const enum status s = bench_all(world, options, &b);
    if (s == ST_OK && comm_rank(world) == 0) {
        if (option_flag(options, "json"))
            print_json(&b);
        else
            print_text(&b);
    }
    session_close(&b.session);
    return s;
}

const struct command command_bench = {
    .name = "bench",
    .group = "machine",
    .summary = "Time training steps and every op in them, beside the machine's peak",
    .rules = { .rows = bench_options, .overrides = true, .usage = "[options] [key.path=value ...]" },
    .notes =
        "The shape is GPT-2's of 124 million parameters unless told otherwise; tokens are random. Needs about 7 GB per rank and, on two\n"
        "cores, some minutes. Optimizers are timed by themselves, on the memory and with the exchanges of a run: the best of some steps; "
        "of\n"
        "one whose steps differ (soap, shampoo, galore, sophia) the mean over a period, from one step of each kind. `some` leaves soap,\n"
        "shampoo and galore out. GB/s: gradients, weights and state, as they are stored. Peak: the best of plain, padded and packed\n"
        "products of the library, measured before and after the steps.",
    .example = "lamina bench --layers 4 --precision fp32",
    .collective = bench_run,
};
