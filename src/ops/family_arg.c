/* ArgMax and ArgMin. */
#include "ops/compute.h"

static rango_status infer_arg(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  bool keep = rg_node_int(infer->node, "keepdims", 1) != 0;
  int64_t dims[RANGO_MAX_RANK];
  int axis, rank = 0;
  if (x->rank < 0) {
    rg_fact_set(infer->outputs[0], RANGO_INT64, -1, NULL);
    return RANGO_OK;
  }
  if (!rg_axis(rg_node_int(infer->node, "axis", 0), x->rank, &axis))
    return rg_infer_fail(infer, "attribute axis is out of range for %d axes", x->rank);
  for (int i = 0; i < x->rank; i++)
    if (i != axis || keep) dims[rank++] = i == axis ? 1 : x->dims[i];
  rg_fact_set(infer->outputs[0], RANGO_INT64, rank, dims);
  return RANGO_OK;
}

/* The place of the best of `count` values, the first or last of equals; a NaN counts as best. */
static int64_t best_place(const double *row, int64_t count, bool is_max, bool last) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; i++) {
    bool best_nan = row[best] != row[best], nan = row[i] != row[i];
    bool better = is_max ? row[i] > row[best] : row[i] < row[best];
    bool equal = row[i] == row[best] || (nan && best_nan);
    if (best_nan ? nan && last : nan || better || (equal && last)) best = i;
  }
  return best;
}

/* 64-bit integers don't fit float64. */
static int64_t best_integer_place(const rango_tensor *x, int64_t start, int64_t step, int64_t count, bool is_max,
                                  bool last) {
  const uint64_t flip = x->type == RANGO_INT64 ? (uint64_t)1 << 63 : 0; /* orders int64 as uint64 */
  const uint64_t *data = x->data;
  int64_t best = 0;
  for (int64_t i = 1; i < count; i++) {
    uint64_t a = data[start + i * step] ^ flip, b = data[start + best * step] ^ flip;
    if ((is_max ? a > b : a < b) || (a == b && last)) best = i;
  }
  return best;
}

static rango_status compute_arg(rg_exec *exec, bool is_max) {
  const rango_tensor *x;
  rango_tensor *y;
  double *row;
  int axis;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  if (!rg_axis(rg_node_int(exec->node, "axis", 0), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", x->shape.rank);
  bool keep = rg_node_int(exec->node, "keepdims", 1) != 0, last = rg_node_int(exec->node, "select_last_index", 0) != 0;
  bool is_wide = x->type == RANGO_INT64 || x->type == RANGO_UINT64;
  int64_t size = x->shape.dims[axis];
  int64_t outer = rg_dims_product(&x->shape, 0, axis), inner = rg_dims_product(&x->shape, axis + 1, x->shape.rank);
  rg_shape shape = {.rank = 0};
  for (int i = 0; i < x->shape.rank; i++)
    if (i != axis || keep) shape.dims[shape.rank++] = i == axis ? 1 : x->shape.dims[i];
  RG_TRY(rg_shape_count(&shape, &(int64_t){0}));
  if (size == 0 && outer > 0 && inner > 0) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis %d is empty", axis);
  RG_TRY(rg_exec_output(exec, 0, RANGO_INT64, &shape, &y));
  RG_TRY(rg_scratch_array(exec, size, sizeof *row, RG_OUT(&row)));
  for (int64_t o = 0; y && o < outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      int64_t start = o * size * inner + i, *to = (int64_t *)y->data + o * inner + i;
      if (!is_wide) rg_load_row(x, start, inner, size, row);
      *to = is_wide ? best_integer_place(x, start, inner, size, is_max, last) : best_place(row, size, is_max, last);
    }
  return RANGO_OK;
}

static rango_status compute_arg_max(rg_exec *exec) { return compute_arg(exec, true); }
static rango_status compute_arg_min(rg_exec *exec) { return compute_arg(exec, false); }

static const rg_op ops[] = {
    {"", "ArgMax", 1, RG_OPSET_MAX, 1, 1, 1, 1, 0, NULL, infer_arg, compute_arg_max, NULL},
    {"", "ArgMin", 1, RG_OPSET_MAX, 1, 1, 1, 1, 0, NULL, infer_arg, compute_arg_min, NULL},
};

RG_OPS_EXPORT(arg, ops);
