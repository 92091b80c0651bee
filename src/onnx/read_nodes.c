/* NodeProtos of a graph or function, in two rounds: all outputs are defined first, then inputs are connected, so that
 * the order in the file doesn't matter. */
#include "onnx/read.h"

#include <limits.h>
#include <string.h>

enum { INPUT = 1, OUTPUT = 2, NAME = 3, OP_TYPE = 4, ATTRIBUTE = 5, DOMAIN_NAME = 7, OVERLOAD = 8 };

#define KNOWN                                                                                                          \
  (RG_BIT(INPUT) | RG_BIT(OUTPUT) | RG_BIT(NAME) | RG_BIT(OP_TYPE) | RG_BIT(ATTRIBUTE) | RG_BIT(DOMAIN_NAME) |         \
   RG_BIT(OVERLOAD))

#define NAME_BYTES 96 /* about what a value's entries among the model's names take */

rango_status rg_scope_find(rg_reader *reader, const rg_scope *scope, rg_bytes name, rg_value **out) {
  const char *text;
  RG_TRY(rg_reader_text(reader, name, &text));
  *out = rg_names_find(reader->model->names, scope->graph, text);
  return RANGO_OK;
}

rango_status rg_scope_define(rg_reader *reader, rg_scope *scope, rg_bytes name, rg_value **out, bool *fresh) {
  const char *text;
  RG_TRY(rg_scope_find(reader, scope, name, out));
  *fresh = !*out;
  if (*out) return RANGO_OK;
  RG_TRY(rg_reader_string(reader, name, &text));
  RG_TRY(rg_reader_charge(reader, sizeof **out + NAME_BYTES));
  return rg_graph_add_named_value(scope->graph, text, out);
}

typedef struct node_head {
  const char *op, *domain, *name, *overload;
  size_t inputs, outputs, attributes;
} node_head;

static rango_status read_head(rg_reader *reader, rg_wire wire, node_head *out) {
  *out = (node_head){"", "", "", "", 0, 0, 0};
  rg_field field;
  while (rg_wire_next(&wire, &field)) {
    switch (field.number) {
    case INPUT:
      out->inputs++;
      break;
    case OUTPUT:
      out->outputs++;
      break;
    case ATTRIBUTE:
      out->attributes++;
      break;
    case NAME:
      RG_TRY(rg_reader_name(reader, &field, &out->name));
      break;
    case OP_TYPE:
      RG_TRY(rg_reader_name(reader, &field, &out->op));
      break;
    case DOMAIN_NAME:
      RG_TRY(rg_reader_name(reader, &field, &out->domain));
      break;
    case OVERLOAD:
      RG_TRY(rg_reader_name(reader, &field, &out->overload));
      break;
    default:
      break;
    }
  }
  RG_TRY(wire.status);
  RG_FAIL_IF(!out->op[0], RANGO_ERROR_FORMAT, "node '%s' has no operator", out->name);
  RG_FAIL_IF(out->inputs > INT_MAX || out->outputs > INT_MAX, RANGO_ERROR_LIMIT, "node '%s' (%s) has too many values",
             out->name, out->op);
  RG_FAIL_IF(out->attributes > RG_ONNX_MAX_ATTRIBUTES, RANGO_ERROR_LIMIT, "node '%s' (%s) has over %d attributes",
             out->name, out->op, RG_ONNX_MAX_ATTRIBUTES);
  if (strcmp(out->domain, "ai.onnx") == 0) out->domain = "";
  RG_FAIL_IF(strcmp(out->domain, RG_PRIVATE_DOMAIN) == 0, RANGO_ERROR_UNSUPPORTED,
             "node '%s' (%s): the domain '%s' is reserved and can't be in a file", out->name, out->op, out->domain);
  return RANGO_OK;
}

static rango_status find_version(const rg_reader *reader, const node_head *head, int *out) {
  *out = 0;
  for (size_t i = 0; i < reader->opset_count; i++)
    if (strcmp(reader->opsets[i].domain, head->domain) == 0) *out = (int)reader->opsets[i].version;
  RG_FAIL_IF(*out == 0 && !head->domain[0], RANGO_ERROR_FORMAT,
             "node '%s' (%s): no opset of the standard operators is imported", head->name, head->op);
  return RANGO_OK;
}

static rango_status define_outputs(rg_reader *reader, rg_scope *scope, rg_wire wire, rg_node *node) {
  rg_field field;
  rg_bytes name;
  rg_value *value;
  bool fresh;
  for (int index = 0; rg_wire_next(&wire, &field);) {
    if (field.number != OUTPUT) continue;
    RG_TRY(rg_field_name(&field, &name));
    if (name.bytes) {
      RG_TRY(rg_scope_define(reader, scope, name, &value, &fresh));
      RG_FAIL_IF(!fresh, RANGO_ERROR_FORMAT, "value '%s' is defined twice", value->name);
      rg_node_set_output(node, index, value);
    }
    index++;
  }
  return RANGO_OK;
}

static rango_status define_node(rg_reader *reader, rg_scope *scope, const rg_field *field) {
  rg_bytes data;
  node_head head;
  rg_node *node;
  int version;
  RG_TRY(rg_field_bytes(field, &data));
  RG_TRY(read_head(reader, rg_wire_inside(field), &head));
  RG_TRY(find_version(reader, &head, &version));
  RG_TRY(rg_reader_charge(reader, sizeof *node + (head.inputs + head.outputs) * sizeof(rg_value *)));
  RG_TRY(
      rg_graph_add_node(scope->graph, NULL, head.op, head.domain, version, (int)head.inputs, (int)head.outputs, &node));
  node->name = head.name;
  node->overload = head.overload;
  rango_status status = define_outputs(reader, scope, rg_wire_inside(field), node);
  return status == RANGO_OK ? RANGO_OK : rg_fail_context(status, "%s", rg_node_text(node));
}

rango_status rg_read_define_nodes(rg_reader *reader, rg_scope *scope, rg_wire message, uint32_t number) {
  rg_field field;
  while (rg_wire_next(&message, &field))
    if (field.number == number) RG_TRY(define_node(reader, scope, &field));
  return message.status;
}

/* A name's value here or in an outer graph. Notes where a graph's order is violated. */
static rg_value *resolve(const rg_reader *reader, rg_scope *scope, const char *name) {
  for (; scope; scope = scope->outer) {
    rg_value *value = rg_names_find(reader->model->names, scope->graph, name);
    if (!value) continue;
    if (value->producer && value->producer->id >= scope->current->id) scope->unsorted = true;
    return value;
  }
  return NULL;
}

static rango_status connect_input(rg_reader *reader, rg_scope *scope, rg_node *node, int index, const rg_field *field) {
  rg_bytes name;
  RG_TRY(rg_field_name(field, &name));
  if (name.bytes == 0) return RANGO_OK;
  const char *text;
  RG_TRY(rg_reader_text(reader, name, &text));
  rg_value *value = resolve(reader, scope, text);
  RG_FAIL_IF(!value, RANGO_ERROR_FORMAT, "input %d '%s' is not defined", index, text);
  RG_TRY(rg_reader_charge(reader, 2 * sizeof(rg_use)));
  return rg_node_set_input(node, index, value);
}

static rango_status check_name_is_new(const rg_attr *list, const rg_attr *fresh) {
  for (; list; list = list->next)
    RG_FAIL_IF(strcmp(list->name, fresh->name) == 0, RANGO_ERROR_FORMAT, "attribute '%s' is given twice", fresh->name);
  return RANGO_OK;
}

static rango_status connect_node(rg_reader *reader, rg_scope *scope, rg_node *node, const rg_field *whole) {
  rg_wire message = rg_wire_inside(whole);
  rg_field field;
  rg_attr **end = &node->attributes;
  int index = 0;
  scope->current = node;
  while (rg_wire_next(&message, &field)) {
    if (field.number == INPUT) {
      RG_TRY(connect_input(reader, scope, node, index++, &field));
    } else if (field.number == ATTRIBUTE) {
      rg_attr *attr;
      RG_TRY(rg_read_attribute(reader, scope, node, &field, &attr));
      RG_TRY(check_name_is_new(node->attributes, attr));
      *end = attr;
      end = &attr->next;
    }
  }
  return rg_reader_extra(reader, rg_wire_inside(whole), KNOWN, &node->extra);
}

rango_status rg_read_connect_nodes(rg_reader *reader, rg_scope *scope, rg_wire message, uint32_t number) {
  rg_node *node = scope->graph->first;
  rg_field field;
  RG_TRY(rg_reader_enter(reader));
  while (rg_wire_next(&message, &field)) {
    if (field.number != number) continue;
    rango_status status = connect_node(reader, scope, node, &field);
    if (status != RANGO_OK) return rg_fail_context(status, "%s", rg_node_text(node));
    node = node->next;
  }
  reader->depth--;
  return RANGO_OK;
}
