/* Attributes: looked up, set, copied; and a node's name for messages. */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

/* Passes ask every node for its name and for attributes by theirs: most differ in the first letter. */
static bool same_text(const char *a, const char *b) { return *a == *b && strcmp(a, b) == 0; }

static rg_attr *find(const rg_node *node, const char *name) {
  for (rg_attr *attr = node->attributes; attr; attr = attr->next)
    if (same_text(attr->name, name)) return attr;
  return NULL;
}

/* An attribute of one kind that has a value of its own. */
static const rg_attr *find_kind(const rg_node *node, const char *name, rg_attr_kind kind) {
  const rg_attr *attr = find(node, name);
  return attr && attr->kind == kind && !attr->reference ? attr : NULL;
}

const rg_attr *rg_node_attr(const rg_node *node, const char *name) { return find(node, name); }

int64_t rg_node_int(const rg_node *node, const char *name, int64_t fallback) {
  const rg_attr *attr = find_kind(node, name, RG_ATTR_INT);
  return attr ? attr->i : fallback;
}

float rg_node_float(const rg_node *node, const char *name, float fallback) {
  const rg_attr *attr = find_kind(node, name, RG_ATTR_FLOAT);
  return attr ? attr->f : fallback;
}

const char *rg_node_string(const rg_node *node, const char *name, const char *fallback) {
  const rg_attr *attr = find_kind(node, name, RG_ATTR_STRING);
  return attr ? attr->s.text : fallback;
}

const int64_t *rg_node_ints(const rg_node *node, const char *name, size_t *count) {
  const rg_attr *attr = find_kind(node, name, RG_ATTR_INTS);
  *count = attr ? attr->count : 0;
  return attr ? attr->ints : NULL;
}

rg_graph *rg_node_graph(const rg_node *node, const char *name) {
  const rg_attr *attr = find_kind(node, name, RG_ATTR_GRAPH);
  return attr ? attr->graph : NULL;
}

bool rg_node_is(const rg_node *node, const char *op) { return !node->domain[0] && same_text(node->op, op); }

rango_status rg_node_add_attr(rg_node *node, const char *name, rg_attr **out) {
  rg_arena *arena = node->graph->model->arena;
  rg_attr *attr;
  *out = NULL;
  RG_TRY(rg_arena_alloc(arena, sizeof *attr, RG_OUT(&attr)));
  RG_TRY(rg_arena_strndup(arena, name, strlen(name), &attr->name));
  rg_attr **end = &node->attributes;
  while (*end) end = &(*end)->next;
  *end = attr;
  *out = attr;
  return RANGO_OK;
}

/* The attribute of this name, emptied, or a new one. */
static rango_status emptied(rg_node *node, const char *name, rg_attr **out) {
  *out = find(node, name);
  if (!*out) return rg_node_add_attr(node, name, out);
  **out = (rg_attr){.name = (*out)->name, .next = (*out)->next};
  return RANGO_OK;
}

rango_status rg_node_set_int(rg_node *node, const char *name, int64_t value) {
  rg_attr *attr;
  RG_TRY(emptied(node, name, &attr));
  attr->kind = RG_ATTR_INT;
  attr->i = value;
  return RANGO_OK;
}

rango_status rg_node_set_float(rg_node *node, const char *name, float value) {
  rg_attr *attr;
  RG_TRY(emptied(node, name, &attr));
  attr->kind = RG_ATTR_FLOAT;
  attr->f = value;
  return RANGO_OK;
}

rango_status rg_node_set_string(rg_node *node, const char *name, const char *value) {
  rg_attr *attr;
  const char *copy;
  RG_TRY(rg_arena_strndup(node->graph->model->arena, value, strlen(value), &copy));
  RG_TRY(emptied(node, name, &attr));
  attr->kind = RG_ATTR_STRING;
  attr->s = (rg_string){copy, strlen(copy)};
  return RANGO_OK;
}

rango_status rg_node_set_ints(rg_node *node, const char *name, const int64_t *values, size_t count) {
  rg_attr *attr;
  int64_t *copy;
  RG_TRY(rg_arena_calloc(node->graph->model->arena, count, sizeof *copy, RG_OUT(&copy)));
  if (count) memcpy(copy, values, count * sizeof *copy);
  RG_TRY(emptied(node, name, &attr));
  attr->kind = RG_ATTR_INTS;
  attr->count = count;
  attr->ints = copy;
  return RANGO_OK;
}

rango_status rg_node_set_tensor(rg_node *node, const char *name, rango_tensor *tensor) {
  rg_attr *attr;
  rango_tensor *kept;
  RG_TRY(rg_model_add_tensor(node->graph->model, tensor, &kept));
  RG_TRY(emptied(node, name, &attr));
  attr->kind = RG_ATTR_TENSOR;
  attr->tensor = kept;
  return RANGO_OK;
}

rango_status rg_node_set_graph(rg_node *node, const char *name, rg_graph *graph) {
  rg_attr *attr;
  RG_FAIL_IF(graph->owner != node, RANGO_ERROR_INTERNAL, "%s: subgraph '%s' was made for another node",
             rg_node_text(node), name);
  RG_TRY(emptied(node, name, &attr));
  attr->kind = RG_ATTR_GRAPH;
  attr->graph = graph;
  return RANGO_OK;
}

rango_status rg_node_copy_attributes(rg_node *to, const rg_node *from) {
  for (const rg_attr *attr = from->attributes; attr; attr = attr->next) {
    RG_FAIL_IF(attr->kind == RG_ATTR_GRAPH || attr->kind == RG_ATTR_GRAPHS, RANGO_ERROR_INTERNAL,
               "%s: an attribute with a subgraph can't be copied", rg_node_text(from));
    rg_attr *copy;
    RG_TRY(emptied(to, attr->name, &copy));
    rg_attr *next = copy->next;
    *copy = *attr; /* contents are never written, so both may have them */
    copy->next = next;
  }
  return RANGO_OK;
}

void rg_node_remove_attr(rg_node *node, const char *name) {
  for (rg_attr **attr = &node->attributes; *attr; attr = &(*attr)->next)
    if (strcmp((*attr)->name, name) == 0) {
      *attr = (*attr)->next;
      return;
    }
}

const char *rg_node_text(const rg_node *node) {
  static _Thread_local char texts[2][300];
  static _Thread_local int turn;
  char *text = texts[turn];
  turn = 1 - turn;
  const char *name = node->name;
  for (int i = 0; i < node->output_count && !name[0]; i++)
    if (node->outputs[i]) name = node->outputs[i]->name;
  snprintf(text, sizeof texts[0], "node '%.180s' (%.30s%s%.60s)", name, node->domain, node->domain[0] ? "." : "",
           node->op);
  return text;
}
