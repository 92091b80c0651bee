/*
 * The forms of a convolution whose first factor sees a row in several pieces ("taps"): spatial, k x 1 to `rank`
 * channels, then 1 x k (Jaderberg, Vedaldi, Zisserman 2014); pointwise, 1 x 1 to `rank` channels, then k x k; Tucker-2,
 * the pointwise form whose second factor is itself a pair (Kim et al. 2016). All are fitted to data, in the metric.
 *
 * The first factor V [rank][inner] comes from the singular value decomposition of the weight, unfolded to [outputs *
 * taps][inner] and weighted by the inputs' covariance averaged over the taps. What follows is an ordinary least-squares
 * problem in z = V x (each piece of a row through V), [outputs][rank * taps]; its error for every rank at once comes
 * from one Cholesky factor, since the leading block of a factor is the factor of the leading block. With F = that
 * factor's solve of z's covariance with the outputs, F' F is the covariance of what z explains: its leading eigenvalues
 * say what Tucker's second cut keeps.
 */
#include <string.h>

#include "compress/unfolding.h"

#define VARIANCE_FLOOR  1e-6 /* of the mean diagonal of the averaged covariance, added to it */
#define RIDGE           1e-7 /* of the mean diagonal of the covariance of z */
#define MAX_UNKNOWNS    1536 /* rank * taps: beyond, larger ranks aren't looked at */
#define TUCKER_CHANNELS 16   /* fewer input channels leave a third convolution nothing to save */

/* First ranks that Tucker's form is looked at, as shares of the input channels. */
static const double tucker_shares[] = {0.03, 0.04, 0.055, 0.075, 0.1,  0.13, 0.17, 0.21,
                                       0.26, 0.32, 0.39,  0.47,  0.56, 0.66, 0.78};

/* Ranks at which the form still saves parameters. */
static int64_t useful_rank(const rg_site *site, int64_t taps) {
  int64_t inner = site->inputs / taps, wide = site->outputs * taps;
  int64_t rank = inner * wide / (inner + wide), most = inner < wide ? inner : wide;
  if (rank > most) rank = most;
  return rank * taps > MAX_UNKNOWNS ? MAX_UNKNOWNS / taps : rank;
}

/* Covariance of one piece of a row, averaged over the pieces: c [inner][inner]. */
void rg_unfolding_average(const rg_unfolding *u, double *c) {
  int64_t m = u->site->inputs, inner = u->inner;
  memset(c, 0, (size_t)(inner * inner) * sizeof *c);
  for (int64_t t = 0; t < u->taps; t++)
    for (int64_t i = 0; i < inner; i++) {
      const double *from = u->covariance + (t * inner + i) * m + t * inner;
      for (int64_t j = 0; j < inner; j++) c[i * inner + j] += from[j] / (double)u->taps;
    }
}

/* V [rank][inner]: with C = R R' the averaged covariance, R lower triangular, and G the weight's Gram matrix over
 * outputs and taps, the eigenvectors U (rows) of R' G R give V = U R^-1. */
rango_status rg_unfolding_directions(const rg_unfolding *u, double *v) {
  int64_t n = u->inner;
  double *root = NULL, *g = NULL, *values = NULL, *turned = NULL, trace = 0;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *root, RG_OUT(&root)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *g, RG_OUT(&g)));
  RG_TRY_DONE(rg_alloc((size_t)(n * u->rank) * sizeof *turned, RG_OUT(&turned)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *values, RG_OUT(&values)));
  rg_unfolding_average(u, root);
  for (int64_t i = 0; i < n; i++) trace += root[i * n + i];
  for (int64_t i = 0; i < n; i++) root[i * n + i] += VARIANCE_FLOOR * (trace > 0 ? trace / (double)n : 1);
  RG_TRY_DONE(rg_cholesky(root, n));
  rg_matmul(true, false, n, n, u->site->outputs * u->taps, 1.0, u->weight, u->weight, 0.0, g);
  rg_lower_multiply_transposed(root, n, g, n);
  rg_lower_multiply_right(root, n, g, n);
  RG_TRY_DONE(rg_eigen_symmetric(g, n, values));
  for (int64_t i = 0; i < u->rank; i++)
    for (int64_t j = 0; j < n; j++) turned[j * u->rank + i] = g[i * n + j];
  rg_lower_solve_transposed(root, n, turned, u->rank);
  for (int64_t i = 0; i < u->rank; i++)
    for (int64_t j = 0; j < n; j++) v[i * n + j] = turned[j * u->rank + i];
done:
  rg_free(root);
  rg_free(g);
  rg_free(values);
  rg_free(turned);
  return status;
}

/* Row-major blocks in larger matrices. */
typedef struct block {
  double *at;
  int64_t stride;
} block;

static void scatter(const double *from, int64_t rows, int64_t columns, block to, int64_t column_step) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) to.at[i * to.stride + j * column_step] = from[i * columns + j];
}

/* Covariance of z, rank-major so that leading blocks belong to leading ranks: gram [(rank, tap)][(rank, tap)], the
 * lower triangle; and of z with L' y: cross [(rank, tap)][outputs]. */
static rango_status projected_moments(const rg_unfolding *u, const double *v, double *gram, double *cross) {
  int64_t m = u->site->inputs, n = u->site->outputs, taps = u->taps, inner = u->inner, rank = u->rank;
  double *vc = NULL, *strip = NULL, *product = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(rank * m) * sizeof *vc, RG_OUT(&vc)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * inner) * sizeof *strip, RG_OUT(&strip)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * (rank > n ? rank : n)) * sizeof *product, RG_OUT(&product)));
  for (int64_t t = 0; t < taps; t++) {
    rg_matmul(false, false, rank, n, inner, 1.0, v, u->cross + t * inner * n, 0.0, product);
    scatter(product, rank, n, (block){cross + t * n, taps * n}, 1);
    rg_matmul(false, false, rank, m, inner, 1.0, v, u->covariance + t * inner * m, 0.0, vc);
    for (int64_t t2 = 0; t2 < taps; t2++) {
      for (int64_t r = 0; r < rank; r++)
        memcpy(strip + r * inner, vc + r * m + t2 * inner, (size_t)inner * sizeof *strip);
      rg_matmul(false, true, rank, rank, inner, 1.0, strip, v, 0.0, product);
      scatter(product, rank, rank, (block){gram + t * rank * taps + t2, taps * rank * taps}, taps);
    }
  }
done:
  rg_free(vc);
  rg_free(strip);
  rg_free(product);
  return status;
}

/* The Cholesky factor of z's covariance, `gram`, and F [(rank, tap)][outputs]: row i is what unknown i explains of L' y
 * beyond those before it. */
rango_status rg_unfolding_explain(const rg_unfolding *u, const double *v, double *gram, double *f) {
  int64_t size = u->rank * u->taps;
  double trace = 0;
  RG_TRY(projected_moments(u, v, gram, f));
  for (int64_t i = 0; i < size; i++) trace += gram[i * size + i];
  for (int64_t i = 0; i < size; i++) gram[i * size + i] += RIDGE * (trace > 0 ? trace / (double)size : 1);
  RG_TRY(rg_cholesky(gram, size));
  rg_lower_solve(gram, size, f, u->site->outputs);
  return RANGO_OK;
}

static rango_status explained(const rg_unfolding *u, const double *v, double *f) {
  int64_t size = u->rank * u->taps;
  double *gram = NULL;
  RG_TRY(rg_alloc((size_t)(size * size) * sizeof *gram, RG_OUT(&gram)));
  rango_status status = rg_unfolding_explain(u, v, gram, f);
  rg_free(gram);
  return status;
}

static rango_status fill_tail(const rg_unfolding *u, const double *f, rg_basis *basis) {
  int64_t step = u->taps * u->site->outputs;
  double left = u->total;
  RG_TRY(rg_alloc((size_t)(u->rank + 1) * sizeof(double), RG_OUT(&basis->tail)));
  basis->tail[0] = u->total;
  for (int64_t r = 0; r < u->rank; r++) {
    for (int64_t i = r * step; i < (r + 1) * step; i++) left -= f[i] * f[i];
    basis->tail[r + 1] = left > 0 ? left : 0;
  }
  return RANGO_OK;
}

/* Errors of Tucker's form for first ranks of the grid and every second rank. */
static rango_status fill_grid(const rg_unfolding *u, const double *f, rg_basis *tucker) {
  int64_t n = u->site->outputs, last = 0;
  int shares = (int)(sizeof tucker_shares / sizeof *tucker_shares);
  double *sum = NULL, *vectors = NULL, *values = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)(n * n), sizeof *sum, RG_OUT(&sum)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *vectors, RG_OUT(&vectors)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_alloc((size_t)shares * sizeof(int64_t), RG_OUT(&tucker->grid)));
  RG_TRY_DONE(rg_alloc((size_t)(shares * (n + 1)) * sizeof(double), RG_OUT(&tucker->grid_tails)));
  for (int i = 0; i < shares; i++) {
    int64_t rank = (int64_t)(tucker_shares[i] * (double)u->inner + 0.5);
    if (rank <= last || rank < 2 || rank > u->rank) continue;
    rg_gram((rank - last) * u->taps, n, 1.0, f + last * u->taps * n, 1.0, sum);
    last = rank;
    memcpy(vectors, sum, (size_t)(n * n) * sizeof *sum);
    RG_TRY_DONE(rg_eigen_symmetric(vectors, n, values));
    double *tail = tucker->grid_tails + tucker->grid_count * (n + 1);
    tail[0] = u->total;
    for (int64_t j = 0; j < n; j++) tail[j + 1] = tail[j] > values[j] ? tail[j] - (values[j] > 0 ? values[j] : 0) : 0;
    tucker->grid[tucker->grid_count++] = rank;
  }
  tucker->max_rank = last;
  tucker->taps = u->taps;
  tucker->inner = u->inner;
done:
  rg_free(sum);
  rg_free(vectors);
  rg_free(values);
  return status;
}

static rango_status make_basis(rg_unfolding *u, rg_basis *basis, rg_basis *tucker) {
  double *v = NULL, *f = NULL;
  rango_status status;
  *basis = (rg_basis){.taps = u->taps, .inner = u->inner};
  RG_TRY_DONE(rg_alloc((size_t)(u->rank * u->inner) * sizeof *v, RG_OUT(&v)));
  RG_TRY_DONE(rg_alloc((size_t)(u->rank * u->taps * u->site->outputs) * sizeof *f, RG_OUT(&f)));
  RG_TRY_DONE(rg_unfolding_directions(u, v));
  RG_TRY_DONE(explained(u, v, f));
  RG_TRY_DONE(fill_tail(u, f, basis));
  if (tucker && u->inner >= TUCKER_CHANNELS) RG_TRY_DONE(fill_grid(u, f, tucker));
  RG_TRY_DONE(rg_to_float(v, u->rank * u->inner, &basis->first));
  basis->max_rank = u->rank;
done:
  rg_free(v);
  rg_free(f);
  return status;
}

/* L' W and C W' L of a weight [outputs][inputs] (replaced by the former) and a covariance. */
void rg_unfolding_set(rg_unfolding *u, const double *covariance, const double *metric, double *weight, double *cross) {
  int64_t m = u->site->inputs, n = u->site->outputs;
  rg_metric_apply(metric, n, m, weight);
  rg_matmul(false, true, m, n, m, 1.0, covariance, weight, 0.0, cross);
  u->covariance = covariance;
  u->weight = weight;
  u->cross = cross;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < m; j++) u->total += weight[i * m + j] * cross[j * n + i];
}

rango_status rg_basis_convolution(const rg_site *site, const rg_statistics *statistics, rg_basis *spatial,
                                  rg_basis *pointwise, rg_basis *tucker) {
  int64_t m = site->inputs, n = site->outputs;
  double *weight = NULL, *cross = NULL;
  rango_status status;
  *spatial = *pointwise = *tucker = (rg_basis){0};
  if (site->kind != RG_SITE_CONV || site->kernel_h * site->kernel_w < 2 || !statistics->input_covariance)
    return RANGO_OK;
  RG_TRY_DONE(rg_alloc((size_t)(n * m) * sizeof *weight, RG_OUT(&weight)));
  RG_TRY_DONE(rg_alloc((size_t)(m * n) * sizeof *cross, RG_OUT(&cross)));
  for (int64_t i = 0; i < n * m; i++) weight[i] = site->matrix[i];
  rg_unfolding u = {.site = site};
  rg_unfolding_set(&u, statistics->input_covariance, statistics->metric, weight, cross);
  rg_form forms[] = {RG_FORM_SPATIAL, RG_FORM_POINTWISE};
  for (int i = 0; i < 2; i++) {
    u.taps = rg_form_taps(site, forms[i]);
    u.inner = m / u.taps;
    u.rank = useful_rank(site, u.taps);
    if (u.rank < 1 || (i == 0 && (site->kernel_h < 2 || site->kernel_w < 2))) continue;
    RG_TRY_DONE(make_basis(&u, i ? pointwise : spatial, i ? tucker : NULL));
  }
done:
  rg_free(weight);
  rg_free(cross);
  if (status == RANGO_OK) return RANGO_OK;
  rg_basis_free(spatial);
  rg_basis_free(pointwise);
  rg_basis_free(tucker);
  return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
}
