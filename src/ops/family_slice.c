/* Slice and Pad. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>

static rango_status need_any(const rg_exec *exec, int index, const rango_tensor **out) {
  *out = rg_exec_input(exec, index);
  return *out ? RANGO_OK : rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is missing or no tensor", index);
}

/* ---- Slice: attributes before opset 10, inputs since ---- */

/* Elements begin, begin + step, ... (count of them) of an axis of `size`. step is not 0. Otherwise than in NumPy, a
 * start before the first element is the first element also when going backwards. */
static void clamp_range(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *begin, int64_t *count) {
  int64_t least = step < 0 ? -1 : 0, most = step < 0 ? size - 1 : size;
  if (start < 0) start += size; /* from INT64_MIN up: no overflow */
  if (end < 0) end += size;
  start = start < 0 ? 0 : start > most ? most : start;
  end = end < least ? least : end > most ? most : end;
  *begin = start;
  int64_t distance = step < 0 ? start - end : end - start;
  uint64_t stride = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
  *count = distance <= 0 || size == 0 ? 0 : (int64_t)(((uint64_t)distance - 1) / stride + 1);
}

typedef struct slice_lists {
  int64_t starts[RANGO_MAX_RANK], ends[RANGO_MAX_RANK], axes[RANGO_MAX_RANK], steps[RANGO_MAX_RANK];
  int count;
} slice_lists;

/* Normalises the axes; false on a repeated or impossible one, or a step of 0. */
static bool check_lists(slice_lists *lists, int starts, int ends, int axes, int steps, int rank) {
  bool seen[RANGO_MAX_RANK] = {false};
  lists->count = starts;
  if (starts < 0 || starts > rank || ends != starts || (axes >= 0 && axes != starts) || (steps >= 0 && steps != starts))
    return false;
  for (int i = 0; i < starts; i++) {
    int axis = i;
    if (steps < 0) lists->steps[i] = 1;
    if (axes >= 0 && !rg_axis(lists->axes[i], rank, &axis)) return false;
    if (seen[axis] || lists->steps[i] == 0) return false;
    seen[axis] = true;
    lists->axes[i] = axis;
  }
  return true;
}

#define TO_THE_END 1000000000 /* what exporters write for "until the end" is at least this */

/* The size of a sliced axis where start or end may be unknown or symbols. */
static int64_t sliced_size(int64_t size, int64_t start, int64_t end, int64_t step) {
  int64_t begin, count;
  bool known = rg_size_is_known(start) && rg_size_is_known(end);
  if (known && rg_size_is_known(size)) {
    clamp_range(size, start, end, step, &begin, &count);
    return count;
  }
  bool from_zero = start == 0 && step == 1;
  if (from_zero && (end == size || (rg_size_is_known(end) && end >= TO_THE_END))) return size;
  if (from_zero && rg_size_is_symbol(end) && size == RG_SIZE_UNKNOWN) return end;
  return RG_SIZE_UNKNOWN;
}

/* Where the sliced elements lie: the output's shape, and the input's strides and offset. */
static void slice_layout(const rg_shape *x, const slice_lists *lists, rg_shape *shape, int64_t *strides,
                         int64_t *offset) {
  *shape = *x;
  *offset = 0;
  rg_row_major_strides(x, strides);
  for (int i = 0; i < lists->count; i++) {
    int axis = (int)lists->axes[i];
    int64_t begin, count;
    clamp_range(x->dims[axis], lists->starts[i], lists->ends[i], lists->steps[i], &begin, &count);
    shape->dims[axis] = count;
    if (count > 0) *offset += begin * strides[axis];
    strides[axis] = count > 1 ? strides[axis] * lists->steps[i] : 0; /* the step of one element alone may be anything */
  }
}

static rango_status slice_known(rg_infer *infer, const slice_lists *lists) {
  rg_shape from, shape;
  int64_t count, offset, values[RG_KNOWN_MAX], strides[RANGO_MAX_RANK], to[RANGO_MAX_RANK];
  const int64_t *known = rg_infer_known(infer, 0, &count);
  if (!known || !rg_fact_is_concrete(infer->inputs[0])) return RANGO_OK;
  for (int i = 0; i < lists->count; i++)
    if (!rg_size_is_known(lists->starts[i]) || !rg_size_is_known(lists->ends[i])) return RANGO_OK;
  RG_TRY(rg_fact_shape(infer->inputs[0], &from));
  slice_layout(&from, lists, &shape, strides, &offset);
  RG_TRY(rg_shape_count(&shape, &count));
  rg_row_major_strides(&shape, to);
  if (count > 0) rg_copy_strided(&shape, sizeof *values, known + offset, strides, values, to);
  return rg_infer_set_known(infer, 0, values, count);
}

/* A list of starts or ends in which entries may be symbols. Numbers so low that they read as symbols mean the
 * beginning, as a less low one does. */
static bool infer_list(rg_infer *infer, const char *attribute, int input, int64_t *out, int *count) {
  bool old = infer->node->version < 10;
  const rg_fact *fact = !old && input < infer->input_count ? infer->inputs[input] : NULL;
  const rango_tensor *constant = fact ? fact->constant : NULL;
  size_t listed = 0;
  int64_t elements = 0;
  const int64_t *values = old ? rg_node_ints(infer->node, attribute, &listed) : rg_infer_known(infer, input, &elements);
  if (old) elements = (int64_t)listed;
  *count = -1;
  if (old ? values == NULL : fact == NULL) return true;
  if (!values || elements > RANGO_MAX_RANK) return false;
  *count = (int)elements;
  for (int i = 0; i < *count; i++) {
    out[i] = constant ? rg_tensor_get_i64(constant, i) : values[i];
    if ((old || constant) && !rg_size_is_known(out[i])) out[i] = INT64_MIN / 2;
  }
  return true;
}

static bool all_known(const int64_t *values, int count) {
  for (int i = 0; i < count; i++)
    if (!rg_size_is_known(values[i])) return false;
  return true;
}

static rango_status infer_slice(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  slice_lists lists;
  int starts, ends, axes, steps = -1;
  int64_t dims[RANGO_MAX_RANK];
  bool has_starts = infer_list(infer, "starts", 1, lists.starts, &starts);
  bool has_ends = infer_list(infer, "ends", 2, lists.ends, &ends);
  bool has_axes = infer_list(infer, "axes", 3, lists.axes, &axes) && all_known(lists.axes, axes);
  bool has_steps =
      infer->node->version < 10 || (infer_list(infer, "", 4, lists.steps, &steps) && all_known(lists.steps, steps));
  rg_fact_set(infer->outputs[0], x->type, x->rank, NULL);
  if (x->rank < 0 || !has_axes || !has_steps || (!has_starts && !has_ends)) return RANGO_OK;
  for (int i = 0; i < RANGO_MAX_RANK && !has_starts; i++) lists.starts[i] = RG_SIZE_UNKNOWN;
  for (int i = 0; i < RANGO_MAX_RANK && !has_ends; i++) lists.ends[i] = RG_SIZE_UNKNOWN;
  if (!has_starts) starts = ends;
  if (!has_ends) ends = starts;
  if (!check_lists(&lists, starts, ends, axes, steps, x->rank))
    return rg_infer_fail(infer, "starts, ends, axes and steps don't fit each other or the input's %d axes", x->rank);
  memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
  for (int i = 0; i < lists.count; i++) {
    int64_t *size = &dims[lists.axes[i]];
    *size = sliced_size(*size, lists.starts[i], lists.ends[i], lists.steps[i]);
  }
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return slice_known(infer, &lists);
}

static rango_status read_lists(const rg_exec *exec, int rank, slice_lists *lists) {
  bool old = exec->node->version < 10;
  int starts, ends, axes, steps = -1;
  RG_TRY(rg_exec_axes(exec, old ? "starts" : NULL, old ? -1 : 1, lists->starts, &starts));
  RG_TRY(rg_exec_axes(exec, old ? "ends" : NULL, old ? -1 : 2, lists->ends, &ends));
  RG_TRY(rg_exec_axes(exec, old ? "axes" : NULL, old ? -1 : 3, lists->axes, &axes));
  if (!old) RG_TRY(rg_exec_axes(exec, NULL, 4, lists->steps, &steps));
  if (!check_lists(lists, starts, ends, axes, steps, rank))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT,
                        "starts, ends, axes and steps don't fit each other or the input's %d axes", rank);
  return RANGO_OK;
}

static rango_status compute_slice(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  slice_lists lists;
  rg_shape shape;
  int64_t from[RANGO_MAX_RANK], to[RANGO_MAX_RANK], offset;
  RG_TRY(need_any(exec, 0, &x));
  RG_TRY(read_lists(exec, x->shape.rank, &lists));
  slice_layout(&x->shape, &lists, &shape, from, &offset);
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  size_t size = rg_element_bytes(x->type);
  rg_row_major_strides(&shape, to);
  rg_copy_strided(&shape, size, (const char *)x->data + (size_t)offset * size, from, y->data, to);
  return RANGO_OK;
}

/* ---- Pad ---- */

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_UNKNOWN } pad_mode;

static pad_mode read_mode(const rg_node *node) {
  static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
  const char *mode = rg_node_string(node, "mode", "constant");
  for (int i = 0; i < PAD_UNKNOWN; i++)
    if (strcmp(mode, names[i]) == 0) return (pad_mode)i;
  return PAD_UNKNOWN;
}

static rango_status check_pad(const rg_node *node) {
  if (read_mode(node) != PAD_UNKNOWN) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_UNSUPPORTED, "%s: attribute mode is '%s'", rg_node_text(node),
          rg_node_string(node, "mode", "constant"));
}

/* Opset 1 called the attribute paddings. */
static const char *pads_attribute(const rg_node *node) {
  return node->version >= 11 ? NULL : node->version == 1 ? "paddings" : "pads";
}

/* Spreads `listed` pads ([begins..., ends...] of the axes listed, or all) over all axes; false when they don't fit. */
static bool spread_pads(const int64_t *listed, int64_t count, const int64_t *axes, int axis_count, int rank,
                        int64_t *begin, int64_t *end) {
  int64_t entries = axis_count < 0 ? rank : axis_count;
  memset(begin, 0, RANGO_MAX_RANK * sizeof *begin);
  memset(end, 0, RANGO_MAX_RANK * sizeof *end);
  if (count != 2 * entries) return false;
  for (int i = 0; i < entries; i++) {
    int axis = i;
    if (axis_count >= 0 && !rg_axis(axes[i], rank, &axis)) return false;
    begin[axis] = listed[i];
    end[axis] = listed[entries + i];
  }
  return true;
}

static int64_t padded_size(int64_t size, int64_t begin, int64_t end) {
  return rg_size_add(rg_size_add(size, begin), end);
}

static rango_status infer_pad(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  const char *attribute = pads_attribute(infer->node);
  size_t listed = 0;
  int64_t count = 0, axes[RANGO_MAX_RANK], begin[RANGO_MAX_RANK], end[RANGO_MAX_RANK], dims[RANGO_MAX_RANK];
  int axis_count = -1;
  bool known = true;
  const int64_t *pads = attribute ? rg_node_ints(infer->node, attribute, &listed) : rg_infer_known(infer, 1, &count);
  if (attribute) count = (int64_t)listed;
  if (!attribute) RG_TRY(rg_infer_axes(infer, NULL, 3, axes, &axis_count, &known));
  rg_fact_set(infer->outputs[0], x->type, x->rank, NULL);
  if (x->rank < 0 || !known || (!pads && !attribute)) return RANGO_OK;
  if (!spread_pads(pads, count, axes, axis_count, x->rank, begin, end))
    return rg_infer_fail(infer, "%lld pads don't fit the input's %d axes", (long long)count, x->rank);
  for (int i = 0; i < x->rank; i++) dims[i] = padded_size(x->dims[i], begin[i], end[i]);
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

/* Where the output's element `i` of an axis comes from; -1: it is the constant. size > 0 unless the mode is constant.
 */
static int64_t pad_source(pad_mode mode, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
  case PAD_EDGE:
    return i < 0 ? 0 : size - 1;
  case PAD_WRAP:
    return (i % size + size) % size;
  case PAD_REFLECT: {
    int64_t period = size > 1 ? 2 * (size - 1) : 1, at = (i % period + period) % period;
    return at < size ? at : period - at;
  }
  default:
    return -1;
  }
}

/* Where the output's elements come from along each axis: element i of axis a from table[first[a] + i]. */
typedef struct pad_sources {
  int64_t *table, first[RANGO_MAX_RANK];
} pad_sources;

static rango_status make_sources(rg_exec *exec, const rg_shape *from, const rg_shape *to, const int64_t *begin,
                                 pad_sources *out) {
  pad_mode mode = read_mode(exec->node);
  int64_t total = 0;
  for (int axis = 0; axis < to->rank; axis++) {
    if (from->dims[axis] == 0 && to->dims[axis] > 0 && mode != PAD_CONSTANT)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis %d is empty: there is nothing to repeat", axis);
    out->first[axis] = total;
    if (!rg_add_i64(total, to->dims[axis], &total))
      return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the output would be too large");
  }
  RG_TRY(rg_scratch_array(exec, total, sizeof *out->table, RG_OUT(&out->table)));
  for (int axis = 0; axis < to->rank; axis++)
    for (int64_t i = 0; i < to->dims[axis]; i++)
      out->table[out->first[axis] + i] = pad_source(mode, i - begin[axis], from->dims[axis]);
  return RANGO_OK;
}

/* One row along the last axis: the part inside the input in one piece, the rest one by one. */
static void pad_row(const char *from, const int64_t *sources, int64_t count, size_t size, const char *fill, char *to) {
  for (int64_t i = 0; i < count;) {
    int64_t run = 1;
    if (!from || sources[i] < 0) {
      memcpy(to + (size_t)i * size, fill, size);
    } else {
      while (i + run < count && sources[i + run] == sources[i] + run) run++;
      memcpy(to + (size_t)i * size, from + (size_t)sources[i] * size, (size_t)run * size);
    }
    i += run;
  }
}

static void run_pad(const rango_tensor *x, const pad_sources *sources, const char *fill, rango_tensor *y) {
  const rg_shape *shape = &y->shape;
  int last = shape->rank - 1;
  size_t size = rg_element_bytes(y->type);
  int64_t index[RANGO_MAX_RANK] = {0}, strides[RANGO_MAX_RANK] = {0};
  int64_t rows = rg_dims_product(shape, 0, last), row = shape->dims[last];
  rg_row_major_strides(&x->shape, strides);
  for (int64_t r = 0; r < rows; r++) {
    int64_t offset = 0;
    bool inside = true;
    for (int i = 0; i < last; i++) {
      int64_t source = sources->table[sources->first[i] + index[i]];
      inside = inside && source >= 0;
      offset += source * strides[i];
    }
    pad_row(inside ? (const char *)x->data + offset * (int64_t)size : NULL, sources->table + sources->first[last], row,
            size, fill, (char *)y->data + (size_t)(r * row) * size);
    for (int i = last - 1; i >= 0 && ++index[i] == shape->dims[i]; i--) index[i] = 0;
  }
}

/* The constant, as one element of x's type. */
static rango_status read_fill(const rg_exec *exec, const rango_tensor *x, char *fill) {
  const rango_tensor *value = exec->node->version >= 11 ? rg_exec_input(exec, 2) : NULL;
  memset(fill, 0, 16);
  if (value) {
    if (value->type != x->type || rg_tensor_elements(value) != 1)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "constant_value must be one element of the input's type");
    memcpy(fill, value->data, rg_element_bytes(x->type));
  } else if (exec->node->version < 11 && rg_type_is_float(x->type)) {
    rango_tensor one;
    rg_tensor_init_borrowed(&one, x->type, &(rg_shape){0}, fill, rg_element_bytes(x->type));
    rg_tensor_set_double(&one, 0, rg_node_float(exec->node, "value", 0));
  }
  return RANGO_OK;
}

static rango_status compute_pad(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  const char *attribute = pads_attribute(exec->node);
  const int64_t *pads;
  pad_sources sources;
  int64_t count, axes[RANGO_MAX_RANK], begin[RANGO_MAX_RANK], end[RANGO_MAX_RANK];
  size_t listed = 0;
  int axis_count = -1;
  char fill[16];
  RG_TRY(need_any(exec, 0, &x));
  if (attribute) {
    pads = rg_node_ints(exec->node, attribute, &listed);
    count = (int64_t)listed;
  } else {
    RG_TRY(rg_exec_integers(exec, 1, &pads, &count));
    RG_TRY(rg_exec_axes(exec, NULL, 3, axes, &axis_count));
  }
  if (!spread_pads(pads, count, axes, axis_count, x->shape.rank, begin, end))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%lld pads don't fit the input's %d axes", (long long)count,
                        x->shape.rank);
  rg_shape shape = x->shape;
  for (int i = 0; i < shape.rank; i++)
    if (!rg_add_i64(shape.dims[i], begin[i], &shape.dims[i]) || !rg_add_i64(shape.dims[i], end[i], &shape.dims[i]) ||
        shape.dims[i] < 0 || begin[i] < -INT64_MAX / 2)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "pads of axis %d leave a negative or too large size", i);
  RG_TRY(read_fill(exec, x, fill));
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  if (shape.rank == 0) {
    memcpy(y->data, x->data, y->bytes);
    return RANGO_OK;
  }
  RG_TRY(make_sources(exec, &x->shape, &shape, begin, &sources));
  run_pad(x, &sources, fill, y);
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "Pad", 1, 10, 1, 1, 1, 1, RG_OP_MOVE, check_pad, infer_pad, compute_pad, NULL},
    {"", "Pad", 11, RG_OPSET_MAX, 2, 4, 1, 1, RG_OP_MOVE, check_pad, infer_pad, compute_pad, NULL},
    {"", "Slice", 1, 9, 1, 1, 1, 1, RG_OP_MOVE, NULL, infer_slice, compute_slice, NULL},
    {"", "Slice", 10, RG_OPSET_MAX, 3, 5, 1, 1, RG_OP_MOVE, NULL, infer_slice, compute_slice, NULL},
};

RG_OPS_EXPORT(slice, ops);
