/* What canonical passes share. */
#ifndef RG_PASSES_CANONICAL_REWRITE_H
#define RG_PASSES_CANONICAL_REWRITE_H

#include "passes/row.h"

/* Takes away a node whose output 0 (the only one that is used) is the same as `with`. Names of graph outputs stay: then
 * the producer of `with` takes the output over, or, where that can't be, *done is false and nothing has changed. */
rango_status rg_bypass_node(rg_node *node, rg_value *with, bool *done);

/* Makes a value without producer an initializer; takes over *tensor's content. */
rango_status rg_value_become_constant(rg_value *value, rango_tensor *tensor);

/* A value used once, by a node of its own graph, and not a graph output: it may change its meaning together with its
 * user. */
bool rg_value_is_private(const rg_value *value);

/* Input `index` of a node, or NULL. */
rg_value *rg_node_input(const rg_node *node, int index);

#endif
