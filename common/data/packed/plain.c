#include "common/data/packed.h"

/* Not packed: packed.c reads it as it is. */
const struct packed_desc packed_plain = { .name = "plain", .summary = "as it is", .endings = { NULL } };
