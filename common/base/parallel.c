#include "parallel.h"
#include "libraries.h"
#include <float.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

static _Thread_local int here = -1; /* this thread's index while it runs a task, -1 outside: omp_in_parallel is false in a team of one */
static int n_threads;               /* 0 until asked for */
static void (*poll_fn)(void *);
static void *poll_context;

int parallel_threads(void)
{
    if (n_threads == 0) n_threads = omp_get_max_threads();
    return n_threads;
}

void parallel_set_threads(int n) { n_threads = n > 0 ? n : 1; }

int parallel_library_threads(int n)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(n);
    return before;
}

void parallel_set_poll(void (*poll)(void *), void *context)
{
    poll_fn = poll;
    poll_context = context;
}

/* ---- denormals ---- */

static void denormals_flush(void)
{
#if defined(__x86_64__) || defined(__i386__)
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ: results, DAZ: operands */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (uint64_t)1 << 24));
#endif
}

/* Asks the arithmetic and not a register, so it is right on any processor: a denormal result and a denormal operand must
 * both count as zero. */
static bool denormals_flushed(void)
{
    volatile float least = FLT_MIN, denormal = FLT_TRUE_MIN, half = 0.5f, large = 0x1p40f;
    volatile float result = least * half, grown = result * large, operand = denormal * large;
    return !(grown > 0) && !(operand > 0);
}

void parallel_init(void)
{
    denormals_flush();
#pragma omp parallel num_threads(parallel_threads())
    denormals_flush();
}

int parallel_denormals_off(void)
{
    int off = denormals_flushed();
#pragma omp parallel num_threads(parallel_threads()) reduction(&& : off)
    off = off && denormals_flushed();
    return off;
}

/* ---- tasks ---- */

struct job {
    int64_t n_tasks;
    parallel_task_fn fn;
    void *context;
    atomic_int_fast64_t next; /* the first task that nobody has taken */
};

static void work(struct job *job, int thread)
{
    denormals_flush(); /* the runtime may have made this thread just now */
    here = thread;
    for (;;) {
        const int64_t task = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (task >= job->n_tasks) break;
        job->fn(job->context, task, thread);
        if (thread == 0 && poll_fn != NULL) poll_fn(poll_context);
    }
    here = -1;
}

void parallel_for(int64_t n_tasks, parallel_task_fn fn, void *context)
{
    if (here >= 0) {
        for (int64_t task = 0; task < n_tasks; task++) fn(context, task, here);
        return;
    }
    struct job job = { .n_tasks = n_tasks, .fn = fn, .context = context };
    if (n_tasks <= 1 || parallel_threads() == 1) {
        const int before = parallel_library_threads(1); /* outside a team it would open threads of its own, and with them other bits */
        work(&job, 0);
        (void)parallel_library_threads(before);
        return;
    }
    /* Always the whole team: libgomp ends the threads that a smaller one leaves over and makes them anew for the next. */
#pragma omp parallel num_threads(parallel_threads())
    work(&job, omp_get_thread_num());
}

/* ---- cores ---- */

int parallel_cores_allowed(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return parallel_cores_node(); /* more processors than the set has bits */
    return CPU_COUNT(&set);
}

int parallel_cores_node(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

const char *library_openmp(void)
{
    static const struct {
        int date;
        const char *version;
    } all[] = { { 201307, "4.0" }, { 201511, "4.5" }, { 201811, "5.0" }, { 202011, "5.1" }, { 202111, "5.2" } };
    static _Thread_local char text[32];
    const char *version = "of";
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (_OPENMP == all[i].date) version = all[i].version;
    (void)snprintf(text, sizeof text, "%s (%d)", version, _OPENMP);
    return text;
}
