/* Writing by indices: ScatterElements (before opset 11 named Scatter) and ScatterND. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>

typedef enum reduction { SCATTER_SET, SCATTER_ADD, SCATTER_MUL, SCATTER_MAX, SCATTER_MIN, SCATTER_UNKNOWN } reduction;

static reduction read_reduction(const rg_node *node) {
  static const char *const names[] = {"none", "add", "mul", "max", "min"};
  const char *name = rg_node_string(node, "reduction", "none");
  for (int i = 0; i < SCATTER_UNKNOWN; i++)
    if (strcmp(name, names[i]) == 0) return (reduction)i;
  return SCATTER_UNKNOWN;
}

static rango_status check_reduction(const rg_node *node) {
  if (read_reduction(node) != SCATTER_UNKNOWN) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_UNSUPPORTED, "%s: attribute reduction is '%s'", rg_node_text(node),
          rg_node_string(node, "reduction", "none"));
}

/* ---- y[at ...] = reduction of itself and x[from ...] ---- */

static double reduce_floats(reduction how, double a, double b) {
  switch (how) {
  case SCATTER_ADD:
    return a + b;
  case SCATTER_MUL:
    return a * b;
  case SCATTER_MAX:
    return a > b || a != a ? a : b;
  case SCATTER_MIN:
    return a < b || a != a ? a : b;
  default:
    return b;
  }
}

static int64_t reduce_integers(reduction how, bool is_u64, int64_t a, int64_t b) {
  bool less = is_u64 ? (uint64_t)a < (uint64_t)b : a < b;
  switch (how) {
  case SCATTER_ADD:
    return (int64_t)((uint64_t)a + (uint64_t)b);
  case SCATTER_MUL:
    return (int64_t)((uint64_t)a * (uint64_t)b);
  case SCATTER_MAX:
    return less ? b : a;
  case SCATTER_MIN:
    return less ? a : b;
  default:
    return b;
  }
}

static void combine(reduction how, rango_tensor *y, int64_t at, const rango_tensor *x, int64_t from, int64_t count) {
  size_t size = rg_element_bytes(y->type);
  if (how == SCATTER_SET) {
    memcpy((char *)y->data + (size_t)at * size, (const char *)x->data + (size_t)from * size, (size_t)count * size);
  } else if (rg_type_is_float(y->type)) {
    double a, b;
    for (int64_t i = 0; i < count; i++) {
      rg_load_row(y, at + i, 1, 1, &a);
      rg_load_row(x, from + i, 1, 1, &b);
      a = reduce_floats(how, a, b);
      rg_store_row(y, at + i, 1, 1, &a);
    }
  } else {
    int64_t a, b;
    for (int64_t i = 0; i < count; i++) {
      rg_load_integers(y->type, y->data, at + i, 1, 1, &a);
      rg_load_integers(x->type, x->data, from + i, 1, 1, &b);
      a = reduce_integers(how, y->type == RANGO_UINT64, a, b);
      rg_store_integers(y->type, y->data, at + i, 1, 1, &a);
    }
  }
}

/* ---- what both share: inputs, and the output as a copy of the data ---- */

typedef struct scatter {
  const rango_tensor *x, *index_tensor, *updates;
  const int64_t *indices;
  int64_t count;
  reduction how;
  rango_tensor *y; /* NULL: nobody wants it */
} scatter;

static rango_status start(rg_exec *exec, scatter *self) {
  self->x = rg_exec_input(exec, 0);
  self->index_tensor = rg_exec_input(exec, 1);
  self->updates = rg_exec_input(exec, 2);
  self->how = read_reduction(exec->node);
  if (!self->x || !self->index_tensor || !self->updates)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "an input is missing or no tensor");
  if (self->x->type != self->updates->type)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "data of type %s, updates of type %s",
                        rango_type_name(self->x->type), rango_type_name(self->updates->type));
  bool is_number = rg_type_is_float(self->x->type) || rg_type_is_integer(self->x->type) || self->x->type == RANGO_BOOL;
  if (self->how != SCATTER_SET && !is_number)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "a reduction of type %s", rango_type_name(self->x->type));
  return rg_exec_integers(exec, 1, &self->indices, &self->count);
}

static rango_status copy_data(rg_exec *exec, scatter *self) {
  RG_TRY(rg_exec_output(exec, 0, self->x->type, &self->x->shape, &self->y));
  if (self->y && self->y->data != self->x->data && self->x->bytes > 0)
    memcpy(self->y->data, self->x->data, self->x->bytes);
  return RANGO_OK;
}

static rango_status wrap_index(const rg_exec *exec, int64_t index, int64_t size, int64_t *out) {
  *out = index < 0 ? index + size : index;
  if (*out >= 0 && *out < size) return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "index %lld is out of range for a size of %lld", (long long)index,
                      (long long)size);
}

/* ---- ScatterElements: y[indices[i][j]][j] = updates[i][j] (axis 0) ---- */

static rango_status compute_scatter_elements(rg_exec *exec) {
  scatter self;
  int axis = 0;
  int64_t at, own[RANGO_MAX_RANK], index[RANGO_MAX_RANK] = {0};
  RG_TRY(start(exec, &self));
  const rg_shape *shape = &self.index_tensor->shape, *data = &self.x->shape;
  bool fits = shape->rank == data->rank && rg_shape_equal(shape, &self.updates->shape) &&
              rg_axis(rg_node_int(exec->node, "axis", 0), data->rank, &axis);
  for (int i = 0; fits && i < shape->rank; i++) fits = i == axis || shape->dims[i] <= data->dims[i];
  if (!fits) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "shapes of data, indices and updates don't fit, or axis");
  RG_TRY(copy_data(exec, &self));
  rg_row_major_strides(data, own);
  for (int64_t k = 0; self.y && k < self.count; k++) {
    RG_TRY(wrap_index(exec, self.indices[k], data->dims[axis], &at));
    int64_t offset = at * own[axis];
    for (int i = 0; i < shape->rank; i++) offset += i == axis ? 0 : index[i] * own[i];
    combine(self.how, self.y, offset, self.updates, k, 1);
    for (int i = shape->rank - 1; i >= 0 && ++index[i] == shape->dims[i]; i--) index[i] = 0;
  }
  return RANGO_OK;
}

/* ---- ScatterND: the last axis of the indices lists positions in the data ---- */

static bool nd_fits(const rg_shape *data, const rg_shape *indices, const rg_shape *updates) {
  if (indices->rank < 1) return false;
  int64_t depth = indices->dims[indices->rank - 1];
  int lead = indices->rank - 1;
  if (depth < 1 || depth > data->rank || updates->rank != lead + data->rank - (int)depth) return false;
  for (int i = 0; i < lead; i++)
    if (updates->dims[i] != indices->dims[i]) return false;
  for (int i = lead; i < updates->rank; i++)
    if (updates->dims[i] != data->dims[i - lead + (int)depth]) return false;
  return true;
}

static rango_status compute_scatter_nd(rg_exec *exec) {
  scatter self;
  int64_t at, strides[RANGO_MAX_RANK];
  RG_TRY(start(exec, &self));
  const rg_shape *data = &self.x->shape, *indices = &self.index_tensor->shape;
  if (!nd_fits(data, indices, &self.updates->shape))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "shapes of data, indices and updates don't fit");
  RG_TRY(copy_data(exec, &self));
  int depth = (int)indices->dims[indices->rank - 1];
  int64_t block = rg_dims_product(data, depth, data->rank);
  rg_row_major_strides(data, strides);
  for (int64_t k = 0; self.y && k < self.count / depth; k++) {
    int64_t offset = 0;
    for (int i = 0; i < depth; i++) {
      RG_TRY(wrap_index(exec, self.indices[k * depth + i], data->dims[i], &at));
      offset += at * strides[i];
    }
    if (block > 0) combine(self.how, self.y, offset, self.updates, k * block, block);
  }
  return RANGO_OK;
}

#define ENTRY(name, since, until, check, compute)                                                                      \
  { "", name, since, until, 3, 3, 1, 1, RG_OP_MOVE, check, rg_infer_same_as_first, compute, NULL }

static const rg_op ops[] = {
    ENTRY("Scatter", 9, 10, NULL, compute_scatter_elements),
    ENTRY("ScatterElements", 11, RG_OPSET_MAX, check_reduction, compute_scatter_elements),
    ENTRY("ScatterND", 11, RG_OPSET_MAX, check_reduction, compute_scatter_nd),
};

RG_OPS_EXPORT(scatter, ops);
