/* journal.h: what a run tells those who come later: run.json (what ran, where) and events.jsonl (what happened). Rank 0 alone. */
#ifndef LAMINA_COORDINATOR_JOURNAL_H
#define LAMINA_COORDINATOR_JOURNAL_H

#include "coordinator/plan_facts.h"
#include "coordinator/run_folder.h"

/* Versions, hosts, ranks, threads, instruction set, digests, rules with their optimizer and its state, what will be read of each source,
 * and the environment variables of environment.h. Fails: ST_IO. */
struct sources;
enum status journal_run(const struct run_folder *f, const struct session *s, const struct plan_facts *facts, const struct sources *sources,
                        const struct comm *world) MUST_USE;

/* One sentence with its time in events.jsonl. kind: "resumed", "saved", "stopped", ... A file that cannot be written is warned of; it does
 * not end a run. journal_say also says it on stderr. */
void journal_event(const struct run_folder *f, const char *kind, int64_t step, const char *format, ...) PRINTF_LIKE(4, 5);
void journal_say(const struct run_folder *f, const char *kind, int64_t step, const char *format, ...) PRINTF_LIKE(4, 5);
/* An event with more than a sentence: facts becomes its member "facts", and is freed; NULL: none. */
struct json_t;
void journal_facts(const struct run_folder *f, const char *kind, int64_t step, const char *sentence, struct json_t *facts);

#endif
