/* Nearest neighbours by blocks of the distance matrix. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"

#define BLOCK 256 /* points whose distances to all others are held at a time */

rango_status rg_distance_blocks(const double *points, int64_t count, int64_t dimension, rg_visit_distances visit,
                                void *user) {
  double *norms = NULL, *squares = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *norms, RG_OUT(&norms)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK * count) * sizeof *squares, RG_OUT(&squares)));
  for (int64_t i = 0; i < count; i++) {
    norms[i] = 0;
    for (int64_t j = 0; j < dimension; j++) norms[i] += points[i * dimension + j] * points[i * dimension + j];
  }
  for (int64_t begin = 0; begin < count; begin += BLOCK) {
    int64_t size = count - begin < BLOCK ? count - begin : BLOCK;
    rg_matmul(false, true, size, count, dimension, -2.0, points + begin * dimension, points, 0.0, squares);
    for (int64_t i = 0; i < size; i++)
      for (int64_t j = 0; j < count; j++) squares[i * count + j] += norms[begin + i] + norms[j];
    visit(user, begin, size, squares);
  }
done:
  rg_free(norms);
  rg_free(squares);
  return status;
}

static double exact_distance(const double *a, const double *b, int64_t dimension) {
  double sum = 0;
  for (int64_t i = 0; i < dimension; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt(sum);
}

/* Keeps the k smallest distances seen, ascending. */
static void insert_sorted(double *best, int64_t *indices, int64_t k, double distance, int64_t index) {
  if (distance >= best[k - 1]) return;
  int64_t i = k - 1;
  for (; i > 0 && best[i - 1] > distance; i--) {
    best[i] = best[i - 1];
    indices[i] = indices[i - 1];
  }
  best[i] = distance;
  indices[i] = index;
}

typedef struct search {
  const double *points;
  int64_t dimension;
  rg_neighbours *out;
} search;

/* Whatever could be among the nearest, given what the block's distances lose, is measured again by differences. */
static void search_block(void *user, int64_t begin, int64_t size, const double *squares) {
  const search *s = user;
  int64_t count = s->out->count, k = s->out->k, dimension = s->dimension;
  for (int64_t i = 0; i < size; i++) {
    const int64_t self = begin + i;
    const double *row = squares + i * count, *point = s->points + self * dimension;
    double *best = s->out->distances + self * k, norm = 0;
    for (int64_t j = 0; j < k; j++) best[j] = INFINITY;
    for (int64_t j = 0; j < dimension; j++) norm += point[j] * point[j];
    for (int64_t j = 0; j < count; j++) {
      double limit = best[k - 1];
      if (j == self || row[j] > limit * limit * (1 + 1e-9) + 1e-12 * norm) continue;
      insert_sorted(best, s->out->indices + self * k, k, exact_distance(point, s->points + j * dimension, dimension),
                    j);
    }
  }
}

rango_status rg_neighbours_find(const double *points, int64_t count, int64_t dimension, int64_t k, rg_neighbours *out) {
  *out = (rg_neighbours){.count = count, .k = k};
  RG_FAIL_IF(count <= k, RANGO_ERROR_ARGUMENT, "%lld points have no %lld neighbours", (long long)count, (long long)k);
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(count * k) * sizeof *out->distances, RG_OUT(&out->distances)));
  RG_TRY_DONE(rg_calloc((size_t)(count * k), sizeof *out->indices, RG_OUT(&out->indices)));
  RG_TRY_DONE(rg_distance_blocks(points, count, dimension, search_block, &(search){points, dimension, out}));
  return RANGO_OK;
done:
  rg_neighbours_free(out);
  return status;
}

void rg_neighbours_free(rg_neighbours *neighbours) {
  rg_free(neighbours->distances);
  rg_free(neighbours->indices);
  *neighbours = (rg_neighbours){0};
}
