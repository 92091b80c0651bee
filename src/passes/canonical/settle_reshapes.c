/* A Reshape whose target is computed, and known but for sizes that the input gives (the batch), gets a constant target;
 * the arithmetic behind it is then dead. */
#include "passes/canonical/rewrite.h"

typedef struct settling {
  rg_pass_facts facts;
  int changes;
} settling;

/* The target with numbers only: an open size that the input has at the same place is copied by a 0, one other is left
 * to be worked out (-1). False when there are more, or a real 0 would be misread. */
static bool settle(const rg_fact *target, const rg_fact *input, int64_t *sizes) {
  int open = 0;
  if (!target || !target->known || target->known_count > RANGO_MAX_RANK) return false;
  for (int i = 0; i < target->known_count; i++) {
    int64_t size = target->known[i];
    bool known = rg_size_is_known(size), symbol = rg_size_is_symbol(size);
    if (known && (size == 0 || size < -1)) return false;
    bool copied = symbol && input && i < input->rank && input->dims[i] == size;
    sizes[i] = known ? size : copied ? 0 : -1;
    open += sizes[i] == -1;
  }
  return open <= 1;
}

static bool has_computed_target(const rg_node *node) {
  const rg_value *target = rg_node_input(node, 1);
  return rg_node_is(node, "Reshape") && target && !rg_value_constant(target);
}

static rango_status settle_node(settling *s, rg_node *node) {
  int64_t sizes[RANGO_MAX_RANK];
  rg_value *target = rg_node_input(node, 1), *constant;
  if (!has_computed_target(node)) return RANGO_OK;
  const rg_fact *fact = rg_pass_fact(&s->facts, target), *input = rg_pass_fact(&s->facts, rg_node_input(node, 0));
  if (rg_node_int(node, "allowzero", 0) || !settle(fact, input, sizes)) return RANGO_OK;
  rango_tensor tensor;
  RG_TRY(rg_tensor_init(&tensor, RANGO_INT64, &(rg_shape){1, {fact->known_count}}));
  for (int64_t i = 0; i < fact->known_count; i++) ((int64_t *)tensor.data)[i] = sizes[i];
  RG_TRY(rg_graph_add_constant(node->graph, target->name, &tensor, &constant));
  s->changes++;
  return rg_node_set_input(node, 1, constant);
}

rango_status rg_pass_settle_reshapes(rango_model *model, int *changes) {
  settling s = {0};
  const rg_node *first = model->graph->first;
  while (first && !has_computed_target(first)) first = first->next;
  if (!first) return RANGO_OK; /* facts take time */
  RG_TRY(rg_pass_facts_create(model, &s.facts));
  rango_status status = RANGO_OK;
  /* The main graph alone: a body's sizes may change from round to round. */
  for (rg_node *node = model->graph->first; node && status == RANGO_OK; node = node->next)
    status = settle_node(&s, node);
  rg_pass_facts_clear(&s.facts);
  *changes += s.changes;
  return status;
}
