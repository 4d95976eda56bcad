#include "director.h"

static bool falls_on(int64_t step, int64_t every) { return every > 0 && step > 0 && step % every == 0; }

static enum director_end end_of(const struct director_policy *p, const struct director_state *s)
{
    if (s->step >= p->steps) return END_COMPLETE;
    if (p->until > 0 && s->step >= p->until) return END_UNTIL;
    return s->signals != 0 ? END_SIGNAL : END_NOT;
}

struct director_order director_next(const struct director_policy *p, const struct director_state *s)
{
    struct director_order order = { .step = s->step + 1, .end = end_of(p, s) };
    order.save = s->saved != s->step && (order.end != END_NOT || falls_on(s->step, p->save_every));
    /* A run that was asked to stop may have seconds left: it saves and does not evaluate. */
    order.evaluate = !s->evaluated && order.end != END_SIGNAL &&
                     (falls_on(s->step, p->evaluate_every) || (order.end == END_COMPLETE && p->evaluate_every > 0));
    return order;
}
