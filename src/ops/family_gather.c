/* Reading by indices: Gather, GatherElements, GatherND. Negative indices count from the end; others out of range fail.
 */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>

static rango_status need_data_and_indices(rg_exec *exec, const rango_tensor **x, const rango_tensor **shape_of,
                                          const int64_t **indices, int64_t *count) {
  *x = rg_exec_input(exec, 0);
  *shape_of = rg_exec_input(exec, 1);
  if (!*x || !*shape_of) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "an input is missing or no tensor");
  return rg_exec_integers(exec, 1, indices, count);
}

static rango_status wrap_index(const rg_exec *exec, int64_t index, int64_t size, int64_t *out) {
  *out = index < 0 ? index + size : index;
  if (*out >= 0 && *out < size) return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "index %lld is out of range for a size of %lld", (long long)index,
                      (long long)size);
}

/* ---- Gather ---- */

static rango_status gather_known(rg_infer *infer) {
  int64_t count, index_count, values[RG_KNOWN_MAX];
  const int64_t *known = rg_infer_known(infer, 0, &count), *indices = rg_infer_known(infer, 1, &index_count);
  if (!known || !indices) return RANGO_OK;
  for (int64_t i = 0; i < index_count; i++) {
    if (!rg_size_is_known(indices[i])) return RANGO_OK;
    int64_t at = indices[i] < 0 ? indices[i] + count : indices[i];
    if (at < 0 || at >= count)
      return rg_infer_fail(infer, "index %lld is out of range for a size of %lld", (long long)indices[i],
                           (long long)count);
    values[i] = known[at];
  }
  return rg_infer_set_known(infer, 0, values, index_count);
}

static rango_status infer_gather(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *indices = infer->inputs[1];
  int64_t dims[2 * RANGO_MAX_RANK];
  int axis, rank = 0;
  rg_fact_set(infer->outputs[0], x->type, -1, NULL);
  if (x->rank < 0 || indices->rank < 0) return RANGO_OK;
  if (!rg_axis(rg_node_int(infer->node, "axis", 0), x->rank, &axis))
    return rg_infer_fail(infer, "attribute axis is out of range for %d axes", x->rank);
  if (x->rank + indices->rank - 1 > RANGO_MAX_RANK) return rg_infer_fail(infer, "the output has too many axes");
  for (int i = 0; i < axis; i++) dims[rank++] = x->dims[i];
  for (int i = 0; i < indices->rank; i++) dims[rank++] = indices->dims[i];
  for (int i = axis + 1; i < x->rank; i++) dims[rank++] = x->dims[i];
  rg_fact_set(infer->outputs[0], x->type, rank, dims);
  return x->rank == 1 && indices->rank <= 1 ? gather_known(infer) : RANGO_OK;
}

static rango_status gather_shape(const rg_exec *exec, const rg_shape *x, const rg_shape *indices, int axis,
                                 rg_shape *out) {
  out->rank = 0;
  if (x->rank + indices->rank - 1 > RANGO_MAX_RANK)
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the output has too many axes");
  for (int i = 0; i < axis; i++) out->dims[out->rank++] = x->dims[i];
  for (int i = 0; i < indices->rank; i++) out->dims[out->rank++] = indices->dims[i];
  for (int i = axis + 1; i < x->rank; i++) out->dims[out->rank++] = x->dims[i];
  int64_t unused;
  return rg_shape_count(out, &unused);
}

static rango_status compute_gather(rg_exec *exec) {
  const rango_tensor *x, *index_tensor;
  rango_tensor *y;
  const int64_t *indices;
  int64_t count, at;
  int axis;
  rg_shape shape;
  RG_TRY(need_data_and_indices(exec, &x, &index_tensor, &indices, &count));
  if (!rg_axis(rg_node_int(exec->node, "axis", 0), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", x->shape.rank);
  RG_TRY(gather_shape(exec, &x->shape, &index_tensor->shape, axis, &shape));
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y) return RANGO_OK;
  int64_t size = x->shape.dims[axis], outer = rg_dims_product(&x->shape, 0, axis);
  size_t bytes = (size_t)rg_dims_product(&x->shape, axis + 1, x->shape.rank) * rg_element_bytes(x->type);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < count; i++) {
      RG_TRY(wrap_index(exec, indices[i], size, &at));
      if (bytes > 0)
        memcpy((char *)y->data + (size_t)(o * count + i) * bytes,
               (const char *)x->data + (size_t)(o * size + at) * bytes, bytes);
    }
  return RANGO_OK;
}

/* ---- GatherElements: y[i][j] = x[indices[i][j]][j] (axis 0) ---- */

static rango_status infer_gather_elements(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *indices = infer->inputs[1];
  int axis;
  if (x->rank >= 0 && !rg_axis(rg_node_int(infer->node, "axis", 0), x->rank, &axis))
    return rg_infer_fail(infer, "attribute axis is out of range for %d axes", x->rank);
  rg_fact_set(infer->outputs[0], x->type, indices->rank, indices->dims);
  return RANGO_OK;
}

static rango_status compute_gather_elements(rg_exec *exec) {
  const rango_tensor *x, *index_tensor;
  rango_tensor *y;
  const int64_t *indices;
  int64_t count, at, own[RANGO_MAX_RANK], index[RANGO_MAX_RANK] = {0};
  int axis;
  RG_TRY(need_data_and_indices(exec, &x, &index_tensor, &indices, &count));
  const rg_shape *shape = &index_tensor->shape;
  bool fits = shape->rank == x->shape.rank && rg_axis(rg_node_int(exec->node, "axis", 0), x->shape.rank, &axis);
  for (int i = 0; fits && i < shape->rank; i++) fits = i == axis || shape->dims[i] <= x->shape.dims[i];
  if (!fits)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the indices' shape doesn't fit the input's, or axis does");
  RG_TRY(rg_exec_output(exec, 0, x->type, shape, &y));
  if (!y) return RANGO_OK;
  size_t size = rg_element_bytes(x->type);
  rg_row_major_strides(&x->shape, own);
  for (int64_t k = 0; k < count; k++) {
    RG_TRY(wrap_index(exec, indices[k], x->shape.dims[axis], &at));
    int64_t offset = at * own[axis];
    for (int i = 0; i < shape->rank; i++) offset += i == axis ? 0 : index[i] * own[i];
    memcpy((char *)y->data + (size_t)k * size, (const char *)x->data + (size_t)offset * size, size);
    for (int i = shape->rank - 1; i >= 0 && ++index[i] == shape->dims[i]; i--) index[i] = 0;
  }
  return RANGO_OK;
}

/* ---- GatherND: the last axis of the indices lists positions in x, behind batch_dims shared axes ---- */

static bool nd_shape(const int64_t *x, int x_rank, const int64_t *indices, int index_rank, int64_t batch, int64_t *dims,
                     int *rank) {
  if (batch < 0 || batch >= index_rank || batch >= x_rank) return false;
  int64_t depth = indices[index_rank - 1];
  if (depth < 1 || depth > x_rank - batch || index_rank - 1 + x_rank - batch - depth > RANGO_MAX_RANK) return false;
  *rank = 0;
  for (int i = 0; i < index_rank - 1; i++) dims[(*rank)++] = indices[i];
  for (int i = (int)(batch + depth); i < x_rank; i++) dims[(*rank)++] = x[i];
  return true;
}

static rango_status infer_gather_nd(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *indices = infer->inputs[1];
  int64_t dims[2 * RANGO_MAX_RANK];
  int rank;
  rg_fact_set(infer->outputs[0], x->type, -1, NULL);
  if (x->rank < 0 || indices->rank < 1 || !rg_size_is_known(indices->dims[indices->rank - 1])) return RANGO_OK;
  if (!nd_shape(x->dims, x->rank, indices->dims, indices->rank, rg_node_int(infer->node, "batch_dims", 0), dims, &rank))
    return rg_infer_fail(infer, "the indices' shape or batch_dims doesn't fit the input's %d axes", x->rank);
  rg_fact_set(infer->outputs[0], x->type, rank, dims);
  return RANGO_OK;
}

static rango_status compute_gather_nd(rg_exec *exec) {
  const rango_tensor *x, *index_tensor;
  rango_tensor *y;
  const int64_t *indices;
  int64_t count, at, dims[2 * RANGO_MAX_RANK], unused;
  int64_t batch = rg_node_int(exec->node, "batch_dims", 0);
  rg_shape shape = {0};
  RG_TRY(need_data_and_indices(exec, &x, &index_tensor, &indices, &count));
  const rg_shape *from = &index_tensor->shape;
  bool fits = nd_shape(x->shape.dims, x->shape.rank, from->dims, from->rank, batch, dims, &shape.rank);
  for (int i = 0; fits && i < batch; i++) fits = from->dims[i] == x->shape.dims[i];
  if (!fits)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the indices' shape or batch_dims doesn't fit the input's %d axes",
                        x->shape.rank);
  memcpy(shape.dims, dims, (size_t)shape.rank * sizeof *dims);
  RG_TRY(rg_shape_count(&shape, &unused));
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y || count == 0) return RANGO_OK;
  int depth = (int)from->dims[from->rank - 1], first = (int)batch;
  int64_t batches = rg_dims_product(&x->shape, 0, first), strides[RANGO_MAX_RANK];
  int64_t tuples = batches > 0 ? count / depth / batches : 0, block = rg_dims_product(&x->shape, first, x->shape.rank);
  size_t size = rg_element_bytes(x->type);
  size_t bytes = (size_t)rg_dims_product(&x->shape, first + depth, x->shape.rank) * size;
  rg_row_major_strides(&x->shape, strides);
  for (int64_t k = 0; k < batches * tuples; k++) {
    int64_t offset = k / tuples * block;
    for (int i = 0; i < depth; i++) {
      RG_TRY(wrap_index(exec, indices[k * depth + i], x->shape.dims[first + i], &at));
      offset += at * strides[first + i];
    }
    if (bytes > 0) memcpy((char *)y->data + (size_t)k * bytes, (const char *)x->data + (size_t)offset * size, bytes);
  }
  return RANGO_OK;
}

#define ENTRY(name, since, function)                                                                                   \
  { "", name, since, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_MOVE, NULL, infer_##function, compute_##function, NULL }

static const rg_op ops[] = {
    ENTRY("Gather", 1, gather),
    ENTRY("GatherElements", 11, gather_elements),
    ENTRY("GatherND", 11, gather_nd),
};

RG_OPS_EXPORT(gather, ops);
