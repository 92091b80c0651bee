/*
 * The pair form: W x = B (A x), A [rank][inputs], B [outputs][rank], with the least squared error in the metric L L'.
 *
 * Where outputs <= inputs, the leading eigenvectors V (rows) of L' C L with C the outputs' covariance (Zhang, Zou, He,
 * Sun 2016, there with L = I): A = V L' W and B = L'^-1 V'. Otherwise whitening of the inputs (Chen et al., DRONE,
 * 2021): with C = Q S Q' the inputs' covariance and U D P' the singular value decomposition of L' W Q S^1/2, A = P_r'
 * S^-1/2 Q' and B = L'^-1 U_r D_r. Both have the least error for their rank, the sum of the eigenvalues left out, so
 * one decomposition serves every rank.
 */
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "compress/compress.h"

#define EIGENVALUE_FLOOR 1e-10      /* of the largest: below, a direction of the inputs holds rounding alone */
#define BLOCK_BYTES      (64 << 20) /* of a wide weight in double precision at a time */

void rg_basis_free(rg_basis *basis) {
  if (!basis->scratch) rg_free(basis->first);
  rg_buffer_release(basis->scratch);
  rg_free(basis->second);
  rg_free(basis->parts);
  rg_free(basis->tail);
  rg_free(basis->grid);
  rg_free(basis->grid_tails);
  *basis = (rg_basis){0};
}

void rg_basis_forget_pages(const rg_basis *basis) {
  if (basis->scratch)
    rg_buffer_forget_pages(basis->scratch, rg_buffer_data(basis->scratch), rg_buffer_bytes(basis->scratch));
}

/* basis->first of so many numbers; a large one in a file's pages, if there is room. */
static rango_status reserve_first(int64_t count, rg_basis *basis) {
  size_t bytes = (size_t)count * sizeof(float);
  if (count < RG_WEIGHT_LARGE / (int64_t)sizeof(float) || rg_buffer_create_scratch(bytes, &basis->scratch) != RANGO_OK)
    return rg_alloc(bytes, RG_OUT(&basis->first));
  basis->first = rg_buffer_data(basis->scratch);
  return RANGO_OK;
}

/* A layer whose output never changes needs no rank: all 0. */
rango_status rg_basis_tail(const double *values, int64_t count, rg_basis *basis) {
  RG_TRY(rg_alloc((size_t)(count + 1) * sizeof(double), RG_OUT(&basis->tail)));
  basis->tail[count] = 0;
  for (int64_t i = count - 1; i >= 0; i--) basis->tail[i] = basis->tail[i + 1] + (values[i] > 0 ? values[i] : 0);
  return RANGO_OK;
}

rango_status rg_output_covariance(const rg_site *site, const rg_statistics *statistics, double *covariance) {
  rg_moments moments;
  RG_TRY(rg_moments_create(&moments, site->outputs, true));
  rango_status status = rg_moments_add(&moments, statistics->outputs, statistics->rows);
  if (status == RANGO_OK) status = rg_moments_finish(&moments, NULL, covariance);
  rg_moments_free(&moments);
  return status;
}

rango_status rg_basis_second(const rg_statistics *statistics, int64_t rank, int64_t n, const double *b,
                             rg_basis *basis) {
  double *turned = NULL;
  RG_TRY(rg_alloc((size_t)(n * rank) * sizeof *turned, RG_OUT(&turned)));
  for (int64_t i = 0; i < rank; i++)
    for (int64_t j = 0; j < n; j++) turned[j * rank + i] = b[i * n + j];
  rg_metric_undo(statistics->metric, n, rank, turned);
  rango_status status = rg_alloc((size_t)(n * rank) * sizeof(float), RG_OUT(&basis->second));
  for (int64_t i = 0; i < rank && status == RANGO_OK; i++)
    for (int64_t j = 0; j < n; j++) basis->second[i * n + j] = (float)turned[j * rank + i];
  rg_free(turned);
  return status;
}

/* basis->first = vectors L' W, some columns of W at a time. */
static rango_status project_weight(const rg_site *site, const double *metric, const double *vectors, rg_basis *basis) {
  int64_t m = site->inputs, n = site->outputs, block = BLOCK_BYTES / (int64_t)sizeof(double) / n;
  double *columns = NULL, *product = NULL;
  rango_status status;
  if (block < 1) block = 1;
  if (block > m) block = m;
  RG_TRY_DONE(reserve_first(n * m, basis));
  RG_TRY_DONE(rg_alloc((size_t)(n * block) * sizeof *columns, RG_OUT(&columns)));
  RG_TRY_DONE(rg_alloc((size_t)(n * block) * sizeof *product, RG_OUT(&product)));
  for (int64_t begin = 0; begin < m; begin += block) {
    int64_t count = m - begin < block ? m - begin : block;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < count; j++) columns[i * count + j] = site->matrix[i * m + begin + j];
    rg_site_forget_pages(site);
    rg_metric_apply(metric, n, count, columns);
    rg_matmul(false, false, n, count, n, 1.0, vectors, columns, 0.0, product);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < count; j++) basis->first[i * m + begin + j] = (float)product[i * count + j];
    rg_basis_forget_pages(basis);
  }
done:
  rg_free(columns);
  rg_free(product);
  return status;
}

static rango_status basis_of_outputs(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  int64_t n = site->outputs;
  double *vectors = NULL, *values = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *vectors, RG_OUT(&vectors)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_output_covariance(site, statistics, vectors));
  rg_metric_apply(statistics->metric, n, n, vectors);
  rg_metric_apply_right(statistics->metric, n, n, vectors);
  RG_TRY_DONE(rg_eigen_symmetric(vectors, n, values));
  basis->max_rank = n;
  RG_TRY_DONE(project_weight(site, statistics->metric, vectors, basis));
  RG_TRY_DONE(rg_basis_second(statistics, n, n, vectors, basis));
  RG_TRY_DONE(rg_basis_tail(values, n, basis));
done:
  rg_free(vectors);
  rg_free(values);
  return status;
}

/* Rows of q scaled: q[i] * values[i]^power, 0 for values at the floor. */
static void scale_rows(double *q, const double *values, int64_t n, double power) {
  for (int64_t i = 0; i < n; i++) {
    double scale = values[i] > EIGENVALUE_FLOOR * values[0] ? pow(values[i], power) : 0;
    for (int64_t j = 0; j < n; j++) q[i * n + j] *= scale;
  }
}

/* n > m. In row-vector notation: t = S^1/2 Q' W' L [m][n], t t' = U D^2 U'. A = U' S^-1/2 Q' [m][m], B' = U' t L^-1
 * [m][n]. */
static rango_status basis_of_inputs(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  int64_t m = site->inputs, n = site->outputs;
  double *q = NULL, *values = NULL, *matrix = NULL, *t = NULL, *u = NULL, *first = NULL, *second = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(m * m) * sizeof *q, RG_OUT(&q)));
  RG_TRY_DONE(rg_alloc((size_t)(m * m) * sizeof *u, RG_OUT(&u)));
  RG_TRY_DONE(rg_alloc((size_t)(m * m) * sizeof *first, RG_OUT(&first)));
  RG_TRY_DONE(rg_alloc((size_t)(m * n) * sizeof *t, RG_OUT(&t)));
  RG_TRY_DONE(rg_alloc((size_t)(m * n) * sizeof *second, RG_OUT(&second)));
  RG_TRY_DONE(rg_alloc((size_t)(2 * m) * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_to_double(site->matrix, n * m, &matrix));
  memcpy(q, statistics->input_covariance, (size_t)(m * m) * sizeof *q);
  RG_TRY_DONE(rg_eigen_symmetric(q, m, values));
  scale_rows(q, values, m, 0.5);
  rg_matmul(false, true, m, n, m, 1.0, q, matrix, 0.0, t);
  rg_metric_apply_right(statistics->metric, m, n, t);
  rg_matmul(false, true, m, m, n, 1.0, t, t, 0.0, u);
  RG_TRY_DONE(rg_eigen_symmetric(u, m, values + m));
  scale_rows(q, values, m, -1.0); /* now S^-1/2 Q' */
  rg_matmul(false, false, m, m, m, 1.0, u, q, 0.0, first);
  rg_matmul(false, false, m, n, m, 1.0, u, t, 0.0, second);
  basis->max_rank = m;
  RG_TRY_DONE(rg_to_float(first, m * m, &basis->first));
  RG_TRY_DONE(rg_basis_second(statistics, m, n, second, basis));
  RG_TRY_DONE(rg_basis_tail(values + m, m, basis));
done:
  rg_free(q);
  rg_free(u);
  rg_free(t);
  rg_free(values);
  rg_free(matrix);
  rg_free(first);
  rg_free(second);
  return status;
}

rango_status rg_basis_pair(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  *basis = (rg_basis){.taps = 1, .inner = site->inputs};
  rango_status status = RANGO_OK;
  if (site->kind == RG_SITE_EMBEDDING)
    status = rg_basis_embedding(site, statistics, basis);
  else if (site->groups > 1)
    status = rg_basis_grouped(site, statistics, basis);
  else if (site->outputs <= site->inputs)
    status = basis_of_outputs(site, statistics, basis);
  else if (statistics->input_covariance)
    status = basis_of_inputs(site, statistics, basis);
  if (status != RANGO_OK) rg_basis_free(basis);
  return status == RANGO_OK ? status : rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
}
