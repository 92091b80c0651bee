/* Reading .npy: the header (npy_header.c), then elements in either byte order and either order of axes. */
#include <string.h>

#include "base/file.h"
#include "tensor/npy.h"
#include "tensor/npy_header.h"

/* Bytes that are swapped as one: an element, or half of a complex one. */
static size_t unit_of(const rg_npy_header *h) {
  return h->kind == 'c' ? h->item / 2 : h->kind == 'U' ? 4 : h->kind == 'S' ? 1 : h->item;
}

static void swap_bytes(uint8_t *data, size_t bytes, size_t unit) {
  for (size_t i = 0; i < bytes; i += unit)
    for (size_t b = 0; b < unit / 2; b++) {
      uint8_t first = data[i + b];
      data[i + b] = data[i + unit - 1 - b];
      data[i + unit - 1 - b] = first;
    }
}

/* Fortran order has the first axis contiguous: walks the output in C order with an odometer over the input's strides.
 */
static void copy_transposed(uint8_t *to, const uint8_t *from, const rg_shape *shape, int64_t count, size_t item) {
  size_t stride[RANGO_MAX_RANK], at = 0;
  int64_t index[RANGO_MAX_RANK] = {0};
  for (int axis = 0; axis < shape->rank; axis++)
    stride[axis] = axis ? stride[axis - 1] * (size_t)shape->dims[axis - 1] : item;
  for (int64_t i = 0; i < count; i++, to += item) {
    memcpy(to, from + at, item);
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
      at += stride[axis];
      if (++index[axis] < shape->dims[axis]) break;
      at -= stride[axis] * (size_t)shape->dims[axis];
      index[axis] = 0;
    }
  }
}

/* The elements' bytes in C order and this machine's byte order (little endian): `data` itself where it is so, otherwise
 * a new block in *owned. */
static rango_status in_order(const rg_npy_header *h, const uint8_t *data, int64_t count, void **owned,
                             const uint8_t **out) {
  size_t unit = unit_of(h), bytes = (size_t)count * h->item; /* checked with the header */
  bool swap = h->big_endian && unit > 1, transpose = h->fortran && h->shape.rank > 1 && h->item;
  *out = data;
  *owned = NULL;
  if (!swap && !transpose) return RANGO_OK;
  RG_TRY(rg_alloc(bytes, owned));
  uint8_t *to = *owned;
  if (transpose)
    copy_transposed(to, data, &h->shape, count, h->item);
  else
    memcpy(to, data, bytes);
  if (swap) swap_bytes(to, bytes, unit);
  *out = to;
  return RANGO_OK;
}

/* Appends a code point as UTF-8 (RFC 3629). 0: not a code point. */
static size_t encode_utf8(uint32_t code, char *to) {
  if (code < 0x80) {
    to[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    to[0] = (char)(0xc0 | code >> 6);
    to[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
  if (code < 0x10000) {
    to[0] = (char)(0xe0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 0x3f));
    to[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  to[0] = (char)(0xf0 | code >> 18);
  to[1] = (char)(0x80 | (code >> 12 & 0x3f));
  to[2] = (char)(0x80 | (code >> 6 & 0x3f));
  to[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* One element of 'S' or 'U' at `from`, padded with zeros, as UTF-8 in `to` (room for `item` bytes). */
static rango_status decode_string(const rg_npy_header *h, const uint8_t *from, const char *name, char *to,
                                  size_t *length) {
  *length = 0;
  if (h->kind == 'S') {
    for (size_t i = 0; i < h->item; i++)
      if (from[i]) *length = i + 1;
    if (*length) memcpy(to, from, *length);
    return RANGO_OK;
  }
  size_t characters = h->item / 4;
  uint32_t code;
  while (characters && memcmp(from + 4 * (characters - 1), "\0\0\0\0", 4) == 0) characters--;
  for (size_t i = 0; i < characters; i++) {
    memcpy(&code, from + 4 * i, 4);
    size_t used = encode_utf8(code, to + *length);
    RG_FAIL_IF(!used, RANGO_ERROR_FORMAT, "%s: a string holds 0x%x, which is no character", name, (unsigned)code);
    *length += used;
  }
  return RANGO_OK;
}

static rango_status read_strings(const rg_npy_header *h, const uint8_t *data, int64_t count, const char *name,
                                 rango_tensor *out) {
  rg_string *strings = NULL;
  char *texts = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)count, sizeof *strings, RG_OUT(&strings)));
  RG_TRY_DONE(rg_alloc((size_t)count * h->item, RG_OUT(&texts)));
  char *at = texts;
  for (int64_t i = 0; i < count; i++, at += h->item) {
    strings[i].text = at;
    RG_TRY_DONE(decode_string(h, data + (size_t)i * h->item, name, at, &strings[i].length));
  }
  status = rg_tensor_init_strings(out, &h->shape, strings);
done:
  rg_free(strings);
  rg_free(texts);
  return status;
}

static rango_status read_numbers(const rg_npy_header *h, const uint8_t *data, rg_buffer *owner, rango_tensor *out) {
  size_t bytes;
  int64_t count;
  RG_TRY(rg_shape_count(&h->shape, &count));
  RG_TRY(rg_type_bytes(h->type, count, &bytes));
  if (owner && (uintptr_t)data % unit_of(h) == 0) {
    rg_buffer *slice;
    RG_TRY(rg_buffer_slice(owner, data, bytes, &slice));
    rg_tensor_init_borrowed(out, h->type, &h->shape, (void *)data, bytes);
    out->buffer = slice;
    return RANGO_OK;
  }
  RG_TRY(rg_tensor_init(out, h->type, &h->shape));
  if (bytes) memcpy(out->data, data, bytes);
  return RANGO_OK;
}

rango_status rg_npy_parse(rg_buffer *owner, const void *data, size_t bytes, const char *name, rango_tensor *out) {
  rg_npy_header header;
  const uint8_t *start, *elements;
  void *reordered;
  int64_t count;
  memset(out, 0, sizeof *out);
  RG_TRY(rg_npy_read_header(data, bytes, name, &header));
  RG_TRY(rg_shape_count(&header.shape, &count));
  start = (const uint8_t *)data + header.data_offset;
  RG_TRY(in_order(&header, start, count, &reordered, &elements));
  rango_status status = header.type == RANGO_STRING
                            ? read_strings(&header, elements, count, name, out)
                            : read_numbers(&header, elements, elements == start ? owner : NULL, out);
  rg_free(reordered);
  return status;
}

rango_status rango_tensor_parse_npy(const void *data, size_t bytes, const char *name, rango_tensor **out) {
  RG_FAIL_IF(!out, RANGO_ERROR_ARGUMENT, "rango_tensor_parse_npy: out is NULL");
  *out = NULL;
  RG_FAIL_IF(!data, RANGO_ERROR_ARGUMENT, "rango_tensor_parse_npy: data is NULL");
  rango_tensor *tensor;
  RG_TRY(rg_calloc(1, sizeof *tensor, RG_OUT(&tensor)));
  rango_status status = rg_npy_parse(NULL, data, bytes, name ? name : "memory", tensor);
  if (status != RANGO_OK)
    rango_tensor_free(tensor);
  else
    *out = tensor;
  return status;
}

rango_status rango_tensor_load_npy(const char *path, rango_tensor **out) {
  RG_FAIL_IF(!path || !out, RANGO_ERROR_ARGUMENT, "rango_tensor_load_npy: NULL given");
  *out = NULL;
  rg_buffer *file;
  RG_TRY(rg_file_map(path, &file));
  /* Copied, not mapped: the caller may write to it. */
  rango_status status = rango_tensor_parse_npy(rg_buffer_data(file), rg_buffer_bytes(file), path, out);
  rg_buffer_release(file);
  return status;
}
