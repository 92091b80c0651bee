/* Symmetric eigenvectors and thin SVD. Double precision throughout: LAPACKE's single-precision drivers round their own
 * workspace query for matrices of a few thousand rows, so the sizes are computed here from LAPACK's documentation. */
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/lapack.h"

static rango_status check_size(const char *what, int64_t m, int64_t n) {
  RG_FAIL_IF(m < 0 || n < 0, RANGO_ERROR_ARGUMENT, "%s: negative size", what);
  RG_FAIL_IF(m > RG_LINALG_MAX || n > RG_LINALG_MAX, RANGO_ERROR_LIMIT, "%s of a %lld x %lld matrix: at most %d", what,
             (long long)m, (long long)n, RG_LINALG_MAX);
  return RANGO_OK;
}

/* LAPACK may loop or fail quietly on NaN: look first. Only the lower triangle counts. */
static rango_status check_lower(const char *what, const double *a, int64_t n) {
  int64_t bad;
  for (int64_t i = 0; i < n; i++)
    RG_FAIL_IF(!rg_all_finite(a + i * n, i + 1, &bad), RANGO_ERROR_NUMERIC, "%s: element (%lld, %lld) is not finite",
               what, (long long)i, (long long)bad);
  return RANGO_OK;
}

static void swap_rows(double *a, double *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double t = a[i];
    a[i] = b[i];
    b[i] = t;
  }
}

/* LAPACK's signs differ between libraries; this makes results comparable. */
static void fix_sign(double *vector, int64_t n) {
  int64_t largest = 0;
  for (int64_t i = 1; i < n; i++)
    if (fabs(vector[i]) > fabs(vector[largest])) largest = i;
  if (n > 0 && vector[largest] < 0)
    for (int64_t i = 0; i < n; i++) vector[i] = -vector[i];
}

rango_status rg_eigen_symmetric(double *a, int64_t n, double *values) {
  RG_TRY(check_size("eigenvectors", n, n));
  if (n == 0) return RANGO_OK;
  RG_TRY(check_lower("eigenvectors", a, n));
  /* LAPACK reads columns: its upper triangle would be our lower one, so mirror ours. */
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
  int lwork = (int)(1 + 6 * n + 2 * n * n), liwork = (int)(3 + 5 * n);
  double *work = NULL;
  int *iwork = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)lwork * sizeof *work, RG_OUT(&work)));
  RG_TRY_DONE(rg_alloc((size_t)liwork * sizeof *iwork, RG_OUT(&iwork)));
  int info = rg_dsyevd((int)n, a, values, work, lwork, iwork, liwork);
  if (info != 0) {
    status = rg_fail(RANGO_ERROR_NUMERIC, "eigenvectors of a %lld x %lld matrix did not converge (dsyevd: %d)",
                     (long long)n, (long long)n, info);
    goto done;
  }
  /* Ascending columns of LAPACK are our ascending rows: turn them round. */
  for (int64_t i = 0, j = n - 1; i < j; i++, j--) {
    swap_rows(a + i * n, a + j * n, n);
    swap_rows(values + i, values + j, 1);
  }
  for (int64_t i = 0; i < n; i++) fix_sign(a + i * n, n);
done:
  rg_free(work);
  rg_free(iwork);
  return status;
}

/* Row-major a [m][n] is LAPACK's n x m matrix a': a' = v s u', whose factors come back as vt and u in our order. */
rango_status rg_svd_thin(const double *a, int64_t m, int64_t n, double *u, double *s, double *vt) {
  RG_TRY(check_size("singular values", m, n));
  int64_t k = m < n ? m : n, longer = m < n ? n : m, bad;
  if (k == 0) return RANGO_OK;
  RG_FAIL_IF(!rg_all_finite(a, m * n, &bad), RANGO_ERROR_NUMERIC, "singular values: element (%lld, %lld) is not finite",
             (long long)(bad / n), (long long)(bad % n));
  int64_t wanted = 4 * k * k + 7 * k + longer + 64 * (longer + k);
  RG_FAIL_IF(wanted > INT32_MAX, RANGO_ERROR_LIMIT, "singular values of a %lld x %lld matrix: too large", (long long)m,
             (long long)n);
  double *copy = NULL, *work = NULL;
  int *iwork = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(m * n) * sizeof *copy, RG_OUT(&copy)));
  RG_TRY_DONE(rg_alloc((size_t)wanted * sizeof *work, RG_OUT(&work)));
  RG_TRY_DONE(rg_alloc((size_t)(8 * k) * sizeof *iwork, RG_OUT(&iwork)));
  memcpy(copy, a, (size_t)(m * n) * sizeof *copy);
  int info = rg_dgesdd((int)n, (int)m, copy, s, vt, u, work, (int)wanted, iwork);
  if (info != 0)
    status = rg_fail(RANGO_ERROR_NUMERIC, "singular values of a %lld x %lld matrix did not converge (dgesdd: %d)",
                     (long long)m, (long long)n, info);
done:
  rg_free(copy);
  rg_free(work);
  rg_free(iwork);
  return status;
}
