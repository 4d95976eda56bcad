/* A problem file of `optim try`, damaged: it is refused with a sentence that names the file, or it is one, whole and finite. */
#include "coordinator/try_file.h"
#include "common/base/clock.h"
#include "tests/support/fuzz.h"
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
enum { ANSWER_S = 10 };
#else
enum { ANSWER_S = 1 }; /* processor seconds */
#endif
enum { ROOM = 1 << 14 };
static char path[] = "/tmp/lamina-fuzz-XXXXXX.json";

static const char *const good[] = {
    "{\"rule\": \"sgd\", \"hyper\": {\"lr\": 0.1, \"momentum\": {\"beta\": 0.9, \"form\": \"heavy\"}, \"weight_decay\": 0.5},\n"
    " \"shape\": [2, 2], \"theta\": [1, -2, 3, 0.5], \"grads\": [[1, 0, -1, 2], [0.25, -3, 0, 1]], \"schedule\": [1, 0.5]}",
    "{\"hyper\": {\"lr\": 1e-3, \"betas\": [0.9, 0.999], \"agc\": null, \"cautious\": true}, \"shape\": [3], \"theta\": [1, 2, 3],\n"
    " \"grads\": [[1, 2, 3]], \"sampled\": [null], \"projection\": [[1], [2]], \"report\": \"eval\"}",
};
static const char *const words[] = {
    "1e39",    "-1",     "1e400",   "\"\\u0000\"", "[[[[[[[[", "{}",        "null",           "9223372036854775807",
    "true",    "\"\"",   "[],",     "1000000",     "1000001",  "\"rule\":", "\"shape\": [0]", "\"hyper\": {}",
    "\"%a\":", "1e-320", "\\u202e", "\"\\n\": 1,", NULL
};

/* Some number becomes another value. */
static size_t exchange_number(struct fuzz *f, unsigned char *bytes, size_t n)
{
    static const char digits[] = "-+.0123456789e";
    size_t begin = fuzz_below(f, n);
    while (begin < n && (bytes[begin] < '0' || bytes[begin] > '9')) begin++;
    size_t end = begin;
    while (begin > 0 && strchr(digits, bytes[begin - 1]) != NULL) begin--;
    while (end < n && strchr(digits, bytes[end]) != NULL) end++;
    const char *with = words[fuzz_below(f, sizeof words / sizeof words[0] - 1)];
    if (begin == n || n - (end - begin) + strlen(with) > ROOM) return n;
    memmove(bytes + begin + strlen(with), bytes + end, n - end);
    memcpy(bytes + begin, with, strlen(with));
    return n - (end - begin) + strlen(with);
}

/* Reads every number that the answer promises. */
static double sum_of(const struct try_problem *p)
{
    const int64_t n = p->rows * p->cols;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)p->theta[i];
    for (int64_t step = 0; step < p->n_steps; step++) {
        for (int64_t i = 0; i < n; i++) sum += (double)p->grad[step][i];
        if (p->factor != NULL) sum += p->factor[step];
        for (int64_t i = 0; i < n && p->sampled != NULL && p->sampled[step] != NULL; i++) sum += (double)p->sampled[step][i];
    }
    const int64_t side = p->rows < p->cols ? p->rows : p->cols;
    for (int64_t i = 0; i < p->n_projected * side; i++) sum += (double)p->projection[i];
    return sum;
}

static void one(struct fuzz *f)
{
    const struct variant *const *optimizers = worker_tables()->optimizers;
    unsigned char bytes[ROOM];
    struct arena arena;
    struct try_problem problem;
    size_t n_optimizers = 0;
    while (optimizers[n_optimizers] != NULL) n_optimizers++;
    const char *text = good[fuzz_below(f, sizeof good / sizeof good[0])];
    memcpy(bytes, text, strlen(text));
    size_t n = strlen(text);
    if (fuzz_below(f, 2) == 0)
        n = exchange_number(f, bytes, n);
    else
        n = fuzz_damage(f, bytes, n, sizeof bytes, words);
    const int fd = open(path, O_WRONLY | O_TRUNC);
    FUZZ_CHECK(f, fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    (void)close(fd);
    arena_open_growing(&arena, "fuzz");
    status_clear();
    const double begin = clock_thread_seconds();
    const enum status s = try_file_read(path, optimizers[fuzz_below(f, n_optimizers)], &arena, &problem);
    FUZZ_CHECK(f, clock_thread_seconds() - begin < ANSWER_S);
    FUZZ_CHECK(f, s == ST_OK || (s == ST_DATA && strstr(status_text(), path) != NULL));
    if (s == ST_OK) FUZZ_CHECK(f, problem.n_steps >= 1 && isfinite(sum_of(&problem)));
    arena_close(&arena);
}

int main(int argc, char **argv)
{
    const int fd = mkstemps(path, 5);
    if (fd < 0) return EXIT_FAILURE;
    (void)close(fd);
    const int code = fuzz_main(argc, argv, "try_file", one);
    (void)unlink(path);
    return code;
}
