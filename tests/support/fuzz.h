/* fuzz.h: valid input, damaged at random for some seconds: `fuzz_NAME [SECONDS [SEED]]`. A round that fails is repeated by its seed. */
#ifndef LAMINA_TESTS_SUPPORT_FUZZ_H
#define LAMINA_TESTS_SUPPORT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

struct fuzz {
    uint64_t seed;
    int64_t drawn; /* numbers taken in this round */
};
uint64_t fuzz_draw(struct fuzz *f);
/* [0, n), n > 0. */
uint64_t fuzz_below(struct fuzz *f, uint64_t n);
/* Some bits flipped, bytes set to awkward values, pieces cut out, doubled, moved or cut off, words put in; or nothing at all, now and then.
 * bytes has room for `room`; words (NULL-terminated, may be NULL) are what this kind of input is made of. Returns the new length. */
size_t fuzz_damage(struct fuzz *f, unsigned char *bytes, size_t n, size_t room, const char *const *words);

/* Runs rounds until the time is over. Says the seed before it fails: by ck_abort of `one`, or by a signal (the seed is on stdout then). */
int fuzz_main(int argc, char **argv, const char *name, void (*one)(struct fuzz *f));
/* A round expects this; prints seed and sentence and ends the process where it does not hold. */
#define FUZZ_CHECK(f, condition)                                                                                                           \
    do {                                                                                                                                   \
        if (!(condition)) fuzz_failed((f), __FILE__, __LINE__, #condition);                                                                \
    } while (0)
_Noreturn void fuzz_failed(const struct fuzz *f, const char *file, int line, const char *condition);

#endif
