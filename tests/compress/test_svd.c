/* rango_svd and rango_manifold, from the public headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/random.h"
#include "linalg/linalg.h"
#include "rango_compress.h"
#include "tensor/tensor.h"

/* Rank-one terms with singular values 2^-i on orthonormal cosines: the answer is known. */
static rango_tensor *known_matrix(int64_t m, int64_t n, int64_t terms, double ratio) {
  rango_tensor *t = NULL;
  assert_int_equal(rango_tensor_create(RANGO_FLOAT64, 2, (int64_t[]){m, n}, &t), RANGO_OK);
  double *a = rango_tensor_data_mut(t);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = 1; k <= terms; k++)
        sum += pow(ratio, (double)k) * sqrt(4.0 / (double)(m * n)) * cos(acos(-1) * k * (i + 0.5) / (double)m) *
               cos(acos(-1) * k * (j + 0.5) / (double)n);
      a[i * n + j] = sum;
    }
  return t;
}

static void exact_decomposition_is_right(void **state) {
  (void)state;
  rango_tensor *a = known_matrix(40, 30, 6, 0.5);
  rango_svd_options options = {.struct_size = sizeof options, .rank = 4};
  rango_svd *svd = NULL;
  double left = 0, total = 0;
  assert_int_equal(rango_svd_create(a, &options, &svd), RANGO_OK);
  assert_true(rango_svd_exact(svd));
  const float *s = rango_tensor_data(rango_svd_s(svd));
  for (int k = 1; k <= 6; k++) {
    total += pow(0.25, k);
    left += k > 4 ? pow(0.25, k) : 0;
    if (k <= 4) assert_true(fabs(s[k - 1] - pow(0.5, k)) < 1e-6);
  }
  assert_true(fabs(rango_svd_error(svd) - sqrt(left / total)) < 1e-9);
  rango_svd_free(svd);
  options = (rango_svd_options){.struct_size = sizeof options, .tolerance = 0.13}; /* 3 terms: 0.125 */
  assert_int_equal(rango_svd_create(a, &options, &svd), RANGO_OK);
  assert_int_equal(rango_svd_rank(svd), 3);
  rango_svd_free(svd);
  rango_tensor_free(a);
}

/* The range finder on a slowly falling spectrum, against the exact values. */
static void range_finder_is_near_the_optimum(void **state) {
  (void)state;
  enum { M = 300, N = 200, R = 20 };
  static double a[M * N], u[M * N], s[N], vt[N * N], ur[M * R], sr[R], vr[R * N];
  rg_random random;
  rg_random_seed(&random, 8);
  for (int i = 0; i < M * N; i++) a[i] = rg_random_normal(&random) / (1 + i % N);
  assert_int_equal(rg_svd_thin(a, M, N, u, s, vt), RANGO_OK);
  assert_int_equal(rg_svd_leading(a, M, N, R, 3, ur, sr, vr), RANGO_OK);
  double best = 0, left = 0;
  for (int i = R; i < N; i++) best += s[i] * s[i];
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) {
      double value = a[i * N + j];
      for (int k = 0; k < R; k++) value -= ur[i * R + k] * sr[k] * vr[k * N + j];
      left += value * value;
    }
  assert_true(left >= best * (1 - 1e-9) && left <= best * 1.01);
  for (int k = 0; k < R; k++) assert_true(fabs(sr[k] / s[k] - 1) < 1e-2);
  assert_int_equal(rg_svd_leading(a, M, N, N + 1, 3, ur, sr, vr), RANGO_ERROR_ARGUMENT);
}

static void factors_are_written_as_npz(void **state) {
  (void)state;
  rango_tensor *a = known_matrix(20, 10, 3, 0.5), *read = NULL;
  rango_svd_options options = {.struct_size = sizeof options, .rank = 2};
  rango_svd *svd = NULL;
  char path[] = "/tmp/rango-svd-XXXXXX", file[64];
  static char bytes[4096];
  assert_int_equal(rango_svd_create(a, &options, &svd), RANGO_OK);
  assert_non_null(mkdtemp(path));
  snprintf(file, sizeof file, "%s/f.npz", path);
  assert_int_equal(rango_svd_save(svd, file), RANGO_OK);
  zip_t *archive = zip_open(file, ZIP_RDONLY, NULL);
  assert_non_null(archive);
  assert_int_equal(zip_get_num_entries(archive, 0), 3);
  zip_file_t *member = zip_fopen(archive, "vt.npy", 0);
  assert_non_null(member);
  zip_int64_t got = zip_fread(member, bytes, sizeof bytes);
  assert_true(got > 0);
  assert_int_equal(rango_tensor_parse_npy(bytes, (size_t)got, "vt", &read), RANGO_OK);
  assert_int_equal(rango_tensor_dims(read)[0], 2);
  assert_int_equal(rango_tensor_dims(read)[1], 10);
  assert_memory_equal(rango_tensor_data(read), rango_tensor_data(rango_svd_vt(svd)), 2 * 10 * sizeof(float));
  zip_fclose(member);
  zip_discard(archive);
  remove(file);
  remove(path);
  rango_tensor_free(read);
  rango_tensor_free(a);
  rango_svd_free(svd);
}

/* An arc through eight dimensions: two of its coordinates are enough to tell its points apart, if they are well chosen.
 */
static void manifold_is_projected(void **state) {
  (void)state;
  enum { N = 400, D = 8 };
  rango_tensor *samples = NULL;
  rango_manifold *manifold = NULL;
  rg_random random;
  rg_random_seed(&random, 2);
  assert_int_equal(rango_tensor_create(RANGO_FLOAT32, 2, (int64_t[]){N, D}, &samples), RANGO_OK);
  float *x = rango_tensor_data_mut(samples);
  for (int i = 0; i < N; i++) {
    double t = 2 * acos(-1) * rg_random_uniform(&random);
    for (int j = 0; j < D; j++) x[i * D + j] = (float)(j % 2 ? sin((j / 2 + 1) * t) : cos((j / 2 + 1) * t));
  }
  rango_manifold_options options = {
      .struct_size = sizeof options, .project = 3, .method = RANGO_PROJECT_WHITNEY, .seed = 1};
  assert_int_equal(rango_manifold_create(samples, &options, &manifold), RANGO_OK);
  const rango_projection *p = rango_manifold_projection(manifold);
  assert_true(rango_manifold_spectrum(manifold)->intrinsic.value == 1);
  assert_int_equal(rango_manifold_spectrum(manifold)->whitney_linear, 3);
  assert_int_equal(p->profile_count, 3);
  assert_true(p->kappa > 0.2 && p->kappa > p->profile[2].pca && p->kappa == p->profile[2].whitney);
  assert_true(p->overlap > 0.9 && p->trustworthiness > 0.99 && p->continuity > 0.99);
  assert_true(p->variance > 0.25 && p->variance < 0.5);
  assert_int_equal(rango_tensor_dims(rango_manifold_projected(manifold))[1], 3);
  rango_manifold_free(manifold);
  options.project = D + 1;
  assert_int_equal(rango_manifold_create(samples, &options, &manifold), RANGO_ERROR_ARGUMENT);
  rango_tensor_free(samples);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_decomposition_is_right),
      cmocka_unit_test(range_finder_is_near_the_optimum),
      cmocka_unit_test(factors_are_written_as_npz),
      cmocka_unit_test(manifold_is_projected),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
