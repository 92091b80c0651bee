/*
 * How much an error at each layer hurts the model's output. Relative errors of different layers can't be compared with
 * each other, so a few are made on purpose: a layer's output is replaced by its projection on leading principal
 * components, the rest of the network runs on that, and the change of the first output is measured. Forms share a
 * layer's curve: what counts is the size of the error at the layer's output.
 */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define DAMAGE_FLOOR 1e-12

static const double wanted_errors[RG_SENSITIVITY_POINTS] = {0.002, 0.02, 0.1, 0.35};

/* Straight lines between the points on double-logarithmic paper; proportional below the first, as for small errors. */
double rg_sensitivity_damage(const rg_sensitivity *s, double error) {
  if (!(error > 0)) return 0;
  if (s->count == 0) return error;
  int i = 0;
  while (i < s->count && s->error[i] < error) i++;
  if (i == 0) return s->damage[0] * error / s->error[0];
  if (i == s->count) return s->damage[i - 1] * error / s->error[i - 1];
  double share = log(error / s->error[i - 1]) / log(s->error[i] / s->error[i - 1]);
  return s->damage[i - 1] * pow(s->damage[i] / s->damage[i - 1], share);
}

/* The layer's output projected on its `rank` leading components: v [rank][n] orthonormal rows, around `mean`. */
typedef struct projector {
  const rg_site *site;
  float *v;    /* [max * groups][n] */
  float *mean; /* [n] */
  int64_t rank;
} projector;

static rango_status projector_create(const rg_site *site, const rg_statistics *statistics, const rg_basis *basis,
                                     projector *p) {
  int64_t n = site->outputs, rows = basis->max_rank * site->groups;
  *p = (projector){.site = site};
  RG_TRY(rg_alloc((size_t)(rows * n) * sizeof(float), RG_OUT(&p->v)));
  RG_TRY(rg_alloc((size_t)n * sizeof(float), RG_OUT(&p->mean)));
  for (int64_t i = 0; i < rows; i++) { /* rows of `second` are orthogonal, not always of length 1 */
    double square = 0;
    for (int64_t j = 0; j < n; j++) square += (double)basis->second[i * n + j] * basis->second[i * n + j];
    float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
    for (int64_t j = 0; j < n; j++) p->v[i * n + j] = scale * basis->second[i * n + j];
  }
  for (int64_t j = 0; j < n; j++) p->mean[j] = (float)statistics->output_mean[j];
  return RANGO_OK;
}

static void projector_free(projector *p) {
  rg_free(p->v);
  rg_free(p->mean);
}

/* y [n][count] or [count][n] in place; `scratch` [rank * count]. */
static void project_block(const projector *p, bool channels_first, int64_t count, float *y, float *scratch) {
  int64_t n = p->site->outputs, rank = p->rank;
  for (int64_t i = 0; i < n * count; i++) y[i] -= p->mean[channels_first ? i / count : i % n];
  if (channels_first) {
    rg_matmul_float(false, false, rank, count, n, p->v, y, scratch);
    rg_matmul_float(true, false, n, count, rank, p->v, scratch, y);
  } else {
    rg_matmul_float(false, true, count, rank, n, y, p->v, scratch);
    rg_matmul_float(false, false, count, n, rank, scratch, p->v, y);
  }
  for (int64_t i = 0; i < n * count; i++) y[i] += p->mean[channels_first ? i / count : i % n];
}

static rango_status project_tensor(const projector *p, rango_tensor *y) {
  int64_t n = p->site->outputs, total, images = 1;
  RG_TRY(rg_shape_count(&y->shape, &total));
  bool channels_first = p->site->kind == RG_SITE_CONV;
  if (channels_first) images = y->shape.dims[0];
  int64_t count = images ? total / n / images : 0;
  if (count == 0) return RANGO_OK;
  float *scratch = NULL;
  RG_TRY(rg_alloc((size_t)(p->rank * count) * sizeof *scratch, RG_OUT(&scratch)));
  for (int64_t i = 0; i < images; i++)
    project_block(p, channels_first, count, (float *)y->data + i * n * count, scratch);
  rg_free(scratch);
  return RANGO_OK;
}

/* The network behind a site, from the values on the frontier to the first output. */
typedef struct tail_runner {
  rg_segment segment;
  rango_session *session;
  const rg_frontier *frontier;
  int output; /* id of the first output */
} tail_runner;

static void tail_free(tail_runner *tail) {
  rango_session_free(tail->session);
  rg_segment_free(&tail->segment);
}

/* With the site rewritten, where factors are given. */
static rango_status tail_create(const rango_model *model, const rg_frontier *frontier, const rg_sites *site,
                                const rg_factors *factors, const rango_session_options *options, tail_runner *tail) {
  *tail = (tail_runner){.frontier = frontier, .output = model->graph->outputs.items[0]->id};
  rango_status status;
  RG_TRY_DONE(rg_segment_create(model, frontier->place, rg_model_places(model), site, factors, &tail->segment));
  for (size_t i = 0; i < tail->segment.input_count; i++)
    RG_TRY_DONE(rg_segment_declare(&tail->segment, i, rg_frontier_value(frontier, 0, tail->segment.inputs[i])));
  if (tail->segment.output_count) RG_TRY_DONE(rango_session_create(tail->segment.model, options, &tail->session));
done:
  if (status != RANGO_OK) tail_free(tail);
  return status;
}

/* The first output for one batch, with `replaced` in the place of value `id`. The caller frees *out. */
static rango_status tail_run(const tail_runner *tail, int64_t batch, int id, rango_tensor *replaced,
                             rango_tensor **out) {
  const rg_segment *segment = &tail->segment;
  const rango_tensor **inputs = NULL;
  rango_tensor **outputs = NULL;
  rango_status status;
  *out = NULL;
  if (replaced && id == tail->output) { /* the site makes the output itself */
    RG_TRY(rango_tensor_create(replaced->type, replaced->shape.rank, replaced->shape.dims, out));
    memcpy((*out)->data, replaced->data, replaced->bytes);
    return RANGO_OK;
  }
  RG_TRY_DONE(rg_calloc(segment->input_count + 1, sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc(segment->output_count + 1, sizeof *outputs, RG_OUT(&outputs)));
  for (size_t i = 0; i < segment->input_count; i++)
    inputs[i] = segment->inputs[i] == id ? replaced : rg_frontier_value(tail->frontier, batch, segment->inputs[i]);
  RG_TRY_DONE(rango_session_run(tail->session, inputs, segment->input_count, outputs, segment->output_count));
  for (size_t i = 0; i < segment->output_count; i++)
    if (segment->outputs[i] == tail->output) {
      *out = outputs[i];
      outputs[i] = NULL;
    }
  if (!*out) status = rg_fail(RANGO_ERROR_UNSUPPORTED, "the model's first output doesn't depend on its last layers");
done:
  if (outputs) rg_tensors_free(outputs, segment->output_count);
  rg_free(inputs);
  rg_free(outputs);
  return status;
}

/* Squared distance of two outputs, and the squared norm of the first around its mean. */
static rango_status compare(const rango_tensor *truth, const rango_tensor *other, double *distance, double *variance) {
  int64_t count;
  RG_TRY(rg_shape_count(&truth->shape, &count));
  RG_FAIL_IF(!rg_shape_equal(&truth->shape, &other->shape), RANGO_ERROR_UNSUPPORTED,
             "the output's shape depends on its values");
  double mean = 0;
  for (int64_t i = 0; i < count; i++) mean += rg_tensor_get_double(truth, i) / (double)count;
  for (int64_t i = 0; i < count; i++) {
    double t = rg_tensor_get_double(truth, i), d = rg_tensor_get_double(other, i) - t;
    *distance += d * d;
    *variance += (t - mean) * (t - mean);
  }
  return RANGO_OK;
}

/* The least rank whose relative error is at most `error`. */
static int64_t rank_for(const rg_basis *basis, double error) {
  int64_t rank = 1;
  while (rank < basis->max_rank && basis->tail[rank] > error * basis->tail[0]) rank++;
  return rank;
}

/* One site's errors: made at its output or, where its outputs are no values, by its leading factors. */
typedef struct perturbation {
  const rango_model *model;
  const rg_frontier *frontier;
  const rg_site *site;
  const rg_statistics *statistics;
  const rg_basis *basis;
  const rango_session_options *options;
  rango_tensor *const *truth;
  tail_runner tail;
  projector projector;
} perturbation;

static rango_status measure_projected(const perturbation *x, double *damage) {
  double distance = 0, variance = 0;
  for (int64_t batch = 0; batch < x->frontier->batches; batch++) {
    const rango_tensor *y = rg_frontier_value(x->frontier, batch, x->site->output);
    rango_tensor projected, *output = NULL;
    RG_TRY(rg_tensor_copy(&projected, y));
    rango_status status = project_tensor(&x->projector, &projected);
    if (status == RANGO_OK) status = tail_run(&x->tail, batch, x->site->output, &projected, &output);
    if (status == RANGO_OK) status = compare(x->truth[batch], output, &distance, &variance);
    rango_tensor_free(output);
    rg_tensor_clear(&projected);
    RG_TRY(status);
  }
  *damage = variance > 0 ? distance / variance : distance;
  return RANGO_OK;
}

static rango_status leading_factors(const perturbation *x, int64_t rank, rg_factors *out) {
  int64_t m = x->site->inputs, n = x->site->outputs;
  *out = (rg_factors){.form = RG_FORM_PAIR, .rank = rank};
  RG_TRY(rg_alloc((size_t)(rank * m) * sizeof(float), RG_OUT(&out->first)));
  RG_TRY(rg_alloc((size_t)(n * rank) * sizeof(float), RG_OUT(&out->second)));
  RG_TRY(rg_alloc((size_t)n * sizeof(float), RG_OUT(&out->offset)));
  memcpy(out->first, x->basis->first, (size_t)(rank * m) * sizeof(float));
  for (int64_t j = 0; j < n; j++) out->offset[j] = (float)x->statistics->output_mean[j];
  for (int64_t r = 0; r < rank; r++) {
    const float *second = x->basis->second + r * n;
    double z = 0; /* its mean over the rows */
    for (int64_t i = 0; i < m; i++) z += x->basis->first[r * m + i] * x->statistics->input_mean[i];
    for (int64_t j = 0; j < n; j++) {
      out->second[j * rank + r] = second[j];
      out->offset[j] -= (float)(second[j] * z);
    }
  }
  return RANGO_OK;
}

static rango_status measure_rewritten(const perturbation *x, int64_t rank, double *damage) {
  const rg_sites one = {.items = (rg_site *)x->site, .count = 1};
  double distance = 0, variance = 0;
  tail_runner tail = {0};
  rg_factors factors;
  rango_status status;
  RG_TRY_DONE(leading_factors(x, rank, &factors));
  RG_TRY_DONE(tail_create(x->model, x->frontier, &one, &factors, x->options, &tail));
  for (int64_t batch = 0; batch < x->frontier->batches; batch++) {
    rango_tensor *output = NULL;
    RG_TRY_DONE(tail_run(&tail, batch, -1, NULL, &output));
    status = compare(x->truth[batch], output, &distance, &variance);
    rango_tensor_free(output);
    RG_TRY_DONE(status);
  }
  *damage = variance > 0 ? distance / variance : distance;
done:
  tail_free(&tail);
  rg_factors_free(&factors);
  return status;
}

static rango_status measure_site(perturbation *x, rg_sensitivity *out) {
  const rg_basis *basis = x->basis;
  int64_t last = basis->max_rank + 1;
  for (int i = 0; i < RG_SENSITIVITY_POINTS; i++) {
    double damage, error;
    int64_t rank = rank_for(basis, wanted_errors[i]);
    x->projector.rank = rank * x->site->groups;
    error = basis->tail[0] > 0 ? basis->tail[rank] / basis->tail[0] : 0;
    if (rank >= last || !(error > 0)) continue;
    last = rank;
    if (x->site->kind == RG_SITE_RECURRENT)
      RG_TRY(measure_rewritten(x, rank, &damage));
    else
      RG_TRY(measure_projected(x, &damage));
    if (!(damage > DAMAGE_FLOOR)) damage = DAMAGE_FLOOR;
    /* Larger errors do no less harm: what looks otherwise is noise. */
    if (out->count && damage < out->damage[out->count - 1]) damage = out->damage[out->count - 1];
    out->error[out->count] = error;
    out->damage[out->count++] = damage;
  }
  return RANGO_OK;
}

/* The original's first output for every batch. */
static rango_status run_truth(const rango_model *model, const rg_frontier *start, const rango_session_options *options,
                              rango_tensor **truth) {
  tail_runner tail;
  RG_TRY(tail_create(model, start, NULL, NULL, options, &tail));
  rango_status status = RANGO_OK;
  for (int64_t batch = 0; batch < start->batches && status == RANGO_OK; batch++)
    status = tail_run(&tail, batch, -1, NULL, &truth[batch]);
  tail_free(&tail);
  return status;
}

static rango_status measure_next(perturbation *x, rg_frontier *frontier, rg_sensitivity *out) {
  const rg_site *site = x->site;
  bool inside = site->kind == RG_SITE_RECURRENT;
  *out = (rg_sensitivity){0};
  if (x->basis->max_rank < 2) return RANGO_OK;
  RG_TRY(rg_frontier_advance(frontier, x->model, inside ? site->begin : site->end, NULL, NULL, x->options));
  if (inside) return measure_site(x, out);
  if (!rg_frontier_value(frontier, 0, site->output)) return RANGO_OK; /* nothing uses it */
  RG_TRY(tail_create(x->model, frontier, NULL, NULL, x->options, &x->tail));
  rango_status status = projector_create(site, x->statistics, x->basis, &x->projector);
  if (status == RANGO_OK) status = measure_site(x, out);
  projector_free(&x->projector);
  tail_free(&x->tail);
  return status;
}

rango_status rg_sensitivity_measure(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                                    const rg_statistics *statistics, const rg_basis (*bases)[RG_FORM_COUNT],
                                    rg_sensitivity *out) {
  rg_frontier frontier = {0};
  rango_tensor **truth = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)calibration->batches, sizeof *truth, RG_OUT(&truth)));
  RG_TRY_DONE(rg_frontier_start(model, calibration, &frontier));
  RG_TRY_DONE(run_truth(model, &frontier, &calibration->session, truth));
  for (size_t i = 0; i < sites->count; i++) {
    perturbation x = {.model = model,
                      .frontier = &frontier,
                      .site = &sites->items[i],
                      .statistics = &statistics[i],
                      .basis = &bases[i][RG_FORM_PAIR],
                      .options = &calibration->session,
                      .truth = truth};
    RG_TRY_DONE(measure_next(&x, &frontier, &out[i]));
    RG_TRY_DONE(rg_calibration_progress(calibration, (double)(i + 1) / (double)sites->count, "measuring sensitivity"));
  }
done:
  rg_frontier_free(&frontier);
  if (truth) rg_tensors_free(truth, (size_t)calibration->batches);
  rg_free(truth);
  return status;
}
