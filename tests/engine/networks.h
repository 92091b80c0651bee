/* Models that the engine's tests share. */
#ifndef TESTS_ENGINE_NETWORKS_H
#define TESTS_ENGINE_NETWORKS_H

#include "support/model.h"

static inline rg_value *op1(rg_graph *g, const char *op, rg_value *a) { return model_node(g, op, a, NULL, NULL, NULL); }
static inline rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}

/* A body of the node, and its output at the end. */
static inline rg_graph *body_of(rg_node *node, const char *attribute) {
  rg_graph *graph;
  rg_attr *attr;
  rango_model *model = node->graph->model;
  check_ok(rg_graph_create(model, node, &graph));
  check_ok(rg_arena_calloc(model->arena, 1, sizeof *attr, RG_OUT(&attr)));
  *attr = (rg_attr){.name = attribute, .kind = RG_ATTR_GRAPH, .next = node->attributes, .count = 1, .graph = graph};
  node->attributes = attr;
  return graph;
}

/* A small image classifier of one symbolic batch: convolution, pool, residual block, dense layers, two outputs. */
static inline rango_model *network_small(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "image", RANGO_FLOAT32, 4, DIMS(-1, 3, 12, 12));
  rg_value *y = model_node(g, "Conv", x, model_weights(g, "w1", 0.2, 4, DIMS(16, 3, 3, 3)),
                           model_weights(g, "b1", 0.1, 1, DIMS(16)), NULL);
  rg_value *z = op2(g, "Conv", op1(g, "Relu", y), model_weights(g, "w2", 0.1, 4, DIMS(16, 16, 3, 3)));
  check_ok(rg_node_set_ints(z->producer, "pads", DIMS(1, 1, 1, 1), 4));
  z = op1(g, "Relu", op2(g, "Add", z, y));
  z = op1(g, "MaxPool", z);
  check_ok(rg_node_set_ints(z->producer, "kernel_shape", DIMS(2, 2), 2));
  check_ok(rg_node_set_ints(z->producer, "strides", DIMS(2, 2), 2));
  z = op1(g, "Flatten", z);
  rg_value *features = op1(g, "Relu", op2(g, "MatMul", z, model_weights(g, "w3", 0.05, 2, DIMS(400, 32))));
  rg_value *scores = op1(g, "Softmax", op2(g, "MatMul", features, model_weights(g, "w4", 0.3, 2, DIMS(32, 10))));
  check_ok(rg_graph_add_output(g, scores));
  check_ok(rg_graph_add_output(g, features));
  return model;
}

/* The value's own name in messages. */
static inline void name_value(rg_value *value, const char *name) {
  const char *copy;
  check_ok(rg_arena_strndup(value->graph->model->arena, name, strlen(name), &copy));
  value->name = copy;
}

#endif
