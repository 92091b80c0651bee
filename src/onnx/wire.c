#include "onnx/wire.h"

#include <string.h>

rg_wire rg_wire_open(rg_bytes file) {
  return (rg_wire){.at = file.data, .end = file.data + file.bytes, .origin = file.data};
}

rg_wire rg_wire_inside(const rg_field *field) {
  return (rg_wire){.at = field->bytes.data, .end = field->bytes.data + field->bytes.bytes, .origin = field->origin};
}

static bool fail_at(rg_wire *wire, const uint8_t *at, const char *what) {
  wire->status = rg_fail(RANGO_ERROR_FORMAT, "%s at byte %zu: the file is damaged, cut short, or no ONNX file", what,
                         (size_t)(at - wire->origin));
  return false;
}

static bool read_varint(rg_wire *wire, uint64_t *out) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (wire->at == wire->end) return fail_at(wire, wire->at, "number cut off");
    uint8_t byte = *wire->at++;
    if (shift == 63 && byte > 1) break;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) {
      *out = value;
      return true;
    }
  }
  return fail_at(wire, wire->at, "number over 64 bits");
}

static bool read_fixed(rg_wire *wire, size_t bytes, uint64_t *out) {
  if ((size_t)(wire->end - wire->at) < bytes) return fail_at(wire, wire->at, "number cut off");
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)wire->at[i] << (8 * i);
  wire->at += bytes;
  *out = value;
  return true;
}

static bool read_bytes(rg_wire *wire, rg_bytes *out) {
  const uint8_t *start = wire->at;
  uint64_t length;
  if (!read_varint(wire, &length)) return false;
  if (length > (uint64_t)(wire->end - wire->at)) return fail_at(wire, start, "length beyond the end");
  *out = (rg_bytes){wire->at, (size_t)length};
  wire->at += length;
  return true;
}

bool rg_wire_next(rg_wire *wire, rg_field *field) {
  if (wire->status != RANGO_OK || wire->at == wire->end) return false;
  const uint8_t *start = wire->at;
  uint64_t tag;
  if (!read_varint(wire, &tag)) return false;
  if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return fail_at(wire, start, "field number out of range");
  *field = (rg_field){.number = (uint32_t)(tag >> 3), .type = (int)(tag & 7), .origin = wire->origin};
  bool ok;
  switch (field->type) {
  case RG_WIRE_VARINT:
    ok = read_varint(wire, &field->value);
    break;
  case RG_WIRE_FIXED64:
    ok = read_fixed(wire, 8, &field->value);
    break;
  case RG_WIRE_FIXED32:
    ok = read_fixed(wire, 4, &field->value);
    break;
  case RG_WIRE_BYTES:
    ok = read_bytes(wire, &field->bytes);
    break;
  default:
    return fail_at(wire, start, "unknown wire type");
  }
  field->whole = (rg_bytes){start, (size_t)(wire->at - start)};
  return ok;
}

static rango_status check_type(const rg_field *field, int type) {
  RG_FAIL_IF(field->type != type, RANGO_ERROR_FORMAT, "field %u at byte %zu has wire type %d, expected %d",
             field->number, (size_t)(field->whole.data - field->origin), field->type, type);
  return RANGO_OK;
}

rango_status rg_field_int(const rg_field *field, int64_t *out) {
  RG_TRY(check_type(field, RG_WIRE_VARINT));
  *out = (int64_t)field->value;
  return RANGO_OK;
}

rango_status rg_field_bytes(const rg_field *field, rg_bytes *out) {
  RG_TRY(check_type(field, RG_WIRE_BYTES));
  *out = field->bytes;
  return RANGO_OK;
}

rango_status rg_field_float(const rg_field *field, float *out) {
  RG_TRY(check_type(field, RG_WIRE_FIXED32));
  uint32_t bits = (uint32_t)field->value;
  memcpy(out, &bits, sizeof *out);
  return RANGO_OK;
}

/* Bytes of the UTF-8 sequence at text (RFC 3629), or 0 when it is none. */
static size_t utf8_length(const uint8_t *text, size_t left) {
  uint8_t first = text[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                  : (first & 0xf0) == 0xe0         ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
  if (length == 0 || length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
  bool surrogate = first == 0xed && text[1] > 0x9f;
  bool beyond = first == 0xf4 && text[1] > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

rango_status rg_field_name(const rg_field *field, rg_bytes *out) {
  RG_TRY(rg_field_bytes(field, out));
  for (size_t i = 0; i < out->bytes;) {
    size_t length = out->data[i] == 0 ? 0 : utf8_length(out->data + i, out->bytes - i);
    RG_FAIL_IF(length == 0, RANGO_ERROR_FORMAT, "name at byte %zu is not UTF-8 text",
               (size_t)(out->data - field->origin));
    i += length;
  }
  return RANGO_OK;
}

rango_status rg_field_list_count(const rg_field *field, rg_list_kind kind, size_t *count) {
  if (field->type != RG_WIRE_BYTES) {
    RG_TRY(check_type(field, (int)kind));
    *count += 1;
    return RANGO_OK;
  }
  if (kind == RG_LIST_VARINT) {
    for (size_t i = 0; i < field->bytes.bytes; i++) *count += !(field->bytes.data[i] & 0x80);
    return RANGO_OK;
  }
  size_t size = kind == RG_LIST_FIXED32 ? 4 : 8;
  RG_FAIL_IF(field->bytes.bytes % size, RANGO_ERROR_FORMAT, "list at byte %zu ends within a number",
             (size_t)(field->whole.data - field->origin));
  *count += field->bytes.bytes / size;
  return RANGO_OK;
}

rango_status rg_field_list_read(const rg_field *field, rg_list_kind kind, rg_list_put put, void *out, size_t *index) {
  if (field->type != RG_WIRE_BYTES) {
    RG_TRY(check_type(field, (int)kind));
    put(out, (*index)++, field->value);
    return RANGO_OK;
  }
  if (kind == RG_LIST_FIXED32 && put == rg_list_put_u32 && field->bytes.bytes % 4 == 0) { /* weights: as they lie */
    memcpy((uint32_t *)out + *index, field->bytes.data, field->bytes.bytes);
    *index += field->bytes.bytes / 4;
    return RANGO_OK;
  }
  rg_wire wire = rg_wire_inside(field);
  uint64_t value;
  while (wire.at < wire.end) {
    bool ok = kind == RG_LIST_VARINT ? read_varint(&wire, &value)
                                     : read_fixed(&wire, kind == RG_LIST_FIXED32 ? 4 : 8, &value);
    if (!ok) return wire.status;
    put(out, (*index)++, value);
  }
  return RANGO_OK;
}

void rg_list_put_u8(void *out, size_t index, uint64_t value) { ((uint8_t *)out)[index] = (uint8_t)value; }
void rg_list_put_u16(void *out, size_t index, uint64_t value) { ((uint16_t *)out)[index] = (uint16_t)value; }
void rg_list_put_u32(void *out, size_t index, uint64_t value) { ((uint32_t *)out)[index] = (uint32_t)value; }
void rg_list_put_u64(void *out, size_t index, uint64_t value) { ((uint64_t *)out)[index] = value; }
