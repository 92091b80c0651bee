/* Products, Cholesky factors and ridge regression. */
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

#include "base/cpu_cores.h"
#include "base/memory.h"
#include "linalg/lapack.h"

#define RIDGE_ATTEMPTS 12
#define RIDGE_LEAST    1e-12 /* a singular matrix's rounding can pass for a positive pivot: never less than this */

#if defined(__GNUC__) && !defined(__APPLE__)
/* OpenBLAS's own; other BLAS libraries lack them. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));

int rg_linalg_set_threads(int threads) {
  if (!openblas_set_num_threads || !openblas_get_num_threads) return 0;
  int before = openblas_get_num_threads();
  openblas_set_num_threads(threads > 0 ? threads : rg_cpu_cores());
  return before;
}
#else
int rg_linalg_set_threads(int threads) {
  (void)threads;
  return 0;
}
#endif

void rg_matmul(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
               const double *b, double beta, double *c) {
  if (m == 0 || n == 0) return;
  int64_t lda = transpose_a ? m : k, ldb = transpose_b ? k : n;
  cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m,
              (int)n, (int)k, alpha, a, (int)(lda ? lda : 1), b, (int)(ldb ? ldb : 1), beta, c, (int)n);
}

void rg_gram(int64_t m, int64_t n, double alpha, const double *a, double beta, double *c) {
  if (n == 0) return;
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)n, (int)m, alpha, a, (int)n, beta, c, (int)n);
}

void rg_matmul_float(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                     const float *b, float *c) {
  if (m == 0 || n == 0) return;
  int64_t lda = transpose_a ? m : k, ldb = transpose_b ? k : n;
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m,
              (int)n, (int)k, 1.0f, a, (int)(lda ? lda : 1), b, (int)(ldb ? ldb : 1), 0.0f, c, (int)n);
}

bool rg_all_finite(const double *values, int64_t count, int64_t *bad) {
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(values[i])) {
      *bad = i;
      return false;
    }
  return true;
}

bool rg_all_finite_float(const float *values, int64_t count, int64_t *bad) {
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(values[i])) {
      *bad = i;
      return false;
    }
  return true;
}

static rango_status cholesky(double *a, int64_t n, bool *definite) {
  RG_FAIL_IF(n > RG_LINALG_MAX, RANGO_ERROR_LIMIT, "Cholesky factor of %lld rows: at most %d", (long long)n,
             RG_LINALG_MAX);
  int64_t bad;
  for (int64_t i = 0; i < n; i++)
    RG_FAIL_IF(!rg_all_finite(a + i * n, i + 1, &bad), RANGO_ERROR_NUMERIC,
               "Cholesky factor: element (%lld, %lld) is not finite", (long long)i, (long long)bad);
  /* Our lower triangle is LAPACK's upper one: a = U'U there is L L' here. */
  *definite = n == 0 || rg_dpotrf((int)n, a) == 0;
  return RANGO_OK;
}

rango_status rg_cholesky(double *a, int64_t n) {
  bool definite;
  RG_TRY(cholesky(a, n, &definite));
  RG_FAIL_IF(!definite, RANGO_ERROR_NUMERIC, "a %lld x %lld matrix is not positive definite", (long long)n,
             (long long)n);
  return RANGO_OK;
}

void rg_lower_solve(const double *l, int64_t n, double *b, int64_t columns) {
  if (n == 0 || columns == 0) return;
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, (int)columns, 1.0, l, (int)n, b,
              (int)columns);
}

void rg_lower_solve_transposed(const double *l, int64_t n, double *b, int64_t columns) {
  if (n == 0 || columns == 0) return;
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, (int)n, (int)columns, 1.0, l, (int)n, b,
              (int)columns);
}

void rg_lower_multiply_transposed(const double *l, int64_t n, double *b, int64_t columns) {
  if (n == 0 || columns == 0) return;
  cblas_dtrmm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, (int)n, (int)columns, 1.0, l, (int)n, b,
              (int)columns);
}

void rg_lower_multiply_right(const double *l, int64_t n, double *b, int64_t rows) {
  if (n == 0 || rows == 0) return;
  cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)rows, (int)n, 1.0, l, (int)n, b,
              (int)n);
}

/* The strict upper triangle keeps the matrix while the lower one is being factored, so that an attempt can be repeated.
 */
static void restore_lower(double *a, const double *diagonal, int64_t n, double add) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i];
    a[i * n + i] = diagonal[i] + add;
  }
}

rango_status rg_ridge_solve(double *a, int64_t n, double ridge, double *b, int64_t columns) {
  if (n == 0 || columns == 0) return RANGO_OK;
  double *diagonal = NULL, trace = 0;
  int64_t bad;
  RG_FAIL_IF(!rg_all_finite(b, n * columns, &bad), RANGO_ERROR_NUMERIC,
             "least squares: right side (%lld, %lld) is not finite", (long long)(bad / columns),
             (long long)(bad % columns));
  RG_TRY(rg_alloc((size_t)n * sizeof *diagonal, RG_OUT(&diagonal)));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
    diagonal[i] = a[i * n + i];
    trace += diagonal[i];
  }
  double scale = trace > 0 ? trace / (double)n : 1.0, add = (ridge > RIDGE_LEAST ? ridge : RIDGE_LEAST) * scale;
  rango_status status = RANGO_OK;
  bool definite = false;
  for (int attempt = 0; attempt < RIDGE_ATTEMPTS && !definite; attempt++) {
    restore_lower(a, diagonal, n, add);
    RG_TRY_DONE(cholesky(a, n, &definite));
    add *= 10;
  }
  if (!definite) {
    status = rg_fail(RANGO_ERROR_NUMERIC, "least squares: a %lld x %lld matrix is not positive semidefinite",
                     (long long)n, (long long)n);
    goto done;
  }
  rg_lower_solve(a, n, b, columns);
  rg_lower_solve_transposed(a, n, b, columns);
done:
  rg_free(diagonal);
  return status;
}
