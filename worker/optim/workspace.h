/* workspace.h: what a rule for whole matrices takes from its scratch. The same function measures (nothing is handed out) and places, so
 * the bytes that are planned are those that are used. */
#ifndef LAMINA_OPTIM_WORKSPACE_H
#define LAMINA_OPTIM_WORKSPACE_H

#include <stddef.h>
#include <stdint.h>

struct workspace {
    unsigned char *base; /* 64-byte aligned; NULL: measuring */
    size_t used;
};

static inline void *workspace_bytes(struct workspace *w, size_t bytes)
{
    void *p = w->base != NULL ? w->base + w->used : NULL;
    w->used += (bytes + 63) / 64 * 64;
    return p;
}
static inline float *workspace_floats(struct workspace *w, int64_t n) { return workspace_bytes(w, (size_t)n * sizeof(float)); }
static inline double *workspace_doubles(struct workspace *w, int64_t n) { return workspace_bytes(w, (size_t)n * sizeof(double)); }

#endif
