/* The driver: what depends on what, and every node's rule from the last to the first. */
#include <string.h>

#include "adjoint/backward.h"
#include "passes/passes.h"

#define OLDEST_OPSET 18 /* whose operators the rules are written in */

/* ---- rules ---- */

static const rg_adjoint_rule *find_rule(const rg_node *node) {
#define LISTED(family) &rg_adjoint_##family,
  static const rg_adjoint_rules *const families[] = {RG_ADJOINT_FAMILIES(LISTED)};
#undef LISTED
  if (node->domain[0]) return NULL;
  for (size_t f = 0; f < sizeof families / sizeof *families; f++)
    for (size_t i = 0; i < families[f]->count; i++)
      if (strcmp(families[f]->items[i].op, node->op) == 0) return &families[f]->items[i];
  return NULL;
}

/* ---- what depends on what ---- */

typedef struct analysis {
  rg_facts *facts;
  rg_value **values; /* by id: of the main graph, NULL the others */
  bool *needed;      /* by value id: depends on a wanted value through derivatives, and is of a floating type */
  bool *reached;     /* by value id: one of the outputs depends on it */
  int *uses;         /* by value id: readers */
  bool *reading;     /* by node id: has a needed input, perhaps inside of its body */
} analysis;

static void clear(analysis *a) {
  rg_facts_free(a->facts);
  rg_free(a->values);
  rg_free(a->needed);
  rg_free(a->reached);
  rg_free(a->uses);
  rg_free(a->reading);
}

static bool is_real(const analysis *a, const rg_value *value) {
  const rg_fact *fact = &a->facts->items[value->id];
  return fact->kind == RG_KIND_TENSOR && rg_type_is_float(fact->type);
}

static rango_status check_ids(const rango_model *model, const analysis *a, const int *ids, size_t count, bool real) {
  for (size_t i = 0; i < count; i++) {
    const rg_value *value = ids[i] >= 0 && ids[i] < model->value_count ? a->values[ids[i]] : NULL;
    bool there = value && (value->producer || value->is_input || value->constant);
    RG_FAIL_IF(!there, RANGO_ERROR_ARGUMENT, "adjoint: the model has no value %d", ids[i]);
    if (!real) continue;
    RG_FAIL_IF(!is_real(a, value), RANGO_ERROR_ARGUMENT, "value '%s': only floating-point tensors have derivatives",
               value->name);
    RG_FAIL_IF(a->facts->items[ids[i]].rank < 0, RANGO_ERROR_UNSUPPORTED, "value '%s': its rank isn't known",
               value->name);
  }
  return RANGO_OK;
}

/* Marks the main graph's nodes that read a value, themselves or in their bodies. */
static void mark_readers(const rango_model *model, analysis *a, const rg_value *value) {
  a->needed[value->id] = true;
  for (size_t i = 0; i < value->uses.count; i++) {
    const rg_node *node = value->uses.items[i].node;
    while (node->graph != model->graph && node->graph->owner) node = node->graph->owner;
    a->reading[node->id] = true;
  }
}

static void spread(const rango_model *model, analysis *a, const int *outputs, size_t output_count, const int *wanted,
                   size_t wanted_count) {
  for (size_t i = 0; i < wanted_count; i++) mark_readers(model, a, a->values[wanted[i]]);
  for (const rg_node *node = model->graph->first; node; node = node->next) {
    const rg_adjoint_rule *rule = find_rule(node);
    if (!a->reading[node->id] || (rule && !rule->emit)) continue;
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i] && is_real(a, node->outputs[i])) mark_readers(model, a, node->outputs[i]);
  }
  for (size_t i = 0; i < output_count; i++) a->reached[outputs[i]] = true;
  for (const rg_node *node = model->graph->last; node; node = node->previous) {
    bool reached = false;
    for (int i = 0; i < node->output_count; i++) {
      const rg_value *value = node->outputs[i];
      reached |= value && a->reached[value->id] && a->needed[value->id];
    }
    for (int i = 0; i < node->input_count && reached; i++)
      if (node->inputs[i]) a->reached[node->inputs[i]->id] = true;
  }
}

static rango_status analyse(const rango_model *model, const int *outputs, size_t output_count, const int *wanted,
                            size_t wanted_count, analysis *a) {
  size_t count = (size_t)model->value_count;
  *a = (analysis){0};
  RG_TRY(rg_facts_create(model, NULL, 0, NULL, 0, &a->facts));
  RG_TRY(rg_calloc(count, sizeof *a->values, RG_OUT(&a->values)));
  RG_TRY(rg_calloc(count, sizeof *a->needed, RG_OUT(&a->needed)));
  RG_TRY(rg_calloc(count, sizeof *a->reached, RG_OUT(&a->reached)));
  RG_TRY(rg_calloc(count, sizeof *a->uses, RG_OUT(&a->uses)));
  RG_TRY(rg_calloc((size_t)model->node_count, sizeof *a->reading, RG_OUT(&a->reading)));
  const rg_value_list *values = &model->graph->values;
  for (size_t i = 0; i < values->count; i++) {
    rg_value *value = values->items[i];
    a->values[value->id] = value;
    a->uses[value->id] = (int)value->uses.count;
  }
  RG_TRY(check_ids(model, a, outputs, output_count, true));
  RG_TRY(check_ids(model, a, wanted, wanted_count, true));
  spread(model, a, outputs, output_count, wanted, wanted_count);
  return RANGO_OK;
}

/* Whether a gradient comes to this node and goes on from it. */
static bool is_on_path(const analysis *a, const rg_node *node) {
  if (!a->reading[node->id]) return false;
  for (int i = 0; i < node->output_count; i++) {
    const rg_value *value = node->outputs[i];
    if (value && a->needed[value->id] && a->reached[value->id] && value->producer == node) return true;
  }
  return false;
}

static bool has_adjoint(const analysis *a, const rg_node *node) {
  const rg_adjoint_rule *rule = find_rule(node);
  if (!rule) return false;
  if (!rule->emit) return true;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && a->facts->items[node->inputs[i]->id].rank < 0) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && a->facts->items[node->outputs[i]->id].rank < 0) return false;
  return !rule->supports || rule->supports(node, a->facts, a->needed);
}

static const rg_node *first_missing(const rango_model *model, const analysis *a) {
  for (const rg_node *node = model->graph->first; node; node = node->next)
    if (is_on_path(a, node) && !has_adjoint(a, node)) return node;
  return NULL;
}

const rg_node *rg_adjoint_missing(const rango_model *model, const int *outputs, size_t output_count, const int *wanted,
                                  size_t wanted_count) {
  analysis a;
  const rg_node *missing = NULL;
  if (analyse(model, outputs, output_count, wanted, wanted_count, &a) == RANGO_OK) missing = first_missing(model, &a);
  clear(&a);
  return missing;
}

/* ---- inputs and outputs ---- */

/* Declares a value as what is known of another; symbols that inference made up stay open. */
static rango_status declare(rg_value *value, const rg_fact *fact) {
  const rango_model *model = value->graph->model;
  int64_t *dims;
  RG_TRY(rg_arena_alloc(model->arena, (size_t)fact->rank * sizeof *dims, RG_OUT(&dims)));
  for (int i = 0; i < fact->rank; i++) {
    bool own = rg_size_is_symbol(fact->dims[i]) && (size_t)rg_size_symbol_id(fact->dims[i]) >= model->symbols.count;
    dims[i] = own ? RG_SIZE_UNKNOWN : fact->dims[i];
  }
  value->type =
      (rg_type_info){.kind = RG_KIND_TENSOR, .type = fact->type, .rank = fact->rank, .dims = dims, .changed = true};
  return RANGO_OK;
}

static rango_status add_seeds(rg_backward *b, rg_value *const *values, const int *outputs, size_t count) {
  for (size_t i = 0; i < count; i++) {
    rg_value *output = values[outputs[i]], *seed;
    const rg_fact *fact = rg_back_fact(b, output);
    const char *name;
    RG_TRY(rg_arena_printf(b->graph->model->arena, &name, "%s_seed", output->name));
    RG_TRY(rg_graph_add_value(b->graph, name, &seed));
    RG_TRY(declare(seed, fact));
    RG_TRY(rg_graph_add_input(b->graph, seed));
    b->name = seed->name;
    rg_value **sum = &b->gradients[output->id];
    *sum = *sum ? rg_back_add(b, *sum, seed) : seed;
    RG_TRY(b->status);
  }
  return RANGO_OK;
}

/* Wanted constants become inputs, once each. */
static rango_status open_constants(rg_backward *b, rg_value *const *values, const int *wanted, size_t count) {
  for (size_t i = 0; i < count; i++) {
    rg_value *value = values[wanted[i]];
    if (!rg_value_constant(value)) continue;
    if (value->producer) rg_node_remove(value->producer);
    value->constant = NULL;
    RG_TRY(declare(value, rg_back_fact(b, value)));
    if (!value->is_input) RG_TRY(rg_graph_add_input(b->graph, value));
  }
  return RANGO_OK;
}

/* A graph lists a value once: inputs, constants and what is listed already go through an Identity. */
static rango_status add_output(rg_backward *b, rg_value *value, const rg_fact *fact) {
  if (b->status == RANGO_OK && (!value->producer || value->output_uses)) value = rg_back_op(b, "Identity", 1, value);
  RG_TRY(b->status);
  if (value->id >= b->known && fact->kind == RG_KIND_TENSOR && fact->rank >= 0) RG_TRY(declare(value, fact));
  return rg_graph_add_output(b->graph, value);
}

static rango_status add_outputs(rg_backward *b, rg_value *const *values, const int *kept, size_t kept_count,
                                const int *wanted, size_t wanted_count) {
  for (size_t i = 0; i < kept_count; i++) {
    b->name = values[kept[i]]->name;
    RG_TRY(add_output(b, values[kept[i]], rg_back_fact(b, values[kept[i]])));
  }
  for (size_t i = 0; i < wanted_count; i++) {
    rg_value *value = values[wanted[i]];
    const rg_fact *fact = rg_back_fact(b, value);
    RG_TRY(rg_arena_printf(b->graph->model->arena, &b->name, "%s_gradient", value->name));
    b->type = fact->type;
    rg_back_settle(b, value);
    rg_value *gradient = b->gradients[wanted[i]];
    if (!gradient) gradient = rg_back_zeros_like(b, value);
    RG_TRY(add_output(b, gradient, fact));
  }
  return RANGO_OK;
}

/* ---- backward ---- */

static rango_status emit_node(rg_backward *b, const rg_node *node) {
  bool any = false;
  const rg_value *named = NULL; /* a node may leave its first outputs out */
  for (int i = 0; i < node->output_count && !named; i++) named = node->outputs[i];
  if (!named) return RANGO_OK;
  b->node = node;
  RG_TRY(rg_arena_printf(b->graph->model->arena, &b->name, "%s_adjoint", named->name));
  for (int i = node->output_count - 1; i >= 0; i--) {
    if (!node->outputs[i]) continue;
    rg_back_settle(b, node->outputs[i]);
    if (!rg_back_gradient(b, i)) continue;
    any = true;
    b->type = rg_back_fact(b, node->outputs[i])->type;
  }
  RG_TRY(b->status);
  if (!any) return RANGO_OK;
  find_rule(node)->emit(b, rg_back_gradient(b, 0));
  return b->status == RANGO_OK ? RANGO_OK : rg_fail_context(b->status, "adjoint of %s", rg_node_text(node));
}

static rango_status emit_all(rg_backward *b, const analysis *a, rg_node *last) {
  for (const rg_node *node = last, *previous; node; node = previous) {
    previous = node->previous; /* a rule may put another node in its place */
    bool known = true;         /* not one of the Shape nodes that rules put among the model's */
    for (int i = 0; i < node->output_count; i++) known &= !node->outputs[i] || node->outputs[i]->id < b->known;
    if (known && is_on_path(a, node)) RG_TRY(emit_node(b, node));
  }
  return RANGO_OK;
}

static void drop_outputs(rg_graph *graph) {
  while (graph->outputs.count) graph->outputs.items[--graph->outputs.count]->output_uses--;
}

/* The main graph's values by id. */
static rango_status list_values(const rg_graph *graph, int count, rg_value ***out) {
  RG_TRY(rg_calloc((size_t)count, sizeof **out, RG_OUT(out)));
  for (size_t i = 0; i < graph->values.count; i++) (*out)[graph->values.items[i]->id] = graph->values.items[i];
  return RANGO_OK;
}

rango_status rg_adjoint_create(const rango_model *model, const int *outputs, size_t output_count, const int *kept,
                               size_t kept_count, const int *wanted, size_t wanted_count, rango_model **out) {
  analysis a;
  rango_model *copy = NULL;
  rg_value **values = NULL;
  rg_backward b = {.known = model->value_count};
  int64_t opset = rg_model_opset(model, "");
  int changes = 0;
  *out = NULL;
  rango_status status;
  RG_TRY_DONE(analyse(model, outputs, output_count, wanted, wanted_count, &a));
  RG_TRY_DONE(check_ids(model, &a, kept, kept_count, false));
  const rg_node *missing = first_missing(model, &a);
  if (missing) {
    status = rg_fail(RANGO_ERROR_UNSUPPORTED, "%s: has no adjoint", rg_node_text(missing));
    goto done;
  }
  RG_TRY_DONE(rg_model_copy(model, &copy));
  RG_TRY_DONE(list_values(copy->graph, b.known, &values));
  RG_TRY_DONE(rg_calloc((size_t)b.known, sizeof *b.gradients, RG_OUT(&b.gradients)));
  RG_TRY_DONE(rg_calloc((size_t)b.known, sizeof *b.again, RG_OUT(&b.again)));
  b.graph = copy->graph;
  b.facts = a.facts;
  b.needed = a.needed;
  b.uses = a.uses;
  b.version = opset > OLDEST_OPSET ? (int)opset : OLDEST_OPSET;
  rg_node *last = copy->graph->last;
  drop_outputs(copy->graph);
  RG_TRY_DONE(add_seeds(&b, values, outputs, output_count));
  RG_TRY_DONE(open_constants(&b, values, wanted, wanted_count));
  RG_TRY_DONE(emit_all(&b, &a, last));
  RG_TRY_DONE(add_outputs(&b, values, kept, kept_count, wanted, wanted_count));
  RG_TRY_DONE(rg_ops_resolve(copy, false));
  RG_TRY_DONE(rg_pass_remove_dead(copy, &changes));
  *out = copy;
  copy = NULL;
done:
  rg_model_release(copy);
  rg_free(values);
  rg_free(b.gradients);
  rg_free(b.again);
  rg_free(b.parts.items);
  clear(&a);
  return status;
}
