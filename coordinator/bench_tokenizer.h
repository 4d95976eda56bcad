/* bench_tokenizer.h: the speed of encoding, on one core. */
#ifndef LAMINA_COORDINATOR_BENCH_TOKENIZER_H
#define LAMINA_COORDINATOR_BENCH_TOKENIZER_H

#include "common/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Encodes the first 64 MB of the text as one document, with one thread and an encoder that has seen nothing, `passes` times: the best
 * counts. Seconds are those of the processor, so that what else runs on the machine is left out. Prints the result. Local. Fails: ST_DATA,
 * ST_CONFIG (tokenizer, text). */
enum status bench_tokenizer(const char *tokenizer, const char *text, int64_t passes, bool json) MUST_USE;

#endif
