/*
 * Factors for chosen ranks, fitted to what the layer's input is in the network compressed so far, against the original
 * layer's outputs: errors made before are answered, not handed on (asymmetric fit; Zhang, Zou, He, Sun 2016). Where a
 * residual connection is added to the output, what that connection lost is part of the target.
 *
 * The last factor is always fitted. The first is the basis's leading rows, except in pairs of moderate width, where
 * both come from reduced-rank regression. Every regression shrinks to what the statistics of the original network say.
 */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define PRIOR_RIDGE   1e-6 /* of the mean variance of z: the prior's own regression, from a rounded covariance */
#define ROWS_TO_REFIT 2    /* rows for each input, at least, to fit both factors */

void rg_factors_free(rg_factors *factors) {
  rg_free(factors->first);
  rg_free(factors->middle);
  rg_free(factors->second);
  rg_free(factors->offset);
  *factors = (rg_factors){0};
}

/* One site's fit. */
typedef struct fitting {
  const rg_site *site;
  const rg_statistics *statistics;
  const rg_basis *basis; /* whose leading rows are the first factor */
  const rg_candidate *choice;
  const rg_calibration *calibration;
  const rg_frontier *frontier;
  bool whole;      /* z is the input itself: both factors are fitted, or a dense weight */
  int64_t columns; /* of z */
  int64_t rows;
  float *z;       /* [rows][columns]: what the fixed part makes of the input */
  float *targets; /* [rows][outputs] where they differ from the statistics' outputs; NULL */
} fitting;

/* z [count][taps][rank] of rows [count][taps][inner]. */
static void project(const fitting *f, const float *rows, int64_t count, float *z) {
  int64_t rank = f->choice->rank;
  if (f->whole)
    memcpy(z, rows, (size_t)(count * f->columns) * sizeof *z);
  else
    rg_matmul_float(false, true, count * f->basis->taps, rank, f->basis->inner, rows, f->basis->first, z);
}

/* targets = outputs + (original skip - what the skip is now). */
static rango_status adjust_targets(fitting *f, const rango_tensor *skip, const int64_t *positions, int64_t count) {
  int64_t n = f->site->outputs;
  const float *outputs = f->statistics->outputs + f->rows * n, *before = f->statistics->skip + f->rows * n;
  float *to = f->targets + f->rows * n;
  RG_TRY(rg_site_gather_output(f->site, skip, positions, count, to));
  for (int64_t i = 0; i < count * n; i++) to[i] = outputs[i] + (before[i] - to[i]);
  return RANGO_OK;
}

static rango_status gather_batch(fitting *f, int64_t batch) {
  const rg_calibration *calibration = f->calibration;
  const rg_site *site = f->site;
  const rango_tensor *input = rg_frontier_value(f->frontier, batch, site->input);
  RG_FAIL_IF(!input, RANGO_ERROR_INTERNAL, "node '%s' (%s): its input can't be reached", site->name, site->op);
  int64_t begin = batch * calibration->batch, end = begin + calibration->batch, available, *positions = NULL;
  if (end > calibration->data->rows) end = calibration->data->rows;
  rg_site measured = *site;
  RG_TRY(rg_site_measure(&measured, input, end - begin, &available));
  int64_t count = rg_sample_count(&calibration->sampling, available, end - begin, calibration->data->rows);
  RG_FAIL_IF(f->rows + count > f->statistics->rows, RANGO_ERROR_INTERNAL, "node '%s': more rows than before",
             site->name);
  float *rows = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(count * site->inputs) * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *positions, RG_OUT(&positions)));
  rg_sample_positions(&calibration->sampling, site, batch, available, count, positions);
  RG_TRY_DONE(rg_site_gather(&measured, input, positions, count, rows));
  project(f, rows, count, f->z + f->rows * f->columns);
  if (f->targets) RG_TRY_DONE(adjust_targets(f, rg_frontier_value(f->frontier, batch, site->skip), positions, count));
  f->rows += count;
done:
  rg_free(rows);
  rg_free(positions);
  return status;
}

static rango_status gather(fitting *f) {
  RG_TRY(rg_alloc((size_t)(f->statistics->rows * f->columns) * sizeof *f->z, RG_OUT(&f->z)));
  if (f->statistics->skip && rg_frontier_value(f->frontier, 0, f->site->skip))
    RG_TRY(rg_alloc((size_t)(f->statistics->rows * f->site->outputs) * sizeof *f->targets, RG_OUT(&f->targets)));
  for (int64_t batch = 0; batch < f->frontier->batches; batch++) RG_TRY(gather_batch(f, batch));
  return RANGO_OK;
}

/* ---- what the fit shrinks to: b [columns][outputs] on the original network's inputs ---- */

/* [outputs][columns] to [columns][outputs]. */
static void turn(const float *from, int64_t outputs, int64_t columns, double *to) {
  for (int64_t i = 0; i < columns; i++)
    for (int64_t j = 0; j < outputs; j++) to[i * outputs + j] = from[j * columns + i];
}

/* From the covariance C of the original input: with P the projection x -> z, solve(P C P', P C W'). */
static rango_status prior_of_covariance(const fitting *f, double *b) {
  int64_t m = f->site->inputs, n = f->site->outputs, k = f->columns, rank = f->choice->rank;
  int64_t taps = f->basis->taps, inner = f->basis->inner;
  float *pc = NULL, *gram = NULL, *cross = NULL;
  double *wide = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * m) * sizeof *pc, RG_OUT(&pc)));
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof *cross, RG_OUT(&cross)));
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof *wide, RG_OUT(&wide)));
  for (int64_t t = 0; t < taps; t++)
    rg_matmul_float(false, false, rank, m, inner, f->basis->first, f->statistics->covariance + t * inner * m,
                    pc + t * rank * m);
  rg_matmul_float(false, true, k * taps, rank, inner, pc, f->basis->first, gram);
  rg_matmul_float(false, true, k, n, m, pc, f->site->matrix, cross);
  for (int64_t i = 0; i < k * k; i++) wide[i] = gram[i];
  for (int64_t i = 0; i < k * n; i++) b[i] = cross[i];
  RG_TRY_DONE(rg_ridge_solve(wide, k, PRIOR_RIDGE, b, n));
done:
  rg_free(pc);
  rg_free(gram);
  rg_free(cross);
  rg_free(wide);
  return status;
}

/* *b NULL: nothing is known, shrink to 0. */
static rango_status make_prior(const fitting *f, double **b) {
  int64_t n = f->site->outputs, k = f->columns;
  bool closed = f->basis && f->basis->second;
  *b = NULL;
  if (!f->whole && !closed && !f->statistics->covariance) return RANGO_OK;
  RG_TRY(rg_alloc((size_t)(k * n) * sizeof **b, RG_OUT(b)));
  if (f->whole)
    turn(f->site->matrix, n, k, *b);
  else if (closed)
    for (int64_t i = 0; i < k * n; i++) (*b)[i] = f->basis->second[i];
  else
    return prior_of_covariance(f, *b);
  return RANGO_OK;
}

/* ---- factors from a regression ---- */

static rango_status to_float(const double *from, int64_t count, float **out) {
  RG_TRY(rg_alloc((size_t)count * sizeof(float), RG_OUT(out)));
  for (int64_t i = 0; i < count; i++) (*out)[i] = (float)from[i];
  return RANGO_OK;
}

/* b' [outputs][columns]. */
static rango_status solution(const rg_regression *r, float **out) {
  RG_TRY(rg_alloc((size_t)(r->columns * r->outputs) * sizeof(float), RG_OUT(out)));
  for (int64_t i = 0; i < r->columns; i++)
    for (int64_t j = 0; j < r->outputs; j++) (*out)[j * r->columns + i] = (float)r->b[i * r->outputs + j];
  return RANGO_OK;
}

static rango_status store_offset(const rg_regression *r, rg_factors *out) {
  RG_TRY(rg_alloc((size_t)r->outputs * sizeof(float), RG_OUT(&out->offset)));
  for (int64_t j = 0; j < r->outputs; j++) {
    double offset = r->t_mean[j];
    for (int64_t i = 0; i < r->columns; i++) offset -= r->b[i * r->outputs + j] * r->z_mean[i];
    out->offset[j] = (float)offset;
  }
  out->error = r->variance > 0 && r->error > 0 ? sqrt(r->error / r->variance) : 0;
  return RANGO_OK;
}

/* The solution as two factors of `rank`: first [rank][columns] and second [outputs][rank]. */
static rango_status reduce(const fitting *f, rg_regression *r, int64_t rank, float **first, float **second) {
  double *a = NULL, *b = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(rank * r->columns) * sizeof *a, RG_OUT(&a)));
  RG_TRY_DONE(rg_alloc((size_t)(r->outputs * rank) * sizeof *b, RG_OUT(&b)));
  RG_TRY_DONE(rg_regression_reduce(r, f->statistics->metric, rank, a, b));
  RG_TRY_DONE(to_float(a, rank * r->columns, first));
  RG_TRY_DONE(to_float(b, r->outputs * rank, second));
done:
  rg_free(a);
  rg_free(b);
  return status;
}

static rango_status make_factors(const fitting *f, rg_regression *r, rg_factors *out) {
  rg_form form = f->choice->form;
  if (form == RG_FORM_DENSE) {
    RG_TRY(solution(r, &out->first));
  } else if (f->whole) {
    RG_TRY(reduce(f, r, out->rank, &out->first, &out->second));
  } else {
    int64_t size = out->rank * f->basis->inner;
    RG_TRY(rg_alloc((size_t)size * sizeof(float), RG_OUT(&out->first)));
    memcpy(out->first, f->basis->first, (size_t)size * sizeof(float));
    if (form == RG_FORM_TUCKER)
      RG_TRY(reduce(f, r, out->rank2, &out->middle, &out->second));
    else
      RG_TRY(solution(r, &out->second));
  }
  return store_offset(r, out);
}

/* A dense layer too wide to be fitted anew: its bias takes up what the changed input does to its mean. */
static rango_status fit_bias(const fitting *f, rg_factors *out) {
  const rg_site *site = f->site;
  double *mean = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)site->inputs, sizeof *mean, RG_OUT(&mean)));
  for (int64_t i = 0; i < f->rows; i++)
    for (int64_t j = 0; j < site->inputs; j++) mean[j] += f->z[i * site->inputs + j] / (double)f->rows;
  RG_TRY_DONE(rg_alloc((size_t)site->outputs * sizeof(float), RG_OUT(&out->offset)));
  for (int64_t j = 0; j < site->outputs; j++) {
    double offset = f->statistics->output_mean[j];
    for (int64_t i = 0; i < site->inputs; i++) offset -= (double)site->matrix[j * site->inputs + i] * mean[i];
    out->offset[j] = (float)offset;
  }
done:
  rg_free(mean);
  return status;
}

static rango_status fit_site(fitting *f, rg_factors *out) {
  const rg_candidate *choice = f->choice;
  bool dense = choice->form == RG_FORM_DENSE;
  bool narrow =
      f->site->inputs <= f->calibration->refit_columns && f->statistics->rows >= ROWS_TO_REFIT * f->site->inputs;
  rg_regression r = {0};
  double *prior = NULL;
  *out = (rg_factors){.form = choice->form, .rank = choice->rank, .rank2 = choice->rank2};
  f->whole = dense || (choice->form == RG_FORM_PAIR && narrow);
  f->columns = f->whole ? f->site->inputs : choice->rank * f->basis->taps;
  rango_status status;
  RG_TRY_DONE(gather(f));
  if (dense && !narrow) {
    status = fit_bias(f, out);
    goto done;
  }
  RG_TRY_DONE(make_prior(f, &prior));
  RG_TRY_DONE(rg_regression_create(f->z, f->targets ? f->targets : f->statistics->outputs, f->rows, f->columns,
                                   f->site->outputs, &r));
  RG_TRY_DONE(rg_regression_solve(&r, prior));
  RG_TRY_DONE(make_factors(f, &r, out));
done:
  rg_free(f->z);
  rg_free(f->targets);
  rg_free(prior);
  rg_regression_free(&r);
  if (status == RANGO_OK) return status;
  rg_factors_free(out);
  return rg_fail_context(status, "node '%s' (%s)", f->site->name, f->site->op);
}

/* ---- the whole network, in order ---- */

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
    fitting f = {.site = site,
                 .statistics = &statistics[i],
                 .basis = &bases[i][choices[i].form == RG_FORM_TUCKER ? RG_FORM_POINTWISE : choices[i].form],
                 .choice = &choices[i],
                 .calibration = &kept,
                 .frontier = &frontier};
    RG_TRY_DONE(fit_site(&f, &factors[i]));
    changed = changed || !dense;
  }
done:
  rg_frontier_free(&frontier);
  if (status != RANGO_OK)
    for (size_t i = 0; i < sites->count; i++) rg_factors_free(&factors[i]);
  return status;
}
