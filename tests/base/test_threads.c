/* The thread pool computes the same sums as one thread, every item once; the CPU's description; random numbers. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/cpu_cores.h"
#include "base/cpu_features.h"
#include "base/random.h"
#include "base/threads.h"
#include "support/check.h"
#include "support/memory.h"

#define ITEMS 10000

typedef struct sums {
  rango_threads *pool;
  atomic_int seen[ITEMS];
  double squares[ITEMS];
  atomic_long nested;
} sums;

static void square(void *argument, size_t i) {
  sums *s = argument;
  atomic_fetch_add(&s->seen[i], 1);
  s->squares[i] = (double)i * (double)i;
}

static void test_every_item_once(void **state) {
  static sums s;
  for (int count = 1; count <= 8; count++) {
    check_ok(rango_threads_create(count, &s.pool));
    assert_int_equal(rango_threads_count(s.pool), count);
    memset(s.seen, 0, sizeof s.seen);
    memset(s.squares, 0, sizeof s.squares);
    rg_threads_run(s.pool, square, &s, ITEMS);
    double sum = 0;
    for (int i = 0; i < ITEMS; i++) {
      assert_int_equal(s.seen[i], 1);
      sum += s.squares[i];
    }
    assert_true(sum == (ITEMS - 1.0) * ITEMS * (2.0 * ITEMS - 1) / 6);
    rango_threads_free(s.pool);
  }
  memset(s.seen, 0, sizeof s.seen);
  rg_threads_run(NULL, square, &s, 3);
  assert_int_equal(s.seen[2], 1);
  rg_threads_run(NULL, square, &s, 0);
  assert_int_equal(rango_threads_count(NULL), 1);
}

static void add_one(void *argument, size_t i) { atomic_fetch_add(&((sums *)argument)->nested, 1); }
static void run_inner(void *argument, size_t i) { rg_threads_run(((sums *)argument)->pool, add_one, argument, 10); }

static void test_nested_runs_end(void **state) {
  static sums s;
  check_ok(rango_threads_create(4, &s.pool));
  rg_threads_run(s.pool, run_inner, &s, 100);
  assert_int_equal(s.nested, 1000);
  rango_threads_free(s.pool);
}

/* ---- jobs that follow each other, or compete ---- */

typedef struct job {
  rango_threads *pool;
  int seed;
  size_t count;
  atomic_int wrong;
  atomic_size_t sum;
} job;

static void add_item(void *argument, size_t i) {
  job *j = argument;
  if (i >= j->count) atomic_fetch_add(&j->wrong, 1);
  atomic_fetch_add(&j->sum, i + 1);
}

/* Jobs of all sizes from the caller's stack: one that a slow thread still worked on would show in the next. */
static void *run_jobs(void *argument) {
  const job *first = argument;
  for (int turn = 0; turn < 400; turn++) {
    job j = {.pool = first->pool, .count = 2 + (size_t)(turn * 7 + first->seed) % 300};
    rg_threads_run(j.pool, add_item, &j, j.count);
    if (j.wrong || j.sum != j.count * (j.count + 1) / 2) return "an item was run twice, or not at all, or too late";
    if (turn % 100 == 0) usleep(3000); /* threads of the pool fall asleep */
  }
  return NULL;
}

/* More threads than cores, than bits of a word; several callers of one pool, which don't wait for each other. */
static void test_callers_share_a_pool(void **state) {
  static const int counts[] = {2, 3, 70, 130};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    job jobs[3] = {{.seed = 0}, {.seed = 1}, {.seed = 2}};
    pthread_t callers[3];
    check_ok(rango_threads_create(counts[c], &jobs[0].pool));
    for (int i = 0; i < 3; i++) {
      jobs[i].pool = jobs[0].pool;
      assert_int_equal(pthread_create(&callers[i], NULL, run_jobs, &jobs[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
      void *message;
      pthread_join(callers[i], &message);
      if (message) fail_msg("%d threads, caller %d: %s", counts[c], i, (const char *)message);
    }
    rango_threads_free(jobs[0].pool);
  }
}

static void wait_for_both(void *argument, size_t i) {
  job *j = argument;
  atomic_fetch_add(&j->sum, 1);
  for (int tries = 0; atomic_load(&j->sum) < 2 && tries < 10000; tries++) usleep(1000);
  if (atomic_load(&j->sum) < 2) atomic_fetch_add(&j->wrong, 1);
}

/* Two tasks that wait for each other end: two threads are at work, also after they have slept. */
static void test_threads_wake_up(void **state) {
  job j = {0};
  check_ok(rango_threads_create(2, &j.pool));
  for (int turn = 0; turn < 5; turn++) {
    atomic_store(&j.sum, 0);
    rg_threads_run(j.pool, wait_for_both, &j, 2);
    assert_int_equal(j.wrong, 0);
    usleep(5000);
  }
  rango_threads_free(j.pool);
}

static void test_create_arguments(void **state) {
  rango_threads *pool;
  check_fails(rango_threads_create(-1, &pool), RANGO_ERROR_ARGUMENT, "-1 threads");
  check_fails(rango_threads_create(1 << 20, &pool), RANGO_ERROR_ARGUMENT, "threads");
  check_fails(rango_threads_create(1, NULL), RANGO_ERROR_ARGUMENT, "NULL");
  check_ok(rango_threads_create(0, &pool));
  assert_int_equal(rango_threads_count(pool), rg_cpu_cores());
  rango_threads_free(pool);
  rango_threads_free(NULL);
}

static void test_split(void **state) {
  static const size_t totals[] = {0, 1, 7, 64, 1000, 1001}, grains[] = {0, 1, 4, 16, 2000};
  for (size_t t = 0; t < 6; t++)
    for (size_t g = 0; g < 5; g++)
      for (size_t parts = 1; parts < 9; parts++) {
        size_t at = 0, smallest = SIZE_MAX, largest = 0, grain = grains[g] ? grains[g] : 1;
        for (size_t i = 0; i < parts; i++) {
          size_t begin, end;
          rg_threads_split(totals[t], grains[g], parts, i, &begin, &end);
          assert_int_equal(begin, at); /* no gap, no overlap */
          assert_true(end >= begin && (begin % grain == 0 || begin == totals[t]));
          size_t taken = (end - begin + grain - 1) / grain;
          if (taken < smallest) smallest = taken;
          if (taken > largest) largest = taken;
          at = end;
        }
        assert_int_equal(at, totals[t]);
        assert_true(largest - smallest <= 1);
      }
}

static void test_cpu(void **state) {
  const rg_cpu *cpu = rg_cpu_features();
  assert_true(rg_cpu_cores() >= 1);
  assert_ptr_equal(cpu, rg_cpu_features());
#if defined(__x86_64__)
  assert_false(cpu->neon);
  assert_int_equal(cpu->avx2, __builtin_cpu_supports("avx2") != 0);
  assert_int_equal(cpu->fma, __builtin_cpu_supports("fma") != 0);
  assert_int_equal(cpu->avx512f, __builtin_cpu_supports("avx512f") != 0);
  assert_int_equal(cpu->avx512bw, __builtin_cpu_supports("avx512bw") != 0);
  assert_int_equal(cpu->avx512dq, __builtin_cpu_supports("avx512dq") != 0);
  assert_int_equal(cpu->avx512vl, __builtin_cpu_supports("avx512vl") != 0);
#elif defined(__aarch64__)
  assert_true(cpu->neon);
  assert_false(cpu->avx2 || cpu->avx512f);
#endif
  if (cpu->l1_bytes && cpu->l2_bytes) assert_true(cpu->l1_bytes <= cpu->l2_bytes);
  size_t l1, l2, l3; /* as the system says; the first two may differ between a processor's cores */
  rg_cpu_caches(&l1, &l2, &l3);
  const bool told = access("/sys/devices/system/cpu/cpu0/cache/index3/size", R_OK) == 0; /* libc alone only guesses */
  if (told && l3) assert_int_equal(cpu->l3_bytes, l3);
}

static void test_random(void **state) {
  rg_random a, b;
  rg_random_seed(&a, 42);
  rg_random_seed(&b, 42);
  for (int i = 0; i < 1000; i++) assert_true(rg_random_next(&a) == rg_random_next(&b));
  rg_random_seed(&b, 43);
  assert_true(rg_random_next(&a) != rg_random_next(&b));

  /* xoshiro256** from the state 1, 2, 3, 4: the first outputs, worked out by hand from the paper's definition. */
  rg_random known = {{1, 2, 3, 4}};
  assert_true(rg_random_next(&known) == 11520);
  assert_true(rg_random_next(&known) == 0);
  assert_true(rg_random_next(&known) == 1509978240);

  double sum = 0, squares = 0, normal = 0, normal_squares = 0;
  const int n = 200000;
  int counts[7] = {0};
  for (int i = 0; i < n; i++) {
    double u = rg_random_uniform(&a), z = rg_random_normal(&a);
    assert_true(u >= 0 && u < 1 && isfinite(z));
    sum += u;
    squares += u * u;
    normal += z;
    normal_squares += z * z;
    counts[rg_random_below(&a, 7)]++;
  }
  /* Five standard errors. */
  assert_true(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12 / n));
  assert_true(fabs(squares / n - 1.0 / 3) < 5 * sqrt(4.0 / 45 / n));
  assert_true(fabs(normal / n) < 5 / sqrt(n));
  assert_true(fabs(normal_squares / n - 1) < 5 * sqrt(2.0 / n));
  for (int k = 0; k < 7; k++) assert_true(fabs(counts[k] - n / 7.0) < 5 * sqrt(n * 6.0 / 49));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_item_once),
      cmocka_unit_test(test_nested_runs_end),
      cmocka_unit_test(test_callers_share_a_pool),
      cmocka_unit_test(test_threads_wake_up),
      cmocka_unit_test(test_create_arguments),
      cmocka_unit_test(test_split),
      cmocka_unit_test(test_cpu),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
