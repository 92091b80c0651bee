/* Nodes whose outputs nobody uses, and constants likewise. */
#include "passes/passes.h"

static bool is_used(const rg_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && rg_value_is_used(node->outputs[i])) return true;
  return false;
}

static void sweep_graph(rg_graph *graph, int *changes);

static void sweep_bodies(rg_node *node, int *changes) {
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
    if (attr->kind == RG_ATTR_GRAPH && attr->graph) sweep_graph(attr->graph, changes);
    for (size_t i = 0; attr->kind == RG_ATTR_GRAPHS && i < attr->count; i++) sweep_graph(attr->graphs[i], changes);
  }
}

/* From the last node to the first, bodies in their place: what a dead node used is dead by the time its turn comes. */
static void sweep_graph(rg_graph *graph, int *changes) {
  for (rg_node *node = graph->last, *previous; node; node = previous) {
    previous = node->previous;
    if (is_used(node)) {
      sweep_bodies(node, changes);
    } else {
      rg_node_remove(node);
      ++*changes;
    }
  }
}

static rango_status drop_constants(rg_graph *graph, void *argument) {
  for (size_t i = 0; i < graph->values.count; i++) {
    rg_value *value = graph->values.items[i];
    if (!value->constant || value->is_input || rg_value_is_used(value)) continue;
    value->constant = NULL; /* the tensor itself goes with the model */
    ++*(int *)argument;
  }
  return RANGO_OK;
}

rango_status rg_pass_remove_dead(rango_model *model, int *changes) {
  sweep_graph(model->graph, changes);
  return rg_model_visit_graphs(model, false, drop_constants, changes);
}
