/* rango_compression: the smaller model and what became of each layer. */
#include "compress/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PORTRAIT_MACS     4e11
#define PORTRAIT_ROWS     1024
#define PORTRAIT_ROWS_MIN 64
#define PORTRAIT_SAMPLES  1000 /* of a layer: estimates of dimension go with their square */

void rango_compression_free(rango_compression *result) {
  if (!result) return;
  rango_model_free(result->model);
  rg_arena_free(result->arena);
  rg_free(result->curve);
  rg_free(result->left_alone.items);
  rg_free(result);
}

const rango_model *rango_compression_model(const rango_compression *result) { return result ? result->model : NULL; }

rango_status rango_compression_summary(const rango_compression *result, rango_compress_summary *out) {
  RG_FAIL_IF(!result || !out, RANGO_ERROR_ARGUMENT, "summary: NULL argument");
  RG_FAIL_IF(out->struct_size < sizeof *out, RANGO_ERROR_ARGUMENT, "summary: struct_size is not set");
  size_t struct_size = out->struct_size;
  *out = result->summary;
  out->struct_size = struct_size;
  return RANGO_OK;
}

const rango_compressed_layer *rango_compression_layer(const rango_compression *result, size_t index) {
  return result && index < result->layer_count ? &result->layers[index] : NULL;
}

const rango_left_alone *rango_compression_left_alone(const rango_compression *result, size_t index) {
  return result && index < result->left_alone.count ? &result->left_alone.items[index] : NULL;
}

const rango_curve_point *rango_compression_curve(const rango_compression *result, size_t index) {
  return result && index < result->curve_count ? &result->curve[index] : NULL;
}

const rango_portrait *rango_compression_data(const rango_compression *result) {
  return result && result->portraits.layers ? &result->portraits.data : NULL;
}

static rango_status fill_layer(const rg_job *job, const rg_trial *trial, size_t i, rg_arena *arena,
                               rango_compressed_layer *layer) {
  static const char *const forms[RG_FORM_COUNT] = {"dense",  "pair",    "spatial", "pointwise",
                                                   "tucker", "whitney", "split"};
  const rg_site *site = &job->sites.items[i];
  const rg_factors *factors = &trial->factors[i];
  char text[RG_SHAPE_TEXT];
  rg_cost before = rg_site_cost(job, site, RG_FORM_DENSE, 0, 0),
          after = rg_site_cost(job, site, factors->form, factors->rank, factors->rank2);
  *layer = (rango_compressed_layer){
      .rows_in = site->inputs / site->groups,
      .columns_out = site->outputs,
      .form = forms[factors->form],
      .kept_dense = factors->form == RG_FORM_DENSE,
      .params_before = (int64_t)before.params,
      .params_after = (int64_t)after.params,
      .macs_before = (int64_t)before.macs,
      .macs_after = (int64_t)after.macs,
      .error = factors->error,
      .ms_before = job->costs ? before.milliseconds : NAN,
      .ms_after = job->costs ? after.milliseconds : NAN,
  };
  layer->slower = layer->ms_after > layer->ms_before;
  if (!layer->kept_dense) layer->ranks[layer->rank_count++] = (int)factors->rank;
  if (factors->rank2) layer->ranks[layer->rank_count++] = (int)factors->rank2;
  RG_TRY(rg_arena_strndup(arena, site->name, strlen(site->name), &layer->name));
  RG_TRY(rg_arena_strndup(arena, site->op, strlen(site->op), &layer->op));
  rg_shape_text(&site->weight->shape, text, sizeof text);
  return rg_arena_strndup(arena, text, strlen(text), &layer->shape);
}

static double bound_of(const rg_job *job, const rg_trial *trial) {
  return rg_scores_bound(job->scoring.labels ? &job->before : NULL, &trial->scores, job->options->seed);
}

static rango_status fill_summary(const rg_job *job, const rg_trial *trial, rango_compression *result) {
  rango_compress_summary *s = &result->summary;
  double times[2];
  *s = (rango_compress_summary){
      .struct_size = sizeof *s,
      .metric = trial->scores.metric,
      .metric_after = rg_scores_value(&trial->scores),
      .bound = bound_of(job, trial),
      .rows = trial->scores.count,
      .params_before = job->params,
      .macs_before = job->macs,
      .layers = (int)job->sites.count,
      .calib_rows = job->calibration.data->rows,
      .val_from_calib = job->val == job->val_part,
      .labels = job->scoring.labels != NULL,
      .budget = job->options->budget,
      .budget_value = job->options->budget_value,
      .objective = job->options->objective,
      .confidence = job->options->confidence,
  };
  if (job->scoring.labels)
    s->metric_before = rg_scores_value(&job->before);
  else
    s->metric_before = s->metric == RANGO_METRIC_AGREEMENT ? 100 : 0; /* the original compared with itself */
  RG_TRY(rg_count_model(trial->model, job->val, &s->params_after, &s->macs_after));
  RG_TRY(rg_time_models((const rango_model *const[]){job->original, trial->model}, 2, job->val, &job->session, times));
  s->ms_before = times[0];
  s->ms_after = times[1];
  return RANGO_OK;
}

static int compare_points(const void *a, const void *b) {
  const rango_curve_point *x = a, *y = b;
  double first = x->params + x->macs, second = y->params + y->macs;
  return (first < second) - (first > second);
}

static void take_curve(rg_job *job, rango_compression *result) {
  result->curve = job->curve.items;
  result->curve_count = job->curve.count;
  job->curve.items = NULL;
  job->curve.count = job->curve.capacity = 0;
  if (result->curve_count) qsort(result->curve, result->curve_count, sizeof *result->curve, compare_points);
}

/* Of the first rows, as many as take a few seconds. */
static rango_status take_portraits(rg_job *job, rango_compression *result) {
  rg_calibration calibration = job->calibration;
  rango_dataset *data;
  double rows = job->macs > 0 ? PORTRAIT_MACS / (double)job->macs : PORTRAIT_ROWS;
  if (!job->options->portraits) return RANGO_OK;
  rows = rows < PORTRAIT_ROWS_MIN ? PORTRAIT_ROWS_MIN : rows > PORTRAIT_ROWS ? PORTRAIT_ROWS : rows;
  RG_TRY(rg_dataset_first_rows(calibration.data, (int64_t)rows, &data));
  calibration.data = data;
  calibration.means_only = true;
  calibration.sampling.wanted = PORTRAIT_SAMPLES;
  calibration.batches = (data->rows + calibration.batch - 1) / calibration.batch;
  rango_status status = rg_portraits_collect(job->model, &job->sites, &calibration, result->arena, &result->portraits);
  for (size_t i = 0; i < result->layer_count && status == RANGO_OK; i++)
    result->layers[i].portrait = &result->portraits.layers[i];
  rango_dataset_free(data);
  return status;
}

rango_status rg_result_create(rg_job *job, rg_trial *trial, rango_compression **out) {
  rango_compression *result = NULL;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *result, RG_OUT(&result)));
  rango_status status;
  RG_TRY_DONE(rg_arena_create(&result->arena));
  RG_TRY_DONE(fill_summary(job, trial, result));
  result->layer_count = job->sites.count;
  RG_TRY_DONE(rg_arena_calloc(result->arena, result->layer_count, sizeof *result->layers, RG_OUT(&result->layers)));
  for (size_t i = 0; i < result->layer_count; i++) {
    RG_TRY_DONE(fill_layer(job, trial, i, result->arena, &result->layers[i]));
    result->summary.layers_compressed += !result->layers[i].kept_dense;
  }
  RG_TRY_DONE(rg_left_alone_find(job->model, &job->sites, result->arena, &result->left_alone));
  RG_TRY_DONE(take_portraits(job, result));
  RG_TRY_DONE(rg_curve_finish(job, trial));
  take_curve(job, result);
  result->model = trial->model;
  trial->model = NULL;
  *out = result;
  result = NULL;
done:
  rango_compression_free(result);
  return status;
}
