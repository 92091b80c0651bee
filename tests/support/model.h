/* Small models made by hand, random tensors, and running a model on both devices. */
#ifndef TESTS_SUPPORT_MODEL_H
#define TESTS_SUPPORT_MODEL_H

#include <math.h>

#include "base/random.h"
#include "graph/graph.h"
#include "ops/support.h"
#include "passes/passes.h"
#include "support/check.h"

#define MODEL_OPSET 18
#define DIMS(...)   ((const int64_t[]){__VA_ARGS__})

/* An empty model that imports MODEL_OPSET. */
static inline rango_model *model_new(void) {
  rango_model *model;
  check_ok(rg_model_create(&model));
  check_ok(rg_arena_calloc(model->arena, 1, sizeof *model->opsets, RG_OUT(&model->opsets)));
  model->opsets[0] = (rg_opset){"", MODEL_OPSET};
  model->opset_count = 1;
  model->ir_version = 8;
  model->path = "memory";
  return model;
}

/* An input; a negative size -k is the symbol "sk". */
static inline rg_value *model_input(rg_graph *graph, const char *name, rango_type type, int rank, const int64_t *dims) {
  rg_value *value;
  int64_t *sizes;
  check_ok(rg_graph_add_value(graph, name, &value));
  check_ok(rg_arena_calloc(graph->model->arena, (size_t)rank + 1, sizeof *sizes, RG_OUT(&sizes)));
  for (int i = 0; i < rank; i++) {
    char symbol[8];
    snprintf(symbol, sizeof symbol, "s%d", (int)-dims[i]);
    sizes[i] = dims[i];
    if (dims[i] < 0) check_ok(rg_model_symbol(graph->model, symbol, &sizes[i]));
  }
  value->type = (rg_type_info){.kind = RG_KIND_TENSOR, .type = type, .rank = rank, .dims = sizes, .changed = true};
  check_ok(rg_graph_add_input(graph, value));
  return value;
}

static inline rg_shape model_shape(int rank, const int64_t *dims) {
  rg_shape shape = {.rank = rank};
  for (int i = 0; i < rank; i++) shape.dims[i] = dims[i];
  return shape;
}

/* A constant of normal numbers times `scale`, always the same for a name. */
static inline rg_value *model_weights(rg_graph *graph, const char *name, double scale, int rank, const int64_t *dims) {
  rango_tensor tensor;
  rg_value *value;
  rg_random random;
  rg_shape shape = model_shape(rank, dims);
  uint64_t seed = 1;
  for (const char *c = name; *c; c++) seed = seed * 31 + (uint64_t)*c;
  rg_random_seed(&random, seed);
  check_ok(rg_tensor_init(&tensor, RANGO_FLOAT32, &shape));
  for (size_t i = 0; i < tensor.bytes / sizeof(float); i++)
    ((float *)tensor.data)[i] = (float)(scale * rg_random_normal(&random));
  check_ok(rg_graph_add_constant(graph, name, &tensor, &value));
  return value;
}

static inline rg_value *model_scalar(rg_graph *graph, double number) {
  rango_tensor tensor;
  rg_value *value;
  check_ok(rg_tensor_init(&tensor, RANGO_FLOAT32, &(rg_shape){0}));
  *(float *)tensor.data = (float)number;
  check_ok(rg_graph_add_constant(graph, NULL, &tensor, &value));
  return value;
}

/* int64 [count], or a scalar when count is 0 (then of the first element). */
static inline rg_value *model_ints(rg_graph *graph, int count, const int64_t *numbers) {
  rango_tensor tensor;
  rg_value *value;
  rg_shape shape = {.rank = count > 0, .dims = {count}};
  check_ok(rg_tensor_init(&tensor, RANGO_INT64, &shape));
  memcpy(tensor.data, numbers, tensor.bytes);
  check_ok(rg_graph_add_constant(graph, NULL, &tensor, &value));
  return value;
}

/* A node of up to four inputs (NULL ends them), whose output 0 is a new value. */
static inline rg_value *model_node(rg_graph *graph, const char *op, rg_value *a, rg_value *b, rg_value *c,
                                   rg_value *d) {
  rg_value *inputs[] = {a, b, c, d}, *output;
  rg_node *node;
  int count = 0;
  while (count < 4 && inputs[count]) count++;
  check_ok(rg_graph_add_node(graph, NULL, op, "", MODEL_OPSET, count, 1, &node));
  for (int i = 0; i < count; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
  check_ok(rg_graph_add_value(graph, NULL, &output));
  rg_node_set_output(node, 0, output);
  return output;
}

static inline int model_count(const rango_model *model, const char *op) {
  int count = 0;
  for (const rg_node *node = model->graph->first; node; node = node->next) count += strcmp(node->op, op) == 0;
  return count;
}

static inline rg_node *model_find(const rango_model *model, const char *op) {
  for (rg_node *node = model->graph->first; node; node = node->next)
    if (strcmp(node->op, op) == 0) return node;
  return NULL;
}

static inline rango_tensor *tensor_random(rango_type type, int rank, const int64_t *dims, uint64_t seed) {
  rango_tensor *tensor;
  rg_random random;
  check_ok(rango_tensor_create(type, rank, dims, &tensor));
  rg_random_seed(&random, seed);
  int64_t count = rango_tensor_count(tensor);
  for (int64_t i = 0; i < count; i++)
    rg_tensor_set_double(tensor, i, type == RANGO_FLOAT32 ? rg_random_normal(&random) : (double)(i % 3));
  return tensor;
}

/* Largest difference relative to the largest number of `b`; infinite when types or shapes differ. */
static inline double tensor_distance(const rango_tensor *a, const rango_tensor *b) {
  if (a->type != b->type || !rg_shape_equal(&a->shape, &b->shape)) return INFINITY;
  double largest = 0, most = 0;
  int64_t count = rango_tensor_count(b);
  for (int64_t i = 0; i < count; i++) {
    double x = rg_tensor_get_double(a, i), y = rg_tensor_get_double(b, i), difference = fabs(x - y);
    if (!(difference <= most)) most = difference;
    if (fabs(y) > largest) largest = fabs(y);
  }
  return largest > 0 ? most / largest : most;
}

/* Runs the model's one output on a device; the tensor is the caller's. */
static inline rango_tensor *model_run(const rango_model *model, rango_device device, const rango_tensor *const *inputs,
                                      size_t count) {
  rango_session_options options = {.struct_size = sizeof options, .device = device, .threads = 2};
  rango_session *session;
  rango_tensor *output = NULL;
  check_ok(rango_session_create(model, &options, &session));
  check_ok(rango_session_run(session, inputs, count, &output, 1));
  rango_session_free(session);
  return output;
}

/* Both devices agree on these inputs: direct sums to 2e-6, Winograd's method to 6e-6 a layer (kernels/winograd.h). */
static inline void model_check_devices(const rango_model *model, const rango_tensor *const *inputs, size_t count) {
  rango_tensor *fast = model_run(model, RANGO_DEVICE_CPU, inputs, count);
  rango_tensor *slow = model_run(model, RANGO_DEVICE_REFERENCE, inputs, count);
  double distance = tensor_distance(fast, slow);
  if (!(distance <= 1e-5)) fail_msg("the devices differ by %g", distance);
  rango_tensor_free(fast);
  rango_tensor_free(slow);
}

#endif
