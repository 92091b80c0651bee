/* Adjoints of pooling. */
#include "adjoint/backward.h"

/* The gradient goes to the element that was the maximum, the first where there are several, as MaxPool's indices (into
 * the whole tensor) say; windows may overlap. */
static void max_pool(rg_backward *b, rg_value *g) {
  rg_value *x = rg_back_input(b, 0), *indices = NULL, *again = rg_back_op(b, "MaxPool", 1, x);
  int64_t flat = -1;
  if (b->status != RANGO_OK) return;
  rg_back_fail(b, rg_node_copy_attributes(again->producer, b->node));
  rg_node *node = again->producer;
  rg_graph *graph = b->graph;
  rg_node *both;
  rango_status status = rg_graph_add_node(graph, b->before, "MaxPool", "", b->version, 1, 2, &both);
  if (status == RANGO_OK) status = rg_node_set_input(both, 0, x);
  if (status == RANGO_OK) status = rg_node_copy_attributes(both, node);
  rg_node_remove(node);
  if (status == RANGO_OK) rg_node_set_output(both, 0, again);
  if (status == RANGO_OK) status = rg_graph_add_value(graph, b->name, &indices);
  if (status == RANGO_OK) rg_node_set_output(both, 1, indices);
  rg_back_fail(b, status);
  rg_value *zeros = rg_back_reshape(b, rg_back_zeros_like(b, x), &flat, 1);
  rg_value *sum = rg_back_op(b, "ScatterElements", 3, zeros, rg_back_reshape(b, indices, &flat, 1),
                             rg_back_reshape(b, g, &flat, 1));
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_set_string(sum->producer, "reduction", "add"));
  rg_back_give(b, 0, rg_back_reshape_like(b, sum, x));
}

static const rg_adjoint_rule rules[] = {{"MaxPool", max_pool, NULL}};
RG_ADJOINT_EXPORT(pool, rules);
