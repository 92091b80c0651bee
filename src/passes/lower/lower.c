/* The driver of the lowering passes, and what they share. */
#include "passes/lower/lower.h"

#include <string.h>

#include "passes/row.h"

rango_status rg_passes_lower(rango_model *model) {
  /* What recognition leaves behind still counts as a user: it has to go before fusion looks for single users. */
  static const rg_pass passes[] = {
      rg_pass_fold_large_constants, rg_pass_recognise_gelu,  rg_pass_recognise_norm,   rg_pass_fuse_attention,
      rg_pass_recognise_attention,  rg_pass_remove_dead,     rg_pass_fuse_matmul_add,  rg_pass_fuse_conv,
      rg_pass_fold_scale,           rg_pass_fuse_activation, rg_pass_recognise_lookup, rg_pass_low_rank,
      rg_pass_remove_dead,          rg_pass_layout,          rg_pass_fuse_elementwise};
  return rg_passes_row(model, passes, sizeof passes / sizeof *passes, 1);
}

/* ---- visiting ---- */

typedef struct visiting {
  rg_lower_visit visit;
  const rg_facts *facts;
  int *changes;
  bool backwards;
} visiting;

static bool is_alive(const rg_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->producer == node) return true;
  return false;
}

static rango_status visit_graph(rg_graph *graph, void *argument) {
  const visiting *v = argument;
  size_t count = 0, at = 0;
  rg_node **nodes, *node;
  for (node = graph->first; node; node = node->next) count++;
  RG_TRY(rg_calloc(count + 1, sizeof *nodes, RG_OUT(&nodes)));
  for (node = graph->first; node; node = node->next) nodes[at++] = node;
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < count && status == RANGO_OK; i++)
    if (is_alive(node = nodes[v->backwards ? count - 1 - i : i])) status = v->visit(node, v->facts, v->changes);
  rg_free(nodes);
  return status;
}

static rango_status visit_nodes(rango_model *model, rg_lower_visit visit, int *changes, bool backwards) {
  rg_pass_facts facts;
  RG_TRY(rg_pass_facts_create(model, &facts));
  visiting v = {visit, facts.facts, changes, backwards};
  rango_status status = rg_model_visit_graphs(model, false, visit_graph, &v);
  rg_pass_facts_clear(&facts);
  return status;
}

rango_status rg_lower_nodes(rango_model *model, rg_lower_visit visit, int *changes) {
  return visit_nodes(model, visit, changes, false);
}

rango_status rg_lower_nodes_backwards(rango_model *model, rg_lower_visit visit, int *changes) {
  return visit_nodes(model, visit, changes, true);
}

/* ---- nodes and values ---- */

rango_status rg_lower_become(rg_node *node, const char *op, const char *domain, int version) {
  const rg_op *definition = rg_op_find(domain, op, version);
  RG_FAIL_IF(!definition, RANGO_ERROR_INTERNAL, "%s: there is no operator %s to lower it to", rg_node_text(node), op);
  node->op = definition->name;
  node->domain = definition->domain;
  node->version = version;
  node->definition = definition;
  return RANGO_OK;
}

void rg_lower_take_over(rg_node *node, rg_node *last) {
  rg_value *output = last->outputs[0];
  rg_node_move(node, last);
  rg_node_remove(last);
  rg_node_set_output(node, 0, output);
}

bool rg_lower_is_private(const rg_node *node, const char *op) {
  return strcmp(node->op, op) == 0 && strcmp(node->domain, RG_PRIVATE_DOMAIN) == 0;
}

rg_node *rg_lower_only_user(const rg_value *value) {
  if (!value || value->uses.count != 1 || value->output_uses > 0) return NULL;
  rg_node *user = value->uses.items[0].node;
  return user->graph == value->graph ? user : NULL;
}

rg_value *rg_lower_input(const rg_node *node, int index) {
  return index < node->input_count ? node->inputs[index] : NULL;
}

rg_value *rg_lower_other(const rg_node *node, const rg_value *value) {
  if (node->input_count != 2 || node->inputs[0] == node->inputs[1]) return NULL;
  return node->inputs[0] == value ? node->inputs[1] : node->inputs[0];
}

bool rg_lower_is_float32(const rg_facts *facts, const rg_value *value) {
  const rg_fact *fact = value ? rg_facts_of(facts, value) : NULL;
  return fact && fact->kind == RG_KIND_TENSOR && fact->type == RANGO_FLOAT32;
}

bool rg_lower_same_shape(const rg_fact *a, const rg_fact *b) {
  if (!a || !b || a->kind != RG_KIND_TENSOR || b->kind != RG_KIND_TENSOR || a->rank < 0 || a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] == RG_SIZE_UNKNOWN || a->dims[i] != b->dims[i]) return false;
  return true;
}
