/* Percentile intervals by resampling (Efron 1979). */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"

rango_status rg_bootstrap(rg_statistic statistic, const void *user, int64_t count, int resamples, uint64_t seed,
                          rango_estimate *out) {
  out->low = out->high = NAN;
  if (resamples < 2 || count < 1) return RANGO_OK;
  double *values = NULL;
  int64_t *drawn = NULL;
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_alloc((size_t)resamples * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *drawn, RG_OUT(&drawn)));
  for (int r = 0; r < resamples; r++) {
    for (int64_t i = 0; i < count; i++) drawn[i] = (int64_t)rg_random_below(&random, (uint64_t)count);
    values[r] = statistic(user, drawn, count);
  }
  qsort(values, (size_t)resamples, sizeof *values, rg_compare_doubles);
  out->low = values[(int)(0.025 * (resamples - 1))];
  out->high = values[(int)ceil(0.975 * (resamples - 1))];
done:
  rg_free(values);
  rg_free(drawn);
  return status;
}
