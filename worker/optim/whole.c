/* Matrices that must be seen whole: rows of u travel to the tensor's owner, which computes the direction, and come back. In a group of one
 * nothing moves: the owner works in the span's own u. */
#define LAMINA_OPTIM_INSIDE
#include "private.h"

#include "common/base/check.h"
#include "common/base/parallel.h"

#include <string.h>

static struct owned *owned_of(struct driver *d, int param)
{
    for (int i = 0; i < d->n_owned; i++)
        if (d->owned[i].param == param) return &d->owned[i];
    CHECK(!"a matrix of this owner");
}

/* Rows of one matrix between their rank and its owner. Routes are listed in the order of parameters, then of ranks: what one side sends is
 * what the other receives, in the same order. */
static int list_routes(const struct driver *d, int param, struct route *out)
{
    const struct param *p = &d->plan->partition.params[param];
    const int me = d->group.rank;
    int n = 0;
    if (p->owner < 0 || d->group.ranks == 1 || !plan_trained(d->plan, param, d->step)) return 0;
    const int64_t *cut = d->group.row_cut[param];
    for (int r = 0; r < d->group.ranks; r++)
        if (cut[r] < cut[r + 1] && (r == me || p->owner == me))
            out[n++] = (struct route){ p, param, r == me ? p->owner : r, cut[r], cut[r + 1] };
    return n;
}

/* The rows of u at this rank's span, and in the matrix at its owner. */
static float *at_span(const struct driver *d, const struct route *r)
{
    const struct span *s = &d->spans[d->span_of[r->index]];
    return s->u + (r->begin - s->piece.row_begin) * r->param->cols;
}

static struct driver_messages plan_messages(struct driver *d, bool back)
{
    struct driver_messages m = { d->sends, d->recvs, 0, 0 };
    for (int p = 0; p < d->plan->partition.n_params; p++) {
        const int n = list_routes(d, p, d->routes);
        for (int i = 0; i < n; i++) {
            const struct route *r = &d->routes[i];
            const bool owner = r->param->owner == d->group.rank;
            const size_t bytes = (size_t)((r->end - r->begin) * r->param->cols) * sizeof(float);
            float *whole = owner ? owned_of(d, p)->whole.u + r->begin * r->param->cols : NULL;
            if (r->peer == d->group.rank) {
                memcpy(back ? at_span(d, r) : whole, back ? whole : at_span(d, r), bytes);
                continue;
            }
            const struct comm_message message = { r->peer, owner ? whole : at_span(d, r), bytes };
            if (owner == back)
                d->sends[m.n_sends++] = message;
            else
                d->recvs[m.n_recvs++] = message;
        }
    }
    return m;
}

struct driver_messages driver_whole_out(struct driver *d) { return plan_messages(d, false); }
struct driver_messages driver_whole_back(struct driver *d) { return plan_messages(d, true); }

static void direct(void *context, int64_t index, int thread)
{
    struct driver *d = context;
    struct owned *o = &d->owned[index];
    if (!o->now.active) return;
    o->whole.tensor = &o->now.tensor;
    o->whole.scratch = d->scratch[thread].whole;
    o->rule.opt->direction(&o->now.step, &o->whole);
}

void driver_whole_direct(struct driver *d) { parallel_for(d->n_owned, direct, d); }

static bool is_whole(const struct span *s) { return s->need.whole; }
void driver_whole_done(struct driver *d) { drive_stage(d, STAGE_DIRECTED, is_whole); }
