/* Small graphs in a few words, and running them node by node (rg_op_evaluate), for tests of graphs and passes. A
 * builder's calls fail the test when the library does. */
#ifndef TESTS_SUPPORT_GRAPHS_H
#define TESTS_SUPPORT_GRAPHS_H

#include <stdlib.h>

#include "base/random.h"
#include "ops/op.h"
#include "support/check.h"

#define TEST_OPSET 17

static inline rango_model *new_model(void) {
  rango_model *model;
  check_ok(rg_model_create(&model));
  rg_opset *opset;
  check_ok(rg_arena_alloc(model->arena, sizeof *opset, RG_OUT(&opset)));
  *opset = (rg_opset){"", TEST_OPSET};
  model->opsets = opset;
  model->opset_count = 1;
  model->ir_version = 8;
  return model;
}

/* Declares the type; sizes below 0 are symbols of that number's absolute value ("s1" for -1). */
static inline void declare(rg_value *value, rango_type type, int rank, const int64_t *dims) {
  rango_model *model = value->graph->model;
  int64_t *copy;
  check_ok(rg_arena_calloc(model->arena, rank > 0 ? (size_t)rank : 0, sizeof *copy, RG_OUT(&copy)));
  for (int i = 0; i < rank; i++) {
    char symbol[8];
    copy[i] = dims[i];
    if (dims[i] >= 0) continue;
    snprintf(symbol, sizeof symbol, "s%d", (int)-dims[i]);
    check_ok(rg_model_symbol(model, symbol, &copy[i]));
  }
  value->type = (rg_type_info){.kind = RG_KIND_TENSOR, .type = type, .rank = rank, .dims = copy};
}

#define DIMS(...)                                                                                                      \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

static inline rg_value *graph_input(rg_graph *graph, const char *name, rango_type type, int rank, const int64_t *dims) {
  rg_value *value;
  check_ok(rg_graph_add_value(graph, name, &value));
  declare(value, type, rank, dims);
  check_ok(rg_graph_add_input(graph, value));
  return value;
}

static inline rg_value *constant(rg_graph *graph, const char *name, rango_type type, int rank, const int64_t *dims,
                                 const double *numbers) {
  rango_tensor tensor;
  rg_shape shape = {.rank = rank};
  rg_value *value;
  for (int i = 0; i < rank; i++) shape.dims[i] = dims[i];
  check_ok(rg_tensor_init(&tensor, type, &shape));
  for (int64_t i = 0; i < rango_tensor_count(&tensor); i++) rg_tensor_set_double(&tensor, i, numbers ? numbers[i] : 0);
  check_ok(rg_graph_add_constant(graph, name, &tensor, &value));
  return value;
}
#define NUMBERS(...)                                                                                                   \
  (const double[]) { __VA_ARGS__ }

/* Float weights, normally distributed; `low` > 0 makes them uniform in [low, low + 1). */
static inline rg_value *weights(rg_graph *graph, const char *name, uint64_t seed, double low, int rank,
                                const int64_t *dims) {
  rg_random random;
  rg_value *value = constant(graph, name, RANGO_FLOAT32, rank, dims, NULL);
  rg_random_seed(&random, seed);
  for (int64_t i = 0; i < rango_tensor_count(value->constant); i++)
    rg_tensor_set_double(value->constant, i, low > 0 ? low + rg_random_uniform(&random) : rg_random_normal(&random));
  return value;
}

/* A node at the end of the graph with one output of that name. */
static inline rg_value *node_of(rg_graph *graph, const char *op, const char *output, int count,
                                rg_value *const *inputs) {
  rg_node *node;
  rg_value *value;
  check_ok(rg_graph_add_node(graph, NULL, op, "", TEST_OPSET, count, 1, &node));
  for (int i = 0; i < count; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
  check_ok(rg_graph_add_value(graph, output, &value));
  rg_node_set_output(node, 0, value);
  return value;
}
#define NODE(graph, op, output, ...)                                                                                   \
  node_of((graph), (op), (output), (int)(sizeof((rg_value *[]){__VA_ARGS__}) / sizeof(rg_value *)),                    \
          (rg_value *[]){__VA_ARGS__})

static inline rg_value *graph_output(rg_graph *graph, rg_value *value) {
  check_ok(rg_graph_add_output(graph, value));
  return value;
}

static inline int count_ops(const rg_graph *graph, const char *op) {
  int count = 0;
  for (const rg_node *node = graph->first; node; node = node->next) count += !op || rg_node_is(node, op);
  return count;
}

/* Every use is an input and every input is a use; producers and outputs belong together; order is topological. */
static inline void check_graph(const rg_graph *graph) {
  for (const rg_node *node = graph->first; node; node = node->next) {
    assert_ptr_equal(node->graph, graph);
    assert_ptr_equal(node->next ? node->next->previous : graph->last, node);
    for (int i = 0; i < node->input_count; i++) {
      const rg_value *value = node->inputs[i];
      size_t found = 0;
      for (size_t u = 0; value && u < value->uses.count; u++)
        found += value->uses.items[u].node == node && value->uses.items[u].index == i;
      assert_int_equal(found, value != NULL);
      if (!value || value->graph != graph || !value->producer) continue;
      const rg_node *earlier = node->previous;
      while (earlier && earlier != value->producer) earlier = earlier->previous;
      assert_ptr_equal(earlier, value->producer);
    }
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) {
        assert_ptr_equal(node->outputs[i]->producer, node);
        assert_int_equal(node->outputs[i]->producer_index, i);
      }
    for (const rg_attr *attr = node->attributes; attr; attr = attr->next)
      if (attr->kind == RG_ATTR_GRAPH) check_graph(attr->graph);
  }
  for (size_t v = 0; v < graph->values.count; v++) {
    const rg_value *value = graph->values.items[v];
    for (size_t u = 0; u < value->uses.count; u++)
      assert_ptr_equal(value->uses.items[u].node->inputs[value->uses.items[u].index], value);
    int listed = 0;
    for (size_t o = 0; o < graph->outputs.count; o++) listed += graph->outputs.items[o] == value;
    if (!graph->owner) assert_true(value->output_uses >= listed);
  }
}

/* Runs the main graph node by node with the scalar reference; inputs[i] fills graph input i; results[o] is output o, to
 * be cleared by the caller. */
static inline void run_graph(rango_model *model, const rango_tensor *inputs, rg_val *results) {
  check_ok(rg_ops_resolve(model, true));
  rg_val *values = calloc((size_t)model->value_count, sizeof *values);
  const rg_graph *graph = model->graph;
  for (size_t i = 0; i < graph->values.count; i++) {
    const rg_value *value = graph->values.items[i];
    if (!value->constant) continue;
    values[value->id].kind = RG_KIND_TENSOR;
    rg_tensor_init_view(&values[value->id].tensor, value->constant);
  }
  for (size_t i = 0; i < graph->inputs.count; i++) {
    rg_val *val = &values[graph->inputs.items[i]->id];
    val->kind = RG_KIND_TENSOR;
    check_ok(rg_tensor_copy(&val->tensor, &inputs[i]));
  }
  for (const rg_node *node = graph->first; node; node = node->next) {
    const rg_val *in[16] = {0};
    rg_val out[16] = {0};
    for (int i = 0; i < node->input_count; i++) in[i] = node->inputs[i] ? &values[node->inputs[i]->id] : NULL;
    check_ok(rg_op_evaluate(node, true, in, out));
    for (int i = 0; i < node->output_count; i++) {
      if (node->outputs[i])
        values[node->outputs[i]->id] = out[i];
      else
        rg_val_clear(&out[i]);
    }
  }
  for (size_t i = 0; i < graph->outputs.count; i++)
    check_ok(rg_val_view(&results[i], &values[graph->outputs.items[i]->id]));
  for (int i = 0; i < model->value_count; i++) rg_val_clear(&values[i]);
  free(values);
}

/* An input tensor of the declared shape, symbols being 2, of numbers that repeat with the seed. */
static inline void fill_input(const rg_value *value, uint64_t seed, rango_tensor *out) {
  rg_shape shape = {.rank = value->type.rank};
  rg_random random;
  for (int i = 0; i < shape.rank; i++) shape.dims[i] = rg_size_is_known(value->type.dims[i]) ? value->type.dims[i] : 2;
  check_ok(rg_tensor_init(out, value->type.type, &shape));
  rg_random_seed(&random, seed);
  for (int64_t i = 0; i < rango_tensor_count(out); i++) rg_tensor_set_double(out, i, rg_random_normal(&random));
}

/* Runs the model before and after `change` on the same inputs: every output must have the same name, type and shape,
 * and the same numbers within `tolerance` relative to the largest. */
static inline void check_same_outputs(rango_model *model, rango_status (*change)(rango_model *model, void *argument),
                                      void *argument, double tolerance) {
  rango_tensor inputs[8];
  rg_val before[8] = {0}, after[8] = {0};
  char names[8][64];
  size_t input_count = model->graph->inputs.count, output_count = model->graph->outputs.count;
  for (size_t i = 0; i < input_count; i++) fill_input(model->graph->inputs.items[i], i + 1, &inputs[i]);
  for (size_t o = 0; o < output_count; o++) snprintf(names[o], 64, "%s", model->graph->outputs.items[o]->name);
  check_graph(model->graph);
  run_graph(model, inputs, before);
  check_ok(change(model, argument));
  check_graph(model->graph);
  run_graph(model, inputs, after);
  for (size_t o = 0; o < output_count; o++) {
    const rango_tensor *a = &before[o].tensor, *b = &after[o].tensor;
    double largest = 0;
    assert_string_equal(model->graph->outputs.items[o]->name, names[o]);
    assert_int_equal(a->type, b->type);
    assert_true(rg_shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < rango_tensor_count(a); i++) {
      double size = rg_tensor_get_double(a, i);
      if (size < 0) size = -size;
      if (size > largest) largest = size;
    }
    for (int64_t i = 0; i < rango_tensor_count(a); i++) {
      double difference = rg_tensor_get_double(a, i) - rg_tensor_get_double(b, i);
      if (!(difference <= tolerance * largest && difference >= -tolerance * largest))
        fail_msg("output %zu, element %d: %g became %g", o, (int)i, rg_tensor_get_double(a, i),
                 rg_tensor_get_double(b, i));
    }
    rg_val_clear(&before[o]);
    rg_val_clear(&after[o]);
  }
  for (size_t i = 0; i < input_count; i++) rg_tensor_clear(&inputs[i]);
}

#endif
