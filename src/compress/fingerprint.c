#include "compress/fingerprint.h"

#include <string.h>

static uint64_t hash_text(uint64_t hash, const char *text) {
  return rg_hash(hash, text ? text : "", text ? strlen(text) : 0);
}

static uint64_t hash_tensor(uint64_t hash, const rango_tensor *tensor) {
  hash = rg_hash_i64(hash, tensor->type);
  hash = rg_hash(hash, tensor->shape.dims, (size_t)tensor->shape.rank * sizeof *tensor->shape.dims);
  if (tensor->type != RANGO_STRING) return rg_hash(hash, tensor->data, tensor->bytes);
  for (size_t i = 0; i < tensor->bytes / sizeof(char *); i++)
    hash = rg_hash(hash, ((const char *const *)tensor->data)[i], tensor->lengths[i]);
  return hash;
}

/* ---- models ---- */

static uint64_t hash_graph(uint64_t hash, const rg_graph *graph);

static uint64_t hash_attr(uint64_t hash, const rg_attr *attr) {
  hash = hash_text(rg_hash_i64(hash, attr->kind), attr->name);
  switch (attr->kind) {
  case RG_ATTR_FLOAT:
    return rg_hash(hash, &attr->f, sizeof attr->f);
  case RG_ATTR_INT:
    return rg_hash_i64(hash, attr->i);
  case RG_ATTR_STRING:
    return rg_hash(hash, attr->s.text, attr->s.length);
  case RG_ATTR_TENSOR:
    return hash_tensor(hash, attr->tensor);
  case RG_ATTR_GRAPH:
    return hash_graph(hash, attr->graph);
  case RG_ATTR_FLOATS:
    return rg_hash(hash, attr->floats, attr->count * sizeof *attr->floats);
  case RG_ATTR_INTS:
    return rg_hash(hash, attr->ints, attr->count * sizeof *attr->ints);
  case RG_ATTR_STRINGS:
    for (size_t i = 0; i < attr->count; i++) hash = rg_hash(hash, attr->strings[i].text, attr->strings[i].length);
    return hash;
  case RG_ATTR_TENSORS:
    for (size_t i = 0; i < attr->count; i++) hash = hash_tensor(hash, attr->tensors[i]);
    return hash;
  case RG_ATTR_GRAPHS:
    for (size_t i = 0; i < attr->count; i++) hash = hash_graph(hash, attr->graphs[i]);
    return hash;
  default:
    return rg_hash(hash, attr->raw.data, attr->raw.bytes);
  }
}

static uint64_t hash_node(uint64_t hash, const rg_node *node) {
  hash = hash_text(hash_text(rg_hash_i64(hash, node->version), node->op), node->domain);
  for (int i = 0; i < node->input_count; i++) hash = rg_hash_i64(hash, node->inputs[i] ? node->inputs[i]->id : -1);
  for (int i = 0; i < node->output_count; i++) hash = rg_hash_i64(hash, node->outputs[i] ? node->outputs[i]->id : -1);
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) hash = hash_attr(hash, attr);
  return hash;
}

static uint64_t hash_graph(uint64_t hash, const rg_graph *graph) {
  for (size_t i = 0; i < graph->inputs.count; i++) hash = rg_hash_i64(hash, graph->inputs.items[i]->id);
  for (const rg_node *node = graph->first; node; node = node->next) hash = hash_node(hash, node);
  for (size_t i = 0; i < graph->outputs.count; i++) hash = rg_hash_i64(hash, graph->outputs.items[i]->id);
  for (size_t i = 0; i < graph->values.count; i++) {
    const rg_value *value = graph->values.items[i];
    if (value->constant && rg_value_is_used(value)) hash = hash_tensor(rg_hash_i64(hash, value->id), value->constant);
  }
  return hash;
}

uint64_t rg_model_fingerprint(const rango_model *model) {
  uint64_t hash = hash_graph(RG_HASH_START, model->graph);
  for (size_t i = 0; i < model->function_count; i++) {
    const rg_function *function = &model->functions[i];
    hash = hash_graph(hash_text(hash_text(hash, function->domain), function->name), function->body);
  }
  return hash;
}

/* ---- data ---- */

uint64_t rg_dataset_fingerprint(const rango_dataset *data) {
  uint64_t hash = rg_hash_i64(RG_HASH_START, data->rows);
  for (size_t i = 0; i < data->count; i++) {
    const rango_tensor *array = &data->items[i];
    hash = rg_hash_i64(hash, data->constant[i]);
    if (data->constant[i] || array->shape.rank == 0 || array->type == RANGO_STRING) {
      hash = hash_tensor(hash, array);
      continue;
    }
    size_t row = array->bytes / (size_t)array->shape.dims[0];
    hash = rg_hash_i64(hash, array->type);
    hash = rg_hash(hash, array->shape.dims + 1, (size_t)(array->shape.rank - 1) * sizeof *array->shape.dims);
    for (int64_t j = 0; j < data->rows; j++)
      hash = rg_hash(hash, (const uint8_t *)array->data + (size_t)(data->order ? data->order[j] : j) * row, row);
  }
  return hash;
}
