/* Rank allocation against brute force; sensitivity curves. */
#include "compress/networks.h"

#define SITES   4
#define CHOICES 5

static rg_candidate items[SITES][CHOICES];
static rg_candidates tables[SITES];

/* Damage falls with every step by less than with the one before: the Lagrangian finds every optimum then. */
static void make_convex_tables(uint64_t seed) {
  rg_random random;
  rg_random_seed(&random, seed);
  for (int i = 0; i < SITES; i++) {
    double damage = 0, step = 0.01;
    for (int j = 0; j < CHOICES; j++) {
      items[i][j] = (rg_candidate){.rank = j, .price = CHOICES - j, .damage = damage};
      step += rg_random_uniform(&random);
      damage += step;
    }
    tables[i] = (rg_candidates){items[i], CHOICES, CHOICES};
  }
}

static void make_any_tables(uint64_t seed) {
  rg_random random;
  rg_random_seed(&random, seed);
  for (int i = 0; i < SITES; i++) {
    items[i][0] = (rg_candidate){.price = 1};
    for (int j = 1; j < CHOICES; j++)
      items[i][j] =
          (rg_candidate){.rank = j, .price = rg_random_uniform(&random), .damage = rg_random_uniform(&random)};
    tables[i] = (rg_candidates){items[i], CHOICES, CHOICES};
  }
}

static double sum(const size_t *choices, bool price) {
  double total = 0;
  for (int i = 0; i < SITES; i++) total += price ? items[i][choices[i]].price : items[i][choices[i]].damage;
  return total;
}

static double brute_force(double limit) {
  double best = INFINITY;
  for (size_t code = 0; code < CHOICES * CHOICES * CHOICES * CHOICES; code++) {
    size_t choices[SITES] = {code % 5, code / 5 % 5, code / 25 % 5, code / 125};
    if (sum(choices, true) <= limit + 1e-12 && sum(choices, false) < best) best = sum(choices, false);
  }
  return best;
}

static void convex_tables_are_solved_exactly(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    make_convex_tables(seed);
    for (int limit = SITES; limit <= SITES * CHOICES; limit++) {
      size_t choices[SITES];
      assert_true(rg_allocate(tables, SITES, limit, choices));
      assert_true(sum(choices, true) <= limit);
      assert_true(fabs(sum(choices, false) - brute_force(limit)) < 1e-12);
    }
  }
}

/* Whatever the tables: within the limit, never worse than brute force with the room of one change less, and more room
 * never hurts a solution on the hull. */
static void any_tables_stay_within_the_limit(void **state) {
  (void)state;
  int exact = 0, looked = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    make_any_tables(seed);
    size_t choices[SITES];
    for (double limit = 0.2; limit < 4.2; limit += 0.2) {
      double least = 0;
      for (int i = 0; i < SITES; i++) {
        double cheapest = 1;
        for (int j = 0; j < CHOICES; j++)
          if (items[i][j].price < cheapest) cheapest = items[i][j].price;
        least += cheapest;
      }
      bool fits = rg_allocate(tables, SITES, limit, choices);
      assert_int_equal(fits, least <= limit);
      if (!fits) {
        assert_true(fabs(sum(choices, true) - least) < 1e-12);
        continue;
      }
      assert_true(sum(choices, true) <= limit + 1e-12);
      assert_true(sum(choices, false) <= brute_force(limit - 1) + 1e-12);
      exact += fabs(sum(choices, false) - brute_force(limit)) < 1e-12;
      looked++;
    }
  }
  assert_true(exact > 0.7 * looked);
}

static void everything_stays_dense_with_room_for_it(void **state) {
  (void)state;
  make_any_tables(4);
  size_t choices[SITES];
  assert_true(rg_allocate(tables, SITES, SITES, choices));
  for (int i = 0; i < SITES; i++) assert_int_equal(choices[i], 0);
}

static void ranks_fit_the_kernels(void **state) {
  (void)state;
  assert_false(rg_rank_is_useful(0));
  for (int rank = 1; rank <= 32; rank++) assert_true(rg_rank_is_useful(rank));
  assert_false(rg_rank_is_useful(34));
  assert_true(rg_rank_is_useful(36));
  assert_true(rg_rank_is_useful(128));
  assert_false(rg_rank_is_useful(132));
  assert_true(rg_rank_is_useful(136));
  assert_true(rg_rank_is_useful(4096));
}

static void damage_follows_the_measured_points(void **state) {
  (void)state;
  rg_sensitivity s = {.count = 3, .error = {0.01, 0.1, 0.4}, .damage = {0.002, 0.05, 0.05}};
  for (int i = 0; i < 3; i++) assert_true(fabs(rg_sensitivity_damage(&s, s.error[i]) - s.damage[i]) < 1e-12);
  assert_true(fabs(rg_sensitivity_damage(&s, 0.005) - 0.001) < 1e-12);
  assert_true(fabs(rg_sensitivity_damage(&s, 0.8) - 0.1) < 1e-12);
  assert_true(fabs(rg_sensitivity_damage(&s, sqrt(0.01 * 0.1)) - sqrt(0.002 * 0.05)) < 1e-12);
  assert_true(rg_sensitivity_damage(&s, 0) == 0);
  double last = 0;
  for (double e = 0.001; e < 1; e *= 1.1) {
    assert_true(rg_sensitivity_damage(&s, e) >= last);
    last = rg_sensitivity_damage(&s, e);
  }
  rg_sensitivity none = {0};
  assert_true(rg_sensitivity_damage(&none, 0.25) == 0.25);
}

/* y = relu(x) with its first half of the outputs dropped by the next layer: a layer that the output ignores does no
 * damage, one that is the output itself does exactly its own error. */
static void sensitivity_of_known_networks(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 12));
  rg_value *h = model_node(g, "Gemm", x, model_weights(g, "w1", 0.3, 2, DIMS(12, 10)), NULL, NULL);
  rg_value *ignored = model_node(g, "Gemm", x, model_weights(g, "w2", 0.3, 2, DIMS(12, 10)), NULL, NULL);
  rg_value *y = model_node(g, "Add", h, model_node(g, "Mul", ignored, model_scalar(g, 1e-9), NULL, NULL), NULL, NULL);
  finish(model, y);
  bench b;
  bench_open(&b, model, 2, DIMS(400, 12));
  rg_sensitivity s[2];
  check_ok(rg_sensitivity_measure(b.model, &b.sites, &b.calibration, b.statistics,
                                  (const rg_basis(*)[RG_FORM_COUNT])b.bases, s));
  assert_true(s[0].count > 0 && s[1].count > 0);
  for (int i = 0; i < s[0].count; i++) assert_true(fabs(s[0].damage[i] / s[0].error[i] - 1) < 0.05);
  for (int i = 0; i < s[1].count; i++) assert_true(s[1].damage[i] < 1e-9);
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(convex_tables_are_solved_exactly),        cmocka_unit_test(any_tables_stay_within_the_limit),
      cmocka_unit_test(everything_stays_dense_with_room_for_it), cmocka_unit_test(ranks_fit_the_kernels),
      cmocka_unit_test(damage_follows_the_measured_points),      cmocka_unit_test(sensitivity_of_known_networks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
