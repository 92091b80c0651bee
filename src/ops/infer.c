/* Inference over a graph: every node's shape rule in order, subgraphs and functions included. */
#include "ops/op.h"

#include <string.h>

#define DEPTH_MAX 64 /* nested bodies and function calls */

typedef struct rg_driver {
  rg_facts *facts;
  const rango_model *model;
  const rg_graph *root;  /* what is outside takes its facts from `outer` */
  const rg_facts *outer; /* or NULL */
  bool declared;         /* declarations inside the graph may fill in what inference leaves open */
  const rango_dim_binding *bindings;
  size_t binding_count;
  int depth;
  int64_t budget; /* nodes still to infer: bodies are inferred more than once, nested ones exponentially often */
} rg_driver;

static void clear_fact(rg_fact *fact) {
  memset(fact, 0, sizeof *fact);
  fact->rank = -1;
}

static int64_t declared_size(const rg_driver *driver, int64_t size) {
  if (rg_size_is_known(size)) return size >= 0 ? size : RG_SIZE_UNKNOWN;
  if (!rg_size_is_symbol(size)) return size;
  size_t id = (size_t)rg_size_symbol_id(size);
  const char *name = id < driver->model->symbols.count ? driver->model->symbols.items[id] : NULL;
  for (size_t i = 0; name && i < driver->binding_count; i++)
    if (strcmp(driver->bindings[i].symbol, name) == 0) return driver->bindings[i].value;
  return size;
}

/* What the file says of a value. */
static rango_status set_declared(rg_driver *driver, const rg_type_info *type, rg_fact *fact, int depth) {
  fact->kind = type->kind;
  fact->type = type->type;
  fact->rank = type->kind == RG_KIND_TENSOR && type->rank <= RANGO_MAX_RANK ? type->rank : -1;
  for (int i = 0; i < fact->rank; i++) fact->dims[i] = declared_size(driver, type->dims[i]);
  if (!type->inner || depth > DEPTH_MAX) return RANGO_OK;
  rg_fact *inner;
  RG_TRY(rg_arena_alloc(driver->facts->arena, sizeof *inner, RG_OUT(&inner)));
  clear_fact(inner);
  fact->inner = inner;
  return set_declared(driver, type->inner, inner, depth + 1);
}

static void name_open_sizes(rg_driver *driver, rg_fact *fact) {
  if (fact->kind != RG_KIND_TENSOR) return;
  for (int i = 0; i < fact->rank; i++)
    if (fact->dims[i] == RG_SIZE_UNKNOWN && driver->facts->next_symbol < INT32_MAX)
      fact->dims[i] = RG_SIZE_SYMBOL(driver->facts->next_symbol++);
}

/* A copy whose arrays lie in these facts' arena. */
static rango_status adopt_fact(rg_driver *driver, const rg_fact *from, rg_fact *to, int depth) {
  *to = *from;
  to->inner = NULL;
  if (from->known) {
    int64_t *known;
    RG_TRY(rg_arena_calloc(driver->facts->arena, (size_t)from->known_count + 1, sizeof *known, RG_OUT(&known)));
    memcpy(known, from->known, (size_t)from->known_count * sizeof *known);
    to->known = known;
  }
  if (!from->inner || depth > DEPTH_MAX) return RANGO_OK;
  rg_fact *inner;
  RG_TRY(rg_arena_alloc(driver->facts->arena, sizeof *inner, RG_OUT(&inner)));
  to->inner = inner;
  return adopt_fact(driver, from->inner, inner, depth + 1);
}

static bool is_inside(const rg_driver *driver, const rg_graph *graph) {
  for (int i = 0; graph && i <= 2 * DEPTH_MAX; i++) {
    if (graph == driver->root) return true;
    graph = graph->owner ? graph->owner->graph : NULL;
  }
  return false;
}

/* The fact of a value that a node of the graph reads; outer ones and constants are filled in when they are met. */
static rango_status read_fact(rg_driver *driver, const rg_value *value, const rg_fact **out) {
  rg_fact *fact = &driver->facts->items[value->id];
  *out = fact;
  if (fact->kind != RG_KIND_NONE) return RANGO_OK;
  const rango_tensor *constant = rg_value_constant(value);
  if (constant)
    rg_fact_from_tensor(fact, constant);
  else if (driver->outer && !is_inside(driver, value->graph))
    RG_TRY(adopt_fact(driver, rg_facts_of(driver->outer, value), fact, 0));
  return RANGO_OK;
}

static rango_status infer_graph(rg_driver *driver, const rg_graph *graph, const rg_fact *const *inputs,
                                size_t input_count);

static rango_status collect_outputs(rg_driver *driver, const rg_graph *graph, rg_fact **out) {
  RG_TRY(rg_arena_calloc(driver->facts->arena, graph->outputs.count + 1, sizeof **out, RG_OUT(out)));
  for (size_t i = 0; i < graph->outputs.count; i++) {
    const rg_fact *fact;
    RG_TRY(read_fact(driver, graph->outputs.items[i], &fact));
    (*out)[i] = *fact;
  }
  return RANGO_OK;
}

static rango_status infer_body(rg_driver *driver, const rg_graph *body, const rg_fact *const *inputs,
                               size_t input_count, rg_fact **out) {
  if (driver->depth >= DEPTH_MAX) RG_FAIL(RANGO_ERROR_LIMIT, "bodies are nested more than %d deep", DEPTH_MAX);
  driver->depth++;
  rango_status status = infer_graph(driver, body, inputs, input_count);
  driver->depth--;
  return status == RANGO_OK ? collect_outputs(driver, body, out) : status;
}

static rango_status infer_subgraph(rg_infer *infer, const rg_graph *body, const rg_fact *const *inputs,
                                   size_t input_count, rg_fact **outputs) {
  rg_driver *driver = infer->host;
  driver->facts->next_symbol = infer->next_symbol;
  rango_status status = infer_body(driver, body, inputs, input_count, outputs);
  infer->next_symbol = driver->facts->next_symbol;
  return status;
}

/* ---- functions ---- */

static const rg_function *called_function(const rg_driver *driver, const rg_node *node) {
  for (size_t i = 0; i < driver->model->function_count; i++) {
    const rg_function *function = &driver->model->functions[i];
    if (strcmp(function->name, node->op) == 0 && strcmp(function->domain, node->domain) == 0 &&
        strcmp(function->overload ? function->overload : "", node->overload ? node->overload : "") == 0)
      return function;
  }
  return NULL;
}

/* Bodies that take attributes from the call mean something else at each: they are inferred once they are inlined. */
static bool has_references(const rg_graph *graph) {
  for (const rg_node *node = graph->first; node; node = node->next)
    for (const rg_attr *attr = node->attributes; attr; attr = attr->next)
      if (attr->reference || attr->kind == RG_ATTR_GRAPH || attr->kind == RG_ATTR_GRAPHS) return true;
  return false;
}

static rango_status infer_call(rg_driver *driver, const rg_node *node, const rg_function *function,
                               const rg_fact *const *inputs, rg_fact *const *outputs) {
  if (has_references(function->body)) return RANGO_OK;
  rg_fact *results;
  RG_TRY(infer_body(driver, function->body, inputs, (size_t)node->input_count, &results));
  for (int i = 0; i < node->output_count && (size_t)i < function->body->outputs.count; i++)
    if (outputs[i]) *outputs[i] = results[i];
  return RANGO_OK;
}

/* ---- nodes ---- */

/* Checks what a shape rule said of an output, and fills in what it left open. */
static rango_status finish_output(rg_driver *driver, const rg_node *node, const rg_value *value, rg_fact *fact) {
  if (driver->declared && value->type.kind != RG_KIND_NONE) {
    if (fact->kind == RG_KIND_NONE)
      RG_TRY(set_declared(driver, &value->type, fact, 0));
    else if (fact->kind == RG_KIND_TENSOR && value->type.kind == RG_KIND_TENSOR) {
      if (fact->type == RANGO_UNDEFINED) fact->type = value->type.type;
      if (fact->rank < 0 && value->type.rank <= RANGO_MAX_RANK) {
        fact->rank = value->type.rank;
        for (int i = 0; i < fact->rank; i++) fact->dims[i] = declared_size(driver, value->type.dims[i]);
      }
    }
  }
  int64_t count = 1;
  for (int i = 0; i < fact->rank; i++) {
    if (!rg_size_is_known(fact->dims[i]))
      count = -1;
    else if (fact->dims[i] < 0)
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: output '%s' would have a negative size (%lld on axis %d)", rg_node_text(node),
              value->name, (long long)fact->dims[i], i);
    else if (count >= 0 && __builtin_mul_overflow(count, fact->dims[i], &count))
      RG_FAIL(RANGO_ERROR_LIMIT, "%s: output '%s' would be too large", rg_node_text(node), value->name);
  }
  if (fact->known && (fact->rank < 0 || count != fact->known_count)) fact->known = NULL;
  name_open_sizes(driver, fact);
  return RANGO_OK;
}

static rango_status run_rule(rg_driver *driver, const rg_node *node, const rg_fact *const *inputs,
                             rg_fact *const *outputs) {
  if (!node->definition) {
    const rg_function *function = called_function(driver, node);
    return function ? infer_call(driver, node, function, inputs, outputs) : RANGO_OK;
  }
  if (!node->definition->infer) return RANGO_OK;
  rg_infer infer = {.node = node,
                    .input_count = node->input_count,
                    .output_count = node->output_count,
                    .inputs = inputs,
                    .outputs = outputs,
                    .arena = driver->facts->arena,
                    .next_symbol = driver->facts->next_symbol,
                    .host = driver,
                    .subgraph = infer_subgraph};
  rango_status status = node->definition->infer(&infer);
  driver->facts->next_symbol = infer.next_symbol;
  return status;
}

static rango_status infer_node(rg_driver *driver, const rg_node *node) {
  const rg_fact **inputs;
  rg_fact **outputs;
  rg_arena *arena = driver->facts->arena;
  if (driver->budget-- <= 0)
    RG_FAIL(RANGO_ERROR_LIMIT, "%s: nested loops and function calls take too long to infer", rg_node_text(node));
  RG_TRY(rg_arena_calloc(arena, (size_t)node->input_count + 1, sizeof(rg_fact *), RG_OUT(&inputs)));
  RG_TRY(rg_arena_calloc(arena, (size_t)node->output_count + 1, sizeof(rg_fact *), RG_OUT(&outputs)));
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) RG_TRY(read_fact(driver, node->inputs[i], &inputs[i]));
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    outputs[i] = &driver->facts->items[node->outputs[i]->id];
    clear_fact(outputs[i]);
  }
  RG_TRY(run_rule(driver, node, inputs, outputs));
  for (int i = 0; i < node->output_count; i++)
    if (outputs[i]) RG_TRY(finish_output(driver, node, node->outputs[i], outputs[i]));
  return RANGO_OK;
}

static rango_status infer_graph(rg_driver *driver, const rg_graph *graph, const rg_fact *const *inputs,
                                size_t input_count) {
  for (size_t i = 0; i < graph->values.count; i++) clear_fact(&driver->facts->items[graph->values.items[i]->id]);
  for (size_t i = 0; i < graph->inputs.count; i++) {
    const rg_value *value = graph->inputs.items[i];
    rg_fact *fact = &driver->facts->items[value->id];
    if (i < input_count && inputs[i])
      *fact = *inputs[i];
    else if (!value->constant && value->type.kind != RG_KIND_NONE)
      RG_TRY(set_declared(driver, &value->type, fact, 0));
    name_open_sizes(driver, fact);
  }
  for (size_t i = 0; i < graph->values.count; i++) {
    const rg_value *value = graph->values.items[i];
    if (value->constant) rg_fact_from_tensor(&driver->facts->items[value->id], value->constant);
  }
  for (const rg_node *node = graph->first; node; node = node->next) RG_TRY(infer_node(driver, node));
  return RANGO_OK;
}

/* ---- entry points ---- */

static rango_status create_facts(rg_driver *driver, const rg_facts *outer, rg_facts **out) {
  rg_facts *facts;
  RG_TRY(rg_calloc(1, sizeof *facts, RG_OUT(&facts)));
  *out = driver->facts = facts;
  size_t count = (size_t)driver->model->value_count;
  RG_TRY(rg_calloc(count + 1, sizeof *facts->items, RG_OUT(&facts->items)));
  RG_TRY(rg_arena_create(&facts->arena));
  for (size_t i = 0; i < count; i++) facts->items[i].rank = -1;
  facts->next_symbol = outer ? outer->next_symbol : (int64_t)driver->model->symbols.count;
  driver->budget = ((int64_t)driver->model->node_count + 1024) * 64;
  return RANGO_OK;
}

static rango_status run(rg_driver *driver, const rg_fact *const *inputs, size_t input_count, rg_facts **out) {
  rango_status status = create_facts(driver, driver->outer, out);
  if (status == RANGO_OK) status = infer_graph(driver, driver->root, inputs, input_count);
  /* Outputs may be outer values or constants that no node reads. */
  for (size_t i = 0; status == RANGO_OK && i < driver->root->outputs.count; i++) {
    const rg_fact *unused;
    status = read_fact(driver, driver->root->outputs.items[i], &unused);
  }
  if (status == RANGO_OK) return RANGO_OK;
  rg_facts_free(*out);
  *out = NULL;
  return status;
}

static rango_status check_override(const rg_value *value, const rg_fact *fact) {
  const rg_type_info *type = &value->type;
  if (type->kind != RG_KIND_TENSOR || fact->kind != RG_KIND_TENSOR) return RANGO_OK;
  if (type->type != RANGO_UNDEFINED && fact->type != RANGO_UNDEFINED && type->type != fact->type)
    RG_FAIL(RANGO_ERROR_ARGUMENT, "input '%s': is %s, the model wants %s", value->name, rango_type_name(fact->type),
            rango_type_name(type->type));
  if (type->rank >= 0 && fact->rank >= 0 && type->rank != fact->rank)
    RG_FAIL(RANGO_ERROR_ARGUMENT, "input '%s': has %d axes, the model wants %d", value->name, fact->rank, type->rank);
  for (int i = 0; i < type->rank && i < fact->rank; i++)
    if (rg_size_is_known(type->dims[i]) && rg_size_is_known(fact->dims[i]) && type->dims[i] != fact->dims[i])
      RG_FAIL(RANGO_ERROR_ARGUMENT, "input '%s': size of axis %d is %lld, the model wants %lld", value->name, i,
              (long long)fact->dims[i], (long long)type->dims[i]);
  return RANGO_OK;
}

rango_status rg_facts_create(const rango_model *model, const rg_fact *inputs, size_t input_count,
                             const rango_dim_binding *bindings, size_t binding_count, rg_facts **out) {
  const rg_graph *graph = model->graph;
  rg_driver driver = {
      .model = model, .root = graph, .declared = inputs == NULL, .bindings = bindings, .binding_count = binding_count};
  const rg_fact **given;
  *out = NULL;
  RG_TRY(rg_calloc(graph->inputs.count + 1, sizeof(rg_fact *), RG_OUT(&given)));
  rango_status status = RANGO_OK;
  size_t next = 0;
  for (size_t i = 0; inputs && status == RANGO_OK && i < graph->inputs.count; i++) {
    if (graph->inputs.items[i]->constant || next >= input_count) continue;
    const rg_fact *fact = &inputs[next++];
    if (fact->kind == RG_KIND_NONE) continue;
    given[i] = fact;
    status = check_override(graph->inputs.items[i], fact);
  }
  if (status == RANGO_OK) status = run(&driver, given, graph->inputs.count, out);
  rg_free(given);
  return status;
}

rango_status rg_facts_create_graph(const rg_graph *graph, const rg_fact *inputs, size_t input_count,
                                   const rg_facts *outer, rg_facts **out) {
  rg_driver driver = {.model = graph->model, .root = graph, .outer = outer};
  const rg_fact **given;
  *out = NULL;
  RG_TRY(rg_calloc(graph->inputs.count + 1, sizeof(rg_fact *), RG_OUT(&given)));
  for (size_t i = 0; inputs && i < graph->inputs.count && i < input_count; i++)
    if (inputs[i].kind != RG_KIND_NONE) given[i] = &inputs[i];
  rango_status status = run(&driver, given, graph->inputs.count, out);
  rg_free(given);
  return status;
}
