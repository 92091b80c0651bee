#include "onnx/put.h"

#include "onnx/wire.h"

#include <string.h>

static size_t varint_bytes(uint64_t value) {
  size_t bytes = 1;
  for (; value > 0x7f; value >>= 7) bytes++;
  return bytes;
}

void rg_put_content(rg_put *put, const void *data, size_t bytes) {
  if (put->file) rg_file_writer_write(put->file, data, bytes);
  put->position += bytes;
}

static void put_varint(rg_put *put, uint64_t value) {
  uint8_t bytes[10];
  size_t count = 0;
  for (; value > 0x7f; value >>= 7) bytes[count++] = (uint8_t)(value | 0x80);
  bytes[count++] = (uint8_t)value;
  rg_put_content(put, bytes, count);
}

static void put_tag(rg_put *put, uint32_t field, int type) { put_varint(put, (uint64_t)field << 3 | (uint64_t)type); }

void rg_put_int(rg_put *put, uint32_t field, int64_t value) {
  put_tag(put, field, RG_WIRE_VARINT);
  put_varint(put, (uint64_t)value);
}

void rg_put_float(rg_put *put, uint32_t field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
  put_tag(put, field, RG_WIRE_FIXED32);
  rg_put_content(put, bytes, sizeof bytes);
}

size_t rg_put_head_bytes(uint32_t field, uint64_t bytes) {
  return varint_bytes((uint64_t)field << 3) + varint_bytes(bytes);
}

void rg_put_head(rg_put *put, uint32_t field, uint64_t bytes) {
  put_tag(put, field, RG_WIRE_BYTES);
  put_varint(put, bytes);
}

void rg_put_bytes(rg_put *put, uint32_t field, const void *data, size_t bytes) {
  rg_put_head(put, field, bytes);
  rg_put_content(put, data, bytes);
}

void rg_put_name(rg_put *put, uint32_t field, const char *text) { rg_put_bytes(put, field, text, strlen(text)); }

void rg_put_text(rg_put *put, uint32_t field, const char *text) {
  if (text && text[0]) rg_put_name(put, field, text);
}

void rg_put_raw(rg_put *put, rg_bytes fields) { rg_put_content(put, fields.data, fields.bytes); }

rg_put_mark rg_put_begin(rg_put *put, uint32_t field) {
  put_tag(put, field, RG_WIRE_BYTES);
  if (put->file) {
    if (put->next < put->lengths.count) put_varint(put, put->lengths.items[put->next++]);
    return (rg_put_mark){0};
  }
  rango_status status = RG_RESERVE(&put->lengths, 1);
  if (status != RANGO_OK) {
    rg_put_fail(put, status);
    return (rg_put_mark){SIZE_MAX, 0};
  }
  return (rg_put_mark){put->lengths.count++, put->position};
}

void rg_put_end(rg_put *put, rg_put_mark mark) {
  if (put->file || mark.index == SIZE_MAX) return;
  uint64_t length = put->position - mark.start;
  put->lengths.items[mark.index] = length;
  put->position += varint_bytes(length);
}

void rg_put_fail(rg_put *put, rango_status status) {
  if (put->status == RANGO_OK) put->status = status;
}
