#include "checkpoints.h"
#include "common/base/check.h"
#include "common/store/publish.h"
#include "coordinator/session.h"
#include <stdlib.h>

enum { CONFIG_MOST = 1 << 20 };

static enum status save_and_publish(const struct comm *world, const struct run_folder *f, struct worker *w, const char *config_text,
                                    const struct worker_facts *facts)
{
    char path[H5_PATH];
    TRY(worker_save(world, w, publish_path(f->checkpoints, facts->step, PUBLISH_TEMPORARY, path), config_text, facts));
    return publish_commit(world, f->checkpoints, facts->step);
}

enum status checkpoints_save(const struct comm *world, const struct run_folder *f, struct worker *w, const char *config_text,
                             const struct worker_facts *facts, int64_t keep)
{
    TRY(publish_begin(world, f->checkpoints, facts->step));
    const enum status s = save_and_publish(world, f, w, config_text, facts);
    if (s != ST_OK) publish_discard(world, f->checkpoints, facts->step);
    TRY(s);
    return publish_retain(world, f->checkpoints, keep, facts->step); /* commit read it back: it verifies */
}

enum status checkpoint_config(const struct state *state, struct text *out)
{
    const struct state_entry *e = state_find(state, "config");
    if (e == NULL || e->dtype != DT_U8 || e->n_dims != 1 || e->cols > CONFIG_MOST)
        FAIL(ST_DAMAGED, "a checkpoint without its configuration");
    char *bytes = malloc((size_t)e->cols + 1);
    CHECK(bytes != NULL);
    const enum status s = state_read_rows(state, e, &(struct state_rows){ 0, 1, bytes }, 1);
    if (s == ST_OK) text_add_bytes(out, bytes, (size_t)e->cols);
    free(bytes);
    return s;
}

enum status checkpoint_read_config(const char *path, struct arena *arena, struct config **out)
{
    struct state *state = NULL;
    struct text yaml = { 0 };
    TRY(state_open(path, &state));
    enum status result = checkpoint_config(state, &yaml);
    state_close(state);
    if (result == ST_OK) result = session_config_stored(arena, path, &yaml, out);
    text_free(&yaml);
    return result;
}
