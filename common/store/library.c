#include "common/base/libraries.h"
#include <hdf5.h>
#include <stdio.h>

const char *library_hdf5(void)
{
    static _Thread_local char text[64];
    unsigned major = 0, minor = 0, patch = 0;
    if (H5get_libversion(&major, &minor, &patch) < 0) return "of unknown version";
    (void)snprintf(text, sizeof text, "%u.%u.%u, parallel", major, minor, patch); /* it would not have been linked otherwise */
    return text;
}
