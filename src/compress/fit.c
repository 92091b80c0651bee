/* Factors for chosen ranks. The first factor is the basis's leading rows; the second is fitted to what the layer's
 * input is in the network compressed so far, against the original layer's outputs: errors made before are answered, not
 * handed on (asymmetric fit; Zhang, Zou, He, Sun 2016). */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define BLOCK_ROWS 512
#define RIDGE_MANY 1e-6 /* of the mean variance of z, where there are at least ROWS_EACH rows for each unknown */
#define RIDGE_FEW  1e-2 /* otherwise: few rows say little, stay near the closed form */
#define ROWS_EACH  8

void rg_factors_free(rg_factors *factors) {
  rg_free(factors->first);
  rg_free(factors->second);
  rg_free(factors->offset);
  *factors = (rg_factors){0};
}

int64_t rg_projected_columns(const rg_site *site, rg_form form, int64_t rank) {
  return form == RG_FORM_SPATIAL ? rank * site->kernel_w : rank;
}

void rg_project_rows(const rg_site *site, const rg_basis *basis, rg_form form, int64_t rank, const float *rows,
                     int64_t count, float *z) {
  int64_t blocks = form == RG_FORM_SPATIAL ? site->kernel_w : 1; /* a row is [kernel w][inner] */
  rg_matmul_float(false, true, count * blocks, rank, basis->inner, rows, basis->first, z);
}

/* Centred second moments of z and the targets. */
typedef struct regression {
  int64_t columns, outputs, rows;
  double *z_mean, *t_mean;
  double *gram;    /* [columns][columns], lower triangle and all of the diagonal */
  double *cross;   /* [columns][outputs] */
  double variance; /* of the targets, summed over outputs */
} regression;

static void regression_free(regression *r) {
  rg_free(r->z_mean);
  rg_free(r->t_mean);
  rg_free(r->gram);
  rg_free(r->cross);
}

static rango_status column_means(const float *rows, int64_t count, int64_t columns, double **out) {
  RG_TRY(rg_calloc((size_t)columns, sizeof(double), RG_OUT(out)));
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) (*out)[j] += rows[i * columns + j];
  for (int64_t j = 0; j < columns; j++) (*out)[j] /= (double)count;
  return RANGO_OK;
}

static void centre(const float *rows, const double *mean, int64_t count, int64_t columns, double *to) {
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < columns; j++) to[i * columns + j] = rows[i * columns + j] - mean[j];
}

static rango_status accumulate(const float *z, const float *targets, regression *r) {
  int64_t k = r->columns, n = r->outputs;
  double *zc = NULL, *tc = NULL;
  rango_status status;
  RG_TRY_DONE(column_means(z, r->rows, k, &r->z_mean));
  RG_TRY_DONE(column_means(targets, r->rows, n, &r->t_mean));
  RG_TRY_DONE(rg_calloc((size_t)(k * k), sizeof(double), RG_OUT(&r->gram)));
  RG_TRY_DONE(rg_calloc((size_t)(k * n), sizeof(double), RG_OUT(&r->cross)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * k) * sizeof(double), RG_OUT(&zc)));
  RG_TRY_DONE(rg_alloc((size_t)(BLOCK_ROWS * n) * sizeof(double), RG_OUT(&tc)));
  double scale = 1.0 / (double)r->rows;
  for (int64_t begin = 0; begin < r->rows; begin += BLOCK_ROWS) {
    int64_t count = r->rows - begin < BLOCK_ROWS ? r->rows - begin : BLOCK_ROWS;
    centre(z + begin * k, r->z_mean, count, k, zc);
    centre(targets + begin * n, r->t_mean, count, n, tc);
    rg_gram(count, k, scale, zc, 1.0, r->gram);
    rg_matmul(true, false, k, n, count, scale, zc, tc, 1.0, r->cross);
    for (int64_t i = 0; i < count * n; i++) r->variance += scale * tc[i] * tc[i];
  }
done:
  rg_free(zc);
  rg_free(tc);
  return status;
}

static void fill_upper(double *a, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
}

/* b [columns][outputs]: from `prior` (or 0) by the regression of what it leaves over. Returns the mean squared error.
 */
static rango_status solve(regression *r, const float *prior, double *b, double *error) {
  int64_t k = r->columns, n = r->outputs;
  double *gram = NULL, *left = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof(double), RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof(double), RG_OUT(&left)));
  fill_upper(r->gram, k);
  memcpy(gram, r->gram, (size_t)(k * k) * sizeof(double));
  memcpy(left, r->cross, (size_t)(k * n) * sizeof(double));
  for (int64_t i = 0; i < k * n; i++) b[i] = prior ? prior[i] : 0;
  if (prior) rg_matmul(false, false, k, n, k, -1.0, r->gram, b, 1.0, left);
  RG_TRY_DONE(rg_ridge_solve(gram, k, r->rows >= ROWS_EACH * k ? RIDGE_MANY : RIDGE_FEW, left, n));
  for (int64_t i = 0; i < k * n; i++) b[i] += left[i];
  /* |t - b'z|^2 = variance - 2 <b, cross> + <b, gram b> */
  rg_matmul(false, false, k, n, k, 1.0, r->gram, b, 0.0, left);
  *error = r->variance;
  for (int64_t i = 0; i < k * n; i++) *error += b[i] * (left[i] - 2 * r->cross[i]);
done:
  rg_free(gram);
  rg_free(left);
  return status;
}

static rango_status store(const rg_site *site, const rg_basis *basis, const regression *r, const double *b,
                          double error, rg_factors *out) {
  int64_t k = r->columns, n = site->outputs;
  RG_TRY(rg_alloc((size_t)(out->rank * basis->inner) * sizeof(float), RG_OUT(&out->first)));
  RG_TRY(rg_alloc((size_t)(n * k) * sizeof(float), RG_OUT(&out->second)));
  RG_TRY(rg_alloc((size_t)n * sizeof(float), RG_OUT(&out->offset)));
  memcpy(out->first, basis->first, (size_t)(out->rank * basis->inner) * sizeof(float));
  for (int64_t j = 0; j < n; j++) {
    double offset = r->t_mean[j];
    for (int64_t i = 0; i < k; i++) {
      out->second[j * k + i] = (float)b[i * n + j];
      offset -= b[i * n + j] * r->z_mean[i];
    }
    out->offset[j] = (float)offset;
  }
  out->error = r->variance > 0 && error > 0 ? sqrt(error / r->variance) : 0;
  return RANGO_OK;
}

rango_status rg_fit_second(const rg_site *site, const rg_basis *basis, rg_form form, int64_t rank, const float *z,
                           const float *targets, int64_t count, rg_factors *out) {
  *out = (rg_factors){.form = form, .rank = rank};
  regression r = {.columns = rg_projected_columns(site, form, rank), .outputs = site->outputs, .rows = count};
  double *b = NULL, error = 0;
  rango_status status;
  RG_TRY_DONE(accumulate(z, targets, &r));
  RG_TRY_DONE(rg_alloc((size_t)(r.columns * r.outputs) * sizeof(double), RG_OUT(&b)));
  RG_TRY_DONE(solve(&r, form == RG_FORM_PAIR ? basis->second : NULL, b, &error));
  RG_TRY_DONE(store(site, basis, &r, b, error, out));
done:
  regression_free(&r);
  rg_free(b);
  if (status == RANGO_OK) return RANGO_OK;
  rg_factors_free(out);
  return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
}

/* ---- the whole network, in order ---- */

/* Calls `use` with the sampled rows of each batch of a site's input on the frontier. */
typedef rango_status (*rows_visitor)(void *argument, const float *rows, int64_t count);

static rango_status visit_rows(const rg_site *site, const rg_calibration *calibration, const rg_frontier *frontier,
                               rows_visitor visit, void *argument) {
  rg_site measured = *site;
  for (int64_t batch = 0; batch < frontier->batches; batch++) {
    const rango_tensor *input = rg_frontier_value(frontier, batch, site->input);
    RG_FAIL_IF(!input, RANGO_ERROR_INTERNAL, "node '%s' (%s): its input can't be reached", site->name, site->op);
    int64_t begin = batch * calibration->batch, end = begin + calibration->batch, available;
    if (end > calibration->data->rows) end = calibration->data->rows;
    RG_TRY(rg_site_measure(&measured, input, end - begin, &available));
    int64_t count = rg_sample_count(&calibration->sampling, available, end - begin, calibration->data->rows);
    float *rows = NULL;
    RG_TRY(rg_alloc((size_t)(count * site->inputs) * sizeof *rows, RG_OUT(&rows)));
    rango_status status = rg_site_gather(&measured, input, &calibration->sampling, batch, available, count, rows);
    if (status == RANGO_OK) status = visit(argument, rows, count);
    rg_free(rows);
    RG_TRY(status);
  }
  return RANGO_OK;
}

typedef struct projection {
  const rg_site *site;
  const rg_basis *basis;
  rg_form form;
  int64_t rank, columns, rows, limit;
  float *z;           /* [limit][columns] */
  rg_moments moments; /* dense: mean of the input */
} projection;

static rango_status project_batch(void *argument, const float *rows, int64_t count) {
  projection *p = argument;
  if (p->form == RG_FORM_DENSE) return rg_moments_add(&p->moments, rows, count);
  RG_FAIL_IF(p->rows + count > p->limit, RANGO_ERROR_INTERNAL, "node '%s': more rows than before", p->site->name);
  rg_project_rows(p->site, p->basis, p->form, p->rank, rows, count, p->z + p->rows * p->columns);
  p->rows += count;
  return RANGO_OK;
}

/* A dense layer's bias takes up what the changed input does to its mean. */
static rango_status fit_bias(const rg_site *site, const rg_statistics *statistics, projection *p,
                             const rg_calibration *calibration, const rg_frontier *frontier, rg_factors *out) {
  double *mean = NULL;
  rango_status status;
  RG_TRY(rg_moments_create(&p->moments, site->inputs, false));
  RG_TRY_DONE(visit_rows(site, calibration, frontier, project_batch, p));
  RG_TRY_DONE(rg_alloc((size_t)site->inputs * sizeof *mean, RG_OUT(&mean)));
  RG_TRY_DONE(rg_moments_finish(&p->moments, mean, NULL));
  RG_TRY_DONE(rg_alloc((size_t)site->outputs * sizeof(float), RG_OUT(&out->offset)));
  for (int64_t j = 0; j < site->outputs; j++) {
    double offset = statistics->output_mean[j];
    for (int64_t i = 0; i < site->inputs; i++) offset -= (double)site->matrix[j * site->inputs + i] * mean[i];
    out->offset[j] = (float)offset;
  }
done:
  rg_moments_free(&p->moments);
  rg_free(mean);
  return status;
}

static rango_status fit_site(const rg_site *site, const rg_statistics *statistics, const rg_basis *basis,
                             const rg_candidate *choice, const rg_calibration *calibration, const rg_frontier *frontier,
                             rg_factors *out) {
  projection p = {.site = site, .basis = basis, .form = choice->form, .rank = choice->rank, .limit = statistics->rows};
  *out = (rg_factors){.form = choice->form, .rank = choice->rank};
  if (choice->form == RG_FORM_DENSE) return fit_bias(site, statistics, &p, calibration, frontier, out);
  p.columns = rg_projected_columns(site, choice->form, choice->rank);
  RG_TRY(rg_alloc((size_t)(p.limit * p.columns) * sizeof(float), RG_OUT(&p.z)));
  rango_status status = visit_rows(site, calibration, frontier, project_batch, &p);
  if (status == RANGO_OK)
    status = rg_fit_second(site, basis, choice->form, choice->rank, p.z, statistics->outputs, p.rows, out);
  rg_free(p.z);
  return status;
}

rango_status rg_fit_all(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                        const rg_statistics *statistics, const rg_basis (*bases)[RG_FORM_COUNT],
                        const rg_candidate *choices, rg_factors *factors) {
  rg_frontier frontier = {0};
  rg_calibration kept = *calibration; /* the first batches: their rows are the first of the statistics */
  if (kept.fit_batches) kept.batches = kept.fit_batches;
  rango_status status;
  bool changed = false;
  for (size_t i = 0; i < sites->count; i++) factors[i] = (rg_factors){.form = RG_FORM_DENSE};
  RG_TRY_DONE(rg_frontier_start(model, &kept, &frontier));
  for (size_t i = 0; i < sites->count; i++) {
    const rg_site *site = &sites->items[i];
    bool dense = choices[i].form == RG_FORM_DENSE;
    if (dense && (!changed || !site->bias)) continue;
    RG_TRY_DONE(rg_frontier_advance(&frontier, model, site->begin, sites, factors, &calibration->session));
    RG_TRY_DONE(fit_site(site, &statistics[i], &bases[i][choices[i].form], &choices[i], &kept, &frontier, &factors[i]));
    changed = changed || !dense;
  }
done:
  rg_frontier_free(&frontier);
  if (status != RANGO_OK)
    for (size_t i = 0; i < sites->count; i++) rg_factors_free(&factors[i]);
  return status;
}
