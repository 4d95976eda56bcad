#include "memory.h"
#include <stdio.h>
#include <string.h>

static int64_t line_bytes(const char *line, const char *key)
{
    long long kib = 0;
    const size_t n = strlen(key);
    if (strncmp(line, key, n) != 0 || sscanf(line + n, "%lld", &kib) != 1) return 0;
    return (int64_t)kib * 1024;
}

struct memory_use memory_use(void)
{
    struct memory_use use = { 0 };
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    if (f == NULL) return use;
    while (fgets(line, sizeof line, f) != NULL) {
        use.peak += line_bytes(line, "VmHWM:");
        use.now += line_bytes(line, "VmRSS:");
    }
    (void)fclose(f);
    return use;
}

void memory_reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (f == NULL) return;
    (void)fputs("5", f);
    (void)fclose(f);
}
