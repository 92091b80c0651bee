/* Intrinsic dimension: closed forms, the benchmark manifolds, and the glyphs' known factors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "glyphs.c"
#include "manifold/benchmarks.h"
#include "manifold/manifold.h"

#define ROWS 2000

static rango_spectrum spectrum_of(const float *rows, int64_t count, int64_t dimension) {
  rango_spectrum s = {.struct_size = sizeof s};
  assert_int_equal(rg_spectrum_of_matrix(rows, count, dimension, 1, &s), RANGO_OK);
  return s;
}

/* Within 10 % of the truth up to dimension 10, within 25 % up to 20. Mbeta alone is reported only: its density varies
 * too much for any estimator that looks at distances. */
static void benchmark_manifolds_are_recognised(void **state) {
  (void)state;
  for (size_t i = 0; i < BENCHMARKS; i++) {
    const benchmark *b = &benchmarks[i];
    float *rows = malloc(sizeof *rows * (size_t)(ROWS * b->ambient));
    benchmark_draw(b, 1, ROWS, rows);
    rango_spectrum s = spectrum_of(rows, ROWS, b->ambient);
    double off = fabs(s.intrinsic.value / b->dimension - 1), limit = b->dimension <= 10 ? 0.1 : 0.25;
    print_message("%-15s %2d: %-9s %5.2f [%5.2f, %5.2f]\n", b->name, b->dimension, rango_estimator_name(s.estimator),
                  s.intrinsic.value, s.intrinsic.low, s.intrinsic.high);
    if (strcmp(b->name, "Mbeta") != 0 && b->dimension <= 20 && !(off <= limit))
      fail_msg("%s: %g, not %d", b->name, s.intrinsic.value, b->dimension);
    assert_true(s.intrinsic.low <= s.intrinsic.value && s.intrinsic.value <= s.intrinsic.high);
    assert_int_equal(s.whitney, 2 * (int64_t)round(s.intrinsic.value));
    assert_int_equal(s.whitney_linear, s.whitney + 1);
    free(rows);
  }
}

/* A wide linear space whose directions differ much: distances see few of its 16 dimensions, local PCA all. */
static void uneven_linear_space_is_counted(void **state) {
  (void)state;
  enum { N = 1024, D = 16, AMBIENT = 256 };
  static float rows[N * AMBIENT];
  rg_random random;
  rg_random_seed(&random, 4);
  for (int i = 0; i < N; i++) {
    double z[D];
    for (int d = 0; d < D; d++) z[d] = rg_random_normal(&random) / (1 + d / 2);
    for (int j = 0; j < AMBIENT; j++) {
      double sum = 0, turn = 2 * acos(-1) * j / AMBIENT;
      for (int d = 0; d < D; d += 2) sum += z[d] * cos((d / 2 + 1) * turn) + z[d + 1] * sin((d / 2 + 1) * turn);
      rows[i * AMBIENT + j] = (float)sum;
    }
  }
  rango_spectrum s = spectrum_of(rows, N, AMBIENT);
  assert_int_equal(s.gap, D);
  assert_int_equal(s.estimator, RANGO_ESTIMATOR_LOCAL_PCA);
  assert_true(s.intrinsic.value == D);
  assert_true(s.two_nn < 13);
}

/* The images of a class whose factors vary little are a flat piece of their manifold: 7 dimensions for 7 factors. */
static void glyphs_have_as_many_dimensions_as_factors(void **state) {
  (void)state;
  enum { N = 1000, AREA = RG_GLYPH_SIZE * RG_GLYPH_SIZE };
  const double range = 0.02;
  float *rows = malloc(sizeof *rows * N * AREA);
  rg_random random;
  rg_random_seed(&random, 6);
  for (int i = 0; i < N; i++) {
    rg_glyph g;
    rg_glyph_draw(&random, &g);
    g = (rg_glyph){.label = 7,
                   .shift_x = range * g.shift_x,
                   .shift_y = range * g.shift_y,
                   .rotation = range * g.rotation,
                   .scale = 0.8 + range * (g.scale - 0.8),
                   .slant = range * g.slant,
                   .stroke = 2 + range * (g.stroke - 2),
                   .contrast = 0.6 + range * (g.contrast - 0.6)};
    rg_glyph_render(&g, NULL, rows + i * AREA);
  }
  rango_spectrum s = spectrum_of(rows, N, AREA);
  print_message("glyphs: %s %.2f, gap %d\n", rango_estimator_name(s.estimator), s.intrinsic.value, (int)s.gap);
  assert_true(fabs(s.intrinsic.value - RG_GLYPH_FACTORS) <= 0.1 * RG_GLYPH_FACTORS);
  free(rows);
}

/* On a circle ln(r3/r1) + ln(r3/r2) has the closed mean 2/d up to terms of 1/N; on spheres the formula must say what
 * points do. */
static void expectation_on_spheres_is_right(void **state) {
  (void)state;
  assert_true(fabs(rg_levina_bickel_expected(1, 2000, 3) - 1) < 1e-4);
  for (int d = 4; d <= 20; d += 8) {
    double sum = 0, expected = rg_levina_bickel_expected(d, 500, 3);
    for (int s = 0; s < 12; s++) {
      float rows[500 * 21];
      static double points[500 * 21];
      rg_neighbours near;
      benchmark sphere = {"", d, d + 1, draw_sphere};
      benchmark_draw(&sphere, (uint64_t)s, 500, rows);
      for (int i = 0; i < 500 * (d + 1); i++) points[i] = rows[i];
      assert_int_equal(rg_neighbours_find(points, 500, d + 1, 3, &near), RANGO_OK);
      sum += 1 / rg_levina_bickel(near.distances, 500, 3, 3).value / 12;
      rg_neighbours_free(&near);
    }
    if (!(fabs(sum * expected - 1) < 0.03)) fail_msg("dimension %d: %g, expected %g", d, 1 / sum, expected);
    assert_true(fabs(rg_levina_bickel_invert(expected, 500, 3) - d) < 1e-6 * d);
  }
}

/* Plane: mean |sin| of a uniform angle is 2/pi; space: pi/4. */
static void sines_in_closed_form(void **state) {
  (void)state;
  assert_true(fabs(rg_expected_sine(2) - 2 / acos(-1)) < 1e-12);
  assert_true(fabs(rg_expected_sine(3) - acos(-1) / 4) < 1e-12);
  assert_true(rg_expected_sine(1) == 0);
}

static void criteria_in_closed_form(void **state) {
  (void)state;
  double values[5] = {4, 2, 1, 0.15, 0.01};
  assert_int_equal(rg_fukunaga_olsen(values, 5, 0.05), 3);
  assert_true(fabs(rg_participation((double[]){2, 2, 0}, 3) - 2) < 1e-15);
  assert_int_equal(rg_spectral_gap(values, 5, 4), 4);
  assert_int_equal(rg_spectral_gap(values, 5, 3), 0);
  assert_int_equal(rg_spectral_gap((double[]){5, 0.1, 0.001}, 3, 2), 1);
}

/* 95 % of the intervals should hold what the estimator tends to; a curve's estimate has no bias to speak of. */
static void intervals_cover(void **state) {
  (void)state;
  enum { TRIALS = 60, N = 400 };
  int covered = 0, covered_mle = 0;
  for (int t = 0; t < TRIALS; t++) {
    static double points[N * 2];
    rg_random random;
    rg_neighbours near;
    rg_random_seed(&random, 1000 + (uint64_t)t);
    for (int i = 0; i < N; i++) {
      double turn = 2 * acos(-1) * rg_random_uniform(&random);
      points[2 * i] = cos(turn);
      points[2 * i + 1] = sin(turn);
    }
    assert_int_equal(rg_neighbours_find(points, N, 2, 5, &near), RANGO_OK);
    rango_estimate two = rg_two_nn(near.distances, N, 5), mle = rg_levina_bickel(near.distances, N, 5, 3);
    covered += two.low <= 1 && 1 <= two.high;
    covered_mle += mle.low <= 1 && 1 <= mle.high;
    rg_neighbours_free(&near);
  }
  print_message("intervals that cover: TwoNN %d, nearest %d of %d\n", covered, covered_mle, TRIALS);
  assert_true(covered >= TRIALS * 85 / 100 && covered_mle >= TRIALS * 85 / 100);
}

static void decimation_halves_the_rows(void **state) {
  (void)state;
  float *rows = malloc(sizeof *rows * ROWS * 3);
  const benchmark roll = {"", 2, 3, draw_roll};
  benchmark_draw(&roll, 3, ROWS, rows);
  rango_spectrum s = spectrum_of(rows, ROWS, 3);
  assert_int_equal(s.decimations, 5);
  for (int i = 0; i < s.decimations; i++) assert_int_equal(s.decimation[i].rows, ROWS >> i);
  for (int e = 0; e < RANGO_ESTIMATORS; e++)
    assert_memory_equal(&s.decimation[0].estimates[e], &s.estimates[e], sizeof s.estimates[e]);
  assert_true(fabs(s.decimation[1].estimates[RANGO_ESTIMATOR_NEAREST].value - 2) < 0.2);
  for (int i = 0; i < s.decimations; i++) {
    const rango_estimate *mle = &s.decimation[i].estimates[RANGO_ESTIMATOR_MLE];
    for (int e = 0; e < RANGO_ESTIMATORS; e++) {
      const rango_estimate *estimate = &s.decimation[i].estimates[e];
      assert_true(isnan(estimate->value) || (estimate->low <= estimate->value && estimate->value <= estimate->high));
    }
    /* Its relative width goes with one over the root of the rows in all blocks: four of them at most. */
    double used = (double)s.decimation[i].rows * (i < 2 ? 1 << i : 4), width = (mle->high - mle->low) / mle->value;
    double whole = (s.estimates[RANGO_ESTIMATOR_MLE].high - s.estimates[RANGO_ESTIMATOR_MLE].low) / s.mle;
    if (!(fabs(width / whole * sqrt(used / ROWS) - 1) < 0.1)) fail_msg("%d: %g of %g", i, width, whole);
  }
  free(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(benchmark_manifolds_are_recognised),
      cmocka_unit_test(uneven_linear_space_is_counted),
      cmocka_unit_test(glyphs_have_as_many_dimensions_as_factors),
      cmocka_unit_test(expectation_on_spheres_is_right),
      cmocka_unit_test(sines_in_closed_form),
      cmocka_unit_test(criteria_in_closed_form),
      cmocka_unit_test(intervals_cover),
      cmocka_unit_test(decimation_halves_the_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
