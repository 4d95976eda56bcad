/* private.h: the rows of the command table, one per cmd_NAME.c, and the options that commands share. */
#ifndef LAMINA_COORDINATOR_PRIVATE_H
#define LAMINA_COORDINATOR_PRIVATE_H

#include "coordinator/commands.h"

extern const struct command command_check, command_plan, command_train, command_eval, command_generate, command_report, command_sweep,
    command_show, command_verify, command_hash, command_diff, command_tokenizer_train, command_data_build, command_data_show, command_info,
    command_optim_list, command_optim_show, command_optim_try, command_bench, command_reference, command_export, command_tokenizer_encode,
    command_tokenizer_decode, command_tokenizer_show, command_slurm;

#define OPTION_JSON_ROW                                                                                                                    \
    {                                                                                                                                      \
        .name = "json", .type = OPTION_FLAG, .help = "print JSON instead of text"                                                          \
    }

#endif
