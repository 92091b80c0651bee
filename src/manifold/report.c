/* Which estimate to trust, and how the estimates change with the number of samples. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "manifold/manifold.h"

#define NEIGHBOURHOODS 200
#define RESAMPLES      200
#define BLOCK_LEAST    100 /* rows of the decimation curve's smallest blocks */
#define BLOCKS_MOST    4   /* averaged */
#define FILLED         0.9 /* of a Gaussian cloud's estimate: the points fill their linear span */

/* The same estimate on a Gaussian cloud of the leading variances: a surrogate that is known to fill its span (the idea
 * of Theiler et al. 1992). */
static rango_status surrogate_raw(const double *variances, int64_t dimension, int64_t count, uint64_t seed,
                                  double *out) {
  double *points = NULL;
  rg_neighbours near = {0};
  rg_random random;
  rango_status status;
  rg_random_seed(&random, seed ^ UINT64_C(0xa5a5a5a5a5a5a5a5));
  RG_TRY_DONE(rg_alloc((size_t)(count * dimension) * sizeof *points, RG_OUT(&points)));
  for (int64_t i = 0; i < count * dimension; i++)
    points[i] = sqrt(fmax(variances[i % dimension], 0)) * rg_random_normal(&random);
  RG_TRY_DONE(rg_neighbours_find(points, count, dimension, RG_NEAREST_NEIGHBOURS, &near));
  *out = rg_levina_bickel(near.distances, count, near.k, RG_NEAREST_NEIGHBOURS).value;
done:
  rg_free(points);
  rg_neighbours_free(&near);
  return status;
}

/* A clear gap in the neighbourhoods' spectrum settles the dimension, unless the data's linear span explains it: a
 * curved manifold's neighbourhoods may be as wide as the span. Then it counts only if the points fill the span. */
static rango_status gap_holds(const rg_dimensions *dimensions, const double *variances, int64_t components,
                              int64_t count, uint64_t seed, bool *holds) {
  int64_t gap = dimensions->gap;
  *holds = gap > 0;
  bool span = gap > 0 && (gap >= components || variances[gap - 1] > RG_GAP * variances[gap]);
  if (!span) return RANGO_OK;
  double filled;
  RG_TRY(surrogate_raw(variances, gap, count, seed, &filled));
  *holds = dimensions->raw >= FILLED * filled;
  return RANGO_OK;
}

static void recommend(rango_estimator estimator, rango_spectrum *out) {
  out->estimator = estimator;
  out->intrinsic = out->estimates[estimator];
  if (!isfinite(out->intrinsic.value)) return;
  int64_t m = (int64_t)fmax(round(out->intrinsic.value), 1);
  out->whitney = 2 * m;
  out->whitney_linear = 2 * m + 1;
}

/* Rows in a random order: shuffled [count][dimension]. */
static rango_status shuffle(const double *points, int64_t count, int64_t dimension, uint64_t seed, double **shuffled) {
  int64_t *order = NULL;
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *order, RG_OUT(&order)));
  RG_TRY_DONE(rg_alloc((size_t)(count * dimension) * sizeof **shuffled, RG_OUT(shuffled)));
  for (int64_t i = 0; i < count; i++) {
    int64_t j = (int64_t)rg_random_below(&random, (uint64_t)(i + 1));
    order[i] = order[j];
    order[j] = i;
  }
  for (int64_t i = 0; i < count; i++)
    memcpy(*shuffled + i * dimension, points + order[i] * dimension, (size_t)dimension * sizeof **shuffled);
done:
  rg_free(order);
  return status;
}

/* The mean of independent estimates; its interval is as much narrower. */
static rango_estimate mean_of(const rango_estimate *estimates, int64_t count) {
  double sum = 0, below = 0, above = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += estimates[i].value;
    below += pow(estimates[i].value - estimates[i].low, 2);
    above += pow(estimates[i].high - estimates[i].value, 2);
  }
  double n = (double)count;
  return (rango_estimate){sum / n, (sum - sqrt(below)) / n, (sum + sqrt(above)) / n};
}

static rango_status average_blocks(const double *points, int64_t rows, int64_t blocks, int64_t dimension, uint64_t seed,
                                   rango_decimation *out) {
  rango_estimate estimates[RANGO_ESTIMATORS][BLOCKS_MOST];
  for (int64_t b = 0; b < blocks; b++) {
    rg_dimensions block;
    RG_TRY(rg_dimensions_estimate(points + b * rows * dimension, rows, dimension, NEIGHBOURHOODS / blocks, RESAMPLES,
                                  seed + (uint64_t)b, &block));
    for (int i = 0; i < RANGO_ESTIMATORS; i++) estimates[i][b] = block.estimates[i];
  }
  out->rows = rows;
  for (int i = 0; i < RANGO_ESTIMATORS; i++) out->estimates[i] = mean_of(estimates[i], blocks);
  return RANGO_OK;
}

static rango_status decimate(const double *points, int64_t count, int64_t dimension, uint64_t seed,
                             rango_spectrum *out) {
  double *shuffled = NULL;
  rango_status status;
  out->decimation[0].rows = count;
  memcpy(out->decimation[0].estimates, out->estimates, sizeof out->estimates);
  out->decimations = 1;
  RG_TRY_DONE(shuffle(points, count, dimension, seed, &shuffled));
  for (int64_t parts = 2; out->decimations < RANGO_DECIMATIONS && count / parts >= BLOCK_LEAST; parts *= 2)
    RG_TRY_DONE(average_blocks(shuffled, count / parts, parts < BLOCKS_MOST ? parts : BLOCKS_MOST, dimension, seed,
                               &out->decimation[out->decimations++]));
done:
  rg_free(shuffled);
  return status;
}

rango_status rg_dimensions_report(const double *points, int64_t count, int64_t dimension, const double *variances,
                                  int64_t components, uint64_t seed, rango_spectrum *out) {
  if (count < RG_MANIFOLD_LEAST) return RANGO_OK;
  rg_dimensions dimensions;
  bool holds;
  RG_TRY(rg_dimensions_estimate(points, count, dimension, NEIGHBOURHOODS, RESAMPLES, seed, &dimensions));
  memcpy(out->estimates, dimensions.estimates, sizeof out->estimates);
  out->two_nn = out->estimates[RANGO_ESTIMATOR_TWO_NN].value;
  out->mle = out->estimates[RANGO_ESTIMATOR_MLE].value;
  out->gap = dimensions.gap;
  RG_TRY(gap_holds(&dimensions, variances, components, count, seed, &holds));
  bool flat = isfinite(out->estimates[RANGO_ESTIMATOR_COMBINED].value);
  recommend(holds ? RANGO_ESTIMATOR_LOCAL_PCA : flat ? RANGO_ESTIMATOR_COMBINED : RANGO_ESTIMATOR_NEAREST, out);
  return decimate(points, count, dimension, seed, out);
}
