/* All estimates of intrinsic dimension of one set of points. */
#include <math.h>

#include "base/memory.h"
#include "manifold/manifold.h"

#define FLAT                                                                                                           \
  1.15 /* angles see curvature, distances don't: so much more from angles, and the neighbourhoods are curved */

RANGO_API const char *rango_estimator_name(rango_estimator estimator) {
  static const char *const names[RANGO_ESTIMATORS] = {"two_nn",  "mle",       "correlation", "angles",
                                                      "nearest", "local_pca", "combined"};
  return (unsigned)estimator < RANGO_ESTIMATORS ? names[estimator] : NULL;
}

/* Few samples make neighbours far, which pulls the estimate from distances down, as is known for flat neighbourhoods;
 * curvature, where it is felt, pushes it up. So the correction is made where angles say that neighbourhoods are flat.
 * What is left then errs in opposite directions: borders pull distances' estimate down, slight curvature pushes the
 * angles' up, and the mean of both is nearer than either. */
static void combine(rango_estimate raw, int64_t count, rango_estimate *e) {
  const int64_t k = RG_NEAREST_NEIGHBOURS;
  const rango_estimate angles = e[RANGO_ESTIMATOR_ANGLES];
  rango_estimate corrected = {rg_levina_bickel_invert(raw.value, count, k), rg_levina_bickel_invert(raw.low, count, k),
                              rg_levina_bickel_invert(raw.high, count, k)};
  bool flat = angles.value <= FLAT * corrected.value;
  e[RANGO_ESTIMATOR_NEAREST] = flat ? corrected : raw;
  if (flat)
    e[RANGO_ESTIMATOR_COMBINED] = (rango_estimate){
        sqrt(corrected.value * angles.value), sqrt(corrected.low * angles.low), sqrt(corrected.high * angles.high)};
}

rango_status rg_dimensions_estimate(const double *points, int64_t count, int64_t dimension, int64_t neighbourhoods,
                                    int resamples, uint64_t seed, rg_dimensions *out) {
  *out = (rg_dimensions){.raw = NAN};
  rango_estimate *e = out->estimates;
  for (int i = 0; i < RANGO_ESTIMATORS; i++) e[i] = (rango_estimate){NAN, NAN, NAN};
  if (count < RG_MANIFOLD_LEAST) return RANGO_OK;
  int64_t k = count - 1 < RG_LOCAL_PCA_NEIGHBOURS ? count - 1 : RG_LOCAL_PCA_NEIGHBOURS;
  rg_neighbours near = {0};
  rango_status status;
  RG_TRY_DONE(rg_neighbours_find(points, count, dimension, k, &near));
  e[RANGO_ESTIMATOR_TWO_NN] = rg_two_nn(near.distances, count, k);
  if (k >= RG_MLE_NEIGHBOURS) e[RANGO_ESTIMATOR_MLE] = rg_levina_bickel(near.distances, count, k, RG_MLE_NEIGHBOURS);
  RG_TRY_DONE(
      rg_correlation_dimension(points, count, dimension, &near, resamples, seed, &e[RANGO_ESTIMATOR_CORRELATION]));
  RG_TRY_DONE(
      rg_angle_dimension(points, count, dimension, &near, neighbourhoods, resamples, seed, &e[RANGO_ESTIMATOR_ANGLES]));
  rango_estimate raw = rg_levina_bickel(near.distances, count, k, RG_NEAREST_NEIGHBOURS);
  out->raw = raw.value;
  combine(raw, count, e);
  RG_TRY_DONE(rg_local_pca(points, count, dimension, &near, neighbourhoods, resamples, seed,
                           &e[RANGO_ESTIMATOR_LOCAL_PCA], &out->gap));
done:
  rg_neighbours_free(&near);
  return status;
}
