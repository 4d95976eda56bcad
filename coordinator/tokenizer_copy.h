/* tokenizer_copy.h: RUN/tokenizer.json, a run's own copy of the file that its tokenizer was read from: so that a run says what its tokens
 * mean wherever it is moved, and whatever becomes of the file. */
#ifndef LAMINA_COORDINATOR_TOKENIZER_COPY_H
#define LAMINA_COORDINATOR_TOKENIZER_COPY_H

#include "coordinator/session.h"

/* Of a tokenizer that no file holds nothing is kept. Where a copy stands already it must be this tokenizer. Called by rank 0.
 * Fails: ST_CONFIG (it is another one), ST_IO. */
enum status tokenizer_copy_keep(const char *run, const struct tokenizer *t) MUST_USE;

/* session_tokenizer for what a checkpoint holds: where the file of its configuration is gone, the copy in the run folder of the checkpoint,
 * or one in the checkpoint's own folder, stands for it. Fails: ST_CONFIG where the file is there and is another tokenizer than the copy. */
enum status tokenizer_copy_open(const char *checkpoint, struct session *s) MUST_USE;

#endif
