/*
 * Normalisations that exporters spell out over the last axis:
 *
 *     LayerNormalization   d / sqrt(mean(d²) + ε) · γ [+ β]   with d = x - mean(x)
 *     RMSNormalization     x / sqrt(mean(x²) + ε) · γ
 */
#include "passes/lower/lower.h"

/* mean over the last axis, which stays: what is averaged, or NULL. */
static rg_value *last_axis_mean(const rg_value *value, const rg_facts *facts) {
  const rg_node *node = value->producer;
  if (!node || !rg_node_is(node, "ReduceMean") || rg_node_int(node, "keepdims", 1) != 1) return NULL;
  const rg_fact *in = rg_facts_of(facts, node->inputs[0]);
  size_t count;
  const int64_t *axes = rg_node_ints(node, "axes", &count);
  const rango_tensor *given = rg_lower_input(node, 1) ? rg_value_constant(node->inputs[1]) : NULL;
  int64_t axis;
  if (axes && count == 1)
    axis = axes[0];
  else if (given && given->type == RANGO_INT64 && given->bytes == sizeof axis)
    axis = rg_tensor_get_i64(given, 0);
  else
    return NULL;
  return in->rank > 0 && (axis == -1 || axis == in->rank - 1) ? node->inputs[0] : NULL;
}

/* The value whose square this is, or NULL. */
static rg_value *square_root_of(const rg_value *value) {
  const rg_node *node = value->producer;
  double exponent;
  if (!node || node->input_count != 2) return NULL;
  if (rg_node_is(node, "Mul") && node->inputs[0] == node->inputs[1]) return node->inputs[0];
  if (rg_node_is(node, "Pow") && rg_value_scalar(node->inputs[1], &exponent) && exponent == 2) return node->inputs[0];
  return NULL;
}

/* sqrt(mean(d²) + ε): the value d, or NULL. */
static rg_value *deviation(const rg_value *value, const rg_facts *facts, double *epsilon) {
  const rg_node *root = value->producer;
  if (!root || !rg_node_is(root, "Sqrt")) return NULL;
  const rg_node *sum = root->inputs[0]->producer;
  if (!sum || !rg_node_is(sum, "Add")) return NULL;
  int constant = rg_value_scalar(sum->inputs[1], epsilon) ? 1 : rg_value_scalar(sum->inputs[0], epsilon) ? 0 : -1;
  if (constant < 0 || *epsilon < 0) return NULL;
  rg_value *squares = last_axis_mean(sum->inputs[1 - constant], facts);
  return squares ? square_root_of(squares) : NULL;
}

/* d / sqrt(…d…), or d · (1 / sqrt(…d…)): the value d, or NULL. */
static rg_value *normalised(const rg_node *node, const rg_facts *facts, double *epsilon) {
  if (rg_node_is(node, "Div")) {
    rg_value *d = deviation(node->inputs[1], facts, epsilon);
    return d == node->inputs[0] ? d : NULL;
  }
  for (int i = 0; rg_node_is(node, "Mul") && i < 2; i++) {
    const rg_node *inverse = node->inputs[i]->producer;
    double one = 0;
    if (!inverse) continue;
    const rg_value *root = rg_node_is(inverse, "Reciprocal") ? inverse->inputs[0]
                           : rg_node_is(inverse, "Div") && rg_value_scalar(inverse->inputs[0], &one) && one == 1
                               ? inverse->inputs[1]
                               : NULL;
    rg_value *d = root ? deviation(root, facts, epsilon) : NULL;
    if (d && d == node->inputs[1 - i]) return d;
  }
  return NULL;
}

/* x - mean(x) over the last axis: the value x, or NULL. */
static rg_value *centred(const rg_value *value, const rg_facts *facts) {
  const rg_node *node = value->producer;
  if (!node || !rg_node_is(node, "Sub")) return NULL;
  return last_axis_mean(node->inputs[1], facts) == node->inputs[0] ? node->inputs[0] : NULL;
}

/* A constant vector as long as the last axis of x. */
static bool is_parameter(const rg_value *value, const rg_fact *x) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  return tensor && tensor->type == RANGO_FLOAT32 && tensor->shape.rank == 1 && x->rank > 0 &&
         tensor->shape.dims[0] == x->dims[x->rank - 1];
}

static rango_status rewrite(rg_node *end, const char *op, int version, double epsilon, rg_value *x, rg_value *scale,
                            rg_value *bias) {
  RG_TRY(rg_lower_become(end, op, "", version));
  RG_TRY(rg_node_set_input_count(end, bias ? 3 : 2));
  RG_TRY(rg_node_set_input(end, 0, x));
  RG_TRY(rg_node_set_input(end, 1, scale));
  if (bias) RG_TRY(rg_node_set_input(end, 2, bias));
  RG_TRY(rg_node_set_int(end, "axis", -1));
  return rg_node_set_float(end, "epsilon", (float)epsilon);
}

/* `node` divides; the scale comes after it, and then perhaps a bias. */
static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  double epsilon;
  if (node->input_count != 2 || !rg_lower_is_float32(facts, node->outputs[0])) return RANGO_OK;
  rg_value *d = normalised(node, facts, &epsilon);
  rg_node *scaling = d ? rg_lower_only_user(node->outputs[0]) : NULL;
  if (!scaling || !rg_node_is(scaling, "Mul")) return RANGO_OK;
  rg_value *x = centred(d, facts), *scale = rg_lower_other(scaling, node->outputs[0]);
  const rg_fact *shape = rg_facts_of(facts, d);
  if (!is_parameter(scale, shape)) return RANGO_OK;
  ++*changes;
  if (!x) return rewrite(scaling, "RMSNormalization", 23, epsilon, d, scale, NULL);
  rg_node *shifting = rg_lower_only_user(scaling->outputs[0]);
  rg_value *bias = shifting && rg_node_is(shifting, "Add") ? rg_lower_other(shifting, scaling->outputs[0]) : NULL;
  if (is_parameter(bias, shape)) return rewrite(shifting, "LayerNormalization", 17, epsilon, x, scale, bias);
  return rewrite(scaling, "LayerNormalization", 17, epsilon, x, scale, NULL);
}

rango_status rg_pass_recognise_norm(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
