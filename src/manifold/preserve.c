/* What a projection does to neighbourhoods. */
#include <math.h>

#include "base/memory.h"
#include "manifold/whitney.h"

static bool holds(const int64_t *indices, int64_t k, int64_t index) {
  for (int64_t i = 0; i < k; i++)
    if (indices[i] == index) return true;
  return false;
}

double rg_neighbour_overlap(const rg_neighbours *a, const rg_neighbours *b) {
  int64_t k = a->k < b->k ? a->k : b->k, same = 0;
  for (int64_t i = 0; i < a->count; i++)
    for (int64_t j = 0; j < k; j++) same += holds(a->indices + i * a->k, k, b->indices[i * b->k + j]);
  return (double)same / (double)(a->count * k);
}

typedef struct intruders {
  const rg_neighbours *neighbours;
  int64_t beyond; /* summed ranks of neighbours that are not among the k nearest, less k */
} intruders;

static void rank_block(void *user, int64_t begin, int64_t size, const double *squares) {
  intruders *r = user;
  int64_t count = r->neighbours->count, k = r->neighbours->k;
  for (int64_t i = 0; i < size; i++) {
    const double *row = squares + i * count;
    for (int64_t j = 0; j < k; j++) {
      int64_t neighbour = r->neighbours->indices[(begin + i) * k + j], rank = 1;
      for (int64_t other = 0; other < count; other++) rank += other != begin + i && row[other] < row[neighbour];
      if (rank > k) r->beyond += rank - k;
    }
  }
}

rango_status rg_trustworthiness(const double *points, int64_t count, int64_t dimension, const rg_neighbours *neighbours,
                                double *out) {
  intruders r = {.neighbours = neighbours};
  double n = (double)count, k = (double)neighbours->k;
  RG_TRY(rg_distance_blocks(points, count, dimension, rank_block, &r));
  *out = 2 * n - 3 * k - 1 > 0 ? 1 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * (double)r.beyond : NAN;
  return RANGO_OK;
}
