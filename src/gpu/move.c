/* Operators that move elements, as strided copies: Transpose, rango.Layout, Concat, Split, Slice, Expand, Tile,
 * DepthToSpace, SpaceToDepth, and what is a view elsewhere. */
#include "gpu/move.h"

#include <string.h>

/* Input 0 and output 0, of one type. */
static bool is_movable(const rg_gpu_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  return x && y && x->type == y->type;
}

/* Input 0 to output 0; no task where it can't be. */
static rango_status copy_first(rg_gpu_prepare *prepare, const rg_gpu_axis *axes, int count, int64_t x_at) {
  rg_gpu_operand x;
  RG_TRY(rg_gpu_operand_of(prepare, 0, &x));
  if (!rg_gpu_add_move(prepare, prepare->inputs[0]->type, axes, count, x, rg_gpu_out(0), x_at, 0))
    prepare->task_count = 0;
  return RANGO_OK;
}

/* ---- axes in another order ---- */

static rango_status prepare_transpose(rg_gpu_prepare *prepare) {
  size_t count;
  const int64_t *order = rg_node_ints(prepare->node, "perm", &count);
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK];
  rg_gpu_axis axes[RANGO_MAX_RANK];
  if (!is_movable(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  if (order && count != (size_t)x->rank) return RANGO_OK;
  rg_gpu_input_strides(prepare, 0, x_strides);
  rg_gpu_output_strides(prepare, 0, y_strides);
  for (int i = 0; i < x->rank; i++) {
    int from;
    if (!rg_axis(order ? order[i] : x->rank - 1 - i, x->rank, &from)) return RANGO_OK;
    axes[i] = (rg_gpu_axis){y->dims[i], x_strides[from], y_strides[i]};
  }
  return copy_first(prepare, axes, x->rank, 0);
}

static rango_status prepare_layout(rg_gpu_prepare *prepare) {
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK];
  rg_gpu_axis axes[RANGO_MAX_RANK];
  if (!is_movable(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0];
  rg_gpu_input_strides(prepare, 0, x_strides);
  rg_gpu_output_strides(prepare, 0, y_strides);
  for (int i = 0; i < x->rank; i++) axes[i] = (rg_gpu_axis){x->dims[i], x_strides[i], y_strides[i]};
  return copy_first(prepare, axes, x->rank, 0);
}

/* ---- parts of one axis ---- */

static bool read_axis(const rg_gpu_prepare *prepare, int rank, int *axis) {
  return rg_axis(rg_node_int(prepare->node, "axis", 0), rank, axis);
}

static rango_status prepare_concat(rg_gpu_prepare *prepare) {
  const rg_fact *y = prepare->outputs[0];
  int axis;
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK], at = 0;
  rg_gpu_axis axes[RANGO_MAX_RANK];
  if (!y || prepare->node->version < 4 || !read_axis(prepare, y->rank, &axis) ||
      prepare->input_count > RG_GPU_TASKS_MAX)
    return RANGO_OK;
  rg_gpu_output_strides(prepare, 0, y_strides);
  for (int i = 0; i < prepare->input_count; i++) {
    const rg_fact *x = prepare->inputs[i];
    rg_gpu_operand from;
    bool done = x && x->type == y->type && x->rank == y->rank;
    if (done) {
      RG_TRY(rg_gpu_operand_of(prepare, i, &from));
      rg_gpu_input_strides(prepare, i, x_strides);
      for (int k = 0; k < x->rank; k++) axes[k] = (rg_gpu_axis){x->dims[k], x_strides[k], y_strides[k]};
      done = rg_gpu_add_move(prepare, y->type, axes, x->rank, from, rg_gpu_out(0), 0, at * y_strides[axis]);
      at += x->dims[axis];
    }
    if (!done) {
      prepare->task_count = 0;
      return RANGO_OK;
    }
  }
  return RANGO_OK;
}

static rango_status prepare_split(rg_gpu_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0];
  int axis;
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK], at = 0;
  rg_gpu_axis axes[RANGO_MAX_RANK];
  rg_gpu_operand from;
  bool done = x && read_axis(prepare, x->rank, &axis);
  for (int i = 0; i < prepare->output_count; i++) done = done && prepare->outputs[i];
  if (!done) return RANGO_OK;
  RG_TRY(rg_gpu_operand_of(prepare, 0, &from));
  rg_gpu_input_strides(prepare, 0, x_strides);
  for (int i = 0; i < prepare->output_count && done; i++) {
    const rg_fact *y = prepare->outputs[i];
    rg_gpu_output_strides(prepare, i, y_strides);
    for (int k = 0; k < x->rank; k++) axes[k] = (rg_gpu_axis){y->dims[k], x_strides[k], y_strides[k]};
    done = rg_gpu_add_move(prepare, x->type, axes, x->rank, from, rg_gpu_out(i), at * x_strides[axis], 0);
    at += y->dims[axis];
  }
  if (!done) prepare->task_count = 0;
  return RANGO_OK;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static rango_status prepare_slice(rg_gpu_prepare *prepare) {
  const bool old = prepare->node->version < 10;
  int64_t starts[RG_GPU_MOVE_AXES], listed[RG_GPU_MOVE_AXES], steps[RG_GPU_MOVE_AXES];
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK], x_at = 0;
  int count, axis_count, step_count;
  rg_gpu_axis axes[RANGO_MAX_RANK];
  if (!is_movable(prepare) || !rg_gpu_integers(prepare, old ? "starts" : NULL, old ? -1 : 1, starts, &count) ||
      !rg_gpu_integers(prepare, old ? "axes" : NULL, old ? -1 : 3, listed, &axis_count) ||
      !rg_gpu_integers(prepare, NULL, old ? -1 : 4, steps, &step_count))
    return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  if (count > x->rank || (axis_count >= 0 && axis_count != count) || (step_count >= 0 && step_count != count))
    return RANGO_OK;
  rg_gpu_input_strides(prepare, 0, x_strides);
  rg_gpu_output_strides(prepare, 0, y_strides);
  for (int i = 0; i < x->rank; i++) axes[i] = (rg_gpu_axis){y->dims[i], x_strides[i], y_strides[i]};
  for (int i = 0; i < count; i++) {
    int axis;
    const int64_t step = step_count < 0 ? 1 : steps[i];
    if (!rg_axis(axis_count < 0 ? i : listed[i], x->rank, &axis)) return RANGO_OK;
    const int64_t size = x->dims[axis], start = starts[i] < 0 ? starts[i] + size : starts[i];
    const int64_t first = step > 0 ? clamp(start, 0, size) : clamp(start, -1, size - 1);
    const int64_t last = first + (y->dims[axis] - 1) * step;
    if (y->dims[axis] > 0 && (first < 0 || first >= size || last < 0 || last >= size)) return RANGO_OK;
    axes[axis].x *= step;
    x_at += first * x_strides[axis];
  }
  return copy_first(prepare, axes, x->rank, x_at);
}

/* ---- repetition ---- */

static rango_status prepare_expand(rg_gpu_prepare *prepare) {
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK];
  rg_gpu_axis axes[RANGO_MAX_RANK];
  if (!is_movable(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  rg_gpu_input_strides(prepare, 0, x_strides);
  rg_gpu_output_strides(prepare, 0, y_strides);
  for (int i = 0; i < y->rank; i++) {
    const int own = i - (y->rank - x->rank);
    axes[i] = (rg_gpu_axis){y->dims[i], own < 0 || x->dims[own] == 1 ? 0 : x_strides[own], y_strides[i]};
  }
  return copy_first(prepare, axes, y->rank, 0);
}

static rango_status prepare_tile(rg_gpu_prepare *prepare) {
  int64_t x_strides[RANGO_MAX_RANK], y_strides[RANGO_MAX_RANK];
  rg_gpu_axis axes[RG_GPU_MOVE_AXES];
  if (!is_movable(prepare) || prepare->node->version < 6 || prepare->inputs[0]->rank != prepare->outputs[0]->rank)
    return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  rg_gpu_input_strides(prepare, 0, x_strides);
  rg_gpu_output_strides(prepare, 0, y_strides);
  for (int i = 0; i < x->rank; i++) {
    const int64_t size = x->dims[i], times = size > 0 ? y->dims[i] / size : 0;
    axes[2 * i] = (rg_gpu_axis){times, 0, size * y_strides[i]};
    axes[2 * i + 1] = (rg_gpu_axis){size, x_strides[i], y_strides[i]};
  }
  return copy_first(prepare, axes, 2 * x->rank, 0);
}

/* ---- blocks of an image ---- */

/* Channels are [block][block][c] on the deep side, [c][block][block] in mode CRD. */
static rango_status prepare_blocks(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const bool to_space = rg_node_is(node, "DepthToSpace"), crd = strcmp(rg_node_string(node, "mode", "DCR"), "CRD") == 0;
  int64_t deep[RANGO_MAX_RANK], wide[RANGO_MAX_RANK];
  if (!is_movable(prepare) || prepare->inputs[0]->rank != 4) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const int64_t *deep_dims = to_space ? x->dims : y->dims, *wide_dims = to_space ? y->dims : x->dims;
  const int64_t block = rg_node_int(node, "blocksize", 1), channels = wide_dims[1];
  rg_gpu_input_strides(prepare, 0, to_space ? deep : wide);
  rg_gpu_output_strides(prepare, 0, to_space ? wide : deep);
  const struct {
    int64_t size, deep, wide;
  } steps[] = {{deep_dims[0], deep[0], wide[0]},         {channels, (crd ? block * block : 1) * deep[1], wide[1]},
               {deep_dims[2], deep[2], block * wide[2]}, {block, (crd ? block : block * channels) * deep[1], wide[2]},
               {deep_dims[3], deep[3], block * wide[3]}, {block, (crd ? 1 : channels) * deep[1], wide[3]}};
  rg_gpu_axis axes[6];
  for (int i = 0; i < 6; i++)
    axes[i] = (rg_gpu_axis){steps[i].size, to_space ? steps[i].deep : steps[i].wide,
                            to_space ? steps[i].wide : steps[i].deep};
  return copy_first(prepare, axes, 6, 0);
}

/* ---- views that the engine couldn't make ---- */

static rango_status prepare_view(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  uint32_t count, copied;
  if (!is_movable(prepare)) return RANGO_OK;
  const bool same_shape = rg_node_is(node, "Identity") || rg_node_is(node, "Dropout");
  const rg_layout from = node->inputs[0]->layout, to = node->outputs[0]->layout;
  if (from != to || (from != RG_ROW_MAJOR && !same_shape)) return RANGO_OK;
  if (rg_node_is(node, "Dropout") && ((prepare->output_count > 1 && prepare->outputs[1]) || prepare->input_count > 2))
    return RANGO_OK;
  if (!rg_gpu_count(prepare->inputs[0], &count) || !rg_gpu_count(prepare->outputs[0], &copied) || count != copied)
    return RANGO_OK;
  return copy_first(prepare, &(rg_gpu_axis){count, 1, 1}, 1, 0);
}

static const rg_gpu_operator operators[] = {
    {"", "Transpose", prepare_transpose}, {RG_PRIVATE_DOMAIN, "Layout", prepare_layout},
    {"", "Concat", prepare_concat},       {"", "Split", prepare_split},
    {"", "Slice", prepare_slice},         {"", "Expand", prepare_expand},
    {"", "Tile", prepare_tile},           {"", "DepthToSpace", prepare_blocks},
    {"", "SpaceToDepth", prepare_blocks}, {"", "Identity", prepare_view},
    {"", "Dropout", prepare_view},        {"", "Reshape", prepare_view},
    {"", "Flatten", prepare_view},        {"", "Squeeze", prepare_view},
    {"", "Unsqueeze", prepare_view},
};
RG_GPU_EXPORT(move, operators);
