/* Elements of a tensor in a file beside the model: `location`, `offset` and `length` of its external_data. */
#include "onnx/read.h"

#include "base/file.h"

#include <string.h>

#define MAX_FILES 4096 /* of external data */

enum { EXTERNAL_DATA = 13, KEY = 1, VALUE = 2 };

typedef struct external_place {
  rg_bytes location;
  uint64_t offset, length;
  bool has_length;
} external_place;

static rango_status read_number(rg_bytes text, const char *what, uint64_t *out) {
  uint64_t value = 0;
  RG_FAIL_IF(text.bytes == 0 || text.bytes > 19, RANGO_ERROR_FORMAT, "external data: %s is no number", what);
  for (size_t i = 0; i < text.bytes; i++) {
    RG_FAIL_IF(text.data[i] < '0' || text.data[i] > '9', RANGO_ERROR_FORMAT, "external data: %s is no number", what);
    value = value * 10 + (uint64_t)(text.data[i] - '0'); /* 19 digits fit */
  }
  *out = value;
  return RANGO_OK;
}

static bool text_is(rg_bytes text, const char *word) {
  return text.bytes == strlen(word) && memcmp(text.data, word, text.bytes) == 0;
}

static rango_status read_entry(const rg_field *entry, external_place *out) {
  rg_bytes data, key = {0}, value = {0};
  RG_TRY(rg_field_bytes(entry, &data));
  rg_wire wire = rg_wire_inside(entry);
  rg_field field;
  while (rg_wire_next(&wire, &field)) {
    if (field.number == KEY) RG_TRY(rg_field_name(&field, &key));
    if (field.number == VALUE) RG_TRY(rg_field_name(&field, &value));
  }
  RG_TRY(wire.status);
  if (text_is(key, "location")) out->location = value;
  if (text_is(key, "offset")) RG_TRY(read_number(value, "offset", &out->offset));
  if (text_is(key, "length")) {
    RG_TRY(read_number(value, "length", &out->length));
    out->has_length = true;
  }
  return RANGO_OK; /* `checksum` is optional and names no method: not used */
}

/* Each file is mapped once. */
static rango_status map_file(rg_reader *reader, rg_bytes location, rg_buffer **out) {
  const char *path;
  RG_TRY(rg_reader_text(reader, location, &path));
  *out = rg_names_find(reader->names, &reader->mapped, path);
  if (*out) return RANGO_OK;
  RG_FAIL_IF(reader->mapped.count >= MAX_FILES, RANGO_ERROR_LIMIT, "external data in over %d files", MAX_FILES);
  RG_TRY(RG_RESERVE(&reader->mapped, 1));
  RG_TRY(rg_file_map_inside(reader->folder, path, out));
  reader->mapped.items[reader->mapped.count++] = *out;
  RG_TRY(rg_reader_string(reader, location, &path));
  return rg_names_put(reader->names, &reader->mapped, path, *out);
}

rango_status rg_read_external(rg_reader *reader, rg_wire message, rango_type type, const rg_shape *shape, size_t bytes,
                              rango_tensor *out) {
  external_place place = {0};
  rg_field field;
  while (rg_wire_next(&message, &field))
    if (field.number == EXTERNAL_DATA) RG_TRY(read_entry(&field, &place));
  RG_TRY(message.status);
  RG_FAIL_IF(place.location.bytes == 0, RANGO_ERROR_FORMAT, "external data without a location");
  RG_FAIL_IF(!reader->folder, RANGO_ERROR_UNSUPPORTED, "external data in '%.*s', but no folder to look in was given",
             (int)(place.location.bytes < 200 ? place.location.bytes : 200), (const char *)place.location.data);
  RG_FAIL_IF(place.has_length && place.length != bytes, RANGO_ERROR_FORMAT,
             "external data has %llu bytes but the tensor needs %zu", (unsigned long long)place.length, bytes);
  rg_buffer *buffer;
  RG_TRY(map_file(reader, place.location, &buffer));
  uint64_t size = rg_buffer_bytes(buffer);
  RG_FAIL_IF(place.offset > size || bytes > size - place.offset, RANGO_ERROR_FORMAT,
             "external data '%.*s' has %llu bytes, the tensor needs %zu from byte %llu on",
             (int)(place.location.bytes < 200 ? place.location.bytes : 200), (const char *)place.location.data,
             (unsigned long long)size, bytes, (unsigned long long)place.offset);
  rg_bytes data = {(const uint8_t *)rg_buffer_data(buffer) + place.offset, bytes};
  return rg_reader_place(reader, buffer, data, type, shape, out);
}
