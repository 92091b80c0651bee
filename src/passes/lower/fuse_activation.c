/* rango.Dense and rango.Conv take over the residual sum and the activation that follow: y = act(linear + bias +
 * residual). */
#include "passes/lower/lower.h"

#define RESIDUAL 3 /* input of both operators */

/* Add of a value with the output's own shape: no broadcasting. */
static rango_status take_residual(rg_node *node, rg_node *add, const rg_facts *facts, bool *taken) {
  rg_value *residual = rg_lower_other(add, node->outputs[0]);
  *taken = residual && rg_lower_is_float32(facts, residual) &&
           rg_lower_same_shape(rg_facts_of(facts, residual), rg_facts_of(facts, node->outputs[0]));
  if (!*taken) return RANGO_OK;
  RG_TRY(rg_node_set_input_count(node, RESIDUAL + 1));
  RG_TRY(rg_node_set_input(node, RESIDUAL, residual));
  rg_lower_take_over(node, add);
  return RANGO_OK;
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  if (!rg_lower_is_private(node, "Dense") && !rg_lower_is_private(node, "Conv")) return RANGO_OK;
  rg_node *user;
  while (rg_activation_read(node).kind == RG_ACT_NONE && (user = rg_lower_only_user(node->outputs[0]))) {
    rg_activation activation;
    bool taken = false;
    if (rg_activation_of(user, &activation)) {
      taken = user->inputs[0] == node->outputs[0];
      if (!taken) break;
      RG_TRY(rg_activation_write(node, activation));
      rg_lower_take_over(node, user);
    } else if (rg_node_is(user, "Add") && !rg_lower_input(node, RESIDUAL)) {
      RG_TRY(take_residual(node, user, facts, &taken));
    }
    if (!taken) break;
    ++*changes;
  }
  return RANGO_OK;
}

rango_status rg_pass_fuse_activation(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
