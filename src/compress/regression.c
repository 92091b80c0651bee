/* Least squares of a layer's outputs on what precedes its last factor, and the best approximation of a rank. */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define BLOCK_ROWS 512

void rg_regression_free(rg_regression *r) {
  rg_free(r->z_mean);
  rg_free(r->t_mean);
  rg_free(r->z_sum);
  rg_free(r->t_sum);
  rg_free(r->gram);
  rg_free(r->cross);
  rg_free(r->b);
  *r = (rg_regression){0};
}

rango_status rg_regression_open(int64_t columns, int64_t outputs, rg_regression *out) {
  size_t k = (size_t)columns, n = (size_t)outputs;
  *out = (rg_regression){.columns = columns, .outputs = outputs};
  rango_status status;
  RG_TRY_DONE(rg_calloc(k, sizeof(double), RG_OUT(&out->z_mean)));
  RG_TRY_DONE(rg_calloc(n, sizeof(double), RG_OUT(&out->t_mean)));
  RG_TRY_DONE(rg_calloc(k, sizeof(double), RG_OUT(&out->z_sum)));
  RG_TRY_DONE(rg_calloc(n, sizeof(double), RG_OUT(&out->t_sum)));
  RG_TRY_DONE(rg_calloc(k * k, sizeof(double), RG_OUT(&out->gram)));
  RG_TRY_DONE(rg_calloc(k * n, sizeof(double), RG_OUT(&out->cross)));
  RG_TRY_DONE(rg_calloc(k * n, sizeof(double), RG_OUT(&out->b)));
done:
  if (status != RANGO_OK) rg_regression_free(out);
  return status;
}

/* The first block's means, subtracted from all rows so that nothing cancels. */
static void set_means(const float *rows, int64_t count, int64_t columns, double *mean) {
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) mean[j] += rows[i * columns + j];
  for (int64_t j = 0; j < columns; j++) mean[j] /= (double)count;
}

static void shift(const float *rows, const double *mean, int64_t count, int64_t columns, double *to, double *sum) {
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) {
      to[i * columns + j] = rows[i * columns + j] - mean[j];
      sum[j] += to[i * columns + j];
    }
}

rango_status rg_regression_add(rg_regression *r, const float *z, const float *targets, int64_t count) {
  int64_t k = r->columns, n = r->outputs;
  double *zs = NULL, *ts = NULL;
  rango_status status;
  if (count == 0) return RANGO_OK;
  if (r->rows == 0) {
    set_means(z, count, k, r->z_mean);
    set_means(targets, count, n, r->t_mean);
  }
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * k) * sizeof(double), RG_OUT(&zs)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * n) * sizeof(double), RG_OUT(&ts)));
  for (int64_t begin = 0; begin < count; begin += BLOCK_ROWS) {
    int64_t rows = count - begin < BLOCK_ROWS ? count - begin : BLOCK_ROWS;
    shift(z + begin * k, r->z_mean, rows, k, zs, r->z_sum);
    shift(targets + begin * n, r->t_mean, rows, n, ts, r->t_sum);
    rg_gram(rows, k, 1.0, zs, 1.0, r->gram);
    rg_matmul(true, false, k, n, rows, 1.0, zs, ts, 1.0, r->cross);
    for (int64_t i = 0; i < rows * n; i++) r->variance += ts[i] * ts[i];
  }
  r->rows += count;
done:
  rg_free(zs);
  rg_free(ts);
  return status;
}

void rg_regression_close(rg_regression *r) {
  int64_t k = r->columns, n = r->outputs;
  double scale = r->rows ? 1.0 / (double)r->rows : 1;
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j <= i; j++)
      r->gram[i * k + j] = r->gram[j * k + i] = (r->gram[i * k + j] - r->z_sum[i] * r->z_sum[j] * scale) * scale;
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < n; j++)
      r->cross[i * n + j] = (r->cross[i * n + j] - r->z_sum[i] * r->t_sum[j] * scale) * scale;
  for (int64_t j = 0; j < n; j++) {
    r->variance -= r->t_sum[j] * r->t_sum[j] * scale;
    r->t_mean[j] += r->t_sum[j] * scale;
  }
  r->variance *= scale;
  for (int64_t i = 0; i < k; i++) r->z_mean[i] += r->z_sum[i] * scale;
}

void rg_regression_merge(rg_regression *r, const rg_regression *other) {
  int64_t k = r->columns, n = r->outputs, rows = r->rows + other->rows;
  double p = rows ? (double)r->rows / (double)rows : 0, q = 1 - p;
  for (int64_t i = 0; i < k; i++) {
    double apart = p * q * (r->z_mean[i] - other->z_mean[i]);
    for (int64_t j = 0, at = i * k; j < k; j++, at++)
      r->gram[at] = p * r->gram[at] + q * other->gram[at] + apart * (r->z_mean[j] - other->z_mean[j]);
    for (int64_t j = 0, at = i * n; j < n; j++, at++)
      r->cross[at] = p * r->cross[at] + q * other->cross[at] + apart * (r->t_mean[j] - other->t_mean[j]);
  }
  r->variance = p * r->variance + q * other->variance;
  for (int64_t j = 0; j < n; j++) {
    double apart = r->t_mean[j] - other->t_mean[j];
    r->variance += p * q * apart * apart;
    r->t_mean[j] = p * r->t_mean[j] + q * other->t_mean[j];
  }
  for (int64_t i = 0; i < k; i++) r->z_mean[i] = p * r->z_mean[i] + q * other->z_mean[i];
  r->rows = rows;
}

/* <b, gram b - 2 cross>, which with the targets' variance is the error |t - b'z|^2; `left` [columns][outputs] is what b
 * is multiplied with, element by element. */
static void weigh(const rg_regression *moments, const double *b, double *left) {
  int64_t k = moments->columns, n = moments->outputs;
  memcpy(left, moments->cross, (size_t)(k * n) * sizeof *left);
  rg_matmul(false, false, k, n, k, 1.0, moments->gram, b, -2.0, left);
}

static double inner_product(const double *a, const double *b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

rango_status rg_regression_validate(const rg_regression *r, const rg_regression *held, const double *metric,
                                    double *out) {
  int64_t k = r->columns, n = r->outputs;
  double *b = NULL, *left = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof *b, RG_OUT(&b)));
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof *left, RG_OUT(&left)));
  memcpy(b, r->b, (size_t)(k * n) * sizeof *b);
  weigh(held, b, left);
  rg_metric_apply_right(metric, k, n, b);
  rg_metric_apply_right(metric, k, n, left);
  *out = inner_product(b, left, k * n);
done:
  rg_free(b);
  rg_free(left);
  return status;
}

/* `scratch` [columns][outputs]. */
static void measure_error(rg_regression *r, double *scratch) {
  weigh(r, r->b, scratch);
  r->error = r->variance + inner_product(r->b, scratch, r->columns * r->outputs);
}

rango_status rg_regression_measure(rg_regression *r) {
  double *scratch = NULL;
  RG_TRY(rg_alloc((size_t)(r->columns * r->outputs) * sizeof *scratch, RG_OUT(&scratch)));
  measure_error(r, scratch);
  rg_free(scratch);
  return RANGO_OK;
}

rango_status rg_regression_solve(rg_regression *r, const double *prior, double ridge) {
  int64_t k = r->columns, n = r->outputs;
  double *gram = NULL, *left = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof(double), RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof(double), RG_OUT(&left)));
  memcpy(gram, r->gram, (size_t)(k * k) * sizeof(double));
  memcpy(left, r->cross, (size_t)(k * n) * sizeof(double));
  for (int64_t i = 0; i < k * n; i++) r->b[i] = prior ? prior[i] : 0;
  if (prior) rg_matmul(false, false, k, n, k, -1.0, r->gram, r->b, 1.0, left);
  RG_TRY_DONE(rg_ridge_solve(gram, k, ridge, left, n));
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
