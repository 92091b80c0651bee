/* Rewiring: who uses which value. */
#include <string.h>

#include "graph/lists.h"

rango_status rg_value_add_use(rg_value *value, rg_node *node, int index) {
  RG_TRY(RG_ARENA_RESERVE(value->graph->model->arena, &value->uses, 1));
  value->uses.items[value->uses.count++] = (rg_use){node, index};
  return RANGO_OK;
}

/* The order of the others stays, so that rewrites are repeatable. From the end: what came last often goes first. */
static void remove_use(rg_value *value, const rg_node *node, int index) {
  for (size_t i = value->uses.count; i-- > 0;) {
    rg_use *use = &value->uses.items[i];
    if (use->node != node || use->index != index) continue;
    memmove(use, use + 1, (value->uses.count - i - 1) * sizeof *use);
    value->uses.count--;
    return;
  }
}

rango_status rg_node_set_input(rg_node *node, int index, rg_value *value) {
  if (value) RG_TRY(rg_value_add_use(value, node, index));
  rg_value *old = node->inputs[index];
  node->inputs[index] = value;
  if (!old) return RANGO_OK;
  if (old == value)
    value->uses.count--; /* the use just added at the end: the old one stays */
  else
    remove_use(old, node, index);
  return RANGO_OK;
}

rango_status rg_node_set_input_count(rg_node *node, int count) {
  for (int i = count; i < node->input_count; i++) RG_TRY(rg_node_set_input(node, i, NULL));
  if (count > node->input_count) {
    rg_value **inputs;
    RG_TRY(rg_arena_calloc(node->graph->model->arena, (size_t)count, sizeof *inputs, RG_OUT(&inputs)));
    memcpy(inputs, node->inputs, (size_t)node->input_count * sizeof *inputs);
    node->inputs = inputs;
  }
  node->input_count = count;
  return RANGO_OK;
}

void rg_node_set_output(rg_node *node, int index, rg_value *value) {
  rg_value *old = node->outputs[index];
  if (old) old->producer = NULL;
  node->outputs[index] = value;
  if (!value) return;
  value->producer = node;
  value->producer_index = index;
}

typedef struct replacement {
  rg_value *old, *with;
} replacement;

static rango_status replace_outputs(rg_graph *graph, void *argument) {
  const replacement *r = argument;
  for (size_t i = 0; i < graph->outputs.count && r->old->output_uses; i++)
    if (graph->outputs.items[i] == r->old) rg_graph_set_output(graph, i, r->with);
  return RANGO_OK;
}

rango_status rg_value_replace(rg_value *old, rg_value *with) {
  if (old == with) return RANGO_OK;
  /* Room first: after that nothing can fail halfway. */
  RG_TRY(RG_ARENA_RESERVE(with->graph->model->arena, &with->uses, old->uses.count));
  for (size_t i = 0; i < old->uses.count; i++) {
    rg_use use = old->uses.items[i];
    use.node->inputs[use.index] = with;
    with->uses.items[with->uses.count++] = use;
  }
  old->uses.count = 0;
  replacement r = {old, with};
  RG_TRY(replace_outputs(old->graph, &r));
  return old->output_uses ? rg_model_visit_graphs(old->graph->model, true, replace_outputs, &r) : RANGO_OK;
}

bool rg_value_is_used(const rg_value *value) { return value->uses.count > 0 || value->output_uses > 0; }

const rango_tensor *rg_value_constant(const rg_value *value) {
  if (!value) return NULL;
  if (value->constant) return value->constant;
  if (!value->producer || !rg_node_is(value->producer, "Constant")) return NULL;
  const rg_attr *attr = rg_node_attr(value->producer, "value");
  return attr && attr->kind == RG_ATTR_TENSOR && !attr->reference ? attr->tensor : NULL;
}
