/* Normalisations, inference mode. Sums, means and deviations are taken in double. */
#include "ops/compute.h"

#include <math.h>

/* ---- shared ---- */

/* A vector input of `size` elements as double, or NULL when absent. */
static rango_status vector(rg_exec *exec, int index, int64_t size, double **out) {
  const rango_tensor *tensor = rg_exec_input(exec, index);
  *out = NULL;
  if (!tensor) return RANGO_OK;
  if (!rg_type_is_float(tensor->type) || tensor->shape.rank != 1 || tensor->shape.dims[0] != size)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d must have %lld elements", index, (long long)size);
  return rg_scratch_doubles(exec, tensor, out);
}

static rango_status need_vector(rg_exec *exec, int index, int64_t size, double **out) {
  RG_TRY(vector(exec, index, size, out));
  return *out ? RANGO_OK : rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is missing", index);
}

static void mean_and_deviation(const double *row, int64_t count, double epsilon, double *mean, double *inverse) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; i++) sum += row[i];
  *mean = count ? sum / (double)count : 0;
  for (int64_t i = 0; i < count; i++) squares += (row[i] - *mean) * (row[i] - *mean);
  *inverse = 1 / sqrt((count ? squares / (double)count : 0) + epsilon);
}

/* [before, axis, after] of a shape around an axis. */
static void around(const rg_shape *shape, int axis, int64_t *before, int64_t *after) {
  *before = rg_dims_product(shape, 0, axis);
  *after = rg_dims_product(shape, axis + 1, shape->rank);
}

/* ---- BatchNormalization ---- */

static rango_status check_batch_norm(const rg_node *node) {
  bool training = node->version >= 14 && rg_node_int(node, "training_mode", 0);
  if (training || node->output_count > 1) {
    bool wanted = training;
    for (int i = 1; i < node->output_count; i++) wanted = wanted || node->outputs[i];
    if (wanted)
      return rg_fail(RANGO_ERROR_UNSUPPORTED, "%s: training mode; export the network for inference",
                     rg_node_text(node));
  }
  return RANGO_OK;
}

static rango_status infer_batch_norm(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t channels = x->rank < 0 ? RG_SIZE_UNKNOWN : x->rank < 2 ? 1 : x->dims[1];
  for (int i = 1; i < 5; i++) {
    const rg_fact *fact = infer->inputs[i];
    if (fact && fact->rank == 1 && rg_size_is_known(fact->dims[0]) && rg_size_is_known(channels) &&
        fact->dims[0] != channels)
      return rg_infer_fail(infer, "input %d has %lld elements for %lld channels", i, (long long)fact->dims[0],
                           (long long)channels);
  }
  return rg_infer_same_as_first(infer);
}

static rango_status compute_batch_norm(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 1, &x));
  int64_t channels = x->shape.rank < 2 ? 1 : x->shape.dims[1];
  int64_t plane = rg_dims_product(&x->shape, 2, x->shape.rank);
  double *scale, *bias, *mean, *variance, *row = NULL, epsilon = rg_node_float(exec->node, "epsilon", 1e-5f);
  RG_TRY(need_vector(exec, 1, channels, &scale));
  RG_TRY(need_vector(exec, 2, channels, &bias));
  RG_TRY(need_vector(exec, 3, channels, &mean));
  RG_TRY(need_vector(exec, 4, channels, &variance));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, plane, sizeof *row, RG_OUT(&row)));
  for (int64_t n = 0; n < x->shape.dims[0]; n++) {
    for (int64_t c = 0; c < channels; c++) {
      double factor = scale[c] / sqrt(variance[c] + epsilon);
      int64_t start = (n * channels + c) * plane;
      rg_load_row(x, start, 1, plane, row);
      for (int64_t i = 0; i < plane; i++) row[i] = (row[i] - mean[c]) * factor + bias[c];
      rg_store_row(y, start, 1, plane, row);
    }
  }
  return RANGO_OK;
}

/* ---- LayerNormalization, RMSNormalization ---- */

static rango_status infer_layer_norm(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int axis = 0;
  if (x->rank >= 0 && !rg_axis(rg_node_int(infer->node, "axis", -1), x->rank, &axis))
    return rg_infer_fail(infer, "axis is out of range for %d axes", x->rank);
  if (infer->outputs[0]) rg_fact_set(infer->outputs[0], x->type, x->rank, x->dims);
  int64_t dims[RANGO_MAX_RANK];
  for (int i = 0; i < x->rank; i++) dims[i] = i < axis ? x->dims[i] : 1;
  for (int i = 1; i < infer->output_count; i++)
    if (infer->outputs[i])
      rg_fact_set(infer->outputs[i], (rango_type)rg_node_int(infer->node, "stash_type", RANGO_FLOAT32), x->rank, dims);
  return RANGO_OK;
}

/* Input `index` broadcast to x's axes from `axis` on (and, as ONNX allows, before them): element strides in x's shape.
 */
static rango_status norm_operand(rg_exec *exec, int index, const rango_tensor *x, double **out, int64_t *strides) {
  const rango_tensor *tensor = rg_exec_input(exec, index);
  rg_shape both;
  *out = NULL;
  if (!tensor) return RANGO_OK;
  if (!rg_type_is_float(tensor->type) || tensor->shape.rank > x->shape.rank ||
      !rg_broadcast_shape(&tensor->shape, &x->shape, &both) || !rg_shape_equal(&both, &x->shape))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d doesn't broadcast to the input's shape", index);
  rg_broadcast_strides(&tensor->shape, &x->shape, strides);
  return rg_scratch_doubles(exec, tensor, out);
}

/* Offset of flat element `flat` of `shape` under other strides. */
static int64_t strided(const rg_shape *shape, const int64_t *strides, int64_t flat) {
  int64_t offset = 0;
  for (int i = shape->rank - 1; i >= 0; i--) {
    offset += flat % shape->dims[i] * strides[i];
    flat /= shape->dims[i];
  }
  return offset;
}

static rango_status stash_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out) {
  *out = NULL;
  return rg_exec_wants(exec, index) ? rg_exec_output(exec, index, type, shape, out) : RANGO_OK;
}

static rango_status layer_norm(rg_exec *exec, bool centred) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 1, &x));
  int axis;
  if (!rg_axis(rg_node_int(exec->node, "axis", -1), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis is out of range for %d axes", x->shape.rank);
  int64_t scale_strides[RANGO_MAX_RANK] = {0}, bias_strides[RANGO_MAX_RANK] = {0};
  double *scale, *bias, *row = NULL, epsilon = rg_node_float(exec->node, "epsilon", 1e-5f);
  RG_TRY(norm_operand(exec, 1, x, &scale, scale_strides));
  RG_TRY(norm_operand(exec, 2, x, &bias, bias_strides));
  if (!scale) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the scale is missing");
  rango_tensor *y, *means, *inverses;
  rg_shape reduced = x->shape;
  for (int i = axis; i < reduced.rank; i++) reduced.dims[i] = 1;
  rango_type stash =
      x->type == RANGO_FLOAT64 && rg_node_int(exec->node, "stash_type", 1) != 1 ? RANGO_FLOAT64 : RANGO_FLOAT32;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  RG_TRY(stash_output(exec, 1, stash, &reduced, &means));
  RG_TRY(stash_output(exec, 2, stash, &reduced, &inverses));
  int64_t rows = rg_dims_product(&x->shape, 0, axis), count = rg_dims_product(&x->shape, axis, x->shape.rank);
  RG_TRY(rg_scratch_array(exec, count, sizeof *row, RG_OUT(&row)));
  for (int64_t r = 0; r < rows; r++) {
    double mean = 0, inverse, squares = 0;
    rg_load_row(x, r * count, 1, count, row);
    if (centred) {
      mean_and_deviation(row, count, epsilon, &mean, &inverse);
    } else {
      for (int64_t i = 0; i < count; i++) squares += row[i] * row[i];
      inverse = 1 / sqrt(squares / (double)count + epsilon);
    }
    if (means) rg_store_row(means, r, 1, 1, &mean);
    if (inverses) rg_store_row(inverses, r, 1, 1, &inverse);
    for (int64_t i = 0; y && i < count; i++) {
      int64_t flat = r * count + i;
      row[i] = (row[i] - mean) * inverse * scale[strided(&x->shape, scale_strides, flat)];
      if (bias) row[i] += bias[strided(&x->shape, bias_strides, flat)];
    }
    if (y) rg_store_row(y, r * count, 1, count, row);
  }
  return RANGO_OK;
}

static rango_status compute_layer_norm(rg_exec *exec) { return layer_norm(exec, true); }
static rango_status compute_rms_norm(rg_exec *exec) { return layer_norm(exec, false); }

/* ---- InstanceNormalization, GroupNormalization ---- */

/* Normalises groups of `span` channels of x [N, C, ...], then scales by channel (or by group: `by_group`). */
static rango_status group_norm(rg_exec *exec, const rango_tensor *x, int64_t groups, bool by_group) {
  int64_t channels = x->shape.dims[1], plane = rg_dims_product(&x->shape, 2, x->shape.rank);
  int64_t span = channels / groups, count = span * plane;
  double *scale, *bias, *row = NULL, epsilon = rg_node_float(exec->node, "epsilon", 1e-5f);
  RG_TRY(need_vector(exec, 1, by_group ? groups : channels, &scale));
  RG_TRY(need_vector(exec, 2, by_group ? groups : channels, &bias));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, count, sizeof *row, RG_OUT(&row)));
  for (int64_t n = 0; n < x->shape.dims[0]; n++) {
    for (int64_t g = 0; g < groups; g++) {
      int64_t start = (n * channels + g * span) * plane;
      double mean, inverse;
      rg_load_row(x, start, 1, count, row);
      mean_and_deviation(row, count, epsilon, &mean, &inverse);
      for (int64_t i = 0; i < count; i++) {
        int64_t at = by_group ? g : g * span + i / plane;
        row[i] = (row[i] - mean) * inverse * scale[at] + bias[at];
      }
      rg_store_row(y, start, 1, count, row);
    }
  }
  return RANGO_OK;
}

static rango_status compute_instance_norm(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 2, &x));
  return x->shape.dims[1] == 0 ? rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "no channels")
                               : group_norm(exec, x, x->shape.dims[1], false);
}

static rango_status compute_group_norm(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 2, &x));
  int64_t groups = rg_node_int(exec->node, "num_groups", 0);
  if (groups < 1 || x->shape.dims[1] % groups != 0)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%lld channels in %lld groups", (long long)x->shape.dims[1],
                        (long long)groups);
  return group_norm(exec, x, groups, exec->node->version < 21);
}

static rango_status check_group_norm(const rg_node *node) {
  if (rg_node_int(node, "num_groups", 0) < 1)
    return rg_fail(RANGO_ERROR_FORMAT, "%s: num_groups must be positive", rg_node_text(node));
  return RANGO_OK;
}

/* ---- LpNormalization, MeanVarianceNormalization, LRN ---- */

static rango_status check_lp_norm(const rg_node *node) {
  int64_t p = rg_node_int(node, "p", 2);
  if (p != 1 && p != 2)
    return rg_fail(RANGO_ERROR_FORMAT, "%s: p is %lld, must be 1 or 2", rg_node_text(node), (long long)p);
  return RANGO_OK;
}

static rango_status compute_lp_norm(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 1, &x));
  int axis;
  if (!rg_axis(rg_node_int(exec->node, "axis", -1), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis is out of range for %d axes", x->shape.rank);
  int64_t before, after, count = x->shape.dims[axis];
  around(&x->shape, axis, &before, &after);
  bool absolute = rg_node_int(exec->node, "p", 2) == 1;
  rango_tensor *y;
  double *row = NULL;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, count, sizeof *row, RG_OUT(&row)));
  for (int64_t b = 0; b < before; b++) {
    for (int64_t a = 0; a < after; a++) {
      int64_t start = b * count * after + a;
      double norm = 0;
      rg_load_row(x, start, after, count, row);
      for (int64_t i = 0; i < count; i++) norm += absolute ? fabs(row[i]) : row[i] * row[i];
      if (!absolute) norm = sqrt(norm);
      for (int64_t i = 0; i < count; i++) row[i] = norm == 0 ? 0 : row[i] / norm;
      rg_store_row(y, start, after, count, row);
    }
  }
  return RANGO_OK;
}

/* Which axes are averaged: `axes`, by default all but the channels'. */
static rango_status mvn_axes(const rg_exec *exec, const rg_shape *shape, bool *reduced) {
  static const int64_t standard[] = {0, 2, 3};
  size_t count;
  const int64_t *axes = rg_node_ints(exec->node, "axes", &count);
  if (!axes) {
    axes = standard;
    count = 3;
  }
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!rg_axis(axes[i], shape->rank, &axis))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis %lld is out of range for %d axes", (long long)axes[i],
                          shape->rank);
    reduced[axis] = true;
  }
  return RANGO_OK;
}

static rango_status compute_mvn(rg_exec *exec) {
  const rango_tensor *x;
  bool reduced[RANGO_MAX_RANK] = {false};
  RG_TRY(rg_need_float(exec, 0, 1, &x));
  RG_TRY(mvn_axes(exec, &x->shape, reduced));
  /* Strides of the table of means: 0 along the averaged axes. */
  int64_t strides[RANGO_MAX_RANK] = {0}, kept = 1, count = rg_tensor_elements(x);
  for (int i = x->shape.rank - 1; i >= 0; i--) {
    strides[i] = reduced[i] ? 0 : kept;
    if (!reduced[i]) kept *= x->shape.dims[i];
  }
  rango_tensor *y;
  double *values = NULL, *means = NULL, *squares = NULL;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y || count == 0) return RANGO_OK;
  RG_TRY(rg_scratch_doubles(exec, x, &values));
  RG_TRY(rg_scratch_array(exec, kept, sizeof *means, RG_OUT(&means)));
  RG_TRY(rg_scratch_array(exec, kept, sizeof *squares, RG_OUT(&squares)));
  for (int64_t i = 0; i < kept; i++) means[i] = squares[i] = 0;
  const double each = (double)count / (double)kept;
  for (int64_t i = 0; i < count; i++) means[strided(&x->shape, strides, i)] += values[i] / each;
  for (int64_t i = 0; i < count; i++) {
    int64_t at = strided(&x->shape, strides, i);
    values[i] -= means[at];
    squares[at] += values[i] * values[i] / each;
  }
  for (int64_t i = 0; i < count; i++) values[i] /= sqrt(squares[strided(&x->shape, strides, i)]) + 1e-9;
  rg_store_row(y, 0, 1, count, values);
  return RANGO_OK;
}

static rango_status check_lrn(const rg_node *node) {
  if (rg_node_int(node, "size", 0) < 1)
    return rg_fail(RANGO_ERROR_FORMAT, "%s: size must be positive", rg_node_text(node));
  return RANGO_OK;
}

static rango_status compute_lrn(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 2, &x));
  int64_t channels = x->shape.dims[1], plane = rg_dims_product(&x->shape, 2, x->shape.rank);
  int64_t size = rg_node_int(exec->node, "size", 1), below = (size - 1) / 2, above = size - 1 - below;
  double alpha = rg_node_float(exec->node, "alpha", 1e-4f), beta = rg_node_float(exec->node, "beta", 0.75f),
         bias = rg_node_float(exec->node, "bias", 1);
  rango_tensor *y;
  double *column = NULL, *out = NULL;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, channels, sizeof *column, RG_OUT(&column)));
  RG_TRY(rg_scratch_array(exec, channels, sizeof *out, RG_OUT(&out)));
  for (int64_t n = 0; n < x->shape.dims[0]; n++) {
    for (int64_t i = 0; i < plane; i++) {
      int64_t start = n * channels * plane + i;
      rg_load_row(x, start, plane, channels, column);
      for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        int64_t end = above < channels - c ? c + above + 1 : channels;
        for (int64_t k = c > below ? c - below : 0; k < end; k++) sum += column[k] * column[k];
        out[c] = column[c] / pow(bias + alpha / (double)size * sum, beta);
      }
      rg_store_row(y, start, plane, channels, out);
    }
  }
  return RANGO_OK;
}

#define MAX RG_OPSET_MAX
static const rg_op ops[] = {
    {"", "BatchNormalization", 1, MAX, 5, 5, 1, 5, RG_OP_FLOAT_ONLY, check_batch_norm, infer_batch_norm,
     compute_batch_norm, NULL},
    {"", "LayerNormalization", 17, MAX, 2, 3, 1, 3, RG_OP_FLOAT_ONLY, NULL, infer_layer_norm, compute_layer_norm, NULL},
    {"", "RMSNormalization", 23, MAX, 2, 2, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_layer_norm, compute_rms_norm, NULL},
    {"", "InstanceNormalization", 1, MAX, 3, 3, 1, 1, RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first,
     compute_instance_norm, NULL},
    {"", "GroupNormalization", 18, MAX, 3, 3, 1, 1, RG_OP_FLOAT_ONLY, check_group_norm, rg_infer_same_as_first,
     compute_group_norm, NULL},
    {"", "LpNormalization", 1, MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, check_lp_norm, rg_infer_same_as_first,
     compute_lp_norm, NULL},
    {"", "MeanVarianceNormalization", 9, MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first, compute_mvn,
     NULL},
    {"", "LRN", 1, MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, check_lrn, rg_infer_same_as_first, compute_lrn, NULL},
};
RG_OPS_EXPORT(norm, ops);
