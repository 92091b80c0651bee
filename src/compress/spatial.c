/*
 * The spatial form of a kh x kw convolution: kh x 1 to `rank` channels, then 1 x kw (Jaderberg, Vedaldi, Zisserman
 * 2014), fitted to data.
 *
 * The first factor V [rank][channels * kh] comes from the singular value decomposition of the weight, unfolded to
 * [outputs * kw][channels * kh], weighted by the inputs' covariance averaged over the kernel's columns. The second
 * factor is then an ordinary least-squares problem in z = V x (each column of the kernel through V), [outputs][rank *
 * kw]; its error for every rank at once comes from one Cholesky factor, since the leading block of a factor is the
 * factor of the leading block.
 */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define EIGENVALUE_FLOOR 1e-7 /* of the largest eigenvalue of the averaged covariance */
#define RIDGE            1e-7 /* of the mean diagonal of the covariance of z */
#define MAX_UNKNOWNS     4096 /* rank * kw: beyond, the spatial form isn't looked at */

/* Ranks at which the form still saves parameters. */
static int64_t useful_rank(const rg_site *site) {
  int64_t column = site->channels * site->kernel_h;
  int64_t rank = column * site->kernel_w * site->outputs / (column + site->outputs * site->kernel_w);
  int64_t most = column < site->outputs * site->kernel_w ? column : site->outputs * site->kernel_w;
  if (rank > most) rank = most;
  return rank * site->kernel_w > MAX_UNKNOWNS ? MAX_UNKNOWNS / site->kernel_w : rank;
}

/* Covariance of one kernel column's inputs, averaged over the columns: c [column][column]. */
static void average_columns(const rg_site *site, const double *covariance, double *c) {
  int64_t m = site->inputs, column = site->channels * site->kernel_h;
  for (int64_t i = 0; i < column; i++)
    for (int64_t j = 0; j < column; j++) {
      double sum = 0;
      for (int64_t x = 0; x < site->kernel_w; x++) sum += covariance[(x * column + i) * m + x * column + j];
      c[i * column + j] = sum / (double)site->kernel_w;
    }
}

/* The weight's Gram matrix over outputs and kernel columns: g [column][column]. matrix is [outputs][kw][column]
 * already. */
static rango_status unfolded_gram(const rg_site *site, double *g) {
  int64_t rows = site->outputs * site->kernel_w, column = site->channels * site->kernel_h;
  double *weight = NULL;
  RG_TRY(rg_alloc((size_t)(rows * column) * sizeof *weight, RG_OUT(&weight)));
  for (int64_t i = 0; i < rows * column; i++) weight[i] = site->matrix[i];
  rg_matmul(true, false, column, column, rows, 1.0, weight, weight, 0.0, g);
  rg_free(weight);
  return RANGO_OK;
}

static void scale_rows(double *q, const double *values, int64_t n, double power) {
  for (int64_t i = 0; i < n; i++) {
    double scale = pow(values[i] > EIGENVALUE_FLOOR * values[0] ? values[i] : EIGENVALUE_FLOOR * values[0], power);
    for (int64_t j = 0; j < n; j++) q[i * n + j] *= scale;
  }
}

/* V [rank][column]: with C = Q S Q' and s = S^1/2 Q' (rows), the eigenvectors U of s G s' give V = U' S^-1/2 Q'. */
static rango_status leading_columns(const rg_site *site, const double *covariance, int64_t rank, double *v) {
  int64_t n = site->channels * site->kernel_h;
  double *q = NULL, *g = NULL, *t = NULL, *u = NULL, *values = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *q, RG_OUT(&q)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *g, RG_OUT(&g)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *t, RG_OUT(&t)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *u, RG_OUT(&u)));
  RG_TRY_DONE(rg_alloc((size_t)(2 * n) * sizeof *values, RG_OUT(&values)));
  average_columns(site, covariance, q);
  RG_TRY_DONE(unfolded_gram(site, g));
  RG_TRY_DONE(rg_eigen_symmetric(q, n, values));
  if (!(values[0] > 0)) values[0] = 1; /* a constant input: any directions do */
  scale_rows(q, values, n, 0.5);
  rg_matmul(false, false, n, n, n, 1.0, q, g, 0.0, t);
  rg_matmul(false, true, n, n, n, 1.0, t, q, 0.0, u);
  RG_TRY_DONE(rg_eigen_symmetric(u, n, values + n));
  scale_rows(q, values, n, -1.0);
  rg_matmul(false, false, rank, n, n, 1.0, u, q, 0.0, v);
done:
  rg_free(q);
  rg_free(g);
  rg_free(t);
  rg_free(u);
  rg_free(values);
  return status;
}

/* Covariance of z, rank-major so that leading blocks belong to leading ranks: gram [(r, x)][(r', x')]; and of z with
 * the outputs: cross [(r, x)][outputs]. */
static rango_status projected_moments(const rg_site *site, const double *covariance, const double *v, int64_t rank,
                                      double *gram, double *cross) {
  int64_t m = site->inputs, n = site->outputs, kw = site->kernel_w, column = site->channels * site->kernel_h,
          size = rank * kw;
  double *vc = NULL, *strip = NULL, *block = NULL, *weight = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(rank * m) * sizeof *vc, RG_OUT(&vc)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * column) * sizeof *strip, RG_OUT(&strip)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * (rank > n ? rank : n)) * sizeof *block, RG_OUT(&block)));
  RG_TRY_DONE(rg_alloc((size_t)(n * m) * sizeof *weight, RG_OUT(&weight)));
  for (int64_t i = 0; i < n * m; i++) weight[i] = site->matrix[i];
  for (int64_t x = 0; x < kw; x++) {
    rg_matmul(false, false, rank, m, column, 1.0, v, covariance + x * column * m, 0.0, vc);
    rg_matmul(false, true, rank, n, m, 1.0, vc, weight, 0.0, block);
    for (int64_t r = 0; r < rank; r++) memcpy(cross + (r * kw + x) * n, block + r * n, (size_t)n * sizeof *cross);
    for (int64_t x2 = 0; x2 < kw; x2++) {
      for (int64_t r = 0; r < rank; r++)
        memcpy(strip + r * column, vc + r * m + x2 * column, (size_t)column * sizeof *strip);
      rg_matmul(false, true, rank, rank, column, 1.0, strip, v, 0.0, block);
      for (int64_t r = 0; r < rank; r++)
        for (int64_t r2 = 0; r2 < rank; r2++) gram[(r * kw + x) * size + r2 * kw + x2] = block[r * rank + r2];
    }
  }
done:
  rg_free(vc);
  rg_free(strip);
  rg_free(block);
  rg_free(weight);
  return status;
}

/* Variance of the outputs by the inputs' covariance: trace(W C W'). */
static rango_status output_variance(const rg_site *site, const double *covariance, double *out) {
  int64_t m = site->inputs, n = site->outputs;
  double *weight = NULL, *product = NULL;
  rango_status status;
  *out = 0;
  RG_TRY_DONE(rg_alloc((size_t)(n * m) * sizeof *weight, RG_OUT(&weight)));
  RG_TRY_DONE(rg_alloc((size_t)(n * m) * sizeof *product, RG_OUT(&product)));
  for (int64_t i = 0; i < n * m; i++) weight[i] = site->matrix[i];
  rg_matmul(false, false, n, m, m, 1.0, weight, covariance, 0.0, product);
  for (int64_t i = 0; i < n * m; i++) *out += weight[i] * product[i];
done:
  rg_free(weight);
  rg_free(product);
  return status;
}

static rango_status fill_tail(const rg_site *site, const double *covariance, const double *v, int64_t rank,
                              double *tail) {
  int64_t n = site->outputs, size = rank * site->kernel_w;
  double *gram = NULL, *cross = NULL, total;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(size * size) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)(size * n) * sizeof *cross, RG_OUT(&cross)));
  RG_TRY_DONE(projected_moments(site, covariance, v, rank, gram, cross));
  RG_TRY_DONE(output_variance(site, covariance, &total));
  double trace = 0;
  for (int64_t i = 0; i < size; i++) trace += gram[i * size + i];
  for (int64_t i = 0; i < size; i++) gram[i * size + i] += RIDGE * (trace > 0 ? trace / (double)size : 1);
  RG_TRY_DONE(rg_cholesky(gram, size));
  rg_lower_solve(gram, size, cross, n);
  double left = total;
  tail[0] = total > 0 ? 1 : 0;
  for (int64_t r = 0; r < rank; r++) {
    /* The squares of L^-1 cross are what each unknown explains beyond those before it. */
    for (int64_t i = r * site->kernel_w * n; i < (r + 1) * site->kernel_w * n; i++) left -= cross[i] * cross[i];
    tail[r + 1] = total > 0 && left > 0 ? left / total : 0;
  }
done:
  rg_free(gram);
  rg_free(cross);
  return status;
}

rango_status rg_basis_spatial(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  *basis = (rg_basis){.inner = site->channels * site->kernel_h};
  if (site->kind != RG_SITE_CONV || site->kernel_h < 2 || site->kernel_w < 2 || !statistics->input_covariance)
    return RANGO_OK;
  int64_t rank = useful_rank(site);
  if (rank < 1) return RANGO_OK;
  double *v = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(rank * basis->inner) * sizeof *v, RG_OUT(&v)));
  RG_TRY_DONE(leading_columns(site, statistics->input_covariance, rank, v));
  RG_TRY_DONE(rg_alloc((size_t)(rank + 1) * sizeof(double), RG_OUT(&basis->tail)));
  RG_TRY_DONE(fill_tail(site, statistics->input_covariance, v, rank, basis->tail));
  RG_TRY_DONE(rg_alloc((size_t)(rank * basis->inner) * sizeof(float), RG_OUT(&basis->first)));
  for (int64_t i = 0; i < rank * basis->inner; i++) basis->first[i] = (float)v[i];
  basis->max_rank = rank;
done:
  rg_free(v);
  if (status == RANGO_OK) return RANGO_OK;
  rg_basis_free(basis);
  return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
}
