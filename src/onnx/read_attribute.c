/* AttributeProto. */
#include "onnx/read.h"

enum {
  NAME = 1,
  F = 2,
  I = 3,
  S = 4,
  T = 5,
  G = 6,
  FLOATS = 7,
  INTS = 8,
  STRINGS = 9,
  TENSORS = 10,
  GRAPHS = 11,
  TYPE_PROTO = 14,
  TYPE_PROTOS = 15,
  TYPE = 20,
  REFERENCE = 21,
  SPARSE_TENSOR = 22,
  SPARSE_TENSORS = 23
};

/* The field that holds a kind's value; 0: the kind is kept as it was read. */
static const uint8_t value_field[] = {
    [RG_ATTR_FLOAT] = F,         [RG_ATTR_INT] = I,         [RG_ATTR_STRING] = S,  [RG_ATTR_TENSOR] = T,
    [RG_ATTR_GRAPH] = G,         [RG_ATTR_FLOATS] = FLOATS, [RG_ATTR_INTS] = INTS, [RG_ATTR_STRINGS] = STRINGS,
    [RG_ATTR_TENSORS] = TENSORS, [RG_ATTR_GRAPHS] = GRAPHS, [RG_ATTR_TYPES] = 0};

static uint32_t field_of(rg_attr_kind kind) {
  return (size_t)kind < sizeof value_field / sizeof *value_field ? value_field[kind] : 0;
}

/* The first files had no kind: it follows from the field in use. */
static rg_attr_kind kind_of_field(uint32_t number) {
  for (int kind = RG_ATTR_FLOAT; kind <= RG_ATTR_GRAPHS; kind++)
    if (field_of((rg_attr_kind)kind) == number) return (rg_attr_kind)kind;
  switch (number) {
  case SPARSE_TENSOR:
    return RG_ATTR_SPARSE_TENSOR;
  case SPARSE_TENSORS:
    return RG_ATTR_SPARSE_TENSORS;
  case TYPE_PROTO:
    return RG_ATTR_TYPE;
  case TYPE_PROTOS:
    return RG_ATTR_TYPES;
  default:
    return RG_ATTR_UNDEFINED;
  }
}

/* Name, kind and reference: what tells how to read the rest. */
static rango_status read_head(rg_reader *reader, rg_wire wire, rg_attr *attr) {
  rg_field field;
  int64_t kind = 0;
  rg_attr_kind implied = RG_ATTR_UNDEFINED;
  attr->name = "";
  while (rg_wire_next(&wire, &field)) {
    switch (field.number) {
    case NAME:
      RG_TRY(rg_reader_name(reader, &field, &attr->name));
      break;
    case TYPE:
      RG_TRY(rg_field_int(&field, &kind));
      break;
    case REFERENCE:
      RG_TRY(rg_reader_name(reader, &field, &attr->reference));
      break;
    default:
      if (kind_of_field(field.number) != RG_ATTR_UNDEFINED) implied = kind_of_field(field.number);
    }
  }
  RG_TRY(wire.status);
  RG_FAIL_IF(!attr->name[0], RANGO_ERROR_FORMAT, "attribute without a name");
  RG_FAIL_IF(kind < 0 || kind > INT32_MAX, RANGO_ERROR_FORMAT, "attribute '%s' has kind %lld", attr->name,
             (long long)kind);
  if (attr->reference && !attr->reference[0]) attr->reference = NULL;
  attr->kind = kind ? (rg_attr_kind)kind : implied;
  return RANGO_OK;
}

static void put_float(void *out, size_t index, uint64_t value) { rg_list_put_u32(out, index, value); }

static rango_status read_numbers(rg_reader *reader, rg_wire message, rg_attr *attr, uint32_t number) {
  bool floats = number == FLOATS;
  rg_list_kind kind = floats ? RG_LIST_FIXED32 : RG_LIST_VARINT;
  rg_field field;
  size_t index = 0;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);)
    if (field.number == number) RG_TRY(rg_field_list_count(&field, kind, &attr->count));
  void *items;
  RG_TRY(rg_reader_alloc(reader, attr->count, floats ? sizeof(float) : sizeof(int64_t), &items));
  while (rg_wire_next(&message, &field))
    if (field.number == number)
      RG_TRY(rg_field_list_read(&field, kind, floats ? put_float : rg_list_put_u64, items, &index));
  if (floats)
    attr->floats = items;
  else
    attr->ints = items;
  return RANGO_OK;
}

static rango_status read_string(rg_reader *reader, const rg_field *field, rg_string *out) {
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  out->length = data.bytes;
  return rg_reader_string(reader, data, &out->text);
}

static rango_status read_tensor(rg_reader *reader, const rg_field *field, rango_tensor **out, rg_bytes *extra) {
  rango_tensor tensor;
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  RG_TRY(rg_read_tensor(reader, rg_wire_inside(field), &tensor, NULL, extra));
  return rg_model_add_tensor(reader->model, &tensor, out);
}

static rango_status read_graph(rg_reader *reader, rg_scope *scope, rg_node *owner, const rg_field *field,
                               rg_graph **out) {
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  RG_FAIL_IF(!owner, RANGO_ERROR_UNSUPPORTED, "a graph as a function's default attribute");
  RG_TRY(rg_reader_charge(reader, sizeof **out));
  RG_TRY(rg_graph_create(reader->model, owner, out));
  return rg_read_graph(reader, rg_wire_inside(field), *out, scope);
}

/* Lists of things that are messages or strings of their own. */
static rango_status read_items(rg_reader *reader, rg_scope *scope, rg_node *owner, rg_wire message, rg_attr *attr,
                               uint32_t number) {
  rg_field field;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) attr->count += field.number == number;
  rg_string *strings = NULL;
  rango_tensor **tensors = NULL;
  rg_graph **graphs = NULL;
  rg_bytes *extra = NULL;
  if (number == STRINGS) RG_TRY(rg_reader_alloc(reader, attr->count, sizeof *strings, RG_OUT(&strings)));
  if (number == TENSORS) RG_TRY(rg_reader_alloc(reader, attr->count, sizeof(rango_tensor *), RG_OUT(&tensors)));
  if (number == TENSORS) RG_TRY(rg_reader_alloc(reader, attr->count, sizeof *extra, RG_OUT(&extra)));
  if (number == GRAPHS) RG_TRY(rg_reader_alloc(reader, attr->count, sizeof(rg_graph *), RG_OUT(&graphs)));
  for (size_t i = 0; rg_wire_next(&message, &field);) {
    if (field.number != number) continue;
    if (strings) RG_TRY(read_string(reader, &field, &strings[i]));
    if (tensors) RG_TRY(read_tensor(reader, &field, &tensors[i], &extra[i]));
    if (graphs) RG_TRY(read_graph(reader, scope, owner, &field, &graphs[i]));
    i++;
  }
  if (strings) attr->strings = strings;
  if (tensors) attr->tensors = tensors;
  if (graphs) attr->graphs = graphs;
  attr->tensor_extra = extra;
  return RANGO_OK;
}

static rango_status read_single(rg_reader *reader, rg_scope *scope, rg_node *owner, rg_wire message, rg_attr *attr,
                                uint32_t number) {
  rg_field field;
  bool found = false;
  if (attr->kind == RG_ATTR_STRING) attr->s.text = "";
  while (rg_wire_next(&message, &field)) {
    if (field.number != number) continue;
    RG_FAIL_IF(found && (number == T || number == G), RANGO_ERROR_FORMAT, "value given twice");
    found = true;
    switch (attr->kind) {
    case RG_ATTR_FLOAT:
      RG_TRY(rg_field_float(&field, &attr->f));
      break;
    case RG_ATTR_INT:
      RG_TRY(rg_field_int(&field, &attr->i));
      break;
    case RG_ATTR_STRING:
      RG_TRY(read_string(reader, &field, &attr->s));
      break;
    case RG_ATTR_TENSOR: {
      rg_bytes *extra;
      RG_TRY(rg_reader_alloc(reader, 1, sizeof *extra, RG_OUT(&extra)));
      RG_TRY(read_tensor(reader, &field, &attr->tensor, extra));
      attr->tensor_extra = extra;
      break;
    }
    default:
      RG_TRY(read_graph(reader, scope, owner, &field, &attr->graph));
    }
  }
  RG_FAIL_IF(!found && (number == T || number == G), RANGO_ERROR_FORMAT, "value is missing");
  return RANGO_OK;
}

static rango_status read_value(rg_reader *reader, rg_scope *scope, rg_node *owner, const rg_field *whole,
                               rg_attr *attr) {
  rg_wire message = rg_wire_inside(whole);
  uint32_t number = field_of(attr->kind);
  if (attr->reference) number = TYPE; /* no value of its own; what is there is kept beside */
  switch (number) {
  case 0:
    return rg_reader_copy(reader, whole->bytes, &attr->raw);
  case TYPE:
    break;
  case FLOATS:
  case INTS:
    RG_TRY(read_numbers(reader, message, attr, number));
    break;
  case STRINGS:
  case TENSORS:
  case GRAPHS:
    RG_TRY(read_items(reader, scope, owner, message, attr, number));
    break;
  default:
    RG_TRY(read_single(reader, scope, owner, message, attr, number));
  }
  uint64_t known = RG_BIT(NAME) | RG_BIT(TYPE) | RG_BIT(REFERENCE) | RG_BIT(number);
  return rg_reader_extra(reader, message, known, &attr->extra);
}

rango_status rg_read_attribute(rg_reader *reader, rg_scope *scope, rg_node *owner, const rg_field *field,
                               rg_attr **out) {
  rg_bytes data;
  rg_attr *attr;
  RG_TRY(rg_field_bytes(field, &data));
  RG_TRY(rg_reader_enter(reader));
  RG_TRY(rg_reader_alloc(reader, 1, sizeof *attr, RG_OUT(&attr)));
  RG_TRY(read_head(reader, rg_wire_inside(field), attr));
  rango_status status = read_value(reader, scope, owner, field, attr);
  if (status != RANGO_OK) return rg_fail_context(status, "attribute '%s'", attr->name);
  reader->depth--;
  *out = attr;
  return RANGO_OK;
}
