#include "base/threads.h"

#include "base/cpu_cores.h"
#include "base/memory.h"

#define THREADS_MAX 1024

#if defined(__APPLE__)
#include <dispatch/dispatch.h>
#include <stdatomic.h>
typedef struct job {
  void (*task)(void *argument, size_t i);
  void *argument;
  size_t count;
  atomic_size_t next;
} job;
#else
#include <pthreadpool.h>
typedef struct job {
  void (*task)(void *argument, size_t i);
  void *argument;
} job;
#endif

struct rango_threads {
  int count;
#if !defined(__APPLE__)
  pthreadpool_t pool;
#endif
};

/* A task that calls rg_threads_run again would wait for itself: it runs alone in place of that. */
static _Thread_local bool inside_task;

rango_status rango_threads_create(int count, rango_threads **out) {
  RG_FAIL_IF(!out, RANGO_ERROR_ARGUMENT, "rango_threads_create: out is NULL");
  *out = NULL;
  RG_FAIL_IF(count < 0 || count > THREADS_MAX, RANGO_ERROR_ARGUMENT,
             "rango_threads_create: %d threads; use 0 (one for each core) to %d", count, THREADS_MAX);
  rango_threads *threads;
  RG_TRY(rg_calloc(1, sizeof *threads, RG_OUT(&threads)));
  threads->count = count ? count : rg_cpu_cores();
#if !defined(__APPLE__)
  if (threads->count > 1 && !(threads->pool = pthreadpool_create((size_t)threads->count))) {
    count = threads->count;
    rg_free(threads);
    RG_FAIL(RANGO_ERROR_MEMORY, "a pool of %d threads could not be started", count);
  }
#endif
  *out = threads;
  return RANGO_OK;
}

void rango_threads_free(rango_threads *threads) {
  if (!threads) return;
#if !defined(__APPLE__)
  if (threads->pool) pthreadpool_destroy(threads->pool);
#endif
  rg_free(threads);
}

int rango_threads_count(const rango_threads *threads) { return threads ? threads->count : 1; }

#if defined(__APPLE__)
/* dispatch_apply chooses its own number of threads; so many takers of a shared counter keep to the pool's. */
static void take_items(void *argument, size_t taker) {
  (void)taker;
  job *work = argument;
  inside_task = true;
  for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->count;) work->task(work->argument, i);
  inside_task = false;
}

static void run_parallel(rango_threads *pool, void (*task)(void *, size_t), void *argument, size_t count) {
  job work = {.task = task, .argument = argument, .count = count};
  size_t takers = count < (size_t)pool->count ? count : (size_t)pool->count;
  dispatch_apply_f(takers, dispatch_get_global_queue(QOS_CLASS_USER_INITIATED, 0), &work, take_items);
}
#else
static void run_item(void *argument, size_t i) {
  const job *work = argument;
  inside_task = true;
  work->task(work->argument, i);
  inside_task = false;
}

static void run_parallel(rango_threads *pool, void (*task)(void *, size_t), void *argument, size_t count) {
  job work = {task, argument};
  pthreadpool_parallelize_1d(pool->pool, run_item, &work, count, 0);
}
#endif

void rg_threads_run(rango_threads *pool, void (*task)(void *argument, size_t i), void *argument, size_t count) {
  if (!pool || pool->count == 1 || count <= 1 || inside_task)
    for (size_t i = 0; i < count; i++) task(argument, i);
  else
    run_parallel(pool, task, argument, count);
}

void rg_threads_split(size_t total, size_t grain, size_t parts, size_t i, size_t *begin, size_t *end) {
  if (!grain) grain = 1;
  size_t grains = total / grain + (total % grain != 0);
  size_t each = grains / parts, extra = grains % parts; /* the first `extra` parts take one more */
  size_t first = i * each + (i < extra ? i : extra), last = first + each + (i < extra);
  *begin = first >= grains ? total : first * grain;
  *end = last >= grains ? total : last * grain;
}
