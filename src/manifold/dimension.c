/* Intrinsic dimension from distances to nearest neighbours. */
#include "manifold/manifold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/linalg.h"

#define BLOCK       256 /* points whose distances to all others are held at a time */
#define TWO_NN_DROP 0.1 /* of the largest ratios: outliers */
#define TWO_NN_ROWS 10

/* Keeps the k smallest values seen, ascending. */
static void insert_sorted(double *best, int64_t k, double value) {
  if (value >= best[k - 1]) return;
  int64_t i = k - 1;
  for (; i > 0 && best[i - 1] > value; i--) best[i] = best[i - 1];
  best[i] = value;
}

/* Squared distances by |a|^2 + |b|^2 - 2ab lose the digits of close pairs, so points are centred by the caller and the
 * nearest candidates' distances are taken again by differences. */
static double exact_distance(const double *a, const double *b, int64_t dimension) {
  double sum = 0;
  for (int64_t i = 0; i < dimension; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt(sum);
}

static void block_neighbours(const double *points, const double *norms, const double *products, int64_t begin,
                             int64_t size, int64_t count, int64_t dimension, int64_t k, double *distances) {
  for (int64_t i = 0; i < size; i++) {
    int64_t self = begin + i;
    double *best = distances + self * k;
    for (int64_t j = 0; j < k; j++) best[j] = INFINITY;
    for (int64_t j = 0; j < count; j++) {
      if (j == self) continue;
      double square = norms[self] + norms[j] - 2 * products[i * count + j];
      double limit = best[k - 1];
      if (square > limit * limit * (1 + 1e-9) + 1e-12 * norms[self]) continue;
      insert_sorted(best, k, exact_distance(points + self * dimension, points + j * dimension, dimension));
    }
  }
}

rango_status rg_nearest_distances(const double *points, int64_t count, int64_t dimension, int64_t k,
                                  double *distances) {
  double *norms = NULL, *products = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *norms, RG_OUT(&norms)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK * count) * sizeof *products, RG_OUT(&products)));
  for (int64_t i = 0; i < count; i++) {
    norms[i] = 0;
    for (int64_t j = 0; j < dimension; j++) norms[i] += points[i * dimension + j] * points[i * dimension + j];
  }
  for (int64_t begin = 0; begin < count; begin += BLOCK) {
    int64_t size = count - begin < BLOCK ? count - begin : BLOCK;
    rg_matmul(false, true, size, count, dimension, 1.0, points + begin * dimension, points, 0.0, products);
    block_neighbours(points, norms, products, begin, size, count, dimension, k, distances);
  }
done:
  rg_free(norms);
  rg_free(products);
  return status;
}

static int compare_double(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double rg_two_nn(const double *distances, int64_t count, int64_t stride) {
  if (count < TWO_NN_ROWS) return NAN;
  double *logs = NULL, numerator = 0, denominator = 0;
  if (rg_alloc((size_t)count * sizeof *logs, RG_OUT(&logs)) != RANGO_OK) return NAN;
  int64_t used = 0;
  for (int64_t i = 0; i < count; i++)
    if (distances[i * stride] > 0) logs[used++] = log(distances[i * stride + 1] / distances[i * stride]);
  count = used;
  qsort(logs, (size_t)count, sizeof *logs, compare_double);
  int64_t kept = (int64_t)((1 - TWO_NN_DROP) * (double)count);
  for (int64_t i = 0; i < kept; i++) {
    numerator -= logs[i] * log(1 - (double)(i + 1) / (double)count);
    denominator += logs[i] * logs[i];
  }
  rg_free(logs);
  return denominator > 0 ? numerator / denominator : NAN;
}

double rg_levina_bickel(const double *distances, int64_t count, int64_t k) {
  double sum = 0; /* of the inverse estimates */
  int64_t used = 0;
  for (int64_t i = 0; i < count; i++) {
    const double *d = distances + i * k;
    double logs = 0;
    if (!(d[0] > 0)) continue;
    used++;
    for (int64_t j = 0; j < k - 1; j++) logs += log(d[k - 1] / d[j]);
    sum += logs / (double)(k - 1);
  }
  return sum > 0 ? (double)used / sum : NAN;
}
