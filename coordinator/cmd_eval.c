/* lamina eval: loss, perplexity and bits per byte of a checkpoint on token files. */
#include "common/base/check.h"
#include "common/data/tokens.h"
#include "coordinator/metrics_file.h"
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include "coordinator/sinks/sink.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row eval_options[] = {
    RUN_REF_FOLDER_ROW,
    RUN_REF_WEIGHTS_ROW,
    { .name = "split", .type = OPTION_TEXT, .arg = "NAME", .value = "valid", .help = "which sources of the run: valid or train" },
    { .name = "data", .type = OPTION_TEXT, .arg = "FILE", .help = "this token file instead" },
    { .name = "batches",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "0",
      .low = 0,
      .high = 1e12,
      .help = "batches of each source; 0: all of it" },
    OPTION_JSON_ROW,
    { 0 },
};

/* What is to be evaluated stands in data.valid; nothing else is opened. */
static void choose_data(struct config *config, const struct options *options)
{
    struct data_config *d = &config->data;
    const char *file = option_text(options, "data");
    if (file != NULL) {
        d->n_valid = 1;
        d->valid[0].weight = 1;
        (void)snprintf(d->valid[0].name, sizeof d->valid[0].name, "%s", file);
        (void)snprintf(d->valid[0].path, sizeof d->valid[0].path, "%s", file);
    } else if (strcmp(option_text(options, "split"), "train") == 0) {
        d->n_valid = d->n_train;
        memcpy(d->valid, d->train, sizeof d->valid);
    }
    d->n_train = 0;
    run_ref_choose_weights(config, options);
}

static void print_result(const struct options *options, const char *name, const struct tokens *data, const struct eval_result *r)
{
    if (option_flag(options, "json")) {
        json_t *o = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "source", name, "tokens", (json_int_t)r->tokens, "bytes",
                              metrics_number(r->bytes), "loss", metrics_number(r->loss), "perplexity", metrics_number(exp(r->loss)),
                              "bits_per_byte", metrics_number(r->bits_per_byte), "order0", metrics_number(data->entropy0), "order1",
                              metrics_number(data->entropy1));
        char *text = o != NULL ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
        CHECK(text != NULL);
        (void)printf("%s\n", text);
        free(text);
        json_decref(o);
        return;
    }
    char count[32];
    (void)printf("%s: loss %.6f, perplexity %.4f, %.4f bits/byte over %s tokens", name, r->loss, exp(r->loss), r->bits_per_byte,
                 str_count(count, sizeof count, r->tokens));
    if (isfinite(data->entropy0)) (void)printf(" (order-0 bytes %.2f, order-1 %.2f)", data->entropy0, data->entropy1);
    (void)printf("\n");
}

static enum status eval_opened(const struct comm *world, const struct options *options, struct run_opened *o)
{
    TRY(run_ref_load(world, options->operand[0], option_text(options, "folder"), WORKER_EVALUATE, choose_data, options, o));
    const struct data_config *d = &o->session.config->data;
    if (d->n_valid == 0) FAIL(ST_USAGE, "the run has no such sources: give a token file with --data FILE");
    struct evaluation_sum sum = { 0 };
    struct evaluation_metrics m = { 0 };
    for (int i = 0; i < d->n_valid; i++) {
        m.weight = d->valid[i].weight;
        TRY(worker_evaluate(world, o->worker, i, option_integer(options, "batches"), &m.result));
        evaluation_add(&sum, &m);
        if (comm_rank(world) == 0) print_result(options, d->valid[i].name, worker_valid(o->worker, i), &m.result);
    }
    if (comm_rank(world) == 0 && d->n_valid > 1 && !option_flag(options, "json"))
        (void)printf("mean of %d sources, by their weights: loss %.6f, %.4f bits/byte\n", d->n_valid, m.mean_loss, m.mean_bits);
    return ST_OK;
}

static enum status eval_run(const struct comm *world, const struct options *options)
{
    const char *split = option_text(options, "split");
    if (strcmp(split, "valid") != 0 && strcmp(split, "train") != 0) FAIL(ST_USAGE, "--split is valid or train, not \"%s\"", split);
    TRY(run_ref_weights(options));
    struct run_opened o = { 0 };
    const enum status s = eval_opened(world, options, &o);
    run_opened_close(&o);
    return s;
}

const struct command command_eval = {
    .name = "eval",
    .group = "daily",
    .summary = "Loss, perplexity and bits per byte of a checkpoint",
    .rules = { .rows = eval_options, .least = 1, .most = 1, .usage = "RUN [options]" },
    .notes = RUN_REF_NOTES "\nThe sum is exact, so the numbers are the same at any number of ranks.",
    .example = "mpirun -n 2 lamina eval quickstart",
    .collective = eval_run,
};
