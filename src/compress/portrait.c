/* Portraits of the data and of every layer: their spectrum, and their leading directions as pictures. */
#include <string.h>

#include "compress/job.h"
#include "compress/portrait.h"
#include "manifold/manifold.h"

#define ELEMENTS_MAX (INT64_C(1) << 25) /* of the samples that components are taken of */
#define ROWS_MIN     64
#define SCANNED_MACS 2e11
#define SCANNED_MIN  16

/* What the portraits of one call share. */
typedef struct gallery {
  const rango_model *model;
  const rango_dataset *data;
  rg_arena *arena;
  uint64_t seed;
  bool has_view;
  rg_view view;
  rango_picture *pictures; /* [data rows] made when first wanted */
  int64_t scanned;         /* rows that samples are looked for in */
} gallery;

/* ---- spectrum and components ---- */

int64_t rg_portrait_rows(int64_t count, int64_t columns) {
  int64_t limit = columns > RG_MANIFOLD_WIDE ? RG_MANIFOLD_ROWS_WIDE : RG_MANIFOLD_ROWS;
  if (columns > 0 && limit > ELEMENTS_MAX / columns) limit = ELEMENTS_MAX / columns;
  if (limit < ROWS_MIN) limit = ROWS_MIN;
  return count < limit ? count : limit;
}

static rango_status copy_shares(const rg_components *components, gallery *g, rango_portrait *out) {
  double total = 0, *shares = NULL;
  RG_TRY(rg_arena_alloc(g->arena, (size_t)components->count * sizeof *shares, RG_OUT(&shares)));
  for (int64_t i = 0; i < components->count; i++) total += components->variances[i];
  for (int64_t i = 0; i < components->count; i++) shares[i] = total > 0 ? components->variances[i] / total : 0;
  out->shares = shares;
  out->share_count = (size_t)components->count;
  return RANGO_OK;
}

static rango_status take_components(gallery *g, const float *rows, int64_t count, int64_t columns, rango_portrait *out,
                                    rg_components *components) {
  RG_TRY(rg_components_of(rows, count, columns, RG_PORTRAIT_DIRECTIONS, components));
  return copy_shares(components, g, out);
}

/* Of rows [count][columns], of which evenly spaced ones are taken where they are many. */
static rango_status portray_rows(gallery *g, const float *rows, int64_t count, int64_t columns, rango_portrait *out,
                                 rg_components *components) {
  int64_t used = rg_portrait_rows(count, columns);
  float *taken = NULL;
  rango_status status;
  *components = (rg_components){0};
  out->spectrum.struct_size = sizeof out->spectrum;
  RG_TRY_DONE(rg_alloc((size_t)(used * columns) * sizeof *taken, RG_OUT(&taken)));
  for (int64_t i = 0; i < used; i++)
    memcpy(taken + i * columns, rows + i * count / used * columns, (size_t)columns * sizeof *taken);
  RG_TRY_DONE(rg_spectrum_of_matrix(taken, used, columns, g->seed, &out->spectrum));
  RG_TRY_DONE(take_components(g, taken, used, columns, out, components));
done:
  rg_free(taken);
  return status;
}

/* ---- directions ---- */

static rango_status picture_of_row(gallery *g, int64_t row, rango_picture *out) {
  if (!g->has_view) return RANGO_OK;
  if (!g->pictures[row].values) RG_TRY(rg_view_picture(&g->view, g->data, row, g->arena, &g->pictures[row]));
  *out = g->pictures[row];
  return RANGO_OK;
}

static int clamp(int64_t value, int64_t low, int64_t high) {
  return (int)(value < low ? low : value > high ? high : value);
}

/* Pixels [begin, end) of `size` after shrinking. */
static void shrink_range(int64_t begin, int64_t end, int64_t size, int64_t shrink, int *first, int *length) {
  int last = clamp((end + shrink - 1) / shrink, 1, (size + shrink - 1) / shrink);
  *first = clamp(begin / shrink, 0, last - 1);
  *length = last - *first;
}

/* The window that a convolution on the data reads; for one deeper, the part of the picture that lies at its place. */
static void frame(const gallery *g, const rg_site *site, bool reads_data, int64_t place, rango_excitation *out) {
  const rg_view *view = &g->view;
  if (!site || site->kind != RG_SITE_CONV || site->output_h * site->output_w < 2) return;
  int64_t y = place / site->output_w, x = place % site->output_w, last = site->spatial - 1;
  const rg_window *w = &site->window;
  int64_t top = y * view->height / site->output_h, bottom = (y + 1) * view->height / site->output_h;
  int64_t left = x * view->width / site->output_w, right = (x + 1) * view->width / site->output_w;
  if (reads_data) {
    top = site->spatial == 2 ? y * w->stride[0] - w->pad_begin[0] : 0;
    bottom = top + (site->spatial == 2 ? (site->kernel_h - 1) * w->dilation[0] : 0) + 1;
    left = x * w->stride[last] - w->pad_begin[last];
    right = left + (site->kernel_w - 1) * w->dilation[last] + 1;
  }
  shrink_range(top, bottom, view->height, view->shrink, &out->top, &out->height);
  shrink_range(left, right, view->width, view->shrink, &out->left, &out->width);
}

static rango_status fill_samples(gallery *g, const rg_site *site, bool reads_data, const rg_probe *probe, int64_t d,
                                 rango_direction *out) {
  rango_excitation *samples = NULL;
  RG_TRY(rg_arena_calloc(g->arena, (size_t)probe->found, sizeof *samples, RG_OUT(&samples)));
  for (int64_t i = 0; i < probe->found; i++) {
    int64_t row = probe->best[d][i].row;
    samples[i].row = g->data->order ? g->data->order[row] : row;
    samples[i].value = probe->best[d][i].value;
    RG_TRY(picture_of_row(g, row, &samples[i].picture));
    if (g->has_view) frame(g, site, reads_data, probe->best[d][i].place, &samples[i]);
  }
  out->samples = samples;
  out->sample_count = (size_t)probe->found;
  return RANGO_OK;
}

/* `site` NULL: the data's own. */
static rango_status fill_directions(gallery *g, const rg_site *site, const rg_probe *probe, rango_portrait *out) {
  rango_direction *directions = NULL;
  double *weights = NULL;
  bool reads_data = g->has_view && (!site || rg_view_is_read_by(&g->view, g->model, site));
  rango_status status = RANGO_OK;
  RG_TRY(rg_arena_calloc(g->arena, (size_t)probe->count, sizeof *directions, RG_OUT(&directions)));
  RG_TRY(rg_alloc((size_t)probe->inputs * sizeof *weights, RG_OUT(&weights)));
  for (int64_t d = 0; d < probe->count; d++) {
    for (int64_t i = 0; i < probe->inputs; i++) weights[i] = probe->weights[d * probe->inputs + i];
    directions[d].share = out->shares[d];
    if (reads_data && site)
      RG_TRY_DONE(rg_view_weights(&g->view, site, weights, g->arena, &directions[d].picture));
    else if (reads_data)
      RG_TRY_DONE(rg_view_of_numbers(&g->view, weights, g->arena, &directions[d].picture));
    RG_TRY_DONE(fill_samples(g, site, reads_data, probe, d, &directions[d]));
  }
  out->directions = directions;
  out->direction_count = (size_t)probe->count;
done:
  rg_free(weights);
  return status;
}

/* ---- the data ---- */

/* The first input that has rows, as floats [*rows][*columns]: at most as many rows as components are taken of. */
static rango_status data_rows(const rango_dataset *data, float **out, int64_t *rows, int64_t *columns, bool *numbers) {
  size_t input = 0;
  int64_t count;
  while (input + 1 < data->count && data->constant[input]) input++;
  const rango_tensor *array = &data->items[input];
  RG_TRY(rg_shape_count(&array->shape, &count));
  *columns = array->shape.rank && array->shape.dims[0] ? count / array->shape.dims[0] : 0;
  *rows =
      *columns && !data->constant[input] && array->type != RANGO_STRING ? rg_portrait_rows(data->rows, *columns) : 0;
  *numbers = rg_type_is_float(array->type);
  RG_TRY(rg_alloc((size_t)(*rows * *columns) * sizeof **out, RG_OUT(out)));
  for (int64_t i = 0; i < *rows; i++) {
    int64_t from = (data->order ? data->order[i] : i) * *columns;
    for (int64_t j = 0; j < *columns; j++) (*out)[i * *columns + j] = (float)rg_tensor_get_double(array, from + j);
  }
  return RANGO_OK;
}

/* plane [count][2]: the rows' places along the first two components. */
static void place(const float *rows, int64_t count, const rg_components *c, float *plane) {
  for (int64_t i = 0; i < count; i++)
    for (int64_t d = 0; d < 2; d++) {
      double along = 0;
      for (int64_t j = 0; d < c->leading && j < c->columns; j++)
        along += c->vectors[d * c->columns + j] * (rows[i * c->columns + j] - c->mean[j]);
      plane[2 * i + d] = (float)along;
    }
}

/* Integers that aren't pictures are names of things: nothing runs along a direction of them. `spectrum`: the data's,
 * where it is known (NULL: not); `plane` [rows][2] or NULL. */
static rango_status portray_data(gallery *g, const rango_spectrum *spectrum, rango_portrait *out, float *plane) {
  int64_t rows, columns;
  bool numbers;
  float *values = NULL;
  rg_components components = {0};
  rg_probe probe = {0};
  rango_status status;
  RG_TRY_DONE(data_rows(g->data, &values, &rows, &columns, &numbers));
  if (spectrum) {
    out->spectrum = *spectrum;
    RG_TRY_DONE(take_components(g, values, rows, columns, out, &components));
  } else {
    RG_TRY_DONE(portray_rows(g, values, rows, columns, out, &components));
  }
  if (plane) place(values, rows, &components, plane);
  if (!numbers && !g->has_view) goto done;
  RG_TRY_DONE(rg_probe_create(NULL, &components, &probe));
  RG_TRY_DONE(rg_probe_look(&probe, values, 0, rows < g->scanned ? rows : g->scanned, 1));
  RG_TRY_DONE(fill_directions(g, NULL, &probe, out));
done:
  rg_free(values);
  rg_components_free(&components);
  rg_probe_free(&probe);
  return status;
}

/* ---- the layers ---- */

static rango_status portray_layers(gallery *g, rg_sites *sites, const rg_statistics *statistics,
                                   const rg_calibration *calibration, rango_portrait *layers) {
  rg_probe *probes = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc(sites->count, sizeof *probes, RG_OUT(&probes)));
  for (size_t i = 0; i < sites->count; i++) {
    const rg_site *site = &sites->items[i];
    rg_components components;
    RG_TRY_DONE(rg_calibration_progress(calibration, (double)i / (double)sites->count, "taking portraits of layers"));
    bool table = site->kind == RG_SITE_EMBEDDING; /* whose rows are its outputs, and pictures of nothing */
    const float *outputs = table ? site->weight->data : statistics[i].outputs;
    int64_t rows = table ? site->inputs : outputs ? statistics[i].rows : 0;
    status = portray_rows(g, outputs, rows, site->outputs, &layers[i], &components);
    if (status == RANGO_OK && rows > 0 && !table) status = rg_probe_create(site, &components, &probes[i]);
    rg_components_free(&components);
    if (status != RANGO_OK) {
      rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
      goto done;
    }
  }
  RG_TRY_DONE(rg_probes_scan(g->model, sites, calibration, g->scanned, probes));
  for (size_t i = 0; i < sites->count; i++) RG_TRY_DONE(fill_directions(g, &sites->items[i], &probes[i], &layers[i]));
done:
  for (size_t i = 0; probes && i < sites->count; i++) rg_probe_free(&probes[i]);
  rg_free(probes);
  return status;
}

/* As many rows as time and memory have room for: all that crosses a cut between layers is kept at once. */
static rango_status rows_to_scan(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                                 int64_t *rows) {
  int64_t params, macs, inputs, frontier;
  RG_TRY(rg_count_model(model, calibration->data, &params, &macs));
  RG_TRY(rg_measure_memory(model, calibration->data, sites, &inputs, &frontier, NULL));
  *rows = macs > 0 && SCANNED_MACS / (double)macs < RG_PORTRAIT_SCANNED ? (int64_t)(SCANNED_MACS / (double)macs)
                                                                        : RG_PORTRAIT_SCANNED;
  if (*rows < SCANNED_MIN) *rows = SCANNED_MIN;
  if (*rows > calibration->memory_bytes / 2 / frontier) *rows = calibration->memory_bytes / 2 / frontier;
  if (*rows < 1) *rows = 1;
  return RANGO_OK;
}

rango_status rg_portraits_collect(const rango_model *model, rg_sites *sites, const rg_calibration *calibration,
                                  rg_arena *arena, rg_portraits *out) {
  gallery g = {.model = model, .data = calibration->data, .arena = arena, .seed = calibration->sampling.seed};
  rg_statistics *statistics = NULL;
  rango_status status;
  *out = (rg_portraits){0};
  g.has_view = rg_view_find(g.data, &g.view);
  RG_TRY_DONE(rows_to_scan(model, sites, calibration, &g.scanned));
  RG_TRY_DONE(rg_calloc((size_t)g.data->rows, sizeof *g.pictures, RG_OUT(&g.pictures)));
  RG_TRY_DONE(rg_arena_calloc(arena, sites->count, sizeof *out->layers, RG_OUT(&out->layers)));
  RG_TRY_DONE(portray_data(&g, NULL, &out->data, NULL));
  RG_TRY_DONE(rg_calloc(sites->count, sizeof *statistics, RG_OUT(&statistics)));
  RG_TRY_DONE(rg_statistics_collect(model, sites, calibration, statistics, NULL, NULL));
  RG_TRY_DONE(portray_layers(&g, sites, statistics, calibration, out->layers));
done:
  for (size_t i = 0; statistics && i < sites->count; i++) rg_statistics_free(&statistics[i]);
  rg_free(statistics);
  rg_free(g.pictures);
  return status;
}

rango_status rg_portrait_of_samples(const rango_dataset *data, const rango_spectrum *spectrum, rg_arena *arena,
                                    rango_portrait *out, float *plane) {
  gallery g = {.data = data, .arena = arena, .scanned = data->rows};
  g.has_view = rg_view_find(data, &g.view);
  RG_TRY(rg_calloc((size_t)data->rows, sizeof *g.pictures, RG_OUT(&g.pictures)));
  rango_status status = portray_data(&g, spectrum, out, plane);
  rg_free(g.pictures);
  return status;
}
