/* lamina hash: the state digest of checkpoints, a line each as sha256sum prints them. It is computed from the tensors, so it is the digest
 * that `train` prints, at whatever rank count either runs. */
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include <stdio.h>

static const struct option_row hash_options[] = {
    RUN_REF_FOLDER_ROW,
    { .name = "weights", .type = OPTION_FLAG, .help = "of the weights alone: without optimizer state, step and exponents" },
    { 0 },
};

/* The digest is of the weights that are trained, whatever an evaluation would take. */
static void adjust(struct config *config, const struct options *options)
{
    run_ref_without_data(config, options);
    config->eval.weights = EVAL_TRAINED;
}

static enum status hash_one(const struct comm *world, const struct options *options, const char *word, struct run_opened *o)
{
    const bool weights = option_flag(options, "weights");
    struct digest128 digest;
    char hex[DIGEST_HEX];
    TRY(run_ref_load(world, word, option_text(options, "folder"), weights ? WORKER_EVALUATE : WORKER_TRAIN, adjust, options, o));
    TRY(worker_digest(world, o->worker, weights, &digest));
    if (comm_rank(world) == 0) (void)printf("%s  %s\n", digest_hex(digest, hex), word);
    return ST_OK;
}

static enum status hash_run(const struct comm *world, const struct options *options)
{
    for (int i = 0; i < options->n_operands; i++) {
        struct run_opened o = { 0 };
        const enum status s = hash_one(world, options, options->operand[i], &o);
        run_opened_close(&o);
        TRY(s);
    }
    return ST_OK;
}

const struct command command_hash = {
    .name = "hash",
    .group = "state",
    .summary = "Print the state digest of checkpoints",
    .rules = { .rows = hash_options, .least = 1, .most = -1, .usage = "RUN ... [options]" },
    .notes = RUN_REF_NOTES,
    .example = "lamina hash quickstart@200 quickstart@400",
    .collective = hash_run,
};
