/* Checked access to inputs in compute. */
#include "ops/compute.h"

rango_status rg_need_tensor(const rg_exec *exec, int index, int min_rank, const rango_tensor **out) {
  const rango_tensor *tensor = rg_exec_input(exec, index);
  if (!tensor) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is missing or no tensor", index);
  if (tensor->type == RANGO_STRING || tensor->type == RANGO_UNDEFINED || tensor->type == RANGO_COMPLEX64 ||
      tensor->type == RANGO_COMPLEX128)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input %d is of type %s", index, rango_type_name(tensor->type));
  if (tensor->shape.rank < min_rank)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d has %d axes, needs at least %d", index,
                        tensor->shape.rank, min_rank);
  *out = tensor;
  return RANGO_OK;
}

rango_status rg_need_float(const rg_exec *exec, int index, int min_rank, const rango_tensor **out) {
  RG_TRY(rg_need_tensor(exec, index, min_rank, out));
  if ((*out)->type != RANGO_FLOAT32 && (*out)->type != RANGO_FLOAT64)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input %d is of type %s, needs a floating-point type", index,
                        rango_type_name((*out)->type));
  return RANGO_OK;
}

rango_status rg_optional_like(const rg_exec *exec, int index, const rango_tensor *like, const rango_tensor **out) {
  *out = rg_exec_input(exec, index);
  if (*out && (*out)->type != like->type)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is of type %s beside %s", index,
                        rango_type_name((*out)->type), rango_type_name(like->type));
  return RANGO_OK;
}

rango_status rg_optional_vector(const rg_exec *exec, int index, const rango_tensor *like, int64_t size,
                                const rango_tensor **out) {
  RG_TRY(rg_optional_like(exec, index, like, out));
  if (*out && ((*out)->shape.rank != 1 || (*out)->shape.dims[0] != size)) {
    char text[RG_SHAPE_TEXT];
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d has shape %s, needs [%lld]", index,
                        rg_shape_text(&(*out)->shape, text, sizeof text), (long long)size);
  }
  return RANGO_OK;
}

rango_status rg_exec_integers(rg_exec *exec, int index, const int64_t **out, int64_t *count) {
  *out = NULL;
  *count = 0;
  const rango_tensor *tensor = rg_exec_input(exec, index);
  if (!tensor) return RANGO_OK;
  if (!rg_type_is_integer(tensor->type))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is of type %s, needs integers", index,
                        rango_type_name(tensor->type));
  int64_t total = rg_tensor_elements(tensor), *values = NULL;
  RG_TRY(rg_scratch_array(exec, total, sizeof *values, RG_OUT(&values)));
  for (int64_t i = 0; i < total; i++) values[i] = rg_tensor_get_i64(tensor, i);
  *out = values;
  *count = total;
  return RANGO_OK;
}

rango_status rg_scratch_array(rg_exec *exec, int64_t count, size_t size, void **out) {
  size_t bytes;
  if (count < 0 || !rg_mul_size((size_t)count, size, &bytes))
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "needs scratch memory for %lld elements", (long long)count);
  return rg_exec_scratch(exec, bytes, out);
}

rango_status rg_scratch_doubles(rg_exec *exec, const rango_tensor *tensor, double **out) {
  int64_t count = rg_tensor_elements(tensor);
  RG_TRY(rg_scratch_array(exec, count, sizeof **out, RG_OUT(out)));
  rg_load_row(tensor, 0, 1, count, *out);
  return RANGO_OK;
}
