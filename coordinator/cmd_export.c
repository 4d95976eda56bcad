/* lamina export: the weights of a checkpoint in a file that other programs read. */
#include "coordinator/private.h"
#include "coordinator/run_ref.h"
#include <stdio.h>
#include <string.h>

static const struct option_row export_options[] = {
    { .name = "out", .type = OPTION_TEXT, .arg = "FILE", .help = "file to write, in the format safetensors (must be given)" },
    { .name = "dtype", .type = OPTION_TEXT, .arg = "TYPE", .value = "fp32", .help = "fp32, as they are kept, or bf16, rounded to nearest" },
    RUN_REF_WEIGHTS_ROW,
    RUN_REF_FOLDER_ROW,
    { 0 },
};

static void adjust(struct config *config, const struct options *options)
{
    run_ref_without_data(config, options);
    run_ref_choose_weights(config, options);
}

static enum status check_options(const struct options *options, enum dtype *dtype)
{
    const char *const word = option_text(options, "dtype");
    if (option_text(options, "out") == NULL) FAIL(ST_USAGE, "--out FILE is missing");
    if (strcmp(word, "fp32") != 0 && strcmp(word, "bf16") != 0) FAIL(ST_USAGE, "--dtype is fp32 or bf16, not \"%s\"", word);
    *dtype = strcmp(word, "bf16") == 0 ? DT_BF16 : DT_F32;
    return run_ref_weights(options);
}

static enum status export_opened(const struct comm *world, const struct options *options, enum dtype dtype, struct run_opened *o)
{
    const char *const path = option_text(options, "out");
    TRY(run_ref_load(world, options->operand[0], option_text(options, "folder"), WORKER_EVALUATE, adjust, options, o));
    TRY(worker_export(world, o->worker, path, dtype));
    if (comm_rank(world) == 0)
        (void)printf("%s: %d tensors in %s, of step %lld\n", path, o->session.plan.partition.n_params, dtype_name(dtype),
                     (long long)o->facts.step);
    return ST_OK;
}

static enum status export_run(const struct comm *world, const struct options *options)
{
    struct run_opened o = { 0 };
    enum dtype dtype = DT_F32;
    TRY(check_options(options, &dtype));
    const enum status s = export_opened(world, options, dtype, &o);
    run_opened_close(&o);
    return s;
}

const struct command command_export = {
    .name = "export",
    .group = "state",
    .summary = "Write the weights of a checkpoint as safetensors",
    .rules = { .rows = export_options, .least = 1, .most = 1, .usage = "RUN --out FILE [options]" },
    .notes = RUN_REF_NOTES "\nTensors have the names that `show` prints. The bytes are the same at any number of ranks.",
    .example = "lamina export quickstart --weights average --out quickstart.safetensors",
    .collective = export_run,
};
