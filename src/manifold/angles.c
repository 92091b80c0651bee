/* Intrinsic dimension from the angles between neighbours. */
#include <math.h>

#include "base/memory.h"
#include "manifold/neighbourhood.h"

#define DIMENSION_MAX 5000.0
#define BISECTIONS    60

/* Gamma(d/2)^2 / (Gamma((d+1)/2) Gamma((d-1)/2)): from 0 on a line towards 1. */
double rg_expected_sine(double dimension) {
  if (dimension <= 1) return 0;
  return exp(2 * lgamma(dimension / 2) - lgamma((dimension + 1) / 2) - lgamma((dimension - 1) / 2));
}

static double dimension_of_sine(double sine) {
  double low = 1, high = DIMENSION_MAX;
  for (int i = 0; i < BISECTIONS; i++) {
    double middle = (low + high) / 2;
    if (rg_expected_sine(middle) < sine)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* Areas of the parallelograms that pairs of a neighbourhood span, over the products of their sides. */
static double mean_sine(const double *gram, int64_t size) {
  double areas = 0, sides = 0;
  for (int64_t i = 0; i < size; i++)
    for (int64_t j = 0; j < i; j++) {
      double product = gram[i * size + i] * gram[j * size + j], dot = gram[i * size + j];
      areas += sqrt(fmax(product - dot * dot, 0));
      sides += sqrt(product);
    }
  return sides > 0 ? areas / sides : 0;
}

static double mean_dimension(const void *user, const int64_t *drawn, int64_t count) {
  const double *sines = user;
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += sines[drawn ? drawn[i] : i];
  return dimension_of_sine(sum / (double)count);
}

rango_status rg_angle_dimension(const double *points, int64_t count, int64_t dimension, const rg_neighbours *neighbours,
                                int64_t wanted, int resamples, uint64_t seed, rango_estimate *out) {
  *out = (rango_estimate){NAN, NAN, NAN};
  int64_t size = RG_ANGLE_NEIGHBOURS + 1, used = 0, stride = rg_neighbourhood_stride(count, wanted);
  if (neighbours->k < RG_ANGLE_NEIGHBOURS) return RANGO_OK;
  double *rows = NULL, *gram = NULL, *sines = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(size * dimension) * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc((size_t)(size * size) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *sines, RG_OUT(&sines)));
  for (int64_t i = 0; i < count; i += stride) {
    rg_neighbourhood_gram(points, dimension, neighbours, i, size, rows, gram);
    sines[used++] = mean_sine(gram, size);
  }
  out->value = mean_dimension(sines, NULL, used);
  status = rg_bootstrap(mean_dimension, sines, used, resamples, seed, out);
done:
  rg_free(rows);
  rg_free(gram);
  rg_free(sines);
  return status;
}
