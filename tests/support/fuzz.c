#include "fuzz.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile uint64_t running; /* seed of the round, for the handler */

uint64_t fuzz_draw(struct fuzz *f)
{
    const struct rng_key key = { .seed = f->seed, .purpose = RNG_TEST };
    return rng_u64(key, 0, f->drawn++);
}

uint64_t fuzz_below(struct fuzz *f, uint64_t n) { return fuzz_draw(f) % n; }

static size_t put_in(unsigned char *bytes, size_t n, size_t room, size_t at, const void *piece, size_t length)
{
    if (n + length > room) return n;
    memmove(bytes + at + length, bytes + at, n - at);
    memcpy(bytes + at, piece, length);
    return n + length;
}

static size_t damage_once(struct fuzz *f, unsigned char *bytes, size_t n, size_t room, const char *const *words)
{
    static const unsigned char awkward[] = { 0, 1, 0x7f, 0x80, 0xc0, 0xed, 0xf4, 0xff, '"', '\\', '\n', '{', '[', ',', ':', ' ' };
    unsigned char piece[4096];
    const size_t at = fuzz_below(f, n + 1), length = n > at ? 1 + fuzz_below(f, n - at < 64             ? n - at
                                                                                : fuzz_below(f, 8) == 0 ? n - at
                                                                                                        : 64)
                                                            : 0;
    size_t n_words = 0;
    while (words != NULL && words[n_words] != NULL) n_words++;
    switch (fuzz_below(f, n_words > 0 ? 8 : 7)) {
    case 0:
        if (at < n) bytes[at] ^= (unsigned char)(1u << fuzz_below(f, 8));
        return n;
    case 1:
        if (at < n) bytes[at] = awkward[fuzz_below(f, sizeof awkward)];
        return n;
    case 2: return at; /* the rest is missing */
    case 3: memmove(bytes + at, bytes + at + length, n - at - length); return n - length;
    case 4: /* doubled, or moved elsewhere */
        if (length > sizeof piece) return n;
        memcpy(piece, bytes + at, length);
        return put_in(bytes, n, room, fuzz_below(f, n + 1), piece, length);
    case 5:
        for (size_t i = 0; i < 8; i++) piece[i] = (unsigned char)fuzz_draw(f);
        return put_in(bytes, n, room, at, piece, 1 + fuzz_below(f, 8));
    case 6:
        if (n < 4 || at > n - 4) return n;
        memset(bytes + at, fuzz_below(f, 2) ? 0xff : 0, 4); /* a length of nothing, or of all there can be */
        return n;
    default: {
        const char *const word = words[fuzz_below(f, n_words)];
        return put_in(bytes, n, room, at, word, strlen(word));
    }
    }
}

size_t fuzz_damage(struct fuzz *f, unsigned char *bytes, size_t n, size_t room, const char *const *words)
{
    static const int times[] = { 0, 1, 1, 1, 1, 2, 2, 3, 5, 20 };
    for (int i = times[fuzz_below(f, sizeof times / sizeof *times)]; i > 0; i--) n = damage_once(f, bytes, n, room, words);
    return n;
}

void fuzz_failed(const struct fuzz *f, const char *file, int line, const char *condition)
{
    (void)printf("%s:%d: does not hold: %s\n", file, line, condition);
    (void)printf("round of seed %llu\n", (unsigned long long)f->seed);
    (void)fflush(stdout);
    abort();
}

static void died(int number)
{
    char text[64];
    const int n = snprintf(text, sizeof text, "signal %d in the round of seed %llu\n", number, (unsigned long long)running);
    if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0) return;
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

int fuzz_main(int argc, char **argv, const char *name, void (*one)(struct fuzz *f))
{
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const double end = clock_seconds() + seconds;
    log_mute(true);
    (void)signal(SIGSEGV, died);
    (void)signal(SIGABRT, died);
    (void)signal(SIGFPE, died);
    int64_t rounds = 0;
    do {
        struct fuzz f = { .seed = first + (uint64_t)rounds };
        running = f.seed;
        one(&f);
        rounds++;
    } while (clock_seconds() < end);
    (void)printf("%s: %lld rounds from seed %llu\n", name, (long long)rounds, (unsigned long long)first);
    return EXIT_SUCCESS;
}
