/* GraphProto. */
#include "onnx/read.h"

enum { NODE = 1, NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, VALUE_INFO = 13, SPARSE_INITIALIZER = 15 };

#define KNOWN                                                                                                          \
  (RG_BIT(NODE) | RG_BIT(NAME) | RG_BIT(INITIALIZER) | RG_BIT(INPUT) | RG_BIT(OUTPUT) | RG_BIT(VALUE_INFO) |           \
   RG_BIT(SPARSE_INITIALIZER))

enum { INFO_NAME = 1, INFO_TYPE = 2 };

static rango_status read_info_name(const rg_field *field, rg_bytes *out) {
  *out = (rg_bytes){0};
  rg_bytes data;
  RG_TRY(rg_field_bytes(field, &data));
  rg_wire wire = rg_wire_inside(field);
  rg_field part;
  while (rg_wire_next(&wire, &part))
    if (part.number == INFO_NAME) RG_TRY(rg_field_name(&part, out));
  return wire.status;
}

/* What a ValueInfoProto declares; a second declaration of the same value changes nothing. */
static rango_status declare(rg_reader *reader, rg_value *value, const rg_field *field) {
  if (value->type.kind != RG_KIND_NONE) return RANGO_OK;
  rg_wire wire = rg_wire_inside(field);
  rg_field part;
  while (rg_wire_next(&wire, &part)) {
    if (part.number != INFO_TYPE) continue;
    rango_status status = rg_read_type(reader, &part, &value->type);
    if (status != RANGO_OK) return rg_fail_context(status, "value '%s'", value->name);
  }
  return rg_reader_extra(reader, rg_wire_inside(field), RG_BIT(INFO_NAME) | RG_BIT(INFO_TYPE), &value->extra);
}

rango_status rg_read_value_info(rg_reader *reader, rg_scope *scope, const rg_field *field, rg_value **found) {
  rg_bytes name;
  RG_TRY(read_info_name(field, &name));
  RG_TRY(rg_scope_find(reader, scope, name, found));
  return *found ? declare(reader, *found, field) : RANGO_OK;
}

static rango_status read_input(rg_reader *reader, rg_scope *scope, const rg_field *field) {
  rg_bytes name;
  rg_value *value;
  bool fresh;
  RG_TRY(read_info_name(field, &name));
  RG_FAIL_IF(name.bytes == 0, RANGO_ERROR_FORMAT, "graph input without a name");
  RG_TRY(rg_scope_define(reader, scope, name, &value, &fresh));
  RG_FAIL_IF(!fresh, RANGO_ERROR_FORMAT, "graph input '%s' is listed twice", value->name);
  RG_TRY(rg_graph_add_input(scope->graph, value));
  return declare(reader, value, field);
}

static rango_status read_output(rg_reader *reader, rg_scope *scope, const rg_field *field) {
  rg_bytes name;
  rg_value *value;
  RG_TRY(read_info_name(field, &name));
  RG_TRY(rg_read_value_info(reader, scope, field, &value));
  RG_FAIL_IF(!value, RANGO_ERROR_FORMAT, "graph output '%.*s' is not defined in its graph",
             (int)(name.bytes < 200 ? name.bytes : 200), (const char *)name.data);
  return rg_graph_add_output(scope->graph, value);
}

/* A dense or sparse initializer: the constant of a value that is new or listed among the inputs. */
static rango_status read_initializer(rg_reader *reader, rg_scope *scope, const rg_field *field) {
  bool sparse = field->number == SPARSE_INITIALIZER, fresh;
  rango_tensor tensor = {0};
  rg_bytes data, name = {0}, extra = {0};
  rg_value *value;
  RG_TRY(rg_field_bytes(field, &data));
  rango_status status = sparse ? rg_read_sparse(reader, rg_wire_inside(field), &tensor, &name)
                               : rg_read_tensor(reader, rg_wire_inside(field), &tensor, &name, &extra);
  if (status != RANGO_OK)
    return rg_fail_context(status, "initializer '%.*s'", (int)(name.bytes < 200 ? name.bytes : 200),
                           name.data ? (const char *)name.data : "");
  if (name.bytes == 0) {
    status = rg_fail(RANGO_ERROR_FORMAT, "initializer without a name");
    goto done;
  }
  RG_TRY_DONE(rg_scope_define(reader, scope, name, &value, &fresh));
  if (!fresh && value->constant) {
    status = rg_fail(RANGO_ERROR_FORMAT, "initializer '%s' is defined twice", value->name);
    goto done;
  }
  RG_TRY_DONE(rg_model_add_tensor(reader->model, &tensor, &value->constant));
  value->tensor_extra = extra;
  if (sparse) status = rg_reader_copy(reader, data, &value->sparse);
done:
  rg_tensor_clear(&tensor);
  return status;
}

/* Inputs before initializers, whatever the order in the file. */
static rango_status read_inputs(rg_reader *reader, rg_scope *scope, rg_wire message) {
  rg_field field;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) {
    if (field.number == INPUT) RG_TRY(read_input(reader, scope, &field));
    if (field.number == NAME) RG_TRY(rg_reader_name(reader, &field, &scope->graph->name));
  }
  while (rg_wire_next(&message, &field))
    if (field.number == INITIALIZER || field.number == SPARSE_INITIALIZER)
      RG_TRY(read_initializer(reader, scope, &field));
  return message.status;
}

/* A value_info of a name that isn't the graph's says nothing, and is dropped. */
static rango_status read_outputs(rg_reader *reader, rg_scope *scope, rg_wire message) {
  rg_field field;
  rg_value *found;
  while (rg_wire_next(&message, &field)) {
    if (field.number == OUTPUT) RG_TRY(read_output(reader, scope, &field));
    if (field.number == VALUE_INFO) RG_TRY(rg_read_value_info(reader, scope, &field, &found));
  }
  return message.status;
}

static rango_status read_parts(rg_reader *reader, rg_scope *scope, rg_wire message) {
  RG_TRY(read_inputs(reader, scope, message));
  RG_TRY(rg_read_define_nodes(reader, scope, message, NODE));
  RG_TRY(rg_read_connect_nodes(reader, scope, message, NODE));
  RG_TRY(read_outputs(reader, scope, message));
  RG_TRY(rg_reader_extra(reader, message, KNOWN, &scope->graph->extra));
  return scope->unsorted ? rg_graph_sort(scope->graph) : RANGO_OK;
}

rango_status rg_read_graph(rg_reader *reader, rg_wire message, rg_graph *graph, rg_scope *outer) {
  rg_scope scope = {.graph = graph, .outer = outer};
  RG_TRY(rg_reader_enter(reader));
  RG_TRY(read_parts(reader, &scope, message));
  reader->depth--;
  return RANGO_OK;
}
