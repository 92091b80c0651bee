/* Nodes that give back what they get: Identity, Dropout in inference, and operators whose arguments make them do
 * nothing. */
#include <string.h>

#include "passes/canonical/rewrite.h"

typedef struct removal {
  rg_pass_facts facts;
  int changes;
} removal;

static bool is_any(const rg_node *node, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (rg_node_is(node, names[i])) return true;
  return false;
}
#define IS_ANY(node, ...)                                                                                              \
  is_any((node), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Equal for every run: the same numbers or symbols. */
static bool same_shape(const rg_fact *a, const rg_fact *b) {
  if (!a || !b || a->kind != RG_KIND_TENSOR || b->kind != RG_KIND_TENSOR || a->rank < 0 || a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] == RG_SIZE_UNKNOWN || a->dims[i] != b->dims[i]) return false;
  return true;
}

static bool same_type(const rg_fact *a, const rg_fact *b) {
  return a && b && a->kind == RG_KIND_TENSOR && b->kind == RG_KIND_TENSOR && a->type != RANGO_UNDEFINED &&
         a->type == b->type;
}

static bool is_inference_dropout(const rg_node *node) {
  if (!rg_node_is(node, "Dropout")) return false;
  rg_value *training = rg_node_input(node, 2);
  const rango_tensor *constant = rg_value_constant(training);
  return !training || (constant && rango_tensor_count(constant) == 1 && !rg_tensor_get_i64(constant, 0));
}

static bool is_plain_transpose(const rg_node *node, const rg_fact *input) {
  size_t count;
  const int64_t *perm = rg_node_ints(node, "perm", &count);
  if (!rg_node_is(node, "Transpose")) return false;
  if (!perm) return input && input->kind == RG_KIND_TENSOR && (input->rank == 0 || input->rank == 1);
  for (size_t i = 0; i < count; i++)
    if (perm[i] != (int64_t)i) return false;
  return true;
}

/* Steps of a Slice, which must be 1 where the shape stays: -1 turns the axis around. */
static bool has_plain_steps(const rg_node *node) {
  rg_value *steps = rg_node_input(node, 4);
  const rango_tensor *constant = rg_value_constant(steps);
  if (!steps) return true;
  if (!constant) return false;
  for (int64_t i = 0; i < rango_tensor_count(constant); i++)
    if (rg_tensor_get_i64(constant, i) != 1) return false;
  return true;
}

/* Cutting one side as much as the other adds keeps the shape, so all pads must be 0. */
static bool has_no_pads(const rg_node *node) {
  size_t count;
  const int64_t *pads = rg_node_ints(node, "pads", &count);
  if (!pads) pads = rg_node_ints(node, "paddings", &count);
  const rango_tensor *constant = rg_value_constant(rg_node_input(node, 1));
  if (!pads && !constant) return false;
  for (size_t i = 0; pads && i < count; i++)
    if (pads[i]) return false;
  for (int64_t i = 0; !pads && i < rango_tensor_count(constant); i++)
    if (rg_tensor_get_i64(constant, i)) return false;
  return true;
}

/* All elements of a constant are `number`. */
static bool is_number(const rg_value *value, double number) {
  const rango_tensor *constant = rg_value_constant(value);
  if (!constant || (!rg_type_is_float(constant->type) && !rg_type_is_integer(constant->type))) return false;
  int64_t count = rango_tensor_count(constant);
  if (count > RG_KNOWN_MAX || !count) return false;
  for (int64_t i = 0; i < count; i++)
    if (rg_tensor_get_double(constant, i) != number) return false;
  return true;
}

/* x + 0, x - 0, x * 1, x / 1, x ^ 1: the index of x, or -1. */
static int neutral_operand(const rg_node *node) {
  if (node->input_count != 2) return -1;
  bool sum = rg_node_is(node, "Add"), product = rg_node_is(node, "Mul");
  double neutral = sum || rg_node_is(node, "Sub") ? 0 : 1;
  if (!sum && !product && !IS_ANY(node, "Sub", "Div", "Pow")) return -1;
  if (is_number(node->inputs[1], neutral)) return 0;
  return (sum || product) && is_number(node->inputs[0], neutral) ? 1 : -1;
}

/* Which input the output equals, or -1. */
static int find_same(const removal *r, const rg_node *node) {
  const rg_fact *out = rg_pass_fact(&r->facts, node->outputs[0]), *in = rg_pass_fact(&r->facts, node->inputs[0]);
  if (rg_node_is(node, "Identity") || is_inference_dropout(node) || is_plain_transpose(node, in)) return 0;
  if (IS_ANY(node, "Concat", "Sum", "Max", "Min", "Mean") && node->input_count == 1) return 0;
  if (rg_node_is(node, "Split") && node->output_count == 1 && same_shape(in, out)) return 0;
  if (IS_ANY(node, "Cast", "CastLike") && same_type(in, out)) return 0;
  int operand = neutral_operand(node);
  if (operand >= 0) {
    const rg_fact *kept = rg_pass_fact(&r->facts, node->inputs[operand]);
    return same_shape(kept, out) && same_type(kept, out) ? operand : -1;
  }
  if (!same_shape(in, out) || !same_type(in, out)) return -1;
  if (rg_node_is(node, "Pad")) return has_no_pads(node) ? 0 : -1;
  if (rg_node_is(node, "Slice")) return has_plain_steps(node) ? 0 : -1;
  bool view = (node->definition->flags & RG_OP_VIEW) != 0;
  return view || IS_ANY(node, "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile") ? 0 : -1;
}

static rango_status remove_node(removal *r, rg_node *node) {
  if (!node->definition || node->definition->flags & RG_OP_PRIVATE) return RANGO_OK;
  if (!node->input_count || !node->inputs[0] || !node->output_count || !node->outputs[0]) return RANGO_OK;
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i] && rg_value_is_used(node->outputs[i])) return RANGO_OK;
  int same = find_same(r, node);
  if (same < 0 || !node->inputs[same]) return RANGO_OK;
  bool done;
  RG_TRY(rg_bypass_node(node, node->inputs[same], &done));
  r->changes += done;
  return RANGO_OK;
}

static rango_status visit(rg_graph *graph, void *argument) {
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    RG_TRY(remove_node(argument, node));
  }
  return RANGO_OK;
}

rango_status rg_pass_remove_identities(rango_model *model, int *changes) {
  removal r = {0};
  RG_TRY(rg_pass_facts_create(model, &r.facts));
  rango_status status = rg_model_visit_graphs(model, false, visit, &r);
  rg_pass_facts_clear(&r.facts);
  *changes += r.changes;
  return status;
}
