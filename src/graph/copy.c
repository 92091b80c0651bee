#include "graph/copy.h"

#include <string.h>

static rango_status copy_text(rg_copier *c, const char *text, const char **out) {
  *out = text;
  if (!text || !text[0] || c->from == c->to) return RANGO_OK;
  return rg_arena_strndup(c->to->arena, text, strlen(text), out);
}

static rango_status copy_memory(rg_copier *c, const void *data, size_t count, size_t size, void *out) {
  void *copy = NULL;
  if (data && count) {
    RG_TRY(rg_arena_calloc(c->to->arena, count, size, &copy));
    memcpy(copy, data, count * size);
  }
  memcpy(out, &copy, sizeof copy);
  return RANGO_OK;
}

static rango_status copy_bytes(rg_copier *c, rg_bytes from, rg_bytes *out) {
  *out = from;
  return c->from == c->to ? RANGO_OK : copy_memory(c, from.data, from.bytes, 1, &out->data);
}

static rango_status copy_tensor(rg_copier *c, const rango_tensor *from, rango_tensor **out) {
  rango_tensor view;
  *out = NULL;
  if (!from) return RANGO_OK;
  if (from->buffer)
    rg_tensor_init_view(&view, from);
  else
    RG_TRY(rg_tensor_copy(&view, from));
  return rg_model_add_tensor(c->to, &view, out);
}

/* A chain of inner types is as long as the file's nesting, which its reader bounds. */
static rango_status copy_type(rg_copier *c, const rg_type_info *from, rg_type_info *to) {
  for (;;) {
    *to = *from;
    if (c->from == c->to) return RANGO_OK; /* types are never written in place */
    int64_t *dims;
    RG_TRY(copy_memory(c, from->dims, from->rank > 0 ? (size_t)from->rank : 0, sizeof *dims, &dims));
    to->dims = dims;
    RG_TRY(copy_bytes(c, from->raw, &to->raw));
    if (!from->inner) return RANGO_OK;
    rg_type_info *inner;
    RG_TRY(rg_arena_alloc(c->to->arena, sizeof *inner, RG_OUT(&inner)));
    to->inner = inner;
    from = from->inner;
    to = inner;
  }
}

/* Under the same name and id, which rg_graph_add_value would not promise. */
static rango_status add_same_value(rg_copier *c, const rg_value *from, rg_graph *graph, rg_value **out) {
  const char *name;
  int count = c->to->value_count;
  RG_TRY(rg_arena_strndup(c->to->arena, from->name, strlen(from->name), &name));
  RG_TRY(rg_graph_add_named_value(graph, name, out));
  c->to->value_count = count;
  (*out)->id = from->id;
  return RANGO_OK;
}

rango_status rg_copy_value(rg_copier *c, const rg_value *from, rg_graph *graph, rg_value **out) {
  RG_TRY(c->keep_ids ? add_same_value(c, from, graph, out) : rg_graph_add_value(graph, from->name, out));
  rg_value *to = *out;
  c->map[from->id] = to;
  to->layout = from->layout;
  RG_TRY(copy_type(c, &from->type, &to->type));
  RG_TRY(copy_bytes(c, from->extra, &to->extra));
  RG_TRY(copy_bytes(c, from->tensor_extra, &to->tensor_extra));
  RG_TRY(copy_bytes(c, from->sparse, &to->sparse));
  return copy_tensor(c, from->constant, &to->constant);
}

static rg_value *mapped(const rg_copier *c, rg_value *value) {
  if (!value) return NULL;
  rg_value *copy = value->id < c->map_count ? c->map[value->id] : NULL;
  if (copy || c->from != c->to) return copy;
  return value->graph == c->body ? NULL : value;
}

static rango_status copy_graph(rg_copier *c, const rg_graph *from, rg_node *owner, rg_graph **out);

static rango_status copy_strings(rg_copier *c, const rg_string *from, size_t count, const rg_string **out) {
  rg_string *copy;
  RG_TRY(rg_arena_calloc(c->to->arena, count, sizeof *copy, RG_OUT(&copy)));
  for (size_t i = 0; i < count; i++) {
    copy[i].length = from[i].length;
    RG_TRY(rg_arena_strndup(c->to->arena, from[i].text, from[i].length, &copy[i].text));
  }
  *out = copy;
  return RANGO_OK;
}

static rango_status copy_tensor_extra(rg_copier *c, const rg_attr *from, rg_attr *to) {
  if (!from->tensor_extra || c->from == c->to) return RANGO_OK;
  size_t count = from->kind == RG_ATTR_TENSOR ? 1 : from->count;
  rg_bytes *copy;
  RG_TRY(rg_arena_calloc(c->to->arena, count, sizeof *copy, RG_OUT(&copy)));
  for (size_t i = 0; i < count; i++) RG_TRY(copy_bytes(c, from->tensor_extra[i], &copy[i]));
  to->tensor_extra = copy;
  return RANGO_OK;
}

static rango_status copy_content(rg_copier *c, const rg_attr *from, rg_node *node, rg_attr *to) {
  switch (from->kind) {
  case RG_ATTR_STRING:
    return rg_arena_strndup(c->to->arena, from->s.text ? from->s.text : "", from->s.length, &to->s.text);
  case RG_ATTR_TENSOR:
    return copy_tensor(c, from->tensor, &to->tensor);
  case RG_ATTR_GRAPH:
    return from->graph ? copy_graph(c, from->graph, node, &to->graph) : RANGO_OK;
  case RG_ATTR_FLOATS:
    return copy_memory(c, from->floats, from->count, sizeof *from->floats, &to->floats);
  case RG_ATTR_INTS:
    return copy_memory(c, from->ints, from->count, sizeof *from->ints, &to->ints);
  case RG_ATTR_STRINGS:
    return copy_strings(c, from->strings, from->count, &to->strings);
  case RG_ATTR_TENSORS:
    RG_TRY(rg_arena_calloc(c->to->arena, from->count, sizeof *to->tensors, RG_OUT(&to->tensors)));
    for (size_t i = 0; i < from->count; i++) RG_TRY(copy_tensor(c, from->tensors[i], &to->tensors[i]));
    return RANGO_OK;
  case RG_ATTR_GRAPHS:
    RG_TRY(rg_arena_calloc(c->to->arena, from->count, sizeof *to->graphs, RG_OUT(&to->graphs)));
    for (size_t i = 0; i < from->count; i++) RG_TRY(copy_graph(c, from->graphs[i], node, &to->graphs[i]));
    return RANGO_OK;
  default:
    return RANGO_OK; /* plain numbers, or kept in `raw` */
  }
}

/* What an attribute of a function's body stands for at this call, or NULL: then it is absent. */
static const rg_attr *resolved(const rg_copier *c, const rg_attr *attr) {
  if (!attr->reference || !c->call) return attr;
  const rg_attr *given = rg_node_attr(c->call, attr->reference);
  if (given) return given;
  for (const rg_attr *d = c->function->defaults; d; d = d->next)
    if (strcmp(d->name, attr->reference) == 0) return d;
  return NULL;
}

static rango_status copy_attributes(rg_copier *c, const rg_attr *from, rg_node *node, rg_attr **end) {
  for (; from; from = from->next) {
    const rg_attr *source = resolved(c, from);
    if (!source) continue;
    rg_attr *to;
    RG_TRY(rg_arena_alloc(c->to->arena, sizeof *to, RG_OUT(&to)));
    *to = *source;
    to->next = NULL;
    RG_TRY(copy_text(c, from->name, &to->name));
    RG_TRY(copy_text(c, source->reference, &to->reference));
    RG_TRY(copy_bytes(c, source->raw, &to->raw));
    RG_TRY(copy_bytes(c, source->extra, &to->extra));
    RG_TRY(copy_tensor_extra(c, source, to));
    RG_TRY(copy_content(c, source, node, to));
    *end = to;
    end = &to->next;
  }
  return RANGO_OK;
}

rango_status rg_copy_node(rg_copier *c, const rg_node *from, rg_graph *graph, rg_node *before, rg_node **out) {
  rg_node *to;
  RG_TRY(rg_graph_add_node(graph, before, from->op, from->domain, from->version, from->input_count, from->output_count,
                           &to));
  if (c->keep_ids) {
    to->id = from->id;
    c->to->node_count--;
  }
  RG_TRY(copy_text(c, from->name, &to->name));
  RG_TRY(copy_text(c, from->overload, &to->overload));
  RG_TRY(copy_bytes(c, from->extra, &to->extra));
  to->definition = from->definition;
  for (int i = 0; i < from->input_count; i++) RG_TRY(rg_node_set_input(to, i, mapped(c, from->inputs[i])));
  for (int i = 0; i < from->output_count; i++) {
    rg_value *value = from->outputs[i] ? c->map[from->outputs[i]->id] : NULL;
    if (from->outputs[i] && !value) RG_TRY(rg_copy_value(c, from->outputs[i], graph, &value));
    rg_node_set_output(to, i, value);
  }
  *out = to;
  return copy_attributes(c, from->attributes, to, &to->attributes);
}

/* All values first: nodes of subgraphs refer to values of the graphs around them. */
static rango_status fill_graph(rg_copier *c, const rg_graph *from, rg_graph *to) {
  rg_value *value;
  rg_node *node;
  RG_TRY(copy_text(c, from->name, &to->name));
  RG_TRY(copy_bytes(c, from->extra, &to->extra));
  for (size_t i = 0; i < from->values.count; i++) RG_TRY(rg_copy_value(c, from->values.items[i], to, &value));
  for (size_t i = 0; i < from->inputs.count; i++) RG_TRY(rg_graph_add_input(to, mapped(c, from->inputs.items[i])));
  for (const rg_node *n = from->first; n; n = n->next) RG_TRY(rg_copy_node(c, n, to, NULL, &node));
  for (size_t i = 0; i < from->outputs.count; i++) RG_TRY(rg_graph_add_output(to, mapped(c, from->outputs.items[i])));
  return RANGO_OK;
}

/* Depth is bounded by rg_graph_create. */
static rango_status copy_graph(rg_copier *c, const rg_graph *from, rg_node *owner, rg_graph **out) {
  RG_TRY(rg_graph_create(c->to, owner, out));
  return fill_graph(c, from, *out);
}

static rango_status copy_opsets(rg_copier *c, const rg_opset *from, size_t count, rg_opset **out) {
  RG_TRY(copy_memory(c, from, count, sizeof *from, out));
  for (size_t i = 0; i < count; i++) RG_TRY(copy_text(c, from[i].domain, &(*out)[i].domain));
  return RANGO_OK;
}

static rango_status copy_function(rg_copier *c, const rg_function *from, rg_function *to) {
  *to = *from;
  RG_TRY(copy_text(c, from->name, &to->name));
  RG_TRY(copy_text(c, from->domain, &to->domain));
  RG_TRY(copy_text(c, from->overload, &to->overload));
  RG_TRY(copy_memory(c, from->attributes, from->attribute_count, sizeof *from->attributes, &to->attributes));
  for (size_t i = 0; i < from->attribute_count; i++) RG_TRY(copy_text(c, from->attributes[i], &to->attributes[i]));
  RG_TRY(copy_opsets(c, from->opsets, from->opset_count, &to->opsets));
  RG_TRY(copy_bytes(c, from->extra, &to->extra));
  to->defaults = NULL;
  RG_TRY(copy_attributes(c, from->defaults, NULL, &to->defaults));
  return from->body ? copy_graph(c, from->body, NULL, &to->body) : RANGO_OK;
}

/* All that isn't graphs. */
static rango_status copy_header(rg_copier *c) {
  const rango_model *from = c->from;
  rango_model *to = c->to;
  to->ir_version = from->ir_version;
  to->file_bytes = from->file_bytes;
  to->suffixes = from->suffixes;
  RG_TRY(copy_text(c, from->path, &to->path));
  RG_TRY(copy_text(c, from->folder, &to->folder));
  RG_TRY(copy_text(c, from->producer_name, &to->producer_name));
  RG_TRY(copy_text(c, from->producer_version, &to->producer_version));
  RG_TRY(copy_bytes(c, from->extra, &to->extra));
  to->opset_count = from->opset_count;
  RG_TRY(copy_opsets(c, from->opsets, from->opset_count, &to->opsets));
  to->property_count = from->property_count;
  RG_TRY(copy_memory(c, from->properties, from->property_count, sizeof *from->properties, &to->properties));
  for (size_t i = 0; i < from->property_count; i++) {
    RG_TRY(copy_text(c, from->properties[i].key, &to->properties[i].key));
    RG_TRY(copy_text(c, from->properties[i].value, &to->properties[i].value));
  }
  int64_t size;
  for (size_t i = 0; i < from->symbols.count; i++) RG_TRY(rg_model_symbol(to, from->symbols.items[i], &size));
  return RANGO_OK;
}

static rango_status copy_model(rg_copier *c) {
  RG_TRY(copy_header(c));
  RG_TRY(fill_graph(c, c->from->graph, c->to->graph));
  RG_TRY(rg_arena_calloc(c->to->arena, c->from->function_count, sizeof *c->to->functions, RG_OUT(&c->to->functions)));
  for (; c->to->function_count < c->from->function_count; c->to->function_count++)
    RG_TRY(copy_function(c, &c->from->functions[c->to->function_count], &c->to->functions[c->to->function_count]));
  c->to->value_count = c->from->value_count;
  c->to->node_count = c->from->node_count;
  return RANGO_OK;
}

rango_status rg_model_copy(const rango_model *from, rango_model **out) {
  rg_copier c = {.from = (rango_model *)from, .map_count = from->value_count, .keep_ids = true}; /* only read */
  *out = NULL;
  RG_TRY(rg_model_create(&c.to));
  rango_status status = rg_calloc((size_t)from->value_count, sizeof *c.map, RG_OUT(&c.map));
  if (status == RANGO_OK) status = copy_model(&c);
  rg_free(c.map);
  if (status != RANGO_OK)
    rg_model_release(c.to);
  else
    *out = c.to;
  return status;
}
