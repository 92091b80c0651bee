/* rango_calibrate: statistics into a file, by way of a second one that an interrupted call leaves behind. */
#include <string.h>
#include <unistd.h>

#include "compress/calibrate.h"
#include "compress/method.h"
#include "compress/stats_file.h"

#define INTERVAL 10 /* seconds between two checkpoints */

/* Everything that is owned. */
typedef struct calibration_run {
  rg_job job;
  rg_collection collection;
  rg_checkpoint checkpoint;
  rg_arena *arena;
} calibration_run;

static rango_status check(const rango_model *model, const rango_dataset *calib, const char *path,
                          const rango_calibrate_options *options) {
  RG_FAIL_IF(!model || !calib || !path || !options, RANGO_ERROR_ARGUMENT, "calibrate: NULL argument");
  RG_FAIL_IF(options->struct_size < sizeof *options, RANGO_ERROR_ARGUMENT, "calibrate: struct_size is not set");
  RG_FAIL_IF(options->memory_bytes < 0, RANGO_ERROR_ARGUMENT, "calibrate: a memory bound of %lld bytes",
             (long long)options->memory_bytes);
  return rg_dataset_check_finite(calib, "calibration data");
}

static rango_status prepare(calibration_run *run, const char *path, double interval) {
  rg_job *job = &run->job;
  rg_collection *c = &run->collection;
  RG_TRY(rg_job_prepare_model(job, job->options->calib));
  size_t count = job->sites.count;
  RG_TRY(rg_calloc(count, sizeof *job->statistics, RG_OUT(&job->statistics)));
  RG_TRY(rg_collection_create(&job->sites, job->statistics, c));
  RG_TRY(rg_arena_create(&run->arena));
  run->checkpoint = (rg_checkpoint){.key = rg_stats_key_of(job->model, &job->calibration), .interval = interval};
  RG_TRY(rg_arena_printf(run->arena, &run->checkpoint.path, "%s.part", path));
  return rg_checkpoint_resume(&run->checkpoint, c);
}

/* An embedding's readings change with the metric: the collection keeps them as they were, and beside it as they became.
 */
static rango_status collect_metric(calibration_run *run, int metric) {
  rg_job *job = &run->job;
  rg_collection *c = &run->collection;
  rg_calibration calibration = job->calibration;
  bool possible;
  calibration.class_scores = metric == RG_METRIC_CLASSES;
  for (size_t i = 0; i < job->sites.count; i++) {
    size_t bytes = (size_t)job->sites.items[i].inputs * sizeof(double);
    if (job->sites.items[i].kind != RG_SITE_EMBEDDING) continue;
    if (!c->readings[metric][i]) RG_TRY(rg_alloc(bytes, RG_OUT(&c->readings[metric][i])));
    memcpy(c->readings[metric][i], job->statistics[i].input_mean, bytes);
  }
  RG_TRY(rg_fisher_collect(job->model, &job->sites, &calibration, job->statistics, &possible));
  for (size_t i = 0; i < job->sites.count; i++) {
    rg_statistics *statistics = &job->statistics[i];
    double *before = c->readings[metric][i];
    c->metric[metric][i] = statistics->metric;
    statistics->metric = NULL;
    if (!before) continue;
    c->readings[metric][i] = statistics->input_mean;
    statistics->input_mean = before;
  }
  return RANGO_OK;
}

/* For both kinds of outputs, so that the file serves every budget. */
static rango_status collect_metrics(calibration_run *run) {
  rg_collection *c = &run->collection;
  while (c->metrics < RG_METRICS) {
    rg_job_stage(&run->job, 0.6 + 0.2 * (double)c->metrics, 0.8 + 0.2 * (double)c->metrics);
    RG_TRY(collect_metric(run, (int)c->metrics));
    c->metrics++;
    if (c->metrics < RG_METRICS) RG_TRY(rg_checkpoint_save(&run->checkpoint, c, false));
  }
  return RANGO_OK;
}

static rango_status collect(calibration_run *run, const char *path) {
  rg_job *job = &run->job;
  rg_job_stage(job, 0, 0.6);
  RG_TRY(rg_statistics_continue(job->model, &job->calibration, &run->collection, &run->checkpoint));
  rango_status status = collect_metrics(run);
  if (status == RANGO_ERROR_CANCELLED) RG_TRY(rg_checkpoint_save(&run->checkpoint, &run->collection, true));
  RG_TRY(status);
  RG_TRY(rg_stats_save(path, &run->checkpoint.key, &run->collection));
  unlink(run->checkpoint.path);
  return RANGO_OK;
}

static void run_free(calibration_run *run) {
  rg_collection_free(&run->collection);
  rg_arena_free(run->arena);
  rg_job_free(&run->job);
}

rango_status rg_calibrate(const rango_model *model, const rango_dataset *calib, const char *path,
                          const rango_calibrate_options *options, double interval) {
  RG_TRY(check(model, calib, path, options));
  rango_compress_options how = RANGO_COMPRESS_DEFAULTS;
  how.calib = calib;
  how.threads = options->threads;
  how.seed = options->seed;
  how.memory_bytes = options->memory_bytes;
  how.progress = options->progress;
  how.user = options->user;
  calibration_run run = {.job = {.options = &how, .method = rg_method_of(RANGO_METHOD_FISHER), .original = model}};
  int before = rg_linalg_set_threads(options->threads);
  rango_status status = prepare(&run, path, interval);
  if (status == RANGO_OK) status = collect(&run, path);
  run_free(&run);
  rg_linalg_set_threads(before);
  return status;
}

rango_status rango_calibrate(const rango_model *model, const rango_dataset *calib, const char *path,
                             const rango_calibrate_options *options) {
  return rg_calibrate(model, calib, path, options, INTERVAL);
}
