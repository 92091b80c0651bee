/*
 * Convolutions of several groups: the pair form, group by group. Each group's outputs depend on its own channels alone,
 * so each has its own pair, all of one rank r: a k x k convolution to groups * r channels, then a 1 x 1, both of as
 * many groups as the original.
 *
 * A site's matrix and its factors are as wide as without groups, zero outside of a group's block: row i * groups + g of
 * a first factor is direction i of group g, so the leading r * groups rows serve rank r. The basis of a group is that
 * of the pair form (basis.c) from the group's own blocks of the outputs' covariance and of the metric; its error leaves
 * out what errors of different groups do together.
 */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

typedef struct block {
  const rg_site *site;
  int64_t group, outputs, inputs; /* of one group */
  double *weight;                 /* [outputs][inputs], taps first */
  double *vectors, *product;      /* [outputs][outputs], [outputs][inputs] */
  double *values;                 /* [outputs] */
  double *metric;                 /* [outputs][outputs]; NULL: the identity */
} block;

/* Where column `i` of a group is in a row of all. */
static int64_t column_of(const rg_site *site, int64_t group, int64_t i) {
  int64_t channels = site->channels / site->groups;
  return i / channels * site->channels + group * channels + i % channels;
}

static void block_free(block *b) {
  rg_free(b->weight);
  rg_free(b->vectors);
  rg_free(b->product);
  rg_free(b->values);
  rg_free(b->metric);
}

static rango_status block_create(const rg_site *site, bool metric, block *b) {
  size_t n = (size_t)(site->outputs / site->groups), m = (size_t)(site->inputs / site->groups);
  *b = (block){.site = site, .outputs = (int64_t)n, .inputs = (int64_t)m};
  RG_TRY(rg_alloc(n * m * sizeof *b->weight, RG_OUT(&b->weight)));
  RG_TRY(rg_alloc(n * m * sizeof *b->product, RG_OUT(&b->product)));
  RG_TRY(rg_alloc(n * n * sizeof *b->vectors, RG_OUT(&b->vectors)));
  RG_TRY(rg_alloc(n * sizeof *b->values, RG_OUT(&b->values)));
  return metric ? rg_alloc(n * n * sizeof *b->metric, RG_OUT(&b->metric)) : RANGO_OK;
}

static void take_weight(block *b) {
  const float *rows = b->site->matrix + b->group * b->outputs * b->site->inputs;
  for (int64_t j = 0; j < b->outputs; j++)
    for (int64_t i = 0; i < b->inputs; i++)
      b->weight[j * b->inputs + i] = rows[j * b->site->inputs + column_of(b->site, b->group, i)];
}

/* Covariance of a group's sampled outputs; without statistics that of white inputs, W W'. */
static rango_status take_covariance(block *b, const rg_statistics *statistics) {
  int64_t n = b->outputs, total = b->site->outputs, from = b->group * n;
  float *rows = NULL;
  rg_moments moments;
  if (!statistics) {
    rg_matmul(false, true, n, n, b->inputs, 1.0, b->weight, b->weight, 0.0, b->vectors);
    return RANGO_OK;
  }
  RG_TRY(rg_moments_create(&moments, n, true));
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(statistics->rows * n) * sizeof *rows, RG_OUT(&rows)));
  for (int64_t i = 0; i < statistics->rows; i++)
    for (int64_t j = 0; j < n; j++) rows[i * n + j] = statistics->outputs[i * total + from + j];
  RG_TRY_DONE(rg_moments_add(&moments, rows, statistics->rows));
  RG_TRY_DONE(rg_moments_finish(&moments, NULL, b->vectors));
done:
  rg_moments_free(&moments);
  rg_free(rows);
  return status;
}

/* The factor of the group's block of L L': its rows of L. */
static rango_status take_metric(block *b, const double *metric) {
  int64_t n = b->outputs, total = b->site->outputs, from = b->group * n;
  if (!metric) return RANGO_OK;
  const double *rows = metric + from * total; /* zero right of the diagonal */
  rg_matmul(false, true, n, n, total, 1.0, rows, rows, 0.0, b->metric);
  return rg_cholesky(b->metric, n);
}

/* Its rows of both factors, and its part of the error: V L' W and L'^-1 V'. */
static rango_status add_block(block *b, const rg_statistics *statistics, double *values, rg_basis *basis) {
  int64_t n = b->outputs, m = b->inputs, groups = b->site->groups, total = b->site->outputs;
  take_weight(b);
  RG_TRY(take_covariance(b, statistics));
  RG_TRY(take_metric(b, statistics ? statistics->metric : NULL));
  rg_metric_apply(b->metric, n, n, b->vectors);
  rg_metric_apply_right(b->metric, n, n, b->vectors);
  RG_TRY(rg_eigen_symmetric(b->vectors, n, b->values));
  rg_metric_apply(b->metric, n, m, b->weight);
  rg_matmul(false, false, n, m, n, 1.0, b->vectors, b->weight, 0.0, b->product);
  for (int64_t r = 0; r < basis->max_rank; r++) {
    float *first = basis->first + (r * groups + b->group) * b->site->inputs;
    for (int64_t i = 0; i < m; i++) first[column_of(b->site, b->group, i)] = (float)b->product[r * m + i];
    values[r] += fmax(b->values[r], 0);
  }
  for (int64_t r = 0; r < basis->max_rank; r++) {
    float *second = basis->second + (r * groups + b->group) * total + b->group * n;
    rg_metric_undo(b->metric, n, 1, b->vectors + r * n);
    for (int64_t j = 0; j < n; j++) second[j] = (float)b->vectors[r * n + j];
  }
  return RANGO_OK;
}

rango_status rg_basis_grouped(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  block b = {0};
  double *values = NULL; /* each rank's, of all groups together */
  rango_status status;
  RG_TRY_DONE(block_create(site, statistics && statistics->metric, &b));
  int64_t most = b.inputs < b.outputs ? b.inputs : b.outputs, rows = most * site->groups;
  *basis = (rg_basis){.taps = 1, .inner = site->inputs, .max_rank = most};
  RG_TRY_DONE(rg_calloc((size_t)most, sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_calloc((size_t)(rows * site->inputs), sizeof(float), RG_OUT(&basis->first)));
  RG_TRY_DONE(rg_calloc((size_t)(rows * site->outputs), sizeof(float), RG_OUT(&basis->second)));
  for (; b.group < site->groups; b.group++) RG_TRY_DONE(add_block(&b, statistics, values, basis));
  RG_TRY_DONE(rg_basis_tail(values, most, basis));
done:
  block_free(&b);
  rg_free(values);
  return status;
}

/* ---- the fit ---- */

/* The blocks of one group, columns [one->columns] of them: from the regression of all groups (`back` false), or its
 * solution into theirs. */
static void copy_group(rg_regression *all, const int64_t *columns, int64_t group, bool back, rg_regression *one) {
  int64_t k = one->columns, n = one->outputs;
  for (int64_t i = 0; i < k; i++) {
    for (int64_t j = 0; j < n; j++) {
      double *b = &all->b[columns[i] * all->outputs + group * n + j];
      if (back)
        *b = one->b[i * n + j];
      else
        one->cross[i * n + j] = all->cross[columns[i] * all->outputs + group * n + j];
    }
    for (int64_t j = 0; j < k && !back; j++) one->gram[i * k + j] = all->gram[columns[i] * all->columns + columns[j]];
  }
}

static rango_status solve_group(rg_regression *r, const int64_t *columns, int64_t count, int64_t group, int64_t n,
                                const double *prior, double ridge) {
  rg_regression one = {0};
  double *before = NULL;
  rango_status status;
  RG_TRY_DONE(rg_regression_open(count, n, &one));
  RG_TRY_DONE(rg_alloc((size_t)(count * n) * sizeof *before, RG_OUT(&before)));
  for (int64_t i = 0; i < count * n; i++) before[i] = prior[columns[i / n] * r->outputs + group * n + i % n];
  copy_group(r, columns, group, false, &one);
  RG_TRY_DONE(rg_regression_solve(&one, before, ridge));
  copy_group(r, columns, group, true, &one);
done:
  rg_regression_free(&one);
  rg_free(before);
  return status;
}

rango_status rg_regression_solve_groups(rg_regression *r, int64_t groups, const int *group_of, const double *prior,
                                        double ridge) {
  int64_t *columns = NULL;
  RG_TRY(rg_alloc((size_t)r->columns * sizeof *columns, RG_OUT(&columns)));
  rango_status status = RANGO_OK;
  memset(r->b, 0, (size_t)(r->columns * r->outputs) * sizeof *r->b);
  for (int64_t group = 0; group < groups && status == RANGO_OK; group++) {
    int64_t count = 0;
    for (int64_t i = 0; i < r->columns; i++)
      if ((group_of ? group_of[i] : i % groups) == group) columns[count++] = i;
    status = solve_group(r, columns, count, group, r->outputs / groups, prior, ridge);
  }
  rg_free(columns);
  return status == RANGO_OK ? rg_regression_measure(r) : status;
}

/* ---- rewriting ---- */

rango_status rg_grouped_kernels(const rg_site *site, const rg_factors *factors, float **first, float **second) {
  int64_t groups = site->groups, rank = factors->rank, m = site->inputs / groups, each = site->outputs / groups;
  RG_TRY(rg_alloc((size_t)(rank * site->inputs) * sizeof(float), RG_OUT(first)));
  RG_TRY(rg_alloc((size_t)(rank * site->outputs) * sizeof(float), RG_OUT(second)));
  for (int64_t row = 0; row < groups * rank; row++) {
    int64_t group = row / rank;
    const float *from = factors->first + (row % rank * groups + group) * site->inputs;
    for (int64_t i = 0; i < m; i++) (*first)[row * m + i] = from[column_of(site, group, i)];
  }
  for (int64_t j = 0; j < site->outputs; j++)
    for (int64_t i = 0; i < rank; i++)
      (*second)[j * rank + i] = factors->second[j * rank * groups + i * groups + j / each];
  return RANGO_OK;
}
