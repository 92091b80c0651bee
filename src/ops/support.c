/* Axes, broadcasting, sizes, and the shape rules that many operators share. */
#include "ops/support.h"

#include <string.h>

bool rg_axis(int64_t axis, int rank, int *out) {
  if (axis < -rank || axis >= rank) return false;
  *out = (int)(axis < 0 ? axis + rank : axis);
  return true;
}

/* ---- broadcasting ---- */

bool rg_broadcast_size(int64_t a, int64_t b, int64_t *out) {
  bool a_known = rg_size_is_known(a), b_known = rg_size_is_known(b);
  bool same = a == b && (a_known || rg_size_is_symbol(a));
  if (same || (b_known && b == 1))
    *out = a;
  else if (a_known && a == 1)
    *out = b;
  else if (a_known && b_known)
    return false;
  else
    *out = a_known ? a : b_known ? b : RG_SIZE_UNKNOWN;
  return true;
}

bool rg_broadcast_dims(int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank, int64_t *out) {
  int64_t dims[RANGO_MAX_RANK];
  int most = rank_a > rank_b ? rank_a : rank_b;
  for (int i = 1; i <= most; i++) {
    int64_t size_a = i <= rank_a ? a[rank_a - i] : 1, size_b = i <= rank_b ? b[rank_b - i] : 1;
    if (!rg_broadcast_size(size_a, size_b, &dims[most - i])) return false;
  }
  *rank = most;
  memcpy(out, dims, (size_t)most * sizeof *out);
  return true;
}

bool rg_broadcast_shape(const rg_shape *a, const rg_shape *b, rg_shape *out) {
  return rg_broadcast_dims(a->rank, a->dims, b->rank, b->dims, &out->rank, out->dims);
}

void rg_row_major_strides(const rg_shape *shape, int64_t *strides) {
  int64_t stride = 1;
  for (int i = shape->rank - 1; i >= 0; i--) {
    strides[i] = stride;
    stride =
        (int64_t)((uint64_t)stride * (uint64_t)shape->dims[i]); /* wraps only where a size of 0 leaves no elements */
  }
}

void rg_broadcast_strides(const rg_shape *from, const rg_shape *to, int64_t *strides) {
  int64_t own[RANGO_MAX_RANK] = {0};
  rg_row_major_strides(from, own);
  int lead = to->rank - from->rank;
  for (int i = 0; i < to->rank; i++) strides[i] = i < lead || from->dims[i - lead] == 1 ? 0 : own[i - lead];
}

/* ---- sizes ---- */

int64_t rg_size_mul(int64_t a, int64_t b) {
  int64_t product;
  if (a == 0 || b == 0) return 0;
  if (a == 1) return b;
  if (b == 1) return a;
  if (!rg_size_is_known(a) || !rg_size_is_known(b) || __builtin_mul_overflow(a, b, &product)) return RG_SIZE_UNKNOWN;
  return rg_size_is_known(product) ? product : RG_SIZE_UNKNOWN;
}

int64_t rg_size_add(int64_t a, int64_t b) {
  int64_t sum;
  if (a == 0) return b;
  if (b == 0) return a;
  if (!rg_size_is_known(a) || !rg_size_is_known(b) || __builtin_add_overflow(a, b, &sum)) return RG_SIZE_UNKNOWN;
  return rg_size_is_known(sum) ? sum : RG_SIZE_UNKNOWN;
}

/* ---- shape rules ---- */

rango_status rg_infer_same_as_first(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  rg_fact_set(infer->outputs[0], x->type, x->rank, x->dims);
  return RANGO_OK;
}

static rango_status infer_broadcast(rg_infer *infer, rango_type type) {
  int rank = 0;
  int64_t dims[RANGO_MAX_RANK];
  for (int i = 0; i < infer->input_count; i++) {
    const rg_fact *x = infer->inputs[i];
    if (!x) continue;
    if (x->rank < 0) {
      rg_fact_set(infer->outputs[0], type, -1, NULL);
      return RANGO_OK;
    }
    if (!rg_broadcast_dims(rank, dims, x->rank, x->dims, &rank, dims))
      return rg_infer_fail(infer, "the inputs' shapes can't be broadcast together (input %d)", i);
  }
  rg_fact_set(infer->outputs[0], type, rank, dims);
  return RANGO_OK;
}

rango_status rg_infer_broadcast(rg_infer *infer) { return infer_broadcast(infer, infer->inputs[0]->type); }
rango_status rg_infer_broadcast_bool(rg_infer *infer) { return infer_broadcast(infer, RANGO_BOOL); }

/* ---- axes ---- */

rango_status rg_infer_axes(rg_infer *infer, const char *attribute, int input, int64_t *axes, int *count, bool *known) {
  size_t listed = 0;
  const int64_t *values = attribute ? rg_node_ints(infer->node, attribute, &listed) : NULL;
  int64_t elements = (int64_t)listed;
  *known = true;
  *count = -1;
  const rg_fact *fact = input >= 0 && input < infer->input_count ? infer->inputs[input] : NULL;
  if (!values && !fact) return RANGO_OK;
  if (!values && !(values = rg_infer_known(infer, input, &elements))) {
    *known = false;
    if (fact->rank != 1 || !rg_size_is_known(fact->dims[0])) return RANGO_OK;
    elements = fact->dims[0];
  }
  if (elements > RANGO_MAX_RANK) return rg_infer_fail(infer, "%lld axes are too many", (long long)elements);
  *count = (int)elements;
  for (int i = 0; i < *count && *known; i++) {
    axes[i] = values[i];
    *known = rg_size_is_known(axes[i]);
  }
  return RANGO_OK;
}

rango_status rg_exec_axes(const rg_exec *exec, const char *attribute, int input, int64_t *axes, int *count) {
  size_t listed = 0;
  const int64_t *values = attribute ? rg_node_ints(exec->node, attribute, &listed) : NULL;
  const rango_tensor *tensor = input >= 0 ? rg_exec_input(exec, input) : NULL;
  int64_t elements = (int64_t)listed;
  *count = -1;
  if (!values && !tensor) return RANGO_OK;
  if (!values) {
    if (!rg_type_is_integer(tensor->type))
      return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "axes must be integers, not %s", rango_type_name(tensor->type));
    RG_TRY(rg_shape_count(&tensor->shape, &elements));
  }
  if (elements > RANGO_MAX_RANK)
    return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "%lld axes are too many", (long long)elements);
  *count = (int)elements;
  for (int i = 0; i < *count; i++) axes[i] = values ? values[i] : rg_tensor_get_i64(tensor, i);
  return RANGO_OK;
}

bool rg_is_row(const rg_fact *fact, const rg_fact *x, int axis) {
  if (fact->rank < x->rank - axis || fact->rank > x->rank) return false;
  for (int i = 0; i < fact->rank; i++) {
    const int at = x->rank - fact->rank + i;
    if (fact->dims[i] != (at < axis ? 1 : x->dims[at])) return false;
  }
  return true;
}
