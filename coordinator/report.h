/* report.h: what runs left behind, read into memory and written as one HTML page. Nothing that a run folder holds is trusted: files may be
 * missing, cut or damaged, and their texts are other people's. Read report.c (what is read), then report_page.c (what is shown). */
#ifndef LAMINA_COORDINATOR_REPORT_H
#define LAMINA_COORDINATOR_REPORT_H

#include "common/config/config.h"
#include "coordinator/file.h"

struct json_t;

enum { REPORT_FORWARD, REPORT_BACKWARD, REPORT_GATHER, REPORT_REDUCE, REPORT_OPTIMIZER, REPORT_DATA, REPORT_TOTAL, REPORT_PHASES };
extern const char *const report_phases[REPORT_PHASES]; /* their keys in metrics.jsonl */

struct report_phase {
    float least, mean, most; /* seconds, over the ranks */
};
/* A step of metrics.jsonl. Numbers that are not there, or make no sense, are NAN. */
struct report_step {
    int64_t step, line; /* of several lines of a step the last in the file counts */
    int64_t tokens;
    double loss, bits, norm, seconds, rate, mfu, planned_bytes, peak_bytes;
    struct report_phase phase[REPORT_PHASES];
    int64_t lr_at; /* rates of the rules from here on in `lr` of the run */
    int n_lr, slowest, redone;
    bool skipped;
};
struct report_evaluation {
    int64_t step, line;
    int source; /* index into sources */
    double loss, bits, seconds;
};

enum { REPORT_EVENTS = 400, REPORT_RULES = CONFIG_MAX_RULES, REPORT_SOURCES = CONFIG_MAX_SOURCES };
/* Owns: everything until report_close. */
struct report_run {
    char folder[PATH_BYTES];
    char *name;
    struct json_t *about; /* run.json; NULL: not readable */
    struct text config;   /* config.yaml */
    struct text missing;  /* a sentence per line: what could not be read */
    struct report_step *step;
    struct report_evaluation *evaluation;
    float *lr;
    int64_t n_steps, n_evaluations, n_lr; /* steps and evaluations: in order, each once */
    int64_t cap_steps, cap_evaluations, cap_lr;
    char *rule[REPORT_RULES], *source[REPORT_SOURCES];
    int n_rules, n_sources;
    struct json_t *event[REPORT_EVENTS];   /* the newest, but for "saved" and "account" */
    int64_t n_events, n_saved, saved_last; /* events: also those that are no longer held; a ring */
    struct json_t *account;                /* what was planned and measured when the run last ended; NULL: it never did */
    int64_t lines;
};

/* Reads a run folder; what cannot be read is told in `missing`. */
void report_open(const char *folder, struct report_run *out);
void report_close(struct report_run *r); /* legal on a zeroed one */

/* Event i of those that are held, oldest first; returns NULL past the last. */
const struct json_t *report_event(const struct report_run *r, int64_t i);
/* Tokens of the whole run: those of its steps, and as many for each step whose line is lost. */
double report_tokens(const struct report_run *r);

/* "complete", "stopped", ..., by the last event that tells. */
const char *report_state(const struct report_run *r);
/* Seconds of all steps; steps done twice, beside the first, which always is; steps skipped; mean MFU of the steps that know it. */
struct report_totals {
    double seconds, mfu;
    int64_t redone, skipped;
};
struct report_totals report_totals(const struct report_run *r);
/* The last evaluation on a source, and the one with the lowest loss; NULL where there is none. */
void report_evaluations(const struct report_run *r, int source, const struct report_evaluation **last,
                        const struct report_evaluation **best);

/* The page: complete, without a link to anything outside it. */
void report_page(const struct report_run *runs, int n, struct text *out);

/* Its parts. What the files say of one run: rules, phases, memory, events, evaluations, configuration, machine. */
void report_sections(const struct report_run *run, struct text *out);
/* The pictures. Those of all runs together: loss, gradients, speed; and those of one: rates of its rules, seconds of its phases. */
void report_charts(const struct report_run *runs, int n, struct text *out);
void report_charts_of(const struct report_run *run, struct text *out);
/* The colour of a series, and its dashes once the colours are used up. Of page and pictures alike. */
const char *report_color(int i);
const char *report_dash(int i);

#endif
