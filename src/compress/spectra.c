/* rango_spectra: what the data and each layer's output look like. */
#include <math.h>
#include <string.h>

#include "compress/job.h"
#include "compress/left_alone.h"
#include "compress/portrait.h"
#include "manifold/manifold.h"

#define ROWS_DEFAULT    1024
#define SPECTRUM_MEMORY (INT64_C(1) << 28) /* activations of a batch */

struct rango_spectra {
  rg_arena *arena;
  rango_portrait data;
  rango_layer_spectrum *layers; /* in the arena */
  size_t count;
  rg_left_alone left_alone; /* texts in the arena */
};

void rango_spectra_free(rango_spectra *spectra) {
  if (!spectra) return;
  rg_arena_free(spectra->arena);
  rg_free(spectra->left_alone.items);
  rg_free(spectra);
}

const rango_spectrum *rango_spectra_input(const rango_spectra *spectra) {
  return spectra ? &spectra->data.spectrum : NULL;
}

const rango_portrait *rango_spectra_data(const rango_spectra *spectra) { return spectra ? &spectra->data : NULL; }

const rango_layer_spectrum *rango_spectra_layer(const rango_spectra *spectra, size_t index) {
  return spectra && index < spectra->count ? &spectra->layers[index] : NULL;
}

const rango_left_alone *rango_spectra_left_alone(const rango_spectra *spectra, size_t index) {
  return spectra && index < spectra->left_alone.count ? &spectra->left_alone.items[index] : NULL;
}

static rango_status fill_layers(const rg_sites *sites, const rango_portrait *portraits, rango_spectra *spectra) {
  spectra->count = sites->count;
  RG_TRY(rg_arena_calloc(spectra->arena, sites->count, sizeof *spectra->layers, RG_OUT(&spectra->layers)));
  for (size_t i = 0; i < sites->count; i++) {
    const rg_site *site = &sites->items[i];
    rango_layer_spectrum *layer = &spectra->layers[i];
    layer->rows_in = site->inputs / site->groups;
    layer->columns_out = site->outputs;
    layer->output = portraits[i].spectrum;
    layer->portrait = &portraits[i];
    RG_TRY(rg_arena_strndup(spectra->arena, site->name, strlen(site->name), &layer->name));
    RG_TRY(rg_arena_strndup(spectra->arena, site->op, strlen(site->op), &layer->op));
  }
  return RANGO_OK;
}

static rango_status collect(const rango_model *model, rg_calibration *calibration, rango_spectra *spectra) {
  rango_model *copy = NULL;
  rg_sites sites = {0};
  int64_t inputs, frontier;
  rg_portraits portraits;
  rango_status status;
  RG_TRY_DONE(rg_canonical_copy(model, &copy));
  RG_TRY_DONE(rg_sites_find(copy, &sites));
  RG_TRY_DONE(rg_measure_memory(copy, calibration->data, &sites, &inputs, &frontier, NULL));
  int64_t fitting = calibration->memory_bytes / inputs;
  if (calibration->batch > fitting && !calibration->data->fixed_batch) calibration->batch = fitting > 0 ? fitting : 1;
  calibration->batches = (calibration->data->rows + calibration->batch - 1) / calibration->batch;
  RG_TRY_DONE(rg_portraits_collect(copy, &sites, calibration, spectra->arena, &portraits));
  spectra->data = portraits.data;
  RG_TRY_DONE(fill_layers(&sites, portraits.layers, spectra));
  RG_TRY_DONE(rg_left_alone_find(copy, &sites, spectra->arena, &spectra->left_alone));
done:
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
  RG_TRY_DONE(rg_dataset_first_rows(calib, rows ? rows : ROWS_DEFAULT, &data));
  RG_TRY_DONE(rg_calloc(1, sizeof *spectra, RG_OUT(&spectra)));
  RG_TRY_DONE(rg_arena_create(&spectra->arena));
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
  RG_TRY_DONE(collect(model, &calibration, spectra));
  *out = spectra;
  spectra = NULL;
done:
  rango_spectra_free(spectra);
  rango_dataset_free(data);
  rango_threads_free(pool);
  rg_linalg_set_threads(before);
  return status;
}
