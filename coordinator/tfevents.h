/* tfevents.h: records of the event files that TensorBoard reads. Bytes in memory; sinks/tensorboard.c writes them.
 *
 * A file is records behind each other (the framing of TFRecord): length as little-endian uint64, its masked CRC, the bytes, their masked
 * CRC. The bytes are one Event as a protocol buffer (tensorboard/compat/proto/event.proto, summary.proto):
 * Event { 1 wall_time: double, 2 step: int64, one of { 3 file_version: string, 5 summary: Summary, 7 session_log: SessionLog } }
 * Summary { repeated 1 value: Value }   Value { 1 tag: string, 2 simple_value: float }   SessionLog { 1 status: START = 1 } */
#ifndef LAMINA_COORDINATOR_TFEVENTS_H
#define LAMINA_COORDINATOR_TFEVENTS_H

#include "common/base/str.h"

/* Castagnoli's CRC (RFC 3720, B.4), and as TFRecord stores it: rotated and moved, so that a CRC over bytes with CRCs in them stays good. */
uint32_t tfevents_crc(const void *bytes, size_t n);
uint32_t tfevents_crc_masked(const void *bytes, size_t n);

/* The first record of a file. wall_time: seconds since 1970, here and below. */
void tfevents_add_version(struct text *out, double wall_time);
/* What a reader has seen of `step` and later, in older files of the folder, is void. */
void tfevents_add_restart(struct text *out, double wall_time, int64_t step);

/* Scalars of one step in one record. A summary is filled, then added once, which frees it. */
void tfevents_scalar(struct text *summary, const char *tag, double value);
void tfevents_add_summary(struct text *out, double wall_time, int64_t step, struct text *summary);

#endif
