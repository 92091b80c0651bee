/* Adjoints of reading and writing by indices: where elements were read, the gradient is added up; where they were
 * written, it is read. */
#include <string.h>

#include "adjoint/backward.h"

static rg_value *scatter(rg_backward *b, const char *op, rg_value *zeros, rg_value *indices, rg_value *g) {
  rg_value *sum = rg_back_op(b, op, 3, zeros, indices, g);
  rg_back_set_string(b, sum, "reduction", "add");
  return sum;
}

/* One slice of an axis of known size. */
static bool is_single(const rg_node *node, const rg_facts *facts, int axis, int64_t *at) {
  const rg_fact *x = &facts->items[node->inputs[0]->id], *indices = &facts->items[node->inputs[1]->id];
  int count;
  if (indices->rank != 0 || !rg_size_is_known(x->dims[axis]) || !rg_known_ints(facts, node->inputs[1], at, &count))
    return false;
  if (*at < 0) *at += x->dims[axis];
  return *at >= 0 && *at < x->dims[axis];
}

/* g [before..., indices..., behind...] with the indices' axes first, and back from [axis, before..., behind...]. */
static void gather(rg_backward *b, rg_value *g) {
  int64_t at[RANGO_MAX_RANK], perm[RANGO_MAX_RANK], last = -1, first_axis;
  rg_value *x = rg_back_input(b, 0), *indices = rg_back_input(b, 1);
  int rank = rg_back_rank(b, 0), depth = rg_back_rank(b, 1), axis = 0;
  (void)rg_axis(rg_node_int(b->node, "axis", 0), rank, &axis);
  first_axis = axis;
  if (is_single(b->node, b->facts, axis, at)) {
    rg_back_give_part(b, 0, axis, at[0], 1, rg_back_squeeze(b, "Unsqueeze", g, &first_axis, 1));
    return;
  }
  rg_value *zeros = rg_back_zeros_like(b, x);
  indices = rg_back_squeeze(b, "Unsqueeze", indices, &last, 1);
  if (axis > 0) {
    for (int i = 0; i < rank - 1 + depth; i++) perm[i] = i < depth ? axis + i : i < depth + axis ? i - depth : i;
    g = rg_back_transpose(b, g, perm, rank - 1 + depth);
    for (int i = 0; i < rank; i++) perm[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
    zeros = rg_back_transpose(b, zeros, perm, rank);
  }
  rg_value *sum = scatter(b, "ScatterND", zeros, indices, g);
  if (axis > 0) {
    for (int i = 0; i < rank; i++) perm[i] = i < axis ? i + 1 : i == axis ? 0 : i;
    sum = rg_back_transpose(b, sum, perm, rank);
  }
  rg_back_give(b, 0, sum);
}

static void gather_elements(rg_backward *b, rg_value *g) {
  rg_value *sum = scatter(b, "ScatterElements", rg_back_zeros_like(b, rg_back_input(b, 0)), rg_back_input(b, 1), g);
  rg_back_set_int(b, sum, "axis", rg_node_int(b->node, "axis", 0));
  rg_back_give(b, 0, sum);
}

static void gather_nd(rg_backward *b, rg_value *g) {
  rg_back_give(b, 0, scatter(b, "ScatterND", rg_back_zeros_like(b, rg_back_input(b, 0)), rg_back_input(b, 1), g));
}

static bool supports_gather_nd(const rg_node *node, const rg_facts *facts, const bool *needed) {
  return rg_node_int(node, "batch_dims", 0) == 0;
}

/* What was written over had no effect, but where updates are added to it. */
static void scattered(rg_backward *b, rg_value *g, const char *write, const char *read, bool has_axis) {
  rg_value *indices = rg_back_input(b, 1), *rest = g;
  const int64_t axis = rg_node_int(b->node, "axis", 0);
  if (rg_back_wants(b, 0) && strcmp(rg_node_string(b->node, "reduction", "none"), "add") != 0) {
    rest = rg_back_op(b, write, 3, g, indices, rg_back_zeros_like(b, rg_back_input(b, 2)));
    if (has_axis) rg_back_set_int(b, rest, "axis", axis);
  }
  rg_back_give(b, 0, rest);
  if (!rg_back_wants(b, 2)) return;
  rg_value *updates = rg_back_op(b, read, 2, g, indices);
  if (has_axis) rg_back_set_int(b, updates, "axis", axis);
  rg_back_give(b, 2, updates);
}

static void scatter_elements(rg_backward *b, rg_value *g) {
  scattered(b, g, "ScatterElements", "GatherElements", true);
}
static void scatter_nd(rg_backward *b, rg_value *g) { scattered(b, g, "ScatterND", "GatherND", false); }

/* Every place is written at most once, or added to. */
static bool supports_scatter(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const char *reduction = rg_node_string(node, "reduction", "none");
  return strcmp(reduction, "none") == 0 || strcmp(reduction, "add") == 0;
}

static const rg_adjoint_rule rules[] = {
    {"Gather", gather, NULL},
    {"GatherElements", gather_elements, NULL},
    {"GatherND", gather_nd, supports_gather_nd},
    {"ScatterElements", scatter_elements, supports_scatter},
    {"ScatterND", scatter_nd, supports_scatter},
};
RG_ADJOINT_EXPORT(gather, rules);
