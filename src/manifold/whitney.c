/* Secant-avoidance projection: Broomhead and Kirby (2000) ask for the projection whose shortest secant is longest; this
 * iteration turns one direction at a time (Jamshidi, Kirby and Broomhead 2011). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"
#include "manifold/whitney.h"

#define STARTS      256  /* random bases, on a sample of the secants: most end at a poor optimum, */
#define STARTS_MIN  8    /* or fewer, */
#define NUMBERS     1e5  /* where all of them together have more numbers */
#define SAMPLE      1000 /* secants */
#define KEPT        4    /* of the bases found, polished on all secants */
#define ITERATIONS  100
#define FIRST_STEP  0.05 /* share of the secant's lost part that is turned in; falls to LAST_STEP */
#define LAST_STEP   0.001
#define POLISH      200
#define POLISH_STEP 0.4   /* of the basis's size, the first one; falls to LAST_STEP */
#define SHARPNESS   100.0 /* of the soft minimum at the end, in units of 1/kappa^2; a twentieth at the start */
#define NOTHING     1e-12

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
  double *best;                  /* [p][n] */
  double kappa;                  /* of the best rows */
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
static void polish(const rg_secants *secants, int64_t p, double first_step, workspace *w, rg_random *random) {
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
    double step = length > 0 ? first_step * pow(LAST_STEP / first_step, share) / length : 0;
    for (int64_t k = 0; k < p * n; k++) w->rows[k] += step * w->along[k];
    orthonormalise(w->rows, p, n, random);
  }
}

/* A random basis that secant avoidance and the soft minimum make the best of. */
static void search(const rg_secants *secants, int64_t p, workspace *w, rg_random *random) {
  const int64_t n = secants->dimension;
  w->kappa = -1;
  for (int64_t i = 0; i < p * n; i++) w->rows[i] = rg_random_normal(random);
  orthonormalise(w->rows, p, n, random);
  for (int i = 0; i <= ITERATIONS; i++) {
    int64_t worst = 0;
    measure(secants, p, w, &worst);
    double step = FIRST_STEP * pow(LAST_STEP / FIRST_STEP, (double)i / ITERATIONS);
    avoid(w->rows, p, n, secants->values + worst * n, w->images + worst * p, step, w->along, random);
  }
  polish(secants, p, POLISH_STEP, w, random);
}

/* Every so many of the secants. */
static rango_status sample_secants(const rg_secants *secants, rg_secants *out) {
  int64_t n = secants->dimension, stride = (secants->count + SAMPLE - 1) / SAMPLE;
  *out = (rg_secants){.count = (secants->count + stride - 1) / stride, .dimension = n};
  RG_TRY(rg_alloc((size_t)(out->count * n) * sizeof *out->values, RG_OUT(&out->values)));
  for (int64_t i = 0; i < out->count; i++)
    memcpy(out->values + i * n, secants->values + i * stride * n, (size_t)n * sizeof *out->values);
  return RANGO_OK;
}

/* The bases [KEPT][p][n] of the largest kappas, descending, with one more among them. */
static void keep(const workspace *found, int64_t size, double *bases, double *kappas) {
  int at = KEPT;
  while (at > 0 && found->kappa > kappas[at - 1]) at--;
  if (at == KEPT) return;
  memmove(bases + (at + 1) * size, bases + at * size, (size_t)((KEPT - 1 - at) * size) * sizeof *bases);
  memmove(kappas + at + 1, kappas + at, (size_t)(KEPT - 1 - at) * sizeof *kappas);
  memcpy(bases + at * size, found->best, (size_t)size * sizeof *bases);
  kappas[at] = found->kappa;
}

rango_status rg_secant_avoidance(const rg_secants *secants, int64_t p, uint64_t seed, double *projection,
                                 double *kappa) {
  const int64_t n = secants->dimension, size = p * n;
  RG_FAIL_IF(p < 1 || p > n, RANGO_ERROR_ARGUMENT, "projection of %lld dimensions to %lld", (long long)n, (long long)p);
  workspace w = {0};
  rg_secants sample = {0};
  double *bases = NULL, kappas[KEPT];
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_alloc((size_t)size * sizeof *w.rows, RG_OUT(&w.rows)));
  RG_TRY_DONE(rg_alloc((size_t)size * sizeof *w.best, RG_OUT(&w.best)));
  RG_TRY_DONE(rg_alloc((size_t)(secants->count * p) * sizeof *w.images, RG_OUT(&w.images)));
  RG_TRY_DONE(rg_alloc((size_t)size * sizeof *w.along, RG_OUT(&w.along)));
  RG_TRY_DONE(rg_alloc((size_t)(KEPT * size) * sizeof *bases, RG_OUT(&bases)));
  RG_TRY_DONE(sample_secants(secants, &sample));
  for (int i = 0; i < KEPT; i++) kappas[i] = -1;
  int starts = (int)fmax(STARTS_MIN, fmin(STARTS, NUMBERS / (double)size));
  for (int start = 0; start < starts; start++) {
    search(&sample, p, &w, &random);
    keep(&w, size, bases, kappas);
  }
  *kappa = -1;
  for (int i = 0; i < KEPT; i++) {
    memcpy(w.best, bases + i * size, (size_t)size * sizeof *bases);
    w.kappa = -1;
    polish(secants, p, FIRST_STEP, &w, &random);
    if (!(w.kappa > *kappa)) continue;
    *kappa = w.kappa;
    memcpy(projection, w.best, (size_t)size * sizeof *projection);
  }
done:
  rg_free(w.rows);
  rg_free(w.best);
  rg_free(w.images);
  rg_free(w.along);
  rg_free(bases);
  rg_secants_free(&sample);
  return status;
}
