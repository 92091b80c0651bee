/* The tensors of rango.h. */
#include <string.h>

#include "tensor/tensor.h"

static rango_status read_shape(const char *caller, rango_type type, int rank, const int64_t *dims, rg_shape *out) {
  RG_FAIL_IF((size_t)type >= RANGO_TYPE_COUNT || type == RANGO_UNDEFINED, RANGO_ERROR_ARGUMENT,
             "%s: %d is no element type", caller, (int)type);
  RG_FAIL_IF(rank < 0 || rank > RANGO_MAX_RANK, RANGO_ERROR_ARGUMENT, "%s: rank %d is not within 0 ... %d", caller,
             rank, RANGO_MAX_RANK);
  RG_FAIL_IF(rank && !dims, RANGO_ERROR_ARGUMENT, "%s: dims is NULL", caller);
  *out = (rg_shape){.rank = rank};
  for (int i = 0; i < rank; i++) {
    RG_FAIL_IF(dims[i] < 0, RANGO_ERROR_ARGUMENT, "%s: axis %d has the negative size %lld", caller, i,
               (long long)dims[i]);
    out->dims[i] = dims[i];
  }
  return RANGO_OK;
}

rango_status rango_tensor_create(rango_type type, int rank, const int64_t *dims, rango_tensor **out) {
  RG_FAIL_IF(!out, RANGO_ERROR_ARGUMENT, "rango_tensor_create: out is NULL");
  *out = NULL;
  rg_shape shape;
  RG_TRY(read_shape("rango_tensor_create", type, rank, dims, &shape));
  RG_FAIL_IF(type == RANGO_STRING, RANGO_ERROR_ARGUMENT, "rango_tensor_create: for strings use rango_tensor_wrap");
  rango_tensor *tensor;
  RG_TRY(rg_calloc(1, sizeof *tensor, RG_OUT(&tensor)));
  rango_status status = rg_tensor_init(tensor, type, &shape);
  if (status != RANGO_OK) {
    rg_free(tensor);
    return status;
  }
  memset(tensor->data, 0, tensor->bytes);
  *out = tensor;
  return RANGO_OK;
}

/* The lengths of the caller's strings are kept beside them. */
static rango_status measure_strings(rango_tensor *tensor, int64_t count) {
  RG_TRY(rg_buffer_create((size_t)count * sizeof *tensor->lengths, &tensor->buffer));
  tensor->lengths = rg_buffer_data(tensor->buffer);
  const char *const *texts = tensor->data;
  for (int64_t i = 0; i < count; i++) {
    size_t length = texts[i] ? strlen(texts[i]) : UINT32_MAX;
    RG_FAIL_IF(length >= UINT32_MAX, RANGO_ERROR_ARGUMENT, "rango_tensor_wrap: string %lld is NULL or too long",
               (long long)i);
    tensor->lengths[i] = (uint32_t)length;
  }
  return RANGO_OK;
}

rango_status rango_tensor_wrap(rango_type type, int rank, const int64_t *dims, void *data, size_t bytes,
                               rango_tensor **out) {
  RG_FAIL_IF(!out, RANGO_ERROR_ARGUMENT, "rango_tensor_wrap: out is NULL");
  *out = NULL;
  rg_shape shape;
  int64_t count;
  size_t needed;
  RG_TRY(read_shape("rango_tensor_wrap", type, rank, dims, &shape));
  RG_TRY(rg_shape_count(&shape, &count));
  RG_TRY(rg_type_bytes(type, count, &needed));
  RG_FAIL_IF(bytes < needed, RANGO_ERROR_ARGUMENT, "rango_tensor_wrap: %zu bytes given, the shape needs %zu", bytes,
             needed);
  RG_FAIL_IF(!data && needed, RANGO_ERROR_ARGUMENT, "rango_tensor_wrap: data is NULL");
  size_t unit = type == RANGO_STRING ? sizeof(char *) : rango_type_bits(type) / 8;
  if (type == RANGO_COMPLEX64 || type == RANGO_COMPLEX128) unit /= 2;
  RG_FAIL_IF(unit > 1 && (uintptr_t)data % unit, RANGO_ERROR_ARGUMENT,
             "rango_tensor_wrap: data is not aligned to its %zu-byte elements", unit);
  rango_tensor *tensor;
  RG_TRY(rg_calloc(1, sizeof *tensor, RG_OUT(&tensor)));
  rg_tensor_init_borrowed(tensor, type, &shape, data, needed);
  rango_status status = type == RANGO_STRING ? measure_strings(tensor, count) : RANGO_OK;
  if (status != RANGO_OK) {
    rango_tensor_free(tensor);
    return status;
  }
  *out = tensor;
  return RANGO_OK;
}

void rango_tensor_free(rango_tensor *tensor) {
  rg_tensor_clear(tensor);
  rg_free(tensor);
}

rango_type rango_tensor_type(const rango_tensor *tensor) { return tensor->type; }
int rango_tensor_rank(const rango_tensor *tensor) { return tensor->shape.rank; }
const int64_t *rango_tensor_dims(const rango_tensor *tensor) { return tensor->shape.dims; }
size_t rango_tensor_bytes(const rango_tensor *tensor) { return tensor->bytes; }
const void *rango_tensor_data(const rango_tensor *tensor) { return tensor->data; }
void *rango_tensor_data_mut(rango_tensor *tensor) { return tensor->data; }

int64_t rango_tensor_count(const rango_tensor *tensor) {
  int64_t count = 0;
  return rg_shape_count(&tensor->shape, &count) == RANGO_OK ? count : 0; /* it was checked when the tensor was made */
}
