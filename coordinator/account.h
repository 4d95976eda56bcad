/* account.h: the run's end: what was planned against what independent counters measured, on every rank. */
#ifndef LAMINA_COORDINATOR_ACCOUNT_H
#define LAMINA_COORDINATOR_ACCOUNT_H

#include "coordinator/run_folder.h"
#include "coordinator/session.h"

/* Prints one line per arena and per phase of communication on rank 0: the most over the ranks, planned and measured, and whether they are
 * equal on each rank. baseline: resident bytes before the worker was opened. clean_step: the last step took one attempt, so its bytes
 * can be compared. The journal gets the same as an event "account". Collective: yes, equal clean_step. */
enum status account_print(const struct comm *world, const struct session *s, const struct worker *w, const struct run_folder *folder,
                          int64_t baseline, bool clean_step) MUST_USE;

#endif
