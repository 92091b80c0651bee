/*
 * The pool. A job's tasks are in groups, each a bit of a mask; whoever comes takes a bit and runs its tasks. The caller
 * takes groups like everybody else and waits only for those that others have taken: threads that still start, sleep or
 * have lost their core delay nobody. A thread prefers the group of its own number, whose data its core may still hold.
 */
#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/checked.h"
#include "base/cpu_cores.h"
#include "base/memory.h"

#define THREADS_MAX 1024
#define WORD_BITS   64
#define SPIN_NS     200000 /* before a thread sleeps: longer than what one thread does alone between two layers */
#define SPIN_TURNS  32     /* between two looks at the clock */

typedef struct worker {
  rango_threads *pool;
  size_t number; /* the caller's is 0 */
  pthread_t thread;
} worker;

struct rango_threads {
  int count;
  size_t words;
  worker *workers; /* [count - 1] */
  int started;
  atomic_bool busy; /* a caller's job is on */

  /* The job: written while no group is free or at work. */
  void (*task)(void *argument, size_t i);
  void *argument;
  size_t tasks, groups;
  _Atomic uint64_t *free;          /* [words] groups that nobody has taken */
  _Alignas(64) atomic_size_t done; /* groups, but for the caller's */

  /* Sleeping. Who changes one of these looks at the other afterwards: sleepers and free, caller_sleeps and done. */
  _Alignas(64) atomic_int sleepers;
  atomic_bool caller_sleeps, closing;
  pthread_mutex_t lock;
  pthread_cond_t work, finished;
};

/* A task that calls rg_threads_run again would wait for itself: it runs alone in place of that. */
static _Thread_local bool inside_task;

/* ---- groups ---- */

static bool is_work(rango_threads *pool) {
  for (size_t w = 0; w < pool->words; w++)
    if (atomic_load(&pool->free[w]) != 0) return true;
  return false;
}

/* A free group; its own number's if it can be. */
static bool take(rango_threads *pool, size_t number, size_t *group) {
  for (size_t k = 0; k < pool->words; k++) {
    const size_t w = (number / WORD_BITS + k) % pool->words;
    const uint64_t own = k == 0 ? (uint64_t)1 << number % WORD_BITS : 0;
    for (uint64_t mask = atomic_load(&pool->free[w]); mask != 0;) {
      const uint64_t bit = mask & own ? own : mask & (~mask + 1), before = atomic_fetch_and(&pool->free[w], ~bit);
      if (before & bit) {
        *group = w * WORD_BITS + (size_t)__builtin_ctzll(bit);
        return true;
      }
      mask = before;
    }
  }
  return false;
}

static void run_group(const rango_threads *pool, size_t group) {
  size_t begin, end;
  rg_threads_split(pool->tasks, 1, pool->groups, group, &begin, &end);
  for (size_t i = begin; i < end; i++) pool->task(pool->argument, i);
}

/* ---- waiting ---- */

static void pause_a_little(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

typedef bool (*condition)(rango_threads *pool, size_t argument);

/* Whether the condition came true while it was worth waiting awake. */
static bool spin(rango_threads *pool, condition holds, size_t argument) {
  for (int64_t end = 0;;) {
    for (int i = 0; i < SPIN_TURNS; i++) {
      if (holds(pool, argument)) return true;
      pause_a_little();
    }
    const int64_t now = nanoseconds();
    if (end == 0) end = now + SPIN_NS;
    if (now >= end) return false;
  }
}

static bool is_wanted(rango_threads *pool, size_t unused) {
  (void)unused;
  return is_work(pool) || atomic_load(&pool->closing);
}

static bool is_done(rango_threads *pool, size_t groups) { return atomic_load(&pool->done) == groups; }

static void sleep_until_wanted(rango_threads *pool) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!is_wanted(pool, 0)) pthread_cond_wait(&pool->work, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

static void sleep_until_done(rango_threads *pool, size_t groups) {
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->caller_sleeps, true);
  while (!is_done(pool, groups)) pthread_cond_wait(&pool->finished, &pool->lock);
  atomic_store(&pool->caller_sleeps, false);
  pthread_mutex_unlock(&pool->lock);
}

/* Once the lock was free, a sleeper has either seen what was changed before or waits for the signal. */
static void signal_sleepers(rango_threads *pool, pthread_cond_t *of, size_t count) {
  pthread_mutex_lock(&pool->lock);
  pthread_mutex_unlock(&pool->lock);
  for (size_t i = 0; i < count; i++) pthread_cond_signal(of);
}

static void *work(void *argument) {
  const worker *self = argument;
  rango_threads *pool = self->pool;
  inside_task = true;
  while (!atomic_load(&pool->closing)) {
    size_t group;
    if (take(pool, self->number, &group)) {
      run_group(pool, group);
      atomic_fetch_add(&pool->done, 1);
      if (atomic_load(&pool->caller_sleeps)) signal_sleepers(pool, &pool->finished, 1);
    } else if (!spin(pool, is_wanted, 0)) {
      sleep_until_wanted(pool);
    }
  }
  return NULL;
}

/* ---- the pool ---- */

static void pool_free(rango_threads *pool) {
  atomic_store(&pool->closing, true);
  signal_sleepers(pool, &pool->work, (size_t)pool->started);
  for (int i = 0; i < pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->finished);
  pthread_cond_destroy(&pool->work);
  pthread_mutex_destroy(&pool->lock);
  rg_free(pool->free);
  rg_free(pool->workers);
  rg_free(pool);
}

static rango_status start_workers(rango_threads *pool) {
  RG_TRY(rg_calloc((size_t)pool->count, sizeof *pool->workers, RG_OUT(&pool->workers)));
  RG_TRY(rg_calloc(pool->words, sizeof *pool->free, RG_OUT(&pool->free)));
  for (int i = 0; i + 1 < pool->count; i++) {
    pool->workers[i].pool = pool;
    pool->workers[i].number = (size_t)i + 1;
    RG_FAIL_IF(pthread_create(&pool->workers[i].thread, NULL, work, &pool->workers[i]) != 0, RANGO_ERROR_MEMORY,
               "a pool of %d threads could not be started", pool->count);
    pool->started++;
  }
  return RANGO_OK;
}

rango_status rango_threads_create(int count, rango_threads **out) {
  RG_FAIL_IF(!out, RANGO_ERROR_ARGUMENT, "rango_threads_create: out is NULL");
  *out = NULL;
  RG_FAIL_IF(count < 0 || count > THREADS_MAX, RANGO_ERROR_ARGUMENT,
             "rango_threads_create: %d threads; use 0 (one for each core) to %d", count, THREADS_MAX);
  rango_threads *pool;
  RG_TRY(rg_calloc(1, sizeof *pool, RG_OUT(&pool)));
  pool->count = count ? count : rg_cpu_cores();
  pool->words = rg_ceil_div((size_t)pool->count, WORD_BITS);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->finished, NULL);
  const rango_status status = start_workers(pool);
  if (status != RANGO_OK) {
    pool_free(pool);
    return status;
  }
  *out = pool;
  return RANGO_OK;
}

void rango_threads_free(rango_threads *threads) {
  if (threads) pool_free(threads);
}

int rango_threads_count(const rango_threads *threads) { return threads ? threads->count : 1; }

static void publish(rango_threads *pool) {
  atomic_store(&pool->done, 0);
  for (size_t w = 0; w < pool->words; w++) {
    const size_t left = pool->groups > w * WORD_BITS ? pool->groups - w * WORD_BITS : 0;
    atomic_store(&pool->free[w], left >= WORD_BITS ? UINT64_MAX : ((uint64_t)1 << left) - 1);
  }
  const size_t asleep = (size_t)atomic_load(&pool->sleepers);
  if (asleep > 0) signal_sleepers(pool, &pool->work, rg_min_size(asleep, pool->groups - 1));
}

static void run_parallel(rango_threads *pool, void (*task)(void *, size_t), void *argument, size_t count) {
  size_t own = 0, group;
  pool->task = task;
  pool->argument = argument;
  pool->tasks = count;
  pool->groups = rg_min_size(count, pool->words * WORD_BITS);
  publish(pool);
  inside_task = true;
  for (; take(pool, 0, &group); own++) run_group(pool, group);
  inside_task = false;
  if (!spin(pool, is_done, pool->groups - own)) sleep_until_done(pool, pool->groups - own);
}

void rg_threads_run(rango_threads *pool, void (*task)(void *argument, size_t i), void *argument, size_t count) {
  bool busy = false;
  if (!pool || pool->count == 1 || count <= 1 || inside_task ||
      !atomic_compare_exchange_strong(&pool->busy, &busy, true)) {
    for (size_t i = 0; i < count; i++) task(argument, i);
    return;
  }
  run_parallel(pool, task, argument, count);
  atomic_store(&pool->busy, false);
}

void rg_threads_split(size_t total, size_t grain, size_t parts, size_t i, size_t *begin, size_t *end) {
  if (!grain) grain = 1;
  size_t grains = total / grain + (total % grain != 0);
  size_t each = grains / parts, extra = grains % parts; /* the first `extra` parts take one more */
  size_t first = i * each + (i < extra ? i : extra), last = first + each + (i < extra);
  *begin = first >= grains ? total : first * grain;
  *end = last >= grains ? total : last * grain;
}
