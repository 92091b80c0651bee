/* Which rows of the data drive a layer farthest along its leading directions. */
#include <math.h>

#include "compress/portrait.h"

void rg_probe_free(rg_probe *probe) {
  rg_free(probe->weights);
  *probe = (rg_probe){0};
}

/* value = v . (W x + b - mean) / deviation: the weights are v W. */
static rango_status see_from_input(const rg_site *site, const rg_components *components, rg_probe *out) {
  int64_t n = site->outputs;
  float *v;
  RG_TRY(rg_alloc((size_t)(out->count * n) * sizeof *v, RG_OUT(&v)));
  for (int64_t i = 0; i < out->count * n; i++) {
    v[i] = (float)components->vectors[i];
    out->offset[i / n] += components->vectors[i] * (site->offset[i % n] - components->mean[i % n]);
  }
  rg_matmul_float(false, false, out->count, site->inputs, n, v, site->matrix, out->weights);
  rg_free(v);
  return RANGO_OK;
}

rango_status rg_probe_create(const rg_site *site, const rg_components *components, rg_probe *out) {
  int64_t inputs = site ? site->inputs : components->columns;
  *out = (rg_probe){.inputs = inputs, .count = components->leading};
  while (out->count && !(components->variances[out->count - 1] > 1e-12 * components->variances[0])) out->count--;
  RG_TRY(rg_alloc((size_t)(out->count * inputs) * sizeof(float), RG_OUT(&out->weights)));
  for (int64_t d = 0; d < out->count; d++) out->deviation[d] = sqrt(components->variances[d]);
  if (site) return see_from_input(site, components, out);
  for (int64_t d = 0; d < out->count; d++)
    for (int64_t i = 0; i < inputs; i++) {
      double v = components->vectors[d * inputs + i];
      out->weights[d * inputs + i] = (float)v;
      out->offset[d] -= v * components->mean[i];
    }
  return RANGO_OK;
}

/* Keeps the strongest, in descending order. */
static void keep(rg_probe *probe, int64_t d, int64_t row, int64_t place, double value) {
  int64_t at = probe->found < RG_PORTRAIT_SAMPLES ? probe->found : RG_PORTRAIT_SAMPLES;
  while (at > 0 && value > probe->best[d][at - 1].value) {
    if (at < RG_PORTRAIT_SAMPLES) probe->best[d][at] = probe->best[d][at - 1];
    at--;
  }
  if (at == RG_PORTRAIT_SAMPLES) return;
  probe->best[d][at].row = row;
  probe->best[d][at].place = place;
  probe->best[d][at].value = value;
}

rango_status rg_probe_look(rg_probe *probe, const float *x, int64_t first, int64_t rows, int64_t places) {
  float *z;
  int64_t k = probe->count;
  if (k == 0 || places == 0) return RANGO_OK;
  RG_TRY(rg_alloc((size_t)(rows * places * k) * sizeof *z, RG_OUT(&z)));
  rg_matmul_float(false, true, rows * places, k, probe->inputs, x, probe->weights, z);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t d = 0; d < k; d++) {
      int64_t place = 0;
      for (int64_t p = 1; p < places; p++)
        if (z[(i * places + p) * k + d] > z[(i * places + place) * k + d]) place = p;
      keep(probe, d, first + i, place, (z[(i * places + place) * k + d] + probe->offset[d]) / probe->deviation[d]);
    }
    if (probe->found < RG_PORTRAIT_SAMPLES) probe->found++;
  }
  rg_free(z);
  return RANGO_OK;
}

static rango_status look_at_batch(rg_site *site, const rango_tensor *input, const rg_calibration *calibration,
                                  int64_t batch, rg_probe *probe) {
  int64_t first = batch * calibration->batch, rows = calibration->batch, available;
  if (first + rows > calibration->data->rows) rows = calibration->data->rows - first;
  RG_TRY(rg_site_measure(site, input, rows, &available));
  if (available % rows) return RANGO_OK;
  float *x;
  RG_TRY(rg_alloc((size_t)(available * site->inputs) * sizeof *x, RG_OUT(&x)));
  rango_status status = rg_site_gather(site, input, NULL, available, x);
  if (status == RANGO_OK) status = rg_probe_look(probe, x, first, rows, available / rows);
  rg_free(x);
  return status;
}

/* One row a batch where the model lets: then all that a layer reads belongs to that row, whatever its axes mean. */
rango_status rg_probes_scan(const rango_model *model, rg_sites *sites, const rg_calibration *calibration, int64_t rows,
                            rg_probe *probes) {
  rg_calibration c = *calibration;
  rg_frontier frontier = {0};
  rango_status status = RANGO_OK;
  c.batch = rg_dataset_batch_rows(c.data, 1);
  c.batches = (rows < c.data->rows ? rows : c.data->rows) / c.batch;
  if (c.batches == 0) return RANGO_OK;
  RG_TRY(rg_frontier_start(model, &c, &frontier));
  for (size_t i = 0; i < sites->count; i++) {
    rg_site *site = &sites->items[i];
    RG_TRY_DONE(rg_calibration_progress(calibration, (double)i / (double)sites->count, "looking for telling samples"));
    if (probes[i].inputs == 0) continue;
    RG_TRY_DONE(rg_frontier_advance(&frontier, model, site->begin, NULL, NULL, &c.session));
    for (int64_t batch = 0; batch < c.batches; batch++) {
      const rango_tensor *input = rg_frontier_value(&frontier, batch, site->input);
      if (input) RG_TRY_DONE(look_at_batch(site, input, &c, batch, &probes[i]));
    }
  }
done:
  rg_frontier_free(&frontier);
  return status;
}
