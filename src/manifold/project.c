/* Linear projections of samples to few coordinates. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "linalg/linalg.h"
#include "manifold/whitney.h"
#include "tensor/tensor.h"

#define COMPONENTS_MOST 256     /* principal components within which secants are looked at */
#define SECANT_NUMBERS  2000000 /* in all secants */
#define SECANTS_LEAST   4000
#define NEIGHBOURS      10

/* Scores of the samples on their leading principal components, which is where everything else happens. */
typedef struct scores {
  int64_t rows, components;
  double *values; /* [rows][components] */
  double total;   /* variance of the samples */
} scores;

static rango_status take_scores(const double *points, int64_t rows, int64_t columns, scores *out) {
  int64_t n = rows < columns ? rows : columns;
  double *gram = NULL, *variances = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)n * sizeof *variances, RG_OUT(&variances)));
  if (rows < columns)
    rg_matmul(false, true, rows, rows, columns, 1.0, points, points, 0.0, gram);
  else
    rg_matmul(true, false, columns, columns, rows, 1.0, points, points, 0.0, gram);
  RG_TRY_DONE(rg_eigen_symmetric(gram, n, variances));
  int64_t kept = n < COMPONENTS_MOST ? n : COMPONENTS_MOST;
  while (kept > 1 && !(variances[kept - 1] > 1e-12 * variances[0])) kept--;
  for (int64_t i = 0; i < n; i++) out->total += fmax(variances[i], 0);
  out->rows = rows;
  out->components = kept;
  RG_TRY_DONE(rg_alloc((size_t)(rows * kept) * sizeof *out->values, RG_OUT(&out->values)));
  if (rows < columns) { /* the Gram matrix's vectors are the scores but for their length */
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < kept; j++) out->values[i * kept + j] = gram[j * rows + i] * sqrt(fmax(variances[j], 0));
  } else {
    rg_matmul(false, true, rows, kept, columns, 1.0, points, gram, 0.0, out->values);
  }
done:
  rg_free(gram);
  rg_free(variances);
  return status;
}

static double principal_kappa(const rg_secants *secants, int64_t p, double *basis, double *images) {
  memset(basis, 0, (size_t)(p * secants->dimension) * sizeof *basis);
  for (int64_t i = 0; i < p; i++) basis[i * secants->dimension + i] = 1;
  return rg_kappa(secants, basis, p, images, NULL);
}

/* kappa for up to RANGO_KAPPAS numbers of coordinates, the last the one wanted, whose basis stays. */
static rango_status profile(const rg_secants *secants, const rango_manifold_options *options, double *basis,
                            rango_projection *out) {
  const int64_t p = options->project;
  double *images = NULL;
  RG_TRY(rg_alloc((size_t)(secants->count * p) * sizeof *images, RG_OUT(&images)));
  rango_status status = RANGO_OK;
  out->profile_count = p < RANGO_KAPPAS ? (int)p : RANGO_KAPPAS;
  for (int i = 0; i < out->profile_count && status == RANGO_OK; i++) {
    rango_kappa *at = &out->profile[i];
    at->coordinates = (p * (i + 1) + out->profile_count - 1) / out->profile_count;
    at->pca = principal_kappa(secants, at->coordinates, basis, images);
    status = rg_secant_avoidance(secants, at->coordinates, options->seed, basis, &at->whitney);
  }
  if (options->method == RANGO_PROJECT_PCA) out->kappa = principal_kappa(secants, p, basis, images);
  if (options->method == RANGO_PROJECT_WHITNEY) out->kappa = out->profile[out->profile_count - 1].whitney;
  rg_free(images);
  return status;
}

static rango_status judge(const scores *s, const double *projected, rango_projection *out) {
  int64_t p = out->coordinates;
  double kept = 0;
  for (int64_t i = 0; i < s->rows * p; i++) kept += projected[i] * projected[i];
  out->variance = s->total > 0 ? kept / s->total : NAN;
  out->overlap = out->trustworthiness = out->continuity = NAN;
  if (s->rows <= NEIGHBOURS || s->rows > RG_MANIFOLD_ROWS) return RANGO_OK;
  rg_neighbours before = {0}, after = {0};
  rango_status status;
  RG_TRY_DONE(rg_neighbours_find(s->values, s->rows, s->components, NEIGHBOURS, &before));
  RG_TRY_DONE(rg_neighbours_find(projected, s->rows, p, NEIGHBOURS, &after));
  out->overlap = rg_neighbour_overlap(&before, &after);
  RG_TRY_DONE(rg_trustworthiness(s->values, s->rows, s->components, &after, &out->trustworthiness));
  RG_TRY_DONE(rg_trustworthiness(projected, s->rows, p, &before, &out->continuity));
done:
  rg_neighbours_free(&before);
  rg_neighbours_free(&after);
  return status;
}

static rango_status project(const scores *s, const rango_manifold_options *options, rango_projection *out,
                            rango_tensor **coordinates) {
  const int64_t p = options->project, n = s->components;
  RG_FAIL_IF(p > n, RANGO_ERROR_ARGUMENT, "manifold: the samples span %lld dimensions%s, so no projection to %lld",
             (long long)n, n == COMPONENTS_MOST ? " that are looked at" : "", (long long)p);
  int64_t limit = SECANT_NUMBERS / n > SECANTS_LEAST ? SECANT_NUMBERS / n : SECANTS_LEAST;
  rg_secants secants = {0};
  double *basis = NULL, *projected = NULL;
  rango_status status;
  *out = (rango_projection){.struct_size = sizeof *out, .method = options->method, .coordinates = p};
  RG_TRY_DONE(rg_alloc((size_t)(p * n) * sizeof *basis, RG_OUT(&basis)));
  RG_TRY_DONE(rg_alloc((size_t)(s->rows * p) * sizeof *projected, RG_OUT(&projected)));
  RG_TRY_DONE(rg_secants_create(s->values, s->rows, n, limit < RG_SECANTS_MOST ? limit : RG_SECANTS_MOST, options->seed,
                                &secants));
  RG_TRY_DONE(profile(&secants, options, basis, out));
  rg_matmul(false, true, s->rows, p, n, 1.0, s->values, basis, 0.0, projected);
  RG_TRY_DONE(judge(s, projected, out));
  RG_TRY_DONE(rango_tensor_create(RANGO_FLOAT32, 2, (int64_t[]){s->rows, p}, coordinates));
  float *values = rango_tensor_data_mut(*coordinates);
  for (int64_t i = 0; i < s->rows * p; i++) values[i] = (float)projected[i];
done:
  rg_secants_free(&secants);
  rg_free(basis);
  rg_free(projected);
  return status;
}

rango_status rg_project_samples(const rango_tensor *samples, const rango_manifold_options *options,
                                rango_projection *out, rango_tensor **projected) {
  int64_t rows = samples->shape.dims[0], total;
  RG_TRY(rg_shape_count(&samples->shape, &total));
  RG_FAIL_IF(total == 0, RANGO_ERROR_ARGUMENT, "manifold: no samples to project");
  int64_t columns = total / rows;
  double *points = NULL;
  scores s = {0};
  RG_TRY(rg_alloc((size_t)total * sizeof *points, RG_OUT(&points)));
  for (int64_t i = 0; i < total; i++) points[i] = rg_tensor_get_double(samples, i);
  for (int64_t j = 0; j < columns; j++) {
    double mean = 0;
    for (int64_t i = 0; i < rows; i++) mean += points[i * columns + j];
    mean /= (double)rows;
    for (int64_t i = 0; i < rows; i++) points[i * columns + j] -= mean;
  }
  rango_status status = take_scores(points, rows, columns, &s);
  rg_free(points);
  if (status == RANGO_OK) status = project(&s, options, out, projected);
  rg_free(s.values);
  return status;
}
