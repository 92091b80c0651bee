/* The method `whitney`: a dense layer gives 2m + 1 coordinates of its output's manifold, of dimension m, chosen to tell
 * its points apart (Whitney 1936; Broomhead and Kirby 2000), and a small network leads back from them. */
#include <math.h>
#include <string.h>

#include "compress/method.h"
#include "manifold/decoder.h"
#include "manifold/whitney.h"

#define ROWS         4000 /* of a layer's outputs */
#define SECANT_ROWS  1000 /* between which secants are taken */
#define SECANTS      4000
#define COMPONENTS   64 /* principal ones, within which the projection is looked for; 2 p if that is more */
#define HIDDEN_LEAST 64

/* A layer's outputs, less their mean. */
typedef struct sample {
  int64_t rows, n;
  float *outputs, *centred; /* [rows][n] */
  double *mean;             /* [n] */
} sample;

static void sample_free(sample *s) {
  rg_free(s->outputs);
  rg_free(s->centred);
  rg_free(s->mean);
}

static rango_status take_sample(const rg_site *site, const rg_statistics *statistics, uint64_t seed, sample *s) {
  int64_t *order = NULL;
  s->n = site->outputs;
  s->rows = statistics->rows < ROWS ? statistics->rows : ROWS;
  RG_TRY(rg_alloc((size_t)(s->rows * s->n) * sizeof(float), RG_OUT(&s->outputs)));
  RG_TRY(rg_alloc((size_t)(s->rows * s->n) * sizeof(float), RG_OUT(&s->centred)));
  RG_TRY(rg_calloc((size_t)s->n, sizeof(double), RG_OUT(&s->mean)));
  RG_TRY(rg_alloc((size_t)statistics->rows * sizeof *order, RG_OUT(&order)));
  rg_draw_rows(order, statistics->rows, s->rows, seed);
  for (int64_t i = 0; i < s->rows; i++)
    memcpy(s->outputs + i * s->n, statistics->outputs + order[i] * s->n, (size_t)s->n * sizeof(float));
  rg_free(order);
  for (int64_t i = 0; i < s->rows * s->n; i++) s->mean[i % s->n] += s->outputs[i] / (double)s->rows;
  for (int64_t i = 0; i < s->rows * s->n; i++) s->centred[i] = (float)(s->outputs[i] - s->mean[i % s->n]);
  return RANGO_OK;
}

/* projection [p][n] of secant avoidance within the leading `k` principal components, u s [rows][k] and vt [k][n]. */
static rango_status avoid_secants(const double *scores, const double *vt, int64_t rows, int64_t n, int64_t k, int64_t p,
                                  uint64_t seed, double *projection) {
  rg_secants secants = {0};
  double *basis = NULL, kappa;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(p * k) * sizeof *basis, RG_OUT(&basis)));
  RG_TRY_DONE(rg_secants_create(scores, rows, k, SECANTS, seed, &secants));
  RG_TRY_DONE(rg_secant_avoidance(&secants, p, seed, basis, &kappa));
  rg_matmul(false, false, p, n, k, 1.0, basis, vt, 0.0, projection);
done:
  rg_secants_free(&secants);
  rg_free(basis);
  return status;
}

static rango_status find_projection(const sample *s, int64_t p, uint64_t seed, double *projection) {
  int64_t rows = s->rows < SECANT_ROWS ? s->rows : SECANT_ROWS, n = s->n, side = rows < n ? rows : n;
  int64_t k = 2 * p > COMPONENTS ? 2 * p : COMPONENTS;
  if (k > side) k = side;
  double *a = NULL, *u = NULL, *values = NULL, *vt = NULL, *scores = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(rows * n) * sizeof *a, RG_OUT(&a)));
  RG_TRY_DONE(rg_alloc((size_t)(rows * side) * sizeof *u, RG_OUT(&u)));
  RG_TRY_DONE(rg_alloc((size_t)side * sizeof *values, RG_OUT(&values)));
  RG_TRY_DONE(rg_alloc((size_t)(side * n) * sizeof *vt, RG_OUT(&vt)));
  RG_TRY_DONE(rg_alloc((size_t)(rows * k) * sizeof *scores, RG_OUT(&scores)));
  for (int64_t i = 0; i < rows * n; i++) a[i] = s->centred[i];
  RG_TRY_DONE(rg_svd_thin(a, rows, n, u, values, vt));
  for (int64_t i = 0; i < rows * k; i++) scores[i] = u[i / k * side + i % k] * values[i % k];
  RG_TRY_DONE(avoid_secants(scores, vt, rows, n, k, p, seed, projection));
done:
  rg_free(a);
  rg_free(u);
  rg_free(values);
  rg_free(vt);
  rg_free(scores);
  return status;
}

/* The projection P composed into the weight: P W x + P (b - mean). */
static rango_status compose(const rg_site *site, const sample *s, const double *projection, rg_factors *out) {
  int64_t p = out->rank, n = s->n;
  float *rounded = NULL;
  RG_TRY(rg_alloc((size_t)(p * site->inputs) * sizeof(float), RG_OUT(&out->first)));
  RG_TRY(rg_alloc((size_t)p * sizeof(float), RG_OUT(&out->first_offset)));
  RG_TRY(rg_alloc((size_t)(p * n) * sizeof *rounded, RG_OUT(&rounded)));
  for (int64_t i = 0; i < p * n; i++) rounded[i] = (float)projection[i];
  rg_matmul_float(false, false, p, site->inputs, n, rounded, site->matrix, out->first);
  rg_free(rounded);
  for (int64_t i = 0; i < p; i++) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += projection[i * n + j] * (site->offset[j] - s->mean[j]);
    out->first_offset[i] = (float)sum;
  }
  return RANGO_OK;
}

/* The way back. The decoder's arrays become the factors'. */
static rango_status lead_back(const sample *s, const double *projection, uint64_t seed, rg_factors *out) {
  int64_t p = out->rank, n = s->n;
  float *z = NULL;
  rg_decoder decoder = {0};
  RG_TRY(rg_alloc((size_t)(s->rows * p) * sizeof *z, RG_OUT(&z)));
  for (int64_t i = 0; i < s->rows * p; i++) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += projection[i % p * n + j] * s->centred[i / p * n + j];
    z[i] = (float)sum;
  }
  rango_status status = rg_decoder_fit(z, s->outputs, s->rows, p, n, out->rank2, seed, &decoder);
  rg_free(z);
  RG_TRY(status);
  out->middle = decoder.first;
  out->middle_offset = decoder.first_bias;
  out->second = decoder.second;
  out->offset = decoder.second_bias;
  out->error = decoder.error;
  return RANGO_OK;
}

/* `out` stays dense where the outputs' dimension isn't known or nothing is won. */
static rango_status make_code(const rg_job *job, const rg_site *site, const sample *s, rg_factors *out) {
  uint64_t seed = job->options->seed;
  rango_spectrum spectrum = {.struct_size = sizeof spectrum};
  if (s->rows < RG_MANIFOLD_LEAST) return RANGO_OK;
  RG_TRY(rg_spectrum_of_matrix(s->outputs, s->rows, s->n, seed, &spectrum));
  int64_t p = spectrum.whitney_linear, hidden = 4 * p > HIDDEN_LEAST ? 4 * p : HIDDEN_LEAST;
  rg_cost dense = rg_site_cost(job, site, RG_FORM_DENSE, 0, 0),
          cost = rg_site_cost(job, site, RG_FORM_WHITNEY, p, hidden);
  if (p == 0 || p >= s->n || p >= s->rows || (cost.params >= dense.params && cost.macs >= dense.macs)) return RANGO_OK;
  double *projection = NULL;
  RG_TRY(rg_alloc((size_t)(p * s->n) * sizeof *projection, RG_OUT(&projection)));
  *out = (rg_factors){.form = RG_FORM_WHITNEY, .rank = p, .rank2 = hidden};
  rango_status status = find_projection(s, p, seed, projection);
  if (status == RANGO_OK) status = compose(site, s, projection, out);
  if (status == RANGO_OK) status = lead_back(s, projection, seed, out);
  rg_free(projection);
  return status;
}

rango_status rg_whitney_codes(rg_job *job) {
  size_t found = 0;
  RG_TRY(rg_calloc(job->sites.count, sizeof *job->codes, RG_OUT(&job->codes)));
  for (size_t i = 0; i < job->sites.count; i++) {
    const rg_site *site = &job->sites.items[i];
    RG_TRY(rg_calibration_progress(&job->calibration, (double)i / (double)job->sites.count, "fitting ways back"));
    if (site->kind != RG_SITE_GEMM && site->kind != RG_SITE_MATMUL) continue;
    sample s = {0};
    rango_status status = take_sample(site, &job->statistics[i], job->options->seed, &s);
    if (status == RANGO_OK) status = make_code(job, site, &s, &job->codes[i]);
    sample_free(&s);
    if (status != RANGO_OK) return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
    found += job->codes[i].form == RG_FORM_WHITNEY;
  }
  RG_FAIL_IF(
      found == 0, RANGO_ERROR_BUDGET,
      "method whitney: no dense layer (Gemm, MatMul) gets smaller by 2m + 1 coordinates and a network that leads "
      "back, m being its outputs' dimension; try another method");
  return RANGO_OK;
}

static rango_status copy(const float *from, int64_t count, float **out) {
  RG_TRY(rg_alloc((size_t)count * sizeof(float), RG_OUT(out)));
  memcpy(*out, from, (size_t)count * sizeof(float));
  return RANGO_OK;
}

rango_status rg_whitney_factors(const rg_job *job, size_t site, rg_factors *out) {
  const rg_factors *code = &job->codes[site];
  int64_t m = job->sites.items[site].inputs, n = job->sites.items[site].outputs, p = code->rank, h = code->rank2;
  *out = (rg_factors){.form = code->form, .rank = p, .rank2 = h, .error = code->error};
  RG_TRY(copy(code->first, p * m, &out->first));
  RG_TRY(copy(code->first_offset, p, &out->first_offset));
  RG_TRY(copy(code->middle, h * p, &out->middle));
  RG_TRY(copy(code->middle_offset, h, &out->middle_offset));
  RG_TRY(copy(code->second, n * h, &out->second));
  return copy(code->offset, n, &out->offset);
}
