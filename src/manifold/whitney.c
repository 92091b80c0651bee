/* Secant-avoidance projection: Broomhead and Kirby (2000) ask for the projection whose shortest secant is longest; this
 * iteration turns one direction at a time (Jamshidi, Kirby and Broomhead 2011). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"
#include "manifold/whitney.h"

#define STARTS     8
#define ITERATIONS 100
#define FIRST_STEP 0.05 /* share of the secant's lost part that is turned in; falls to LAST_STEP */
#define LAST_STEP  0.001
#define POLISH     200
#define SHARPNESS  100.0 /* of the soft minimum at the end, in units of 1/kappa^2; a twentieth at the start */
#define NOTHING    1e-12

static void scale(double *a, double factor, int64_t n) {
  for (int64_t i = 0; i < n; i++) a[i] *= factor;
}

/* Modified Gram-Schmidt on rows [p][n], the first as it is but for its length; a row that vanishes is drawn anew. */
static void orthonormalise(double *rows, int64_t p, int64_t n, rg_random *random) {
  for (int64_t i = 0; i < p; i++) {
    double *row = rows + i * n, length = sqrt(rg_dot(row, row, n)), before = length;
    for (int pass = 0; pass < 2; pass++) {
      for (int64_t j = 0; j < i; j++) {
        double along = rg_dot(row, rows + j * n, n);
        for (int64_t k = 0; k < n; k++) row[k] -= along * rows[j * n + k];
      }
      length = sqrt(rg_dot(row, row, n));
    }
    if (!(length > NOTHING * before) || !(before > 0)) {
      for (int64_t k = 0; k < n; k++) row[k] = rg_random_normal(random);
      i--;
      continue;
    }
    scale(row, 1 / length, n);
  }
}

/* One step: the first row becomes the worst secant's image, turned a little towards what of the secant is lost. */
static void avoid(double *rows, int64_t p, int64_t n, const double *secant, const double *image, double step,
                  double *along, rg_random *random) {
  int64_t largest = 0;
  double square = 0;
  memset(along, 0, (size_t)n * sizeof *along);
  for (int64_t i = 0; i < p; i++) {
    if (fabs(image[i]) > fabs(image[largest])) largest = i;
    square += image[i] * image[i];
    for (int64_t k = 0; k < n; k++) along[k] += image[i] * rows[i * n + k];
  }
  if (square > NOTHING) {
    memcpy(rows + largest * n, rows, (size_t)n * sizeof *rows);
    memcpy(rows, along, (size_t)n * sizeof *rows);
    orthonormalise(rows, p, n, random);
  }
  for (int64_t k = 0; k < n; k++) rows[k] = (1 - step) * along[k] + step * (secant[k] - along[k]);
  double length = sqrt(rg_dot(rows, rows, n));
  if (length > 0) scale(rows, 1 / length, n);
}

typedef struct workspace {
  double *rows, *images, *along; /* [p][n], [secants][p], [p][n] */
  double *best;
  double kappa;
} workspace;

/* The shortest image of the current rows; the best rows so far are kept. */
static double measure(const rg_secants *secants, int64_t p, workspace *w, int64_t *worst) {
  double found = rg_kappa(secants, w->rows, p, w->images, worst);
  if (found > w->kappa) {
    w->kappa = found;
    memcpy(w->best, w->rows, (size_t)(p * secants->dimension) * sizeof *w->rows);
  }
  return found;
}

/* Turning towards one secant at a time stalls where many are equally short: the last steps climb a soft minimum of all,
 * whose gradient weighs each secant by exp(-sharpness (|image|^2 - kappa^2) / kappa^2). */
static void polish(const rg_secants *secants, int64_t p, workspace *w, rg_random *random) {
  const int64_t n = secants->dimension;
  memcpy(w->rows, w->best, (size_t)(p * n) * sizeof *w->rows);
  for (int i = 0; i <= POLISH; i++) {
    double share = (double)i / POLISH, sharpness = SHARPNESS * pow(20, share - 1), length = 0;
    double least = measure(secants, p, w, NULL);
    if (i == POLISH) return;
    for (int64_t s = 0; s < secants->count; s++) {
      double *image = w->images + s * p, square = rg_dot(image, image, p);
      scale(image, exp(-sharpness * (square / fmax(least * least, NOTHING) - 1)), p);
    }
    rg_matmul(true, false, p, n, secants->count, 1.0, w->images, secants->values, 0.0, w->along);
    length = sqrt(rg_dot(w->along, w->along, p * n) / (double)p);
    double step = length > 0 ? FIRST_STEP * pow(LAST_STEP / FIRST_STEP, share) / length : 0;
    for (int64_t k = 0; k < p * n; k++) w->rows[k] += step * w->along[k];
    orthonormalise(w->rows, p, n, random);
  }
}

rango_status rg_secant_avoidance(const rg_secants *secants, int64_t p, uint64_t seed, double *projection,
                                 double *kappa) {
  const int64_t n = secants->dimension;
  RG_FAIL_IF(p < 1 || p > n, RANGO_ERROR_ARGUMENT, "projection of %lld dimensions to %lld", (long long)n, (long long)p);
  workspace w = {.best = projection};
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_alloc((size_t)(p * n) * sizeof *w.rows, RG_OUT(&w.rows)));
  RG_TRY_DONE(rg_alloc((size_t)(secants->count * p) * sizeof *w.images, RG_OUT(&w.images)));
  RG_TRY_DONE(rg_alloc((size_t)(p * n) * sizeof *w.along, RG_OUT(&w.along)));
  *kappa = -1;
  for (int start = 0; start < STARTS; start++) {
    double before = *kappa;
    workspace one = w;
    one.kappa = -1;
    RG_TRY_DONE(rg_alloc((size_t)(p * n) * sizeof *one.best, RG_OUT(&one.best)));
    for (int64_t i = 0; i < p * n; i++) one.rows[i] = rg_random_normal(&random);
    orthonormalise(one.rows, p, n, &random);
    for (int i = 0; i <= ITERATIONS; i++) {
      int64_t worst = 0;
      measure(secants, p, &one, &worst);
      double step = FIRST_STEP * pow(LAST_STEP / FIRST_STEP, (double)i / ITERATIONS);
      avoid(one.rows, p, n, secants->values + worst * n, one.images + worst * p, step, one.along, &random);
    }
    polish(secants, p, &one, &random);
    if (one.kappa > before) {
      *kappa = one.kappa;
      memcpy(projection, one.best, (size_t)(p * n) * sizeof *projection);
    }
    rg_free(one.best);
  }
done:
  rg_free(w.rows);
  rg_free(w.images);
  rg_free(w.along);
  return status;
}
