/* Weights that no form is tried on, and why. */
#include <string.h>

#include "compress/left_alone.h"

#define ELEMENTS_LEAST 64 /* fewer are not worth a word */

typedef struct listing {
  const rango_model *model;
  const rg_sites *sites;
  rg_arena *arena;
  rg_left_alone *out;
} listing;

/* Where an operator has a weight; -1: it is no layer. */
static int weight_input(const rg_node *node) {
  static const char *const layers[] = {"Gemm", "MatMul", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN"};
  if (rg_node_is(node, "Gather")) return 0;
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
    if (rg_node_is(node, layers[i])) return 1;
  return -1;
}

static bool is_recurrent(const rg_node *node) {
  return rg_node_is(node, "LSTM") || rg_node_is(node, "GRU") || rg_node_is(node, "RNN");
}

/* A matrix of floating-point numbers, or more axes. */
static bool is_weight(const rango_tensor *tensor) {
  return tensor && rg_type_is_float(tensor->type) && tensor->shape.rank >= 2 &&
         rango_tensor_count(tensor) >= ELEMENTS_LEAST;
}

static bool is_site(const listing *l, const rg_node *node) {
  for (size_t i = 0; i < l->sites->count; i++)
    if (l->sites->items[i].node == node->id) return true;
  return false;
}

/* Of a layer in the main graph that is no site. */
static const char *reason_of(const rg_node *node, int input) {
  const rg_value *value = node->inputs[input];
  const rango_tensor *weight = rg_value_constant(value);
  if (value->uses.count > 1) return "its weight is shared with another node";
  if (value->output_uses) return "its weight is an output of the model";
  if (weight->type != RANGO_FLOAT32) return "its weight is not float32";
  if (rg_node_is(node, "Gather")) return "a table is factored from 256 rows on, no fewer than columns, along axis 0";
  if (rg_node_is(node, "ConvTranspose")) return "transposed convolutions have no form";
  if (rg_node_is(node, "Conv")) {
    if (weight->shape.rank > 4) return "convolutions along three axes have no form";
    return rg_node_int(node, "group", 1) > 1 ? "its groups are single channels, or its matrix is too large with them"
                                             : "one of its sides is a single channel";
  }
  if (is_recurrent(node)) return "its bias is not constant";
  return "its sides, its bias or its attributes leave no room for two factors";
}

static rango_status add(listing *l, const rg_node *node, const rango_tensor *weight, const char *reason) {
  char text[RG_SHAPE_TEXT];
  const char *name = node->name && node->name[0] ? node->name : "";
  for (int i = 0; i < node->output_count && !name[0]; i++)
    if (node->outputs[i]) name = node->outputs[i]->name;
  RG_TRY(RG_RESERVE(l->out, 1));
  rango_left_alone *item = &l->out->items[l->out->count];
  *item = (rango_left_alone){.params = rango_tensor_count(weight)};
  rg_shape_text(&weight->shape, text, sizeof text);
  RG_TRY(rg_arena_strndup(l->arena, name, strlen(name), &item->name));
  RG_TRY(rg_arena_strndup(l->arena, node->op, strlen(node->op), &item->op));
  RG_TRY(rg_arena_strndup(l->arena, text, strlen(text), &item->shape));
  RG_TRY(rg_arena_strndup(l->arena, reason, strlen(reason), &item->reason));
  l->out->count++;
  return RANGO_OK;
}

static rango_status list_graph(listing *l, const rg_graph *graph);

static rango_status list_bodies(listing *l, const rg_node *node) {
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
    if (attr->kind == RG_ATTR_GRAPH) RG_TRY(list_graph(l, attr->graph));
    for (size_t i = 0; attr->kind == RG_ATTR_GRAPHS && i < attr->count; i++) RG_TRY(list_graph(l, attr->graphs[i]));
  }
  return RANGO_OK;
}

static rango_status list_graph(listing *l, const rg_graph *graph) {
  for (const rg_node *node = graph->first; node; node = node->next) {
    int input = weight_input(node);
    RG_TRY(list_bodies(l, node));
    if (input < 0 || input >= node->input_count || !node->inputs[input]) continue;
    const rango_tensor *weight = rg_value_constant(node->inputs[input]);
    bool inside = graph != l->model->graph, left = inside || !is_site(l, node);
    const char *reason = inside ? "it is inside of a body (If, Loop, Scan)" : NULL;
    if (left && is_weight(weight)) RG_TRY(add(l, node, weight, reason ? reason : reason_of(node, input)));
    const bool has_states = is_recurrent(node) && node->input_count > 2 && node->inputs[2];
    const rango_tensor *states = has_states ? rg_value_constant(node->inputs[2]) : NULL;
    if (is_weight(states))
      RG_TRY(add(l, node, states,
                 reason ? reason
                        : "recurrent weights: the operator has no place for a second factor between "
                          "two steps"));
  }
  return RANGO_OK;
}

rango_status rg_left_alone_find(const rango_model *model, const rg_sites *sites, rg_arena *arena, rg_left_alone *out) {
  *out = (rg_left_alone){0};
  return list_graph(&(listing){.model = model, .sites = sites, .arena = arena, .out = out}, model->graph);
}
