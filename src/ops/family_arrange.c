/* Arranging elements: Transpose, Concat, Split, Expand, Tile. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>

static rango_status need_any(const rg_exec *exec, int index, const rango_tensor **out) {
  *out = rg_exec_input(exec, index);
  return *out ? RANGO_OK : rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is missing or no tensor", index);
}

/* ---- Transpose ---- */

/* The permutation: attribute perm, or all axes reversed. */
static rango_status read_permutation(const rg_node *node, int rank, int *perm) {
  size_t count;
  const int64_t *listed = rg_node_ints(node, "perm", &count);
  bool seen[RANGO_MAX_RANK] = {false};
  if (listed && count != (size_t)rank)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute perm has %zu entries, the input %d axes", rg_node_text(node), count,
            rank);
  for (int i = 0; i < rank; i++) {
    perm[i] = rank - 1 - i;
    if (listed && (!rg_axis(listed[i], rank, &perm[i]) || seen[perm[i]]))
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute perm is no permutation of the input's %d axes", rg_node_text(node),
              rank);
    seen[perm[i]] = true;
  }
  return RANGO_OK;
}

/* Where the transposed elements lie: the output's shape and the input's strides. */
static void transpose_layout(const rg_shape *x, const int *perm, rg_shape *shape, int64_t *strides) {
  int64_t own[RANGO_MAX_RANK];
  rg_row_major_strides(x, own);
  shape->rank = x->rank;
  for (int i = 0; i < x->rank; i++) {
    shape->dims[i] = x->dims[perm[i]];
    strides[i] = own[perm[i]];
  }
}

static rango_status transpose_known(rg_infer *infer, const int *perm) {
  rg_shape from, shape;
  int64_t count, values[RG_KNOWN_MAX], strides[RANGO_MAX_RANK], to[RANGO_MAX_RANK];
  const int64_t *known = rg_infer_known(infer, 0, &count);
  if (!known || !rg_fact_is_concrete(infer->inputs[0])) return RANGO_OK;
  RG_TRY(rg_fact_shape(infer->inputs[0], &from));
  transpose_layout(&from, perm, &shape, strides);
  rg_row_major_strides(&shape, to);
  rg_copy_strided(&shape, sizeof *values, known, strides, values, to);
  return rg_infer_set_known(infer, 0, values, count);
}

static rango_status infer_transpose(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t dims[RANGO_MAX_RANK];
  int perm[RANGO_MAX_RANK];
  size_t count;
  if (x->rank < 0) {
    const int64_t *listed = rg_node_ints(infer->node, "perm", &count);
    rg_fact_set(infer->outputs[0], x->type, listed && count <= RANGO_MAX_RANK ? (int)count : -1, NULL);
    return RANGO_OK;
  }
  RG_TRY(read_permutation(infer->node, x->rank, perm));
  for (int i = 0; i < x->rank; i++) dims[i] = x->dims[perm[i]];
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return transpose_known(infer, perm);
}

static rango_status compute_transpose(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  rg_shape shape;
  int perm[RANGO_MAX_RANK];
  int64_t from[RANGO_MAX_RANK], to[RANGO_MAX_RANK];
  RG_TRY(need_any(exec, 0, &x));
  RG_TRY(read_permutation(exec->node, x->shape.rank, perm));
  transpose_layout(&x->shape, perm, &shape, from);
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y) return RANGO_OK;
  rg_row_major_strides(&shape, to);
  rg_copy_strided(&shape, rg_element_bytes(x->type), x->data, from, y->data, to);
  return RANGO_OK;
}

/* ---- Concat ---- */

static int64_t concat_axis(const rg_node *node) { return rg_node_int(node, "axis", node->version < 4 ? 1 : 0); }

static rango_status check_concat(const rg_node *node) {
  if (node->version < 4 || rg_node_attr(node, "axis")) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute axis is missing", rg_node_text(node));
}

/* What a size becomes that two inputs share: the more precise one. False on a contradiction. */
static bool same_size(int64_t a, int64_t b, int64_t *out) {
  *out = rg_size_is_known(a) || !rg_size_is_known(b) ? a : b;
  return !rg_size_is_known(a) || !rg_size_is_known(b) || a == b;
}

static rango_status concat_known(rg_infer *infer) {
  int64_t values[RG_KNOWN_MAX], total = 0, count;
  for (int i = 0; i < infer->input_count; i++) {
    const int64_t *known = rg_infer_known(infer, i, &count);
    if (!known && infer->inputs[i]->rank == 1 && (infer->inputs[i]->type == RANGO_INT64)) {
      count = infer->inputs[i]->dims[0]; /* its part is unknown, the others' still count */
      if (!rg_size_is_known(count)) return RANGO_OK;
    } else if (!known) {
      return RANGO_OK;
    }
    if (count > RG_KNOWN_MAX - total) return RANGO_OK;
    for (int64_t k = 0; k < count; k++) values[total++] = known ? known[k] : RG_SIZE_UNKNOWN;
  }
  return rg_infer_set_known(infer, 0, values, total);
}

static rango_status infer_concat(rg_infer *infer) {
  const rg_fact *first = infer->inputs[0];
  int64_t dims[RANGO_MAX_RANK] = {0}, along = 0;
  int rank = -1, axis = 0;
  bool complete = true;
  for (int i = 0; i < infer->input_count; i++) {
    const rg_fact *x = infer->inputs[i];
    if (!x) return rg_infer_fail(infer, "input %d is left out", i);
    if (x->rank < 0) {
      complete = false;
      continue;
    }
    if (rank < 0) {
      rank = x->rank;
      memcpy(dims, x->dims, (size_t)rank * sizeof *dims);
      if (!rg_axis(concat_axis(infer->node), rank, &axis))
        return rg_infer_fail(infer, "attribute axis is out of range for %d axes", rank);
    }
    if (x->rank != rank) return rg_infer_fail(infer, "input %d has %d axes, others %d", i, x->rank, rank);
    for (int k = 0; k < rank; k++)
      if (k != axis && !same_size(dims[k], x->dims[k], &dims[k]))
        return rg_infer_fail(infer, "the size of input %d on axis %d differs from the others'", i, k);
    along = rg_size_add(along, x->dims[axis]);
  }
  if (rank >= 0) dims[axis] = complete ? along : RG_SIZE_UNKNOWN;
  rg_fact_set(infer->outputs[0], first->type, rank, dims);
  return rank == 1 && complete ? concat_known(infer) : RANGO_OK;
}

static rango_status concat_shape(const rg_exec *exec, int *axis, rg_shape *shape) {
  for (int i = 0; i < exec->input_count; i++) {
    const rango_tensor *x;
    RG_TRY(need_any(exec, i, &x));
    if (i == 0) {
      *shape = x->shape;
      if (!rg_axis(concat_axis(exec->node), shape->rank, axis))
        return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", shape->rank);
      continue;
    }
    bool fits = x->shape.rank == shape->rank && x->type == exec->inputs[0]->tensor.type;
    for (int k = 0; fits && k < shape->rank; k++) fits = k == *axis || x->shape.dims[k] == shape->dims[k];
    if (!fits || !rg_add_i64(shape->dims[*axis], x->shape.dims[*axis], &shape->dims[*axis]))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "type or shape of input %d doesn't fit the first's", i);
  }
  return RANGO_OK;
}

static rango_status compute_concat(rg_exec *exec) {
  rango_tensor *y;
  rg_shape shape = {0};
  int axis = 0;
  RG_TRY(concat_shape(exec, &axis, &shape));
  RG_TRY(rg_exec_output(exec, 0, exec->inputs[0]->tensor.type, &shape, &y));
  if (!y) return RANGO_OK;
  size_t size = rg_element_bytes(y->type);
  int64_t outer = rg_dims_product(&shape, 0, axis), inner = rg_dims_product(&shape, axis + 1, shape.rank);
  int64_t row = shape.dims[axis] * inner, at = 0;
  for (int i = 0; i < exec->input_count; i++) {
    const rango_tensor *x = rg_exec_input(exec, i);
    int64_t part = x->shape.dims[axis] * inner;
    for (int64_t o = 0; part > 0 && o < outer; o++)
      memcpy((char *)y->data + (size_t)(o * row + at) * size, (const char *)x->data + (size_t)(o * part) * size,
             (size_t)part * size);
    at += part;
  }
  return RANGO_OK;
}

/* ---- Split: sizes by attribute (before 13), by input, or equal ones ---- */

static rango_status split_equally(const rg_node *node, int64_t size, int parts, int64_t *sizes) {
  int64_t part = size / parts + (size % parts != 0);
  if (node->version < 18 && size % parts != 0)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: a size of %lld isn't divisible by %d outputs", rg_node_text(node), (long long)size,
            parts);
  for (int i = 0; i < parts; i++) {
    sizes[i] = size < part ? size : part;
    size -= sizes[i];
  }
  return RANGO_OK;
}

/* `listed` NULL: equal sizes. sizes[parts] gets numbers that add up to `size`. */
static rango_status split_sizes(const rg_node *node, const int64_t *listed, int64_t count, int64_t size, int parts,
                                int64_t *sizes) {
  if (!listed) return split_equally(node, size, parts, sizes);
  if (count != parts)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: %lld sizes are given for %d outputs", rg_node_text(node), (long long)count, parts);
  int64_t left = size;
  for (int i = 0; i < parts; i++) {
    if (listed[i] < 0 || listed[i] > left)
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: the sizes given don't add up to %lld", rg_node_text(node), (long long)size);
    sizes[i] = listed[i];
    left -= listed[i];
  }
  if (left != 0)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: the sizes given add up to %lld, not %lld", rg_node_text(node),
            (long long)(size - left), (long long)size);
  return RANGO_OK;
}

static bool split_by_input(const rg_node *node) { return node->version < 2 || node->version >= 13; }

/* Sizes of the parts where they are known; *out = NULL otherwise. */
static rango_status infer_split_sizes(rg_infer *infer, int64_t size, const int64_t **out) {
  size_t count_listed = 0;
  int64_t count = 0, *sizes;
  int parts = infer->output_count;
  *out = NULL;
  const int64_t *listed = rg_node_ints(infer->node, "split", &count_listed);
  count = (int64_t)count_listed;
  bool by_input = split_by_input(infer->node) && infer->input_count > 1 && infer->inputs[1];
  if (by_input && !(listed = rg_infer_known(infer, 1, &count))) return RANGO_OK;
  for (int64_t i = 0; i < count; i++)
    if (!rg_size_is_known(listed[i])) return RANGO_OK;
  if (!rg_size_is_known(size) && listed && count == parts) *out = listed;
  if (!rg_size_is_known(size)) return RANGO_OK;
  RG_TRY(rg_arena_calloc(infer->arena, (size_t)parts, sizeof *sizes, RG_OUT(&sizes)));
  *out = sizes;
  return split_sizes(infer->node, listed, count, size, parts, sizes);
}

static rango_status infer_split(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  const int64_t *sizes = NULL;
  int64_t dims[RANGO_MAX_RANK], known_count, at = 0;
  int axis = 0;
  if (x->rank >= 0) {
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    if (!rg_axis(rg_node_int(infer->node, "axis", 0), x->rank, &axis))
      return rg_infer_fail(infer, "attribute axis is out of range for %d axes", x->rank);
    RG_TRY(infer_split_sizes(infer, dims[axis], &sizes));
  }
  const int64_t *known = x->rank == 1 ? rg_infer_known(infer, 0, &known_count) : NULL;
  for (int i = 0; i < infer->output_count; i++) {
    if (x->rank >= 0) dims[axis] = sizes ? sizes[i] : RG_SIZE_UNKNOWN;
    rg_fact_set(infer->outputs[i], x->type, x->rank, dims);
    if (!known || !sizes || sizes[i] > known_count - at) continue;
    RG_TRY(rg_infer_set_known(infer, i, known + at, sizes[i]));
    at += sizes[i];
  }
  return RANGO_OK;
}

static rango_status compute_split(rg_exec *exec) {
  const rango_tensor *x;
  const int64_t *listed;
  int64_t count, *sizes, at = 0;
  size_t count_listed;
  int axis;
  RG_TRY(need_any(exec, 0, &x));
  if (!rg_axis(rg_node_int(exec->node, "axis", 0), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", x->shape.rank);
  listed = rg_node_ints(exec->node, "split", &count_listed);
  count = (int64_t)count_listed;
  if (split_by_input(exec->node) && rg_exec_input(exec, 1)) RG_TRY(rg_exec_integers(exec, 1, &listed, &count));
  RG_TRY(rg_scratch_array(exec, exec->output_count, sizeof *sizes, RG_OUT(&sizes)));
  RG_TRY(split_sizes(exec->node, listed, count, x->shape.dims[axis], exec->output_count, sizes));
  size_t size = rg_element_bytes(x->type);
  int64_t outer = rg_dims_product(&x->shape, 0, axis), inner = rg_dims_product(&x->shape, axis + 1, x->shape.rank);
  int64_t row = x->shape.dims[axis] * inner;
  for (int i = 0; i < exec->output_count; i++) {
    rango_tensor *y;
    rg_shape shape = x->shape;
    shape.dims[axis] = sizes[i];
    RG_TRY(rg_exec_output(exec, i, x->type, &shape, &y));
    int64_t part = sizes[i] * inner;
    for (int64_t o = 0; y && part > 0 && o < outer; o++)
      memcpy((char *)y->data + (size_t)(o * part) * size, (const char *)x->data + (size_t)(o * row + at) * size,
             (size_t)part * size);
    at += part;
  }
  return RANGO_OK;
}

/* ---- Expand ---- */

static rango_status infer_expand(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *shape = infer->inputs[1];
  int64_t count, count_x, values[RG_KNOWN_MAX], dims[RANGO_MAX_RANK];
  int rank = -1;
  const int64_t *to = rg_infer_known(infer, 1, &count);
  if (!to || count > RANGO_MAX_RANK || x->rank < 0) {
    bool sized =
        x->rank >= 0 && shape->rank == 1 && rg_size_is_known(shape->dims[0]) && shape->dims[0] <= RANGO_MAX_RANK;
    if (sized) rank = shape->dims[0] > x->rank ? (int)shape->dims[0] : x->rank;
    rg_fact_set(infer->outputs[0], x->type, rank, NULL);
    return RANGO_OK;
  }
  if (!rg_broadcast_dims(x->rank, x->dims, (int)count, to, &rank, dims))
    return rg_infer_fail(infer, "the input can't be broadcast to the shape given");
  rg_fact_set(infer->outputs[0], x->type, rank, dims);
  const int64_t *known = rg_infer_known(infer, 0, &count_x);
  if (!known || rank != 1 || !rg_size_is_known(dims[0]) || dims[0] > RG_KNOWN_MAX) return RANGO_OK;
  if (count_x != 1 && count_x != dims[0]) return RANGO_OK;
  for (int64_t i = 0; i < dims[0]; i++) values[i] = known[count_x == 1 ? 0 : i];
  return rg_infer_set_known(infer, 0, values, dims[0]);
}

static rango_status compute_expand(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  rg_shape to = {0}, shape;
  int64_t from_strides[RANGO_MAX_RANK], to_strides[RANGO_MAX_RANK], elements;
  RG_TRY(need_any(exec, 0, &x));
  RG_TRY(rg_exec_axes(exec, NULL, 1, to.dims, &to.rank));
  if (to.rank < 0) to.rank = 0;
  if (rg_shape_count(&to, &elements) != RANGO_OK || !rg_broadcast_shape(&x->shape, &to, &shape))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input can't be broadcast to the shape given");
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y) return RANGO_OK;
  rg_broadcast_strides(&x->shape, &shape, from_strides);
  rg_row_major_strides(&shape, to_strides);
  rg_copy_strided(&shape, rg_element_bytes(x->type), x->data, from_strides, y->data, to_strides);
  return RANGO_OK;
}

/* ---- Tile ---- */

static rango_status infer_tile(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t count, dims[RANGO_MAX_RANK];
  const int64_t *repeats = rg_infer_known(infer, 1, &count);
  if (repeats && x->rank >= 0 && count != x->rank)
    return rg_infer_fail(infer, "%lld repeats for %d axes", (long long)count, x->rank);
  for (int i = 0; i < x->rank; i++) dims[i] = repeats ? rg_size_mul(x->dims[i], repeats[i]) : RG_SIZE_UNKNOWN;
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

static rango_status compute_tile(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  int64_t repeats[RANGO_MAX_RANK], own[RANGO_MAX_RANK], from[RANGO_MAX_RANK], to[RANGO_MAX_RANK], unused;
  int count;
  RG_TRY(need_any(exec, 0, &x));
  RG_TRY(rg_exec_axes(exec, NULL, 1, repeats, &count));
  int rank = x->shape.rank;
  rg_shape shape = x->shape, split = {.rank = 2 * rank}; /* [repeat][size] for every axis */
  if (count != rank || 2 * rank > RANGO_MAX_RANK)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%d repeats for %d axes (at most %d)", count, rank,
                        RANGO_MAX_RANK / 2);
  rg_row_major_strides(&x->shape, own);
  for (int i = 0, at = 0; i < rank; i++, at += 2) {
    if (repeats[i] < 0 || !rg_mul_i64(shape.dims[i], repeats[i], &shape.dims[i]))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis %d is repeated %lld times", i, (long long)repeats[i]);
    split.dims[at] = repeats[i];
    split.dims[at + 1] = x->shape.dims[i];
    from[at] = 0;
    from[at + 1] = own[i];
  }
  RG_TRY(rg_shape_count(&shape, &unused));
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y) return RANGO_OK;
  rg_row_major_strides(&split, to);
  rg_copy_strided(&split, rg_element_bytes(x->type), x->data, from, y->data, to);
  return RANGO_OK;
}

#define ENTRY(name, since, until, inputs, function)                                                                    \
  { "", name, since, until, inputs, inputs, 1, 1, RG_OP_MOVE, NULL, infer_##function, compute_##function, NULL }

static const rg_op ops[] = {
    {"", "Concat", 1, RG_OPSET_MAX, 1, -1, 1, 1, RG_OP_MOVE, check_concat, infer_concat, compute_concat, NULL},
    ENTRY("Expand", 8, RG_OPSET_MAX, 2, expand),
    {"", "Split", 1, 1, 1, 2, 1, -1, RG_OP_MOVE, NULL, infer_split, compute_split, NULL},
    {"", "Split", 2, 12, 1, 1, 1, -1, RG_OP_MOVE, NULL, infer_split, compute_split, NULL},
    {"", "Split", 13, RG_OPSET_MAX, 1, 2, 1, -1, RG_OP_MOVE, NULL, infer_split, compute_split, NULL},
    ENTRY("Tile", 6, RG_OPSET_MAX, 2, tile),
    ENTRY("Transpose", 1, RG_OPSET_MAX, 1, transpose),
};

RG_OPS_EXPORT(arrange, ops);
