/* Adjoints of pooling. */
#include "adjoint/backward.h"

/* The gradient goes to the element that was the maximum, the first where there are several, as MaxPool's indices (into
 * the whole tensor) say; windows may overlap. */
static void max_pool(rg_backward *b, rg_value *g) {
  rg_value *x = rg_back_input(b, 0), *again = rg_back_op(b, "MaxPool", 1, x);
  const int64_t flat = -1;
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_copy_attributes(again->producer, b->node));
  rg_value *indices = rg_back_reshape(b, rg_back_more(b, again), &flat, 1);
  rg_value *zeros = rg_back_reshape(b, rg_back_zeros_like(b, x), &flat, 1);
  rg_value *sum = rg_back_op(b, "ScatterElements", 3, zeros, indices, rg_back_reshape(b, g, &flat, 1));
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_set_string(sum->producer, "reduction", "add"));
  rg_back_give(b, 0, rg_back_reshape_like(b, sum, x));
}

static const rg_adjoint_rule rules[] = {{"MaxPool", max_pool, NULL}};
RG_ADJOINT_EXPORT(pool, rules);
