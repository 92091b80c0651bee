/* Planning memory: nothing that lives together overlaps, and little is wasted. */
#include "base/random.h"
#include "engine/memory.h"
#include "support/check.h"

#define MOST 60

static bool overlap(const rg_block *a, const rg_block *b) {
  bool together = a->first <= b->last && b->first <= a->last;
  return together && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* What must be held at the worst step: no plan can take less. */
static size_t lower_bound(const rg_block *blocks, size_t count, int steps) {
  size_t most = 0;
  for (int step = 0; step < steps; step++) {
    size_t held = 0;
    for (size_t i = 0; i < count; i++)
      if (blocks[i].first <= step && step <= blocks[i].last) held += blocks[i].bytes;
    if (held > most) most = held;
  }
  return most;
}

static void test_random_lifetimes(void **state) {
  rg_random random;
  rg_random_seed(&random, 3);
  for (int round = 0; round < 300; round++) {
    rg_block blocks[MOST];
    size_t count = 1 + rg_random_below(&random, MOST), total, sum = 0;
    int steps = 1 + (int)rg_random_below(&random, 40);
    for (size_t i = 0; i < count; i++) {
      int first = (int)rg_random_below(&random, (uint64_t)steps);
      blocks[i] = (rg_block){.bytes = rg_random_below(&random, 5) == 0 ? 0 : rg_random_below(&random, 5000),
                             .first = first,
                             .last = first + (int)rg_random_below(&random, (uint64_t)(steps - first))};
      sum += (blocks[i].bytes + RG_ALIGNMENT - 1) / RG_ALIGNMENT * RG_ALIGNMENT;
    }
    check_ok(rg_memory_plan(blocks, count, &total));
    for (size_t i = 0; i < count; i++) {
      assert_int_equal(blocks[i].offset % RG_ALIGNMENT, 0);
      assert_true(blocks[i].offset + blocks[i].bytes <= total);
      for (size_t j = 0; j < i; j++) assert_false(overlap(&blocks[i], &blocks[j]));
    }
    assert_in_range(total, lower_bound(blocks, count, steps), sum);
  }
}

/* A chain of equal values needs two places, whatever its length. */
static void test_chain_takes_two(void **state) {
  rg_block blocks[20];
  size_t total;
  for (int i = 0; i < 20; i++) blocks[i] = (rg_block){.bytes = 640, .first = i, .last = i + 1};
  check_ok(rg_memory_plan(blocks, 20, &total));
  assert_int_equal(total, 1280);
}

static void test_too_large(void **state) {
  rg_block blocks[] = {{.bytes = SIZE_MAX / 2 - 4096, .first = 0, .last = 1},
                       {.bytes = SIZE_MAX / 2, .first = 1, .last = 2}};
  size_t total;
  check_fails(rg_memory_plan(blocks, 2, &total), RANGO_ERROR_LIMIT, "memory");
}

/* A released block is given out again, not for far smaller requests, and unused ones go back. */
static void test_pool(void **state) {
  rg_pool *pool;
  rg_pool_block *a, *b, *c;
  check_ok(rg_pool_create(&pool));
  check_ok(rg_pool_take(pool, 10000, &a));
  void *data = rg_pool_data(a);
  rg_pool_release(rg_pool_retain(a));
  check_ok(rg_pool_take(pool, 10000, &b));
  assert_ptr_not_equal(rg_pool_data(b), data); /* the first is still held once */
  rg_pool_release(a);
  check_ok(rg_pool_take(pool, 9000, &c));
  assert_ptr_equal(rg_pool_data(c), data);
  rg_pool_release(c);
  check_ok(rg_pool_take(pool, 100, &c));
  assert_ptr_not_equal(rg_pool_data(c), data);
  rg_pool_release(b);
  rg_pool_release(c);
  rg_pool_trim(pool); /* a run ends that used all three */
  check_ok(rg_pool_take(pool, 10000, &a));
  assert_true(rg_pool_data(a) == data || rg_pool_data(a) == rg_pool_data(b));
  rg_pool_release(a);
  rg_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_lifetimes), cmocka_unit_test(test_chain_takes_two),
                                     cmocka_unit_test(test_too_large), cmocka_unit_test(test_pool)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
