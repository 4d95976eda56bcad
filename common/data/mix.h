/* mix.h: which source each sample reads where several are mixed by shares: exact counts, nothing random. */
#ifndef LAMINA_DATA_MIX_H
#define LAMINA_DATA_MIX_H

#include <stdbool.h>
#include <stdint.h>

enum { MIX_MOST = 32 };
static const int64_t mix_whole = INT64_C(1) << 48; /* what shares add up to: over 10^10 samples rounding them moves no count by 10^-3 */

/* Of the first n samples source i gives count_i, and for every n, and all i at once,
 *     |count_i - n * share_i / whole| <= 1 - 1/(2k - 2)                                        with k sources; never off with one
 * which is the least that can be promised for any shares. Sample n goes to the source whose next turn is due first, among those whose
 * turn has come: the turn number c of source i (from 0) may come at the first n with n w >= c + 1/(2k - 2), and must at the first with
 * n w > c + 1 - 1/(2k - 2), where w is its share and n counts from 1; of equals the first.
 * Source: Tijdeman 1980, "The chairman assignment problem", Discrete Mathematics 32, 323-330. */
struct mix {
    int n;
    int64_t share[MIX_MOST]; /* each at least 1 */
    struct {
        int64_t whole, rest, unit; /* whole / share = whole + rest / unit: samples from one turn to the next */
    } pace[MIX_MOST];
};
/* Shares in the proportion of weights > 0, rounded; the largest takes what rounding leaves over. */
struct mix mix_make(const double weight[], int n);
/* The same from shares that add up. */
struct mix mix_of(const int64_t share[], int n);

/* Where the deal stands after `samples`. It follows from the counts alone, so they are what a checkpoint keeps. */
struct mix_place {
    int64_t samples, count[MIX_MOST];
    int64_t open[MIX_MOST], due[MIX_MOST];             /* of the next turn: the first sample it may take, and the last */
    int64_t open_spare[MIX_MOST], due_spare[MIX_MOST]; /* how far the fractions behind them are from these, in pace.unit */
};
struct mix_place mix_begin(const struct mix *m);
/* After counts that mix_next has come to, or that are to be gone on from. */
struct mix_place mix_place_at(const struct mix *m, const int64_t count[]);
/* Are these counts within the bound above, as those are that mix_next comes to? */
bool mix_holds(const struct mix *m, const int64_t count[]);
/* The source of the next sample, which is its sample number count[source] before the call. Cost: O(k), no division. */
int mix_next(const struct mix *m, struct mix_place *p);

/* Looking up samples in about the order of a run: forward by walking, and back by up to three strides from a place that was kept.
 * Further back everything is walked again. With one source nothing is walked. */
enum { MIX_KEPT = 4 };
struct mix_cursor {
    int64_t stride;        /* samples of a step */
    struct mix_place from; /* nothing before it is asked for often: where the process began */
    struct mix_place now, kept[MIX_KEPT];
};
struct mix_cursor mix_cursor(const struct mix_place *from, int64_t stride);
struct mix_turn {
    int source;
    int64_t index; /* of the sample in its source */
};
struct mix_turn mix_find(const struct mix *m, struct mix_cursor *c, int64_t sample);
/* How the deal stands after so many samples. */
const struct mix_place *mix_after(const struct mix *m, struct mix_cursor *c, int64_t samples);

#endif
