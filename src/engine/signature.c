/* What a plan is made for: shapes, and where inference needs them, elements of its inputs; and the facts that follow.
 */
#include "engine/session.h"

/* ---- signatures ---- */

static int64_t val_elements(const rg_val *val) {
  int64_t count = 1;
  for (int i = 0; i < val->tensor.shape.rank; i++) count *= val->tensor.shape.dims[i];
  return count;
}

bool rg_key_wants_elements(const rg_val *val) {
  return val && val->kind == RG_KIND_TENSOR &&
         (val->tensor.type == RANGO_INT64 || val->tensor.type == RANGO_INT32 || val->tensor.type == RANGO_BOOL) &&
         val_elements(val) <= RG_KEY_VALUES_MAX;
}

rango_status rg_key_set(rg_key *key, rg_arena *arena, const rg_val *val, bool elements) {
  *key = (rg_key){.kind = val ? val->kind : RG_KIND_NONE};
  if (!val || val->kind != RG_KIND_TENSOR) return RANGO_OK;
  key->type = val->tensor.type;
  key->shape = val->tensor.shape;
  if (!elements || !rg_key_wants_elements(val)) return RANGO_OK;
  int64_t *copy = NULL, count = val_elements(val);
  RG_TRY(rg_arena_calloc(arena, (size_t)count, sizeof *copy, RG_OUT(&copy)));
  for (int64_t i = 0; i < count; i++) copy[i] = rg_tensor_get_i64(&val->tensor, i);
  key->elements = copy;
  return RANGO_OK;
}

bool rg_key_matches(const rg_key *key, const rg_val *val) {
  if (key->kind != (val ? val->kind : RG_KIND_NONE)) return false;
  if (key->kind != RG_KIND_TENSOR) return true;
  if (key->type != val->tensor.type || !rg_shape_equal(&key->shape, &val->tensor.shape)) return false;
  if (!key->elements) return true;
  int64_t count = val_elements(val);
  for (int64_t i = 0; i < count; i++)
    if (key->elements[i] != rg_tensor_get_i64(&val->tensor, i)) return false;
  return true;
}

void rg_key_fact(const rg_key *key, rg_fact *fact) {
  *fact = (rg_fact){.kind = key->kind, .rank = -1};
  if (key->kind != RG_KIND_TENSOR) return;
  rg_fact_set(fact, key->type, key->shape.rank, key->shape.dims);
  if (!key->elements) return;
  int64_t count = 1;
  for (int i = 0; i < key->shape.rank; i++) count *= key->shape.dims[i];
  for (int64_t i = 0; i < count; i++)
    if (!rg_size_is_known(key->elements[i])) return; /* would read as a symbol */
  fact->known = key->elements;
  fact->known_count = count;
}

/* ---- facts ---- */

/* A subgraph's captured values are told through a table of outer facts. */
rango_status rg_plan_facts(rango_session *session, const rg_graph *graph, const rg_value_list *captures,
                           const rg_key *keys, rg_facts **out) {
  const rango_model *model = session->program->model;
  size_t inputs = graph->inputs.count;
  bool body = graph != model->graph;
  rg_fact *facts;
  RG_TRY(rg_calloc(inputs + (body ? (size_t)model->value_count : 0) + 1, sizeof *facts, RG_OUT(&facts)));
  for (size_t i = 0; i < inputs; i++) rg_key_fact(&keys[i], &facts[i]);
  rango_status status;
  if (body) {
    rg_facts outer = {.items = facts + inputs};
    for (int i = 0; i < model->value_count; i++) outer.items[i].rank = -1;
    for (size_t i = 0; i < captures->count; i++) rg_key_fact(&keys[inputs + i], &outer.items[captures->items[i]->id]);
    status = rg_facts_create_graph(graph, facts, inputs, &outer, out);
  } else {
    status = rg_facts_create(model, facts, inputs, NULL, 0, out);
  }
  rg_free(facts);
  return status;
}

rango_status rg_plan_count_open(rango_session *session, const rg_graph *graph, const rg_value_list *captures,
                                const rg_val *const *values, const bool *by_value, int *open) {
  rg_arena *arena = NULL;
  rg_facts *facts = NULL;
  rg_key *keys;
  size_t count = graph->inputs.count + captures->count;
  rango_status status;
  RG_TRY_DONE(rg_arena_create(&arena));
  RG_TRY_DONE(rg_arena_calloc(arena, count + 1, sizeof *keys, RG_OUT(&keys)));
  for (size_t i = 0; i < count; i++) RG_TRY_DONE(rg_key_set(&keys[i], arena, values[i], by_value[i]));
  RG_TRY_DONE(rg_plan_facts(session, graph, captures, keys, &facts));
  *open = 0;
  for (const rg_node *node = graph->first; node; node = node->next)
    for (int i = 0; i < node->output_count; i++)
      *open += node->outputs[i] && !rg_fact_is_concrete(rg_facts_of(facts, node->outputs[i]));
done:
  rg_facts_free(facts);
  rg_arena_free(arena);
  return status;
}
