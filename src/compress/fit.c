/*
 * Factors for chosen ranks, fitted to what the layer's input is in the network compressed so far, against the original
 * layer's outputs: errors made before are answered, not handed on (asymmetric fit; Zhang, Zou, He, Sun 2016). Where a
 * residual connection is added to the output, what that connection lost is part of the target.
 *
 * Layers of moderate width are fitted whole: the least-squares weight for these inputs, shrunk to
 * the original's, then its best factors. In wider ones the first factor is the basis's leading rows and what follows is
 * fitted, which costs a regression in `rank` unknowns instead of `inputs`; it shrinks to what the statistics of the
 * original network say. How far either shrinks is chosen by cross-validation (Stone 1974): each half of the rows is
 * fitted and the other half says how well.
 */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

/* Ridges, of the mean variance of what is regressed on. */
#define PRIOR_RIDGE 1e-6 /* the prior's own regression, from a rounded covariance */
#define RIDGE_FIRST 0.1  /* of the fit, the first one looked at, */
#define RIDGE_STEP  10   /* from one to the next, */
#define RIDGE_MIN   1e-6 /* and the ends */
#define RIDGE_MAX   10

void rg_factors_forget(rg_factors *factors) {
  rg_free(factors->first);
  rg_free(factors->middle);
  rg_free(factors->second);
  rg_free(factors->offset);
  rg_free(factors->first_offset);
  rg_free(factors->middle_offset);
  rg_free(factors->parts);
  *factors =
      (rg_factors){.form = factors->form, .rank = factors->rank, .rank2 = factors->rank2, .error = factors->error};
}

void rg_factors_free(rg_factors *factors) {
  rg_factors_forget(factors);
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
  bool whole; /* z is the input itself */
  bool keeps; /* the weight stays: only the mean of the input is looked at */
  bool skip;  /* the residual connection's value is at hand, before and now */
  int64_t rows;
  rg_regression halves[2]; /* of the rows: the targets on z, what the fixed part makes of the input; later the first is
                              of all rows */
  rg_moments input;        /* where the weight stays */
} fitting;

/* targets = outputs + (original skip - what the skip is now), [count][outputs]. */
static rango_status adjust_targets(const fitting *f, int64_t batch, const int64_t *positions, int64_t count,
                                   float *targets) {
  int64_t n = f->site->outputs;
  const float *outputs = f->statistics->outputs + f->rows * n, *before = f->statistics->skip + f->rows * n;
  RG_TRY(
      rg_site_gather_output(f->site, rg_frontier_value(f->frontier, batch, f->site->skip), positions, count, targets));
  for (int64_t i = 0; i < count * n; i++) targets[i] = outputs[i] + (before[i] - targets[i]);
  return RANGO_OK;
}

/* A half of the batch to each half, so that they differ in their data rows and in little else. */
static rango_status add_targets(fitting *f, const float *z, const float *targets, int64_t count) {
  int64_t half = count / 2, columns = f->halves[0].columns, outputs = f->site->outputs;
  RG_TRY(rg_regression_add(&f->halves[0], z, targets, half));
  return rg_regression_add(&f->halves[1], z + half * columns, targets + half * outputs, count - half);
}

/* Adds rows [count][taps][inner] as z [count][taps][rank]. */
static rango_status add_rows(fitting *f, const float *rows, const float *targets, int64_t count) {
  float *z = NULL;
  if (f->keeps) return rg_moments_add(&f->input, rows, count);
  if (f->whole) return add_targets(f, rows, targets, count);
  RG_TRY(rg_alloc((size_t)(count * f->halves[0].columns) * sizeof *z, RG_OUT(&z)));
  rg_matmul_float(false, true, count * f->basis->taps, f->choice->rank * f->site->groups, f->basis->inner, rows,
                  f->basis->first, z);
  rg_basis_forget_pages(f->basis);
  rango_status status = add_targets(f, z, targets, count);
  rg_free(z);
  return status;
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
  float *rows = NULL, *targets = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(count * site->inputs) * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *positions, RG_OUT(&positions)));
  rg_sample_positions(&calibration->sampling, site, batch, available, count, positions);
  RG_TRY_DONE(rg_site_gather(&measured, input, positions, count, rows));
  if (f->skip) {
    RG_TRY_DONE(rg_alloc((size_t)(count * site->outputs) * sizeof *targets, RG_OUT(&targets)));
    RG_TRY_DONE(adjust_targets(f, batch, positions, count, targets));
  }
  RG_TRY_DONE(add_rows(f, rows, targets ? targets : f->statistics->outputs + f->rows * site->outputs, count));
  f->rows += count;
done:
  rg_free(rows);
  rg_free(targets);
  rg_free(positions);
  return status;
}

static rango_status gather(fitting *f) {
  int64_t columns = f->whole ? f->site->inputs : f->choice->rank * f->site->groups * f->basis->taps;
  f->skip = f->statistics->skip && rg_frontier_value(f->frontier, 0, f->site->skip) && !f->keeps;
  if (f->keeps)
    RG_TRY(rg_moments_create(&f->input, columns, false));
  else
    for (int i = 0; i < 2; i++) RG_TRY(rg_regression_open(columns, f->site->outputs, &f->halves[i]));
  for (int64_t batch = 0; batch < f->frontier->batches; batch++) RG_TRY(gather_batch(f, batch));
  if (f->keeps) return RANGO_OK;
  for (int i = 0; i < 2; i++) rg_regression_close(&f->halves[i]);
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
  int64_t m = f->site->inputs, n = f->site->outputs, k = f->halves[0].columns, rank = f->choice->rank;
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
  int64_t n = f->site->outputs, k = f->halves[0].columns;
  bool closed = f->basis && f->basis->second;
  *b = NULL;
  if (!f->whole && !closed && !(f->basis && f->statistics->covariance)) return RANGO_OK;
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
  RG_TRY_DONE(rg_to_float(a, rank * r->columns, first));
  RG_TRY_DONE(rg_to_float(b, r->outputs * rank, second));
done:
  rg_free(a);
  rg_free(b);
  return status;
}

/* From the whole weight for these inputs. */
static rango_status make_whole(const fitting *f, rg_regression *r, rg_factors *out) {
  if (out->form == RG_FORM_DENSE) return solution(r, &out->first);
  if (out->form == RG_FORM_PAIR) return reduce(f, r, out->rank, &out->first, &out->second);
  if (out->form == RG_FORM_SPLIT) return rg_split_reduce(f->site, f->basis, f->statistics->metric, r, out);
  RG_TRY(rg_convolution_factors(f->site, r->gram, f->statistics->metric, r->b, out));
  return rg_regression_measure(r);
}

/* Behind the basis's first factor. */
static rango_status make_rest(const fitting *f, rg_regression *r, rg_factors *out) {
  int64_t size = out->rank * f->site->groups * f->basis->inner;
  RG_TRY(rg_alloc((size_t)size * sizeof(float), RG_OUT(&out->first)));
  memcpy(out->first, f->basis->first, (size_t)size * sizeof(float));
  if (out->form == RG_FORM_SPLIT) {
    RG_TRY(rg_alloc((size_t)out->rank * sizeof *out->parts, RG_OUT(&out->parts)));
    memcpy(out->parts, f->basis->parts, (size_t)out->rank * sizeof *out->parts);
  }
  if (out->form == RG_FORM_TUCKER) return reduce(f, r, out->rank2, &out->middle, &out->second);
  return solution(r, &out->second);
}

/* A dense layer that isn't fitted anew: its bias takes up what the changed input does to its mean. */
static rango_status correct_bias(const fitting *f, rg_factors *out) {
  const rg_site *site = f->site;
  double *mean = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)site->inputs * sizeof *mean, RG_OUT(&mean)));
  RG_TRY_DONE(rg_moments_finish(&f->input, mean, NULL));
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

/* ---- how far it shrinks ---- */

static rango_status solve(const fitting *f, const double *prior, double ridge, rg_regression *r) {
  int64_t groups = f->site->groups;
  if (f->choice->form == RG_FORM_SPLIT && !f->whole)
    return rg_regression_solve_groups(r, f->site->parts, f->basis->parts, prior, ridge);
  if (groups > 1) return rg_regression_solve_groups(r, groups, NULL, prior, ridge);
  return rg_regression_solve(r, prior, ridge);
}

/* The squared error of each half's fit on the other half, but for what is the same for all ridges. */
static rango_status validate(fitting *f, const double *prior, double ridge, double *error) {
  *error = 0;
  for (int i = 0; i < 2; i++) {
    double one;
    RG_TRY(solve(f, prior, ridge, &f->halves[i]));
    RG_TRY(rg_regression_validate(&f->halves[i], &f->halves[1 - i], f->statistics->metric, &one));
    *error += one;
  }
  return RANGO_OK;
}

/* From the first ridge in steps to where the error no longer falls. */
static rango_status choose_ridge(fitting *f, const double *prior, double *out) {
  double best = RIDGE_FIRST, least, error, step = RIDGE_STEP;
  RG_TRY(validate(f, prior, best, &least));
  for (int turn = 0; turn < 2 && best == RIDGE_FIRST; turn++, step = 1 / step)
    for (double ridge = best * step; ridge >= RIDGE_MIN && ridge <= RIDGE_MAX; ridge *= step) {
      RG_TRY(validate(f, prior, ridge, &error));
      if (!(error < least)) break;
      least = error;
      best = ridge;
    }
  *out = best / 2; /* all rows say twice as much as half of them */
  return RANGO_OK;
}

/* The halves become one. */
static rango_status solve_validated(fitting *f) {
  double *prior = NULL, *known = f->calibration->ridges ? &f->calibration->ridges[f->site->index] : NULL;
  double ridge = known ? *known : 0;
  rango_status status = make_prior(f, &prior);
  if (status == RANGO_OK && ridge == 0) status = choose_ridge(f, prior, &ridge);
  if (known) *known = ridge;
  rg_regression_merge(&f->halves[0], &f->halves[1]);
  rg_regression_free(&f->halves[1]);
  if (status == RANGO_OK) status = solve(f, prior, ridge, &f->halves[0]);
  rg_free(prior);
  return status;
}

static rango_status fit_site(fitting *f, rg_factors *out) {
  const rg_candidate *choice = f->choice;
  const rg_site *site = f->site;
  bool dense = choice->form == RG_FORM_DENSE;
  bool narrow = site->groups == 1 && site->inputs <= f->calibration->refit_columns;
  rg_regression *r = &f->halves[0];
  *out = (rg_factors){.form = choice->form, .rank = choice->rank, .rank2 = choice->rank2};
  f->whole = dense || narrow;
  f->keeps = dense && !narrow;
  rango_status status;
  RG_TRY_DONE(gather(f));
  if (f->keeps) {
    status = correct_bias(f, out);
    goto done;
  }
  RG_TRY_DONE(solve_validated(f));
  RG_TRY_DONE(f->whole ? make_whole(f, r, out) : make_rest(f, r, out));
  RG_TRY_DONE(store_offset(r, out));
done:
  rg_site_forget_pages(site);
  if (f->basis) rg_basis_forget_pages(f->basis);
  rg_moments_free(&f->input);
  for (int i = 0; i < 2; i++) rg_regression_free(&f->halves[i]);
  if (status == RANGO_OK) return status;
  rg_factors_free(out);
  return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
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
    if (site->kind == RG_SITE_EMBEDDING) {
      RG_TRY_DONE(rg_embedding_fit(site, &statistics[i], &bases[i][RG_FORM_PAIR], choices[i].rank, &factors[i]));
      changed = true;
      continue;
    }
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
