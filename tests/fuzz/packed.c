/* Packed files, damaged: they unpack to what was packed or to no more than they may, or are refused with path and place. */
#include "common/data/packed.h"
#include "tests/support/fuzz.h"
#include "tests/support/packers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 3000, LIMIT = 100000 };
static char folder[] = "/tmp/lamina-fuzz-XXXXXX";
static unsigned char text[LENGTH];

static void unpack(struct fuzz *f, const char *path)
{
    static unsigned char part[1000];
    struct packed *p;
    int64_t all = 0, passed = 0;
    status_clear();
    enum status s = packed_open(path, LIMIT, &p);
    if (!s && fuzz_below(f, 4) == 0) s = packed_skip(p, (int64_t)fuzz_below(f, 2 * LENGTH), &passed);
    for (size_t got = sizeof part; !s && got == sizeof part; all += (int64_t)got) s = packed_read(p, part, sizeof part, &got);
    packed_close(p);
    FUZZ_CHECK(f, s == ST_OK || s == ST_DATA || s == ST_IO);
    FUZZ_CHECK(f, s == ST_OK || strstr(status_text(), path) != NULL);
    FUZZ_CHECK(f, all + passed <= LIMIT + (int64_t)sizeof part);
}

static void one(struct fuzz *f)
{
    static unsigned char bytes[4 * LENGTH];
    char path[64];
    const struct packer *const kind = &packers[1 + fuzz_below(f, (uint64_t)packers_count - 1)];
    size_t n = 0;
    for (uint64_t members = 1 + fuzz_below(f, 3); members > 0; members--)
        n += kind->pack(text, fuzz_below(f, LENGTH), bytes + n, sizeof bytes - n);
    n = fuzz_damage(f, bytes, n, sizeof bytes, NULL);
    (void)snprintf(path, sizeof path, "%s/a%s", folder, kind->desc->endings[0]);
    FILE *const file = fopen(path, "wb");
    FUZZ_CHECK(f, file != NULL && fwrite(bytes, 1, n, file) == n);
    (void)fclose(file);
    unpack(f, path);
    (void)unlink(path);
}

int main(int argc, char **argv)
{
    if (mkdtemp(folder) == NULL) return EXIT_FAILURE;
    for (int i = 0; i < LENGTH; i++) text[i] = (unsigned char)("etaoin shrdlu\n\xc3\xa9"[(i * i / 7 + i % 13) % 16]);
    const int code = fuzz_main(argc, argv, "packed", one);
    (void)rmdir(folder);
    return code;
}
