/* MatMul with a constant matrix [+ bias], and Gemm, become rango.Dense. */
#include "passes/lower/lower.h"

static bool is_matrix(const rg_value *value) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  return tensor && tensor->type == RANGO_FLOAT32 && tensor->shape.rank == 2;
}

/* A constant that adds element j to column j of n: [n], or with axes of size 1 in front. */
static bool is_bias(const rg_value *value, int64_t n, int max_rank) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  int64_t count;
  return tensor && tensor->type == RANGO_FLOAT32 && tensor->shape.rank >= 1 && tensor->shape.rank <= max_rank &&
         tensor->shape.dims[tensor->shape.rank - 1] == n && rg_shape_count(&tensor->shape, &count) == RANGO_OK &&
         count == n;
}

/* The same elements as a vector [n]. */
static rango_status as_vector(rg_graph *graph, rg_value *value, rg_value **out) {
  const rango_tensor *tensor = rg_value_constant(value);
  *out = value;
  if (tensor->shape.rank == 1) return RANGO_OK;
  rango_tensor vector;
  rg_tensor_init_view(&vector, tensor);
  vector.shape = (rg_shape){.rank = 1, .dims = {tensor->shape.dims[tensor->shape.rank - 1]}};
  rango_status status = rg_graph_add_constant(graph, value->name, &vector, out);
  if (status != RANGO_OK) rg_tensor_clear(&vector);
  return status;
}

static rango_status set_bias(rg_node *node, rg_value *bias) {
  rg_value *vector;
  RG_TRY(as_vector(node->graph, bias, &vector));
  RG_TRY(rg_node_set_input_count(node, 3));
  return rg_node_set_input(node, 2, vector);
}

static rango_status visit_matmul(rg_node *node, const rg_facts *facts, int *changes) {
  const rg_fact *x = rg_facts_of(facts, node->inputs[0]);
  if (!is_matrix(node->inputs[1]) || x->rank < 2) return RANGO_OK;
  int64_t n = rg_value_constant(node->inputs[1])->shape.dims[1];
  RG_TRY(rg_lower_become(node, "Dense", RG_PRIVATE_DOMAIN, 1));
  ++*changes;
  rg_node *add = rg_lower_only_user(node->outputs[0]);
  rg_value *bias = add && rg_node_is(add, "Add") ? rg_lower_other(add, node->outputs[0]) : NULL;
  if (!is_bias(bias, n, x->rank)) return RANGO_OK;
  RG_TRY(set_bias(node, bias));
  rg_lower_take_over(node, add);
  return RANGO_OK;
}

static rango_status visit_gemm(rg_node *node, int *changes) {
  rg_value *bias = rg_lower_input(node, 2);
  bool trans = rg_node_int(node, "transB", 0) != 0;
  if (!is_matrix(node->inputs[1]) || rg_node_int(node, "transA", 0) || rg_node_float(node, "alpha", 1) != 1)
    return RANGO_OK;
  int64_t n = rg_value_constant(node->inputs[1])->shape.dims[trans ? 0 : 1];
  if (bias && (rg_node_float(node, "beta", 1) != 1 || !is_bias(bias, n, 2))) return RANGO_OK;
  static const char *const attributes[] = {"transA", "transB", "alpha", "beta", "broadcast"};
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) rg_node_remove_attr(node, attributes[i]);
  RG_TRY(rg_lower_become(node, "Dense", RG_PRIVATE_DOMAIN, 1));
  RG_TRY(rg_node_set_int(node, "trans", trans));
  ++*changes;
  return bias ? set_bias(node, bias) : RANGO_OK;
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  bool matmul = rg_node_is(node, "MatMul");
  if ((!matmul && !rg_node_is(node, "Gemm")) || !rg_lower_is_float32(facts, node->inputs[0])) return RANGO_OK;
  return matmul ? visit_matmul(node, facts, changes) : visit_gemm(node, changes);
}

rango_status rg_pass_fuse_matmul_add(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
