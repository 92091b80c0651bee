/* Principal components and intrinsic dimension of samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"
#include "tensor/tensor.h"

int64_t rg_components_holding(const double *variances, int64_t count, double share) {
  double total = 0, sum = 0;
  for (int64_t i = 0; i < count; i++) total += variances[i] > 0 ? variances[i] : 0;
  if (!(total > 0)) return 0;
  /* Rounding leaves the sum of all a little short of the total. */
  double wanted = share * total * (1 - 1e-12);
  for (int64_t i = 0; i < count; i++) {
    sum += variances[i] > 0 ? variances[i] : 0;
    if (sum >= wanted) return i + 1;
  }
  return count;
}

static int compare_index(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* `count` of `total` row numbers, drawn without repetition, ascending: order [total], its first `count`. */
static void draw_rows(int64_t *order, int64_t total, int64_t count, uint64_t seed) {
  rg_random random;
  rg_random_seed(&random, seed);
  for (int64_t i = 0; i < total; i++) order[i] = i;
  if (count == total) return;
  for (int64_t i = 0; i < count; i++) {
    int64_t j = i + (int64_t)rg_random_below(&random, (uint64_t)(total - i)), t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  qsort(order, (size_t)count, sizeof *order, compare_index);
}

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

/* Variances along the principal components, through the smaller of the two Gram matrices. */
static rango_status principal_variances(const double *points, int64_t count, int64_t dimension, double *variances) {
  int64_t n = count < dimension ? count : dimension;
  double *gram = NULL;
  RG_TRY(rg_alloc((size_t)(n * n) * sizeof *gram, RG_OUT(&gram)));
  if (count < dimension)
    rg_matmul(false, true, count, count, dimension, 1.0 / (double)count, points, points, 0.0, gram);
  else
    rg_matmul(true, false, dimension, dimension, count, 1.0 / (double)count, points, points, 0.0, gram);
  rango_status status = rg_eigen_symmetric(gram, n, variances);
  rg_free(gram);
  return status;
}

/* A Gaussian random projection keeps a manifold's distances, hence its dimension (Hegde, Wakin, Baraniuk 2007). */
static rango_status project(const double *points, int64_t count, int64_t dimension, uint64_t seed, double *out) {
  double *matrix = NULL;
  int64_t to = RG_MANIFOLD_PROJECTED;
  RG_TRY(rg_alloc((size_t)(dimension * to) * sizeof *matrix, RG_OUT(&matrix)));
  rg_random random;
  rg_random_seed(&random, seed ^ UINT64_C(0x9e3779b97f4a7c15));
  double scale = 1 / sqrt((double)to);
  for (int64_t i = 0; i < dimension * to; i++) matrix[i] = scale * rg_random_normal(&random);
  rg_matmul(false, false, count, to, dimension, 1.0, points, matrix, 0.0, out);
  rg_free(matrix);
  return RANGO_OK;
}

typedef struct row_hash {
  uint64_t hash;
  int64_t row;
} row_hash;

static int compare_hash(const void *a, const void *b) {
  const row_hash *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

static uint64_t hash_bytes(const void *data, size_t bytes) { /* FNV-1a */
  const uint8_t *byte = data;
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
  return hash;
}

/* A row equal to another one would have a neighbour at distance 0: sets first[i] where row order[i] is the first of its
 * kind. */
static rango_status find_first_rows(const float *rows, const int64_t *order, int64_t count, int64_t dimension,
                                    bool *first) {
  row_hash *hashes = NULL;
  size_t bytes = (size_t)dimension * sizeof *rows;
  RG_TRY(rg_alloc((size_t)count * sizeof *hashes, RG_OUT(&hashes)));
  for (int64_t i = 0; i < count; i++) hashes[i] = (row_hash){hash_bytes(rows + order[i] * dimension, bytes), i};
  qsort(hashes, (size_t)count, sizeof *hashes, compare_hash);
  for (int64_t i = 0; i < count; i++) {
    const float *row = rows + order[hashes[i].row] * dimension;
    bool seen = false;
    for (int64_t j = i - 1; j >= 0 && hashes[j].hash == hashes[i].hash && !seen; j--)
      seen = memcmp(rows + order[hashes[j].row] * dimension, row, bytes) == 0;
    first[hashes[i].row] = !seen;
  }
  rg_free(hashes);
  return RANGO_OK;
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

static rango_status estimate_dimension(const double *points, int64_t count, int64_t dimension, rango_spectrum *out) {
  int64_t k = RG_MANIFOLD_NEIGHBOURS;
  double *distances = NULL;
  if (count < 3) return RANGO_OK;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(count * k) * sizeof *distances, RG_OUT(&distances)));
  if (count <= k) {
    RG_TRY_DONE(rg_nearest_distances(points, count, dimension, 2, distances));
    out->two_nn = rg_two_nn(distances, count, 2);
    goto done;
  }
  RG_TRY_DONE(rg_nearest_distances(points, count, dimension, k, distances));
  out->two_nn = rg_two_nn(distances, count, k);
  out->mle = rg_levina_bickel(distances, count, k);
done:
  rg_free(distances);
  return status;
}

rango_status rg_spectrum_of_matrix(const float *rows, int64_t count, int64_t dimension, uint64_t seed,
                                   rango_spectrum *out) {
  size_t struct_size = out->struct_size;
  int64_t limit = dimension > RG_MANIFOLD_WIDE ? RG_MANIFOLD_ROWS_WIDE : RG_MANIFOLD_ROWS;
  int64_t used = count < limit ? count : limit, bad;
  *out = (rango_spectrum){.struct_size = struct_size, .rows = used, .dimension = dimension, .two_nn = NAN, .mle = NAN};
  if (used == 0 || dimension == 0) return RANGO_OK;
  RG_FAIL_IF(!rg_all_finite_float(rows, count * dimension, &bad), RANGO_ERROR_NUMERIC,
             "row %lld holds a NaN or infinity", (long long)(bad / dimension));
  int64_t *order = NULL;
  double *points = NULL, *projected = NULL, *variances = NULL;
  bool *first = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *order, RG_OUT(&order)));
  RG_TRY_DONE(rg_alloc((size_t)(used * dimension) * sizeof *points, RG_OUT(&points)));
  int64_t components = used < dimension ? used : dimension;
  RG_TRY_DONE(rg_alloc((size_t)components * sizeof *variances, RG_OUT(&variances)));
  draw_rows(order, count, used, seed);
  centre_rows(rows, order, used, dimension, points);
  RG_TRY_DONE(principal_variances(points, used, dimension, variances));
  out->pca90 = rg_components_holding(variances, components, 0.9);
  out->pca99 = rg_components_holding(variances, components, 0.99);
  out->pca999 = rg_components_holding(variances, components, 0.999);
  RG_TRY_DONE(rg_alloc((size_t)used * sizeof *first, RG_OUT(&first)));
  RG_TRY_DONE(find_first_rows(rows, order, used, dimension, first));
  used = keep_marked(points, used, dimension, first);
  if (dimension > RG_MANIFOLD_PROJECTED) {
    RG_TRY_DONE(rg_alloc((size_t)(used * RG_MANIFOLD_PROJECTED) * sizeof *projected, RG_OUT(&projected)));
    RG_TRY_DONE(project(points, used, dimension, seed, projected));
    RG_TRY_DONE(estimate_dimension(projected, used, RG_MANIFOLD_PROJECTED, out));
  } else {
    RG_TRY_DONE(estimate_dimension(points, used, dimension, out));
  }
  out->whitney = isnan(out->two_nn) ? 0 : 2 * (int64_t)ceil(out->two_nn);
done:
  rg_free(order);
  rg_free(first);
  rg_free(points);
  rg_free(projected);
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
