#include "retention.h"

void retention_choose(const struct retention_item items[], int n, int64_t keep, bool drop[])
{
    int64_t verified = 0;
    for (int i = n - 1; i >= 0; i--) {
        drop[i] = verified >= keep;
        if (items[i].verified) verified++;
    }
}
