/* Making graphs, values and nodes. */
#include <limits.h>
#include <string.h>

#include "graph/lists.h"
#include "graph/names.h"

rango_status rg_graph_create(rango_model *model, rg_node *owner, rg_graph **out) {
  *out = NULL;
  int depth = 0;
  for (const rg_node *node = owner; node; node = node->graph->owner)
    RG_FAIL_IF(++depth > RG_GRAPH_MAX_DEPTH, RANGO_ERROR_LIMIT, "%s: subgraphs are nested more than %d deep",
               rg_node_text(owner), RG_GRAPH_MAX_DEPTH);
  RG_TRY(rg_arena_calloc(model->arena, 1, sizeof **out, RG_OUT(out)));
  (*out)->model = model;
  (*out)->owner = owner;
  (*out)->name = "";
  return RANGO_OK;
}

static const rg_graph *outer_graph(const rg_graph *graph) { return graph->owner ? graph->owner->graph : NULL; }

rg_value *rg_graph_find_value(const rg_graph *graph, const char *name) {
  for (; graph; graph = outer_graph(graph)) {
    rg_value *value = rg_names_find(graph->model->names, graph, name);
    if (value) return value;
  }
  return NULL;
}

/* All names of the model are found under this scope, too: a name made up must not hide one of any subgraph. */
static const char names_anywhere;

/* The name itself where it is free here and in the graphs around; otherwise one with a suffix that is free everywhere.
 */
static rango_status free_name(rg_graph *graph, const char *name, const char **out) {
  rango_model *model = graph->model;
  if (name && name[0] && !rg_graph_find_value(graph, name))
    return rg_arena_strndup(model->arena, name, strlen(name), out);
  do
    RG_TRY(
        rg_arena_printf(model->arena, out, "%s_%lld", name && name[0] ? name : "value", (long long)++model->suffixes));
  while (rg_names_find(model->names, &names_anywhere, *out));
  return RANGO_OK;
}

rango_status rg_graph_add_named_value(rg_graph *graph, const char *name, rg_value **out) {
  rango_model *model = graph->model;
  rg_value *value;
  *out = NULL;
  RG_FAIL_IF(model->value_count == INT_MAX, RANGO_ERROR_LIMIT, "the model has too many values");
  RG_TRY(rg_arena_alloc(model->arena, sizeof *value, RG_OUT(&value)));
  RG_TRY(RG_ARENA_RESERVE(model->arena, &graph->values, 1));
  RG_TRY(rg_names_put(model->names, graph, name, value));
  RG_TRY(rg_names_put(model->names, &names_anywhere, name, value));
  value->name = name;
  value->id = model->value_count++;
  value->graph = graph;
  value->type.rank = -1;
  graph->values.items[graph->values.count++] = value;
  *out = value;
  return RANGO_OK;
}

rango_status rg_graph_add_value(rg_graph *graph, const char *name, rg_value **out) {
  const char *unique;
  *out = NULL;
  RG_TRY(free_name(graph, name, &unique));
  return rg_graph_add_named_value(graph, unique, out);
}

rango_status rg_graph_add_constant(rg_graph *graph, const char *name, rango_tensor *tensor, rg_value **out) {
  *out = NULL;
  rango_tensor *kept;
  RG_TRY(rg_model_add_tensor(graph->model, tensor, &kept));
  RG_TRY(rg_graph_add_value(graph, name, out));
  (*out)->constant = kept;
  return RANGO_OK;
}

/* Puts a node that is in no list before `before`, or at the end. */
static void link_node(rg_node *node, rg_node *before) {
  rg_graph *graph = node->graph;
  node->next = before;
  node->previous = before ? before->previous : graph->last;
  if (node->previous)
    node->previous->next = node;
  else
    graph->first = node;
  if (before)
    before->previous = node;
  else
    graph->last = node;
}

static void unlink_node(rg_node *node) {
  rg_graph *graph = node->graph;
  if (node->previous)
    node->previous->next = node->next;
  else if (graph->first == node)
    graph->first = node->next;
  if (node->next)
    node->next->previous = node->previous;
  else if (graph->last == node)
    graph->last = node->previous;
  node->previous = node->next = NULL;
}

rango_status rg_graph_add_node(rg_graph *graph, rg_node *before, const char *op, const char *domain, int version,
                               int input_count, int output_count, rg_node **out) {
  rango_model *model = graph->model;
  rg_node *node;
  *out = NULL;
  RG_FAIL_IF(model->node_count == INT_MAX, RANGO_ERROR_LIMIT, "the model has too many nodes");
  if (strcmp(domain, "ai.onnx") == 0) domain = "";
  RG_TRY(rg_arena_alloc(model->arena, sizeof *node, RG_OUT(&node)));
  RG_TRY(rg_arena_strndup(model->arena, op, strlen(op), &node->op));
  RG_TRY(rg_arena_strndup(model->arena, domain, strlen(domain), &node->domain));
  RG_TRY(rg_arena_calloc(model->arena, (size_t)input_count, sizeof *node->inputs, RG_OUT(&node->inputs)));
  RG_TRY(rg_arena_calloc(model->arena, (size_t)output_count, sizeof *node->outputs, RG_OUT(&node->outputs)));
  node->name = node->overload = "";
  node->version = version;
  node->graph = graph;
  node->input_count = input_count;
  node->output_count = output_count;
  node->id = model->node_count++;
  link_node(node, before);
  *out = node;
  return RANGO_OK;
}

void rg_node_move(rg_node *node, rg_node *before) {
  if (node == before) return;
  unlink_node(node);
  link_node(node, before);
}

/* Uses inside of the node's subgraphs end, too: values of outer graphs must not keep uses by nodes that are gone. */
static void drop_uses(rg_node *node);

static void drop_graph_uses(rg_graph *graph) {
  for (rg_node *node = graph->first; node; node = node->next) drop_uses(node);
  for (size_t i = 0; i < graph->outputs.count; i++) graph->outputs.items[i]->output_uses--;
  graph->outputs.count = 0;
}

static void drop_uses(rg_node *node) {
  for (int i = 0; i < node->input_count; i++) (void)rg_node_set_input(node, i, NULL); /* taking away can't fail */
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
    if (attr->kind == RG_ATTR_GRAPH && attr->graph) drop_graph_uses(attr->graph);
    for (size_t i = 0; attr->kind == RG_ATTR_GRAPHS && i < attr->count; i++) drop_graph_uses(attr->graphs[i]);
  }
}

void rg_node_remove(rg_node *node) {
  drop_uses(node);
  for (int i = 0; i < node->output_count; i++) rg_node_set_output(node, i, NULL);
  unlink_node(node);
}

rango_status rg_graph_add_input(rg_graph *graph, rg_value *value) {
  RG_TRY(RG_ARENA_RESERVE(graph->model->arena, &graph->inputs, 1));
  graph->inputs.items[graph->inputs.count++] = value;
  value->is_input = true;
  return RANGO_OK;
}

rango_status rg_graph_add_output(rg_graph *graph, rg_value *value) {
  RG_TRY(RG_ARENA_RESERVE(graph->model->arena, &graph->outputs, 1));
  graph->outputs.items[graph->outputs.count++] = value;
  value->output_uses++;
  return RANGO_OK;
}

void rg_graph_set_output(rg_graph *graph, size_t index, rg_value *value) {
  graph->outputs.items[index]->output_uses--;
  graph->outputs.items[index] = value;
  value->output_uses++;
}
