/* director.h: what happens next, as a pure function of what is known. Rank 0 asks, every rank obeys: the answer is broadcast. */
#ifndef LAMINA_COORDINATOR_DIRECTOR_H
#define LAMINA_COORDINATOR_DIRECTOR_H

#include <stdbool.h>
#include <stdint.h>

/* Fixed for one process. Intervals of 0 mean never. */
struct director_policy {
    int64_t steps, save_every, evaluate_every;
    int64_t until; /* save after this step and stop there; 0: no such step */
};

/* What has been done so far. */
struct director_state {
    int64_t step;     /* last step done; 0: none */
    int64_t saved;    /* step of the newest checkpoint of this state's history; -1: none */
    bool evaluated;   /* after `step` */
    unsigned signals; /* stop requests, agreed over ranks */
};

enum director_end { END_NOT, END_COMPLETE, END_UNTIL, END_SIGNAL };

/* Broadcast to every rank each step. Done in this order: evaluate, save, then either one step or the end. */
struct director_order {
    int64_t step; /* to do now; meaningless when end is set */
    bool evaluate, save;
    enum director_end end;
};
struct director_order director_next(const struct director_policy *policy, const struct director_state *state);

#endif
