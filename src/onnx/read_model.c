/* ModelProto and FunctionProto. */
#include "onnx/read.h"

#include <string.h>

enum { IR_VERSION = 1, PRODUCER_NAME = 2, PRODUCER_VERSION = 3, GRAPH = 7, OPSET = 8, PROPERTY = 14, FUNCTION = 25 };

#define KNOWN                                                                                                          \
  (RG_BIT(IR_VERSION) | RG_BIT(PRODUCER_NAME) | RG_BIT(PRODUCER_VERSION) | RG_BIT(GRAPH) | RG_BIT(OPSET) |             \
   RG_BIT(PROPERTY) | RG_BIT(FUNCTION))

static rango_status read_opsets(rg_reader *reader, rg_wire message, uint32_t number, rg_opset **out, size_t *count) {
  rg_field field;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) *count += field.number == number;
  RG_FAIL_IF(*count > RG_ONNX_MAX_OPSETS, RANGO_ERROR_LIMIT, "%zu opsets are imported, at most %d are supported",
             *count, RG_ONNX_MAX_OPSETS);
  RG_TRY(rg_reader_alloc(reader, *count, sizeof **out, RG_OUT(out)));
  for (size_t i = 0; rg_wire_next(&message, &field);) {
    if (field.number != number) continue;
    rg_opset *opset = &(*out)[i++];
    RG_TRY(rg_read_opset(reader, &field, opset));
    for (rg_opset *other = *out; other < opset; other++)
      RG_FAIL_IF(strcmp(other->domain, opset->domain) == 0 && other->version != opset->version, RANGO_ERROR_FORMAT,
                 "domain '%s' is imported with opset %lld and %lld", opset->domain, (long long)other->version,
                 (long long)opset->version);
  }
  return RANGO_OK;
}

/* ---- functions ---- */

enum {
  F_NAME = 1,
  F_INPUT = 4,
  F_OUTPUT = 5,
  F_ATTRIBUTE = 6,
  F_NODE = 7,
  F_OPSET = 9,
  F_DOMAIN = 10,
  F_DEFAULT = 11,
  F_VALUE_INFO = 12,
  F_OVERLOAD = 13
};

#define F_KNOWN                                                                                                        \
  (RG_BIT(F_NAME) | RG_BIT(F_INPUT) | RG_BIT(F_OUTPUT) | RG_BIT(F_ATTRIBUTE) | RG_BIT(F_NODE) | RG_BIT(F_OPSET) |      \
   RG_BIT(F_DOMAIN) | RG_BIT(F_DEFAULT) | RG_BIT(F_VALUE_INFO) | RG_BIT(F_OVERLOAD))

static rango_status read_function_head(rg_reader *reader, rg_wire message, rg_function *function) {
  rg_field field;
  function->name = function->domain = function->overload = "";
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) {
    switch (field.number) {
    case F_NAME:
      RG_TRY(rg_reader_name(reader, &field, &function->name));
      break;
    case F_DOMAIN:
      RG_TRY(rg_reader_name(reader, &field, &function->domain));
      break;
    case F_OVERLOAD:
      RG_TRY(rg_reader_name(reader, &field, &function->overload));
      break;
    case F_ATTRIBUTE:
      function->attribute_count++;
      break;
    default:
      break;
    }
  }
  RG_FAIL_IF(!function->name[0], RANGO_ERROR_FORMAT, "function without a name");
  RG_TRY(
      rg_reader_alloc(reader, function->attribute_count, sizeof *function->attributes, RG_OUT(&function->attributes)));
  rg_attr **end = &function->defaults;
  for (size_t i = 0; rg_wire_next(&message, &field);) {
    if (field.number == F_ATTRIBUTE) {
      RG_TRY(rg_reader_name(reader, &field, &function->attributes[i++]));
    } else if (field.number == F_DEFAULT) {
      RG_TRY(rg_read_attribute(reader, NULL, NULL, &field, end));
      end = &(*end)->next;
    }
  }
  return message.status;
}

static rango_status read_function_input(rg_reader *reader, rg_scope *scope, const rg_field *field) {
  rg_bytes name;
  rg_value *value;
  bool fresh;
  RG_TRY(rg_field_name(field, &name));
  RG_FAIL_IF(name.bytes == 0, RANGO_ERROR_FORMAT, "input without a name");
  RG_TRY(rg_scope_define(reader, scope, name, &value, &fresh));
  RG_FAIL_IF(!fresh, RANGO_ERROR_FORMAT, "input '%s' is listed twice", value->name);
  return rg_graph_add_input(scope->graph, value);
}

static rango_status read_function_output(rg_reader *reader, rg_scope *scope, const rg_field *field) {
  rg_bytes name;
  rg_value *value;
  RG_TRY(rg_field_name(field, &name));
  RG_TRY(rg_scope_find(reader, scope, name, &value));
  RG_FAIL_IF(!value, RANGO_ERROR_FORMAT, "output '%.*s' is not defined", (int)(name.bytes < 200 ? name.bytes : 200),
             (const char *)name.data);
  return rg_graph_add_output(scope->graph, value);
}

static rango_status read_body(rg_reader *reader, rg_wire message, rg_scope *scope) {
  rg_field field;
  rg_value *found;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);)
    if (field.number == F_INPUT) RG_TRY(read_function_input(reader, scope, &field));
  RG_TRY(rg_read_define_nodes(reader, scope, message, F_NODE));
  RG_TRY(rg_read_connect_nodes(reader, scope, message, F_NODE));
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) {
    if (field.number == F_OUTPUT) RG_TRY(read_function_output(reader, scope, &field));
    if (field.number == F_VALUE_INFO) RG_TRY(rg_read_value_info(reader, scope, &field, &found));
  }
  return scope->unsorted ? rg_graph_sort(scope->graph) : RANGO_OK;
}

rango_status rg_read_function(rg_reader *reader, rg_wire message, rg_function *function) {
  RG_TRY(rg_reader_enter(reader));
  RG_TRY(read_function_head(reader, message, function));
  RG_TRY(read_opsets(reader, message, F_OPSET, &function->opsets, &function->opset_count));
  RG_TRY(rg_graph_create(reader->model, NULL, &function->body));
  function->body->name = function->name;
  rg_scope scope = {.graph = function->body};
  if (function->opset_count) {
    reader->opsets = function->opsets;
    reader->opset_count = function->opset_count;
  }
  rango_status status = read_body(reader, message, &scope);
  if (status != RANGO_OK) return rg_fail_context(status, "function '%s'", function->name);
  reader->opsets = reader->model->opsets;
  reader->opset_count = reader->model->opset_count;
  reader->depth--;
  return rg_reader_extra(reader, message, F_KNOWN, &function->extra);
}

/* A function is known by domain, name and overload together. */
static rango_status check_function_is_new(rg_reader *reader, rg_function *function) {
  const char *key;
  RG_TRY(rg_arena_printf(reader->model->arena, &key, "%zu %zu %s%s%s", strlen(function->domain), strlen(function->name),
                         function->domain, function->name, function->overload));
  RG_FAIL_IF(rg_names_find(reader->names, reader, key), RANGO_ERROR_FORMAT,
             "function '%s' of domain '%s' is defined twice", function->name, function->domain);
  return rg_names_put(reader->names, reader, key, function);
}

static rango_status read_functions(rg_reader *reader, rg_wire message) {
  rango_model *model = reader->model;
  rg_field field;
  size_t count = 0;
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) count += field.number == FUNCTION;
  RG_TRY(rg_reader_alloc(reader, count, sizeof *model->functions, RG_OUT(&model->functions)));
  while (rg_wire_next(&message, &field)) {
    if (field.number != FUNCTION) continue;
    rg_bytes data;
    rg_function *function = &model->functions[model->function_count];
    RG_TRY(rg_field_bytes(&field, &data));
    RG_TRY(rg_read_function(reader, rg_wire_inside(&field), function));
    model->function_count++;
    RG_TRY(check_function_is_new(reader, function));
  }
  return RANGO_OK;
}

/* ---- the model ---- */

static rango_status read_head(rg_reader *reader, rg_wire message, rg_field *graph) {
  rango_model *model = reader->model;
  rg_field field;
  bool has_graph = false;
  size_t properties = 0;
  model->ir_version = 0;
  model->producer_name = model->producer_version = "";
  for (rg_wire wire = message; rg_wire_next(&wire, &field);) {
    switch (field.number) {
    case IR_VERSION:
      RG_TRY(rg_field_int(&field, &model->ir_version));
      break;
    case PRODUCER_NAME:
      RG_TRY(rg_reader_name(reader, &field, &model->producer_name));
      break;
    case PRODUCER_VERSION:
      RG_TRY(rg_reader_name(reader, &field, &model->producer_version));
      break;
    case PROPERTY:
      properties++;
      break;
    case GRAPH:
      RG_FAIL_IF(has_graph, RANGO_ERROR_FORMAT, "the model has two graphs");
      has_graph = true;
      *graph = field;
      break;
    default:
      break;
    }
  }
  RG_FAIL_IF(model->ir_version < 1, RANGO_ERROR_FORMAT, "no ONNX model: the IR version is missing");
  RG_FAIL_IF(!has_graph, RANGO_ERROR_FORMAT, "the model has no graph");
  RG_TRY(rg_reader_alloc(reader, properties, sizeof *model->properties, RG_OUT(&model->properties)));
  while (rg_wire_next(&message, &field))
    if (field.number == PROPERTY) RG_TRY(rg_read_property(reader, &field, &model->properties[model->property_count++]));
  return message.status;
}

/* The first files imported no opset: they meant the first. */
static rango_status default_opset(rg_reader *reader) {
  rango_model *model = reader->model;
  if (model->opset_count || model->ir_version >= 3) return RANGO_OK;
  RG_TRY(rg_reader_alloc(reader, 1, sizeof *model->opsets, RG_OUT(&model->opsets)));
  model->opsets[0] = (rg_opset){.domain = "", .version = 1};
  model->opset_count = 1;
  return RANGO_OK;
}

static rango_status check_wire(rg_wire message) {
  rg_field field;
  while (rg_wire_next(&message, &field)) continue;
  return message.status;
}

static rango_status read_model(rg_reader *reader, rg_wire message) {
  rango_model *model = reader->model;
  rg_field graph;
  rg_bytes data;
  RG_TRY(check_wire(message));
  RG_TRY(read_head(reader, message, &graph));
  RG_TRY(read_opsets(reader, message, OPSET, &model->opsets, &model->opset_count));
  RG_TRY(default_opset(reader));
  reader->opsets = model->opsets;
  reader->opset_count = model->opset_count;
  RG_TRY(read_functions(reader, message));
  RG_TRY(rg_field_bytes(&graph, &data));
  RG_TRY(rg_read_graph(reader, rg_wire_inside(&graph), model->graph, NULL));
  return rg_reader_extra(reader, message, KNOWN, &model->extra);
}

static void drop_reader(rg_reader *reader) {
  for (size_t i = 0; i < reader->mapped.count; i++) rg_buffer_release(reader->mapped.items[i]);
  rg_free(reader->mapped.items);
  rg_free(reader->text);
  rg_names_free(reader->names);
}

static rango_status keep_place(rg_reader *reader, const char *path, const char *folder) {
  rango_model *model = reader->model;
  model->file_bytes = rg_buffer_bytes(reader->file);
  RG_TRY(rg_arena_strndup(model->arena, path, strlen(path), &model->path));
  return folder ? rg_arena_strndup(model->arena, folder, strlen(folder), &model->folder) : RANGO_OK;
}

rango_status rg_onnx_read(rg_buffer *file, const char *name, const char *folder, uint64_t budget, rango_model **out) {
  rg_reader reader = {.file = file, .folder = folder, .budget = budget};
  rg_wire message = rg_wire_open((rg_bytes){rg_buffer_data(file), rg_buffer_bytes(file)});
  *out = NULL;
  rango_status status = rg_model_create(&reader.model);
  if (status == RANGO_OK) status = rg_names_create(&reader.names);
  if (status == RANGO_OK) status = read_model(&reader, message);
  if (status == RANGO_OK) status = keep_place(&reader, name, folder);
  drop_reader(&reader);
  if (status != RANGO_OK) {
    rg_model_release(reader.model);
    return rg_fail_context(status, "%s", name);
  }
  *out = reader.model;
  return RANGO_OK;
}

/* In a model unaligned tensors are allowed (graph.h); this one goes to a caller. */
static rango_status align(rango_tensor *tensor) {
  rango_tensor copy;
  if (rg_tensor_is_aligned(tensor)) return RANGO_OK;
  RG_TRY(rg_tensor_copy(&copy, tensor));
  rg_tensor_clear(tensor);
  *tensor = copy;
  return RANGO_OK;
}

rango_status rg_onnx_read_tensor(rg_buffer *file, const char *name, rango_tensor *out) {
  rg_reader reader = {.file = file, .budget = UINT64_MAX};
  rg_wire message = rg_wire_open((rg_bytes){rg_buffer_data(file), rg_buffer_bytes(file)});
  rg_bytes tensor_name;
  *out = (rango_tensor){0};
  rango_status status = rg_read_tensor(&reader, message, out, &tensor_name, NULL);
  if (status == RANGO_OK) status = align(out);
  rg_free(reader.text);
  if (status == RANGO_OK) return RANGO_OK;
  rg_tensor_clear(out);
  return rg_fail_context(status, "%s", name);
}
