#include "commands.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "coordinator/private.h"
#include "coordinator/signals.h"
#include "environment.h"
#include <stdio.h>
#include <string.h>

const struct command *const command_table[] = {
    &command_check,
    &command_plan,
    &command_train,
    &command_eval,
    &command_generate,
    &command_report,
    &command_sweep,
    &command_show,
    &command_verify,
    &command_hash,
    &command_diff,
    &command_export,
    &command_tokenizer_train,
    &command_tokenizer_encode,
    &command_tokenizer_decode,
    &command_tokenizer_show,
    &command_data_build,
    &command_data_show,
    &command_optim_list,
    &command_optim_show,
    &command_optim_try,
    &command_info,
    &command_bench,
    &command_slurm,
    &command_reference,
    NULL,
};

/* The command whose one or two words begin argv; *words tells how many. */
static const struct command *find_command(int argc, char *const argv[], int *words)
{
    for (const struct command *const *at = command_table; *at != NULL; at++) {
        const char *name = (*at)->name, *space = strchr(name, ' ');
        *words = space != NULL ? 2 : 1;
        if (argc < *words) continue;
        if (space == NULL ? strcmp(argv[0], name) == 0
                          : strlen(argv[0]) == (size_t)(space - name) && strncmp(argv[0], name, (size_t)(space - name)) == 0 &&
                                strcmp(argv[1], space + 1) == 0)
            return *at;
    }
    return NULL;
}

static enum status unknown_command(int argc, char *const argv[])
{
    const char *names[OPTIONS_MAX];
    size_t n = 0, group = strlen(argv[0]);
    for (const struct command *const *at = command_table; *at != NULL; at++) {
        names[n++] = (*at)->name;
        if (strncmp((*at)->name, argv[0], group) == 0 && (*at)->name[group] == ' ')
            FAIL(ST_USAGE, "\"%s\" needs a second word, as in: lamina %s", argv[0], (*at)->name);
    }
    const char *near = str_nearest(argv[0], names, n);
    if (near != NULL) FAIL(ST_USAGE, "no command \"%s\"; did you mean \"%s\"?", argv[0], near);
    FAIL(ST_USAGE, "no command \"%s\"; lamina --help lists them", argv[0]);
}

static enum status print_help(const struct command *command)
{
    struct text out = { 0 };
    if (command != NULL)
        help_command(command, &out);
    else
        help_all(&out);
    (void)fputs(out.data, stdout);
    text_free(&out);
    return ST_OK;
}

/* Which command, with which options; *command stays NULL where the text asked for is already printed. */
static enum status understand(int argc, char *const argv[], const struct command **command, struct options *options)
{
    int words = 0;
    *command = NULL;
    if (argc < 1) FAIL(ST_USAGE, "a command is missing; lamina --help lists them");
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0) return print_help(NULL);
    if (strcmp(argv[0], "--version") == 0) return printf("lamina %s\n", LAMINA_VERSION) > 0 ? ST_OK : ST_IO;
    const struct command *found = find_command(argc, argv, &words);
    if (found == NULL) return unknown_command(argc, argv);
    TRY(options_parse(&found->rules, argc - words, argv + words, options));
    if (options->help) return print_help(found);
    *command = found;
    return ST_OK;
}

/* Every rank leaves with the same status; the sentence is printed by rank 0, whichever rank it came from. */
static enum status run_collective(const struct command *command, const struct options *options)
{
    struct comm *world = NULL;
    if (command->stops_politely) signals_install();
    enum status s = comm_start(&world);
    if (s == ST_OK) {
        log_mute(comm_rank(world) != 0);
        fault_arm_from_environment(comm_rank(world));
        s = command->collective(world, options);
    }
    if (s != ST_OK && s != ST_STOPPED && s != ST_DIFFER) log_failure(s);
    (void)fflush(stdout);
    comm_finish(world);
    return s;
}

static enum status run_local(const struct command *command, const struct options *options)
{
    if (command->stops_politely) signals_install();
    fault_arm_from_environment(environment_rank());
    const enum status s = command->local(options);
    if (s != ST_OK && s != ST_DIFFER && s != ST_STOPPED) log_failure(s);
    return s;
}

enum status commands_run(int argc, char *const argv[])
{
    struct options options;
    const struct command *command = NULL;
    const bool speaks = environment_rank() == 0; /* of several processes that a launcher started, one */
    log_mute(!speaks);
    if (!speaks && freopen("/dev/null", "w", stdout) == NULL) return ST_IO;
    enum status s = understand(argc - 1, argv + 1, &command, &options);
    if (s != ST_OK)
        log_failure(s);
    else if (command != NULL)
        s = command->collective != NULL && (command->local == NULL || environment_is_rank()) ? run_collective(command, &options)
                                                                                             : run_local(command, &options);
    if (fflush(stdout) != 0 && s == ST_OK) { /* a full disk or a closed pipe behind stdout */
        log_warn("the output could not be written completely");
        s = ST_IO;
    }
    return s;
}
