/* damage_h5 FILE SEED [MANIFEST]: damages an HDF5 file by its seed, as tests/support/h5_damage.h says; seed 0 does no damage. MANIFEST: the
 * manifest.json of the checkpoint, which is written anew with the digests of the file, as somebody would who means harm. */
#include "common/store/folder.h"
#include "common/store/manifest.h"
#include "tests/support/h5_damage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 64 << 20 };

/* The manifest of these bytes; of its datasets those that still lie in the file. */
static enum status seal(const char *path, const unsigned char *bytes, size_t n)
{
    struct arena arena;
    struct manifest m;
    struct text text = { 0 }, out = { 0 };
    arena_open_growing(&arena, "manifest");
    TRY(file_load(path, ST_IO, ROOM, &text));
    TRY(manifest_parse(&arena, path, text.data, text.length, &m));
    m.bytes = n > 0 ? (int64_t)n : 1;
    m.n_blocks = manifest_blocks(m.bytes);
    m.block = arena_place_n(&arena, (size_t)m.n_blocks, sizeof *m.block);
    for (int64_t i = 0; i < m.n_blocks; i++) {
        const size_t at = (size_t)i * MANIFEST_BLOCK_BYTES, left = n - at;
        m.block[i] = digest_bytes(bytes + at, left < MANIFEST_BLOCK_BYTES ? left : MANIFEST_BLOCK_BYTES);
    }
    int kept = 0;
    for (int i = 0; i < m.n_datasets; i++)
        if (m.dataset[i].offset + m.dataset[i].bytes <= m.bytes) m.dataset[kept++] = m.dataset[i];
    m.n_datasets = kept;
    manifest_print(&m, &out);
    return file_replace(path, out.data, out.length);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    struct fuzz f = { .seed = strtoull(argv[2], NULL, 10) };
    struct text file = { 0 };
    static struct h5_map map;
    if (file_load(argv[1], ST_IO, ROOM, &file)) {
        (void)fprintf(stderr, "damage_h5: %s\n", status_text());
        return 1;
    }
    const size_t room = file.length + 4096;
    unsigned char *const bytes = calloc(room, 1);
    memcpy(bytes, file.data, file.length);
    h5_map_of(bytes, file.length, &map);
    const size_t n = f.seed == 0 ? file.length : h5_damage(&f, bytes, file.length, room, &map);
    enum status s = file_replace(argv[1], bytes, n);
    if (!s && argc > 3) s = seal(argv[3], bytes, n);
    if (s) (void)fprintf(stderr, "damage_h5: %s\n", status_text());
    return s != ST_OK;
}
