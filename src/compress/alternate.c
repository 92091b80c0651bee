/*
 * The first factor for a given second one: with B_t [rank][outputs] the second factor's taps and C_ts [inner][inner]
 * the blocks of the inputs' covariance, the best V [rank][inner] solves
 *
 *   sum over t, s of (B_t B_s') V C_st = sum over t of B_t (cross_t)'
 *
 * by conjugate gradients from the V at hand (Hestenes and Stiefel 1952), preconditioned by the averages of B_t B_t' and
 * of C_tt. A few steps do: every step lowers the error.
 */
#include <string.h>

#include "compress/unfolding.h"

#define STEPS 12
#define FLOOR 1e-4 /* of the mean diagonal, added to the preconditioner's matrices */

typedef struct alternation {
  const rg_unfolding *u;
  double *taps;   /* [rank * taps][outputs]: B_t, tap by tap */
  double *blocks; /* [rank * taps][rank * taps]: B_t B_s' */
  double *left;   /* [rank][rank], right [inner][inner]: Cholesky factors of the preconditioner's */
  double *right;
  double *vc;     /* [taps][rank][inputs]: V C_s. */
  double *column; /* [taps * rank][inner] */
  double *turned; /* [inner][rank] */
} alternation;

static void system_free(alternation *s) {
  rg_free(s->taps);
  rg_free(s->blocks);
  rg_free(s->left);
  rg_free(s->right);
  rg_free(s->vc);
  rg_free(s->column);
  rg_free(s->turned);
}

static rango_status factor(double *a, int64_t n) {
  double trace = 0;
  for (int64_t i = 0; i < n; i++) trace += a[i * n + i];
  for (int64_t i = 0; i < n; i++) a[i * n + i] += trace > 0 ? FLOOR * trace / (double)n : 1;
  return rg_cholesky(a, n);
}

static rango_status system_create(const rg_unfolding *u, const double *solution, alternation *s) {
  int64_t r = u->rank, taps = u->taps, inner = u->inner, n = u->site->outputs, size = r * taps;
  *s = (alternation){.u = u};
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(size * n) * sizeof(double), RG_OUT(&s->taps)));
  RG_TRY_DONE(rg_alloc((size_t)(size * size) * sizeof(double), RG_OUT(&s->blocks)));
  RG_TRY_DONE(rg_calloc((size_t)(r * r), sizeof(double), RG_OUT(&s->left)));
  RG_TRY_DONE(rg_alloc((size_t)(inner * inner) * sizeof(double), RG_OUT(&s->right)));
  RG_TRY_DONE(rg_alloc((size_t)(size * u->site->inputs) * sizeof(double), RG_OUT(&s->vc)));
  RG_TRY_DONE(rg_alloc((size_t)(size * inner) * sizeof(double), RG_OUT(&s->column)));
  RG_TRY_DONE(rg_alloc((size_t)(inner * r) * sizeof(double), RG_OUT(&s->turned)));
  for (int64_t t = 0; t < taps; t++)
    for (int64_t i = 0; i < r; i++)
      memcpy(s->taps + (t * r + i) * n, solution + (i * taps + t) * n, (size_t)n * sizeof(double));
  rg_matmul(false, true, size, size, n, 1.0, s->taps, s->taps, 0.0, s->blocks);
  for (int64_t t = 0; t < taps; t++)
    for (int64_t i = 0; i < r; i++)
      for (int64_t j = 0; j < r; j++) s->left[i * r + j] += s->blocks[(t * r + i) * size + t * r + j] / (double)taps;
  rg_unfolding_average(u, s->right);
  RG_TRY_DONE(factor(s->left, r));
  RG_TRY_DONE(factor(s->right, inner));
done:
  return status;
}

/* out [rank][inner] = sum over t, s of (B_t B_s') v C_st. */
static void apply(alternation *s, const double *v, double *out) {
  const rg_unfolding *u = s->u;
  int64_t r = u->rank, taps = u->taps, inner = u->inner, m = u->site->inputs, size = r * taps;
  for (int64_t t = 0; t < taps; t++)
    rg_matmul(false, false, r, m, inner, 1.0, v, u->covariance + t * inner * m, 0.0, s->vc + t * r * m);
  for (int64_t t = 0; t < taps; t++) {
    for (int64_t i = 0; i < size; i++)
      memcpy(s->column + i * inner, s->vc + i * m + t * inner, (size_t)inner * sizeof(double));
    rg_matmul(false, false, r, inner, size, 1.0, s->blocks + t * r * size, s->column, t ? 1.0 : 0.0, out);
  }
}

/* z = left^-1 x right^-1. */
static void precondition(alternation *s, const double *x, double *z) {
  int64_t r = s->u->rank, inner = s->u->inner;
  memcpy(z, x, (size_t)(r * inner) * sizeof(double));
  rg_lower_solve(s->left, r, z, inner);
  rg_lower_solve_transposed(s->left, r, z, inner);
  for (int64_t i = 0; i < r; i++)
    for (int64_t j = 0; j < inner; j++) s->turned[j * r + i] = z[i * inner + j];
  rg_lower_solve(s->right, inner, s->turned, r);
  rg_lower_solve_transposed(s->right, inner, s->turned, r);
  for (int64_t i = 0; i < r; i++)
    for (int64_t j = 0; j < inner; j++) z[i * inner + j] = s->turned[j * r + i];
}

/* What is left over: rest [rank][inner] = sum over t of B_t cross_t' - apply(v). */
static void first_rest(alternation *s, const double *v, double *rest) {
  const rg_unfolding *u = s->u;
  int64_t r = u->rank, inner = u->inner, n = u->site->outputs;
  apply(s, v, rest);
  for (int64_t t = 0; t < u->taps; t++)
    rg_matmul(false, true, r, inner, n, 1.0, s->taps + t * r * n, u->cross + t * inner * n, t ? 1.0 : -1.0, rest);
}

/* vectors: rest, z, direction, image; each [rank][inner]. */
static void iterate(alternation *s, double *const vectors[4], double *v) {
  int64_t count = s->u->rank * s->u->inner;
  double *rest = vectors[0], *z = vectors[1], *direction = vectors[2], *image = vectors[3];
  first_rest(s, v, rest);
  precondition(s, rest, z);
  memcpy(direction, z, (size_t)count * sizeof(double));
  double size = rg_dot(rest, z, count), first = size;
  for (int step = 0; step < STEPS && size > 1e-10 * first; step++) {
    apply(s, direction, image);
    double curvature = rg_dot(direction, image, count);
    if (!(curvature > 0)) return;
    for (int64_t i = 0; i < count; i++) v[i] += size / curvature * direction[i];
    for (int64_t i = 0; i < count; i++) rest[i] -= size / curvature * image[i];
    precondition(s, rest, z);
    double next = rg_dot(rest, z, count);
    for (int64_t i = 0; i < count; i++) direction[i] = z[i] + next / size * direction[i];
    size = next;
  }
}

rango_status rg_unfolding_improve(const rg_unfolding *u, const double *solution, double *v) {
  alternation s;
  double *vectors[4] = {NULL};
  rango_status status;
  RG_TRY_DONE(system_create(u, solution, &s));
  for (int i = 0; i < 4; i++) RG_TRY_DONE(rg_alloc((size_t)(u->rank * u->inner) * sizeof(double), RG_OUT(&vectors[i])));
  iterate(&s, vectors, v);
done:
  for (int i = 0; i < 4; i++) rg_free(vectors[i]);
  system_free(&s);
  return status;
}
