/*
 * An embedding spelt as a product: the float32 Cast of Equal(x, [0, 1, ... n - 1]) has a one where x is, so that its
 * rango.Dense looks up a row of the weight → rango.Lookup, with bias and activation already in the table.
 */
#include <string.h>

#include "passes/lower/lower.h"

/* A constant vector, maybe behind axes of size 1, of all integers from 0 to n - 1 in order. */
static bool counts_to(const rg_value *value, int64_t n) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  int64_t count;
  if (!tensor || !rg_type_is_integer(tensor->type) || rg_shape_count(&tensor->shape, &count) != RANGO_OK ||
      count != n || tensor->shape.rank < 1 || tensor->shape.dims[tensor->shape.rank - 1] != n)
    return false;
  for (int64_t i = 0; i < n; i++)
    if (rg_tensor_get_i64(tensor, i) != i) return false;
  return true;
}

/* The integers x, of shape [..., 1], whose one-hot rows of n this is, or NULL. */
static rg_value *one_hot_of(const rg_value *value, const rg_facts *facts, int64_t n) {
  const rg_node *cast = value->producer;
  const rg_node *equal = cast && rg_node_is(cast, "Cast") ? cast->inputs[0]->producer : NULL;
  for (int i = 0; equal && rg_node_is(equal, "Equal") && i < 2; i++) {
    rg_value *x = equal->inputs[i];
    const rg_fact *fact = rg_facts_of(facts, x), *out = rg_facts_of(facts, value);
    if (fact->type != RANGO_INT32 && fact->type != RANGO_INT64) continue;
    if (fact->rank < 1 || fact->rank != out->rank || fact->dims[fact->rank - 1] != 1) continue;
    if (counts_to(equal->inputs[1 - i], n)) return x;
  }
  return NULL;
}

/* Row i is activation(row i of the weight + bias); one more is for numbers that have no row. */
static void fill_table(const rg_node *node, const rango_tensor *w, int64_t n, int64_t columns, float *table) {
  const bool trans = rg_node_int(node, "trans", 0) != 0;
  const rango_tensor *bias = rg_lower_input(node, 2) ? rg_value_constant(node->inputs[2]) : NULL;
  const rg_activation activation = rg_activation_read(node);
  for (int64_t i = 0; i <= n; i++)
    for (int64_t j = 0; j < columns; j++) {
      float weight = 0; /* in a mapped file it may lie at any address */
      if (i < n) memcpy(&weight, (const float *)w->data + (trans ? j * n + i : i * columns + j), sizeof weight);
      if (bias) weight += (float)rg_tensor_get_double(bias, j);
      table[i * columns + j] = rg_activation_apply(activation, weight);
    }
}

static rango_status rewrite(rg_node *node, rg_value *x, int64_t n, int64_t columns) {
  rango_tensor table;
  rg_value *value;
  RG_TRY(rg_tensor_init(&table, RANGO_FLOAT32, &(rg_shape){2, {n + 1, columns}}));
  fill_table(node, rg_value_constant(node->inputs[1]), n, columns, table.data);
  rango_status status = rg_graph_add_constant(node->graph, node->inputs[1]->name, &table, &value);
  if (status != RANGO_OK) {
    rg_tensor_clear(&table);
    return status;
  }
  RG_TRY(rg_lower_become(node, "Lookup", RG_PRIVATE_DOMAIN, 1));
  RG_TRY(rg_node_set_input_count(node, 2));
  RG_TRY(rg_node_set_input(node, 0, x));
  return rg_node_set_input(node, 1, value);
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  if (!rg_lower_is_private(node, "Dense") || rg_lower_input(node, 3) || rg_node_float(node, "scale", 1) != 1)
    return RANGO_OK;
  const rango_tensor *w = rg_value_constant(node->inputs[1]);
  if (!w || w->type != RANGO_FLOAT32 || (rg_lower_input(node, 2) && !rg_value_constant(node->inputs[2])))
    return RANGO_OK;
  const bool trans = rg_node_int(node, "trans", 0) != 0;
  const int64_t n = w->shape.dims[trans ? 1 : 0];
  rg_value *x = one_hot_of(node->inputs[0], facts, n);
  if (!x) return RANGO_OK;
  ++*changes;
  return rewrite(node, x, n, w->shape.dims[trans ? 0 : 1]);
}

rango_status rg_pass_recognise_lookup(rango_model *model, int *changes) {
  return rg_lower_nodes(model, visit, changes);
}
