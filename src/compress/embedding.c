/*
 * Embedding tables: the rows of a table [inputs][outputs] that Gather reads are a layer whose input is one-hot, so that
 * a pair is a narrower table and a matrix behind it. What the layer makes of its input is known beforehand: its
 * outputs' covariance is that of the table's rows, each counted as often as calibration reads it (and a little more,
 * for those that it doesn't). With L of the metric and V the leading eigenvectors (rows) of L' C L, the table becomes
 * (E - mean) L V', the matrix V L^-1, and the mean is added behind: the pair form of basis.c, without its inputs.
 */
#include "compress/compress.h"

#include <math.h>

#define SMOOTHING  0.3   /* times that each row counts as read, beyond those it is */
#define NEGLIGIBLE 1e-10 /* of the largest squared derivative: what was read there doesn't matter */
#define BLOCK_ROWS 512

rango_status rg_embedding_begin(const rg_site *site, rg_moments *moments) {
  RG_TRY(rg_moments_create(moments, site->inputs, false));
  for (int64_t i = 0; i < site->inputs; i++) moments->sum[i] = SMOOTHING;
  return RANGO_OK;
}

rango_status rg_embedding_indices(const rg_site *site, const rango_tensor *indices, int64_t *count) {
  RG_FAIL_IF(indices->type != RANGO_INT64 && indices->type != RANGO_INT32, RANGO_ERROR_INTERNAL,
             "node '%s' (%s): unexpected input type", site->name, site->op);
  return rg_shape_count(&indices->shape, count);
}

/* Negative ones count from the end. */
static rango_status index_at(const rg_site *site, const rango_tensor *indices, int64_t i, int64_t *out) {
  bool narrow = indices->type == RANGO_INT32;
  int64_t index = narrow ? ((const int32_t *)indices->data)[i] : ((const int64_t *)indices->data)[i];
  *out = index < 0 ? index + site->inputs : index;
  RG_FAIL_IF(*out < 0 || *out >= site->inputs, RANGO_ERROR_ARGUMENT,
             "node '%s' (%s): the calibration data reads row %lld of a table of %lld", site->name, site->op,
             (long long)index, (long long)site->inputs);
  return RANGO_OK;
}

rango_status rg_embedding_add(const rg_site *site, const rango_tensor *indices, rg_moments *moments) {
  int64_t count, row;
  RG_TRY(rg_embedding_indices(site, indices, &count));
  for (int64_t i = 0; i < count; i++) {
    RG_TRY(index_at(site, indices, i, &row));
    moments->sum[row]++;
  }
  moments->count += count;
  return RANGO_OK;
}

void rg_embedding_finish(const rg_site *site, rg_statistics *statistics) {
  double total = 0;
  for (int64_t i = 0; i < site->inputs; i++) total += statistics->input_mean[i];
  for (int64_t i = 0; i < site->inputs; i++) statistics->input_mean[i] /= total;
}

rango_status rg_embedding_add_gradient(const rg_site *site, const rango_tensor *indices, const rango_tensor *gradient,
                                       int64_t *balance) {
  int64_t count, row, n = site->outputs;
  const float *g = gradient->data;
  double largest = 0, *squares = NULL;
  RG_TRY(rg_embedding_indices(site, indices, &count));
  RG_TRY(rg_calloc((size_t)count, sizeof *squares, RG_OUT(&squares)));
  rango_status status = RANGO_OK;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < n; j++) squares[i] += (double)g[i * n + j] * g[i * n + j];
    largest = fmax(largest, squares[i]);
  }
  for (int64_t i = 0; i < count && status == RANGO_OK; i++) {
    status = index_at(site, indices, i, &row);
    if (status == RANGO_OK) balance[row] += squares[i] > NEGLIGIBLE * largest ? 1 : -1;
  }
  rg_free(squares);
  return status;
}

void rg_embedding_leave_out(const rg_site *site, const int64_t *balance, rg_statistics *statistics) {
  for (int64_t i = 0; i < site->inputs; i++)
    if (balance[i] < 0) statistics->input_mean[i] = 0;
}

/* Mean of the table's rows, weighted; all rows alike where none is read. */
static double mean_row(const rg_site *site, const double *weights, double *mean) {
  const float *table = site->weight->data;
  int64_t n = site->outputs;
  double total = 0;
  for (int64_t i = 0; i < site->inputs; i++) total += weights[i];
  for (int64_t j = 0; j < n; j++) mean[j] = 0;
  for (int64_t i = 0; i < site->inputs && total > 0; i++)
    for (int64_t j = 0; j < n; j++) mean[j] += weights[i] / total * table[i * n + j];
  return total;
}

/* Rows [begin, begin + count) of the table, centred. */
static void centred(const rg_site *site, const double *mean, int64_t begin, int64_t count, double *rows) {
  int64_t n = site->outputs;
  const float *from = (const float *)site->weight->data + begin * n;
  for (int64_t i = 0; i < count * n; i++) rows[i] = from[i] - mean[i % n];
}

static int64_t block_rows(const rg_site *site, int64_t begin) {
  return site->inputs - begin < BLOCK_ROWS ? site->inputs - begin : BLOCK_ROWS;
}

/* c [outputs][outputs], both triangles. */
static void weighted_covariance(const rg_site *site, const double *weights, double total, const double *mean,
                                double *rows, double *c) {
  int64_t n = site->outputs;
  for (int64_t begin = 0; begin < site->inputs; begin += BLOCK_ROWS) {
    int64_t count = block_rows(site, begin);
    centred(site, mean, begin, count, rows);
    for (int64_t i = 0; i < count * n; i++) rows[i] *= sqrt(weights[begin + i / n] / (total > 0 ? total : 1));
    rg_gram(count, n, 1.0, rows, 1.0, c);
  }
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) c[i * n + j] = c[j * n + i];
}

/* first [rank][inputs]: the rows' coordinates, P (e - mean) with P = V L' [n][n]. */
static rango_status fill_first(const rg_site *site, const double *mean, const double *p, double *rows,
                               rg_basis *basis) {
  int64_t n = site->outputs, m = site->inputs;
  double *codes = NULL;
  RG_TRY(rg_alloc((size_t)(n * m) * sizeof(float), RG_OUT(&basis->first)));
  RG_TRY(rg_alloc((size_t)(BLOCK_ROWS * n) * sizeof *codes, RG_OUT(&codes)));
  for (int64_t begin = 0; begin < m; begin += BLOCK_ROWS) {
    int64_t count = block_rows(site, begin);
    centred(site, mean, begin, count, rows);
    rg_matmul(false, true, n, count, n, 1.0, p, rows, 0.0, codes);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < count; j++) basis->first[i * m + begin + j] = (float)codes[i * count + j];
  }
  rg_free(codes);
  return RANGO_OK;
}

rango_status rg_basis_embedding(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  int64_t n = site->outputs;
  const double *metric = statistics->metric;
  double *mean = NULL, *values = NULL, *rows = NULL, *vectors = NULL, *p = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *mean, RG_OUT(&mean)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * n) * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_calloc((size_t)(n * n), sizeof *vectors, RG_OUT(&vectors)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *p, RG_OUT(&p)));
  double total = mean_row(site, statistics->input_mean, mean);
  weighted_covariance(site, statistics->input_mean, total, mean, rows, vectors);
  rg_metric_apply(metric, n, n, vectors);
  rg_metric_apply_right(metric, n, n, vectors);
  RG_TRY_DONE(rg_eigen_symmetric(vectors, n, values));
  if (metric)
    rg_matmul(false, true, n, n, n, 1.0, vectors, metric, 0.0, p);
  else
    for (int64_t i = 0; i < n * n; i++) p[i] = vectors[i];
  basis->max_rank = n;
  RG_TRY_DONE(fill_first(site, mean, p, rows, basis));
  RG_TRY_DONE(rg_basis_second(statistics, n, n, vectors, basis));
  RG_TRY_DONE(rg_basis_tail(values, n, basis));
done:
  rg_free(mean);
  rg_free(values);
  rg_free(rows);
  rg_free(vectors);
  rg_free(p);
  return status;
}

/* ||E - first' second' - mean|| of the rows as often as they are read, to ||E - mean||. */
static rango_status relative_error(const rg_site *site, const double *weights, const double *mean, rg_factors *out) {
  int64_t n = site->outputs, m = site->inputs, rank = out->rank;
  double error = 0, size = 0;
  float *made = NULL;
  const float *table = site->weight->data;
  RG_TRY(rg_alloc((size_t)(m * n) * sizeof *made, RG_OUT(&made)));
  rg_matmul_float(true, true, m, n, rank, out->first, out->second, made);
  for (int64_t i = 0; i < m * n; i++) {
    double truth = table[i] - mean[i % n], difference = truth - made[i];
    error += weights[i / n] * difference * difference;
    size += weights[i / n] * truth * truth;
  }
  out->error = size > 0 ? sqrt(error / size) : 0;
  rg_free(made);
  return RANGO_OK;
}

rango_status rg_embedding_fit(const rg_site *site, const rg_statistics *statistics, const rg_basis *basis, int64_t rank,
                              rg_factors *out) {
  int64_t n = site->outputs, m = site->inputs;
  double *mean = NULL;
  rango_status status;
  *out = (rg_factors){.form = RG_FORM_PAIR, .rank = rank};
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *mean, RG_OUT(&mean)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * m) * sizeof(float), RG_OUT(&out->first)));
  RG_TRY_DONE(rg_alloc((size_t)(n * rank) * sizeof(float), RG_OUT(&out->second)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof(float), RG_OUT(&out->offset)));
  mean_row(site, statistics->input_mean, mean);
  for (int64_t i = 0; i < rank * m; i++) out->first[i] = basis->first[i];
  for (int64_t j = 0; j < n; j++) {
    out->offset[j] = (float)mean[j];
    for (int64_t i = 0; i < rank; i++) out->second[j * rank + i] = basis->second[i * n + j];
  }
  RG_TRY_DONE(relative_error(site, statistics->input_mean, mean, out));
done:
  rg_free(mean);
  if (status != RANGO_OK) rg_factors_free(out);
  return status;
}
