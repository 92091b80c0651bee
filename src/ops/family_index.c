/* Making and using positions: OneHot, NonZero, Compress; and what runs along an axis: CumSum, CumProd. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>

/* ---- OneHot ---- */

static bool one_hot_axis(const rg_node *node, int rank, int *out) {
  return rg_axis(rg_node_int(node, "axis", -1), rank + 1, out);
}

static rango_status infer_one_hot(rg_infer *infer) {
  const rg_fact *indices = infer->inputs[0];
  int64_t count, dims[RANGO_MAX_RANK];
  int axis;
  rango_type type = infer->inputs[2]->type;
  const int64_t *depth = rg_infer_known(infer, 1, &count);
  if (indices->rank < 0 || indices->rank >= RANGO_MAX_RANK) {
    rg_fact_set(infer->outputs[0], type, -1, NULL);
    return RANGO_OK;
  }
  if (!one_hot_axis(infer->node, indices->rank, &axis))
    return rg_infer_fail(infer, "attribute axis is out of range for %d axes", indices->rank + 1);
  for (int i = 0, from = 0; i <= indices->rank; i++)
    dims[i] = i != axis ? indices->dims[from++] : depth && count == 1 ? *depth : RG_SIZE_UNKNOWN;
  rg_fact_set(infer->outputs[0], type, indices->rank + 1, dims);
  return RANGO_OK;
}

/* Indices of any numeric type; those outside [-depth, depth) leave their row off. */
static rango_status compute_one_hot(rg_exec *exec) {
  const rango_tensor *indices, *depth_tensor, *values = rg_exec_input(exec, 2);
  rango_tensor *y;
  int axis = 0;
  RG_TRY(rg_need_tensor(exec, 0, 0, &indices));
  RG_TRY(rg_need_tensor(exec, 1, 0, &depth_tensor));
  if (!values || rg_tensor_elements(values) != 2 || rg_tensor_elements(depth_tensor) != 1)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "depth must be one number, values two");
  int64_t depth = rg_tensor_get_i64(depth_tensor, 0);
  rg_shape shape = {.rank = indices->shape.rank + 1};
  if (depth < 0 || shape.rank > RANGO_MAX_RANK || !one_hot_axis(exec->node, indices->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "a depth of %lld on axis %lld of %d", (long long)depth,
                        (long long)rg_node_int(exec->node, "axis", -1), shape.rank);
  for (int i = 0, from = 0; i < shape.rank; i++) shape.dims[i] = i == axis ? depth : indices->shape.dims[from++];
  RG_TRY(rg_shape_count(&shape, &(int64_t){0}));
  RG_TRY(rg_exec_output(exec, 0, values->type, &shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  size_t size = rg_element_bytes(values->type);
  const char *off = values->data, *on = off + size;
  int64_t inner = rg_dims_product(&shape, axis + 1, shape.rank), count = rg_tensor_elements(indices);
  int64_t none[RANGO_MAX_RANK] = {0}, strides[RANGO_MAX_RANK];
  rg_row_major_strides(&shape, strides);
  rg_copy_strided(&shape, size, off, none, y->data, strides);
  for (int64_t i = 0; i < count; i++) {
    double place = rg_tensor_get_double(indices, i);
    if (!(place >= -(double)depth && place < (double)depth)) continue;
    int64_t at = (int64_t)place < 0 ? (int64_t)place + depth : (int64_t)place;
    int64_t offset = (i / inner * depth + at) * inner + i % inner;
    memcpy((char *)y->data + (size_t)offset * size, on, size);
  }
  return RANGO_OK;
}

/* ---- NonZero: [rank][count] ---- */

static rango_status infer_nonzero(rg_infer *infer) {
  int64_t dims[2] = {infer->inputs[0]->rank < 0 ? RG_SIZE_UNKNOWN : infer->inputs[0]->rank, RG_SIZE_UNKNOWN};
  rg_fact_set(infer->outputs[0], RANGO_INT64, 2, dims);
  return RANGO_OK;
}

static rango_status compute_nonzero(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  int64_t total = rg_tensor_elements(x), found = 0, *places, strides[RANGO_MAX_RANK];
  RG_TRY(rg_scratch_array(exec, total, sizeof *places, RG_OUT(&places)));
  for (int64_t i = 0; i < total; i++)
    if (rg_tensor_get_double(x, i) != 0) places[found++] = i;
  RG_TRY(rg_exec_output(exec, 0, RANGO_INT64, &(rg_shape){2, {x->shape.rank, found}}, &y));
  if (!y) return RANGO_OK;
  rg_row_major_strides(&x->shape, strides);
  for (int axis = 0; axis < x->shape.rank; axis++)
    for (int64_t i = 0; i < found; i++)
      ((int64_t *)y->data)[axis * found + i] = places[i] / strides[axis] % x->shape.dims[axis];
  return RANGO_OK;
}

/* ---- Compress: the slices along an axis (or elements) whose condition holds ---- */

static rango_status infer_compress(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t dims[RANGO_MAX_RANK];
  int axis = 0;
  bool flat = rg_node_attr(infer->node, "axis") == NULL;
  if (!flat && x->rank >= 0 && !rg_axis(rg_node_int(infer->node, "axis", 0), x->rank, &axis))
    return rg_infer_fail(infer, "attribute axis is out of range for %d axes", x->rank);
  for (int i = 0; i < x->rank; i++) dims[i] = i == axis ? RG_SIZE_UNKNOWN : x->dims[i];
  rg_fact_set(infer->outputs[0], x->type, flat ? 1 : x->rank, flat ? NULL : dims);
  return RANGO_OK;
}

static rango_status compute_compress(rg_exec *exec) {
  const rango_tensor *x = rg_exec_input(exec, 0), *condition = rg_exec_input(exec, 1);
  rango_tensor *y;
  int axis = 0;
  if (!x || !condition || condition->type != RANGO_BOOL)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "needs a tensor and a condition of type bool");
  bool flat = rg_node_attr(exec->node, "axis") == NULL;
  rg_shape shape = flat ? (rg_shape){1, {rg_tensor_elements(x)}} : x->shape;
  if (!rg_axis(rg_node_int(exec->node, "axis", 0), shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", shape.rank);
  int64_t size = shape.dims[axis], length = rg_tensor_elements(condition), kept = 0, at = 0;
  const uint8_t *holds = condition->data;
  if (length > size) length = size;
  for (int64_t i = 0; i < length; i++) kept += holds[i] != 0;
  int64_t outer = rg_dims_product(&shape, 0, axis);
  size_t bytes = (size_t)rg_dims_product(&shape, axis + 1, shape.rank) * rg_element_bytes(x->type);
  shape.dims[axis] = kept;
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  for (int64_t o = 0; y && bytes > 0 && o < outer; o++)
    for (int64_t i = 0; i < length; i++)
      if (holds[i])
        memcpy((char *)y->data + (size_t)at++ * bytes, (const char *)x->data + (size_t)(o * size + i) * bytes, bytes);
  return RANGO_OK;
}

/* ---- CumSum, CumProd ---- */

static rango_status read_cumulated_axis(const rg_exec *exec, int rank, int *out) {
  const rango_tensor *axis = rg_exec_input(exec, 1);
  if (axis && rg_type_is_integer(axis->type) && rg_tensor_elements(axis) == 1 &&
      rg_axis(rg_tensor_get_i64(axis, 0), rank, out))
    return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis must be one integer, in range for %d axes", rank);
}

/* Elements at, at + step, ... `size` of them: y = the sum or product so far, without the element itself if exclusive.
 */
static void cumulate_integers(const rango_tensor *x, rango_tensor *y, int64_t at, int64_t step, int64_t size,
                              bool exclusive, bool is_product) {
  int64_t element, total = is_product;
  for (int64_t i = 0; i < size; i++, at += step) {
    rg_load_integers(x->type, x->data, at, 1, 1, &element);
    uint64_t a = (uint64_t)total, b = (uint64_t)element;
    int64_t next = (int64_t)(is_product ? a * b : a + b);
    rg_store_integers(y->type, y->data, at, 1, 1, exclusive ? &total : &next);
    total = next;
  }
}

static void cumulate_floats(const rango_tensor *x, rango_tensor *y, int64_t at, int64_t step, int64_t size,
                            bool exclusive, bool is_product) {
  double element, total = is_product;
  for (int64_t i = 0; i < size; i++, at += step) {
    rg_load_row(x, at, 1, 1, &element);
    double next = is_product ? total * element : total + element;
    rg_store_row(y, at, 1, 1, exclusive ? &total : &next);
    total = next;
  }
}

static rango_status cumulate(rg_exec *exec, bool is_product) {
  const rango_tensor *x;
  rango_tensor *y;
  int axis = 0;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  RG_TRY(read_cumulated_axis(exec, x->shape.rank, &axis));
  bool is_integer = rg_type_is_integer(x->type);
  if (rg_element_bytes(x->type) == 0 || !(is_integer || x->type == RANGO_FLOAT32 || x->type == RANGO_FLOAT64))
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input of type %s", rango_type_name(x->type));
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  bool exclusive = rg_node_int(exec->node, "exclusive", 0) != 0, reverse = rg_node_int(exec->node, "reverse", 0) != 0;
  int64_t size = x->shape.dims[axis], inner = rg_dims_product(&x->shape, axis + 1, x->shape.rank);
  for (int64_t line = 0; line < rg_tensor_elements(x) / size; line++) {
    int64_t first = line / inner * size * inner + line % inner + (reverse ? (size - 1) * inner : 0);
    (is_integer ? cumulate_integers : cumulate_floats)(x, y, first, reverse ? -inner : inner, size, exclusive,
                                                       is_product);
  }
  return RANGO_OK;
}

static rango_status compute_cumsum(rg_exec *exec) { return cumulate(exec, false); }
static rango_status compute_cumprod(rg_exec *exec) { return cumulate(exec, true); }

static const rg_op ops[] = {
    {"", "Compress", 9, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_MOVE, NULL, infer_compress, compute_compress, NULL},
    {"", "CumProd", 26, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first, compute_cumprod,
     NULL},
    {"", "CumSum", 11, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first, compute_cumsum, NULL},
    {"", "NonZero", 9, RG_OPSET_MAX, 1, 1, 1, 1, 0, NULL, infer_nonzero, compute_nonzero, NULL},
    {"", "OneHot", 9, RG_OPSET_MAX, 3, 3, 1, 1, RG_OP_MOVE, NULL, infer_one_hot, compute_one_hot, NULL},
};

RG_OPS_EXPORT(index, ops);
