/* Intrinsic dimension from how the number of close pairs grows with distance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"

#define NEAR_NEIGHBOUR 10 /* whose median distance is the smaller radius */
#define FAR_NEIGHBOUR  20

typedef struct pairs {
  int64_t count;
  double near, far;             /* radii */
  double *within_near, *within; /* [count] other points within each radius of a point */
} pairs;

static void count_block(void *user, int64_t begin, int64_t size, const double *squares) {
  const pairs *p = user;
  double near = p->near * p->near, far = p->far * p->far;
  for (int64_t i = 0; i < size; i++) {
    int64_t in_near = 0, in_far = 0;
    for (int64_t j = 0; j < p->count; j++) {
      in_near += squares[i * p->count + j] < near;
      in_far += squares[i * p->count + j] < far;
    }
    p->within_near[begin + i] = (double)(in_near - 1); /* not itself */
    p->within[begin + i] = (double)(in_far - 1);
  }
}

static double slope(const void *user, const int64_t *drawn, int64_t count) {
  const pairs *p = user;
  double near = 0, far = 0;
  for (int64_t i = 0; i < count; i++) {
    near += p->within_near[drawn ? drawn[i] : i];
    far += p->within[drawn ? drawn[i] : i];
  }
  return near > 0 && p->far > p->near ? log(far / near) / log(p->far / p->near) : NAN;
}

static rango_status median_distance(const rg_neighbours *neighbours, int64_t neighbour, double *out) {
  double *values = NULL;
  RG_TRY(rg_alloc((size_t)neighbours->count * sizeof *values, RG_OUT(&values)));
  for (int64_t i = 0; i < neighbours->count; i++) values[i] = neighbours->distances[i * neighbours->k + neighbour - 1];
  qsort(values, (size_t)neighbours->count, sizeof *values, rg_compare_doubles);
  *out = values[neighbours->count / 2];
  rg_free(values);
  return RANGO_OK;
}

rango_status rg_correlation_dimension(const double *points, int64_t count, int64_t dimension,
                                      const rg_neighbours *neighbours, int resamples, uint64_t seed,
                                      rango_estimate *out) {
  *out = (rango_estimate){NAN, NAN, NAN};
  if (neighbours->k < FAR_NEIGHBOUR) return RANGO_OK;
  pairs p = {.count = count};
  rango_status status;
  RG_TRY_DONE(median_distance(neighbours, NEAR_NEIGHBOUR, &p.near));
  RG_TRY_DONE(median_distance(neighbours, FAR_NEIGHBOUR, &p.far));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *p.within_near, RG_OUT(&p.within_near)));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *p.within, RG_OUT(&p.within)));
  RG_TRY_DONE(rg_distance_blocks(points, count, dimension, count_block, &p));
  out->value = slope(&p, NULL, count);
  if (isfinite(out->value)) status = rg_bootstrap(slope, &p, count, resamples, seed, out);
done:
  rg_free(p.within_near);
  rg_free(p.within);
  return status;
}
