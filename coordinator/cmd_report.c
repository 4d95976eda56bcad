/* lamina report: what one run or several left behind, as one page that opens anywhere. Reads files of run folders; needs no MPI. */
#include "common/base/check.h"
#include "coordinator/private.h"
#include "coordinator/report.h"
#include "coordinator/run_ref.h"
#include <stdio.h>
#include <stdlib.h>

static const struct option_row report_options[] = {
    RUN_REF_FOLDER_ROW,
    { .name = "out",
      .type = OPTION_TEXT,
      .arg = "FILE",
      .help = "the page; not given: report.html in the folder of the run, or of several runs beside the first one's" },
    { 0 },
};

static enum status choose_file(const struct options *options, const char *first, char path[PATH_BYTES])
{
    const char *given = option_text(options, "out");
    char folder[PATH_BYTES];
    int n;
    if (given != NULL)
        n = snprintf(path, PATH_BYTES, "%s", given);
    else
        n = snprintf(path, PATH_BYTES, "%s/report.html", options->n_operands == 1 ? first : folder_of(first, folder, sizeof folder));
    if (n >= PATH_BYTES) FAIL(ST_USAGE, "the name of the page is too long");
    return ST_OK;
}

static enum status write_page(const struct options *options, const struct report_run *runs)
{
    char path[PATH_BYTES], size[32];
    struct text page = { 0 };
    TRY(choose_file(options, runs[0].folder, path));
    report_page(runs, options->n_operands, &page);
    const enum status s = file_replace(path, page.data, page.length);
    if (s == ST_OK) (void)printf("%s: %s\n", path, str_bytes(size, sizeof size, (double)page.length));
    text_free(&page);
    return s;
}

static enum status read_runs(const struct options *options, struct report_run *runs)
{
    for (int i = 0; i < options->n_operands; i++) {
        char folder[PATH_BYTES];
        TRY(run_ref_folder(options->operand[i], option_text(options, "folder"), folder));
        report_open(folder, &runs[i]);
    }
    return ST_OK;
}

static enum status report_run(const struct options *options)
{
    struct report_run *runs = calloc((size_t)options->n_operands, sizeof *runs);
    CHECK(runs != NULL);
    enum status s = read_runs(options, runs);
    if (s == ST_OK) s = write_page(options, runs);
    for (int i = 0; i < options->n_operands; i++) report_close(&runs[i]);
    free(runs);
    return s;
}

const struct command command_report = {
    .name = "report",
    .group = "daily",
    .summary = "Write what one run or several left behind as one HTML page",
    .rules = { .rows = report_options, .least = 1, .most = -1, .usage = "RUN [RUN ...] [options]" },
    .notes = "RUN is a name below --folder or a run folder; it may be at work, or damaged: the page says what could not be read. The page "
             "loads\n"
             "nothing from elsewhere and runs no scripts; point at a chart to read its values.",
    .example = "lamina report quickstart adamw --out compared.html",
    .local = report_run,
};
