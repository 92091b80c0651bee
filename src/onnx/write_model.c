/* ModelProto and FunctionProto, and the files. */
#include "onnx/write.h"

#include <string.h>

#define PROTOBUF_LIMIT ((uint64_t)INT32_MAX) /* messages are smaller than 2 GiB */

static void put_opset(rg_put *put, uint32_t field, const rg_opset *opset) {
  rg_put_mark mark = rg_put_begin(put, field);
  rg_put_name(put, 1, opset->domain);
  rg_put_int(put, 2, opset->version);
  rg_put_end(put, mark);
}

static void put_property(rg_put *put, uint32_t field, const rg_property *property) {
  rg_put_mark mark = rg_put_begin(put, field);
  rg_put_name(put, 1, property->key);
  rg_put_name(put, 2, property->value);
  rg_put_end(put, mark);
}

static void put_function(rg_put *put, uint32_t field, const rg_function *function) {
  enum {
    NAME = 1,
    INPUT = 4,
    OUTPUT = 5,
    ATTRIBUTE = 6,
    NODE = 7,
    OPSET = 9,
    DOMAIN_NAME = 10,
    DEFAULT = 11,
    VALUE_INFO = 12,
    OVERLOAD = 13
  };
  const rg_graph *body = function->body;
  rg_put_mark mark = rg_put_begin(put, field);
  rg_put_name(put, NAME, function->name);
  for (size_t i = 0; i < body->inputs.count; i++) rg_put_name(put, INPUT, body->inputs.items[i]->name);
  for (size_t i = 0; i < body->outputs.count; i++) rg_put_name(put, OUTPUT, body->outputs.items[i]->name);
  for (size_t i = 0; i < function->attribute_count; i++) rg_put_name(put, ATTRIBUTE, function->attributes[i]);
  rg_write_nodes(put, NODE, body);
  for (size_t i = 0; i < function->opset_count; i++) put_opset(put, OPSET, &function->opsets[i]);
  rg_put_text(put, DOMAIN_NAME, function->domain);
  for (const rg_attr *attr = function->defaults; attr; attr = attr->next) rg_write_attribute(put, DEFAULT, attr);
  for (size_t i = 0; i < body->values.count; i++)
    if (body->values.items[i]->type.kind != RG_KIND_NONE) rg_write_value_info(put, VALUE_INFO, body->values.items[i]);
  rg_put_text(put, OVERLOAD, function->overload);
  rg_put_raw(put, function->extra);
  rg_put_end(put, mark);
}

/* Initializers that aren't listed among the inputs came with IR version 4. */
static int64_t needed_ir_version(const rango_model *model) {
  for (size_t i = 0; model->ir_version < 4 && i < model->graph->values.count; i++) {
    const rg_value *value = model->graph->values.items[i];
    if (!value->is_input && rg_write_wants_constant(value)) return 4;
  }
  return model->ir_version;
}

static void put_model(rg_put *put, const rango_model *model) {
  enum { IR_VERSION = 1, PRODUCER_NAME = 2, PRODUCER_VERSION = 3, GRAPH = 7, OPSET = 8, PROPERTY = 14, FUNCTION = 25 };
  rg_put_int(put, IR_VERSION, needed_ir_version(model));
  rg_put_text(put, PRODUCER_NAME, model->producer_name);
  rg_put_text(put, PRODUCER_VERSION, model->producer_version);
  for (size_t i = 0; i < model->opset_count; i++) put_opset(put, OPSET, &model->opsets[i]);
  for (size_t i = 0; i < model->property_count; i++) put_property(put, PROPERTY, &model->properties[i]);
  for (size_t i = 0; i < model->function_count; i++) put_function(put, FUNCTION, &model->functions[i]);
  rg_put_raw(put, model->extra);
  rg_write_graph(put, GRAPH, model->graph);
}

/* How long the file will be; notes the lengths of its messages. */
static uint64_t count(rg_put *put, const rango_model *model) {
  put->lengths.count = 0;
  put->position = put->data_position = 0;
  put_model(put, model);
  return put->position;
}

static rango_status write_files(rg_put *put, const rango_model *model, const char *path, const char *data_path) {
  put->position = put->data_position = 0;
  RG_TRY(rg_file_writer_create(path, &put->file));
  if (put->external) RG_TRY(rg_file_writer_create(data_path, &put->data));
  put_model(put, model);
  RG_TRY(put->status);
  if (put->data) RG_TRY(rg_file_writer_commit(put->data));
  return rg_file_writer_commit(put->file);
}

static rango_status write_model(rg_put *put, rg_arena *arena, const rango_model *model, const char *path,
                                uint64_t limit) {
  const char *data_path, *slash;
  RG_TRY(rg_arena_printf(arena, &data_path, "%s.data", path));
  slash = strrchr(data_path, '/');
  put->data_name = slash ? slash + 1 : data_path;
  uint64_t size = count(put, model);
  if (put->status == RANGO_OK && size > limit) {
    put->external = true;
    size = count(put, model);
  }
  RG_TRY(put->status);
  RG_FAIL_IF(size > PROTOBUF_LIMIT, RANGO_ERROR_LIMIT, "%s: %llu bytes without the tensors, over the format's 2 GiB",
             path, (unsigned long long)size);
  return write_files(put, model, path, data_path);
}

rango_status rg_onnx_write_limited(const rango_model *model, const char *path, uint64_t limit) {
  rg_put put = {0};
  rg_arena *arena;
  RG_TRY(rg_arena_create(&arena));
  rango_status status = write_model(&put, arena, model, path, limit);
  rg_file_writer_free(put.data);
  rg_file_writer_free(put.file);
  rg_free(put.lengths.items);
  rg_arena_free(arena);
  return status;
}

rango_status rg_onnx_write(const rango_model *model, const char *path) {
  return rg_onnx_write_limited(model, path, PROTOBUF_LIMIT);
}

rango_status rango_model_save(const rango_model *model, const char *path) {
  RG_FAIL_IF(!model || !path, RANGO_ERROR_ARGUMENT, "rango_model_save: %s is NULL", model ? "path" : "model");
  return rg_onnx_write(model, path);
}
