/* Linear algebra against closed forms and defining properties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"

static double *random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  rg_random random;
  double *a = malloc((size_t)(rows * columns) * sizeof *a);
  rg_random_seed(&random, seed);
  for (int64_t i = 0; i < rows * columns; i++) a[i] = rg_random_normal(&random);
  return a;
}

static double *zeros(int64_t count) { return calloc((size_t)count, sizeof(double)); }

static void assert_close(double a, double b, double tolerance) {
  if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g within %g", a, b, tolerance);
}

/* The discrete Laplacian has eigenvalues 2 - 2 cos(k pi / (n + 1)). */
static void eigen_of_the_laplacian(void **state) {
  (void)state;
  const int64_t n = 50;
  double *a = zeros(n * n), values[50];
  for (int64_t i = 0; i < n; i++) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = -1; /* lower triangle alone is read */
  }
  assert_int_equal(rg_eigen_symmetric(a, n, values), RANGO_OK);
  for (int64_t k = 0; k < n; k++)
    assert_close(values[k], 2 - 2 * cos((double)(n - k) * acos(-1) / (double)(n + 1)), 1e-12);
  for (int64_t k = 0; k < n; k++) { /* A v = lambda v, and orthonormal rows */
    const double *v = a + k * n;
    for (int64_t i = 0; i < n; i++)
      assert_close(2 * v[i] - (i ? v[i - 1] : 0) - (i + 1 < n ? v[i + 1] : 0), values[k] * v[i], 1e-12);
    for (int64_t j = 0; j <= k; j++) {
      double dot = 0;
      for (int64_t i = 0; i < n; i++) dot += v[i] * a[j * n + i];
      assert_close(dot, j == k, 1e-12);
    }
  }
  free(a);
}

/* Larger than the workspace query of single-precision drivers survives, in the trace's terms. */
static void eigen_keeps_trace_and_norm(void **state) {
  (void)state;
  const int64_t n = 300;
  double *x = random_matrix(n, n, 3), *a = zeros(n * n), *values = zeros(n), trace = 0, square = 0, sum = 0,
         squares = 0;
  rg_matmul(true, false, n, n, n, 1.0, x, x, 0.0, a);
  for (int64_t i = 0; i < n; i++) trace += a[i * n + i];
  for (int64_t i = 0; i < n * n; i++) square += a[i] * a[i];
  assert_int_equal(rg_eigen_symmetric(a, n, values), RANGO_OK);
  for (int64_t i = 0; i < n; i++) {
    sum += values[i];
    squares += values[i] * values[i];
    if (i) assert_true(values[i] <= values[i - 1]);
  }
  assert_close(sum, trace, 1e-9 * trace);
  assert_close(squares, square, 1e-9 * square);
  free(x);
  free(a);
  free(values);
}

static void eigen_refuses_nan(void **state) {
  (void)state;
  double a[4] = {1, 0, NAN, 1}, values[2];
  assert_int_equal(rg_eigen_symmetric(a, 2, values), RANGO_ERROR_NUMERIC);
  assert_non_null(strstr(rango_error_message(), "(1, 0)"));
  assert_int_equal(rg_eigen_symmetric(a, RG_LINALG_MAX + 1, values), RANGO_ERROR_LIMIT);
  assert_int_equal(rg_eigen_symmetric(a, 0, values), RANGO_OK);
}

static void check_svd(int64_t m, int64_t n, uint64_t seed) {
  int64_t k = m < n ? m : n;
  double *a = random_matrix(m, n, seed), *u = zeros(m * k), *s = zeros(k), *vt = zeros(k * n), *gram = zeros(k * k);
  assert_int_equal(rg_svd_thin(a, m, n, u, s, vt), RANGO_OK);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t l = 0; l < k; l++) sum += u[i * k + l] * s[l] * vt[l * n + j];
      assert_close(sum, a[i * n + j], 1e-11);
    }
  rg_matmul(true, false, k, k, m, 1.0, u, u, 0.0, gram);
  for (int64_t i = 0; i < k * k; i++) assert_close(gram[i], i / k == i % k, 1e-12);
  rg_matmul(false, true, k, k, n, 1.0, vt, vt, 0.0, gram);
  for (int64_t i = 0; i < k * k; i++) assert_close(gram[i], i / k == i % k, 1e-12);
  for (int64_t i = 1; i < k; i++) assert_true(s[i] <= s[i - 1] && s[i] >= 0);
  free(a), free(u), free(s), free(vt), free(gram);
}

static void svd_of_tall_wide_and_square(void **state) {
  (void)state;
  check_svd(31, 12, 1);
  check_svd(12, 31, 2);
  check_svd(17, 17, 3);
  check_svd(1, 5, 4);
  check_svd(5, 1, 5);
  double bad[2] = {1, INFINITY}, u[2], s[1], vt[2];
  assert_int_equal(rg_svd_thin(bad, 1, 2, u, s, vt), RANGO_ERROR_NUMERIC);
}

/* diag(3, 2) rotated: singular values known. */
static void svd_of_a_known_matrix(void **state) {
  (void)state;
  double c = cos(0.3), s = sin(0.3), a[4] = {3 * c, -2 * s, 3 * s, 2 * c}, u[4], values[2], vt[4];
  assert_int_equal(rg_svd_thin(a, 2, 2, u, values, vt), RANGO_OK);
  assert_close(values[0], 3, 1e-14);
  assert_close(values[1], 2, 1e-14);
}

static void ridge_solves_normal_equations(void **state) {
  (void)state;
  const int64_t n = 20, columns = 3, rows = 50;
  double *x = random_matrix(rows, n, 7), *a = zeros(n * n), *truth = random_matrix(n, columns, 8),
         *b = zeros(n * columns);
  rg_gram(rows, n, 1.0, x, 0.0, a);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
  rg_matmul(false, false, n, columns, n, 1.0, a, truth, 0.0, b);
  assert_int_equal(rg_ridge_solve(a, n, 0, b, columns), RANGO_OK);
  for (int64_t i = 0; i < n * columns; i++) assert_close(b[i], truth[i], 1e-11);
  free(x), free(a), free(truth), free(b);
}

/* (I + 0.5 I) x = b. */
static void ridge_is_relative_to_the_mean_diagonal(void **state) {
  (void)state;
  double a[9] = {2, 0, 0, 0, 2, 0, 0, 0, 2}, b[3] = {3, 6, 9};
  assert_int_equal(rg_ridge_solve(a, 3, 0.5, b, 1), RANGO_OK);
  for (int i = 0; i < 3; i++) assert_close(b[i], i + 1, 1e-15);
}

/* Rank 1 without a ridge: the raised ridge gives the minimum-norm answer nearly. */
static void ridge_is_raised_for_singular_matrices(void **state) {
  (void)state;
  double a[4] = {1, 1, 1, 1}, b[2] = {2, 2};
  assert_int_equal(rg_ridge_solve(a, 2, 0, b, 1), RANGO_OK);
  assert_close(b[0], 1, 1e-3);
  assert_close(b[1], 1, 1e-3);
  double indefinite[4] = {1, 3, 3, 1}, c[2] = {1, 1};
  assert_int_equal(rg_cholesky(indefinite, 2), RANGO_ERROR_NUMERIC);
  double nan[4] = {NAN, 0, 0, 1};
  assert_int_equal(rg_ridge_solve(nan, 2, 0, c, 1), RANGO_ERROR_NUMERIC);
}

static void cholesky_gives_the_lower_factor(void **state) {
  (void)state;
  double a[9] = {4, 12, -16, 12, 37, -43, -16, -43, 98}, wanted[9] = {2, 0, 0, 6, 1, 0, -8, 5, 3}, b[3] = {2, 7, 0};
  assert_int_equal(rg_cholesky(a, 3), RANGO_OK);
  for (int i = 0; i < 3; i++)
    for (int j = 0; j <= i; j++) assert_close(a[i * 3 + j], wanted[i * 3 + j], 1e-13);
  rg_lower_solve(a, 3, b, 1); /* [2 0 0; 6 1 0; -8 5 3] x = (2, 7, 0): x = (1, 1, 1) */
  for (int i = 0; i < 3; i++) assert_close(b[i], 1, 1e-13);
}

/* Rows around a mean a million times their spread: sums of squares in double about zero would lose them. */
static void moments_do_not_cancel(void **state) {
  (void)state;
  const int64_t rows = 3000, n = 3;
  float *x = malloc((size_t)(rows * n) * sizeof *x);
  rg_random random;
  rg_random_seed(&random, 11);
  for (int64_t i = 0; i < rows * n; i++) x[i] = 1e4f + 0.01f * (float)rg_random_below(&random, 100);
  double mean[3] = {0}, covariance[9] = {0}, got_mean[3], got[9];
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++) mean[j] += x[i * n + j] / (double)rows;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t k = 0; k < n; k++)
        covariance[j * n + k] += (x[i * n + j] - mean[j]) * (x[i * n + k] - mean[k]) / (double)rows;
  rg_moments moments;
  assert_int_equal(rg_moments_create(&moments, n, true), RANGO_OK);
  for (int64_t begin = 0; begin < rows; begin += 700) /* uneven blocks */
    assert_int_equal(rg_moments_add(&moments, x + begin * n, rows - begin < 700 ? rows - begin : 700), RANGO_OK);
  assert_int_equal(rg_moments_finish(&moments, got_mean, got), RANGO_OK);
  for (int j = 0; j < 3; j++) assert_close(got_mean[j], mean[j], 1e-9);
  for (int j = 0; j < 9; j++) assert_close(got[j], covariance[j], 1e-12);
  x[n * 4 + 1] = NAN;
  assert_int_equal(rg_moments_add(&moments, x, 10), RANGO_ERROR_NUMERIC);
  assert_non_null(strstr(rango_error_message(), "row 4"));
  rg_moments_free(&moments);
  free(x);
}

static void moments_without_rows_are_an_error(void **state) {
  (void)state;
  rg_moments moments;
  double mean[2];
  assert_int_equal(rg_moments_create(&moments, 2, false), RANGO_OK);
  assert_int_equal(rg_moments_finish(&moments, mean, NULL), RANGO_ERROR_ARGUMENT);
  rg_moments_free(&moments);
  assert_int_equal(rg_moments_create(&moments, RG_LINALG_MAX + 1, true), RANGO_ERROR_LIMIT);
}

static void products_in_all_orders(void **state) {
  (void)state;
  const int64_t m = 4, n = 5, k = 6;
  double *a = random_matrix(m, k, 1), *b = random_matrix(k, n, 2), *at = zeros(m * k), *bt = zeros(k * n), c[20];
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < k; j++) at[j * m + i] = a[i * k + j];
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < n; j++) bt[j * k + i] = b[i * n + j];
  for (int which = 0; which < 4; which++) {
    for (int i = 0; i < 20; i++) c[i] = 1;
    rg_matmul(which & 1, which & 2, m, n, k, 2.0, which & 1 ? at : a, which & 2 ? bt : b, 3.0, c);
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double sum = 3;
        for (int64_t l = 0; l < k; l++) sum += 2 * a[i * k + l] * b[l * n + j];
        assert_close(c[i * n + j], sum, 1e-12);
      }
  }
  free(a), free(b), free(at), free(bt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(eigen_of_the_laplacian),
      cmocka_unit_test(eigen_keeps_trace_and_norm),
      cmocka_unit_test(eigen_refuses_nan),
      cmocka_unit_test(svd_of_tall_wide_and_square),
      cmocka_unit_test(svd_of_a_known_matrix),
      cmocka_unit_test(ridge_solves_normal_equations),
      cmocka_unit_test(ridge_is_relative_to_the_mean_diagonal),
      cmocka_unit_test(ridge_is_raised_for_singular_matrices),
      cmocka_unit_test(cholesky_gives_the_lower_factor),
      cmocka_unit_test(moments_do_not_cancel),
      cmocka_unit_test(moments_without_rows_are_an_error),
      cmocka_unit_test(products_in_all_orders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
