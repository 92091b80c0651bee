/* Puts functions' bodies in the place of their calls. Functions may call others, so it is done in rounds; one that
 * calls itself never ends and is refused. */
#include <string.h>

#include "graph/copy.h"
#include "passes/passes.h"

#define ROUNDS_MAX 64
#define NODES_MAX  1000000 /* functions that call others twice double at every level */

static const rg_function *function_of(const rango_model *model, const rg_node *node) {
  for (size_t i = 0; i < model->function_count; i++) {
    const rg_function *f = &model->functions[i];
    if (strcmp(f->name, node->op) == 0 && strcmp(f->domain, node->domain) == 0 &&
        strcmp(f->overload ? f->overload : "", node->overload) == 0)
      return f;
  }
  return NULL;
}

/* Whether a node keeps its meaning under the opsets that the model imports. */
static bool node_fits(const rango_model *model, const rg_node *node) {
  int64_t version = rg_model_opset(model, node->domain);
  return version == node->version || version < 0 || function_of(model, node) ||
         rg_op_find(node->domain, node->op, (int)version) == rg_op_find(node->domain, node->op, node->version);
}

static bool body_fits(const rango_model *model, const rg_function *function) {
  for (const rg_node *node = function->body->first; node; node = node->next)
    if (!node_fits(model, node)) return false;
  return true;
}

/* What the model doesn't import yet, it does now. */
static rango_status import_opsets(rango_model *model, const rg_function *function) {
  for (size_t i = 0; i < function->opset_count; i++) {
    if (rg_model_opset(model, function->opsets[i].domain) >= 0) continue;
    rg_opset *opsets;
    RG_TRY(rg_arena_calloc(model->arena, model->opset_count + 1, sizeof *opsets, RG_OUT(&opsets)));
    if (model->opset_count) memcpy(opsets, model->opsets, model->opset_count * sizeof *opsets);
    opsets[model->opset_count++] = function->opsets[i];
    model->opsets = opsets;
  }
  return RANGO_OK;
}

static rango_status copy_body(rg_copier *copier, rg_node *call) {
  const rg_graph *body = copier->function->body;
  rg_graph *graph = call->graph;
  for (size_t i = 0; i < body->inputs.count; i++)
    copier->map[body->inputs.items[i]->id] = (int)i < call->input_count ? call->inputs[i] : NULL;
  for (size_t i = 0; i < body->values.count; i++) {
    rg_value *value = body->values.items[i], *copy;
    if (value->constant && rg_value_is_used(value)) RG_TRY(rg_copy_value(copier, value, graph, &copy));
  }
  for (const rg_node *node = body->first; node; node = node->next) {
    rg_node *copy;
    RG_TRY(rg_copy_node(copier, node, graph, call, &copy));
  }
  return RANGO_OK;
}

/* The call's outputs become the body's: an Identity where that is a value of the caller's. */
static rango_status connect_outputs(const rg_copier *copier, rg_node *call) {
  const rg_graph *body = copier->function->body;
  int version = (int)rg_model_opset(copier->to, "");
  for (size_t i = 0; i < body->outputs.count && (int)i < call->output_count; i++) {
    rg_value *made = copier->map[body->outputs.items[i]->id], *output = call->outputs[i];
    if (!output || !made) continue;
    rg_node *identity;
    rg_node_set_output(call, (int)i, NULL);
    RG_TRY(rg_graph_add_node(call->graph, call, "Identity", "", version > 0 ? version : 1, 1, 1, &identity));
    identity->definition = rg_op_find("", "Identity", identity->version);
    RG_TRY(rg_node_set_input(identity, 0, made));
    rg_node_set_output(identity, 0, output);
  }
  return RANGO_OK;
}

static rango_status inline_call(rg_node *call, const rg_function *function) {
  rango_model *model = call->graph->model;
  rg_copier copier = {.from = model,
                      .to = model,
                      .body = function->body,
                      .map_count = model->value_count,
                      .call = call,
                      .function = function};
  RG_FAIL_IF(model->node_count > NODES_MAX, RANGO_ERROR_LIMIT, "%s: functions expand to more than %d nodes",
             rg_node_text(call), NODES_MAX);
  RG_TRY(import_opsets(model, function));
  RG_TRY(rg_calloc((size_t)model->value_count, sizeof *copier.map, RG_OUT(&copier.map)));
  rango_status status = copy_body(&copier, call);
  if (status == RANGO_OK) status = connect_outputs(&copier, call);
  if (status == RANGO_OK) rg_node_remove(call);
  rg_free(copier.map);
  return status;
}

static rango_status visit(rg_graph *graph, void *argument) {
  int *changes = argument;
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    const rg_function *function = function_of(graph->model, node);
    if (!function || !function->body || !body_fits(graph->model, function)) continue;
    RG_TRY(inline_call(node, function));
    ++*changes;
  }
  return RANGO_OK;
}

static rango_status find_call(rg_graph *graph, void *argument) {
  for (const rg_node *node = graph->first; node; node = node->next)
    if (function_of(graph->model, node)) *(bool *)argument = true;
  return RANGO_OK;
}

rango_status rg_pass_inline_functions(rango_model *model, int *changes) {
  if (!model->function_count) return RANGO_OK;
  int round = 0, inlined;
  do {
    inlined = 0;
    RG_FAIL_IF(round++ == ROUNDS_MAX, RANGO_ERROR_LIMIT, "functions call each other more than %d deep, or themselves",
               ROUNDS_MAX);
    RG_TRY(rg_model_visit_graphs(model, false, visit, &inlined));
    *changes += inlined;
  } while (inlined);
  bool called = false;
  RG_TRY(rg_model_visit_graphs(model, false, find_call, &called));
  if (!called) model->function_count = 0;
  return RANGO_OK;
}
