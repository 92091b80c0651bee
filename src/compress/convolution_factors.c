/* Factors of a convolution for chosen ranks, from the covariance of its inputs and a weight: the closed form's first
 * factor, what follows it by least squares, and both in turn (alternating least squares), since the closed form takes
 * the pieces of a row as alike and they are not. */
#include <string.h>

#include "compress/unfolding.h"

#define SWEEPS 1 /* later ones gain little */

/* What z is fitted with: with F = L_z^-1 cross, the solution is L_z'^-1 F [(rank, tap)][outputs], in the metric. */
rango_status rg_unfolding_solve(const rg_unfolding *u, const double *v, double *f, double *solution) {
  int64_t size = u->rank * u->taps, n = u->site->outputs;
  double *gram = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(size * size) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_unfolding_explain(u, v, gram, f));
  memcpy(solution, f, (size_t)(size * n) * sizeof *f);
  rg_lower_solve_transposed(gram, size, solution, n);
done:
  rg_free(gram);
  return status;
}

/* [(rank, tap)] columns of a [rows][rank * taps] matrix as [rows][tap][rank] floats. */
static rango_status store_taps(const rg_unfolding *u, const double *from, int64_t rows, float **out) {
  RG_TRY(rg_alloc((size_t)(rows * u->rank * u->taps) * sizeof(float), RG_OUT(out)));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t r = 0; r < u->rank; r++)
      for (int64_t t = 0; t < u->taps; t++)
        (*out)[(i * u->taps + t) * u->rank + r] = (float)from[(i * u->rank + r) * u->taps + t];
  return RANGO_OK;
}

/* The second factor [(rank, tap)][outputs], in the metric, cut to `rank2` by the leading directions of what it
 * explains: middle [rank2][(rank, tap)] and last [outputs][rank2], which both remain in the metric. */
static rango_status cut_second(const rg_unfolding *u, const double *f, double *solution, int64_t rank2, double *middle,
                               double *last) {
  int64_t size = u->rank * u->taps, n = u->site->outputs;
  double *vectors = NULL, *values = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *vectors, RG_OUT(&vectors)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *values, RG_OUT(&values)));
  rg_gram(size, n, 1.0, f, 0.0, vectors);
  RG_TRY_DONE(rg_eigen_symmetric(vectors, n, values));
  rg_matmul(false, true, rank2, size, n, 1.0, vectors, solution, 0.0, middle);
  for (int64_t i = 0; i < rank2; i++)
    for (int64_t j = 0; j < n; j++) last[j * rank2 + i] = vectors[i * n + j];
  rg_matmul(true, true, size, n, rank2, 1.0, middle, last, 0.0, solution);
done:
  rg_free(vectors);
  rg_free(values);
  return status;
}

/* b [inputs][outputs] = the first factor, then the second [outputs][(rank, tap)]. */
static rango_status compose(const rg_unfolding *u, const double *v, const double *second, double *b) {
  int64_t n = u->site->outputs;
  double *piece = NULL;
  RG_TRY(rg_alloc((size_t)(u->rank * n) * sizeof *piece, RG_OUT(&piece)));
  for (int64_t t = 0; t < u->taps; t++) {
    for (int64_t r = 0; r < u->rank; r++)
      for (int64_t j = 0; j < n; j++) piece[r * n + j] = second[j * u->rank * u->taps + r * u->taps + t];
    rg_matmul(true, false, u->inner, n, u->rank, 1.0, v, piece, 0.0, b + t * u->inner * n);
  }
  rg_free(piece);
  return RANGO_OK;
}

static void transpose(const double *from, int64_t rows, int64_t columns, double *to) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
}

static rango_status make_factors(const rg_unfolding *u, const double *metric, double *b, rg_factors *factors) {
  int64_t n = u->site->outputs, size = u->rank * u->taps, rank2 = factors->rank2;
  double *v = NULL, *f = NULL, *solution = NULL, *second = NULL, *middle = NULL, *last = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(u->inner * u->rank) * sizeof *v, RG_OUT(&v)));
  RG_TRY_DONE(rg_alloc((size_t)(size * n) * sizeof *f, RG_OUT(&f)));
  RG_TRY_DONE(rg_alloc((size_t)(size * n) * sizeof *solution, RG_OUT(&solution)));
  RG_TRY_DONE(rg_alloc((size_t)(size * n) * sizeof *second, RG_OUT(&second)));
  RG_TRY_DONE(rg_unfolding_directions(u, v));
  RG_TRY_DONE(rg_unfolding_solve(u, v, f, solution));
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    RG_TRY_DONE(rg_unfolding_improve(u, solution, v));
    RG_TRY_DONE(rg_unfolding_solve(u, v, f, solution));
  }
  if (factors->form == RG_FORM_TUCKER) {
    RG_TRY_DONE(rg_alloc((size_t)(rank2 * size) * sizeof *middle, RG_OUT(&middle)));
    RG_TRY_DONE(rg_alloc((size_t)(n * rank2) * sizeof *last, RG_OUT(&last)));
    RG_TRY_DONE(cut_second(u, f, solution, rank2, middle, last));
    rg_metric_undo(metric, n, rank2, last);
    RG_TRY_DONE(store_taps(u, middle, rank2, &factors->middle));
    RG_TRY_DONE(rg_to_float(last, n * rank2, &factors->second));
  }
  transpose(solution, size, n, second);
  rg_metric_undo(metric, n, size, second);
  if (factors->form != RG_FORM_TUCKER) RG_TRY_DONE(store_taps(u, second, n, &factors->second));
  RG_TRY_DONE(rg_to_float(v, u->rank * u->inner, &factors->first));
  RG_TRY_DONE(compose(u, v, second, b));
done:
  rg_free(v);
  rg_free(f);
  rg_free(solution);
  rg_free(second);
  rg_free(middle);
  rg_free(last);
  return status;
}

rango_status rg_convolution_factors(const rg_site *site, const double *covariance, const double *metric, double *b,
                                    rg_factors *factors) {
  int64_t m = site->inputs, n = site->outputs, taps = rg_form_taps(site, factors->form);
  double *weight = NULL, *cross = NULL;
  rg_unfolding u = {.site = site, .taps = taps, .inner = m / taps, .rank = factors->rank};
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * m) * sizeof *weight, RG_OUT(&weight)));
  RG_TRY_DONE(rg_alloc((size_t)(m * n) * sizeof *cross, RG_OUT(&cross)));
  transpose(b, m, n, weight);
  rg_unfolding_set(&u, covariance, metric, weight, cross);
  RG_TRY_DONE(make_factors(&u, metric, b, factors));
done:
  rg_free(weight);
  rg_free(cross);
  return status;
}
