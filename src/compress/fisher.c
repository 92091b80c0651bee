/*
 * What an error at a layer does to the model's output, from derivatives and without labels: with z a random vector of
 * unit covariance at the output and g = J' z its gradient at the layer's output, E[g g'] = J' J, the Gauss-Newton
 * matrix of the squared change of the output (for class scores, of their differences). A few draws of z a row, averaged
 * over rows and summed over the layer's positions, are the metric in which the layer is decomposed, and the unit in
 * which layers are compared (Amari 1998; as used for compression: Hsu et al. 2022 with its diagonal).
 */
#include <string.h>

#include "adjoint/adjoint.h"
#include "base/random.h"
#include "compress/compress.h"

#define BLOCK_ROWS  512
#define PARTS_BYTES (INT64_C(256) << 20) /* of weights: from here on they are packed for one direction at a time */
#define WIDE        2048 /* outputs: from here on sums are as large as weights, and made of many rows at a time */

typedef struct gradients {
  const rg_calibration *calibration;
  const rg_sites *sites;
  const rango_model *original;
  rango_model *model;      /* inputs: the original's, and the seed; outputs: a gradient a site */
  bool parts;              /* `model` is run in two parts */
  rango_session *backward; /* of `model` */
  rg_shape shape;          /* of the output for `shape_rows` rows */
  int64_t shape_rows;
  rg_random random;
  double **sums; /* [sites]: lower triangles of the sums of g g'; NULL: none yet */
  struct {
    double *rows; /* [BLOCK_ROWS][outputs] that the sum doesn't have yet */
    int64_t count;
  } * waiting;        /* [sites] */
  int64_t **balances; /* [sites]: of embedding tables; NULL: another layer */
  int *kept;          /* values that `model` gives besides: the tables' indices, each once */
  size_t kept_count;
} gradients;

static void gradients_free(gradients *g) {
  for (size_t i = 0; g->sums && i < g->sites->count; i++) rg_free(g->sums[i]);
  for (size_t i = 0; g->balances && i < g->sites->count; i++) rg_free(g->balances[i]);
  for (size_t i = 0; g->waiting && i < g->sites->count; i++) rg_free(g->waiting[i].rows);
  rg_free(g->sums);
  rg_free(g->waiting);
  rg_free(g->balances);
  rg_free(g->kept);
  rango_session_free(g->backward);
  rango_model_free(g->model);
}

static rango_status is_float(const rango_model *model, const rg_value *value, bool *out) {
  rg_facts *facts = NULL;
  RG_TRY(rg_facts_create(model, NULL, 0, NULL, 0, &facts));
  *out = rg_facts_of(facts, value)->type == RANGO_FLOAT32;
  rg_facts_free(facts);
  return RANGO_OK;
}

static size_t kept_at(const gradients *g, int id) {
  size_t i = 0;
  while (i < g->kept_count && g->kept[i] != id) i++;
  return i;
}

/* Which rows of a table matter takes their indices. */
static rango_status keep_indices(gradients *g) {
  const rg_sites *sites = g->sites;
  RG_TRY(rg_calloc(sites->count, sizeof *g->balances, RG_OUT(&g->balances)));
  RG_TRY(rg_calloc(sites->count, sizeof *g->kept, RG_OUT(&g->kept)));
  for (size_t i = 0; i < sites->count; i++) {
    const rg_site *site = &sites->items[i];
    if (site->kind != RG_SITE_EMBEDDING) continue;
    RG_TRY(rg_calloc((size_t)site->inputs, sizeof **g->balances, RG_OUT(&g->balances[i])));
    if (kept_at(g, site->input) == g->kept_count) g->kept[g->kept_count++] = site->input;
  }
  return RANGO_OK;
}

/* A recurrent layer's product of its inputs as a node of its own, all columns of which the layer then reads as they
 * are: its outputs, the gates, become the value *gates. */
static rango_status open_gates(rango_model *copy, const rg_site *site, int *gates) {
  const int64_t n = site->outputs;
  rg_factors factors = {.form = RG_FORM_PAIR, .rank = n, .first = (float *)site->matrix};
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)(n * n), sizeof(float), RG_OUT(&factors.second)));
  RG_TRY_DONE(rg_calloc((size_t)n, sizeof(float), RG_OUT(&factors.offset)));
  for (int64_t i = 0; i < n; i++) factors.second[i * n + i] = 1;
  RG_TRY_DONE(rg_rewrite_site(copy, site, &factors));
  for (const rg_node *node = copy->graph->first; node; node = node->next)
    if (node->id == site->node) *gates = node->inputs[0]->id;
done:
  rg_free(factors.second);
  rg_free(factors.offset);
  return status;
}

/* The values whose gradients tell what errors of the sites do: wanted [sites]; *copy: the model that has them all. */
static rango_status find_outputs(const gradients *g, int *wanted, rango_model **copy) {
  const rg_sites *sites = g->sites;
  RG_TRY(rg_model_copy(g->original, copy));
  for (size_t i = 0; i < sites->count; i++) {
    wanted[i] = sites->items[i].output;
    if (sites->items[i].kind == RG_SITE_RECURRENT) RG_TRY(open_gates(*copy, &sites->items[i], &wanted[i]));
  }
  return rg_ops_resolve(*copy, false);
}

static rango_status prepare(gradients *g, bool *possible) {
  const rg_sites *sites = g->sites;
  const rg_value *output = g->original->graph->outputs.items[0];
  rango_model *copy = NULL;
  int *wanted = NULL, id = output->id;
  bool floating;
  rango_status status;
  *possible = false;
  RG_TRY_DONE(rg_alloc(sites->count * sizeof *wanted, RG_OUT(&wanted)));
  RG_TRY_DONE(find_outputs(g, wanted, &copy));
  RG_TRY_DONE(is_float(g->original, output, &floating));
  if (!floating || rg_adjoint_missing(copy, &id, 1, wanted, sites->count)) goto done;
  RG_TRY_DONE(keep_indices(g));
  RG_TRY_DONE(rg_adjoint_create(copy, &id, 1, g->kept, g->kept_count, wanted, sites->count, &g->model));
  RG_TRY_DONE(rg_calloc(sites->count, sizeof *g->sums, RG_OUT(&g->sums)));
  int64_t bytes = 0;
  for (size_t i = 0; i < sites->count; i++) bytes += (int64_t)sites->items[i].weight->bytes;
  g->parts = bytes >= PARTS_BYTES;
  RG_TRY_DONE(rg_calloc(sites->count, sizeof *g->waiting, RG_OUT(&g->waiting)));
  *possible = true;
done:
  rango_model_free(copy);
  rg_free(wanted);
  return status;
}

/* The output's shape for so many rows: asked of the original where it isn't known yet. */
static rango_status output_shape(gradients *g, rango_tensor *const *inputs, size_t input_count, int64_t rows) {
  if (g->shape_rows == rows) return RANGO_OK;
  size_t count = g->original->graph->outputs.count;
  rango_session *forward = NULL;
  rango_tensor **outputs = NULL;
  rango_status status;
  rango_session_free(g->backward); /* the weights of one session at a time */
  g->backward = NULL;
  RG_TRY_DONE(rg_calloc(count, sizeof *outputs, RG_OUT(&outputs)));
  RG_TRY_DONE(rango_session_create(g->original, &g->calibration->session, &forward));
  RG_TRY_DONE(rango_session_run(forward, (const rango_tensor *const *)inputs, input_count, outputs, count));
  g->shape = outputs[0]->shape;
  g->shape_rows = rows;
done:
  if (outputs) rg_tensors_free(outputs, count);
  rg_free(outputs);
  rango_session_free(forward);
  rg_memory_trim();
  if (status != RANGO_OK || g->parts) return status;
  return rango_session_create(g->model, &g->calibration->session, &g->backward);
}

/* The place of the first node that reads the seed: behind the original's own, that the gradients need. */
static int seed_place(const rango_model *model) {
  const rg_graph *graph = model->graph;
  const rg_value *seed = graph->inputs.items[graph->inputs.count - 1];
  int place = 0;
  for (const rg_node *node = graph->first; node; node = node->next, place++)
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i] == seed) return place;
  return place;
}

/* A large model in two parts, forward and back, so that the weights of one at a time are packed. */
static rango_status run_parts(gradients *g, rango_tensor **inputs, size_t input_count, rango_tensor **outputs,
                              size_t output_count) {
  const rg_graph *graph = g->model->graph;
  rg_frontier frontier = {.batches = 1};
  rango_status status;
  RG_TRY_DONE(rg_alloc(input_count * sizeof *frontier.ids, RG_OUT(&frontier.ids)));
  RG_TRY_DONE(rg_calloc(input_count, sizeof *frontier.tensors, RG_OUT(&frontier.tensors)));
  for (size_t i = 0; i < graph->inputs.count && frontier.count < input_count; i++) {
    if (graph->inputs.items[i]->constant) continue;
    frontier.ids[frontier.count] = graph->inputs.items[i]->id;
    frontier.tensors[frontier.count] = inputs[frontier.count];
    inputs[frontier.count++] = NULL;
  }
  const int places[] = {seed_place(g->model), rg_model_places(g->model)};
  for (int i = 0; i < 2; i++)
    RG_TRY_DONE(rg_frontier_advance(&frontier, g->model, places[i], g->sites, NULL, &g->calibration->session));
  for (size_t i = 0; i < output_count; i++)
    for (size_t j = 0; j < frontier.count; j++) {
      if (frontier.ids[j] != graph->outputs.items[i]->id) continue;
      outputs[i] = frontier.tensors[j];
      frontier.tensors[j] = NULL;
    }
done:
  rg_frontier_free(&frontier);
  return status;
}

/* Adding the same to all scores of a row changes no answer: such changes don't count. */
static void centre(float *z, int64_t count, int64_t classes) {
  for (int64_t i = 0; i < count; i += classes) {
    double mean = 0;
    for (int64_t j = 0; j < classes; j++) mean += z[i + j] / (double)classes;
    for (int64_t j = 0; j < classes; j++) z[i + j] -= (float)mean;
  }
}

static rango_status draw_seed(gradients *g, rango_tensor **seed) {
  int64_t count, classes = g->shape.rank ? g->shape.dims[g->shape.rank - 1] : 1;
  RG_TRY(rango_tensor_create(RANGO_FLOAT32, g->shape.rank, g->shape.dims, seed));
  float *z = (*seed)->data;
  RG_TRY(rg_shape_count(&g->shape, &count));
  for (int64_t i = 0; i < count; i++) z[i] = (float)rg_random_normal(&g->random);
  if (g->calibration->class_scores && classes > 1) centre(z, count, classes);
  return RANGO_OK;
}

/* Adds the rows that wait to the sum. */
static rango_status flush(gradients *g, size_t i) {
  int64_t n = g->sites->items[i].outputs;
  if (!g->sums[i]) RG_TRY(rg_calloc((size_t)(n * n), sizeof(double), RG_OUT(&g->sums[i])));
  if (g->waiting[i].count) rg_gram(g->waiting[i].count, n, 1.0, g->waiting[i].rows, 1.0, g->sums[i]);
  g->waiting[i].count = 0;
  return RANGO_OK;
}

/* sum += g g' over all positions of a gradient of the shape of the site's output. */
static rango_status add_gradient(gradients *g, size_t i, const rango_tensor *gradient) {
  const rg_site *site = &g->sites->items[i];
  int64_t n = site->outputs, total, area = 1, bad;
  const float *data = gradient->data;
  RG_TRY(rg_shape_count(&gradient->shape, &total));
  RG_FAIL_IF(!rg_all_finite_float(data, total, &bad), RANGO_ERROR_NUMERIC,
             "node '%s' (%s): the output's derivative holds a NaN or infinity", site->name, site->op);
  if (site->kind == RG_SITE_CONV)
    for (int axis = 2; axis < gradient->shape.rank; axis++) area *= gradient->shape.dims[axis];
  if (!g->waiting[i].rows) RG_TRY(rg_alloc((size_t)(BLOCK_ROWS * n) * sizeof(double), RG_OUT(&g->waiting[i].rows)));
  for (int64_t at = 0; at < total / n; at++) {
    const float *from = data + at / area * n * area + at % area;
    double *to = g->waiting[i].rows + g->waiting[i].count++ * n;
    for (int64_t j = 0; j < n; j++) to[j] = from[j * area];
    if (g->waiting[i].count == BLOCK_ROWS) RG_TRY(flush(g, i));
  }
  return n < WIDE ? flush(g, i) : RANGO_OK;
}

static rango_status run_batch(gradients *g, int64_t begin, int64_t end) {
  const rango_dataset *data = g->calibration->data;
  size_t input_count = data->count, site_count = g->sites->count, output_count = g->kept_count + site_count;
  rango_tensor **inputs = NULL, **outputs = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc(input_count + 1, sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc(output_count, sizeof *outputs, RG_OUT(&outputs)));
  RG_TRY_DONE(rango_dataset_batch(data, begin, end, inputs, input_count));
  RG_TRY_DONE(output_shape(g, inputs, input_count, end - begin));
  RG_TRY_DONE(draw_seed(g, &inputs[input_count]));
  if (g->parts)
    RG_TRY_DONE(run_parts(g, inputs, input_count + 1, outputs, output_count));
  else
    RG_TRY_DONE(
        rango_session_run(g->backward, (const rango_tensor *const *)inputs, input_count + 1, outputs, output_count));
  for (size_t i = 0; i < site_count; i++) {
    const rg_site *site = &g->sites->items[i];
    const rango_tensor *gradient = outputs[g->kept_count + i];
    RG_TRY_DONE(add_gradient(g, i, gradient));
    if (g->balances[i])
      RG_TRY_DONE(rg_embedding_add_gradient(site, outputs[kept_at(g, site->input)], gradient, g->balances[i]));
  }
done:
  if (inputs) rg_tensors_free(inputs, input_count + 1);
  if (outputs) rg_tensors_free(outputs, output_count);
  rg_free(inputs);
  rg_free(outputs);
  return status;
}

/* After `draws` over all rows. */
static rango_status finish(gradients *g, int64_t draws, rg_statistics *statistics) {
  for (size_t i = 0; i < g->sites->count; i++) {
    int64_t n = g->sites->items[i].outputs;
    RG_TRY(flush(g, i));
    for (int64_t j = 0; j < n * n; j++) g->sums[i][j] /= (double)draws;
    RG_TRY(rg_metric_factor(g->sums[i], n));
    statistics[i].metric = g->sums[i];
    g->sums[i] = NULL;
    if (!g->balances[i]) continue;
    if (statistics[i].input_mean) {
      rg_embedding_leave_out(&g->sites->items[i], g->balances[i], &statistics[i]);
      continue;
    }
    statistics[i].balance = g->balances[i];
    g->balances[i] = NULL;
  }
  return RANGO_OK;
}

rango_status rg_fisher_collect(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                               rg_statistics *statistics, bool *possible) {
  gradients g = {.calibration = calibration, .sites = sites, .original = model};
  int64_t rows =
      calibration->gradient_rows < calibration->data->rows ? calibration->gradient_rows : calibration->data->rows;
  rango_status status;
  rg_random_seed(&g.random, calibration->sampling.seed);
  RG_TRY_DONE(prepare(&g, possible));
  if (!*possible) goto done;
  int64_t batch = calibration->batch;
  /* Draws one after the other, so that random numbers don't depend on the batch. */
  for (int64_t draw = 0, draws = calibration->gradient_draws; draw < draws; draw++)
    for (int64_t begin = 0; begin < rows; begin += batch) {
      int64_t end = begin + batch < calibration->data->rows ? begin + batch : calibration->data->rows;
      RG_TRY_DONE(run_batch(&g, begin, end));
      double done = ((double)draw + (double)end / (double)rows) / (double)draws;
      RG_TRY_DONE(rg_calibration_progress(calibration, done, "differentiating"));
    }
  rango_session_free(g.backward);
  g.backward = NULL;
  int64_t last = (rows + batch - 1) / batch * batch;
  if (last > calibration->data->rows) last = calibration->data->rows;
  status = finish(&g, last * calibration->gradient_draws, statistics);
done:
  gradients_free(&g);
  return status;
}
