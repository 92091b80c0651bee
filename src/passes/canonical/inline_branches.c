/* An If whose condition is constant gives way to the branch that it takes. */
#include "graph/copy.h"
#include "passes/canonical/rewrite.h"

static rango_status copy_branch(rg_copier *copier, rg_node *node) {
  const rg_graph *branch = copier->body;
  for (size_t i = 0; i < branch->values.count; i++) {
    rg_value *value = branch->values.items[i], *copy;
    if (value->constant && rg_value_is_used(value)) RG_TRY(rg_copy_value(copier, value, node->graph, &copy));
  }
  for (const rg_node *n = branch->first; n; n = n->next) {
    rg_node *copy;
    RG_TRY(rg_copy_node(copier, n, node->graph, node, &copy));
  }
  return RANGO_OK;
}

/* Through an Identity each, which the next pass removes where names allow it. */
static rango_status connect(const rg_copier *copier, rg_node *node) {
  const rg_graph *branch = copier->body;
  for (size_t i = 0; i < branch->outputs.count; i++) {
    rg_value *from = branch->outputs.items[i], *made = copier->map[from->id], *output = node->outputs[i];
    if (!output) continue;
    rg_node *identity;
    RG_TRY(rg_graph_add_node(node->graph, node, "Identity", "", node->version, 1, 1, &identity));
    identity->definition = rg_op_find("", "Identity", node->version);
    RG_TRY(rg_node_set_input(identity, 0, made ? made : from)); /* or a value of an outer graph, given back as it is */
    rg_node_set_output(node, (int)i, NULL);
    rg_node_set_output(identity, 0, output);
  }
  return RANGO_OK;
}

static rango_status inline_branch(rg_node *node, rg_graph *branch) {
  rango_model *model = node->graph->model;
  rg_copier copier = {.from = model, .to = model, .body = branch, .map_count = model->value_count};
  RG_TRY(rg_calloc((size_t)model->value_count, sizeof *copier.map, RG_OUT(&copier.map)));
  rango_status status = copy_branch(&copier, node);
  if (status == RANGO_OK) status = connect(&copier, node);
  if (status == RANGO_OK) rg_node_remove(node);
  rg_free(copier.map);
  return status;
}

static rango_status visit(rg_graph *graph, void *argument) {
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    if (!rg_node_is(node, "If") || !node->definition) continue;
    const rango_tensor *condition = rg_value_constant(rg_node_input(node, 0));
    if (!condition || rango_tensor_count(condition) != 1) continue;
    rg_graph *branch = rg_node_graph(node, rg_tensor_get_i64(condition, 0) ? "then_branch" : "else_branch");
    if (!branch || branch->inputs.count || branch->outputs.count != (size_t)node->output_count) continue;
    RG_TRY(inline_branch(node, branch));
    ++*(int *)argument;
  }
  return RANGO_OK;
}

rango_status rg_pass_inline_branches(rango_model *model, int *changes) {
  return rg_model_visit_graphs(model, false, visit, changes);
}
