#include "duplicates.h"
#include "common/base/check.h"
#include <stdlib.h>

/* Open addressing with linear probing, four fifths full at most. Digests are spread evenly by themselves: their upper half, scaled, is the
 * place to begin. A place is free where both halves are 0; a text with that digest is kept as {0, 1}. */
struct duplicates {
    struct digest128 *place;
    int64_t n;
};

enum status duplicates_open(int64_t n, struct duplicates **out)
{
    struct duplicates *const d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    *out = d;
    d->n = n + n / 4 + 1;
    d->place = calloc((size_t)d->n, sizeof *d->place);
    if (d->place == NULL) FAIL(ST_IO, "no memory to find duplicates among %lld documents (20 bytes each)", (long long)n);
    return ST_OK;
}

bool duplicates_add(struct duplicates *d, struct digest128 text)
{
    if (text.high == 0 && text.low == 0) text.low = 1;
    __extension__ typedef unsigned __int128 uint128;
    int64_t i = (int64_t)(((uint128)text.high * (uint64_t)d->n) >> 64);
    for (; d->place[i].high != 0 || d->place[i].low != 0; i = i + 1 < d->n ? i + 1 : 0)
        if (digest_equal(d->place[i], text)) return true;
    d->place[i] = text;
    return false;
}

void duplicates_close(struct duplicates *d)
{
    if (d == NULL) return;
    free(d->place);
    free(d);
}
