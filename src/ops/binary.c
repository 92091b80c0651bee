#include "ops/binary.h"

#include <string.h>

rango_status rg_binary_second_dims(const rg_node *node, int rank_a, int rank_b, const int64_t *b, int *rank,
                                   int64_t *out) {
  *rank = rank_b;
  memmove(out, b, (size_t)rank_b * sizeof *out);
  if (node->version >= 7 || rank_b > rank_a) return RANGO_OK;
  bool is_slope = rg_node_is(node, "PRelu") && rank_a > 1 && rank_b == 1 && b[0] != 1; /* one a channel */
  int axis = 0;
  if (!rg_node_attr(node, "axis") && !is_slope) return RANGO_OK;
  if (!rg_axis(rg_node_int(node, "axis", 1), rank_a, &axis) || axis + rank_b > rank_a)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute axis doesn't fit inputs of %d and %d axes", rg_node_text(node), rank_a,
            rank_b);
  *rank = rank_a - axis;
  for (int i = rank_b; i < *rank; i++) out[i] = 1;
  return RANGO_OK;
}

/* ---- compute ---- */

static bool is_wide_integer(rango_type type) { return rg_type_is_integer(type) && rango_type_bits(type) >= 8; }

static rg_binary_row row_of(const rg_binary *op, rango_type type) {
  if (type == RANGO_FLOAT32) return op->f32;
  if (type == RANGO_FLOAT64) return op->f64;
  if (type == RANGO_UINT64) return op->u64;
  return is_wide_integer(type) || (type == RANGO_BOOL && op->takes_bool) ? op->i64 : NULL;
}

static void run_integers(const rg_walk *walk, const rango_tensor *a, const rango_tensor *b, rg_binary_row row,
                         rango_tensor *y) {
  int64_t row_a[RG_ROW_MAX], row_b[RG_ROW_MAX];
  for (int64_t start = 0; start < walk->count; start += RG_ROW_MAX) {
    int64_t part = walk->count - start < RG_ROW_MAX ? walk->count - start : RG_ROW_MAX, at = walk->offset[2] + start;
    rg_load_integers(a->type, a->data, walk->offset[0] + start * walk->step[0], walk->step[0], part, row_a);
    rg_load_integers(b->type, b->data, walk->offset[1] + start * walk->step[1], walk->step[1], part, row_b);
    if (y->type == RANGO_BOOL) {
      row(row_a, 1, row_b, 1, (uint8_t *)y->data + at, part);
    } else {
      row(row_a, 1, row_b, 1, row_a, part);
      rg_store_integers(y->type, y->data, at, 1, part, row_a);
    }
  }
}

/* y = row(a, b); y itself may be a. */
static void run_pair(const rango_tensor *a, const rango_tensor *b, const rg_shape *b_shape, rg_binary_row row,
                     rango_tensor *y) {
  int64_t strides_a[RANGO_MAX_RANK], strides_b[RANGO_MAX_RANK], strides_y[RANGO_MAX_RANK];
  rg_broadcast_strides(&a->shape, &y->shape, strides_a);
  rg_broadcast_strides(b_shape, &y->shape, strides_b);
  rg_row_major_strides(&y->shape, strides_y);
  rg_walk walk;
  rg_walk_start(&walk, &y->shape, 3, (const int64_t *const[]){strides_a, strides_b, strides_y});
  size_t size = rango_type_bits(a->type) / 8, y_size = rango_type_bits(y->type) / 8;
  while (rg_walk_next(&walk)) {
    if (is_wide_integer(a->type) || a->type == RANGO_BOOL)
      run_integers(&walk, a, b, row, y);
    else
      row((const char *)a->data + (size_t)walk.offset[0] * size, walk.step[0],
          (const char *)b->data + (size_t)walk.offset[1] * size, walk.step[1],
          (char *)y->data + (size_t)walk.offset[2] * y_size, walk.count);
  }
}

static rango_status second_shape(const rg_exec *exec, const rg_shape *a, const rg_shape *b, rg_shape *out) {
  return rg_binary_second_dims(exec->node, a->rank, b->rank, b->dims, &out->rank, out->dims);
}

static rango_status output_shape(const rg_exec *exec, const rango_tensor *a, rg_shape *shape) {
  *shape = a->shape;
  for (int i = 1; i < exec->input_count; i++) {
    const rango_tensor *b;
    rg_shape b_shape, sum;
    RG_TRY(rg_need_tensor(exec, i, 0, &b));
    if (b->type != a->type)
      return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "inputs of types %s and %s", rango_type_name(a->type),
                          rango_type_name(b->type));
    RG_TRY(second_shape(exec, shape, &b->shape, &b_shape));
    if (!rg_broadcast_shape(shape, &b_shape, &sum)) {
      char text_a[RG_SHAPE_TEXT], text_b[RG_SHAPE_TEXT];
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "shapes %s and %s can't be broadcast together",
                          rg_shape_text(shape, text_a, sizeof text_a), rg_shape_text(&b->shape, text_b, sizeof text_b));
    }
    *shape = sum;
  }
  return RANGO_OK;
}

rango_status rg_binary_compute(rg_exec *exec, const rg_binary *op, rango_tensor **out) {
  const rango_tensor *a;
  rango_tensor *y;
  rg_shape shape, b_shape;
  RG_TRY(rg_need_tensor(exec, 0, 0, &a));
  rg_binary_row row = row_of(op, a->type);
  if (!row) return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "inputs of type %s", rango_type_name(a->type));
  RG_TRY(output_shape(exec, a, &shape));
  RG_TRY(rg_exec_output(exec, 0, op->is_predicate ? RANGO_BOOL : a->type, &shape, &y));
  if (out) *out = y;
  if (!y) return RANGO_OK;
  if (exec->input_count == 1) memcpy(y->data, a->data, a->bytes);
  for (int i = 1; i < exec->input_count; i++) {
    const rango_tensor *b = rg_exec_input(exec, i);
    RG_TRY(second_shape(exec, i == 1 ? &a->shape : &y->shape, &b->shape, &b_shape));
    run_pair(i == 1 ? a : y, b, &b_shape, row, y);
  }
  return RANGO_OK;
}

/* ---- infer ---- */

/* Values of two small inputs whose elements pair up one to one, or one to all. */
static rango_status follow_known(rg_infer *infer, rango_type type, int64_t (*known)(int64_t a, int64_t b)) {
  int64_t count, count_b, values[RG_KNOWN_MAX];
  const rg_fact *y = infer->outputs[0];
  rango_type input_type = infer->inputs[0]->type;
  if (!y || (type != RANGO_INT64 && type != RANGO_INT32 && type != RANGO_BOOL)) return RANGO_OK;
  if (input_type != RANGO_INT64 && input_type != RANGO_INT32 && input_type != RANGO_BOOL) return RANGO_OK;
  const int64_t *first = rg_infer_known(infer, 0, &count);
  if (!first || y->rank > 1) return RANGO_OK;
  memcpy(values, first, (size_t)count * sizeof *values);
  for (int i = 1; i < infer->input_count; i++) {
    const int64_t *b = rg_infer_known(infer, i, &count_b);
    if (!b || (count != count_b && count != 1 && count_b != 1)) return RANGO_OK;
    int64_t most = count == 1 ? count_b : count, a = values[0];
    for (int64_t k = 0; k < most; k++) {
      int64_t value = known(count == 1 ? a : values[k], b[count_b == 1 ? 0 : k]);
      bool fits = type == RANGO_INT64 || value == (int32_t)value || !rg_size_is_known(value);
      values[k] = fits ? value : RG_SIZE_UNKNOWN;
    }
    count = most;
  }
  return rg_infer_set_known(infer, 0, values, count);
}

rango_status rg_binary_infer(rg_infer *infer, rango_type type, int64_t (*known)(int64_t a, int64_t b)) {
  int rank = infer->inputs[0]->rank;
  int64_t dims[RANGO_MAX_RANK];
  if (type == RANGO_UNDEFINED) type = infer->inputs[0]->type;
  if (rank >= 0) memcpy(dims, infer->inputs[0]->dims, (size_t)rank * sizeof *dims);
  for (int i = 1; i < infer->input_count; i++) {
    const rg_fact *b = infer->inputs[i];
    if (!b) return rg_infer_fail(infer, "input %d is left out", i);
    if (b->rank < 0) rank = -1;
    if (rank < 0) continue;
    int rank_b;
    int64_t dims_b[RANGO_MAX_RANK];
    RG_TRY(rg_binary_second_dims(infer->node, rank, b->rank, b->dims, &rank_b, dims_b));
    if (!rg_broadcast_dims(rank, dims, rank_b, dims_b, &rank, dims))
      return rg_infer_fail(infer, "the inputs' shapes can't be broadcast together (input %d)", i);
  }
  rg_fact_set(infer->outputs[0], type, rank, dims);
  return known ? follow_known(infer, type, known) : RANGO_OK;
}
