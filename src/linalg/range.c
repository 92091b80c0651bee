/* Truncated singular value decomposition of large matrices. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"

#define OVERSAMPLE  10
#define POWER_LEAST 2
#define POWER_MOST  12
#define STANDSTILL  1e-3 /* of what is left: less won by a power iteration, and it ends */

static double square_norm(const double *a, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i] * a[i];
  return sum;
}

/* y [m][l] becomes an orthonormal basis of its columns. */
static rango_status orthonormalise(double *y, int64_t m, int64_t l) {
  double *u = NULL, *s = NULL, *vt = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(m * l) * sizeof *u, RG_OUT(&u)));
  RG_TRY_DONE(rg_alloc((size_t)l * sizeof *s, RG_OUT(&s)));
  RG_TRY_DONE(rg_alloc((size_t)(l * l) * sizeof *vt, RG_OUT(&vt)));
  RG_TRY_DONE(rg_svd_thin(y, m, l, u, s, vt));
  memcpy(y, u, (size_t)(m * l) * sizeof *y);
done:
  rg_free(u);
  rg_free(s);
  rg_free(vt);
  return status;
}

/* q [m][l]: a basis of a's leading range; b [l][n] = q' a. */
static rango_status find_range(const double *a, int64_t m, int64_t n, int64_t l, uint64_t seed, double *q, double *b) {
  double *z = NULL, total = square_norm(a, m * n), before = 0;
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_alloc((size_t)(n * l) * sizeof *z, RG_OUT(&z)));
  for (int64_t i = 0; i < n * l; i++) z[i] = rg_random_normal(&random);
  rg_matmul(false, false, m, l, n, 1.0, a, z, 0.0, q);
  for (int power = 0;; power++) {
    RG_TRY_DONE(orthonormalise(q, m, l));
    rg_matmul(true, false, l, n, m, 1.0, q, a, 0.0, b);
    double held = square_norm(b, l * n);
    if (power >= POWER_MOST || (power >= POWER_LEAST && held - before <= STANDSTILL * (total - held))) break;
    before = held;
    rg_matmul(true, false, n, l, m, 1.0, a, q, 0.0, z);
    RG_TRY_DONE(orthonormalise(z, n, l));
    rg_matmul(false, false, m, l, n, 1.0, a, z, 0.0, q);
  }
done:
  rg_free(z);
  return status;
}

rango_status rg_svd_leading(const double *a, int64_t m, int64_t n, int64_t rank, uint64_t seed, double *u, double *s,
                            double *vt) {
  int64_t least = m < n ? m : n, l = rank + OVERSAMPLE < least ? rank + OVERSAMPLE : least, bad;
  RG_FAIL_IF(rank < 1 || rank > least, RANGO_ERROR_ARGUMENT, "%lld singular values of a %lld x %lld matrix",
             (long long)rank, (long long)m, (long long)n);
  RG_FAIL_IF(!rg_all_finite(a, m * n, &bad), RANGO_ERROR_NUMERIC, "singular values: element (%lld, %lld) is not finite",
             (long long)(bad / n), (long long)(bad % n));
  double *q = NULL, *b = NULL, *ub = NULL, *sb = NULL, *vb = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(m * l) * sizeof *q, RG_OUT(&q)));
  RG_TRY_DONE(rg_alloc((size_t)(l * n) * sizeof *b, RG_OUT(&b)));
  RG_TRY_DONE(rg_alloc((size_t)(l * l) * sizeof *ub, RG_OUT(&ub)));
  RG_TRY_DONE(rg_alloc((size_t)l * sizeof *sb, RG_OUT(&sb)));
  RG_TRY_DONE(rg_alloc((size_t)(l * n) * sizeof *vb, RG_OUT(&vb)));
  RG_TRY_DONE(find_range(a, m, n, l, seed, q, b));
  RG_TRY_DONE(rg_svd_thin(b, l, n, ub, sb, vb));
  for (int64_t i = 0; i < l; i++) memmove(ub + i * rank, ub + i * l, (size_t)rank * sizeof *ub);
  rg_matmul(false, false, m, rank, l, 1.0, q, ub, 0.0, u);
  memcpy(s, sb, (size_t)rank * sizeof *s);
  memcpy(vt, vb, (size_t)(rank * n) * sizeof *vt);
done:
  rg_free(q);
  rg_free(b);
  rg_free(ub);
  rg_free(sb);
  rg_free(vb);
  return status;
}
