/* Conv with a constant weight becomes rango.Conv, which has room for a residual and an activation. */
#include "passes/lower/lower.h"

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  if (!rg_node_is(node, "Conv") || !rg_lower_is_float32(facts, node->inputs[0])) return RANGO_OK;
  const rango_tensor *weight = rg_value_constant(node->inputs[1]);
  int rank = rg_facts_of(facts, node->inputs[0])->rank;
  if (!weight || weight->shape.rank < 3 || weight->shape.rank > 5 || (rank >= 0 && rank != weight->shape.rank))
    return RANGO_OK; /* one whose rank isn't known yet takes it from its weight */
  ++*changes;
  return rg_lower_become(node, "Conv", RG_PRIVATE_DOMAIN, 1);
}

rango_status rg_pass_fuse_conv(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
