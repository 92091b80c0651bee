/*
 * Products of one input next to each other, such as those that make queries, keys and values: as one product whose
 * outputs are cut in parts behind, so that they may share a first factor (parts.c). One that isn't factored in the end
 * is taken apart again.
 */
#include <stdio.h>
#include <string.h>

#include "compress/compress.h"

#define NAME_MAX_LENGTH 512

typedef struct group {
  rg_node *products[RG_PARTS_MAX], *adds[RG_PARTS_MAX];
  const rango_tensor *weights[RG_PARTS_MAX], *biases[RG_PARTS_MAX]; /* biases NULL: none */
  int count;
  bool full; /* there were more */
} group;

static rango_status add_node(rg_graph *graph, rg_node *before, const char *op, const char *name, int outputs,
                             rg_node **out) {
  RG_TRY(rg_graph_add_node(graph, before, op, "", (int)rg_model_opset(graph->model, ""), 2, outputs, out));
  (*out)->definition = rg_op_find("", op, (*out)->version);
  return rg_arena_strndup(graph->model->arena, name, strlen(name), &(*out)->name);
}

/* A MatMul or an Add of two values. */
static rango_status add_binary(rg_graph *graph, rg_node *before, const char *op, const char *name, rg_value *x,
                               rg_value *w, rg_node **out) {
  RG_TRY(add_node(graph, before, op, name, 1, out));
  RG_TRY(rg_node_set_input(*out, 0, x));
  return rg_node_set_input(*out, 1, w);
}

/* ---- together ---- */

/* The MatMuls of `input` that are alike to the first one. */
static group find_group(const rg_value *input, const rg_graph *graph) {
  group g = {0};
  for (size_t i = 0; i < input->uses.count; i++) {
    rg_node *node = input->uses.items[i].node;
    if (!rg_node_is(node, "MatMul") || node->graph != graph || node->inputs[0] != input) continue;
    const rango_tensor *weight = rg_own_weight(node, 1, 2, 2), *bias = NULL;
    if (!weight || (int64_t)weight->bytes >= RG_WEIGHT_LARGE || !node->outputs[0]) continue;
    rg_node *add = rg_bias_add(node, weight->shape.dims[1], &bias);
    bool whole = add && rango_tensor_count(bias) == weight->shape.dims[1];
    if (add && !whole) continue;
    if (g.count && (!rg_shape_equal(&weight->shape, &g.weights[0]->shape) || !add != !g.adds[0])) continue;
    g.full = g.full || g.count == RG_PARTS_MAX;
    if (g.full) break;
    g.products[g.count] = node;
    g.adds[g.count] = add;
    g.weights[g.count] = weight;
    g.biases[g.count++] = add ? bias : NULL;
  }
  return g;
}

/* Columns of all next to each other: [rows][count * columns]; of the biases for rows 1. */
static rango_status join(const rango_tensor *const *parts, int count, int64_t rows, int64_t columns, float **out) {
  RG_TRY(rg_alloc((size_t)(rows * columns * count) * sizeof **out, RG_OUT(out)));
  for (int64_t i = 0; i < rows; i++)
    for (int p = 0; p < count; p++)
      memcpy(*out + (i * count + p) * columns, (const float *)parts[p]->data + i * columns,
             (size_t)columns * sizeof **out);
  return RANGO_OK;
}

/* "q + k + v" */
static void name_of(const group *g, char *name) {
  size_t at = 0;
  for (int i = 0; i < g->count && at < NAME_MAX_LENGTH; i++) {
    const rg_node *node = g->products[i];
    const char *own = node->name && node->name[0] ? node->name : node->outputs[0]->name;
    at += (size_t)snprintf(name + at, NAME_MAX_LENGTH - at, "%s%s", i ? " + " : "", own);
  }
}

static rango_status add_joined(rg_graph *graph, const group *g, const char *name, bool bias, rg_value **out) {
  int64_t m = bias ? 1 : g->weights[0]->shape.dims[0], each = g->weights[0]->shape.dims[1], n = each * g->count;
  rg_shape shape = bias ? (rg_shape){1, {n}} : (rg_shape){2, {m, n}};
  float *values = NULL;
  RG_TRY(join(bias ? g->biases : g->weights, g->count, m, each, &values));
  rango_status status = rg_graph_add_floats(graph, name, &shape, values, out);
  rg_free(values);
  return status;
}

/* Nodes in front of the first product; the old ones' outputs become the Split's. */
static rango_status merge_group(rg_graph *graph, const group *g, int *node_id) {
  char name[NAME_MAX_LENGTH];
  rg_node *first = g->products[0], *product, *add, *split;
  rg_value *weight, *bias, *y;
  rg_value *input = first->inputs[0];
  name_of(g, name);
  RG_TRY(add_joined(graph, g, name, false, &weight));
  RG_TRY(add_binary(graph, first, "MatMul", name, input, weight, &product));
  RG_TRY(rg_graph_add_value(graph, name, &y));
  rg_node_set_output(product, 0, y);
  if (g->adds[0]) {
    RG_TRY(add_joined(graph, g, name, true, &bias));
    RG_TRY(add_binary(graph, first, "Add", name, y, bias, &add));
    RG_TRY(rg_graph_add_value(graph, name, &y));
    rg_node_set_output(add, 0, y);
  }
  RG_TRY(add_node(graph, first, "Split", name, g->count, &split));
  RG_TRY(rg_node_set_input_count(split, 1));
  RG_TRY(rg_node_set_input(split, 0, y));
  RG_TRY(rg_node_set_int(split, "axis", -1));
  if (split->version >= 18) RG_TRY(rg_node_set_int(split, "num_outputs", g->count));
  for (int i = 0; i < g->count; i++) {
    rg_value *output = g->adds[i] ? g->adds[i]->outputs[0] : g->products[i]->outputs[0];
    if (g->adds[i]) rg_node_remove(g->adds[i]);
    rg_node_remove(g->products[i]);
    rg_node_set_output(split, i, output);
  }
  *node_id = product->id;
  return RANGO_OK;
}

rango_status rg_merge_products(rango_model *model, rg_merged *out) {
  int changes = 0;
  *out = (rg_merged){0};
  size_t values = model->graph->values.count; /* those that are made meanwhile aren't looked at */
  rango_status status;
  for (size_t i = 0; i < values; i++) {
    group g = find_group(model->graph->values.items[i], model->graph);
    if (g.count < 2 || g.full) continue;
    RG_TRY_DONE(RG_RESERVE(out, 1));
    RG_TRY_DONE(merge_group(model->graph, &g, &out->items[out->count]));
    out->count++;
  }
  if (out->count == 0) return RANGO_OK;
  RG_TRY_DONE(rg_ops_resolve(model, false));
  RG_TRY_DONE(rg_pass_remove_dead(model, &changes));
done:
  if (status != RANGO_OK) rg_merged_free(out);
  return status;
}

void rg_merged_free(rg_merged *merged) {
  rg_free(merged->items);
  *merged = (rg_merged){0};
}

bool rg_is_merged(const rg_merged *merged, int node) {
  for (size_t i = 0; i < merged->count; i++)
    if (merged->items[i] == node) return true;
  return false;
}

/* ---- and apart ---- */

/* The Split into equal parts along the last axis that alone reads a value, or NULL. */
static rg_node *equal_split(const rg_value *value, int64_t parts) {
  if (!value || value->uses.count != 1 || value->output_uses) return NULL;
  rg_node *node = value->uses.items[0].node;
  bool equal = rg_node_is(node, "Split") && node->output_count == parts && rg_node_int(node, "axis", 0) == -1 &&
               (node->input_count < 2 || !node->inputs[1]) && !rg_node_attr(node, "split");
  for (int i = 0; equal && i < node->output_count; i++) equal = node->outputs[i] != NULL;
  return equal ? node : NULL;
}

void rg_connect_parts(rango_model *copy, const rg_site *site) {
  rg_value *joined = rg_find_value(copy->graph, site->output);
  rg_node *split = equal_split(joined, site->parts), *concat = joined ? joined->producer : NULL;
  rg_value *outputs[RG_PARTS_MAX];
  rg_node *makers[RG_PARTS_MAX];
  if (!split || !concat || !rg_node_is(concat, "Concat")) return;
  for (int64_t i = 0; i < site->parts; i++) {
    outputs[i] = split->outputs[i];
    makers[i] = concat->inputs[i]->producer;
  }
  rg_node_remove(split);
  rg_node_remove(concat);
  for (int64_t i = 0; i < site->parts; i++) rg_node_set_output(makers[i], 0, outputs[i]);
}

/* Columns [part * each, ...) of a constant of `rows` rows. */
static rango_status add_cut(rg_graph *graph, const rg_value *from, int64_t rows, int64_t parts, int64_t part,
                            rg_value **out) {
  const rango_tensor *whole = rg_value_constant(from);
  int64_t n = whole->shape.dims[whole->shape.rank - 1], each = n / parts;
  rg_shape shape = whole->shape;
  float *values = NULL;
  shape.dims[shape.rank - 1] = each;
  RG_TRY(rg_alloc((size_t)(rows * each) * sizeof *values, RG_OUT(&values)));
  for (int64_t i = 0; i < rows; i++)
    memcpy(values + i * each, (const float *)whole->data + i * n + part * each, (size_t)each * sizeof *values);
  rango_status status = rg_graph_add_floats(graph, from->name, &shape, values, out);
  rg_free(values);
  return status;
}

rango_status rg_unmerge(rango_model *copy, const rg_site *site) {
  rg_graph *graph = copy->graph;
  rg_value *y = rg_find_value(graph, site->output);
  rg_node *split = equal_split(y, site->parts), *add = y && site->add >= 0 ? y->producer : NULL;
  rg_node *product = add ? add->inputs[0]->producer : y ? y->producer : NULL, *node;
  if (!split || !product) return RANGO_OK;
  for (int64_t i = 0; i < site->parts; i++) {
    rg_value *output = split->outputs[i], *weight, *bias, *between = output;
    RG_TRY(add_cut(graph, product->inputs[1], site->inputs, site->parts, i, &weight));
    RG_TRY(add_binary(graph, split, "MatMul", output->name, product->inputs[0], weight, &node));
    rg_node_set_output(split, (int)i, NULL);
    if (add) {
      RG_TRY(rg_graph_add_value(graph, output->name, &between));
      rg_node_set_output(node, 0, between);
      RG_TRY(add_cut(graph, add->inputs[1], 1, site->parts, i, &bias));
      RG_TRY(add_binary(graph, split, "Add", output->name, between, bias, &node));
    }
    rg_node_set_output(node, 0, output);
  }
  rg_node_remove(split);
  if (add) rg_node_remove(add);
  rg_node_remove(product);
  return RANGO_OK;
}
