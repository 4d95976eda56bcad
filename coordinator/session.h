/* session.h: what every command that computes settles before it computes: configuration, threads and instruction set, precision, plan,
 * fingerprint, peak. Each part is a function; `train` calls all of them, `check` only the first. */
#ifndef LAMINA_COORDINATOR_SESSION_H
#define LAMINA_COORDINATOR_SESSION_H

#include "common/data/tokenizer.h"
#include "coordinator/cores.h"
#include "coordinator/options.h"
#include "worker/worker.h"

struct session {
    struct arena arena; /* configuration and plan live here */
    struct config *config;
    struct tokenizer tokenizer;
    struct plan plan;
    int ranks, threads; /* threads of this rank */
    struct cores cores;
    bool precision_kept; /* `auto` was resolved when the run began, and stays */
    char precision[200]; /* what was chosen and why, for the header */
    struct digest128 fingerprint;
    double peak; /* FLOP/s of all ranks together, measured; 0: not measured */
};

/* Owns: the arena until session_close (legal on a zeroed one). */
void session_open(struct session *s);
void session_close(struct session *s);

/* Reads the file and the overrides. All problems go to stderr, here.
 * Fails: ST_CONFIG. */
enum status session_config(struct session *s, const char *path, const struct options *options) MUST_USE;
/* Threads (OMP_NUM_THREADS, else this rank's share of its cores) and the instruction set of LAMINA_ISA. Fails: ST_LAUNCH. */
enum status session_machine(struct session *s) MUST_USE;
/* The plan for this many ranks, with the precision that this process would choose. Fails: ST_CONFIG, ST_LAUNCH. */
enum status session_plan(struct session *s, int ranks) MUST_USE;

/* The first and the last of these without a word on stderr: the failure's sentence holds the problems, for callers that read many
 * configurations and tell each problem once. */
enum status session_read(struct session *s, const char *path, const struct options *options) MUST_USE;
enum status session_lay_out(struct session *s, int ranks) MUST_USE;

/* The same on every rank of a world, with one answer. Collective: yes, equal path and options; rank 0 prints. */
enum status session_config_all(const struct comm *world, struct session *s, const char *path, const struct options *options) MUST_USE;
enum status session_machine_all(const struct comm *world, struct session *s) MUST_USE;
/* Precision `auto` is bf16 where every rank has the hardware; the configuration is resolved to what was chosen. Collective: yes. */
enum status session_plan_all(const struct comm *world, struct session *s) MUST_USE;
/* Do all ranks compute the same bits? Collective: yes. Fails: ST_LAUNCH naming two ranks, their hosts, the kernel and the remedy. */
enum status session_fingerprint_all(const struct comm *world, struct session *s) MUST_USE;
/* Sum over ranks of each rank's matrix peak while all of them measure. at_length: best of several shapes (seconds) instead of a short
 * look (0.1 s). Collective: yes, equal at_length. */
enum status session_peak_all(const struct comm *world, struct session *s, bool at_length) MUST_USE;

/* Opens the configuration's tokenizer, which fixes the vocabulary of the model. Part of session_config. Fails: ST_CONFIG. */
enum status session_tokenizer(struct session *s) MUST_USE;
/* Tells the worker which tokenizer its token files must be made with, and how many bytes its tokens stand for. Local.
 * Fails: ST_DATA where a file was made with another. */
enum status session_tell_tokenizer(struct session *s, struct worker *w) MUST_USE;
/* A configuration stored as text (in a checkpoint or a run folder). Fails: ST_DAMAGED when it does not read. */
enum status session_config_stored(struct arena *arena, const char *name, const struct text *text, struct config **out) MUST_USE;

#endif
