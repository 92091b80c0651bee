/* Principal components of samples, with the leading directions themselves. */
#include <math.h>

#include "compress/portrait.h"

void rg_components_free(rg_components *components) {
  rg_free(components->mean);
  rg_free(components->variances);
  rg_free(components->vectors);
  *components = (rg_components){0};
}

/* points [count][columns] = rows less their mean. */
static void centre(const float *rows, int64_t count, int64_t columns, double *mean, double *points) {
  for (int64_t j = 0; j < columns; j++) mean[j] = 0;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) mean[j] += rows[i * columns + j] / (double)count;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) points[i * columns + j] = rows[i * columns + j] - mean[j];
}

/* Where rows are fewer than columns, the eigenvectors u [count][count] of X X' / count give those of X' X / count:
 * v = X' u, scaled to length 1 (nothing along a direction without variance). */
static void vectors_from_rows(const double *points, int64_t count, const double *u, rg_components *out) {
  int64_t columns = out->columns;
  rg_matmul(false, false, out->leading, columns, count, 1.0, u, points, 0.0, out->vectors);
  for (int64_t k = 0; k < out->leading; k++) {
    double square = (double)count * out->variances[k];
    double scale = square > 0 && out->variances[k] > 1e-12 * out->variances[0] ? 1 / sqrt(square) : 0;
    for (int64_t j = 0; j < columns; j++) out->vectors[k * columns + j] *= scale;
  }
}

/* Turns each direction so that its samples' longer tail, the sign of the third moment, is positive. */
static rango_status turn(const double *points, int64_t count, rg_components *out) {
  double *along;
  int64_t k = out->leading;
  RG_TRY(rg_alloc((size_t)(count * k) * sizeof *along, RG_OUT(&along)));
  rg_matmul(false, true, count, k, out->columns, 1.0, points, out->vectors, 0.0, along);
  for (int64_t d = 0; d < k; d++) {
    double third = 0;
    for (int64_t i = 0; i < count; i++) third += pow(along[i * k + d], 3);
    for (int64_t j = 0; third < 0 && j < out->columns; j++) out->vectors[d * out->columns + j] *= -1;
  }
  rg_free(along);
  return RANGO_OK;
}

rango_status rg_components_of(const float *rows, int64_t count, int64_t columns, int64_t leading, rg_components *out) {
  int64_t n = count < columns ? count : columns;
  *out = (rg_components){.columns = columns, .count = n, .leading = leading < n ? leading : n};
  double *points = NULL, *gram = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(count * columns) * sizeof *points, RG_OUT(&points)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)columns * sizeof(double), RG_OUT(&out->mean)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof(double), RG_OUT(&out->variances)));
  RG_TRY_DONE(rg_alloc((size_t)(out->leading * columns) * sizeof(double), RG_OUT(&out->vectors)));
  centre(rows, count, columns, out->mean, points);
  if (count < columns)
    rg_matmul(false, true, n, n, columns, 1.0 / (double)count, points, points, 0.0, gram);
  else
    rg_matmul(true, false, n, n, count, 1.0 / (double)count, points, points, 0.0, gram);
  RG_TRY_DONE(rg_eigen_symmetric(gram, n, out->variances));
  for (int64_t i = 0; i < n; i++)
    if (out->variances[i] < 0) out->variances[i] = 0;
  if (count < columns)
    vectors_from_rows(points, count, gram, out);
  else
    for (int64_t i = 0; i < out->leading * columns; i++) out->vectors[i] = gram[i];
  RG_TRY_DONE(turn(points, count, out));
done:
  rg_free(points);
  rg_free(gram);
  if (status != RANGO_OK) rg_components_free(out);
  return status;
}
