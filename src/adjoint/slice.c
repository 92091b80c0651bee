/* Adjoints of taking tensors apart and putting them together along axes. */
#include <string.h>

#include "adjoint/backward.h"

/* ---- Slice ---- */

typedef struct slice {
  int64_t begin[RANGO_MAX_RANK], size[RANGO_MAX_RANK], axes[RANGO_MAX_RANK];
  int count;
} slice;

/* A list of Slice: attribute before opset 10, then an input. Absent: -1 numbers, and true. */
static bool read_list(const rg_node *node, const rg_facts *facts, const char *attribute, int input, int64_t *out,
                      int *count) {
  *count = -1;
  if (node->version >= 10)
    return input >= node->input_count || !node->inputs[input] || rg_known_ints(facts, node->inputs[input], out, count);
  size_t listed;
  const int64_t *items = rg_node_ints(node, attribute, &listed);
  if (!items || listed > RANGO_MAX_RANK) return items == NULL;
  memcpy(out, items, listed * sizeof *out);
  *count = (int)listed;
  return true;
}

static int64_t clamp(int64_t at, int64_t size) {
  if (at < 0) at += size; /* from INT64_MIN up: no overflow */
  return at < 0 ? 0 : at > size ? size : at;
}

/* False unless it is known beforehand, with steps of 1. */
static bool read_slice(const rg_node *node, const rg_facts *facts, slice *out) {
  const rg_fact *x = &facts->items[node->inputs[0]->id];
  int64_t end[RANGO_MAX_RANK], steps[RANGO_MAX_RANK];
  int ends, axes, step_count = -1;
  if (!read_list(node, facts, "starts", 1, out->begin, &out->count) || !read_list(node, facts, "ends", 2, end, &ends) ||
      !read_list(node, facts, "axes", 3, out->axes, &axes) || !read_list(node, facts, "steps", 4, steps, &step_count))
    return false;
  if (out->count < 0 || out->count > x->rank || ends != out->count || (axes >= 0 && axes != out->count)) return false;
  for (int i = 0; i < out->count; i++) {
    int axis = i;
    if (axes >= 0 && !rg_axis(out->axes[i], x->rank, &axis)) return false;
    if (!rg_size_is_known(x->dims[axis]) || (i < step_count && steps[i] != 1)) return false;
    out->axes[i] = axis;
    out->begin[i] = clamp(out->begin[i], x->dims[axis]);
    out->size[i] = clamp(end[i], x->dims[axis]) - out->begin[i];
    if (out->size[i] < 0) out->size[i] = 0;
  }
  return true;
}

/* The gradient with zeros around it. */
static void unslice(rg_backward *b, const slice *s, rg_value *g) {
  const rg_fact *x = rg_back_fact(b, rg_back_input(b, 0));
  int64_t pads[2 * RANGO_MAX_RANK];
  for (int i = 0; i < s->count; i++) {
    pads[i] = s->begin[i];
    pads[s->count + i] = x->dims[s->axes[i]] - s->begin[i] - s->size[i];
  }
  rg_value *amounts = rg_back_ints(b, pads, 2 * s->count);
  rg_back_give(b, 0, rg_back_op(b, "Pad", 4, g, amounts, NULL, rg_back_ints(b, s->axes, s->count)));
}

/* In general: the places of x's elements, sliced likewise, say where the gradient's belong. */
static void scatter_slice(rg_backward *b, rg_value *g) {
  static const int64_t zero = 0, one = 1, flat = -1;
  rg_value *x = rg_back_input(b, 0), *shape = rg_back_shape(b, x);
  rg_value *count = rg_back_reshape(b, rg_back_op(b, "ReduceProd", 1, shape), &flat, 0);
  rg_value *first = rg_back_reshape(b, rg_back_ints(b, &zero, 1), &flat, 0);
  rg_value *step = rg_back_reshape(b, rg_back_ints(b, &one, 1), &flat, 0);
  rg_value *places = rg_back_op(b, "Range", 3, first, count, step);
  places = rg_back_op(b, "Slice", b->node->input_count, rg_back_op(b, "Reshape", 2, places, shape), rg_back_input(b, 1),
                      rg_back_input(b, 2), rg_back_input(b, 3), rg_back_input(b, 4));
  rg_value *zeros = rg_back_reshape(b, rg_back_zeros_like(b, x), &flat, 1);
  rg_value *all =
      rg_back_op(b, "ScatterElements", 3, zeros, rg_back_reshape(b, places, &flat, 1), rg_back_reshape(b, g, &flat, 1));
  rg_back_give(b, 0, rg_back_reshape_like(b, all, x));
}

static void take(rg_backward *b, rg_value *g) {
  slice s;
  if (!read_slice(b->node, b->facts, &s))
    scatter_slice(b, g);
  else if (s.count == 1)
    rg_back_give_part(b, 0, (int)s.axes[0], s.begin[0], s.size[0], g);
  else
    unslice(b, &s, g);
}

static bool supports_slice(const rg_node *node, const rg_facts *facts, const bool *needed) {
  slice s;
  return node->version >= 10 || read_slice(node, facts, &s);
}

/* ---- Split, Concat ---- */

static int axis_of(const rg_backward *b) {
  int axis = 0;
  (void)rg_axis(rg_node_int(b->node, "axis", 0), rg_back_rank(b, 0), &axis);
  return axis;
}

/* Outputs without a gradient leave zeros, which must be of known size. */
static void split(rg_backward *b, rg_value *g) {
  int axis = axis_of(b), count = b->node->output_count;
  int64_t begin = 0;
  for (int i = 0; i < count; i++) {
    int64_t size = rg_back_fact(b, b->node->outputs[i])->dims[axis];
    if (rg_back_gradient(b, i)) rg_back_give_part(b, 0, axis, begin, size, rg_back_gradient(b, i));
    begin += size;
  }
}

static bool supports_split(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rg_fact *x = &facts->items[node->inputs[0]->id];
  int axis;
  if (!rg_axis(rg_node_int(node, "axis", 0), x->rank, &axis) || !rg_size_is_known(x->dims[axis])) return false;
  for (int i = 0; i < node->output_count; i++)
    if (!node->outputs[i] || !rg_size_is_known(facts->items[node->outputs[i]->id].dims[axis])) return false;
  return true;
}

/* Every input's slice, by numbers that are known or by sums of its predecessors' sizes. */
static void concat(rg_backward *b, rg_value *g) {
  static const int64_t one = 1;
  int64_t axis = axis_of(b), next = axis + 1, zero = 0;
  rg_value *begin = rg_back_ints(b, &zero, 1), *axes = rg_back_ints(b, &axis, 1), *step = rg_back_ints(b, &one, 1);
  rg_value *axis_end = rg_back_ints(b, &next, 1);
  for (int i = 0; i < b->node->input_count; i++) {
    rg_value *x = rg_back_input(b, i), *size;
    int64_t known = rg_back_fact(b, x)->dims[axis];
    if (rg_size_is_known(known))
      size = rg_back_ints(b, &known, 1);
    else
      size = rg_back_op(b, "Slice", 3, rg_back_shape(b, x), axes, axis_end);
    rg_value *end = rg_back_add(b, begin, size);
    if (rg_back_wants(b, i)) rg_back_give(b, i, rg_back_op(b, "Slice", 5, g, begin, end, axes, step));
    begin = end;
  }
}

/* ---- Pad with a constant ---- */

static bool read_pads(const rg_node *node, const rg_facts *facts, int64_t *begin, int64_t *end) {
  const int rank = facts->items[node->inputs[0]->id].rank;
  int64_t pads[2 * RANGO_MAX_RANK], axes[RANGO_MAX_RANK];
  size_t listed = 0;
  int count, axis_count = rank;
  const int64_t *attribute = rg_node_ints(node, node->version < 2 ? "paddings" : "pads", &listed);
  const rango_tensor *constant = node->input_count > 1 ? rg_value_constant(node->inputs[1]) : NULL;
  if (node->version >= 11 && constant) listed = (size_t)rango_tensor_count(constant);
  if ((node->version >= 11 ? !constant : !attribute) || listed > 2 * RANGO_MAX_RANK) return false;
  for (size_t i = 0; i < listed; i++)
    pads[i] = node->version >= 11 ? rg_tensor_get_i64(constant, (int64_t)i) : attribute[i];
  for (int i = 0; i < rank; i++) {
    axes[i] = i;
    begin[i] = end[i] = 0;
  }
  if (node->input_count > 3 && node->inputs[3] && !rg_known_ints(facts, node->inputs[3], axes, &axis_count))
    return false;
  count = (int)listed / 2;
  for (int i = 0; i < count && i < axis_count; i++) {
    int axis;
    if (!rg_axis(axes[i], rank, &axis)) return false;
    begin[axis] = pads[i];
    end[axis] = pads[count + i];
  }
  return count == axis_count;
}

/* What was added is cut off; what was cut off had no effect: zeros. */
static void pad(rg_backward *b, rg_value *g) {
  int64_t begin[RANGO_MAX_RANK], end[RANGO_MAX_RANK], axes[RANGO_MAX_RANK], ones[RANGO_MAX_RANK];
  int64_t zeros[2 * RANGO_MAX_RANK];
  int rank = rg_back_rank(b, 0);
  bool cut = false;
  (void)read_pads(b->node, b->facts, begin, end);
  for (int i = 0; i < rank; i++) {
    axes[i] = i;
    ones[i] = 1;
    zeros[i] = begin[i] < 0 ? -begin[i] : 0;
    zeros[rank + i] = end[i] < 0 ? -end[i] : 0;
    cut |= begin[i] < 0 || end[i] < 0;
    begin[i] = begin[i] > 0 ? begin[i] : 0;
    end[i] = end[i] > 0 ? -end[i] : INT64_MAX;
  }
  g = rg_back_slice(b, g, begin, end, axes, ones, rank);
  if (cut) g = rg_back_op(b, "Pad", 2, g, rg_back_ints(b, zeros, 2 * rank));
  rg_back_give(b, 0, g);
}

static bool supports_pad(const rg_node *node, const rg_facts *facts, const bool *needed) {
  int64_t begin[RANGO_MAX_RANK], end[RANGO_MAX_RANK];
  bool constant = strcmp(rg_node_string(node, "mode", "constant"), "constant") == 0;
  bool number = node->input_count > 2 && node->inputs[2] && needed[node->inputs[2]->id];
  return constant && !number && read_pads(node, facts, begin, end);
}

static const rg_adjoint_rule rules[] = {
    {"Slice", take, supports_slice},
    {"Split", split, supports_split},
    {"Concat", concat, NULL},
    {"Pad", pad, supports_pad},
};
RG_ADJOINT_EXPORT(slice, rules);
