#include "commands.h"
#include "common/base/digest.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "coordinator/built.h"
#include "coordinator/private.h"
#include "coordinator/signals.h"
#include "environment.h"
#include <errno.h>
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
    if (strcmp(argv[0], "--version") == 0) return printf("lamina %s\n", built_version) > 0 ? ST_OK : ST_IO;
    const struct command *found = find_command(argc, argv, &words);
    if (found == NULL) return unknown_command(argc, argv);
    TRY(options_parse(&found->rules, argc - words, argv + words, options));
    if (options->help) return print_help(found);
    *command = found;
    return ST_OK;
}

/* Ranks of other builds would compute other bits, or wait for messages that never come. Where there is no /proc, nobody can tell. */
static enum status same_program(const struct comm *world)
{
    struct digest128 mine;
    if (digest_file("/proc/self/exe", &mine) != ST_OK) mine = (struct digest128){ 0 };
    return comm_same(world, "the program", mine);
}

static bool is_failure(enum status s) { return s != ST_OK && s != ST_STOPPED && s != ST_DIFFER; }

/* Every rank leaves with the same status, and rank 0 alone tells why, whichever rank it comes from. A launcher ends all ranks as soon as
 * one of them has left with an error, perhaps before rank 0 has spoken: so a rank that fails before MPI starts (`before`; it may have no
 * command) starts MPI all the same, and no rank leaves before rank 0 has come to meet it. */
static enum status run_collective(const struct command *command, const struct options *options, enum status before)
{
    struct comm *world = NULL;
    const bool told = is_failure(before) && environment_rank() == 0; /* at once: MPI may not start, and say so in many words */
    if (told) log_failure(before);
    if (is_failure(before)) comm_guard_code(status_exit_code(before));
    if (command != NULL && command->stops_politely) signals_install();
    enum status s = comm_start(&world);
    const bool joined = s == ST_OK;
    if (joined) {
        log_mute(comm_rank(world) != 0);
        fault_arm_from_environment(comm_rank(world));
        s = comm_agree(world, before);
        if (s == ST_OK && command != NULL) s = same_program(world);
        if (s == ST_OK && command != NULL) s = command->collective(world, options);
    }
    if (is_failure(s) && !told) log_failure(s);
    (void)fflush(stdout);
    const bool apart = !joined && world != NULL; /* not the promised world: others stand in worlds of their own and cannot be met */
    comm_finish(world);
    if (apart && environment_rank() != 0) return ST_OK; /* leave the end to the one that speaks */
    return joined || before == ST_OK ? s : before;
}

static enum status run_local(const struct command *command, const struct options *options)
{
    if (command->stops_politely) signals_install();
    fault_arm_from_environment(environment_rank());
    return command->local(options);
}

/* Of several processes that a launcher started, rank 0 has stdout. */
static enum status be_silent(void)
{
    log_mute(true);
    if (freopen("/dev/null", "w", stdout) == NULL) FAIL(ST_IO, "/dev/null cannot be opened: %s", strerror(errno));
    return ST_OK;
}

enum status commands_run(int argc, char *const argv[])
{
    struct options options;
    const struct command *command = NULL;
    const bool is_rank = environment_is_rank(), speaks = environment_rank() == 0;
    (void)environment_launched(); /* before MPI changes the environment */
    enum status s = speaks ? ST_OK : be_silent();
    if (s == ST_OK) s = understand(argc - 1, argv + 1, &command, &options);
    const bool understood = s == ST_OK && command != NULL;
    const bool together = understood && command->collective != NULL && (command->local == NULL || is_rank);
    if (understood && !together && (speaks || command->every_rank)) s = run_local(command, &options);
    if (together || (is_failure(s) && is_rank && (command == NULL || command->every_rank)))
        s = run_collective(together ? command : NULL, &options, s);
    else if (is_failure(s))
        log_failure(s);
    if (fflush(stdout) != 0 && s == ST_OK) { /* a full disk or a closed pipe behind stdout */
        log_warn("the output could not be written completely");
        s = ST_IO;
    }
    return s;
}
