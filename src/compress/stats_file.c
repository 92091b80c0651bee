#include "compress/stats_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "compress/fingerprint.h"
#include "compress/job.h"
#include "compress/store.h"

#define SHARE 20 /* writing a checkpoint takes at most one part in so many of the time */

rg_stats_key rg_stats_key_of(const rango_model *model, const rg_calibration *calibration) {
  return (rg_stats_key){.model = rg_model_fingerprint(model),
                        .data = rg_dataset_fingerprint(calibration->data),
                        .rows = calibration->data->rows,
                        .seed = (int64_t)calibration->sampling.seed,
                        .batch = calibration->batch,
                        .sampled = calibration->sampling.wanted};
}

rango_status rg_collection_create(rg_sites *sites, rg_statistics *statistics, rg_collection *out) {
  *out = (rg_collection){.sites = sites, .statistics = statistics};
  RG_TRY(rg_calloc(sites->count, sizeof *out->moments, RG_OUT(&out->moments)));
  for (int metric = 0; metric < RG_METRICS; metric++) {
    RG_TRY(rg_calloc(sites->count, sizeof(double *), RG_OUT(&out->metric[metric])));
    RG_TRY(rg_calloc(sites->count, sizeof(double *), RG_OUT(&out->readings[metric])));
  }
  return RANGO_OK;
}

static void free_arrays(double **arrays, size_t count) {
  for (size_t i = 0; arrays && i < count; i++) rg_free(arrays[i]);
  rg_free(arrays);
}

void rg_collection_free(rg_collection *c) {
  size_t count = c->sites ? c->sites->count : 0;
  for (size_t i = 0; c->moments && i < count; i++) rg_moments_free(&c->moments[i]);
  rg_free(c->moments);
  for (int metric = 0; metric < RG_METRICS; metric++) {
    free_arrays(c->metric[metric], count);
    free_arrays(c->readings[metric], count);
  }
  *c = (rg_collection){0};
}

bool rg_collection_is_finished(const rg_collection *collection) {
  return collection->begin == (int64_t)collection->sites->count && collection->metrics == RG_METRICS;
}

/* ---- what is in the file, written and read alike ---- */

/* What the collection finds out about a site. */
static rango_status store_site(rg_store *store, rg_site *site) {
  int64_t *facts[] = {&site->positions, &site->input_h, &site->input_w, &site->output_h, &site->output_w};
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) RG_TRY(rg_store_item(store, facts[i], sizeof **facts));
  return rg_store_item(store, &site->skip, sizeof site->skip);
}

/* A symmetric matrix [n][n] (NULL: none): its lower triangle, row by row; both are read. */
static rango_status store_symmetric(rg_store *store, double **matrix, int64_t n) {
  int64_t present = *matrix != NULL;
  RG_TRY(rg_store_item(store, &present, sizeof present));
  if (!present) return RANGO_OK;
  bool reading = rg_store_is_reading(store);
  if (reading) RG_TRY(rg_alloc((size_t)(n * n) * sizeof **matrix, RG_OUT(matrix)));
  double *a = *matrix;
  for (int64_t i = 0; i < n; i++) {
    RG_TRY(rg_store_item(store, a + i * n, (size_t)(i + 1) * sizeof *a));
    for (int64_t j = 0; reading && j < i; j++) a[j * n + i] = a[i * n + j];
  }
  return RANGO_OK;
}

static rango_status store_statistics(rg_store *store, const rg_site *site, rg_statistics *s) {
  int64_t m = site->inputs, n = site->outputs, outputs;
  RG_TRY(rg_store_item(store, &s->rows, sizeof s->rows));
  RG_FAIL_IF(s->rows < 0 || !rg_mul_i64(s->rows, n, &outputs), RANGO_ERROR_FORMAT, "%s: %lld rows",
             rg_store_path(store), (long long)s->rows);
  RG_TRY(rg_store_array(store, RG_OUT(&s->outputs), outputs, sizeof *s->outputs));
  RG_TRY(rg_store_array(store, RG_OUT(&s->skip), outputs, sizeof *s->skip));
  RG_TRY(rg_store_array(store, RG_OUT(&s->input_mean), m, sizeof *s->input_mean));
  RG_TRY(rg_store_array(store, RG_OUT(&s->output_mean), n, sizeof *s->output_mean));
  return store_symmetric(store, &s->input_covariance, m);
}

static rango_status store_moments(rg_store *store, const rg_site *site, rg_moments *moments) {
  moments->n = site->inputs;
  RG_TRY(rg_store_item(store, &moments->count, sizeof moments->count));
  RG_TRY(rg_store_array(store, RG_OUT(&moments->shift), moments->n, sizeof *moments->shift));
  RG_TRY(rg_store_array(store, RG_OUT(&moments->sum), moments->n, sizeof *moments->sum));
  return store_symmetric(store, &moments->gram, moments->n);
}

static rango_status store_progress(rg_store *store, rg_collection *c) {
  int64_t *numbers[] = {&c->begin, &c->end, &c->batch, &c->metrics}, count = (int64_t)c->sites->count;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    RG_TRY(rg_store_item(store, numbers[i], sizeof **numbers));
  RG_FAIL_IF(c->begin < 0 || c->end < c->begin || c->end > count || c->batch < 0 || c->metrics < 0 ||
                 c->metrics > RG_METRICS,
             RANGO_ERROR_FORMAT, "%s: not what this model's statistics hold", rg_store_path(store));
  return RANGO_OK;
}

static rango_status store_collection(rg_store *store, rg_collection *c) {
  RG_TRY(store_progress(store, c));
  for (int64_t i = 0; i < c->end; i++) {
    RG_TRY(store_site(store, &c->sites->items[i]));
    RG_TRY(store_statistics(store, &c->sites->items[i], &c->statistics[i]));
    if (i >= c->begin) RG_TRY(store_moments(store, &c->sites->items[i], &c->moments[i]));
  }
  for (int64_t metric = 0; metric < c->metrics; metric++)
    for (size_t i = 0; i < c->sites->count; i++) {
      int64_t n = c->sites->items[i].outputs;
      RG_TRY(rg_store_array(store, RG_OUT(&c->metric[metric][i]), n * n, sizeof(double)));
      RG_TRY(rg_store_array(store, RG_OUT(&c->readings[metric][i]), c->sites->items[i].inputs, sizeof(double)));
    }
  return rg_store_finish(store);
}

rango_status rg_stats_save(const char *path, const rg_stats_key *key, rg_collection *collection) {
  rg_store *store = NULL;
  rg_stats_key copy = *key;
  rango_status status;
  RG_TRY_DONE(rg_store_write(path, &store));
  RG_TRY_DONE(rg_store_item(store, &copy, sizeof copy));
  RG_TRY_DONE(store_collection(store, collection));
done:
  rg_store_free(store);
  return status;
}

/* ---- finished statistics ---- */

static rango_status check_key(const char *path, const rg_stats_key *is, const rg_stats_key *wanted) {
  RG_FAIL_IF(is->model != wanted->model, RANGO_ERROR_ARGUMENT, "%s: the statistics of another model", path);
  RG_FAIL_IF(is->rows != wanted->rows, RANGO_ERROR_ARGUMENT,
             "%s: the statistics of other calibration data: %lld rows, not %lld", path, (long long)is->rows,
             (long long)wanted->rows);
  RG_FAIL_IF(is->data != wanted->data, RANGO_ERROR_ARGUMENT, "%s: the statistics of other calibration data", path);
  RG_FAIL_IF(is->seed != wanted->seed, RANGO_ERROR_ARGUMENT, "%s: made with the seed %lld, not %lld", path,
             (long long)is->seed, (long long)wanted->seed);
  RG_FAIL_IF(is->batch != wanted->batch || is->sampled != wanted->sampled, RANGO_ERROR_ARGUMENT,
             "%s: made under another bound on memory", path);
  return RANGO_OK;
}

/* Moves the metric that is wanted, and what goes with it, to where the others are. */
static void take_metric(rg_collection *c, int metric) {
  for (size_t i = 0; metric < RG_METRICS && i < c->sites->count; i++) {
    rg_statistics *statistics = &c->statistics[i];
    statistics->metric = c->metric[metric][i];
    c->metric[metric][i] = NULL;
    if (!c->readings[metric][i]) continue;
    rg_free(statistics->input_mean);
    statistics->input_mean = c->readings[metric][i];
    c->readings[metric][i] = NULL;
  }
}

rango_status rg_stats_load(const char *path, const rg_stats_key *key, rg_sites *sites, int metric,
                           rg_statistics *statistics) {
  rg_store *store = NULL;
  rg_stats_key found;
  rg_collection c;
  rango_status status;
  RG_TRY_DONE(rg_collection_create(sites, statistics, &c));
  RG_TRY_DONE(rg_store_read(path, &store));
  RG_TRY_DONE(rg_store_item(store, &found, sizeof found));
  RG_TRY_DONE(check_key(path, &found, key));
  RG_TRY_DONE(store_collection(store, &c));
  if (rg_collection_is_finished(&c))
    take_metric(&c, metric);
  else
    status = rg_fail(RANGO_ERROR_FORMAT, "%s: a calibration that was not finished", path);
done:
  rg_collection_free(&c);
  rg_store_free(store);
  return status;
}

/* ---- a collection on its way ---- */

rango_status rg_checkpoint_resume(rg_checkpoint *checkpoint, rg_collection *collection) {
  rg_store *store = NULL;
  rg_stats_key found;
  rango_status status;
  checkpoint->written = rg_now();
  if (access(checkpoint->path, F_OK) != 0 && errno == ENOENT) return RANGO_OK;
  RG_TRY_DONE(rg_store_read(checkpoint->path, &store));
  RG_TRY_DONE(rg_store_item(store, &found, sizeof found));
  if (memcmp(&found, &checkpoint->key, sizeof found) == 0) RG_TRY_DONE(store_collection(store, collection));
done:
  if (status != RANGO_OK)
    rg_fail_context(status, "an interrupted calibration can't be continued (delete its file to begin anew)");
  rg_store_free(store);
  return status;
}

rango_status rg_checkpoint_save(rg_checkpoint *checkpoint, rg_collection *collection, bool at_once) {
  double start = rg_now(), since = start - checkpoint->written;
  if (!at_once && (since < checkpoint->interval || since < SHARE * checkpoint->spent)) return RANGO_OK;
  RG_TRY(rg_stats_save(checkpoint->path, &checkpoint->key, collection));
  checkpoint->written = rg_now();
  checkpoint->spent = checkpoint->written - start;
  return RANGO_OK;
}
