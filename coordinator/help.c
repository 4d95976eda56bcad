#include "commands.h"
#include "environment.h"
#include <stdio.h>
#include <string.h>

static void add_option_name(const struct option_row *row, char *out, size_t size)
{
    (void)snprintf(out, size, "--%s%s%s", row->name, row->arg != NULL ? " " : "", row->arg != NULL ? row->arg : "");
}

static void add_options(const struct command *c, struct text *out)
{
    for (const struct option_row *row = c->rules.rows; row != NULL && row->name != NULL; row++) {
        char name[64];
        add_option_name(row, name, sizeof name);
        text_add(out, "  %-24s %s", name, row->help);
        if (row->value != NULL) text_add(out, " (default %s)", row->value);
        text_add(out, "\n");
    }
    text_add(out, "  %-24s %s\n", "--help", "this text");
}

void help_command(const struct command *c, struct text *out)
{
    text_add(out, "lamina %s: %s\n\nusage: lamina %s %s\n", c->name, c->summary, c->name, c->rules.usage);
    if (c->notes != NULL) text_add(out, "\n%s\n", c->notes);
    text_add(out, "\noptions:\n");
    add_options(c, out);
    if (c->rules.overrides)
        text_add(out, "\nAny key of the configuration can be set after it: key.path=value; rows of a list go by name "
                      "(optimizer.rules.head.lr=3e-4).\n"
                      "configs/REFERENCE.md lists the keys.\n");
    text_add(out, "\nexample: %s\n", c->example);
    if (c->collective != NULL) text_add(out, "runs on one rank as it stands, on more under mpirun or srun\n");
}

void help_all(struct text *out)
{
    text_add(out, "lamina: train and run language models over MPI, on CPUs\n\nusage: lamina COMMAND ... (lamina COMMAND --help tells more; "
                  "lamina --version)\n");
    const char *group = "";
    for (const struct command *const *c = command_table; *c != NULL; c++) {
        if (strcmp(group, (*c)->group) != 0) text_add(out, "\n%s\n", (*c)->group);
        group = (*c)->group;
        text_add(out, "  %-12s %s\n", (*c)->name, (*c)->summary);
    }
    text_add(out, "\nexit codes\n");
    for (enum status s = ST_OK; s < STATUS_COUNT; s++) text_add(out, "  %-12d %s\n", status_exit_code(s), status_meaning(s));
    text_add(out, "\nenvironment\n");
    for (const struct environment_row *e = environment_table; e->name != NULL; e++) text_add(out, "  %-22s %s\n", e->name, e->help);
}

/* A cell of a Markdown table: '|' would end it. */
static void add_cell(struct text *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) text_add(out, *c == '|' ? "\\%c" : "%c", *c);
}

void help_reference(struct text *out)
{
    text_add(out, "\n## Commands\n");
    for (const struct command *const *at = command_table; *at != NULL; at++) {
        const struct command *c = *at;
        text_add(out, "\n### lamina %s\n\n%s. Usage: `lamina %s %s`. Example: `%s`.\n", c->name, c->summary, c->name, c->rules.usage,
                 c->example);
        if (c->notes != NULL) text_add(out, "\n%s\n", c->notes);
        if (c->rules.rows == NULL || c->rules.rows[0].name == NULL) continue;
        text_add(out, "\n| option | default | meaning |\n|---|---|---|\n");
        for (const struct option_row *row = c->rules.rows; row->name != NULL; row++) {
            char name[64];
            add_option_name(row, name, sizeof name);
            text_add(out, "| `%s` | %s | ", name, row->value != NULL ? row->value : "");
            add_cell(out, row->help);
            text_add(out, " |\n");
        }
    }
    text_add(out, "\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (enum status s = ST_OK; s < STATUS_COUNT; s++) text_add(out, "| %d | %s |\n", status_exit_code(s), status_meaning(s));
    text_add(out, "\n## Environment\n\n| variable | meaning |\n|---|---|\n");
    for (const struct environment_row *e = environment_table; e->name != NULL; e++) {
        text_add(out, "| `%s` | ", e->name);
        add_cell(out, e->help);
        text_add(out, " |\n");
    }
}
