/* Mean and covariance of rows that come in blocks: float rows, double sums. */
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "linalg/linalg.h"

#define BLOCK_BYTES (4 << 20) /* of rows converted to double at a time: about a second-level cache */

int64_t rg_moments_bytes(int64_t n, bool gram) {
  int64_t bytes;
  if (!rg_mul_i64(n, gram ? n + 2 : 2, &bytes) || !rg_mul_i64(bytes, (int64_t)sizeof(double), &bytes)) return INT64_MAX;
  return bytes;
}

rango_status rg_moments_create(rg_moments *moments, int64_t n, bool gram) {
  *moments = (rg_moments){.n = n};
  RG_FAIL_IF(gram && n > RG_LINALG_MAX, RANGO_ERROR_LIMIT, "second moments of %lld columns: at most %d", (long long)n,
             RG_LINALG_MAX);
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)n, sizeof(double), RG_OUT(&moments->shift)));
  RG_TRY_DONE(rg_calloc((size_t)n, sizeof(double), RG_OUT(&moments->sum)));
  if (gram) RG_TRY_DONE(rg_calloc((size_t)n * (size_t)n, sizeof(double), RG_OUT(&moments->gram)));
done:
  if (status != RANGO_OK) rg_moments_free(moments);
  return status;
}

void rg_moments_free(rg_moments *moments) {
  rg_free(moments->shift);
  rg_free(moments->sum);
  rg_free(moments->gram);
  *moments = (rg_moments){0};
}

static void set_shift(rg_moments *moments, const float *rows, int64_t count) {
  int64_t n = moments->n;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < n; j++) moments->shift[j] += rows[i * n + j];
  for (int64_t j = 0; j < n; j++) moments->shift[j] /= (double)count;
}

rango_status rg_moments_add(rg_moments *moments, const float *rows, int64_t count) {
  int64_t n = moments->n, block = BLOCK_BYTES / (int64_t)sizeof(double) / (n ? n : 1), bad;
  if (count == 0 || n == 0) return RANGO_OK;
  RG_FAIL_IF(!rg_all_finite_float(rows, count * n, &bad), RANGO_ERROR_NUMERIC,
             "row %lld holds a NaN or infinity at column %lld", (long long)(bad / n), (long long)(bad % n));
  if (moments->count == 0) set_shift(moments, rows, count);
  if (block < 16) block = 16;
  if (block > count) block = count;
  double *shifted = NULL;
  RG_TRY(rg_alloc((size_t)(block * n) * sizeof *shifted, RG_OUT(&shifted)));
  for (int64_t begin = 0; begin < count; begin += block) {
    int64_t size = count - begin < block ? count - begin : block;
    for (int64_t i = 0; i < size; i++) {
      const float *row = rows + (begin + i) * n;
      double *to = shifted + i * n;
      for (int64_t j = 0; j < n; j++) {
        to[j] = row[j] - moments->shift[j];
        moments->sum[j] += to[j];
      }
    }
    if (moments->gram) rg_gram(size, n, 1.0, shifted, 1.0, moments->gram);
  }
  moments->count += count;
  rg_free(shifted);
  return RANGO_OK;
}

rango_status rg_moments_finish(const rg_moments *moments, double *mean, double *covariance) {
  int64_t n = moments->n;
  RG_FAIL_IF(moments->count == 0, RANGO_ERROR_ARGUMENT, "no rows to take moments of");
  double scale = 1.0 / (double)moments->count;
  if (mean)
    for (int64_t j = 0; j < n; j++) mean[j] = moments->shift[j] + moments->sum[j] * scale;
  if (!covariance) return RANGO_OK;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++) {
      double c = (moments->gram[i * n + j] - moments->sum[i] * moments->sum[j] * scale) * scale;
      covariance[i * n + j] = covariance[j * n + i] = c;
    }
  return RANGO_OK;
}
