/* Memory within the budget, and what several read_*.c need. */
#include "onnx/read.h"

#include "base/checked.h"

#include <string.h>

rango_status rg_reader_enter(rg_reader *reader) {
  RG_FAIL_IF(reader->depth >= RG_ONNX_MAX_NESTING, RANGO_ERROR_LIMIT, "messages are nested over %d deep",
             RG_ONNX_MAX_NESTING);
  reader->depth++;
  return RANGO_OK;
}

rango_status rg_reader_charge(rg_reader *reader, uint64_t bytes) {
  uint64_t used = reader->copied + (reader->model ? rg_arena_bytes(reader->model->arena) : 0);
  RG_FAIL_IF(used > reader->budget || bytes > reader->budget - used, RANGO_ERROR_LIMIT,
             "the model needs more than %llu bytes of memory, the limit for loading",
             (unsigned long long)reader->budget);
  reader->copied += bytes;
  return RANGO_OK;
}

rango_status rg_reader_alloc(rg_reader *reader, size_t count, size_t size, void **out) {
  size_t bytes;
  RG_FAIL_IF(!rg_mul_size(count, size, &bytes), RANGO_ERROR_LIMIT, "%zu elements are too many", count);
  RG_TRY(rg_reader_charge(reader, bytes));
  reader->copied -= bytes; /* counted by the arena from now on */
  return rg_arena_alloc(reader->model->arena, bytes, out);
}

rango_status rg_reader_string(rg_reader *reader, rg_bytes text, const char **out) {
  *out = "";
  if (text.bytes == 0) return RANGO_OK;
  char *copy;
  RG_TRY(rg_reader_alloc(reader, text.bytes + 1, 1, RG_OUT(&copy)));
  memcpy(copy, text.data, text.bytes);
  *out = copy;
  return RANGO_OK;
}

rango_status rg_reader_name(rg_reader *reader, const rg_field *field, const char **out) {
  rg_bytes text;
  RG_TRY(rg_field_name(field, &text));
  return rg_reader_string(reader, text, out);
}

rango_status rg_reader_text(rg_reader *reader, rg_bytes text, const char **out) {
  if (text.bytes >= reader->text_bytes) {
    size_t bytes = text.bytes + text.bytes / 2 + 64;
    RG_TRY(rg_reader_charge(reader, bytes));
    RG_TRY(rg_realloc(RG_OUT(&reader->text), bytes));
    reader->text_bytes = bytes;
  }
  if (text.bytes) memcpy(reader->text, text.data, text.bytes);
  reader->text[text.bytes] = 0;
  *out = reader->text;
  return RANGO_OK;
}

rango_status rg_reader_copy(rg_reader *reader, rg_bytes from, rg_bytes *out) {
  uint8_t *data;
  RG_TRY(rg_reader_alloc(reader, from.bytes, 1, RG_OUT(&data)));
  if (from.bytes) memcpy(data, from.data, from.bytes);
  *out = (rg_bytes){data, from.bytes};
  return RANGO_OK;
}

static bool is_known(uint32_t number, uint64_t known) { return number < 64 && (known & RG_BIT(number)); }

rango_status rg_reader_extra(rg_reader *reader, rg_wire message, uint64_t known, rg_bytes *out) {
  rg_field field;
  size_t bytes = 0, at = 0;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);)
    if (!is_known(field.number, known)) bytes += field.whole.bytes;
  *out = (rg_bytes){0};
  if (bytes == 0) return message.status;
  uint8_t *data;
  RG_TRY(rg_reader_alloc(reader, bytes, 1, RG_OUT(&data)));
  while (rg_wire_next(&message, &field)) {
    if (is_known(field.number, known)) continue;
    memcpy(data + at, field.whole.data, field.whole.bytes);
    at += field.whole.bytes;
  }
  *out = (rg_bytes){data, bytes};
  return message.status;
}

rango_status rg_read_opset(rg_reader *reader, const rg_field *field, rg_opset *out) {
  enum { DOMAIN_NAME = 1, VERSION = 2 };
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  *out = (rg_opset){.domain = ""};
  rg_wire wire = rg_wire_inside(field);
  rg_field part;
  while (rg_wire_next(&wire, &part)) {
    if (part.number == DOMAIN_NAME) RG_TRY(rg_reader_name(reader, &part, &out->domain));
    if (part.number == VERSION) RG_TRY(rg_field_int(&part, &out->version));
  }
  RG_TRY(wire.status);
  if (strcmp(out->domain, "ai.onnx") == 0) out->domain = "";
  bool standard = out->domain[0] == 0;
  RG_FAIL_IF(standard && (out->version < RG_OPSET_MIN || out->version > RG_OPSET_MAX), RANGO_ERROR_UNSUPPORTED,
             "opset %lld is not within %d ... %d", (long long)out->version, RG_OPSET_MIN, RG_OPSET_MAX);
  RG_FAIL_IF(out->version < 0 || out->version > INT32_MAX, RANGO_ERROR_FORMAT, "opset %lld of domain '%s'",
             (long long)out->version, out->domain);
  return RANGO_OK;
}

rango_status rg_read_property(rg_reader *reader, const rg_field *field, rg_property *out) {
  enum { KEY = 1, VALUE = 2 };
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  *out = (rg_property){"", ""};
  rg_wire wire = rg_wire_inside(field);
  rg_field part;
  while (rg_wire_next(&wire, &part)) {
    if (part.number == KEY) RG_TRY(rg_reader_name(reader, &part, &out->key));
    if (part.number == VALUE) RG_TRY(rg_reader_name(reader, &part, &out->value));
  }
  return wire.status;
}
