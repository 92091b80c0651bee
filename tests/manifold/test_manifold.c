/* Dimensions of manifolds that are known, and spectra in closed form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "manifold/manifold.h"

#define ROWS 2500

typedef void (*generator)(rg_random *random, double *row);

static const double pi = 3.14159265358979323846;

static rango_spectrum spectrum_of(generator make, int64_t count, int64_t dimension) {
  rg_random random;
  rg_random_seed(&random, 5);
  float *rows = malloc((size_t)(count * dimension) * sizeof *rows);
  double row[1024];
  for (int64_t i = 0; i < count; i++) {
    make(&random, row);
    for (int64_t j = 0; j < dimension; j++) rows[i * dimension + j] = (float)row[j];
  }
  rango_spectrum spectrum = {.struct_size = sizeof spectrum};
  assert_int_equal(rg_spectrum_of_matrix(rows, count, dimension, 1, &spectrum), RANGO_OK);
  free(rows);
  return spectrum;
}

static void assert_dimension(rango_spectrum s, double wanted, double tolerance) {
  if (!(fabs(s.two_nn - wanted) <= tolerance * wanted)) fail_msg("TwoNN says %g, not %g", s.two_nn, wanted);
  if (!(fabs(s.mle - wanted) <= tolerance * wanted)) fail_msg("maximum likelihood says %g, not %g", s.mle, wanted);
  assert_int_equal(s.whitney, 2 * (int64_t)round(s.intrinsic.value));
  assert_int_equal(s.whitney_linear, s.whitney + 1);
}

static void make_sphere(rg_random *random, double *row) { /* S^4 in R^5 */
  double square = 0;
  for (int i = 0; i < 5; i++) {
    row[i] = rg_random_normal(random);
    square += row[i] * row[i];
  }
  for (int i = 0; i < 5; i++) row[i] /= sqrt(square);
}

static void make_affine(rg_random *random, double *row) { /* 3 dimensions in R^8, off the origin */
  double a = rg_random_uniform(random), b = rg_random_uniform(random), c = rg_random_uniform(random);
  for (int i = 0; i < 8; i++) row[i] = 3 + a * cos(i) + b * sin(2 * i) + c * cos(3 * i + 1);
}

static void make_swiss_roll(rg_random *random, double *row) {
  double t = 1.5 * pi * (1 + 2 * rg_random_uniform(random));
  row[0] = t * cos(t);
  row[1] = 21 * rg_random_uniform(random);
  row[2] = t * sin(t);
}

static void make_helix(rg_random *random, double *row) {
  double t = 2 * pi * rg_random_uniform(random);
  row[0] = cos(t);
  row[1] = sin(t);
  row[2] = 0.2 * t;
}

static void make_gaussian(rg_random *random, double *row) {
  for (int i = 0; i < 10; i++) row[i] = rg_random_normal(random);
}

/* A plane in R^600, wide enough for the random projection. */
static void make_wide_plane(rg_random *random, double *row) {
  double a = rg_random_uniform(random), b = rg_random_uniform(random);
  for (int i = 0; i < 600; i++) row[i] = a * cos(0.1 * i) + b * sin(0.37 * i);
}

/* Within 10 % where the manifold is low-dimensional; a Gaussian's tails are sparse, which both estimators are known to
 * under-estimate: 15 %. */
static void dimensions_of_known_manifolds(void **state) {
  (void)state;
  assert_dimension(spectrum_of(make_sphere, ROWS, 5), 4, 0.1);
  assert_dimension(spectrum_of(make_affine, ROWS, 8), 3, 0.1);
  assert_dimension(spectrum_of(make_swiss_roll, ROWS, 3), 2, 0.1);
  assert_dimension(spectrum_of(make_helix, ROWS, 3), 1, 0.1);
  assert_dimension(spectrum_of(make_gaussian, ROWS, 10), 10, 0.15);
  assert_dimension(spectrum_of(make_wide_plane, 1500, 600), 2, 0.1);
}

static void linear_dimension_counts_components(void **state) {
  (void)state;
  rango_spectrum affine = spectrum_of(make_affine, ROWS, 8), plane = spectrum_of(make_wide_plane, 700, 600);
  assert_int_equal(affine.pca999, 3);
  assert_int_equal(affine.rows, ROWS);
  assert_int_equal(affine.dimension, 8);
  assert_int_equal(plane.pca999, 2);
  double variances[4] = {90, 9, 0.9, 0.1};
  assert_int_equal(rg_components_holding(variances, 4, 0.9), 1);
  assert_int_equal(rg_components_holding(variances, 4, 0.99), 2);
  assert_int_equal(rg_components_holding(variances, 4, 0.999), 3);
  assert_int_equal(rg_components_holding(variances, 4, 1), 4);
  double none[2] = {0, 0};
  assert_int_equal(rg_components_holding(none, 2, 0.9), 0);
}

/* Points at corners of a cross: variance 4 : 1, so 80 % and 20 %. Both Gram matrices must say the same. */
static void spectrum_in_closed_form(void **state) {
  (void)state;
  float rows[4 * 6] = {2, 0, 0, 0, 0, 0, -2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0};
  rango_spectrum s = {.struct_size = sizeof s};
  assert_int_equal(rg_spectrum_of_matrix(rows, 4, 6, 1, &s), RANGO_OK);
  assert_int_equal(s.pca90, 2);
  assert_int_equal(s.pca99, 2);
  assert_true(isnan(s.two_nn) && isnan(s.mle));
  assert_int_equal(s.whitney, 0);
}

/* mu = 2 for every point: the empirical law through the origin has the slope of -ln(1 - i/N) / ln 2, regressed. */
static void two_nn_in_closed_form(void **state) {
  (void)state;
  double distances[2 * 20], wanted = 0;
  for (int i = 0; i < 20; i++) {
    distances[2 * i] = 1;
    distances[2 * i + 1] = 2;
  }
  for (int i = 0; i < 18; i++) wanted += -log(1 - (i + 1) / 20.0) / (18 * log(2));
  double got = rg_two_nn(distances, 20, 2).value;
  assert_true(fabs(got - wanted) < 1e-12);
  assert_true(isnan(rg_two_nn(distances, 9, 2).value));
}

/* Distances j^(1/d) are a d-dimensional law exactly: mean of ln(20/j)/d over j < 20. */
static void maximum_likelihood_in_closed_form(void **state) {
  (void)state;
  double distances[3 * 20], sum = 0;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 20; j++) distances[i * 20 + j] = pow(j + 1, 1 / 4.0);
  for (int j = 1; j < 20; j++) sum += log(20.0 / j) / 4;
  assert_true(fabs(rg_levina_bickel(distances, 3, 20, 20).value - 19 / sum) < 1e-12);
}

static void neighbours_match_brute_force(void **state) {
  (void)state;
  enum { N = 300, D = 4, K = 3 };
  rg_random random;
  rg_random_seed(&random, 2);
  static double points[N * D];
  rg_neighbours near;
  for (int i = 0; i < N * D; i++) points[i] = 100 + rg_random_uniform(&random);
  for (int j = 0; j < D; j++) points[7 * D + j] = points[3 * D + j] * (1 + 1e-13); /* lost in |a|^2 + |b|^2 - 2ab */
  assert_int_equal(rg_neighbours_find(points, N, D, K, &near), RANGO_OK);
  for (int i = 0; i < N; i++) {
    double before = 0;
    for (int k = 0; k < K; k++) {
      double distance = 0;
      int64_t neighbour = near.indices[i * K + k], closer = 0;
      for (int j = 0; j < D; j++) distance += pow(points[i * D + j] - points[neighbour * D + j], 2);
      assert_true(fabs(sqrt(distance) - near.distances[i * K + k]) < 1e-15);
      assert_true(neighbour != i && near.distances[i * K + k] >= before);
      before = near.distances[i * K + k];
      for (int other = 0; other < N; other++) {
        double d = 0;
        for (int j = 0; j < D; j++) d += pow(points[i * D + j] - points[other * D + j], 2);
        closer += other != i && d < distance;
      }
      assert_int_equal(closer, k);
    }
  }
  assert_int_equal(near.indices[3 * K], 7);
  rg_neighbours_free(&near);
  assert_int_equal(rg_neighbours_find(points, K, D, K, &near), RANGO_ERROR_ARGUMENT);
}

static float copies[1600 * 3];

/* Each point four times: without dropping duplicates every ratio would be 0 / 0. */
static void duplicates_are_dropped(void **state) {
  (void)state;
  rg_random random;
  rg_random_seed(&random, 9);
  for (int i = 0; i < 400; i++)
    for (int j = 0; j < 3; j++) {
      copies[i * 3 + j] = j == 2 ? 0 : (float)rg_random_uniform(&random);
      for (int k = 1; k < 4; k++) copies[(i + 400 * k) * 3 + j] = copies[i * 3 + j];
    }
  copies[2] = -0.0f; /* equal, though its bits differ */
  rango_spectrum s = {.struct_size = sizeof s};
  assert_int_equal(rg_spectrum_of_matrix(copies, 1600, 3, 1, &s), RANGO_OK);
  if (!(fabs(s.two_nn - 2) < 0.4 && fabs(s.mle - 2) < 0.4)) fail_msg("%g and %g, not 2", s.two_nn, s.mle);
  assert_int_equal(s.rows, 1600);
}

static void bad_samples_are_refused(void **state) {
  (void)state;
  float rows[6] = {1, 2, 3, NAN, 5, 6};
  rango_spectrum s = {.struct_size = sizeof s};
  assert_int_equal(rg_spectrum_of_matrix(rows, 3, 2, 1, &s), RANGO_ERROR_NUMERIC);
  assert_non_null(strstr(rango_error_message(), "row 1"));
  rango_tensor *t = NULL;
  assert_int_equal(rango_tensor_create(RANGO_FLOAT32, 0, NULL, &t), RANGO_OK);
  assert_int_equal(rango_spectrum_of_rows(t, 1, &s), RANGO_ERROR_ARGUMENT);
  rango_tensor_free(t);
  s.struct_size = 0;
  assert_int_equal(rango_spectrum_of_rows(NULL, 1, &s), RANGO_ERROR_ARGUMENT);
}

static void integer_samples_are_converted(void **state) {
  (void)state;
  rango_tensor *t = NULL;
  assert_int_equal(rango_tensor_create(RANGO_UINT8, 3, (int64_t[]){50, 2, 2}, &t), RANGO_OK);
  uint8_t *data = rango_tensor_data_mut(t);
  for (int i = 0; i < 200; i++) data[i] = (uint8_t)(i % 4 == 0 ? i : 7);
  rango_spectrum s = {.struct_size = sizeof s};
  assert_int_equal(rango_spectrum_of_rows(t, 1, &s), RANGO_OK);
  assert_int_equal(s.dimension, 4);
  assert_int_equal(s.pca999, 1);
  rango_tensor_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dimensions_of_known_manifolds),
      cmocka_unit_test(linear_dimension_counts_components),
      cmocka_unit_test(spectrum_in_closed_form),
      cmocka_unit_test(two_nn_in_closed_form),
      cmocka_unit_test(maximum_likelihood_in_closed_form),
      cmocka_unit_test(neighbours_match_brute_force),
      cmocka_unit_test(duplicates_are_dropped),
      cmocka_unit_test(bad_samples_are_refused),
      cmocka_unit_test(integer_samples_are_converted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
