/* commands.h: what `lamina` can do: one row per command, one file cmd_NAME.c per row. Parsing, dispatch, --help and the command part of
 * configs/REFERENCE.md follow from the rows. Read options.h first. */
#ifndef LAMINA_COORDINATOR_COMMANDS_H
#define LAMINA_COORDINATOR_COMMANDS_H

#include "common/base/str.h"
#include "common/comm/comm.h"
#include "coordinator/options.h"

/* A collective command starts MPI and runs on every launched rank; a local one needs no MPI, and under a launcher only its first process
 * runs it: the others leave at once, with 0. One that has both is local where no launcher started it. */
struct command {
    const char *name; /* one or two words: "train", "data build" */
    const char *group, *summary;
    struct option_rules rules;
    const char *notes;   /* further help; NULL: none */
    const char *example; /* one line that works */
    bool stops_politely; /* USR1, TERM and INT are requests (signals.h), from before MPI starts */
    bool every_rank;     /* a local one that every launched rank runs, for it becomes a collective one (exec) */
    enum status (*local)(const struct options *options);
    enum status (*collective)(const struct comm *world, const struct options *options);
};

extern const struct command *const command_table[]; /* NULL-terminated, in the order of help */

/* argv[1..] of the process. Starts and ends MPI where the command needs it, and where launched ranks must leave
 * together; prints its failure (rank 0 alone, once).
 * Results are on stdout, messages on stderr. */
enum status commands_run(int argc, char *const argv[]) MUST_USE;

/* lamina --help; lamina COMMAND --help; the commands of configs/REFERENCE.md. */
void help_all(struct text *out);
void help_command(const struct command *command, struct text *out);
void help_reference(struct text *out);

#endif
