/* private.h: the rows of the sink table, one per file here. */
#ifndef LAMINA_COORDINATOR_SINKS_PRIVATE_H
#define LAMINA_COORDINATOR_SINKS_PRIVATE_H

#include "coordinator/sinks/sink.h"

extern const struct sink_desc sink_terminal, sink_jsonl, sink_curve, sink_tensorboard;

#endif
