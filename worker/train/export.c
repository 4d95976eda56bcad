/* The weights alone, in a file for other programs: each rank writes the rows that it hashes. */
#define LAMINA_WORKER_TRAIN
#include "items.h"
#include "private.h"

#include "common/store/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum status write_mine(struct safetensors *f, const struct items *items)
{
    for (int i = 0; i < items->n; i++) {
        const struct item *it = &items->item[i];
        const int64_t n = it->write_end - it->write_begin;
        if (n > 0)
            TRY(safetensors_write(f, i, it->write_begin, n, (const float *)it->data + (it->write_begin - it->held_begin) * it->cols));
    }
    return ST_OK;
}

enum status worker_export(const struct comm *world, struct worker *w, const char *path, enum dtype dtype)
{
    struct arena arena;
    struct items items;
    struct safetensors *f;
    char step[24];
    arena_open_growing(&arena, "export");
    items_list(w, &arena, false, &items);
    struct safetensors_tensor *tensors = arena_place_n(&arena, (size_t)items.n, sizeof *tensors);
    for (int i = 0; i < items.n; i++) {
        const struct item *it = &items.item[i];
        tensors[i] = (struct safetensors_tensor){ strchr(it->name, '/') + 1, it->n_dims, it->rows, it->cols };
    }
    (void)snprintf(step, sizeof step, "%" PRId64, w->step_done);
    const struct safetensors_fact facts[] = { { "format", "pt" }, /* who reads it lays tensors out as PyTorch does */
                                              { "family", w->plan->config->model.family },
                                              { "step", step } };
    enum status s = safetensors_create(world, path, dtype, tensors, items.n, facts, sizeof facts / sizeof *facts, &f);
    if (!s) s = safetensors_publish(world, f, write_mine(f, &items));
    arena_close(&arena);
    return s;
}
