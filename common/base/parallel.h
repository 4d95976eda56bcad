/* parallel.h: the only place that opens threads. Work is a list of tasks cut by shape, never by thread count; every
 * output element is written by one task, so the bits do not depend on how many threads ran. */
#ifndef LAMINA_BASE_PARALLEL_H
#define LAMINA_BASE_PARALLEL_H

#include <stdint.h>

typedef void (*parallel_task_fn)(void *context, int64_t task, int thread);

/* Run fn(context, 0 .. n_tasks-1, thread), each once, in any order, on up to parallel_threads() threads; return when all are
 * done. Called by one thread of the process only. Not nested: called inside a task it runs the tasks in place. Uses OpenMP (oneDNN's
 * runtime too), so a library called from a task runs sequentially. Sets FTZ|DAZ on every thread. */
void parallel_for(int64_t n_tasks, parallel_task_fn fn, void *context);

/* Threads of this process: OMP_NUM_THREADS, or what parallel_set_threads said. */
int parallel_threads(void);
void parallel_set_threads(int n);

/* How many threads a library (oneDNN) called here, outside a task, would open: sets it for the calling thread and returns what it was. */
int parallel_library_threads(int n);

/* Thread 0 calls poll(context) between its tasks, so that messages progress while kernels run. NULL removes it. */
void parallel_set_poll(void (*poll)(void *), void *context);

/* Denormals are zero on every thread, from parallel_init on. parallel_denormals_off says whether it still holds on the
 * calling thread and all workers (a library may have changed it). */
void parallel_init(void);
int parallel_denormals_off(void);

/* Cores that this process may use (affinity mask), and cores of the node. */
int parallel_cores_allowed(void);
int parallel_cores_node(void);

#endif
