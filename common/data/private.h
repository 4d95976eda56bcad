/* private.h: the names inside a token file, for its reader and its writer. */
#ifndef LAMINA_DATA_PRIVATE_H
#define LAMINA_DATA_PRIVATE_H

#ifndef LAMINA_DATA
#error "common/data/private.h belongs to common/data; include tokens.h"
#endif

#include <stdint.h>

#define TOKENS_FORMAT    "lamina-tokens"
#define TOKENS_DATASET   "tokens"
#define TOKENS_DOCUMENTS "document_starts"
enum { TOKENS_VERSION = 1 };
static const int64_t tokens_u16_vocab = 65536; /* above it tokens are uint32 */

#endif
