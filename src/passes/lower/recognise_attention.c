/*
 * Attention of opset 23 → rango.Attention, where it is no more than that: without mask, cache, lengths or soft cap, one
 * head of keys for each of queries, and nothing but the result wanted.
 */
#include <math.h>

#include "passes/lower/lower.h"

/* `value` seen under another shape, before `before`. */
static rango_status add_reshape(rg_node *before, rg_value *value, const int64_t *dims, int64_t rank, rg_value **out) {
  rg_graph *graph = before->graph;
  rango_tensor shape;
  rg_value *constant;
  rg_node *node;
  RG_TRY(rg_tensor_init(&shape, RANGO_INT64, &(rg_shape){1, {rank}}));
  for (int64_t i = 0; i < rank; i++) ((int64_t *)shape.data)[i] = dims[i];
  rango_status status = rg_graph_add_constant(graph, NULL, &shape, &constant);
  if (status != RANGO_OK) {
    rg_tensor_clear(&shape);
    return status;
  }
  RG_TRY(rg_graph_add_node(graph, before, "Reshape", "", 13, 2, 1, &node));
  RG_TRY(rg_lower_become(node, "Reshape", "", 13));
  RG_TRY(rg_node_set_input(node, 0, value));
  RG_TRY(rg_node_set_input(node, 1, constant));
  if (!*out) RG_TRY(rg_graph_add_value(graph, value->name, out));
  rg_node_set_output(node, 0, *out);
  return RANGO_OK;
}

/* Inputs and output [batch, length, heads * size] are [batch, length, heads, size], too. */
static rango_status take_heads_apart(rg_node *node, int64_t heads) {
  static const char *const names[] = {"q_axes", "k_axes", "v_axes"};
  const int64_t apart[] = {0, 0, heads, -1}, together[] = {0, 0, -1}, axes[] = {0, 2, 1, 3};
  for (int i = 0; i < 3; i++) {
    rg_value *value = NULL;
    RG_TRY(add_reshape(node, node->inputs[i], apart, 4, &value));
    RG_TRY(rg_node_set_input(node, i, value));
    RG_TRY(rg_node_set_ints(node, names[i], axes, 4));
  }
  rg_value *y = node->outputs[0], *result;
  RG_TRY(rg_node_set_ints(node, "axes", axes, 4));
  RG_TRY(rg_graph_add_value(node->graph, y->name, &result));
  rg_node_set_output(node, 0, result);
  rg_node *after = node->next;
  if (after) return add_reshape(after, result, together, 3, &y);
  RG_TRY(add_reshape(node, result, together, 3, &y));
  rg_node_move(node, y->producer);
  return RANGO_OK;
}

static bool is_plain(const rg_node *node, const rg_facts *facts) {
  for (int i = 0; i < node->input_count; i++)
    if ((node->inputs[i] != NULL) != (i < 3) || !rg_lower_is_float32(facts, node->inputs[i])) return false;
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i]) return false;
  return node->outputs[0] && rg_node_float(node, "softcap", 0) == 0;
}

/* Size of a head, where it is known and the heads are alike; 0 otherwise. *heads stays 0 where they have an axis. */
static int64_t head_size(const rg_node *node, const rg_facts *facts, int64_t *heads) {
  const rg_fact *q = rg_facts_of(facts, node->inputs[0]), *k = rg_facts_of(facts, node->inputs[1]);
  const rg_fact *v = rg_facts_of(facts, node->inputs[2]);
  *heads = 0;
  if (q->rank != k->rank || q->rank != v->rank || (q->rank != 3 && q->rank != 4)) return 0;
  const int64_t width = q->dims[q->rank - 1];
  if (!rg_size_is_known(width) || width < 1) return 0;
  if (q->rank == 4) return rg_size_is_known(q->dims[1]) && q->dims[1] == k->dims[1] ? width : 0;
  *heads = rg_node_int(node, "q_num_heads", 0);
  return *heads > 0 && *heads == rg_node_int(node, "kv_num_heads", 0) && width % *heads == 0 ? width / *heads : 0;
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  static const char *const gone[] = {"is_causal", "q_num_heads",           "kv_num_heads",
                                     "softcap",   "qk_matmul_output_mode", "softmax_precision"};
  int64_t heads;
  if (!rg_node_is(node, "Attention") || !is_plain(node, facts)) return RANGO_OK;
  const int64_t size = head_size(node, facts, &heads);
  if (size == 0) return RANGO_OK;
  const float scale = rg_node_float(node, "scale", (float)(1 / sqrt((double)size)));
  const bool causal = rg_node_int(node, "is_causal", 0) != 0;
  RG_TRY(rg_lower_become(node, "Attention", RG_PRIVATE_DOMAIN, 1));
  RG_TRY(rg_node_set_input_count(node, 3));
  for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) rg_node_remove_attr(node, gone[i]);
  RG_TRY(rg_node_set_float(node, "scale", scale));
  RG_TRY(rg_node_set_int(node, "causal", causal));
  ++*changes;
  return heads > 0 ? take_heads_apart(node, heads) : RANGO_OK;
}

rango_status rg_pass_recognise_attention(rango_model *model, int *changes) {
  return rg_lower_nodes(model, visit, changes);
}
