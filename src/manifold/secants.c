/* Unit secants, and how much a projection shortens them. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"
#include "manifold/whitney.h"

#define TINY 1e-6 /* of the longest secant */

void rg_secants_free(rg_secants *secants) {
  rg_free(secants->values);
  *secants = (rg_secants){0};
}

static double difference(const double *a, const double *b, int64_t dimension, double *out) {
  double square = 0;
  for (int64_t j = 0; j < dimension; j++) {
    out[j] = a[j] - b[j];
    square += out[j] * out[j];
  }
  return sqrt(square);
}

/* Divides by the lengths, and drops what is too short: values [count][dimension] move up. */
static int64_t normalise(double *values, const double *lengths, int64_t count, int64_t dimension) {
  double longest = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) longest = fmax(longest, lengths[i]);
  for (int64_t i = 0; i < count; i++) {
    if (!(lengths[i] > TINY * longest)) continue;
    for (int64_t j = 0; j < dimension; j++) values[kept * dimension + j] = values[i * dimension + j] / lengths[i];
    kept++;
  }
  return kept;
}

rango_status rg_secants_create(const double *points, int64_t count, int64_t dimension, int64_t limit, uint64_t seed,
                               rg_secants *out) {
  *out = (rg_secants){.dimension = dimension};
  RG_FAIL_IF(count < 2, RANGO_ERROR_ARGUMENT, "secants need two points");
  int64_t pairs = count * (count - 1) / 2, used = pairs < limit ? pairs : limit;
  double *lengths = NULL;
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_alloc((size_t)used * sizeof *lengths, RG_OUT(&lengths)));
  RG_TRY_DONE(rg_alloc((size_t)(used * dimension) * sizeof *out->values, RG_OUT(&out->values)));
  int64_t i = 1, j = 0; /* the pair, j < i */
  for (int64_t s = 0; s < used; s++) {
    lengths[s] = difference(points + i * dimension, points + j * dimension, dimension, out->values + s * dimension);
    if (used < pairs) {
      i = (int64_t)rg_random_below(&random, (uint64_t)count);
      j = (int64_t)rg_random_below(&random, (uint64_t)count - 1);
      j += j >= i;
    } else if (++j == i) {
      i++;
      j = 0;
    }
  }
  out->count = normalise(out->values, lengths, used, dimension);
  if (out->count == 0) status = rg_fail(RANGO_ERROR_ARGUMENT, "all samples are the same");
done:
  rg_free(lengths);
  if (status != RANGO_OK) rg_secants_free(out);
  return status;
}

double rg_kappa(const rg_secants *secants, const double *projection, int64_t p, double *images, int64_t *worst) {
  double least = INFINITY;
  rg_matmul(false, true, secants->count, p, secants->dimension, 1.0, secants->values, projection, 0.0, images);
  for (int64_t i = 0; i < secants->count; i++) {
    double square = 0;
    for (int64_t j = 0; j < p; j++) square += images[i * p + j] * images[i * p + j];
    if (square >= least) continue;
    least = square;
    if (worst) *worst = i;
  }
  return sqrt(least);
}
