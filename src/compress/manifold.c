/* rango_manifold: what samples look like without a model, and their projection to few coordinates. */
#include "manifold/manifold.h"
#include "compress/portrait.h"

struct rango_manifold {
  rango_spectrum spectrum;
  rango_projection projection; /* coordinates 0: none */
  rango_tensor *projected;
  rango_portrait portrait;
  rango_tensor *plane; /* NULL: no portrait */
  rg_arena *arena;     /* of the portrait */
};

void rango_manifold_free(rango_manifold *manifold) {
  if (!manifold) return;
  rango_tensor_free(manifold->projected);
  rango_tensor_free(manifold->plane);
  rg_arena_free(manifold->arena);
  rg_free(manifold);
}

const rango_spectrum *rango_manifold_spectrum(const rango_manifold *manifold) {
  return manifold ? &manifold->spectrum : NULL;
}

const rango_projection *rango_manifold_projection(const rango_manifold *manifold) {
  return manifold && manifold->projection.coordinates ? &manifold->projection : NULL;
}

const rango_tensor *rango_manifold_projected(const rango_manifold *manifold) {
  return manifold ? manifold->projected : NULL;
}

const rango_portrait *rango_manifold_portrait(const rango_manifold *manifold) {
  return manifold && manifold->plane ? &manifold->portrait : NULL;
}

const rango_tensor *rango_manifold_plane(const rango_manifold *manifold) { return manifold ? manifold->plane : NULL; }

/* The first two of each sample's coordinates. */
static void take_plane(const rango_tensor *projected, const rango_dataset *samples, float *plane) {
  const float *from = projected->data;
  int64_t columns = projected->shape.dims[1];
  for (int64_t i = 0; i < samples->rows; i++)
    for (int64_t j = 0; j < 2; j++) plane[2 * i + j] = from[samples->order[i] * columns + j];
}

static rango_status portray(const rango_tensor *samples, uint64_t seed, rango_manifold *manifold) {
  bool constant = false;
  rango_tensor array = *samples;
  rango_dataset data = {.count = 1, .items = &array, .constant = &constant};
  int64_t total = samples->shape.dims[0];
  rango_status status;
  data.rows = rg_portrait_rows(manifold->spectrum.rows, manifold->spectrum.dimension);
  RG_TRY_DONE(rg_arena_create(&manifold->arena));
  RG_TRY_DONE(rg_alloc((size_t)total * sizeof *data.order, RG_OUT(&data.order)));
  rg_draw_rows(data.order, total, data.rows, seed);
  RG_TRY_DONE(rango_tensor_create(RANGO_FLOAT32, 2, (int64_t[]){data.rows, 2}, &manifold->plane));
  float *plane = rango_tensor_data_mut(manifold->plane);
  RG_TRY_DONE(rg_portrait_of_samples(&data, &manifold->spectrum, manifold->arena, &manifold->portrait, plane));
  if (manifold->projection.coordinates >= 2) take_plane(manifold->projected, &data, plane);
done:
  rg_free(data.order);
  return status;
}

rango_status rango_manifold_create(const rango_tensor *samples, const rango_manifold_options *options,
                                   rango_manifold **out) {
  RG_FAIL_IF(!samples || !options || !out, RANGO_ERROR_ARGUMENT, "manifold: NULL argument");
  RG_FAIL_IF(options->struct_size < sizeof *options, RANGO_ERROR_ARGUMENT, "manifold: struct_size is not set");
  RG_FAIL_IF(options->project < 0, RANGO_ERROR_ARGUMENT, "manifold: projection to %lld coordinates",
             (long long)options->project);
  *out = NULL;
  rango_manifold *manifold = NULL;
  rango_status status;
  int before = rg_linalg_set_threads(options->threads);
  RG_TRY_DONE(rg_calloc(1, sizeof *manifold, RG_OUT(&manifold)));
  manifold->spectrum.struct_size = sizeof manifold->spectrum;
  RG_TRY_DONE(rango_spectrum_of_rows(samples, options->seed, &manifold->spectrum));
  if (options->project) RG_TRY_DONE(rg_project_samples(samples, options, &manifold->projection, &manifold->projected));
  if (options->portrait) RG_TRY_DONE(portray(samples, options->seed, manifold));
  *out = manifold;
  manifold = NULL;
done:
  rango_manifold_free(manifold);
  rg_linalg_set_threads(before);
  return status;
}
