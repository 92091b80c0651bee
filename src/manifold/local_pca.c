/* Intrinsic dimension from the principal components of neighbourhoods. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/linalg.h"
#include "manifold/neighbourhood.h"

#define OLSEN_SHARE  0.05
#define OLSEN_POINTS 32
#define SMALLEST     8
#define LEAST_SHARE  1e-14 /* of the largest variance: rounding */
#define CROWD        4     /* a neighbourhood holds at most one in so many of all points */

int64_t rg_fukunaga_olsen(const double *variances, int64_t n, double share) {
  int64_t above = 0;
  while (above < n && variances[above] > share * variances[0]) above++;
  return above;
}

double rg_participation(const double *variances, int64_t n) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += variances[i];
    squares += variances[i] * variances[i];
  }
  return squares > 0 ? sum * sum / squares : 0;
}

int64_t rg_spectral_gap(const double *variances, int64_t n, int64_t limit) {
  for (int64_t d = 1; d <= limit && d < n; d++)
    if (variances[d - 1] > RG_GAP * variances[d]) return d;
  return 0;
}

void rg_local_spectra_free(rg_local_spectra *spectra) {
  rg_free(spectra->values);
  *spectra = (rg_local_spectra){0};
}

rango_status rg_local_spectra_create(const double *points, int64_t count, int64_t dimension,
                                     const rg_neighbours *neighbours, int64_t k, int64_t wanted,
                                     rg_local_spectra *out) {
  int64_t n = dimension < k - 1 ? dimension : k - 1, stride = rg_neighbourhood_stride(count, wanted);
  *out = (rg_local_spectra){.k = k, .n = n};
  double *rows = NULL, *gram = NULL, *values = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * dimension) * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)k * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_alloc((size_t)((count + stride - 1) / stride * n) * sizeof *out->values, RG_OUT(&out->values)));
  for (int64_t i = 0; i < count; i += stride) {
    rg_neighbourhood_gram(points, dimension, neighbours, i, k, rows, gram);
    RG_TRY_DONE(rg_eigen_symmetric(gram, k, values));
    for (int64_t j = 0; j < n; j++) out->values[out->count * n + j] = values[j] > 0 ? values[j] / (double)k : 0;
    out->count++;
  }
done:
  rg_free(rows);
  rg_free(gram);
  rg_free(values);
  if (status != RANGO_OK) rg_local_spectra_free(out);
  return status;
}

/* Geometric means, so that small and large neighbourhoods count alike: mean [n]. */
static void mean_spectrum(const rg_local_spectra *spectra, const int64_t *drawn, double *mean) {
  for (int64_t j = 0; j < spectra->n; j++) {
    double sum = 0;
    for (int64_t i = 0; i < spectra->count; i++) {
      const double *values = spectra->values + (drawn ? drawn[i] : i) * spectra->n;
      sum += log(fmax(values[j], fmax(LEAST_SHARE * values[0], 1e-300)));
    }
    mean[j] = exp(sum / (double)spectra->count);
  }
}

static double gap_of(const void *user, const int64_t *drawn, int64_t count) {
  (void)count;
  const rg_local_spectra *spectra = user;
  double mean[RG_LOCAL_PCA_NEIGHBOURS];
  mean_spectrum(spectra, drawn, mean);
  return (double)rg_spectral_gap(mean, spectra->n, spectra->k / 2);
}

static double olsen_of(const void *user, const int64_t *drawn, int64_t count) {
  const rg_local_spectra *spectra = user;
  int64_t sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += rg_fukunaga_olsen(spectra->values + (drawn ? drawn[i] : i) * spectra->n, spectra->n, OLSEN_SHARE);
  return (double)sum / (double)count;
}

rango_status rg_local_pca(const double *points, int64_t count, int64_t dimension, const rg_neighbours *neighbours,
                          int64_t wanted, int resamples, uint64_t seed, rango_estimate *out, int64_t *gap) {
  *out = (rango_estimate){NAN, NAN, NAN};
  *gap = 0;
  for (int64_t k = SMALLEST; k <= RG_LOCAL_PCA_NEIGHBOURS && k <= neighbours->k + 1 && k * CROWD <= count; k *= 2) {
    rg_local_spectra spectra;
    RG_TRY(rg_local_spectra_create(points, count, dimension, neighbours, k, wanted, &spectra));
    rango_status status = RANGO_OK;
    *gap = (int64_t)gap_of(&spectra, NULL, spectra.count);
    if (*gap > 0 || k <= OLSEN_POINTS) {
      rg_statistic statistic = *gap > 0 ? gap_of : olsen_of;
      out->value = statistic(&spectra, NULL, spectra.count);
      status = rg_bootstrap(statistic, &spectra, spectra.count, resamples, seed, out);
    }
    rg_local_spectra_free(&spectra);
    if (status != RANGO_OK || *gap > 0) return status;
  }
  return RANGO_OK;
}
