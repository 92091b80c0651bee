#include "tensor/tensor.h"

#include <string.h>

#include "base/checked.h"

rango_status rg_tensor_init(rango_tensor *tensor, rango_type type, const rg_shape *shape) {
  memset(tensor, 0, sizeof *tensor);
  int64_t count;
  size_t bytes;
  RG_TRY(rg_shape_count(shape, &count));
  RG_TRY(rg_type_bytes(type, count, &bytes));
  if (type == RANGO_STRING) return rg_tensor_init_strings(tensor, shape, NULL);
  RG_TRY(rg_buffer_create(bytes, &tensor->buffer));
  tensor->type = type;
  tensor->shape = *shape;
  tensor->bytes = bytes;
  tensor->data = rg_buffer_data(tensor->buffer);
  return RANGO_OK;
}

void rg_physical_axes(int rank, rg_layout layout, int *axes) {
  for (int i = 0; i < rank; i++) axes[i] = i;
  if (layout != RG_CHANNELS_LAST || rank < 3) return;
  for (int i = 1; i + 1 < rank; i++) axes[i] = i + 1;
  axes[rank - 1] = 1;
}

void rg_physical_strides(int rank, const int64_t *dims, rg_layout layout, size_t *strides) {
  int axes[RANGO_MAX_RANK] = {0};
  rg_physical_axes(rank, layout, axes);
  size_t stride = 1;
  for (int i = rank - 1; i >= 0; i--) {
    strides[axes[i]] = stride;
    stride *= (size_t)dims[axes[i]];
  }
}

void rg_tensor_init_borrowed(rango_tensor *tensor, rango_type type, const rg_shape *shape, void *data, size_t bytes) {
  *tensor = (rango_tensor){.type = type, .shape = *shape, .data = data, .bytes = bytes};
}

void rg_tensor_init_view(rango_tensor *to, const rango_tensor *from) {
  *to = *from;
  rg_buffer_retain(to->buffer);
}

/* One buffer: pointers, then lengths, then texts. */
rango_status rg_tensor_init_strings(rango_tensor *tensor, const rg_shape *shape, const rg_string *strings) {
  memset(tensor, 0, sizeof *tensor);
  int64_t count;
  size_t pointers, lengths, bytes;
  RG_TRY(rg_shape_count(shape, &count));
  RG_TRY(rg_type_bytes(RANGO_STRING, count, &pointers));
  RG_TRY(rg_type_bytes(RANGO_UINT32, count, &lengths));
  bool fits =
      rg_add_size(pointers, lengths, &bytes) && rg_add_size(bytes, 1, &bytes); /* one "" for all that are empty */
  for (int64_t i = 0; strings && i < count; i++)
    fits = fits && strings[i].length < UINT32_MAX && rg_add_size(bytes, strings[i].length + 1, &bytes);
  RG_FAIL_IF(!fits, RANGO_ERROR_LIMIT, "a tensor of %lld strings is too big", (long long)count);
  RG_TRY(rg_buffer_create(bytes, &tensor->buffer));
  const char **texts = rg_buffer_data(tensor->buffer);
  tensor->type = RANGO_STRING;
  tensor->shape = *shape;
  tensor->bytes = pointers;
  tensor->data = texts;
  tensor->lengths = (uint32_t *)((char *)texts + pointers);
  char *end = (char *)tensor->lengths + lengths, *empty = end++;
  *empty = 0;
  for (int64_t i = 0; i < count; i++) {
    size_t length = strings ? strings[i].length : 0;
    texts[i] = length ? end : empty;
    tensor->lengths[i] = (uint32_t)length;
    if (!length) continue;
    memcpy(end, strings[i].text, length);
    end[length] = 0;
    end += length + 1;
  }
  return RANGO_OK;
}

void rg_tensor_clear(rango_tensor *tensor) {
  if (!tensor) return;
  rg_buffer_release(tensor->buffer);
  memset(tensor, 0, sizeof *tensor);
}

static rango_status copy_strings(rango_tensor *to, const rango_tensor *from) {
  int64_t count;
  rg_string *strings;
  RG_TRY(rg_shape_count(&from->shape, &count));
  RG_TRY(rg_calloc((size_t)count, sizeof *strings, RG_OUT(&strings)));
  const char *const *texts = from->data;
  for (int64_t i = 0; i < count; i++) strings[i] = (rg_string){texts[i], from->lengths[i]};
  rango_status status = rg_tensor_init_strings(to, &from->shape, strings);
  rg_free(strings);
  return status;
}

rango_status rg_tensor_copy(rango_tensor *to, const rango_tensor *from) {
  if (from->type == RANGO_STRING) return copy_strings(to, from);
  rango_tensor copy;
  RG_TRY(rg_tensor_init(&copy, from->type, &from->shape));
  if (copy.bytes) memcpy(copy.data, from->data, copy.bytes);
  copy.layout = from->layout;
  *to = copy;
  return RANGO_OK;
}
