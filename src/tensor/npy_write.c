/* Writing .npy in C order, little endian, version 1.0. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tensor/npy.h"

/* What NumPy calls the type; types that it lacks are written as one that holds all their values. */
static const char *descr_of(rango_type type, rango_type *written) {
  *written = type;
  switch ((int)type) {
  case RANGO_FLOAT16:
    return "<f2";
  case RANGO_FLOAT32:
    return "<f4";
  case RANGO_FLOAT64:
    return "<f8";
  case RANGO_INT8:
    return "|i1";
  case RANGO_INT16:
    return "<i2";
  case RANGO_INT32:
    return "<i4";
  case RANGO_INT64:
    return "<i8";
  case RANGO_UINT8:
    return "|u1";
  case RANGO_UINT16:
    return "<u2";
  case RANGO_UINT32:
    return "<u4";
  case RANGO_UINT64:
    return "<u8";
  case RANGO_BOOL:
    return "|b1";
  case RANGO_COMPLEX64:
    return "<c8";
  case RANGO_COMPLEX128:
    return "<c16";
  case RANGO_INT4:
  case RANGO_INT2:
    *written = RANGO_INT8;
    return "|i1";
  case RANGO_UINT4:
  case RANGO_UINT2:
    *written = RANGO_UINT8;
    return "|u1";
  default:
    *written = RANGO_FLOAT32;
    return "<f4"; /* bfloat16 and the 8- and 4-bit floats */
  }
}

/* The header ends with a newline at a multiple of 64 bytes, so that the data is aligned. */
static void write_header(rg_file_writer *writer, const char *descr, const rg_shape *shape) {
  char text[640];
  int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < shape->rank; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%s%lld%s", i ? ", " : "",
                       (long long)shape->dims[i], shape->rank == 1 ? "," : "");
  length += snprintf(text + length, sizeof text - (size_t)length, "), }");
  while ((10 + length + 1) % 64) text[length++] = ' ';
  text[length++] = '\n';
  uint8_t start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(length & 0xff), (uint8_t)(length >> 8)};
  rg_file_writer_write(writer, start, sizeof start);
  rg_file_writer_write(writer, text, (size_t)length);
}

/* Element by element, as a type that NumPy has. */
static rango_status write_converted(rg_file_writer *writer, const rango_tensor *tensor, rango_type written) {
  int64_t count;
  RG_TRY(rg_shape_count(&tensor->shape, &count));
  for (int64_t i = 0; i < count; i++) {
    float real = (float)rg_tensor_get_double(tensor, i);
    uint8_t byte = (uint8_t)rg_tensor_get_i64(tensor, i); /* int8's two's complement, too */
    if (written == RANGO_FLOAT32)
      rg_file_writer_write(writer, &real, sizeof real);
    else
      rg_file_writer_write(writer, &byte, sizeof byte);
  }
  return RANGO_OK;
}

/* The code point at *text, which moves on; bytes that are no UTF-8 stand for themselves (Latin-1). */
static uint32_t decode_utf8(const uint8_t **text, const uint8_t *end) {
  const uint8_t *at = *text;
  int more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : at[0] >= 0xc0 ? 1 : 0;
  uint32_t code = more == 3 ? at[0] & 7u : more == 2 ? at[0] & 15u : more == 1 ? at[0] & 31u : at[0];
  if (end - at <= more) more = 0, code = at[0];
  for (int i = 1; i <= more; i++) {
    if ((at[i] & 0xc0) != 0x80) {
      more = 0;
      code = at[0];
      break;
    }
    code = code << 6 | (at[i] & 0x3fu);
  }
  *text = at + more + 1;
  return code;
}

/* As 'U': every string padded to the longest one's characters (at least one: NumPy reads no '<U0'). */
static rango_status write_strings(rg_file_writer *writer, const rango_tensor *tensor) {
  const char *const *texts = tensor->data;
  int64_t count;
  size_t longest = 1;
  char descr[32];
  RG_TRY(rg_shape_count(&tensor->shape, &count));
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *at = (const uint8_t *)texts[i], *end = at + tensor->lengths[i];
    size_t characters = 0;
    for (; at < end; characters++) (void)decode_utf8(&at, end);
    if (characters > longest) longest = characters;
  }
  snprintf(descr, sizeof descr, "<U%zu", longest);
  write_header(writer, descr, &tensor->shape);
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *at = (const uint8_t *)texts[i], *end = at + tensor->lengths[i];
    for (size_t character = 0; character < longest; character++) {
      uint32_t code = at < end ? decode_utf8(&at, end) : 0;
      rg_file_writer_write(writer, &code, sizeof code);
    }
  }
  return RANGO_OK;
}

static rango_status write_tensor(rg_file_writer *writer, const rango_tensor *tensor) {
  if (tensor->type == RANGO_STRING) return write_strings(writer, tensor);
  rango_type written;
  write_header(writer, descr_of(tensor->type, &written), &tensor->shape);
  if (written != tensor->type) return write_converted(writer, tensor, written);
  rg_file_writer_write(writer, tensor->data, tensor->bytes);
  return RANGO_OK;
}

rango_status rango_tensor_save_npy(const rango_tensor *tensor, const char *path) {
  RG_FAIL_IF(!tensor || !path, RANGO_ERROR_ARGUMENT, "rango_tensor_save_npy: NULL given");
  RG_FAIL_IF(tensor->layout != RG_ROW_MAJOR, RANGO_ERROR_INTERNAL, "rango_tensor_save_npy: not in row-major order");
  rg_file_writer *writer;
  RG_TRY(rg_file_writer_create(path, &writer));
  rango_status status = write_tensor(writer, tensor);
  if (status == RANGO_OK) status = rg_file_writer_commit(writer);
  rg_file_writer_free(writer);
  return status;
}
