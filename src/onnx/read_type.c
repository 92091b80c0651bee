/* TypeProto. */
#include "onnx/read.h"

enum { TENSOR = 1, SEQUENCE = 4, MAP = 5, OPAQUE = 7, SPARSE = 8, OPTIONAL = 9 };

static rango_status read_symbol(rg_reader *reader, rg_bytes name, int64_t *out) {
  const char *text;
  *out = RG_SIZE_UNKNOWN;
  if (name.bytes == 0) return RANGO_OK;
  RG_TRY(rg_reader_text(reader, name, &text));
  return rg_model_symbol(reader->model, text, out);
}

static rango_status read_dim(rg_reader *reader, const rg_field *field, int64_t *out) {
  enum { DIM_VALUE = 1, DIM_PARAM = 2 };
  rg_bytes data, name;
  RG_TRY(rg_field_bytes(field, &data));
  rg_wire wire = rg_wire_inside(field);
  rg_field part;
  *out = RG_SIZE_UNKNOWN;
  while (rg_wire_next(&wire, &part)) {
    if (part.number == DIM_VALUE) {
      RG_TRY(rg_field_int(&part, out));
      if (*out < 0) *out = RG_SIZE_UNKNOWN; /* exporters write -1 for what they don't know */
    } else if (part.number == DIM_PARAM) {
      RG_TRY(rg_field_name(&part, &name));
      RG_TRY(read_symbol(reader, name, out));
    }
  }
  return wire.status;
}

static rango_status read_shape(rg_reader *reader, const rg_field *field, rg_type_info *out) {
  enum { DIM = 1 };
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  rg_wire wire = rg_wire_inside(field);
  rg_field dim;
  int64_t sizes[RANGO_MAX_RANK], *dims;
  int rank = 0;
  while (rg_wire_next(&wire, &dim)) {
    if (dim.number != DIM) continue;
    RG_FAIL_IF(rank == RANGO_MAX_RANK, RANGO_ERROR_LIMIT, "declared with over %d axes", RANGO_MAX_RANK);
    RG_TRY(read_dim(reader, &dim, &sizes[rank]));
    rank++;
  }
  RG_TRY(wire.status);
  RG_TRY(rg_reader_alloc(reader, (size_t)rank, sizeof *dims, RG_OUT(&dims)));
  for (int i = 0; i < rank; i++) dims[i] = sizes[i];
  out->rank = rank;
  out->dims = dims;
  return RANGO_OK;
}

/* Element types of tensors, keys of maps, are field 1; shapes and inner types lie behind. */
static rango_status read_elements(const rg_field *field, rg_type_info *out) {
  int64_t number;
  RG_TRY(rg_field_int(field, &number));
  out->type = number > 0 && number < RANGO_TYPE_COUNT ? (rango_type)number : RANGO_UNDEFINED;
  return RANGO_OK;
}

static rango_status read_tensor_type(rg_reader *reader, rg_wire wire, rg_type_info *out) {
  enum { ELEMENTS = 1, SHAPE = 2 };
  rg_field field;
  while (rg_wire_next(&wire, &field)) {
    if (field.number == ELEMENTS) RG_TRY(read_elements(&field, out));
    if (field.number == SHAPE) RG_TRY(read_shape(reader, &field, out));
  }
  return wire.status;
}

static rango_status read_type(rg_reader *reader, rg_wire wire, rg_type_info *out);

/* Sequence and optional hold their type in field 1, a map its keys in 1 and its values in 2. */
static rango_status read_container(rg_reader *reader, rg_wire wire, uint32_t inner_number, rg_type_info *out) {
  rg_field field;
  rg_type_info *inner;
  rg_bytes data;
  while (rg_wire_next(&wire, &field)) {
    if (field.number == inner_number) {
      RG_TRY(rg_field_bytes(&field, &data));
      RG_TRY(rg_reader_alloc(reader, 1, sizeof *inner, RG_OUT(&inner)));
      RG_TRY(read_type(reader, rg_wire_inside(&field), inner));
      out->inner = inner;
    } else if (field.number == 1) {
      RG_TRY(read_elements(&field, out));
    }
  }
  return wire.status;
}

static rango_status read_kind(rg_reader *reader, const rg_field *field, rg_type_info *out) {
  static const rg_kind kinds[] = {
      [TENSOR] = RG_KIND_TENSOR, [SEQUENCE] = RG_KIND_SEQUENCE, [MAP] = RG_KIND_MAP,
      [OPAQUE] = RG_KIND_OPAQUE, [SPARSE] = RG_KIND_SPARSE,     [OPTIONAL] = RG_KIND_OPTIONAL};
  if (field->number >= sizeof kinds / sizeof *kinds || kinds[field->number] == RG_KIND_NONE) return RANGO_OK;
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  rg_wire wire = rg_wire_inside(field);
  *out = (rg_type_info){.kind = kinds[field->number], .rank = -1};
  switch (field->number) {
  case TENSOR:
  case SPARSE:
    return read_tensor_type(reader, wire, out);
  case SEQUENCE:
  case OPTIONAL:
    return read_container(reader, wire, 1, out);
  case MAP:
    return read_container(reader, wire, 2, out);
  default:
    return RANGO_OK;
  }
}

static rango_status read_type(rg_reader *reader, rg_wire wire, rg_type_info *out) {
  rg_field field;
  RG_TRY(rg_reader_enter(reader));
  *out = (rg_type_info){.rank = -1};
  while (rg_wire_next(&wire, &field)) RG_TRY(read_kind(reader, &field, out));
  reader->depth--;
  return wire.status;
}

rango_status rg_read_type(rg_reader *reader, const rg_field *field, rg_type_info *out) {
  rg_bytes data, raw;
  RG_TRY(rg_field_bytes(field, &data));
  RG_TRY(read_type(reader, rg_wire_inside(field), out));
  RG_TRY(rg_reader_copy(reader, data, &raw));
  out->raw = raw;
  return RANGO_OK;
}
