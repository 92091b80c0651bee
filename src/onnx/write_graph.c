/* GraphProto, NodeProto, AttributeProto, ValueInfoProto. */
#include "onnx/write.h"

#include <string.h>

/* ---- values ---- */

static void put_dim(rg_put *put, const rango_model *model, int64_t size) {
  enum { DIM = 1, DIM_VALUE = 1, DIM_PARAM = 2 };
  rg_put_mark mark = rg_put_begin(put, DIM);
  if (rg_size_is_known(size)) {
    rg_put_int(put, DIM_VALUE, size);
  } else if (rg_size_is_symbol(size)) {
    size_t id = (size_t)rg_size_symbol_id(size);
    rg_put_text(put, DIM_PARAM, id < model->symbols.count ? model->symbols.items[id] : NULL);
  }
  rg_put_end(put, mark);
}

static void put_type(rg_put *put, const rango_model *model, const rg_type_info *type);

static void put_inner(rg_put *put, uint32_t field, const rango_model *model, const rg_type_info *inner) {
  if (!inner) return;
  rg_put_mark mark = rg_put_begin(put, field);
  put_type(put, model, inner);
  rg_put_end(put, mark);
}

/* The content of a TypeProto that a pass has set; chains of inner types are bounded by their readers. */
static void put_type(rg_put *put, const rango_model *model, const rg_type_info *type) {
  enum { ELEMENTS = 1, SHAPE = 2 };
  static const uint8_t fields[] = {[RG_KIND_TENSOR] = 1, [RG_KIND_SEQUENCE] = 4, [RG_KIND_MAP] = 5,
                                   [RG_KIND_OPAQUE] = 7, [RG_KIND_SPARSE] = 8,   [RG_KIND_OPTIONAL] = 9};
  if (type->raw.bytes && !type->changed) {
    rg_put_raw(put, type->raw);
    return;
  }
  if (type->kind == RG_KIND_NONE || (size_t)type->kind >= sizeof fields) return;
  rg_put_mark mark = rg_put_begin(put, fields[type->kind]);
  if (type->type != RANGO_UNDEFINED) rg_put_int(put, ELEMENTS, type->type);
  if (type->kind == RG_KIND_SEQUENCE || type->kind == RG_KIND_OPTIONAL) put_inner(put, 1, model, type->inner);
  if (type->kind == RG_KIND_MAP) put_inner(put, 2, model, type->inner);
  if ((type->kind == RG_KIND_TENSOR || type->kind == RG_KIND_SPARSE) && type->rank >= 0) {
    rg_put_mark shape = rg_put_begin(put, SHAPE);
    for (int i = 0; i < type->rank; i++) put_dim(put, model, type->dims[i]);
    rg_put_end(put, shape);
  }
  rg_put_end(put, mark);
}

void rg_write_value_info(rg_put *put, uint32_t field, const rg_value *value) {
  enum { NAME = 1, TYPE = 2 };
  rg_put_mark mark = rg_put_begin(put, field);
  rg_put_name(put, NAME, value->name);
  if (value->type.kind != RG_KIND_NONE || value->type.raw.bytes) {
    rg_put_mark type = rg_put_begin(put, TYPE);
    put_type(put, value->graph->model, &value->type);
    rg_put_end(put, type);
  }
  rg_put_raw(put, value->extra);
  rg_put_end(put, mark);
}

bool rg_write_wants_constant(const rg_value *value) {
  return value->constant && !value->producer && (value->is_input || rg_value_is_used(value));
}

void rg_write_value_infos(rg_put *put, uint32_t field, const rg_graph *graph) {
  for (size_t i = 0; i < graph->values.count; i++) {
    const rg_value *value = graph->values.items[i];
    bool declared = value->type.kind != RG_KIND_NONE || value->extra.bytes;
    bool there = value->producer || rg_write_wants_constant(value);
    if (declared && there && !value->is_input && !value->output_uses) rg_write_value_info(put, field, value);
  }
}

/* ---- attributes ---- */

static void put_items(rg_put *put, const rg_attr *attr) {
  enum { FLOATS = 7, INTS = 8, STRINGS = 9, TENSORS = 10, GRAPHS = 11 };
  for (size_t i = 0; i < attr->count; i++) {
    switch (attr->kind) {
    case RG_ATTR_FLOATS:
      rg_put_float(put, FLOATS, attr->floats[i]);
      break;
    case RG_ATTR_INTS:
      rg_put_int(put, INTS, attr->ints[i]);
      break;
    case RG_ATTR_STRINGS:
      rg_put_bytes(put, STRINGS, attr->strings[i].text, attr->strings[i].length);
      break;
    case RG_ATTR_TENSORS:
      rg_write_tensor(put, TENSORS, attr->tensors[i], NULL, attr->tensor_extra ? attr->tensor_extra[i] : (rg_bytes){0});
      break;
    case RG_ATTR_GRAPHS:
      rg_write_graph(put, GRAPHS, attr->graphs[i]);
      break;
    default:
      break;
    }
  }
}

static void put_value(rg_put *put, const rg_attr *attr) {
  enum { F = 2, I = 3, S = 4, T = 5, G = 6 };
  switch (attr->kind) {
  case RG_ATTR_FLOAT:
    rg_put_float(put, F, attr->f);
    break;
  case RG_ATTR_INT:
    rg_put_int(put, I, attr->i);
    break;
  case RG_ATTR_STRING:
    rg_put_bytes(put, S, attr->s.text, attr->s.length);
    break;
  case RG_ATTR_TENSOR:
    rg_write_tensor(put, T, attr->tensor, NULL, attr->tensor_extra ? attr->tensor_extra[0] : (rg_bytes){0});
    break;
  case RG_ATTR_GRAPH:
    rg_write_graph(put, G, attr->graph);
    break;
  default:
    put_items(put, attr);
  }
}

void rg_write_attribute(rg_put *put, uint32_t field, const rg_attr *attr) {
  enum { NAME = 1, TYPE = 20, REFERENCE = 21 };
  if (attr->raw.bytes) {
    rg_put_bytes(put, field, attr->raw.data, attr->raw.bytes);
    return;
  }
  rg_put_mark mark = rg_put_begin(put, field);
  rg_put_name(put, NAME, attr->name);
  if (!attr->reference) put_value(put, attr);
  rg_put_raw(put, attr->extra);
  rg_put_int(put, TYPE, attr->kind);
  rg_put_text(put, REFERENCE, attr->reference);
  rg_put_end(put, mark);
}

/* ---- nodes ---- */

static void put_node(rg_put *put, uint32_t field, const rg_node *node) {
  enum { INPUT = 1, OUTPUT = 2, NAME = 3, OP_TYPE = 4, ATTRIBUTE = 5, DOMAIN_NAME = 7, OVERLOAD = 8 };
  if (strcmp(node->domain, RG_PRIVATE_DOMAIN) == 0)
    rg_put_fail(put, rg_fail(RANGO_ERROR_UNSUPPORTED, "%s: operators of domain '%s' can't be written",
                             rg_node_text(node), RG_PRIVATE_DOMAIN));
  rg_put_mark mark = rg_put_begin(put, field);
  for (int i = 0; i < node->input_count; i++) rg_put_name(put, INPUT, node->inputs[i] ? node->inputs[i]->name : "");
  for (int i = 0; i < node->output_count; i++) rg_put_name(put, OUTPUT, node->outputs[i] ? node->outputs[i]->name : "");
  rg_put_text(put, NAME, node->name);
  rg_put_name(put, OP_TYPE, node->op);
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) rg_write_attribute(put, ATTRIBUTE, attr);
  rg_put_text(put, DOMAIN_NAME, node->domain);
  rg_put_text(put, OVERLOAD, node->overload);
  rg_put_raw(put, node->extra);
  rg_put_end(put, mark);
}

void rg_write_nodes(rg_put *put, uint32_t field, const rg_graph *graph) {
  for (const rg_node *node = graph->first; node; node = node->next) put_node(put, field, node);
}

void rg_write_graph(rg_put *put, uint32_t field, const rg_graph *graph) {
  enum { NODE = 1, NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, VALUE_INFO = 13, SPARSE_INITIALIZER = 15 };
  rg_put_mark mark = rg_put_begin(put, field);
  rg_write_nodes(put, NODE, graph);
  rg_put_text(put, NAME, graph->name);
  for (size_t i = 0; i < graph->values.count; i++) {
    const rg_value *value = graph->values.items[i];
    if (!rg_write_wants_constant(value)) continue;
    if (value->sparse.bytes)
      rg_put_bytes(put, SPARSE_INITIALIZER, value->sparse.data, value->sparse.bytes);
    else
      rg_write_tensor(put, INITIALIZER, value->constant, value->name, value->tensor_extra);
  }
  for (size_t i = 0; i < graph->inputs.count; i++) rg_write_value_info(put, INPUT, graph->inputs.items[i]);
  for (size_t i = 0; i < graph->outputs.count; i++) rg_write_value_info(put, OUTPUT, graph->outputs.items[i]);
  rg_write_value_infos(put, VALUE_INFO, graph);
  rg_put_raw(put, graph->extra);
  rg_put_end(put, mark);
}
