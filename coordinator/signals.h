/* signals.h: a request to stop is a bit in a mask. The mask travels in the step report (OR over ranks), the decision comes back in the
 * next order, so that all ranks stop after the same step whichever of them was asked. */
#ifndef LAMINA_COORDINATOR_SIGNALS_H
#define LAMINA_COORDINATOR_SIGNALS_H

enum { SIGNAL_STOP_USR1 = 1, SIGNAL_STOP_TERM = 2, SIGNAL_STOP_INT = 4 };

/* USR1, TERM and INT set their bits from here on; CONT does nothing (launchers send it along, in any order). */
void signals_install(void);
/* Bits seen by this process so far. */
unsigned signals_seen(void);
/* How many there were: who asks twice is in a hurry. */
unsigned signals_count(void);
/* "USR1", "TERM, INT" into a caller's buffer. */
const char *signals_names(unsigned mask, char out[32]);

#endif
