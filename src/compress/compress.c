/* rango_compress: the steps in order. */
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "compress/method.h"
#include "compress/result.h"
#include "compress/stats_file.h"

#define MEMORY_DEFAULT       (INT64_C(2) << 30)
#define SAMPLED_ROWS         16384  /* im2col rows or tokens a layer, */
#define SAMPLED_ROWS_MIN     1024   /* or fewer in large models */
#define HOLD_OUT             4      /* without val, every fourth row is kept for choosing */
#define CALIBRATION_MIN      8      /* rows */
#define REFIT_COLUMNS        1200   /* inputs: wider layers keep the basis's first factor, */
#define REFIT_MACS           1.5e11 /* unless all that are as wide take no more than this */
#define GRADIENT_MACS        8e11   /* all gradients together */
#define GRADIENT_ROWS_MIN    64
#define DRAWS_MACS           1e11 /* of several gradients a row: layers of few positions see too few otherwise */
#define DRAWS_MAX            8
#define SENSITIVITY_MACS     4e11 /* all partial runs together */
#define SENSITIVITY_ROWS     256
#define SENSITIVITY_ROWS_MIN 32

static bool forward_progress(void *user, double fraction, const char *stage) {
  const rg_job *job = user;
  return job->options->progress(job->options->user, job->low + fraction * (job->high - job->low), stage);
}

void rg_job_stage(rg_job *job, double low, double high) {
  job->low = low;
  job->high = high;
}

/* ---- what the caller gave ---- */

static rango_status check_budget(const rango_compress_options *options) {
  double value = options->budget_value;
  RG_FAIL_IF(!isfinite(value) || value < 0, RANGO_ERROR_ARGUMENT, "compress: a budget of %g", value);
  bool integer = options->labels && !rg_type_is_float(options->labels->type);
  switch (options->budget) {
  case RANGO_BUDGET_MAX_DROP:
    RG_FAIL_IF(!integer, RANGO_ERROR_ARGUMENT,
               "compress: a drop in top-1 needs integer labels of the validation rows; without labels give a minimum "
               "agreement "
               "or a maximum output error");
    return RANGO_OK;
  case RANGO_BUDGET_MAX_ERROR_RATIO:
    RG_FAIL_IF(
        !options->labels || integer, RANGO_ERROR_ARGUMENT,
        "compress: an error ratio needs floating-point labels of the validation rows; without labels give a maximum "
        "output error");
    return RANGO_OK;
  case RANGO_BUDGET_MIN_AGREEMENT:
  case RANGO_BUDGET_CUT_PARAMS:
  case RANGO_BUDGET_CUT_MACS:
    RG_FAIL_IF(value > 100, RANGO_ERROR_ARGUMENT, "compress: %g percent is more than all", value);
    return RANGO_OK;
  case RANGO_BUDGET_MAX_OUTPUT_ERROR:
    return RANGO_OK;
  }
  RG_FAIL(RANGO_ERROR_ARGUMENT, "compress: unknown budget %d", (int)options->budget);
}

static rango_status check_options(const rango_model *model, const rango_compress_options *options) {
  RG_FAIL_IF(!model || !options, RANGO_ERROR_ARGUMENT, "compress: NULL argument");
  RG_FAIL_IF(options->struct_size < sizeof *options, RANGO_ERROR_ARGUMENT, "compress: struct_size is not set");
  RG_FAIL_IF(!options->calib, RANGO_ERROR_ARGUMENT, "compress: calibration data is needed");
  RG_FAIL_IF(options->confidence != 0 && options->confidence != 95, RANGO_ERROR_ARGUMENT,
             "compress: confidence %d: 0 or 95 are possible", options->confidence);
  RG_FAIL_IF((int)options->objective < 0 || options->objective > RANGO_OBJECTIVE_TIME, RANGO_ERROR_ARGUMENT,
             "compress: unknown objective %d", (int)options->objective);
  RG_FAIL_IF((int)options->method < 0 || options->method > RANGO_METHOD_WHITNEY, RANGO_ERROR_ARGUMENT,
             "compress: unknown method %d", (int)options->method);
  RG_FAIL_IF(options->refine < 0, RANGO_ERROR_ARGUMENT, "compress: %d passes of refinement", options->refine);
  RG_FAIL_IF(options->memory_bytes < 0, RANGO_ERROR_ARGUMENT, "compress: a memory bound of %lld bytes",
             (long long)options->memory_bytes);
  RG_FAIL_IF(options->calib->rows < CALIBRATION_MIN, RANGO_ERROR_ARGUMENT,
             "compress: %lld calibration rows are too few: give at least %d, better hundreds",
             (long long)options->calib->rows, CALIBRATION_MIN);
  RG_FAIL_IF(options->labels && !options->val, RANGO_ERROR_ARGUMENT,
             "compress: labels are given, their rows (val) are not");
  RG_FAIL_IF(options->stats && !options->val, RANGO_ERROR_ARGUMENT,
             "compress: %s holds statistics of all calibration rows: give other rows to choose with (val)",
             options->stats);
  if (options->labels) RG_TRY(rg_labels_check(options->labels, options->val));
  RG_TRY(check_budget(options));
  RG_TRY(rg_dataset_check_finite(options->calib, "calibration data"));
  return options->val ? rg_dataset_check_finite(options->val, "validation data") : RANGO_OK;
}

/* ---- preparation ---- */

/* Rows in groups of the model's fixed batch: every fourth group for choosing, the others for fitting. */
static rango_status split_calibration(rg_job *job) {
  const rango_dataset *calib = job->options->calib;
  int64_t group = calib->fixed_batch ? calib->fixed_batch : 1, fit = 0, held = 0, *rows = NULL;
  RG_TRY(rg_alloc(2 * (size_t)calib->rows * sizeof *rows, RG_OUT(&rows)));
  for (int64_t i = 0; i < calib->rows; i++) {
    if (i / group % HOLD_OUT == HOLD_OUT - 1)
      rows[calib->rows + held++] = i;
    else
      rows[fit++] = i;
  }
  rango_status status;
  if (held == 0) {
    status = rg_fail(RANGO_ERROR_ARGUMENT,
                     "compress: too few calibration rows to keep some for choosing: give validation data");
    goto done;
  }
  RG_TRY_DONE(rg_dataset_subset(calib, rows, fit, &job->calib_part));
  RG_TRY_DONE(rg_dataset_subset(calib, rows + calib->rows, held, &job->val_part));
done:
  rg_free(rows);
  return status;
}

/* Large constants that lie in the file at addresses which floats can't be read from move to where their pages can be
 * given back as well; without such a place they are aligned as the others, in memory. */
static void move_large_constants(const rango_model *model) {
  const rg_value_list *values = &model->graph->values;
  for (size_t i = 0; i < values->count; i++) {
    rango_tensor *tensor = values->items[i]->constant;
    rg_buffer *scratch;
    if (!tensor || rg_tensor_is_aligned(tensor) || (int64_t)tensor->bytes < RG_WEIGHT_LARGE) continue;
    if (rg_buffer_create_scratch(tensor->bytes, &scratch) != RANGO_OK) return;
    memcpy(rg_buffer_data(scratch), tensor->data, tensor->bytes);
    rg_buffer_forget_pages(tensor->buffer, tensor->data, tensor->bytes);
    rg_buffer_release(tensor->buffer);
    tensor->buffer = scratch;
    tensor->data = rg_buffer_data(scratch);
    rg_buffer_forget_pages(tensor->buffer, tensor->data, tensor->bytes);
  }
}

rango_status rg_canonical_copy(const rango_model *model, rango_model **out) {
  RG_TRY(rg_model_copy(model, out));
  move_large_constants(*out);
  rango_status status = rg_model_align_constants(*out, NULL);
  if (status == RANGO_OK) status = rg_ops_resolve(*out, false);
  if (status == RANGO_OK) status = rg_passes_canonical(*out);
  if (status == RANGO_OK) return RANGO_OK;
  rg_model_release(*out);
  *out = NULL;
  return status;
}

/* As many rows as the time for gradients allows: each takes about three runs of the model. */
static int64_t gradient_rows(const rg_job *job, const rango_dataset *data) {
  double rows = job->canonical_macs > 0 ? GRADIENT_MACS / (3 * (double)job->canonical_macs) : (double)data->rows;
  if (rows < GRADIENT_ROWS_MIN) rows = GRADIENT_ROWS_MIN;
  return rows < (double)data->rows ? (int64_t)rows : data->rows;
}

/* So that a large model's compression stays within a few times the model. */
static int64_t default_memory(int64_t params) {
  int64_t bytes = params * (int64_t)sizeof(float);
  return bytes >= RG_MODEL_LARGE && bytes / 2 < MEMORY_DEFAULT ? bytes / 2 : MEMORY_DEFAULT;
}

static int64_t gradient_draws(const rg_job *job, int64_t rows) {
  double draws = job->canonical_macs > 0 ? DRAWS_MACS / (3 * (double)job->canonical_macs * (double)rows) : 1;
  return draws < 1 ? 1 : draws < DRAWS_MAX ? (int64_t)draws : DRAWS_MAX;
}

static int64_t batch_within(const rg_job *job, const rango_dataset *data, int64_t bytes) {
  int64_t batch = rg_default_batch(data), fitting = bytes / job->row_bytes;
  if (batch <= fitting || data->fixed_batch) return batch;
  return fitting > 0 ? fitting : 1;
}

/* Of a site's output: what its sampled rows take, of `rows` data rows, `each` bytes of one. */
static int64_t sampled_bytes(const rg_site *site, int64_t rows, int64_t each, int64_t wanted) {
  int64_t all = rows * each, most = wanted * site->outputs * (int64_t)sizeof(float);
  return all < most ? all : most;
}

/* Rows a layer whose outputs, of all layers together, take at most half of the memory that is usual for the model: what
 * is fitted doesn't depend on --memory. outputs [sites]: bytes that a data row gives each. */
static int64_t sampled_rows(const rg_job *job, int64_t rows, const int64_t *outputs) {
  int64_t wanted = SAMPLED_ROWS, bound = default_memory(job->canonical_params) / 2;
  for (; wanted > SAMPLED_ROWS_MIN; wanted /= 2) {
    int64_t bytes = 0;
    for (size_t i = 0; i < job->sites.count; i++)
      if (job->sites.items[i].kind != RG_SITE_EMBEDDING)
        bytes += sampled_bytes(&job->sites.items[i], rows, outputs[i], wanted);
    if (bytes <= bound) break;
  }
  return wanted;
}

/* What fitting whole weights of up to `columns` inputs takes: their covariances, and what solves for them. */
static double refit_macs(const rg_job *job, int64_t rows, const int64_t *outputs, int64_t columns) {
  double macs = 0;
  for (size_t i = 0; i < job->sites.count; i++) {
    const rg_site *site = &job->sites.items[i];
    if (site->kind == RG_SITE_EMBEDDING || site->inputs > columns) continue;
    int64_t bytes = sampled_bytes(site, rows, outputs[i], job->calibration.sampling.wanted);
    double sampled = (double)bytes / (double)(site->outputs * (int64_t)sizeof(float)), m = (double)site->inputs;
    macs += 0.5 * sampled * m * m + 2 * m * m * m;
  }
  return macs;
}

static int64_t refit_columns(const rg_job *job, int64_t rows, const int64_t *outputs) {
  int64_t columns = REFIT_COLUMNS;
  for (size_t i = 0; i < job->sites.count; i++) {
    int64_t inputs = job->sites.items[i].inputs;
    if (inputs > columns && refit_macs(job, rows, outputs, inputs) <= REFIT_MACS) columns = inputs;
  }
  return columns;
}

/* Batches small enough for the activations that a batch exposes; the frontier of the sequential fit takes as many
 * batches as half of the memory holds. */
static rango_status prepare_calibration(rg_job *job, const rango_dataset *data) {
  const rango_compress_options *options = job->options;
  int64_t frontier, *outputs = NULL;
  rg_calibration *c = &job->calibration;
  *c = (rg_calibration){
      .data = data,
      .sampling = {.seed = options->seed},
      .memory_bytes = options->memory_bytes ? options->memory_bytes : default_memory(job->canonical_params),
      .gradient_rows = gradient_rows(job, data),
      .class_scores = options->budget == RANGO_BUDGET_MIN_AGREEMENT ||
                      (options->labels && !rg_type_is_float(options->labels->type)),
      .session = job->session,
      .progress = options->progress ? forward_progress : NULL,
      .user = job,
  };
  c->gradient_draws = gradient_draws(job, c->gradient_rows);
  RG_TRY(rg_calloc(job->sites.count, sizeof *outputs, RG_OUT(&outputs)));
  rango_status status = rg_measure_memory(job->model, data, &job->sites, &job->row_bytes, &frontier, outputs);
  if (status == RANGO_OK) c->sampling.wanted = sampled_rows(job, data->rows, outputs);
  if (status == RANGO_OK) c->refit_columns = refit_columns(job, data->rows, outputs);
  rg_free(outputs);
  RG_TRY(status);
  c->batch = batch_within(job, data, c->memory_bytes / 8);
  c->batches = (data->rows + c->batch - 1) / c->batch;
  int64_t fitting = c->memory_bytes / 2 / frontier / c->batch;
  c->fit_batches = fitting < 1 ? 1 : fitting < c->batches ? fitting : c->batches;
  return RANGO_OK;
}

static rango_status prepare_scoring(rg_job *job) {
  const rango_compress_options *options = job->options;
  bool labels = options->budget != RANGO_BUDGET_MIN_AGREEMENT && options->budget != RANGO_BUDGET_MAX_OUTPUT_ERROR;
  job->scoring = (rg_scoring){
      .data = job->val,
      .labels = labels ? options->labels : NULL,
      .output_error = options->budget != RANGO_BUDGET_MIN_AGREEMENT,
      .batch = batch_within(job, job->val, job->calibration.memory_bytes / 4),
      .session = job->session,
      .progress = options->progress ? forward_progress : NULL,
      .user = job,
  };
  if (job->scoring.labels) return rg_score(job->original, &job->scoring, &job->before);
  RG_TRY(rg_outputs_create(job->original, &job->scoring, &job->reference));
  job->scoring.reference = &job->reference;
  return RANGO_OK;
}

static rango_status load_costs(rg_job *job) {
  const rg_kernels *kernels;
  if (job->options->costs) return rg_costs_load(job->options->costs, &job->costs);
  RG_TRY(rg_kernels_get(NULL, &kernels));
  return rg_costs_default(kernels, &job->costs);
}

rango_status rg_job_prepare_model(rg_job *job, const rango_dataset *data) {
  RG_TRY(rango_threads_create(job->options->threads, &job->pool));
  job->session = (rango_session_options){.struct_size = sizeof job->session, .pool = job->pool};
  RG_TRY(rg_canonical_copy(job->original, &job->model));
  RG_TRY(rg_count_model(job->model, data, &job->canonical_params, &job->canonical_macs));
  if (job->method->sequential || job->options->stats) RG_TRY(rg_merge_products(job->model, &job->merged));
  RG_FAIL_IF(!job->method->sequential && job->merged.count, RANGO_ERROR_ARGUMENT,
             "statistics take products of one input for one layer, which only the methods fisher and sequential do: "
             "leave them out");
  RG_TRY(rg_sites_find(job->model, &job->sites));
  for (size_t i = 0; i < job->sites.count; i++)
    job->sites.items[i].merged = rg_is_merged(&job->merged, job->sites.items[i].node);
  RG_FAIL_IF(job->sites.count == 0, RANGO_ERROR_BUDGET,
             "the model has no layer to factor: no Gemm, MatMul, Conv, embedding table or recurrent layer "
             "with a float32 weight of its own");
  return prepare_calibration(job, data);
}

static rango_status prepare(rg_job *job) {
  const rango_compress_options *options = job->options;
  if (!options->val) RG_TRY(split_calibration(job));
  job->val = options->val ? options->val : job->val_part;
  RG_TRY(rg_job_prepare_model(job, options->val ? options->calib : job->calib_part));
  RG_TRY(rg_count_model(job->original, job->val, &job->params, &job->macs));
  RG_TRY(load_costs(job));
  rg_job_stage(job, 0, 0.1);
  return prepare_scoring(job);
}

/* ---- steps ---- */

/* A visitor of statistics: bases of sites [begin, end), whose covariances go with that. */
static rango_status make_bases(void *user, size_t begin, size_t end) {
  rg_job *job = user;
  for (size_t i = begin; i < end; i++) {
    rg_site *site = &job->sites.items[i];
    rg_basis *bases = job->bases[i];
    rg_statistics *statistics = &job->statistics[i];
    if (job->method->weights_alone)
      RG_TRY(rg_basis_weights(site, &bases[RG_FORM_PAIR]));
    else
      RG_TRY(rg_basis_pair(site, statistics, &bases[RG_FORM_PAIR]));
    if (job->method->sequential)
      RG_TRY(rg_basis_convolution(site, statistics, &bases[RG_FORM_SPATIAL], &bases[RG_FORM_POINTWISE],
                                  &bases[RG_FORM_TUCKER]));
    if (job->method->sequential) RG_TRY(rg_basis_split(site, statistics, &bases[RG_FORM_SPLIT]));
    int64_t bytes = site->inputs * site->inputs * (int64_t)sizeof(float);
    bool keep = statistics->input_covariance && bytes <= job->calibration.memory_bytes / 3 - job->kept_bytes;
    if (keep) job->kept_bytes += bytes;
    RG_TRY(rg_statistics_settle(site, keep, statistics));
    double share = 0.5 * (double)(end + i + 1) / (double)job->sites.count; /* from half way between begin and end on */
    RG_TRY(rg_calibration_progress(&job->calibration, share, "decomposing layers"));
  }
  return RANGO_OK;
}

/* Sensitivity needs few rows; how few depends on the network's size. */
static rango_status measure_sensitivity(rg_job *job) {
  const rango_dataset *calib = job->calibration.data;
  double each = 0.5 * (double)job->macs * RG_SENSITIVITY_POINTS * (double)job->sites.count;
  int64_t wanted =
      each > 0 && SENSITIVITY_MACS / each < SENSITIVITY_ROWS ? (int64_t)(SENSITIVITY_MACS / each) : SENSITIVITY_ROWS;
  if (wanted < SENSITIVITY_ROWS_MIN) wanted = SENSITIVITY_ROWS_MIN;
  int64_t group = calib->fixed_batch ? calib->fixed_batch : 1;
  int64_t held = job->calibration.fit_batches * job->calibration.batch; /* what memory has room for */
  if (wanted > held) wanted = held;
  if (wanted > calib->rows) wanted = calib->rows;
  wanted = (wanted + group - 1) / group * group;
  int64_t *rows = NULL;
  RG_TRY(rg_alloc((size_t)wanted * sizeof *rows, RG_OUT(&rows)));
  for (int64_t i = 0; i < wanted; i++) rows[i] = i;
  rango_status status = rg_dataset_subset(calib, rows, wanted, &job->probe);
  rg_free(rows);
  RG_TRY(status);
  rg_calibration calibration = job->calibration;
  calibration.data = job->probe;
  if (calibration.batch > wanted) calibration.batch = wanted;
  calibration.batches = (wanted + calibration.batch - 1) / calibration.batch;
  return rg_sensitivity_measure(job->model, &job->sites, &calibration, job->statistics,
                                (const rg_basis(*)[RG_FORM_COUNT])job->bases, job->sensitivity);
}

/* Statistics, the metric where the method asks for it and the model has adjoints, and bases: from the file if there is
 * one. Covariances are large: none is there while gradients are taken, then those of one pass at a time. */
static rango_status collect(rg_job *job, bool *metric) {
  const rg_calibration *calibration = &job->calibration;
  if (job->options->stats) {
    rg_stats_key key = rg_stats_key_of(job->model, calibration);
    int kind = !job->method->fisher ? RG_METRICS : calibration->class_scores ? RG_METRIC_CLASSES : RG_METRIC_VALUES;
    RG_TRY(rg_stats_load(job->options->stats, &key, &job->sites, kind, job->statistics));
    *metric = job->statistics[0].metric;
    rg_job_stage(job, 0.1, 0.4);
    return make_bases(job, 0, job->sites.count);
  }
  rg_job_stage(job, 0.1, 0.15);
  if (job->method->fisher) RG_TRY(rg_fisher_collect(job->model, &job->sites, calibration, job->statistics, metric));
  rg_job_stage(job, 0.15, 0.4);
  return rg_statistics_collect(job->model, &job->sites, calibration, job->statistics, make_bases, job);
}

/* What factors are made from. */
static void free_bases(rg_job *job) {
  for (size_t i = 0; i < job->sites.count; i++) {
    if (job->statistics) rg_statistics_free(&job->statistics[i]);
    for (int form = 0; job->bases && form < RG_FORM_COUNT; form++) rg_basis_free(&job->bases[i][form]);
  }
  rg_free(job->statistics);
  rg_free(job->bases);
  rg_free(job->calibration.ridges);
  job->statistics = NULL;
  job->bases = NULL;
  job->calibration.ridges = NULL;
}

static rango_status run(rg_job *job, rango_compression **out) {
  size_t count = job->sites.count;
  rg_trial best = {0};
  bool metric = false;
  RG_TRY(rg_calloc(count, sizeof *job->statistics, RG_OUT(&job->statistics)));
  RG_TRY(rg_calloc(count, sizeof *job->bases, RG_OUT(&job->bases)));
  RG_TRY(rg_calloc(count, sizeof *job->calibration.ridges, RG_OUT(&job->calibration.ridges)));
  RG_TRY(collect(job, &metric));
  rg_job_stage(job, 0.4, 0.45);
  if (job->method->ranks == RG_RANKS_NOISE) RG_TRY(rg_method_ranks(job));
  if (job->method->fisher && !metric) {
    RG_TRY(rg_calloc(count, sizeof *job->sensitivity, RG_OUT(&job->sensitivity)));
    RG_TRY(measure_sensitivity(job));
  }
  if (job->method->whitney) RG_TRY(rg_whitney_codes(job));
  RG_TRY(rg_tables_create(job));
  rg_job_stage(job, 0.45, 0.95);
  rango_status status = rg_search(job, &best);
  rg_job_stage(job, 0.95, 1);
  free_bases(job);
  rg_memory_trim();
  if (status == RANGO_OK) status = rg_calibration_progress(&job->calibration, 0, "timing");
  if (status == RANGO_OK) status = rg_result_create(job, &best, out);
  rg_trial_free(job, &best);
  return status;
}

void rg_job_free(rg_job *job) {
  free_bases(job);
  for (size_t i = 0; job->tables && i < job->sites.count; i++) rg_free(job->tables[i].items);
  for (size_t i = 0; job->codes && i < job->sites.count; i++) rg_factors_free(&job->codes[i]);
  rg_free(job->sensitivity);
  rg_free(job->ranks);
  rg_free(job->tables);
  rg_free(job->codes);
  rg_sites_free(&job->sites);
  rg_merged_free(&job->merged);
  rg_costs_free(job->costs);
  rg_outputs_free(&job->reference);
  rg_scores_free(&job->before);
  rg_free(job->curve.items);
  rango_dataset_free(job->calib_part);
  rango_dataset_free(job->val_part);
  rango_dataset_free(job->probe);
  rango_model_free(job->model);
  rango_threads_free(job->pool);
}

static rango_status check_result(const rango_compress_options *options, const rango_compression *result) {
  const rango_compress_summary *s = &result->summary;
  RG_FAIL_IF(s->layers_compressed == 0, RANGO_ERROR_BUDGET, "no layer gets smaller within the budget");
  RG_FAIL_IF(
      options->objective == RANGO_OBJECTIVE_TIME && !(s->ms_after < s->ms_before), RANGO_ERROR_BUDGET,
      "the compressed network takes %.3f ms, the original %.3f ms: it is not faster on this machine, so it is not kept",
      s->ms_after, s->ms_before);
  return RANGO_OK;
}

rango_status rango_compress(const rango_model *model, const rango_compress_options *options, rango_compression **out) {
  RG_FAIL_IF(!out, RANGO_ERROR_ARGUMENT, "compress: NULL argument");
  *out = NULL;
  RG_TRY(check_options(model, options));
  double start = rg_now();
  rg_job job = {.options = options, .method = rg_method_of(options->method), .original = model};
  int before = rg_linalg_set_threads(options->threads);
  rango_status status = prepare(&job);
  if (status == RANGO_OK) status = run(&job, out);
  rg_job_free(&job);
  rg_linalg_set_threads(before);
  if (status == RANGO_OK) {
    (*out)->summary.seconds = rg_now() - start;
    status = check_result(options, *out);
  }
  if (status == RANGO_OK) return RANGO_OK;
  rango_compression_free(*out);
  *out = NULL;
  return status;
}
