/* Softmax, LogSoftmax and Hardmax. Before opset 13 they work on the input flattened to two axes at `axis`. */
#include "ops/compute.h"

#include <math.h>

typedef void (*row_function)(double *row, int64_t count);

static double row_max(const double *row, int64_t count, int64_t *at) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; i++)
    if (row[i] > row[best]) best = i;
  *at = best;
  return row[best];
}

static void softmax_row(double *row, int64_t count) {
  int64_t at;
  double max = row_max(row, count, &at), sum = 0;
  for (int64_t i = 0; i < count; i++) sum += row[i] = exp(row[i] - max);
  for (int64_t i = 0; i < count; i++) row[i] /= sum;
}

static void log_softmax_row(double *row, int64_t count) {
  int64_t at;
  double max = row_max(row, count, &at), sum = 0;
  for (int64_t i = 0; i < count; i++) sum += exp(row[i] - max);
  sum = log(sum);
  for (int64_t i = 0; i < count; i++) row[i] = row[i] - max - sum;
}

static void hardmax_row(double *row, int64_t count) {
  int64_t at;
  row_max(row, count, &at);
  for (int64_t i = 0; i < count; i++) row[i] = i == at;
}

static bool softmax_axis(const rg_node *node, int rank, int *axis) {
  int64_t wanted = rg_node_int(node, "axis", node->version < 13 ? 1 : -1);
  /* The flattening form allows an axis just past the last. */
  if (node->version < 13 && wanted == rank) {
    *axis = rank;
    return true;
  }
  return rg_axis(wanted, rank, axis);
}

static rango_status infer_softmax(rg_infer *infer) {
  int axis;
  const rg_fact *x = infer->inputs[0];
  if (x->rank >= 0 && !softmax_axis(infer->node, x->rank, &axis))
    return rg_infer_fail(infer, "axis is out of range for %d axes", x->rank);
  return rg_infer_same_as_first(infer);
}

static rango_status softmax(rg_exec *exec, row_function function) {
  const rango_tensor *x;
  int axis;
  RG_TRY(rg_need_float(exec, 0, 0, &x));
  if (!softmax_axis(exec->node, x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis is out of range for %d axes", x->shape.rank);
  bool flat = exec->node->version < 13;
  int64_t before = rg_dims_product(&x->shape, 0, axis);
  int64_t count = flat ? rg_dims_product(&x->shape, axis, x->shape.rank) : x->shape.dims[axis];
  int64_t after = flat ? 1 : rg_dims_product(&x->shape, axis + 1, x->shape.rank);
  rango_tensor *y;
  double *row = NULL;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y || count == 0) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, count, sizeof *row, RG_OUT(&row)));
  for (int64_t b = 0; b < before; b++) {
    for (int64_t a = 0; a < after; a++) {
      int64_t start = b * count * after + a;
      rg_load_row(x, start, after, count, row);
      function(row, count);
      rg_store_row(y, start, after, count, row);
    }
  }
  return RANGO_OK;
}

static rango_status compute_softmax(rg_exec *exec) { return softmax(exec, softmax_row); }
static rango_status compute_log_softmax(rg_exec *exec) { return softmax(exec, log_softmax_row); }
static rango_status compute_hardmax(rg_exec *exec) { return softmax(exec, hardmax_row); }

static const rg_op ops[] = {
    {"", "Softmax", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_softmax, compute_softmax, NULL},
    {"", "LogSoftmax", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_softmax, compute_log_softmax, NULL},
    {"", "Hardmax", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_softmax, compute_hardmax, NULL},
};
RG_OPS_EXPORT(softmax, ops);
