/* The table of all operators: finding them, and giving every node of a model its definition. */
#include "ops/op.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RG_FAMILY(name)      extern const rg_op_table rg_ops_##name, rg_ops_##name##_scalar;
#define RG_FAMILY_ONCE(name) extern const rg_op_table rg_ops_##name;
#include "ops/families.h"
#undef RG_FAMILY
#undef RG_FAMILY_ONCE

static const struct {
  const rg_op_table *fast, *scalar;
} families[] = {
#define RG_FAMILY(name)      {&rg_ops_##name, &rg_ops_##name##_scalar},
#define RG_FAMILY_ONCE(name) {&rg_ops_##name, &rg_ops_##name},
#include "ops/families.h"
#undef RG_FAMILY
#undef RG_FAMILY_ONCE
};

#define FAMILY_COUNT (sizeof families / sizeof *families)

typedef struct entry {
  rango_op_info info;
  const rg_op *op, *scalar;
} entry;

#define ENTRY_MAX 1024 /* a test asserts that all families' operators fit */

static entry entries[ENTRY_MAX]; /* sorted by domain, name, since; filled once */
static size_t entry_count, public_count;
static pthread_once_t entries_once = PTHREAD_ONCE_INIT;

static int compare_names(const char *domain, const char *name, const rg_op *op) {
  int order = strcmp(name, op->name);
  return order != 0 ? order : strcmp(domain, op->domain);
}

/* Private operators come last, so that the public list is a prefix. */
static int compare_entries(const void *left, const void *right) {
  const rg_op *a = ((const entry *)left)->op, *b = ((const entry *)right)->op;
  int private_a = (a->flags & RG_OP_PRIVATE) != 0, private_b = (b->flags & RG_OP_PRIVATE) != 0;
  if (private_a != private_b) return private_a - private_b;
  int order = compare_names(a->domain, a->name, b);
  return order != 0 ? order : (a->since > b->since) - (a->since < b->since);
}

static void fill_entries(void) {
  for (size_t f = 0; f < FAMILY_COUNT; f++)
    for (size_t i = 0; i < families[f].fast->count && entry_count < ENTRY_MAX; i++) {
      const rg_op *op = &families[f].fast->ops[i];
      entries[entry_count++] = (entry){{op->domain, op->name, op->since, op->until}, op, &families[f].scalar->ops[i]};
    }
  qsort(entries, entry_count, sizeof *entries, compare_entries);
  while (public_count < entry_count && !(entries[public_count].op->flags & RG_OP_PRIVATE)) public_count++;
}

static const entry *find_entry(const char *domain, const char *name, int version) {
  pthread_once(&entries_once, fill_entries);
  bool is_private = strcmp(domain, RG_PRIVATE_DOMAIN) == 0;
  size_t low = is_private ? public_count : 0, high = is_private ? entry_count : public_count;
  while (low < high) { /* the first entry of that name */
    size_t middle = low + (high - low) / 2;
    if (compare_names(domain, name, entries[middle].op) > 0)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < entry_count && compare_names(domain, name, entries[low].op) == 0; low++)
    if (version >= entries[low].op->since && version <= entries[low].op->until) return &entries[low];
  return NULL;
}

const rg_op *rg_op_find(const char *domain, const char *name, int version) {
  const entry *found = find_entry(strcmp(domain, "ai.onnx") == 0 ? "" : domain, name, version);
  return found ? found->op : NULL;
}

const rg_op *rg_op_scalar(const rg_op *op) {
  const entry *found = find_entry(op->domain, op->name, op->since);
  return found ? found->scalar : NULL;
}

size_t rango_op_count(void) {
  pthread_once(&entries_once, fill_entries);
  return public_count;
}

const rango_op_info *rango_op(size_t index) { return index < rango_op_count() ? &entries[index].info : NULL; }

/* ---- resolving a model's nodes ---- */

static bool is_function_call(const rango_model *model, const rg_node *node) {
  for (size_t i = 0; i < model->function_count; i++)
    if (strcmp(model->functions[i].name, node->op) == 0 && strcmp(model->functions[i].domain, node->domain) == 0)
      return true;
  return false;
}

static rango_status check_arity(const rg_node *node, const char *what, rg_value *const *values, int count, int min,
                                int max) {
  bool is_private = (node->definition->flags & RG_OP_PRIVATE) != 0;
  while (count > 0 && !values[count - 1]) count--;
  if (max >= 0 && count > max)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: has %d %ss; the operator takes at most %d", rg_node_text(node), count, what, max);
  if (count < min)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: has %d %ss; the operator needs %d", rg_node_text(node), count, what, min);
  for (int i = 0; i < min && !is_private; i++)
    if (!values[i]) RG_FAIL(RANGO_ERROR_FORMAT, "%s: %s %d is required but left out", rg_node_text(node), what, i);
  return RANGO_OK;
}

static rango_status resolve_node(rg_node *node, bool strict) {
  const rango_model *model = node->graph->model;
  node->definition = NULL;
  if (is_function_call(model, node)) return RANGO_OK;
  const rg_op *op = node->definition = rg_op_find(node->domain, node->op, node->version);
  if (!op) {
    if (!strict) return RANGO_OK;
    RG_FAIL(RANGO_ERROR_UNSUPPORTED, "%s: operator %s of domain \"%s\", opset version %d, is not implemented",
            rg_node_text(node), node->op, node->domain[0] ? node->domain : "ai.onnx", node->version);
  }
  RG_TRY(check_arity(node, "input", node->inputs, node->input_count, op->min_inputs, op->max_inputs));
  RG_TRY(check_arity(node, "output", node->outputs, node->output_count, op->min_outputs, op->max_outputs));
  return op->check ? op->check(node) : RANGO_OK;
}

static rango_status resolve_graph(rg_graph *graph, void *argument) {
  const bool *strict = argument;
  for (rg_node *node = graph->first; node; node = node->next) RG_TRY(resolve_node(node, *strict));
  return RANGO_OK;
}

rango_status rg_ops_resolve(rango_model *model, bool strict) {
  return rg_model_visit_graphs(model, true, resolve_graph, &strict);
}
