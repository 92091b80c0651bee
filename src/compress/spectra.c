/* rango_spectra: what the data and each layer's output look like. */
#include <math.h>
#include <string.h>

#include "compress/job.h"
#include "manifold/manifold.h"

#define ROWS_DEFAULT    1024
#define SPECTRUM_MEMORY (INT64_C(1) << 28) /* activations of a batch */

struct rango_spectra {
  rg_arena *arena;
  rango_spectrum input;
  rango_layer_spectrum *layers; /* in the arena */
  size_t count;
};

void rango_spectra_free(rango_spectra *spectra) {
  if (!spectra) return;
  rg_arena_free(spectra->arena);
  rg_free(spectra);
}

const rango_spectrum *rango_spectra_input(const rango_spectra *spectra) { return spectra ? &spectra->input : NULL; }

const rango_layer_spectrum *rango_spectra_layer(const rango_spectra *spectra, size_t index) {
  return spectra && index < spectra->count ? &spectra->layers[index] : NULL;
}

/* The first input that has rows, as far as `rows` reach. */
static rango_status data_spectrum(const rango_dataset *data, uint64_t seed, rango_spectrum *out) {
  rango_tensor **batch = NULL;
  RG_TRY(rg_calloc(data->count, sizeof *batch, RG_OUT(&batch)));
  rango_status status = rango_dataset_batch(data, 0, data->rows, batch, data->count);
  size_t first = 0;
  while (first + 1 < data->count && data->constant[first]) first++;
  if (status == RANGO_OK) {
    status = rango_spectrum_of_rows(batch[first], seed, out);
    rg_tensors_free(batch, data->count);
  }
  rg_free(batch);
  return status;
}

static rango_status first_rows(const rango_dataset *data, int64_t rows, rango_dataset **out) {
  int64_t group = data->fixed_batch ? data->fixed_batch : 1, *order = NULL;
  if (rows > data->rows) rows = data->rows;
  rows = (rows + group - 1) / group * group;
  RG_TRY(rg_alloc((size_t)rows * sizeof *order, RG_OUT(&order)));
  for (int64_t i = 0; i < rows; i++) order[i] = i;
  rango_status status = rg_dataset_subset(data, order, rows, out);
  rg_free(order);
  return status;
}

static rango_status layer_spectra(rg_sites *sites, const rg_statistics *statistics, uint64_t seed,
                                  rango_spectra *spectra) {
  spectra->count = sites->count;
  RG_TRY(rg_arena_calloc(spectra->arena, sites->count, sizeof *spectra->layers, RG_OUT(&spectra->layers)));
  for (size_t i = 0; i < sites->count; i++) {
    const rg_site *site = &sites->items[i];
    rango_layer_spectrum *layer = &spectra->layers[i];
    layer->rows_in = site->inputs;
    layer->columns_out = site->outputs;
    layer->output.struct_size = sizeof layer->output;
    RG_TRY(rg_arena_strndup(spectra->arena, site->name, strlen(site->name), &layer->name));
    RG_TRY(rg_arena_strndup(spectra->arena, site->op, strlen(site->op), &layer->op));
    rango_status status =
        rg_spectrum_of_matrix(statistics[i].outputs, statistics[i].rows, site->outputs, seed, &layer->output);
    if (status != RANGO_OK) return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
  }
  return RANGO_OK;
}

static rango_status collect(const rango_model *model, rg_calibration *calibration, uint64_t seed,
                            rango_spectra *spectra) {
  rango_model *copy = NULL;
  rg_sites sites = {0};
  int64_t inputs, frontier;
  rg_statistics *statistics = NULL;
  rango_status status;
  RG_TRY_DONE(rg_canonical_copy(model, &copy));
  RG_TRY_DONE(rg_sites_find(copy, &sites));
  RG_TRY_DONE(rg_measure_memory(copy, calibration->data, &sites, &inputs, &frontier));
  int64_t fitting = calibration->memory_bytes / inputs;
  if (calibration->batch > fitting && !calibration->data->fixed_batch) calibration->batch = fitting > 0 ? fitting : 1;
  calibration->batches = (calibration->data->rows + calibration->batch - 1) / calibration->batch;
  RG_TRY_DONE(rg_calloc(sites.count, sizeof *statistics, RG_OUT(&statistics)));
  RG_TRY_DONE(rg_statistics_collect(copy, &sites, calibration, statistics));
  RG_TRY_DONE(layer_spectra(&sites, statistics, seed, spectra));
done:
  for (size_t i = 0; statistics && i < sites.count; i++) rg_statistics_free(&statistics[i]);
  rg_free(statistics);
  rg_sites_free(&sites);
  rango_model_free(copy);
  return status;
}

rango_status rango_spectra_create(const rango_model *model, const rango_dataset *calib, int64_t rows, uint64_t seed,
                                  int threads, rango_progress_function progress, void *user, rango_spectra **out) {
  RG_FAIL_IF(!model || !calib || !out, RANGO_ERROR_ARGUMENT, "spectra: NULL argument");
  RG_FAIL_IF(rows < 0, RANGO_ERROR_ARGUMENT, "spectra: %lld rows", (long long)rows);
  *out = NULL;
  RG_TRY(rg_dataset_check_finite(calib, "calibration data"));
  rango_dataset *data = NULL;
  rango_threads *pool = NULL;
  rango_spectra *spectra = NULL;
  rango_status status;
  int before = rg_linalg_set_threads(threads);
  RG_TRY_DONE(rango_threads_create(threads, &pool));
  RG_TRY_DONE(first_rows(calib, rows ? rows : ROWS_DEFAULT, &data));
  RG_TRY_DONE(rg_calloc(1, sizeof *spectra, RG_OUT(&spectra)));
  RG_TRY_DONE(rg_arena_create(&spectra->arena));
  spectra->input.struct_size = sizeof spectra->input;
  RG_TRY_DONE(data_spectrum(data, seed, &spectra->input));
  rg_calibration calibration = {
      .data = data,
      .batch = rg_default_batch(data),
      .sampling = {seed, RG_MANIFOLD_ROWS},
      .memory_bytes = SPECTRUM_MEMORY,
      .means_only = true,
      .session = {.struct_size = sizeof calibration.session, .pool = pool},
      .progress = progress,
      .user = user,
  };
  RG_TRY_DONE(collect(model, &calibration, seed, spectra));
  *out = spectra;
  spectra = NULL;
done:
  rango_spectra_free(spectra);
  rango_dataset_free(data);
  rango_threads_free(pool);
  rg_linalg_set_threads(before);
  return status;
}
