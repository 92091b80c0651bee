/* What lowering passes share. */
#ifndef RG_PASSES_LOWER_LOWER_H
#define RG_PASSES_LOWER_LOWER_H

#include "ops/support.h"
#include "passes/passes.h"

/* Visits every node that is in the model when the pass begins and not removed by an earlier visit, bodies of control
 * flow included. `facts` know the values that were there at the beginning: visits must not ask about values that they
 * made. */
typedef rango_status (*rg_lower_visit)(rg_node *node, const rg_facts *facts, int *changes);
rango_status rg_lower_nodes(rango_model *model, rg_lower_visit visit, int *changes);
/* The same, each graph's last node first. */
rango_status rg_lower_nodes_backwards(rango_model *model, rg_lower_visit visit, int *changes);

/* The node becomes another operator in place: inputs, outputs and attributes are the caller's to put right. */
rango_status rg_lower_become(rg_node *node, const char *op, const char *domain, int version);
/* The node takes over the output of `last`, its only user, and its place: all that it reads was computed before either.
 */
void rg_lower_take_over(rg_node *node, rg_node *last);
bool rg_lower_is_private(const rg_node *node, const char *op); /* operator `op` of RG_PRIVATE_DOMAIN */

/* The node that alone uses `value`, once and in the same graph, or NULL. */
rg_node *rg_lower_only_user(const rg_value *value);
/* Input `index`, or NULL where it is absent. */
rg_value *rg_lower_input(const rg_node *node, int index);
/* Of a node with two inputs, the one that isn't `value`; NULL when both are. */
rg_value *rg_lower_other(const rg_node *node, const rg_value *value);

bool rg_lower_is_float32(const rg_facts *facts, const rg_value *value);
bool rg_lower_same_shape(const rg_fact *a, const rg_fact *b); /* both known, sizes or symbols equal */

#endif
