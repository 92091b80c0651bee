/* Principal components and intrinsic dimension of samples. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"
#include "tensor/tensor.h"

/* Drawn rows as doubles, mean removed: points [count][dimension]. */
static void centre_rows(const float *rows, const int64_t *order, int64_t count, int64_t dimension, double *points) {
  double *mean = points; /* summed in the first row's place, then that row is rebuilt last */
  for (int64_t j = 0; j < dimension; j++) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += rows[order[i] * dimension + j];
    mean[j] = sum / (double)count;
  }
  for (int64_t i = count - 1; i >= 0; i--)
    for (int64_t j = 0; j < dimension; j++) points[i * dimension + j] = rows[order[i] * dimension + j] - mean[j];
}

static int64_t keep_marked(double *points, int64_t count, int64_t dimension, const bool *keep) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    if (!keep[i]) continue;
    memmove(points + kept * dimension, points + i * dimension, (size_t)dimension * sizeof *points);
    kept++;
  }
  return kept;
}

/* The distinct rows' estimates, at distances that a random projection keeps where there are many columns. */
static rango_status estimate(const double *points, int64_t count, int64_t dimension, const double *variances,
                             int64_t components, uint64_t seed, rango_spectrum *out) {
  if (dimension <= RG_MANIFOLD_PROJECTED)
    return rg_dimensions_report(points, count, dimension, variances, components, seed, out);
  double *projected = NULL;
  RG_TRY(rg_alloc((size_t)(count * RG_MANIFOLD_PROJECTED) * sizeof *projected, RG_OUT(&projected)));
  rango_status status = rg_project_randomly(points, count, dimension, RG_MANIFOLD_PROJECTED, seed, projected);
  if (status == RANGO_OK)
    status = rg_dimensions_report(projected, count, RG_MANIFOLD_PROJECTED, variances, components, seed, out);
  rg_free(projected);
  return status;
}

static void clear(int64_t rows, int64_t dimension, rango_spectrum *out) {
  const rango_estimate unknown = {NAN, NAN, NAN};
  *out = (rango_spectrum){.struct_size = out->struct_size, .rows = rows, .dimension = dimension};
  out->two_nn = out->mle = NAN;
  out->intrinsic = unknown;
  out->estimator = RANGO_ESTIMATOR_NEAREST;
  for (int i = 0; i < RANGO_ESTIMATORS; i++) out->estimates[i] = unknown;
}

rango_status rg_spectrum_of_matrix(const float *rows, int64_t count, int64_t dimension, uint64_t seed,
                                   rango_spectrum *out) {
  int64_t limit = dimension > RG_MANIFOLD_WIDE ? RG_MANIFOLD_ROWS_WIDE : RG_MANIFOLD_ROWS;
  int64_t used = count < limit ? count : limit, bad;
  clear(used, dimension, out);
  if (used == 0 || dimension == 0) return RANGO_OK;
  RG_FAIL_IF(!rg_all_finite_float(rows, count * dimension, &bad), RANGO_ERROR_NUMERIC,
             "row %lld holds a NaN or infinity", (long long)(bad / dimension));
  int64_t *order = NULL, components = used < dimension ? used : dimension;
  double *points = NULL, *variances = NULL;
  bool *distinct = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *order, RG_OUT(&order)));
  RG_TRY_DONE(rg_alloc((size_t)(used * dimension) * sizeof *points, RG_OUT(&points)));
  RG_TRY_DONE(rg_alloc((size_t)components * sizeof *variances, RG_OUT(&variances)));
  RG_TRY_DONE(rg_alloc((size_t)used * sizeof *distinct, RG_OUT(&distinct)));
  rg_draw_rows(order, count, used, seed);
  centre_rows(rows, order, used, dimension, points);
  RG_TRY_DONE(rg_principal_variances(points, used, dimension, variances));
  out->pca90 = rg_components_holding(variances, components, 0.9);
  out->pca99 = rg_components_holding(variances, components, 0.99);
  out->pca999 = rg_components_holding(variances, components, 0.999);
  RG_TRY_DONE(rg_mark_distinct(rows, order, used, dimension, distinct));
  used = keep_marked(points, used, dimension, distinct);
  RG_TRY_DONE(estimate(points, used, dimension, variances, components, seed, out));
done:
  rg_free(order);
  rg_free(distinct);
  rg_free(points);
  rg_free(variances);
  return status;
}

RANGO_API rango_status rango_spectrum_of_rows(const rango_tensor *samples, uint64_t seed, rango_spectrum *out) {
  RG_FAIL_IF(!samples || !out, RANGO_ERROR_ARGUMENT, "spectrum: NULL argument");
  RG_FAIL_IF(out->struct_size < sizeof *out, RANGO_ERROR_ARGUMENT, "spectrum: struct_size is not set");
  RG_FAIL_IF(samples->type == RANGO_STRING, RANGO_ERROR_ARGUMENT, "spectrum: strings have none");
  RG_FAIL_IF(samples->shape.rank < 1, RANGO_ERROR_ARGUMENT, "spectrum: samples need a first axis of rows");
  int64_t total, rows = samples->shape.dims[0];
  RG_TRY(rg_shape_count(&samples->shape, &total));
  int64_t dimension = rows ? total / rows : 0;
  if (samples->type == RANGO_FLOAT32) return rg_spectrum_of_matrix(samples->data, rows, dimension, seed, out);
  float *values = NULL;
  RG_TRY(rg_alloc((size_t)total * sizeof *values, RG_OUT(&values)));
  for (int64_t i = 0; i < total; i++) values[i] = (float)rg_tensor_get_double(samples, i);
  rango_status status = rg_spectrum_of_matrix(values, rows, dimension, seed, out);
  rg_free(values);
  return status;
}
