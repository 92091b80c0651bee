/* Least squares of a layer's outputs on what precedes its last factor, and the best approximation of a rank. */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define BLOCK_ROWS 512
#define RIDGE_MANY 1e-6 /* of the mean variance of z, where there are at least ROWS_EACH rows for each unknown */
#define RIDGE_FEW  1e-2 /* otherwise: few rows say little, stay near the prior */
#define ROWS_EACH  8

void rg_regression_free(rg_regression *r) {
  rg_free(r->z_mean);
  rg_free(r->t_mean);
  rg_free(r->gram);
  rg_free(r->cross);
  rg_free(r->b);
  *r = (rg_regression){0};
}

static rango_status column_means(const float *rows, int64_t count, int64_t columns, double **out) {
  RG_TRY(rg_calloc((size_t)columns, sizeof(double), RG_OUT(out)));
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) (*out)[j] += rows[i * columns + j];
  for (int64_t j = 0; j < columns; j++) (*out)[j] /= (double)count;
  return RANGO_OK;
}

static void centre(const float *rows, const double *mean, int64_t count, int64_t columns, double *to) {
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) to[i * columns + j] = rows[i * columns + j] - mean[j];
}

static rango_status accumulate(const float *z, const float *targets, rg_regression *r) {
  int64_t k = r->columns, n = r->outputs;
  double *zc = NULL, *tc = NULL, scale = 1.0 / (double)r->rows;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * k) * sizeof(double), RG_OUT(&zc)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * n) * sizeof(double), RG_OUT(&tc)));
  for (int64_t begin = 0; begin < r->rows; begin += BLOCK_ROWS) {
    int64_t count = r->rows - begin < BLOCK_ROWS ? r->rows - begin : BLOCK_ROWS;
    centre(z + begin * k, r->z_mean, count, k, zc);
    centre(targets + begin * n, r->t_mean, count, n, tc);
    rg_gram(count, k, scale, zc, 1.0, r->gram);
    rg_matmul(true, false, k, n, count, scale, zc, tc, 1.0, r->cross);
    for (int64_t i = 0; i < count * n; i++) r->variance += scale * tc[i] * tc[i];
  }
done:
  rg_free(zc);
  rg_free(tc);
  return status;
}

static void fill_upper(double *a, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
}

rango_status rg_regression_create(const float *z, const float *targets, int64_t rows, int64_t columns, int64_t outputs,
                                  rg_regression *out) {
  *out = (rg_regression){.columns = columns, .outputs = outputs, .rows = rows};
  rango_status status;
  RG_TRY_DONE(column_means(z, rows, columns, &out->z_mean));
  RG_TRY_DONE(column_means(targets, rows, outputs, &out->t_mean));
  RG_TRY_DONE(rg_calloc((size_t)(columns * columns), sizeof(double), RG_OUT(&out->gram)));
  RG_TRY_DONE(rg_calloc((size_t)(columns * outputs), sizeof(double), RG_OUT(&out->cross)));
  RG_TRY_DONE(rg_calloc((size_t)(columns * outputs), sizeof(double), RG_OUT(&out->b)));
  RG_TRY_DONE(accumulate(z, targets, out));
  fill_upper(out->gram, columns);
done:
  if (status != RANGO_OK) rg_regression_free(out);
  return status;
}

/* |t - b'z|^2 = variance - 2 <b, cross> + <b, gram b>; `scratch` [columns][outputs]. */
static void measure_error(rg_regression *r, double *scratch) {
  int64_t k = r->columns, n = r->outputs;
  rg_matmul(false, false, k, n, k, 1.0, r->gram, r->b, 0.0, scratch);
  r->error = r->variance;
  for (int64_t i = 0; i < k * n; i++) r->error += r->b[i] * (scratch[i] - 2 * r->cross[i]);
}

rango_status rg_regression_solve(rg_regression *r, const double *prior) {
  int64_t k = r->columns, n = r->outputs;
  double *gram = NULL, *left = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof(double), RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof(double), RG_OUT(&left)));
  memcpy(gram, r->gram, (size_t)(k * k) * sizeof(double));
  memcpy(left, r->cross, (size_t)(k * n) * sizeof(double));
  for (int64_t i = 0; i < k * n; i++) r->b[i] = prior ? prior[i] : 0;
  if (prior) rg_matmul(false, false, k, n, k, -1.0, r->gram, r->b, 1.0, left);
  RG_TRY_DONE(rg_ridge_solve(gram, k, r->rows >= ROWS_EACH * k ? RIDGE_MANY : RIDGE_FEW, left, n));
  for (int64_t i = 0; i < k * n; i++) r->b[i] += left[i];
  measure_error(r, left);
done:
  rg_free(gram);
  rg_free(left);
  return status;
}

rango_status rg_regression_reduce(rg_regression *r, const double *metric, int64_t rank, double *first, double *second) {
  int64_t k = r->columns, n = r->outputs;
  double *product = NULL, *vectors = NULL, *values = NULL, *weight = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof *product, RG_OUT(&product)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *vectors, RG_OUT(&vectors)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_alloc((size_t)(n * k) * sizeof *weight, RG_OUT(&weight)));
  rg_matmul(false, false, k, n, k, 1.0, r->gram, r->b, 0.0, product);
  rg_matmul(true, false, n, n, k, 1.0, r->b, product, 0.0, vectors);
  rg_metric_apply(metric, n, n, vectors);
  rg_metric_apply_right(metric, n, n, vectors);
  RG_TRY_DONE(rg_eigen_symmetric(vectors, n, values));
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < n; j++) weight[j * k + i] = r->b[i * n + j];
  rg_metric_apply(metric, n, k, weight);
  rg_matmul(false, false, rank, k, n, 1.0, vectors, weight, 0.0, first);
  for (int64_t i = 0; i < rank; i++)
    for (int64_t j = 0; j < n; j++) second[j * rank + i] = vectors[i * n + j];
  rg_metric_undo(metric, n, rank, second);
  rg_matmul(true, true, k, n, rank, 1.0, first, second, 0.0, r->b);
  measure_error(r, product);
done:
  rg_free(product);
  rg_free(vectors);
  rg_free(values);
  rg_free(weight);
  return status;
}
