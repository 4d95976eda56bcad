#include "common/base/clock.h"
#include "coordinator/built.h"
#include "coordinator/chart.h"
#include "coordinator/html.h"
#include "report.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

/* --- What both the table and the tiles need ------------------------------------------------------------------------------------ */

static double fact(const struct report_run *r, const char *key)
{
    const json_t *value = json_object_get(r->about, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const struct report_step *last_step(const struct report_run *r)
{
    static const struct report_step nothing = { .loss = NAN, .bits = NAN, .planned_bytes = NAN, .peak_bytes = NAN };
    return r->n_steps > 0 ? &r->step[r->n_steps - 1] : &nothing;
}

static double rate_of(const struct report_run *r, const struct report_totals *t)
{
    return t->seconds > 0 ? report_tokens(r) / t->seconds : (double)NAN;
}

/* --- The table of all runs ------------------------------------------------------------------------------------------------------- */

static void add_optimizers(const struct report_run *r, struct text *out)
{
    const json_t *rules = json_object_get(r->about, "rules");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const char *name = json_string_value(json_object_get(rule, "name")), *by = json_string_value(json_object_get(rule, "optimizer"));
        text_add(out, "<span class=\"soft\">");
        html_add(out, name != NULL ? name : "");
        text_add(out, "</span> ");
        html_add(out, by != NULL ? by : "");
        text_add(out, "<br/>");
    }
}

static void add_validation(const struct report_run *r, struct text *out)
{
    const struct report_evaluation *last, *best;
    for (int s = 0; s < r->n_sources; s++) {
        report_evaluations(r, s, &last, &best);
        if (last == NULL) continue;
        text_add(out, "<span class=\"soft\">");
        html_add(out, r->source[s]);
        text_add(out, "</span> ");
        html_number(out, HTML_FIXED4, last->loss);
        text_add(out, " · <b>");
        html_number(out, HTML_FIXED4, last->bits);
        text_add(out, "</b>");
        if (best != NULL && best != last)
            text_add(out, " <span class=\"soft\">(best %.4f at %lld)</span>", best->loss, (long long)best->step);
        text_add(out, "<br/>");
    }
}

static void add_swatch(int run, struct text *out)
{
    const char *dash = report_dash(run);
    text_add(
        out,
        "<svg class=\"swatch\" width=\"18\" height=\"8\"><path style=\"fill:none;stroke:%s;stroke-width:3\"%s%s%s d=\"M0 4h18\"/></svg>",
        report_color(run), dash != NULL ? " stroke-dasharray=\"" : "", dash != NULL ? dash : "", dash != NULL ? "\"" : "");
}

static void add_row(const struct report_run *r, int i, int n, struct text *out)
{
    const struct report_totals t = report_totals(r);
    const struct report_step *last = last_step(r);
    text_add(out, "<tr><th>");
    if (n > 1) add_swatch(i, out);
    text_add(out, "<a href=\"#run-%d\">", i + 1);
    html_add(out, r->name);
    text_add(out, "</a><br/><span class=\"soft\">%s</span></th><td class=\"n\">", report_state(r));
    html_number(out, HTML_COUNT, (double)last->step);
    text_add(out, "<br/><span class=\"soft\">of ");
    html_number(out, HTML_COUNT, fact(r, "steps"));
    text_add(out, "</span></td>");
    html_cell(out, HTML_COUNT, report_tokens(r));
    html_cell(out, HTML_FIXED4, last->loss);
    html_cell(out, HTML_FIXED4, last->bits);
    text_add(out, "<td class=\"w\">");
    add_validation(r, out);
    text_add(out, "</td>");
    html_cell(out, HTML_SECONDS, t.seconds);
    html_cell(out, HTML_COUNT, rate_of(r, &t));
    html_cell(out, HTML_PERCENT, t.mfu);
    html_cell(out, HTML_COUNT, fact(r, "parameters"));
    html_cell(out, HTML_FIXED2, fact(r, "state_bytes_per_parameter"));
    text_add(out, "<td class=\"w\">");
    add_optimizers(r, out);
    text_add(out, "</td></tr>\n");
}

static void add_table(const struct report_run *runs, int n, struct text *out)
{
    text_add(out, "<div class=\"scroll\"><table><thead><tr><th>run</th><th class=\"n\">steps</th><th class=\"n\">tokens</th>"
                  "<th class=\"n\">training<br/>loss</th><th class=\"n\">bits per<br/>byte</th><th>validation<br/>loss · bits per byte</th>"
                  "<th class=\"n\">time<br/>in steps</th><th class=\"n\">tokens<br/>per second</th><th class=\"n\">MFU</th>"
                  "<th class=\"n\">parameters</th><th class=\"n\">state bytes<br/>per parameter</th><th>rule<br/>and optimizer</th>"
                  "</tr></thead><tbody>\n");
    for (int i = 0; i < n; i++) add_row(&runs[i], i, n, out);
    text_add(out, "</tbody></table></div>\n");
}

/* --- One run ------------------------------------------------------------------------------------------------------------------------ */

/* The mean loss of the last fiftieth of the steps. */
static double late_loss(const struct report_run *r, int64_t *n)
{
    double sum = 0;
    *n = 0;
    for (int64_t i = r->n_steps - 1 - r->n_steps / 50; i >= 0 && i < r->n_steps; i++)
        if (isfinite(r->step[i].loss)) sum += r->step[i].loss, ++*n;
    return *n > 0 ? sum / (double)*n : (double)NAN;
}

static void open_tile(struct text *out, const char *name, enum html_form form, double value)
{
    text_add(out, "<div class=\"tile\"><span>%s</span><b>", name);
    html_number(out, form, value);
    text_add(out, "</b><i>");
}

static void add_validation_tile(const struct report_run *r, int source, struct text *out)
{
    const struct report_evaluation *last, *best;
    report_evaluations(r, source, &last, &best);
    if (last == NULL) return;
    const bool bits = isfinite(last->bits);
    open_tile(out, bits ? "validation, bits per byte" : "validation loss", HTML_FIXED4, bits ? last->bits : last->loss);
    html_add(out, r->source[source]);
    text_add(out, ", step %lld</i></div>", (long long)last->step);
}

static void add_tiles(const struct report_run *r, struct text *out)
{
    const struct report_totals t = report_totals(r);
    const struct report_step *last = last_step(r);
    int64_t n;
    const double late = late_loss(r, &n);
    text_add(out, "<div class=\"tiles\">");
    for (int s = 0; s < r->n_sources; s++) add_validation_tile(r, s, out);
    open_tile(out, "training loss", HTML_FIXED4, last->loss);
    text_add(out, "mean of the last %lld: ", (long long)n);
    html_number(out, HTML_FIXED4, late);
    text_add(out, "</i></div>");
    open_tile(out, "steps", HTML_COUNT, (double)last->step);
    text_add(out, "%s", report_state(r));
    if (t.redone > 0) text_add(out, "; %lld done twice", (long long)t.redone);
    if (t.skipped > 0) text_add(out, "; %lld skipped", (long long)t.skipped);
    text_add(out, "</i></div>");
    open_tile(out, "tokens per second", HTML_COUNT, rate_of(r, &t));
    html_number(out, HTML_SECONDS, t.seconds);
    text_add(out, " in steps</i></div>");
    open_tile(out, "resident memory of rank 0", HTML_BYTES, last->peak_bytes);
    html_number(out, HTML_BYTES, last->planned_bytes);
    text_add(out, " of it planned arenas</i></div></div>\n");
}

static void add_missing(const struct report_run *r, struct text *out)
{
    if (r->missing.length == 0) return;
    text_add(out, "<p class=\"missing\"><b>Not all of this run could be read.</b>\n");
    html_add_bytes(out, r->missing.data, r->missing.length);
    text_add(out, "</p>\n");
}

static void add_folder(const struct report_run *r, struct text *out)
{
    text_add(out, " <small>");
    html_add(out, r->folder);
    text_add(out, "</small>");
}

static void add_run(const struct report_run *r, int i, struct text *out)
{
    text_add(out, "<article id=\"run-%d\"><h2>", i + 1);
    add_swatch(i, out);
    html_add(out, r->name);
    add_folder(r, out);
    text_add(out, "</h2>\n");
    add_missing(r, out);
    add_tiles(r, out);
    text_add(out, "<div class=\"charts\">\n");
    report_charts_of(r, out);
    text_add(out, "</div>\n");
    report_sections(r, out);
    text_add(out, "</article>\n");
}

static void add_runs(const struct report_run *runs, int n, struct text *out)
{
    text_add(out, "<h1>%d runs</h1>\n", n);
    add_table(runs, n, out);
    text_add(out, "<div class=\"charts\">\n");
    report_charts(runs, n, out);
    text_add(out, "</div>\n");
    for (int i = 0; i < n; i++) add_run(&runs[i], i, out);
}

static void add_only_run(const struct report_run *r, struct text *out)
{
    text_add(out, "<h1 id=\"run-1\">");
    html_add(out, r->name);
    add_folder(r, out);
    text_add(out, "</h1>\n");
    add_missing(r, out);
    add_tiles(r, out);
    text_add(out, "<div class=\"charts\">\n");
    report_charts(r, 1, out);
    report_charts_of(r, out);
    text_add(out, "</div>\n");
    add_table(r, 1, out);
    report_sections(r, out);
}

/* --- The page ------------------------------------------------------------------------------------------------------------------------- */

static const char colors_light[] =
    "--paper:#fff;--wash:#f5f6f8;--ink:#15181e;--soft:#5f6773;--grid:#e9ebef;--line:#dcdfe5;--warn:#8a4b00;"
    "--c0:#2468c8;--c1:#d2541f;--c2:#128566;--c3:#8647bd;--c4:#a87c00;--c5:#c2336f;--c6:#0a87a0;--c7:#6a717d;";
static const char colors_dark[] =
    "--paper:#14171c;--wash:#1c2027;--ink:#e8eaee;--soft:#98a1ae;--grid:#2a2f38;--line:#343a45;--warn:#f0b35e;"
    "--c0:#6aa5ff;--c1:#ff8c5a;--c2:#45c99c;--c3:#bf93f2;--c4:#e0b03c;--c5:#f57bb0;--c6:#4dc3dc;--c7:#a4adb9;";

static const char style[] =
    "*{box-sizing:border-box}body{margin:0 auto;padding:28px 24px 60px;max-width:1120px;background:var(--paper);color:var(--ink);"
    "font:14px/1.45 system-ui,-apple-system,\"Segoe UI\",sans-serif}"
    "h1{font-size:24px;margin:0 0 18px;letter-spacing:-.01em}h2{font-size:20px;margin:44px 0 14px;padding-top:18px;"
    "border-top:1px solid var(--line)}h3{font-size:14px;margin:26px 0 8px}small{font-size:12px;font-weight:400;color:var(--soft);"
    "margin-left:8px;overflow-wrap:anywhere}a{color:inherit}.soft{color:var(--soft)}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;min-width:50%}"
    "th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;border-bottom:1px solid var(--grid);font-weight:400}"
    "thead th{color:var(--soft);font-size:12px;line-height:1.3;vertical-align:bottom;border-bottom-color:var(--line)}"
    "tbody th{font-weight:600;white-space:nowrap}tbody th "
    ".soft{font-weight:400}.n{text-align:right;white-space:nowrap}.w{white-space:nowrap}"
    "td.n+td.w,td.n+td.t,th.n+th{padding-left:10px}td.t{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".charts{display:grid;grid-template-columns:1fr 1fr;gap:18px 20px;margin:22px 0}figure{margin:0;padding:12px 12px 10px;"
    "background:var(--wash);border-radius:8px;min-width:0;break-inside:avoid}.wide{grid-column:1/-1}"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:3px 16px;margin:4px 0 0;padding:0 0 0 8px;font-size:12px;color:var(--soft)}"
    ".legend li{overflow-wrap:anywhere}.legend svg{vertical-align:-1px;margin-right:6px}.swatch{margin-right:8px}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px}.tile{background:var(--wash);border-radius:8px;"
    "padding:11px 14px;break-inside:avoid}.tile span,.tile i{display:block;font-size:12px;font-style:normal;color:var(--soft)}"
    ".tile b{display:block;font-size:22px;line-height:1.35;font-weight:600;font-variant-numeric:tabular-nums}"
    ".missing{margin:0 0 18px;border-left:3px solid var(--warn);padding:2px 0 2px 12px;white-space:pre-line}.missing b{color:var(--warn)}"
    ".bar{display:block;height:9px;border-radius:2px;background:var(--c0);min-width:1px}.bars{width:34%;min-width:160px}"
    "details{margin:14px 0}summary{cursor:pointer;font-weight:600}details table{margin-top:8px}"
    "pre{background:var(--wash);border-radius:8px;padding:14px;overflow-x:auto;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere}footer{margin-top:48px;font-size:12px;color:var(--soft)}"
    "@media screen and (max-width:760px){.charts{grid-template-columns:1fr}}"
    "@media print{body{max-width:none;padding:0;font-size:11px}table{font-size:9.5px}th,td{padding-right:8px}.scroll{overflow:visible}"
    "figure,.tile,pre{border:1px solid var(--line)}h2,h3{break-after:avoid}tr{break-inside:avoid}.h{display:none}a{text-decoration:none}"
    "@page{margin:12mm}}";

/* The policy holds whatever the page should ever contain: nothing is loaded and nothing runs. */
static void open_page(const struct report_run *runs, int n, struct text *out)
{
    text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                  "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    for (int i = 0; i < n; i++) {
        text_add(out, "%s", i > 0 ? ", " : "");
        html_add(out, runs[i].name);
    }
    text_add(
        out,
        "</title>\n<style>:root{%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n@media print{:root{%s}}\n%s\n%s</style>\n</head>\n",
        colors_light, colors_dark, colors_light, style, chart_style);
}

void report_page(const struct report_run *runs, int n, struct text *out)
{
    char when[24];
    open_page(runs, n, out);
    text_add(out, "<body>\n");
    if (n == 1)
        add_only_run(runs, out);
    else
        add_runs(runs, n, out);
    text_add(
        out,
        "<footer>Written by lamina %s at %s from the files of the run%s. Point at a chart to read its values.</footer>\n</body>\n</html>\n",
        built_version, clock_iso8601(clock_unix(), when), n > 1 ? "s" : "");
}
