/* Adjoints of normalisation. */
#include "adjoint/backward.h"

/* x in its normal form over some axes: z = (x - mean) / sqrt(variance + epsilon). */
typedef struct normal {
  int64_t axes[RANGO_MAX_RANK];
  int count;
  rg_value *inverse, *z;
} normal;

static void normalise(rg_backward *b, rg_value *x, double epsilon, normal *n) {
  rg_value *centred = rg_back_sub(b, x, rg_back_reduce(b, "ReduceMean", x, n->axes, n->count, true));
  rg_value *variance = rg_back_reduce(b, "ReduceMean", rg_back_mul(b, centred, centred), n->axes, n->count, true);
  n->inverse = rg_back_op(b, "Reciprocal", 1, rg_back_op(b, "Sqrt", 1, rg_back_shift(b, variance, epsilon)));
  n->z = rg_back_mul(b, centred, n->inverse);
}

/* From the gradient of z to that of x: (g - mean of g - z mean of (g z)) / sqrt(variance + epsilon) */
static rg_value *unnormalise(rg_backward *b, const normal *n, rg_value *g) {
  rg_value *mean = rg_back_reduce(b, "ReduceMean", g, n->axes, n->count, true);
  rg_value *slope = rg_back_reduce(b, "ReduceMean", rg_back_mul(b, g, n->z), n->axes, n->count, true);
  rg_value *rest = rg_back_sub(b, rg_back_sub(b, g, mean), rg_back_mul(b, n->z, slope));
  return rg_back_mul(b, rest, n->inverse);
}

/* y = z scale + bias, over all axes from `axis` on. */
static void layer(rg_backward *b, rg_value *g) {
  normal n = {.count = 0};
  int rank = rg_back_rank(b, 0), axis = 0;
  (void)rg_axis(rg_node_int(b->node, "axis", -1), rank, &axis);
  for (int i = axis; i < rank; i++) n.axes[n.count++] = i;
  if (rg_back_wants(b, 0) || rg_back_wants(b, 1))
    normalise(b, rg_back_input(b, 0), (double)rg_node_float(b->node, "epsilon", 1e-5f), &n);
  if (rg_back_wants(b, 0)) rg_back_give(b, 0, unnormalise(b, &n, rg_back_mul(b, g, rg_back_input(b, 1))));
  if (rg_back_wants(b, 1)) rg_back_give_broadcast(b, 1, rg_back_mul(b, g, n.z));
  rg_back_give_broadcast(b, 2, g);
}

/* Its other outputs, mean and inverse deviation, have no adjoint. */
static bool supports_layer(const rg_node *node, const rg_facts *facts, const bool *needed) {
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i] && rg_value_is_used(node->outputs[i])) return false;
  return true;
}

static const rg_adjoint_rule rules[] = {{"LayerNormalization", layer, supports_layer}};
RG_ADJOINT_EXPORT(norm, rules);
