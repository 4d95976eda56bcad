/* lamina check: is a configuration usable? All problems in one go; nothing else is touched. */
#include "coordinator/private.h"
#include "coordinator/session.h"
#include <stdio.h>

static const struct option_row check_options[] = {
    { .name = "ranks",
      .type = OPTION_INTEGER,
      .arg = "N",
      .value = "1",
      .low = 1,
      .high = 1000000,
      .help = "check the layout for so many ranks" },
    { .name = "print", .type = OPTION_FLAG, .help = "print the configuration with every default filled in" },
    { 0 },
};

static enum status check_session(struct session *s, const struct options *options)
{
    TRY(session_config(s, options->operand[0], options));
    TRY(session_machine(s));
    TRY(session_plan(s, (int)option_integer(options, "ranks")));
    if (!option_flag(options, "print")) {
        (void)printf("%s: ok\n", options->operand[0]);
        return ST_OK;
    }
    struct text yaml = { 0 };
    config_write(s->config, worker_tables(), &yaml);
    (void)fputs(yaml.data, stdout);
    text_free(&yaml);
    return ST_OK;
}

static enum status check_run(const struct options *options)
{
    struct session s;
    session_open(&s);
    const enum status result = check_session(&s, options);
    session_close(&s);
    return result;
}

const struct command command_check = {
    .name = "check",
    .group = "daily",
    .summary = "Check a configuration and name every problem with its line",
    .rules = { .rows = check_options, .least = 1, .most = 1, .overrides = true, .usage = "RUN.yaml [options] [key.path=value ...]" },
    .example = "lamina check configs/quickstart.yaml",
    .local = check_run,
};
