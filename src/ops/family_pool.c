/* Pools over 1 to 3 spatial axes, and the global ones over any number. Planes are taken as double. */
#include "ops/compute.h"

#include <math.h>

#define MAX_SPATIAL 3

typedef enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

/* ---- shapes ---- */

static rango_status infer_pool(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  rango_type types[2] = {x->type, RANGO_INT64};
  int64_t dims[RANGO_MAX_RANK];
  if (x->rank >= 0) {
    if (x->rank < 3 || x->rank > 2 + MAX_SPATIAL)
      return rg_infer_fail(infer, "%d axes: 1 to %d spatial axes are supported", x->rank, MAX_SPATIAL);
    rg_window window;
    RG_TRY(rg_window_read(infer->node, x->rank - 2, NULL, &window));
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 0; i < window.spatial; i++) {
      dims[2 + i] =
          rg_size_is_known(x->dims[2 + i]) ? rg_window_output(&window, i, x->dims[2 + i]) : rg_infer_new_symbol(infer);
      if (rg_size_is_known(dims[2 + i]) && dims[2 + i] < 0)
        return rg_infer_fail(infer, "the window is larger than the padded input on spatial axis %d", i);
    }
  }
  for (int i = 0; i < infer->output_count && i < 2; i++)
    if (infer->outputs[i]) rg_fact_set(infer->outputs[i], types[i], x->rank, dims);
  return RANGO_OK;
}

static rango_status infer_global(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t dims[RANGO_MAX_RANK];
  if (x->rank >= 0 && x->rank < 2) return rg_infer_fail(infer, "%d axes, needs at least 2", x->rank);
  for (int i = 0; i < x->rank; i++) dims[i] = i < 2 ? x->dims[i] : 1;
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

/* ---- windows ---- */

typedef struct pool {
  pool_kind kind;
  bool include_pad;
  bool column_major; /* of indices */
  double p;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], pad_end[3]; /* missing axes have size 1 */
} pool_plan;

/* Kernel positions [*begin, *end) of an axis whose window starts at `start` that lie in [low, high). */
static void taps(int64_t start, int64_t kernel, int64_t dilation, int64_t low, int64_t high, int64_t *begin,
                 int64_t *end) {
  *begin = start >= low ? 0 : (low - start - 1) / dilation + 1;
  *end = start >= high ? 0 : (high - start - 1) / dilation + 1;
  if (*end > kernel) *end = kernel;
  if (*end < *begin) *end = *begin;
}

/* One output: its value, and the flat index in the plane of a maximum. */
static double pool_window(const pool_plan *pool, const double *plane, const int64_t *at, int64_t *index) {
  int64_t begin[3], end[3], start[3], counted = 1;
  for (int i = 0; i < 3; i++) {
    int64_t first, last;
    start[i] = at[i] * pool->stride[i] - pool->pad[i];
    taps(start[i], pool->kernel[i], pool->dilation[i], 0, pool->in[i], &begin[i], &end[i]);
    taps(start[i], pool->kernel[i], pool->dilation[i], -pool->pad[i], pool->in[i] + pool->pad_end[i], &first, &last);
    counted *= pool->include_pad ? last - first : end[i] - begin[i];
  }
  double best = -INFINITY, sum = 0;
  *index = -1;
  for (int64_t d = begin[0]; d < end[0]; d++) {
    for (int64_t h = begin[1]; h < end[1]; h++) {
      for (int64_t w = begin[2]; w < end[2]; w++) {
        int64_t depth = start[0] + d * pool->dilation[0], row = start[1] + h * pool->dilation[1],
                column = start[2] + w * pool->dilation[2];
        double value = plane[(depth * pool->in[1] + row) * pool->in[2] + column];
        if (pool->kind == POOL_AVERAGE) sum += value;
        if (pool->kind == POOL_LP) sum += pool->p == 2 ? value * value : pow(fabs(value), pool->p);
        if (pool->kind == POOL_MAX && (*index < 0 || value > best || (isnan(value) && !isnan(best)))) {
          best = value;
          *index = pool->column_major ? depth + pool->in[0] * (row + pool->in[1] * column)
                                      : (depth * pool->in[1] + row) * pool->in[2] + column;
        }
      }
    }
  }
  if (pool->kind == POOL_MAX) return best;
  if (pool->kind == POOL_AVERAGE) return counted > 0 ? sum / (double)counted : 0;
  return pool->p == 2 ? sqrt(sum) : pow(sum, 1 / pool->p);
}

static void pool_plane(const pool_plan *pool, const double *x, double *y, int64_t *indices, int64_t first_index) {
  int64_t at[3], i = 0, index;
  for (at[0] = 0; at[0] < pool->out[0]; at[0]++)
    for (at[1] = 0; at[1] < pool->out[1]; at[1]++)
      for (at[2] = 0; at[2] < pool->out[2]; at[2]++, i++) {
        y[i] = pool_window(pool, x, at, &index);
        if (indices) indices[i] = first_index + index;
      }
}

/* LpPool's norm: an integer, in opset 1 a float. */
static double norm_order(const rg_node *node) {
  return node->version < 2 ? rg_node_float(node, "p", 2) : (double)rg_node_int(node, "p", 2);
}

static rango_status pool_prepare(const rg_exec *exec, pool_kind kind, const rango_tensor *x, pool_plan *pool,
                                 rg_shape *out) {
  int rank = x->shape.rank;
  rg_window window;
  if (rank > 2 + MAX_SPATIAL)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "%d axes: 1 to %d spatial axes are supported", rank,
                        MAX_SPATIAL);
  RG_TRY(rg_window_read(exec->node, rank - 2, NULL, &window));
  pool->kind = kind;
  pool->include_pad = rg_node_int(exec->node, "count_include_pad", 0) != 0;
  pool->column_major = rg_node_int(exec->node, "storage_order", 0) != 0;
  pool->p = norm_order(exec->node);
  *out = x->shape;
  for (int i = 0; i < MAX_SPATIAL; i++) {
    int axis = i - MAX_SPATIAL + window.spatial;
    pool->in[i] = pool->out[i] = pool->kernel[i] = pool->stride[i] = pool->dilation[i] = 1;
    pool->pad[i] = pool->pad_end[i] = 0;
    if (axis < 0) continue;
    pool->in[i] = x->shape.dims[2 + axis];
    pool->out[i] = out->dims[2 + axis] = rg_window_output(&window, axis, pool->in[i]);
    if (pool->out[i] < 0)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the window is larger than the padded input on spatial axis %d",
                          axis);
    pool->kernel[i] = window.kernel[axis];
    pool->stride[i] = window.stride[axis];
    pool->dilation[i] = window.dilation[axis];
    pool->pad[i] = window.pad_begin[axis];
    pool->pad_end[i] = window.pad_end[axis];
  }
  return RANGO_OK;
}

static rango_status compute_pool(rg_exec *exec, pool_kind kind) {
  const rango_tensor *x;
  pool_plan pool;
  rg_shape out;
  rango_tensor *y, *indices = NULL;
  RG_TRY(kind == POOL_MAX ? rg_need_tensor(exec, 0, 3, &x) : rg_need_float(exec, 0, 3, &x));
  RG_TRY(pool_prepare(exec, kind, x, &pool, &out));
  RG_TRY(rg_exec_output(exec, 0, x->type, &out, &y));
  if (rg_exec_wants(exec, 1)) RG_TRY(rg_exec_output(exec, 1, RANGO_INT64, &out, &indices));
  int64_t planes = x->shape.dims[0] * x->shape.dims[1];
  int64_t in_count = pool.in[0] * pool.in[1] * pool.in[2], out_count = pool.out[0] * pool.out[1] * pool.out[2];
  double *from = NULL, *to = NULL;
  RG_TRY(rg_scratch_array(exec, in_count, sizeof *from, RG_OUT(&from)));
  RG_TRY(rg_scratch_array(exec, out_count, sizeof *to, RG_OUT(&to)));
  for (int64_t i = 0; i < planes; i++) {
    rg_load_row(x, i * in_count, 1, in_count, from);
    pool_plane(&pool, from, to, indices ? (int64_t *)indices->data + i * out_count : NULL, i * in_count);
    if (y) rg_store_row(y, i * out_count, 1, out_count, to);
  }
  return RANGO_OK;
}

static rango_status compute_max_pool(rg_exec *exec) { return compute_pool(exec, POOL_MAX); }
static rango_status compute_average_pool(rg_exec *exec) { return compute_pool(exec, POOL_AVERAGE); }
static rango_status compute_lp_pool(rg_exec *exec) { return compute_pool(exec, POOL_LP); }

/* ---- global ---- */

static rango_status compute_global(rg_exec *exec, pool_kind kind) {
  const rango_tensor *x;
  RG_TRY(rg_need_float(exec, 0, 2, &x));
  rg_shape out = x->shape;
  int64_t planes = out.dims[0] * out.dims[1], count = rg_dims_product(&out, 2, out.rank);
  for (int i = 2; i < out.rank; i++) out.dims[i] = 1;
  rango_tensor *y;
  double *plane = NULL;
  RG_TRY(rg_exec_output(exec, 0, x->type, &out, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, count, sizeof *plane, RG_OUT(&plane)));
  /* One window over everything. */
  pool_plan pool = {.kind = kind,
                    .p = norm_order(exec->node),
                    .in = {1, 1, count},
                    .out = {1, 1, 1},
                    .kernel = {1, 1, count},
                    .stride = {1, 1, 1},
                    .dilation = {1, 1, 1}};
  for (int64_t i = 0; i < planes; i++) {
    double result;
    rg_load_row(x, i * count, 1, count, plane);
    pool_plane(&pool, plane, &result, NULL, 0);
    rg_store_row(y, i, 1, 1, &result);
  }
  return RANGO_OK;
}

static rango_status compute_global_max(rg_exec *exec) { return compute_global(exec, POOL_MAX); }
static rango_status compute_global_average(rg_exec *exec) { return compute_global(exec, POOL_AVERAGE); }
static rango_status compute_global_lp(rg_exec *exec) { return compute_global(exec, POOL_LP); }

/* ---- MaxUnpool ---- */

/* The output's spatial sizes: given as input 2, or what the pool's input had at least. */
static rango_status unpool_shape(rg_exec *exec, const rango_tensor *x, rg_shape *out) {
  const int64_t *given;
  int64_t count;
  RG_TRY(rg_exec_integers(exec, 2, &given, &count));
  *out = x->shape;
  if (given) {
    if (count != out->rank) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "output_shape needs %d sizes", out->rank);
    for (int i = 0; i < out->rank; i++) out->dims[i] = given[i];
    if (out->dims[0] != x->shape.dims[0] || out->dims[1] != x->shape.dims[1])
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "output_shape changes batch or channels");
    return RANGO_OK;
  }
  rg_window window;
  RG_TRY(rg_window_read(exec->node, out->rank - 2, NULL, &window));
  for (int i = 0; i < window.spatial; i++) {
    int64_t size;
    if (!rg_mul_i64(out->dims[2 + i] - 1, window.stride[i], &size) || !rg_add_i64(size, window.kernel[i], &size))
      return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the output is too large");
    out->dims[2 + i] = size - window.pad_begin[i] - window.pad_end[i];
  }
  return RANGO_OK;
}

static rango_status infer_max_unpool(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t dims[RANGO_MAX_RANK];
  for (int i = 0; i < x->rank; i++) dims[i] = i < 2 ? x->dims[i] : rg_infer_new_symbol(infer);
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

static rango_status compute_max_unpool(rg_exec *exec) {
  const rango_tensor *x, *at = rg_exec_input(exec, 1);
  rg_shape out, flat;
  RG_TRY(rg_need_float(exec, 0, 3, &x));
  if (!at || at->type != RANGO_INT64 || !rg_shape_equal(&at->shape, &x->shape))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the indices must be int64 and have the input's shape");
  RG_TRY(unpool_shape(exec, x, &out));
  /* Without output_shape, indices count in the shape computed here; with it, in the smaller one, re-based by axis. */
  flat = out;
  if (rg_exec_input(exec, 2)) {
    rg_window window;
    RG_TRY(rg_window_read(exec->node, out.rank - 2, NULL, &window));
    for (int i = 0; i < window.spatial; i++)
      flat.dims[2 + i] =
          (x->shape.dims[2 + i] - 1) * window.stride[i] + window.kernel[i] - window.pad_begin[i] - window.pad_end[i];
  }
  int64_t count, small;
  RG_TRY(rg_shape_count(&out, &count));
  RG_TRY(rg_shape_count(&flat, &small));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &out, &y));
  if (!y) return RANGO_OK;
  double zero = 0, value;
  for (int64_t i = 0; i < count; i++) rg_store_row(y, i, 1, 1, &zero);
  for (int64_t i = 0, total = rg_tensor_elements(x); i < total; i++) {
    int64_t index = ((const int64_t *)at->data)[i], to = 0, step = 1;
    if (index < 0 || index >= small)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "index %lld is out of range", (long long)index);
    for (int axis = out.rank - 1; axis >= 0; axis--) {
      int64_t part = index % flat.dims[axis];
      if (part >= out.dims[axis]) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "an index lies outside output_shape");
      to += part * step;
      step *= out.dims[axis];
      index /= flat.dims[axis];
    }
    rg_load_row(x, i, 1, 1, &value);
    rg_store_row(y, to, 1, 1, &value);
  }
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "MaxPool", 1, RG_OPSET_MAX, 1, 1, 1, 2, RG_OP_FLOAT_ONLY, NULL, infer_pool, compute_max_pool, NULL},
    {"", "AveragePool", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_pool, compute_average_pool, NULL},
    {"", "LpPool", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_pool, compute_lp_pool, NULL},
    {"", "GlobalAveragePool", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_global, compute_global_average,
     NULL},
    {"", "GlobalMaxPool", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_global, compute_global_max, NULL},
    {"", "GlobalLpPool", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_global, compute_global_lp, NULL},
    {"", "MaxUnpool", 9, RG_OPSET_MAX, 2, 3, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_max_unpool, compute_max_unpool, NULL},
};
RG_OPS_EXPORT(pool, ops);
