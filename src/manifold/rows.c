/* Samples: which, how spread, and without copies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"

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

void rg_draw_rows(int64_t *order, int64_t total, int64_t count, uint64_t seed) {
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

/* Through the smaller of the two Gram matrices. */
rango_status rg_principal_variances(const double *points, int64_t count, int64_t dimension, double *variances) {
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

rango_status rg_project_randomly(const double *points, int64_t count, int64_t dimension, int64_t to, uint64_t seed,
                                 double *out) {
  double *matrix = NULL;
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

rango_status rg_mark_distinct(const float *rows, const int64_t *order, int64_t count, int64_t dimension, bool *keep) {
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
    keep[hashes[i].row] = !seen;
  }
  rg_free(hashes);
  return RANGO_OK;
}
