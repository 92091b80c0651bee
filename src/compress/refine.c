/*
 * Recovery without labels, by distillation (Hinton, Vinyals, Dean 2015; of inner layers: Romero et al. 2015): all
 * weights and biases of the compressed layers are trained together so that the network's output, and each layer's
 * output on the way there, come close to the original's on the calibration rows. Layers' errors e count as e' G e with
 * G their Fisher matrix: by what they do to the network's output, so that all terms have the same unit.
 */
#include "compress/refine.h"

#include <math.h>
#include <string.h>

#include "adjoint/adjoint.h"

#define BATCH_ROWS 32   /* rows a step */
#define HELD_ROWS  512  /* rows of val, at most, that say which pass was best */
#define RATE       1e-3 /* the first step, as a share of an array's size; falls to 0 as a cosine */
#define INPUTS     64   /* of a weight that moves so; as the root of fewer or more, because their changes add up */
#define LAYERS     1.0  /* weight of the layers' terms together, beside the output's */

/* A weight or bias in training. */
typedef struct parameter {
  int id;
  rango_tensor *tensor;
  rg_adam adam;
  float *best; /* [adam.count] where the held-out rows were met best */
} parameter;

/* A value that should be what it is in the original network. */
typedef struct target {
  int id;
  int64_t channels; /* of the metric */
  int64_t classes;  /* of the output: what all scores of a row have in common doesn't count; 0: it does */
  float *metric;    /* [channels][channels] G; NULL: the identity */
  bool rows;        /* channels are the last axis; otherwise the second */
  double weight;
} target;

typedef struct trainer {
  rg_job *job;
  const rango_model *model; /* to be refined */
  const rango_dataset *fit;
  rango_dataset *held; /* rows that neither the fit nor the training saw */
  rg_random random;
  int64_t batch, steps, step;
  parameter *parameters;
  size_t parameter_count;
  target *targets;
  size_t target_count;
  rango_model *models[3];
  rango_session *original, *forward, *backward;
  double first, best; /* loss on the held-out rows, at the start and at best */
} trainer;

/* ---- what is trained ---- */

/* inputs: that a weight sums over; 0: it is a bias, or that isn't known. */
static rango_status add_parameter(trainer *t, const rg_value *value, int64_t inputs) {
  const rango_tensor *constant = value ? rg_value_constant(value) : NULL;
  if (!constant || constant->type != RANGO_FLOAT32 || value->producer) return RANGO_OK;
  for (size_t i = 0; i < t->parameter_count; i++)
    if (t->parameters[i].id == value->id) return RANGO_OK;
  parameter *p = &t->parameters[t->parameter_count++];
  p->id = value->id;
  RG_TRY(rango_tensor_create(RANGO_FLOAT32, constant->shape.rank, constant->shape.dims, &p->tensor));
  memcpy(p->tensor->data, constant->data, constant->bytes);
  int64_t count;
  RG_TRY(rg_shape_count(&constant->shape, &count));
  RG_TRY(rg_adam_create(p->tensor->data, count, &p->adam));
  if (inputs) p->adam.scale *= sqrt(INPUTS / (double)inputs);
  RG_TRY(rg_alloc(constant->bytes, RG_OUT(&p->best)));
  memcpy(p->best, constant->data, constant->bytes);
  return RANGO_OK;
}

static bool is_product(const rg_node *node) {
  return node && (rg_node_is(node, "Conv") || rg_node_is(node, "Gemm") || rg_node_is(node, "MatMul"));
}

/* 0: not known. */
static int64_t inputs_of(const rg_node *node) {
  const rango_tensor *weight = rg_value_constant(node->inputs[1]);
  int64_t count;
  if (!weight || weight->shape.rank < 2 || rg_shape_count(&weight->shape, &count) != RANGO_OK) return 0;
  const int64_t *dims = weight->shape.dims;
  if (rg_node_is(node, "Conv")) return dims[0] ? count / dims[0] : 0;
  if (rg_node_is(node, "Gemm") && rg_node_int(node, "transB", 0)) return dims[1];
  return dims[weight->shape.rank - 2];
}

/* Constants of products, and what is added to a product. */
static rango_status find_parameters(trainer *t) {
  size_t most = 0;
  for (const rg_node *node = t->model->graph->first; node; node = node->next) most += 2;
  RG_TRY(rg_calloc(most + 1, sizeof *t->parameters, RG_OUT(&t->parameters)));
  for (const rg_node *node = t->model->graph->first; node; node = node->next) {
    if (is_product(node)) {
      for (int i = 1; i < node->input_count && i < 3; i++)
        RG_TRY(add_parameter(t, node->inputs[i], i == 1 ? inputs_of(node) : 0));
    } else if (rg_node_is(node, "Add")) {
      for (int i = 0; i < 2; i++)
        if (is_product(node->inputs[1 - i]->producer)) RG_TRY(add_parameter(t, node->inputs[i], 0));
    }
  }
  return RANGO_OK;
}

/* ---- what it is trained for ---- */

/* G = L L' in float. */
static rango_status expand_metric(const double *factor, int64_t n, float **out) {
  RG_TRY(rg_calloc((size_t)(n * n), sizeof **out, RG_OUT(out)));
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = 0; k <= i && k <= j; k++) sum += factor[i * n + k] * factor[j * n + k];
      (*out)[i * n + j] = (float)sum;
    }
  return RANGO_OK;
}

static rango_status find_targets(trainer *t) {
  const rg_sites *sites = &t->job->sites;
  int output = t->job->model->graph->outputs.items[0]->id;
  RG_TRY(rg_calloc(sites->count + 1, sizeof *t->targets, RG_OUT(&t->targets)));
  t->targets[t->target_count++] = (target){.id = output, .weight = 1, .classes = t->job->calibration.class_scores};
  for (size_t i = 0; i < sites->count; i++) {
    const rg_site *site = &sites->items[i];
    if (site->output == output || !t->job->statistics[i].metric || site->kind == RG_SITE_RECURRENT) continue;
    const rg_value *value = rg_find_value(t->model->graph, site->output);
    if (!value || !value->producer) continue; /* parts that go straight to who reads them */
    target *to = &t->targets[t->target_count++];
    *to = (target){.id = site->output,
                   .channels = site->outputs,
                   .rows = site->kind != RG_SITE_CONV,
                   .weight = LAYERS / (double)sites->count};
    RG_TRY(expand_metric(t->job->statistics[i].metric, site->outputs, &to->metric));
  }
  return RANGO_OK;
}

/* ---- models and sessions ---- */

/* The parameters become inputs behind the model's own, in their order. */
static rango_status open_parameters(const trainer *t, rango_model *copy) {
  for (size_t i = 0; i < t->parameter_count; i++) {
    rg_value *value = rg_find_value(copy->graph, t->parameters[i].id);
    const rg_shape *shape = &t->parameters[i].tensor->shape;
    int64_t *dims;
    RG_TRY(rg_arena_alloc(copy->arena, (size_t)(shape->rank + 1) * sizeof *dims, RG_OUT(&dims)));
    for (int axis = 0; axis < shape->rank; axis++) dims[axis] = shape->dims[axis];
    value->constant = NULL;
    value->type = (rg_type_info){
        .kind = RG_KIND_TENSOR, .type = RANGO_FLOAT32, .rank = shape->rank, .dims = dims, .changed = true};
    if (!value->is_input) RG_TRY(rg_graph_add_input(copy->graph, value));
  }
  return RANGO_OK;
}

/* A copy whose outputs are the targets. */
static rango_status expose_targets(const trainer *t, const rango_model *model, bool open, rango_model **out) {
  RG_TRY(rg_model_copy(model, out));
  rg_graph *graph = (*out)->graph;
  int changes = 0;
  while (graph->outputs.count) graph->outputs.items[--graph->outputs.count]->output_uses--;
  for (size_t i = 0; i < t->target_count; i++)
    RG_TRY(rg_graph_add_output(graph, rg_find_value(graph, t->targets[i].id)));
  if (open) RG_TRY(open_parameters(t, *out));
  return rg_pass_remove_dead(*out, &changes);
}

static rango_status create_sessions(trainer *t) {
  const rango_session_options *session = &t->job->session;
  int *ids = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((t->target_count + t->parameter_count) * sizeof *ids, RG_OUT(&ids)));
  for (size_t i = 0; i < t->target_count; i++) ids[i] = t->targets[i].id;
  for (size_t i = 0; i < t->parameter_count; i++) ids[t->target_count + i] = t->parameters[i].id;
  RG_TRY_DONE(rg_adjoint_create(t->model, ids, t->target_count, NULL, 0, ids + t->target_count, t->parameter_count,
                                &t->models[0]));
  RG_TRY_DONE(expose_targets(t, t->job->model, false, &t->models[1]));
  RG_TRY_DONE(expose_targets(t, t->model, true, &t->models[2]));
  RG_TRY_DONE(rango_session_create(t->models[0], session, &t->backward));
  RG_TRY_DONE(rango_session_create(t->models[1], session, &t->original));
  RG_TRY_DONE(rango_session_create(t->models[2], session, &t->forward));
done:
  rg_free(ids);
  return status;
}

/* ---- loss ---- */

/* d: y - wanted. Scores of a row all moved alike change no answer. */
static void centre(float *d, int64_t count, int64_t classes) {
  for (int64_t i = 0; i < count; i += classes) {
    double mean = 0;
    for (int64_t j = 0; j < classes; j++) mean += d[i + j] / (double)classes;
    for (int64_t j = 0; j < classes; j++) d[i + j] -= (float)mean;
  }
}

static void apply_metric(const target *to, const rg_shape *shape, int64_t count, const float *d, float *out) {
  int64_t n = to->channels, area = count / shape->dims[0] / n;
  if (to->rows)
    rg_matmul_float(false, false, count / n, n, n, d, to->metric, out);
  else
    for (int64_t i = 0; i < shape->dims[0]; i++)
      rg_matmul_float(false, false, n, area, n, to->metric, d + i * n * area, out + i * n * area);
}

/* `now` - `wanted` in, its derivative of the loss out (in `now`'s place); adds to the loss of all rows. */
static rango_status compare(const target *to, const rango_tensor *wanted, rango_tensor *now, int64_t rows,
                            double *loss) {
  int64_t count;
  float *d = now->data, *out = NULL;
  const float *from = wanted->data;
  RG_FAIL_IF(!rg_shape_equal(&wanted->shape, &now->shape), RANGO_ERROR_INTERNAL, "refine: a value changed its shape");
  RG_TRY(rg_shape_count(&now->shape, &count));
  if (!count) return RANGO_OK;
  for (int64_t i = 0; i < count; i++) d[i] -= from[i];
  if (to->classes && now->shape.rank && now->shape.dims[now->shape.rank - 1] > 1)
    centre(d, count, now->shape.dims[now->shape.rank - 1]);
  double sum = 0;
  RG_TRY(rg_alloc((size_t)count * sizeof *out, RG_OUT(&out)));
  if (to->metric)
    apply_metric(to, &now->shape, count, d, out);
  else
    memcpy(out, d, (size_t)count * sizeof *out);
  for (int64_t i = 0; i < count; i++) {
    sum += (double)d[i] * out[i];
    d[i] = (float)(2 * to->weight / (double)rows * out[i]);
  }
  rg_free(out);
  *loss += to->weight * sum;
  return RANGO_OK;
}

/* Tensors of one run. */
typedef struct pass {
  rango_tensor **data;   /* [data_count] of the batch */
  rango_tensor **wanted; /* [targets] */
  rango_tensor **now;    /* [targets]; after the comparison, the seeds */
  const rango_tensor **inputs;
  rango_tensor **gradients; /* [parameters] */
  size_t data_count;
  int64_t rows;
} pass;

static void pass_free(const trainer *t, pass *p) {
  if (p->data) rg_tensors_free(p->data, p->data_count);
  if (p->wanted) rg_tensors_free(p->wanted, t->target_count);
  if (p->now) rg_tensors_free(p->now, t->target_count);
  if (p->gradients) rg_tensors_free(p->gradients, t->parameter_count);
  rg_free(p->data);
  rg_free(p->wanted);
  rg_free(p->now);
  rg_free(p->gradients);
  rg_free(p->inputs);
}

/* A batch from `begin` on through both networks, changed where `random` isn't NULL; the loss's derivatives stay in
 * p->now. */
static rango_status run_forward(const trainer *t, const rango_dataset *data, int64_t begin, rg_random *random, pass *p,
                                double *loss) {
  int64_t end = begin + t->batch < data->rows ? begin + t->batch : data->rows;
  *p = (pass){.data_count = data->count, .rows = end - begin};
  RG_TRY(rg_calloc(p->data_count, sizeof *p->data, RG_OUT(&p->data)));
  RG_TRY(rg_calloc(t->target_count, sizeof *p->wanted, RG_OUT(&p->wanted)));
  RG_TRY(rg_calloc(t->target_count, sizeof *p->now, RG_OUT(&p->now)));
  RG_TRY(rg_calloc(t->parameter_count, sizeof *p->gradients, RG_OUT(&p->gradients)));
  RG_TRY(rg_calloc(p->data_count + t->target_count + t->parameter_count, sizeof *p->inputs, RG_OUT(&p->inputs)));
  RG_TRY(rango_dataset_batch(data, begin, end, p->data, p->data_count));
  const rg_augmentation *views = &t->job->augmentation;
  if (random && views->input >= 0) RG_TRY(rg_augmentation_apply(views, random, p->data[views->input]));
  for (size_t i = 0; i < p->data_count; i++) p->inputs[i] = p->data[i];
  for (size_t i = 0; i < t->parameter_count; i++) p->inputs[p->data_count + i] = t->parameters[i].tensor;
  RG_TRY(rango_session_run(t->original, p->inputs, p->data_count, p->wanted, t->target_count));
  RG_TRY(rango_session_run(t->forward, p->inputs, p->data_count + t->parameter_count, p->now, t->target_count));
  for (size_t i = 0; i < t->target_count; i++) RG_TRY(compare(&t->targets[i], p->wanted[i], p->now[i], p->rows, loss));
  return RANGO_OK;
}

/* The mean loss of a row. */
static rango_status measure(const trainer *t, double *out) {
  double loss = 0;
  for (int64_t begin = 0; begin < t->held->rows; begin += t->batch) {
    pass p;
    rango_status status = run_forward(t, t->held, begin, NULL, &p, &loss);
    pass_free(t, &p);
    RG_TRY(status);
  }
  *out = loss / (double)t->held->rows;
  return RANGO_OK;
}

/* ---- training ---- */

static rango_status train_batch(trainer *t, int64_t begin) {
  pass p;
  double loss = 0;
  rango_status status;
  RG_TRY_DONE(run_forward(t, t->fit, begin, &t->random, &p, &loss));
  for (size_t i = 0; i < t->target_count; i++) p.inputs[p.data_count + i] = p.now[i];
  for (size_t i = 0; i < t->parameter_count; i++)
    p.inputs[p.data_count + t->target_count + i] = t->parameters[i].tensor;
  RG_TRY_DONE(rango_session_run(t->backward, p.inputs, p.data_count + t->target_count + t->parameter_count, p.gradients,
                                t->parameter_count));
  double rate = 0.5 * RATE * (1 + cos(acos(-1) * (double)t->step / (double)t->steps));
  t->step++;
  for (size_t i = 0; i < t->parameter_count; i++) {
    parameter *q = &t->parameters[i];
    rg_adam_step(&q->adam, p.gradients[i]->data, rate, t->step, q->tensor->data);
  }
done:
  pass_free(t, &p);
  return status;
}

static rango_status keep_best(trainer *t) {
  double loss;
  RG_TRY(measure(t, &loss));
  if (!(loss < t->best)) return RANGO_OK;
  t->best = loss;
  for (size_t i = 0; i < t->parameter_count; i++)
    memcpy(t->parameters[i].best, t->parameters[i].tensor->data, t->parameters[i].tensor->bytes);
  return RANGO_OK;
}

static rango_status train(trainer *t, int64_t epochs) {
  int64_t batches = (t->fit->rows + t->batch - 1) / t->batch, *order = NULL;
  rango_status status;
  rg_random_seed(&t->random, t->job->options->seed);
  t->steps = epochs * batches;
  RG_TRY_DONE(rg_alloc((size_t)batches * sizeof *order, RG_OUT(&order)));
  for (int64_t i = 0; i < batches; i++) order[i] = i;
  RG_TRY_DONE(measure(t, &t->first));
  t->best = t->first;
  while (t->step < t->steps) {
    for (int64_t i = batches - 1; i > 0; i--) {
      int64_t j = (int64_t)rg_random_below(&t->random, (uint64_t)i + 1), swap = order[i];
      order[i] = order[j];
      order[j] = swap;
    }
    for (int64_t i = 0; i < batches; i++) {
      RG_TRY_DONE(train_batch(t, order[i] * t->batch));
      RG_TRY_DONE(rg_calibration_progress(&t->job->calibration, (double)t->step / (double)t->steps, "refining"));
    }
    RG_TRY_DONE(keep_best(t));
  }
done:
  rg_free(order);
  return status;
}

/* ---- in and out ---- */

static rango_status refined_model(const trainer *t, rango_model **out) {
  RG_TRY(rg_model_copy(t->model, out));
  for (size_t i = 0; i < t->parameter_count; i++) {
    const parameter *p = &t->parameters[i];
    rango_tensor tensor;
    RG_TRY(rg_tensor_init(&tensor, RANGO_FLOAT32, &p->tensor->shape));
    memcpy(tensor.data, p->best, tensor.bytes);
    RG_TRY(rg_model_add_tensor(*out, &tensor, &rg_find_value((*out)->graph, p->id)->constant));
  }
  return RANGO_OK;
}

static void trainer_free(trainer *t) {
  for (size_t i = 0; i < t->parameter_count; i++) {
    rango_tensor_free(t->parameters[i].tensor);
    rg_adam_free(&t->parameters[i].adam);
    rg_free(t->parameters[i].best);
  }
  for (size_t i = 0; i < t->target_count; i++) rg_free(t->targets[i].metric);
  rg_free(t->parameters);
  rg_free(t->targets);
  rango_session_free(t->original);
  rango_session_free(t->forward);
  rango_session_free(t->backward);
  for (size_t i = 0; i < 3; i++) rg_model_release(t->models[i]);
  rango_dataset_free(t->held);
}

rango_status rg_refine(rg_job *job, const rango_model *model, rango_model **out) {
  trainer t = {.job = job, .model = model, .fit = job->calibration.data};
  int before = rg_linalg_set_threads(1); /* its idle threads would spin beside the sessions' from step to step */
  rango_status status;
  *out = NULL;
  RG_TRY_DONE(rg_dataset_first_rows(job->val, HELD_ROWS, &t.held));
  t.batch = rg_dataset_batch_rows(t.fit, job->calibration.batch < BATCH_ROWS ? job->calibration.batch : BATCH_ROWS);
  RG_TRY_DONE(find_parameters(&t));
  RG_TRY_DONE(find_targets(&t));
  RG_TRY_DONE(create_sessions(&t));
  RG_TRY_DONE(train(&t, job->options->refine));
  if (t.best < t.first) RG_TRY_DONE(refined_model(&t, out));
done:
  trainer_free(&t);
  rg_linalg_set_threads(before);
  return status == RANGO_OK ? status : rg_fail_context(status, "refine");
}
