#include "tfevents.h"
#include <string.h>

/* --- Checksums ---------------------------------------------------------------------------------------------------------- */

enum { CRC_BITS = 8 };
static const uint32_t CRC_POLYNOMIAL = 0x82f63b78, CRC_MASK = 0xa282ead8; /* 0x1edc6f41 with its bits reversed */

uint32_t tfevents_crc(const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        for (int bit = 0; bit < CRC_BITS; bit++) crc = crc >> 1 ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
    }
    return ~crc;
}

uint32_t tfevents_crc_masked(const void *bytes, size_t n)
{
    const uint32_t crc = tfevents_crc(bytes, n);
    return (crc >> 15 | crc << 17) + CRC_MASK;
}

/* --- Protocol buffers: the four wire types that are needed --------------------------------------------------------------- */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static void add_fixed(struct text *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const char byte = (char)(value >> 8 * i & 0xff);
        text_add_bytes(out, &byte, 1);
    }
}

static void add_varint(struct text *out, uint64_t value)
{
    while (value >= 0x80) {
        add_fixed(out, (value & 0x7f) | 0x80, 1);
        value >>= 7;
    }
    add_fixed(out, value, 1);
}

static void add_key(struct text *out, int field, enum wire wire) { add_varint(out, (uint64_t)field << 3 | (uint64_t)wire); }

static void add_double(struct text *out, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_key(out, field, WIRE_FIXED64);
    add_fixed(out, bits, sizeof bits);
}

static void add_float(struct text *out, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_key(out, field, WIRE_FIXED32);
    add_fixed(out, bits, sizeof bits);
}

static void add_block(struct text *out, int field, const char *bytes, size_t n)
{
    add_key(out, field, WIRE_BYTES);
    add_varint(out, n);
    text_add_bytes(out, bytes, n);
}

/* --- Events --------------------------------------------------------------------------------------------------------------- */

enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_FILE_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION_LOG = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, SESSION_LOG_STATUS = 1, SESSION_LOG_START = 1 };

static void add_record(struct text *out, const struct text *event)
{
    const size_t at = out->length;
    add_fixed(out, event->length, 8);
    add_fixed(out, tfevents_crc_masked(out->data + at, 8), 4);
    text_add_bytes(out, event->data, event->length);
    add_fixed(out, tfevents_crc_masked(event->data, event->length), 4);
}

static void add_event(struct text *out, double wall_time, int64_t step, int what, const char *bytes, size_t n)
{
    struct text event = { 0 };
    add_double(&event, EVENT_WALL_TIME, wall_time);
    add_key(&event, EVENT_STEP, WIRE_VARINT);
    add_varint(&event, (uint64_t)step);
    add_block(&event, what, bytes, n);
    add_record(out, &event);
    text_free(&event);
}

void tfevents_add_version(struct text *out, double wall_time)
{
    static const char version[] = "brain.Event:2";
    add_event(out, wall_time, 0, EVENT_FILE_VERSION, version, sizeof version - 1);
}

void tfevents_add_restart(struct text *out, double wall_time, int64_t step)
{
    struct text log = { 0 };
    add_key(&log, SESSION_LOG_STATUS, WIRE_VARINT);
    add_varint(&log, SESSION_LOG_START);
    add_event(out, wall_time, step, EVENT_SESSION_LOG, log.data, log.length);
    text_free(&log);
}

void tfevents_scalar(struct text *summary, const char *tag, double value)
{
    struct text clean = { 0 }, entry = { 0 }; /* a tag must be UTF-8 */
    text_add_printable(&clean, tag, strlen(tag));
    add_block(&entry, VALUE_TAG, clean.data != NULL ? clean.data : "", clean.length);
    add_float(&entry, VALUE_SIMPLE, (float)value);
    add_block(summary, SUMMARY_VALUE, entry.data, entry.length);
    text_free(&clean);
    text_free(&entry);
}

void tfevents_add_summary(struct text *out, double wall_time, int64_t step, struct text *summary)
{
    add_event(out, wall_time, step, EVENT_SUMMARY, summary->data != NULL ? summary->data : "", summary->length);
    text_free(summary);
}
