/* rango_analysis: shapes, parameters and MACs of a model's nodes as they are in the file, functions inlined. */
#include <string.h>

#include "base/checked.h"
#include "engine/engine.h"

struct rango_analysis {
  rango_model *model; /* a copy, resolved: names live in it */
  rg_facts *facts;
  struct {
    rango_layer_info *items;
    size_t count, capacity;
  } layers;
  bool *counted; /* [value_count]: constants that a layer has counted */
  int64_t params, macs;
};

/* ---- facts ---- */

/* Sizes that the file leaves open: as bound, otherwise 1. */
static int64_t bound_size(const rango_model *model, int64_t size, const rango_dim_binding *bindings, size_t count) {
  if (rg_size_is_known(size)) return size;
  size_t id = rg_size_is_symbol(size) ? (size_t)rg_size_symbol_id(size) : SIZE_MAX;
  const char *name = id < model->symbols.count ? model->symbols.items[id] : NULL;
  for (size_t i = 0; name && i < count; i++)
    if (strcmp(bindings[i].symbol, name) == 0) return bindings[i].value;
  return 1;
}

static rango_status make_facts(rango_analysis *analysis, const rango_dim_binding *bindings, size_t count) {
  const rg_graph *graph = analysis->model->graph;
  rg_fact *inputs;
  size_t at = 0;
  RG_TRY(rg_calloc(graph->inputs.count + 1, sizeof *inputs, RG_OUT(&inputs)));
  for (size_t i = 0; i < graph->inputs.count; i++) {
    const rg_value *value = graph->inputs.items[i];
    if (value->constant) continue;
    rg_fact *fact = &inputs[at++];
    fact->rank = -1;
    if (value->type.kind != RG_KIND_TENSOR) continue;
    rg_fact_set(fact, value->type.type, value->type.rank, value->type.dims);
    for (int d = 0; d < fact->rank; d++) fact->dims[d] = bound_size(analysis->model, fact->dims[d], bindings, count);
  }
  rango_status status = rg_facts_create(analysis->model, inputs, at, NULL, 0, &analysis->facts);
  rg_free(inputs);
  return status;
}

/* ---- layers ---- */

static int64_t float_elements(const rango_tensor *tensor) {
  int64_t count;
  return tensor && rg_type_is_float(tensor->type) && rg_shape_count(&tensor->shape, &count) == RANGO_OK ? count : 0;
}

/* Of a Constant node whose value isn't a tensor. */
static int64_t constant_floats(const rg_node *node) {
  const rg_attr *many = rg_node_attr(node, "value_floats");
  if (many && many->kind == RG_ATTR_FLOATS) return (int64_t)many->count;
  return rg_node_attr(node, "value_float") ? 1 : 0;
}

static int64_t constant_elements(const rg_value *value) {
  const rango_tensor *tensor = rg_value_constant(value);
  if (tensor) return float_elements(tensor);
  return value->producer && rg_node_is(value->producer, "Constant") ? constant_floats(value->producer) : 0;
}

static void copy_shape(const rg_fact *fact, int *rank, int64_t *dims) {
  *rank = fact && fact->kind == RG_KIND_TENSOR ? fact->rank : -1;
  for (int i = 0; i < *rank; i++) dims[i] = rg_size_is_known(fact->dims[i]) ? fact->dims[i] : -1;
}

static int64_t node_macs(const rango_analysis *analysis, const rg_node *node, const rg_fact **facts) {
  if (!node->definition) return -1; /* an operator that Rango doesn't know */
  if (!node->definition->macs) return 0;
  for (int i = 0; i < node->input_count; i++)
    facts[i] = node->inputs[i] ? rg_facts_of(analysis->facts, node->inputs[i]) : NULL;
  for (int i = 0; i < node->output_count; i++)
    facts[node->input_count + i] = node->outputs[i] ? rg_facts_of(analysis->facts, node->outputs[i]) : NULL;
  return node->definition->macs(node, facts, facts + node->input_count);
}

static const char *layer_name(const rg_node *node) {
  if (node->name[0]) return node->name;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->name;
  return "";
}

static void count_params(rango_analysis *analysis, const rg_node *node, rango_layer_info *layer) {
  for (int i = 0; i < node->input_count; i++) {
    const rg_value *value = node->inputs[i];
    const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
    if (!value) continue;
    if (layer->weight_rank < 0 && tensor && tensor->shape.rank > 0 && rg_type_is_float(tensor->type)) {
      layer->weight_rank = tensor->shape.rank;
      memcpy(layer->weight, tensor->shape.dims, (size_t)tensor->shape.rank * sizeof *layer->weight);
    }
    if (analysis->counted[value->id]) continue;
    analysis->counted[value->id] = true;
    layer->params += constant_elements(value);
  }
}

static rango_status add_layer(rango_analysis *analysis, const rg_node *node) {
  const rg_fact **facts;
  RG_TRY(rg_calloc((size_t)(node->input_count + node->output_count) + 1, sizeof *facts, RG_OUT(&facts)));
  rango_status status = RG_RESERVE(&analysis->layers, 1);
  if (status == RANGO_OK) {
    rango_layer_info *layer = &analysis->layers.items[analysis->layers.count++];
    *layer = (rango_layer_info){.name = layer_name(node), .op = node->op, .domain = node->domain, .weight_rank = -1};
    layer->macs = node_macs(analysis, node, facts);
    const rg_value *in = node->input_count > 0 ? node->inputs[0] : NULL;
    const rg_value *out = node->output_count > 0 ? node->outputs[0] : NULL;
    copy_shape(in ? rg_facts_of(analysis->facts, in) : NULL, &layer->input_rank, layer->input);
    copy_shape(out ? rg_facts_of(analysis->facts, out) : NULL, &layer->output_rank, layer->output);
    count_params(analysis, node, layer);
  }
  rg_free(facts);
  return status;
}

static rango_status add_graph(rg_graph *graph, void *argument) {
  rango_analysis *analysis = argument;
  for (size_t i = 0; i < graph->values.count; i++) analysis->params += float_elements(graph->values.items[i]->constant);
  for (const rg_node *node = graph->first; node; node = node->next) {
    if (rg_node_is(node, "Constant") && node->output_count > 0 && node->outputs[0] && !node->outputs[0]->constant)
      analysis->params += constant_elements(node->outputs[0]);
    RG_TRY(add_layer(analysis, node));
  }
  return RANGO_OK;
}

/* ---- totals ---- */

static int64_t add_macs(int64_t a, int64_t b) {
  int64_t sum;
  return a < 0 || b < 0 || !rg_add_i64(a, b, &sum) ? -1 : sum;
}

/* What one run of the graph takes: of the branches of an If the larger counts, of a loop's body one pass. */
static int64_t graph_macs(const rg_graph *graph, const int64_t *by_node, int depth);

static int64_t body_macs(const rg_node *node, const int64_t *by_node, int depth) {
  int64_t total = 0;
  bool branches = rg_node_is(node, "If");
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
    if (attr->kind != RG_ATTR_GRAPH) continue;
    int64_t macs = graph_macs(attr->graph, by_node, depth + 1);
    total = !branches ? add_macs(total, macs) : total < 0 || macs < 0 ? -1 : macs > total ? macs : total;
  }
  return total;
}

static int64_t graph_macs(const rg_graph *graph, const int64_t *by_node, int depth) {
  int64_t total = 0;
  if (depth > 64) return -1;
  for (const rg_node *node = graph->first; node; node = node->next) {
    total = add_macs(total, by_node[node->id]);
    total = add_macs(total, body_macs(node, by_node, depth));
  }
  return total;
}

typedef struct numbering {
  const rango_analysis *analysis;
  int64_t *by_node; /* [node_count] */
  size_t at;
} numbering;

static rango_status number_layers(rg_graph *graph, void *argument) {
  numbering *n = argument;
  for (const rg_node *node = graph->first; node; node = node->next)
    n->by_node[node->id] = n->analysis->layers.items[n->at++].macs;
  return RANGO_OK;
}

static rango_status sum_macs(rango_analysis *analysis) {
  numbering n = {.analysis = analysis};
  RG_TRY(rg_calloc((size_t)analysis->model->node_count + 1, sizeof *n.by_node, RG_OUT(&n.by_node)));
  rango_status status = rg_model_visit_graphs(analysis->model, false, number_layers, &n);
  if (status == RANGO_OK) analysis->macs = graph_macs(analysis->model->graph, n.by_node, 0);
  rg_free(n.by_node);
  return status;
}

/* ---- public ---- */

static rango_status analyse(rango_analysis *analysis, const rango_model *model, const rango_dim_binding *bindings,
                            size_t count) {
  int changes = 0;
  RG_TRY(rg_model_copy(model, &analysis->model));
  RG_TRY(rg_ops_resolve(analysis->model, false));
  RG_TRY(rg_pass_inline_functions(analysis->model, &changes));
  RG_TRY(rg_ops_resolve(analysis->model, false));
  RG_TRY(make_facts(analysis, bindings, count));
  size_t values = (size_t)analysis->model->value_count;
  RG_TRY(rg_calloc(values + 1, sizeof *analysis->counted, RG_OUT(&analysis->counted)));
  RG_TRY(rg_model_visit_graphs(analysis->model, false, add_graph, analysis));
  return sum_macs(analysis);
}

rango_status rango_analysis_create(const rango_model *model, const rango_dim_binding *bindings, size_t binding_count,
                                   rango_analysis **out) {
  RG_FAIL_IF(!model || !out || (!bindings && binding_count > 0), RANGO_ERROR_ARGUMENT,
             "rango_analysis_create: model, bindings and out must not be NULL");
  *out = NULL;
  for (size_t i = 0; i < binding_count; i++)
    RG_FAIL_IF(!bindings[i].symbol || bindings[i].value < 0, RANGO_ERROR_ARGUMENT,
               "rango_analysis_create: binding %zu has no symbol, or a negative size", i);
  rango_analysis *analysis;
  RG_TRY(rg_calloc(1, sizeof *analysis, RG_OUT(&analysis)));
  rango_status status = analyse(analysis, model, bindings, binding_count);
  if (status == RANGO_OK)
    *out = analysis;
  else
    rango_analysis_free(analysis);
  return status;
}

void rango_analysis_free(rango_analysis *analysis) {
  if (!analysis) return;
  rg_facts_free(analysis->facts);
  rg_model_release(analysis->model);
  rg_free(analysis->layers.items);
  rg_free(analysis->counted);
  rg_free(analysis);
}

size_t rango_analysis_layer_count(const rango_analysis *analysis) { return analysis ? analysis->layers.count : 0; }

const rango_layer_info *rango_analysis_layer(const rango_analysis *analysis, size_t index) {
  return analysis && index < analysis->layers.count ? &analysis->layers.items[index] : NULL;
}

int64_t rango_analysis_params(const rango_analysis *analysis) { return analysis ? analysis->params : 0; }
int64_t rango_analysis_macs(const rango_analysis *analysis) { return analysis ? analysis->macs : -1; }
