/* Reading protocol buffers: a cursor over one message's fields. Every length is checked against what is left. */
#ifndef RG_ONNX_WIRE_H
#define RG_ONNX_WIRE_H

#include "base/error.h"
#include "graph/graph.h"

enum { RG_WIRE_VARINT = 0, RG_WIRE_FIXED64 = 1, RG_WIRE_BYTES = 2, RG_WIRE_FIXED32 = 5 };

typedef struct rg_wire {
  const uint8_t *at, *end;
  const uint8_t *origin; /* start of the file, for messages */
  rango_status status;   /* first error */
} rg_wire;

typedef struct rg_field {
  uint32_t number;
  int type;
  uint64_t value;        /* varint, fixed32, fixed64 */
  rg_bytes bytes;        /* RG_WIRE_BYTES: what is inside */
  rg_bytes whole;        /* tag included */
  const uint8_t *origin; /* of the cursor */
} rg_field;

rg_wire rg_wire_open(rg_bytes file);
/* A cursor over a field's content. */
rg_wire rg_wire_inside(const rg_field *field);

/* The next field. False at the end, or when the message is damaged: wire->status tells. */
bool rg_wire_next(rg_wire *wire, rg_field *field);

/* A field's value; RANGO_ERROR_FORMAT when it has another wire type. */
rango_status rg_field_int(const rg_field *field, int64_t *out);
rango_status rg_field_bytes(const rg_field *field, rg_bytes *out);
rango_status rg_field_float(const rg_field *field, float *out);
/* A string's bytes: valid UTF-8 without zeros, so that it can be a name. */
rango_status rg_field_name(const rg_field *field, rg_bytes *out);

/* Kinds of repeated numbers, packed or one a field. */
typedef enum rg_list_kind {
  RG_LIST_VARINT = RG_WIRE_VARINT,
  RG_LIST_FIXED32 = RG_WIRE_FIXED32,
  RG_LIST_FIXED64 = RG_WIRE_FIXED64
} rg_list_kind;

/* Adds the number of elements that a field of a repeated number holds to *count. */
rango_status rg_field_list_count(const rg_field *field, rg_list_kind kind, size_t *count);
/* Calls put(out, index, value) for them, index counting on from *index. */
typedef void (*rg_list_put)(void *out, size_t index, uint64_t value);
rango_status rg_field_list_read(const rg_field *field, rg_list_kind kind, rg_list_put put, void *out, size_t *index);

void rg_list_put_u8(void *out, size_t index, uint64_t value);
void rg_list_put_u16(void *out, size_t index, uint64_t value);
void rg_list_put_u32(void *out, size_t index, uint64_t value);
void rg_list_put_u64(void *out, size_t index, uint64_t value);

#endif
