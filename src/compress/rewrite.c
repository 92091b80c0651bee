/* Two or three standard ONNX nodes in place of one. New names derive from the old ones; the last node keeps the layer's
 * output value, so nothing behind it changes. */
#include <stdio.h>
#include <string.h>

#include "compress/compress.h"

#define NAME_MAX_LENGTH 1024

static rg_node *find_node(const rango_model *model, int id) {
  for (rg_node *node = model->graph->first; node; node = node->next)
    if (node->id == id) return node;
  return NULL;
}

static const char *derived_name(char *buffer, const char *base, const char *suffix) {
  snprintf(buffer, NAME_MAX_LENGTH, "%.*s%s", NAME_MAX_LENGTH - 32, base, suffix);
  return buffer;
}

rango_status rg_graph_add_floats(rg_graph *graph, const char *name, const rg_shape *shape, const float *values,
                                 rg_value **out) {
  rango_tensor tensor;
  RG_TRY(rg_tensor_init(&tensor, RANGO_FLOAT32, shape));
  memcpy(tensor.data, values, tensor.bytes);
  rango_status status = rg_graph_add_constant(graph, name, &tensor, out);
  rg_tensor_clear(&tensor);
  return status;
}

static rango_status add_constant(rg_graph *graph, const char *base, const char *suffix, const rg_shape *shape,
                                 const float *values, rg_value **out) {
  char name[NAME_MAX_LENGTH];
  return rg_graph_add_floats(graph, derived_name(name, base, suffix), shape, values, out);
}

static rango_status name_node(rg_node *node, const char *base, const char *suffix) {
  char name[NAME_MAX_LENGTH];
  rg_arena *arena = node->graph->model->arena;
  derived_name(name, base, suffix);
  return rg_arena_strndup(arena, name, strlen(name), &node->name);
}

/* [rows][columns] transposed. */
static rango_status transpose(const float *from, int64_t rows, int64_t columns, float **out) {
  RG_TRY(rg_alloc((size_t)(rows * columns) * sizeof **out, RG_OUT(out)));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) (*out)[j * rows + i] = from[i * columns + j];
  return RANGO_OK;
}

/* What the three kinds of layer have in common. */
typedef struct rewriting {
  rg_graph *graph;
  rg_node *old, *first, *middle, *second;
  rg_value *between;
  rg_value *w1, *w2, *bias;
} rewriting;

static rango_status add_nodes(rewriting *r, int first_inputs, int second_inputs) {
  char name[NAME_MAX_LENGTH];
  rg_node *old = r->old;
  const char *base = old->name && old->name[0] ? old->name : old->outputs[0]->name;
  RG_TRY(rg_graph_add_node(r->graph, old, old->op, old->domain, old->version, first_inputs, 1, &r->first));
  RG_TRY(rg_graph_add_node(r->graph, old, old->op, old->domain, old->version, second_inputs, 1, &r->second));
  RG_TRY(name_node(r->first, base, "_first"));
  RG_TRY(name_node(r->second, base, "_second"));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, old->outputs[0]->name, "_lowrank"), &r->between));
  r->first->definition = r->second->definition = old->definition;
  RG_TRY(rg_node_set_input(r->first, 0, old->inputs[0]));
  RG_TRY(rg_node_set_input(r->first, 1, r->w1));
  rg_node_set_output(r->first, 0, r->between);
  RG_TRY(rg_node_set_input(r->second, 0, r->between));
  return rg_node_set_input(r->second, 1, r->w2);
}

/* The old node goes; its output value becomes the second node's. */
static void hand_over_output(rewriting *r) {
  rg_value *output = r->old->outputs[0];
  rg_node_remove(r->old);
  rg_node_set_output(r->second, 0, output);
}

static const char *weight_name(const rewriting *r, const rg_site *site) {
  return r->old->inputs[site->kind == RG_SITE_EMBEDDING ? 0 : 1]->name;
}

/* Both factors as the operator wants them: `transposed` [out][in], otherwise [in][out]. */
static rango_status add_dense_weights(rewriting *r, const rg_site *site, const rg_factors *factors, bool transposed) {
  const char *base = weight_name(r, site);
  int64_t rank = factors->rank, m = site->inputs, n = site->outputs;
  rg_shape shape1 = {2, {transposed ? rank : m, transposed ? m : rank}};
  rg_shape shape2 = {2, {transposed ? n : rank, transposed ? rank : n}};
  if (transposed) {
    RG_TRY(add_constant(r->graph, base, "_first", &shape1, factors->first, &r->w1));
    return add_constant(r->graph, base, "_second", &shape2, factors->second, &r->w2);
  }
  float *turned = NULL;
  RG_TRY(transpose(factors->first, rank, m, &turned));
  rango_status status = add_constant(r->graph, base, "_first", &shape1, turned, &r->w1);
  rg_free(turned);
  RG_TRY(status);
  RG_TRY(transpose(factors->second, n, rank, &turned));
  status = add_constant(r->graph, base, "_second", &shape2, turned, &r->w2);
  rg_free(turned);
  return status;
}

static rango_status add_bias(rewriting *r, const rg_site *site, const rg_factors *factors) {
  rg_shape shape = {1, {site->outputs}};
  return add_constant(r->graph, weight_name(r, site), "_bias", &shape, factors->offset, &r->bias);
}

static rango_status rewrite_gemm(rewriting *r, const rg_site *site, const rg_factors *factors) {
  bool transposed = rg_node_int(r->old, "transB", 0) != 0, needs_bias = r->old->version < 11;
  RG_TRY(add_dense_weights(r, site, factors, transposed));
  RG_TRY(add_bias(r, site, factors));
  RG_TRY(add_nodes(r, needs_bias ? 3 : 2, 3));
  if (needs_bias) { /* C became optional with opset 11 */
    float zero = 0;
    rg_value *none;
    RG_TRY(add_constant(r->graph, r->old->inputs[1]->name, "_zero", &(rg_shape){1, {1}}, &zero, &none));
    RG_TRY(rg_node_set_input(r->first, 2, none));
  }
  RG_TRY(rg_node_set_input(r->second, 2, r->bias));
  if (transposed) {
    RG_TRY(rg_node_set_int(r->first, "transB", 1));
    RG_TRY(rg_node_set_int(r->second, "transB", 1));
  }
  hand_over_output(r);
  return RANGO_OK;
}

static rango_status new_node(rewriting *r, const rg_site *site, const char *op, const char *suffix, rg_node **out) {
  RG_TRY(rg_graph_add_node(r->graph, r->old, op, "", (int)rg_model_opset(r->graph->model, ""), 2, 1, out));
  (*out)->definition = rg_op_find("", op, (*out)->version);
  return name_node(*out, site->name, suffix);
}

static rango_status rewrite_matmul(rewriting *r, const rg_site *site, const rg_factors *factors) {
  rg_node *add = site->add >= 0 ? find_node(r->graph->model, site->add) : NULL;
  RG_TRY(add_dense_weights(r, site, factors, false));
  RG_TRY(add_bias(r, site, factors));
  RG_TRY(add_nodes(r, 2, 2));
  if (add) {
    int at = rg_value_constant(add->inputs[1]) ? 1 : 0;
    hand_over_output(r);
    return rg_node_set_input(add, at, r->bias);
  }
  char name[NAME_MAX_LENGTH];
  rg_value *product;
  RG_TRY(new_node(r, site, "Add", "_bias", &add));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, r->old->outputs[0]->name, "_product"), &product));
  rg_node_set_output(r->second, 0, product);
  RG_TRY(rg_node_set_input(add, 0, product));
  RG_TRY(rg_node_set_input(add, 1, r->bias));
  rg_value *output = r->old->outputs[0];
  rg_node_remove(r->old);
  rg_node_set_output(add, 0, output);
  return RANGO_OK;
}

/* Weight [outputs][inputs] and bias behind `input`, as MatMul and Add: *out is the Add. */
static rango_status add_affine(rewriting *r, const rg_site *site, const char *suffix, const float *weight,
                               const float *bias, int64_t inputs, int64_t outputs, rg_value *input, rg_node **out) {
  char name[NAME_MAX_LENGTH], with_bias[32], product_name[32];
  float *turned = NULL;
  rg_value *w, *b, *product;
  rg_node *matmul;
  snprintf(with_bias, sizeof with_bias, "%s_bias", suffix);
  snprintf(product_name, sizeof product_name, "%s_product", suffix);
  RG_TRY(transpose(weight, outputs, inputs, &turned));
  rango_status status =
      add_constant(r->graph, weight_name(r, site), suffix, &(rg_shape){2, {inputs, outputs}}, turned, &w);
  rg_free(turned);
  RG_TRY(status);
  RG_TRY(add_constant(r->graph, weight_name(r, site), with_bias, &(rg_shape){1, {outputs}}, bias, &b));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, r->old->outputs[0]->name, product_name), &product));
  RG_TRY(new_node(r, site, "MatMul", suffix, &matmul));
  RG_TRY(new_node(r, site, "Add", with_bias, out));
  RG_TRY(rg_node_set_input(matmul, 0, input));
  RG_TRY(rg_node_set_input(matmul, 1, w));
  rg_node_set_output(matmul, 0, product);
  RG_TRY(rg_node_set_input(*out, 0, product));
  return rg_node_set_input(*out, 1, b);
}

/* Gives a node's output a name of its own. */
static rango_status add_output(rewriting *r, rg_node *node, const char *suffix, rg_value **out) {
  char name[NAME_MAX_LENGTH];
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, r->old->outputs[0]->name, suffix), out));
  rg_node_set_output(node, 0, *out);
  return RANGO_OK;
}

/* Cuts a value along its last axis in pieces of these sizes. */
static rango_status add_split(rewriting *r, const rg_site *site, rg_value *value, const int64_t *sizes, int count,
                              rg_value **pieces) {
  char name[NAME_MAX_LENGTH];
  const bool sizes_are_input = rg_model_opset(r->graph->model, "") >= 13;
  rg_node *node;
  RG_TRY(rg_graph_add_node(r->graph, r->old, "Split", "", (int)rg_model_opset(r->graph->model, ""),
                           sizes_are_input ? 2 : 1, count, &node));
  node->definition = rg_op_find("", "Split", node->version);
  RG_TRY(name_node(node, site->name, "_split"));
  RG_TRY(rg_node_set_int(node, "axis", -1));
  RG_TRY(rg_node_set_input(node, 0, value));
  if (sizes_are_input) {
    rango_tensor tensor;
    rg_value *constant;
    RG_TRY(rg_tensor_init(&tensor, RANGO_INT64, &(rg_shape){1, {count}}));
    memcpy(tensor.data, sizes, (size_t)count * sizeof *sizes);
    RG_TRY(rg_graph_add_constant(r->graph, derived_name(name, weight_name(r, site), "_ranks"), &tensor, &constant));
    RG_TRY(rg_node_set_input(node, 1, constant));
  } else {
    RG_TRY(rg_node_set_ints(node, "split", sizes, (size_t)count));
  }
  for (int i = 0; i < count; i++) {
    RG_TRY(rg_graph_add_value(r->graph, derived_name(name, r->old->outputs[0]->name, "_lowrank"), &pieces[i]));
    rg_node_set_output(node, i, pieces[i]);
  }
  return RANGO_OK;
}

/* first [rank][inputs] with its rows part by part, as a MatMul, and a Split of what it makes. */
static rango_status add_codes(rewriting *r, const rg_site *site, const rg_factors *f, const int64_t *columns,
                              const int64_t *ranks, rg_value **codes) {
  const int64_t m = site->inputs, rank = f->rank;
  char name[NAME_MAX_LENGTH];
  float *turned = NULL;
  RG_TRY(rg_alloc((size_t)(rank * m) * sizeof *turned, RG_OUT(&turned)));
  for (int64_t i = 0; i < m; i++)
    for (int64_t c = 0; c < rank; c++) turned[i * rank + c] = f->first[columns[c] * m + i];
  rango_status status =
      add_constant(r->graph, weight_name(r, site), "_first", &(rg_shape){2, {m, rank}}, turned, &r->w1);
  rg_free(turned);
  RG_TRY(status);
  RG_TRY(new_node(r, site, "MatMul", "_first", &r->first));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, r->old->outputs[0]->name, "_codes"), &r->between));
  RG_TRY(rg_node_set_input(r->first, 0, r->old->inputs[0]));
  RG_TRY(rg_node_set_input(r->first, 1, r->w1));
  rg_node_set_output(r->first, 0, r->between);
  return add_split(r, site, r->between, ranks, (int)site->parts, codes);
}

/* One part's product with its bias: columns [rank] of `second`. */
static rango_status add_part(rewriting *r, const rg_site *site, const rg_factors *f, int64_t part,
                             const int64_t *columns, int64_t rank, rg_value *code, rg_value **out) {
  const int64_t each = site->outputs / site->parts;
  char suffix[24];
  float *block = NULL;
  rg_node *node;
  snprintf(suffix, sizeof suffix, "_part%lld", (long long)part);
  RG_TRY(rg_alloc((size_t)(each * rank) * sizeof *block, RG_OUT(&block)));
  for (int64_t j = 0; j < each; j++)
    for (int64_t c = 0; c < rank; c++) block[j * rank + c] = f->second[(part * each + j) * f->rank + columns[c]];
  rango_status status = add_affine(r, site, suffix, block, f->offset + part * each, rank, each, code, &node);
  rg_free(block);
  return status == RANGO_OK ? add_output(r, node, suffix, out) : status;
}

/* The directions of a part, in order: their number. */
static int64_t list_part(const rg_factors *f, int part, int64_t *columns) {
  int64_t count = 0;
  for (int64_t i = 0; i < f->rank; i++)
    if (f->parts[i] == part) columns[count++] = i;
  return count;
}

/* A first product for all parts, one behind for each, and a Concat that makes the layer's output of them. */
static rango_status rewrite_split(rewriting *r, const rg_site *site, const rg_factors *f) {
  rg_node *add = site->add >= 0 ? find_node(r->graph->model, site->add) : NULL, *concat;
  int64_t *columns = NULL, ranks[RG_PARTS_MAX], from = 0;
  rg_value *pieces[RG_PARTS_MAX];
  int parts = (int)site->parts;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)f->rank * sizeof *columns, RG_OUT(&columns)));
  for (int i = 0; i < parts; from += ranks[i++]) ranks[i] = list_part(f, i, columns + from);
  RG_TRY_DONE(add_codes(r, site, f, columns, ranks, pieces));
  from = 0;
  for (int i = 0; i < parts; from += ranks[i++])
    RG_TRY_DONE(add_part(r, site, f, i, columns + from, ranks[i], pieces[i], &pieces[i]));
  RG_TRY_DONE(new_node(r, site, "Concat", "_parts", &concat));
  RG_TRY_DONE(rg_node_set_input_count(concat, parts));
  for (int i = 0; i < parts; i++) RG_TRY_DONE(rg_node_set_input(concat, i, pieces[i]));
  RG_TRY_DONE(rg_node_set_int(concat, "axis", -1));
  rg_value *output = add ? add->outputs[0] : r->old->outputs[0];
  if (add) rg_node_remove(add);
  rg_node_remove(r->old);
  rg_node_set_output(concat, 0, output);
done:
  rg_free(columns);
  return status;
}

/* Coordinates of the layer's output, and a network of one hidden layer that leads back. */
static rango_status rewrite_whitney(rewriting *r, const rg_site *site, const rg_factors *f) {
  rg_node *add = site->add >= 0 ? find_node(r->graph->model, site->add) : NULL, *node, *relu;
  rg_value *code, *hidden, *active;
  RG_TRY(add_affine(r, site, "_first", f->first, f->first_offset, site->inputs, f->rank, r->old->inputs[0], &node));
  RG_TRY(add_output(r, node, "_code", &code));
  RG_TRY(add_affine(r, site, "_middle", f->middle, f->middle_offset, f->rank, f->rank2, code, &node));
  RG_TRY(add_output(r, node, "_hidden", &hidden));
  RG_TRY(new_node(r, site, "Relu", "_relu", &relu));
  RG_TRY(rg_node_set_input_count(relu, 1));
  RG_TRY(rg_node_set_input(relu, 0, hidden));
  RG_TRY(add_output(r, relu, "_active", &active));
  RG_TRY(add_affine(r, site, "_second", f->second, f->offset, f->rank2, site->outputs, active, &node));
  rg_value *output = add ? add->outputs[0] : r->old->outputs[0];
  if (add) rg_node_remove(add);
  rg_node_remove(r->old);
  rg_node_set_output(node, 0, output);
  return RANGO_OK;
}

/* The node's bias [directions][2][outputs of one]: the first of the two halves belongs to the input. */
static rango_status add_recurrent_bias(rewriting *r, const rg_site *site, const rg_factors *factors) {
  const rg_value *old = site->biased ? r->old->inputs[3] : NULL;
  int64_t directions = site->weight->shape.dims[0], each = site->weight->shape.dims[1];
  rg_shape shape = {2, {directions, 2 * each}};
  float *bias = NULL;
  RG_TRY(rg_calloc((size_t)(2 * site->outputs), sizeof *bias, RG_OUT(&bias)));
  if (old) memcpy(bias, rg_value_constant(old)->data, (size_t)(2 * site->outputs) * sizeof *bias);
  for (int64_t j = 0; j < site->outputs; j++) bias[j / each * 2 * each + j % each] += factors->offset[j];
  rango_status status = add_constant(r->graph, old ? old->name : weight_name(r, site), old ? "_corrected" : "_bias",
                                     &shape, bias, &r->bias);
  rg_free(bias);
  return status;
}

/* A MatMul makes a narrower input, for both directions; the node stays, with narrower input weights. */
static rango_status rewrite_recurrent(rewriting *r, const rg_site *site, const rg_factors *factors) {
  char name[NAME_MAX_LENGTH];
  const rg_shape *old = &site->weight->shape;
  rg_shape shape1 = {2, {site->inputs, factors->rank}}, shape2 = {3, {old->dims[0], old->dims[1], factors->rank}};
  float *turned = NULL;
  RG_TRY(transpose(factors->first, factors->rank, site->inputs, &turned));
  rango_status status = add_constant(r->graph, weight_name(r, site), "_first", &shape1, turned, &r->w1);
  rg_free(turned);
  RG_TRY(status);
  RG_TRY(add_constant(r->graph, weight_name(r, site), "_second", &shape2, factors->second, &r->w2));
  RG_TRY(add_recurrent_bias(r, site, factors));
  RG_TRY(new_node(r, site, "MatMul", "_first", &r->first));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, weight_name(r, site), "_lowrank"), &r->between));
  RG_TRY(rg_node_set_input(r->first, 0, r->old->inputs[0]));
  RG_TRY(rg_node_set_input(r->first, 1, r->w1));
  rg_node_set_output(r->first, 0, r->between);
  RG_TRY(rg_node_set_input(r->old, 0, r->between));
  RG_TRY(rg_node_set_input(r->old, 1, r->w2));
  if (r->old->input_count < 4) RG_TRY(rg_node_set_input_count(r->old, 4));
  return rg_node_set_input(r->old, 3, r->bias);
}

/* Gather reads a narrower table: its output, [..., rank], becomes [..., outputs] behind. */
static rango_status rewrite_embedding(rewriting *r, const rg_site *site, const rg_factors *factors) {
  char name[NAME_MAX_LENGTH];
  rg_value *output = r->old->outputs[0], *codes, *product;
  rg_node *matmul, *add;
  RG_TRY(add_dense_weights(r, site, factors, false));
  RG_TRY(add_bias(r, site, factors));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, output->name, "_lowrank"), &codes));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, output->name, "_product"), &product));
  RG_TRY(new_node(r, site, "Gather", "_first", &r->first));
  RG_TRY(new_node(r, site, "MatMul", "_second", &matmul));
  RG_TRY(new_node(r, site, "Add", "_bias", &add));
  RG_TRY(rg_node_set_input(r->first, 0, r->w1));
  RG_TRY(rg_node_set_input(r->first, 1, r->old->inputs[1]));
  rg_node_set_output(r->first, 0, codes);
  RG_TRY(rg_node_set_input(matmul, 0, codes));
  RG_TRY(rg_node_set_input(matmul, 1, r->w2));
  rg_node_set_output(matmul, 0, product);
  RG_TRY(rg_node_set_input(add, 0, product));
  RG_TRY(rg_node_set_input(add, 1, r->bias));
  rg_node_remove(r->old);
  rg_node_set_output(add, 0, output);
  return RANGO_OK;
}

/* Attributes of one of the two convolutions: the axes in [from, to) keep the original's window, the others get a kernel
 * of 1, stride 1 and no padding. Automatic padding works out alike on its axis. */
static rango_status set_window(rg_node *node, const rg_node *old, const rg_site *site, int from, int to) {
  int64_t kernel[2], strides[2], dilations[2], pads[4];
  int axes = site->spatial;
  for (int i = 0; i < axes; i++) {
    bool own = i >= from && i < to;
    kernel[i] = own ? site->weight->shape.dims[2 + i] : 1;
    strides[i] = own ? site->window.stride[i] : 1;
    dilations[i] = own ? site->window.dilation[i] : 1;
    pads[i] = own ? site->window.pad_begin[i] : 0;
    pads[axes + i] = own ? site->window.pad_end[i] : 0;
  }
  size_t count = (size_t)axes;
  RG_TRY(rg_node_set_ints(node, "kernel_shape", kernel, count));
  RG_TRY(rg_node_set_ints(node, "strides", strides, count));
  RG_TRY(rg_node_set_ints(node, "dilations", dilations, count));
  if (site->window.same_upper || site->window.same_lower)
    return rg_node_set_string(node, "auto_pad", rg_node_string(old, "auto_pad", "NOTSET"));
  return rg_node_set_ints(node, "pads", pads, 2 * count);
}

/* A kernel [outputs][kw][kh][channels] as a constant in ONNX's order [outputs][channels][kh][kw]. */
static rango_status add_kernel(rewriting *r, const rg_site *site, const char *suffix, const int64_t *dims,
                               const float *from, rg_value **out) {
  int64_t outputs = dims[0], channels = dims[1], kh = dims[2], kw = dims[3];
  float *kernel = NULL;
  RG_TRY(rg_alloc((size_t)(outputs * channels * kh * kw) * sizeof *kernel, RG_OUT(&kernel)));
  float *to = kernel;
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t y = 0; y < kh; y++)
        for (int64_t x = 0; x < kw; x++) *to++ = from[((o * kw + x) * kh + y) * channels + c];
  rg_shape shape = {site->spatial + 2, {outputs, channels, kh, kw}};
  if (site->spatial == 1) shape.dims[2] = kw;
  rango_status status = add_constant(r->graph, r->old->inputs[1]->name, suffix, &shape, kernel, out);
  rg_free(kernel);
  return status;
}

/* The middle one of Tucker's three convolutions goes between the two others. */
static rango_status add_middle(rewriting *r, const rg_site *site, const rg_factors *factors) {
  char name[NAME_MAX_LENGTH];
  rg_node *old = r->old;
  rg_value *weight, *value;
  RG_TRY(add_kernel(r, site, "_middle", (int64_t[]){factors->rank2, factors->rank, site->kernel_h, site->kernel_w},
                    factors->middle, &weight));
  RG_TRY(rg_graph_add_node(r->graph, r->second, old->op, old->domain, old->version, 2, 1, &r->middle));
  RG_TRY(name_node(r->middle, old->name && old->name[0] ? old->name : old->outputs[0]->name, "_middle"));
  RG_TRY(rg_graph_add_value(r->graph, derived_name(name, old->outputs[0]->name, "_lowrank2"), &value));
  r->middle->definition = old->definition;
  RG_TRY(rg_node_set_input(r->middle, 0, r->between));
  RG_TRY(rg_node_set_input(r->middle, 1, weight));
  rg_node_set_output(r->middle, 0, value);
  return rg_node_set_input(r->second, 0, value);
}

/* Both kernels of a pair of several groups. */
static rango_status add_grouped_kernels(rewriting *r, const rg_site *site, const rg_factors *factors,
                                        const int64_t *dims1, const int64_t *dims2) {
  float *first = NULL, *second = NULL;
  rango_status status;
  RG_TRY_DONE(rg_grouped_kernels(site, factors, &first, &second));
  RG_TRY_DONE(add_kernel(r, site, "_first", dims1, first, &r->w1));
  RG_TRY_DONE(add_kernel(r, site, "_second", dims2, second, &r->w2));
done:
  rg_free(first);
  rg_free(second);
  return status;
}

/* Which of a layer's axes the first, the middle and the last convolution work along. */
typedef struct axes {
  int from, to;
} axes;

/* No bias but on the last: where a later one pads, zeros must stay zeros. */
static rango_status rewrite_conv(rewriting *r, const rg_site *site, const rg_factors *factors) {
  int64_t rank = factors->rank, kh = site->kernel_h, kw = site->kernel_w, n = site->outputs, c = site->channels;
  axes all = {0, site->spatial}, none = {0, 0}, first = all, last = none;
  int64_t dims1[4] = {rank * site->groups, c / site->groups, kh, kw}, dims2[4] = {n, rank, 1, 1};
  if (factors->form == RG_FORM_SPATIAL) {
    dims1[3] = 1;
    dims2[3] = kw;
    first = (axes){0, 1};
    last = (axes){1, 2};
  } else if (factors->form == RG_FORM_POINTWISE) {
    dims1[2] = dims1[3] = 1;
    dims2[2] = kh;
    dims2[3] = kw;
    first = none;
    last = all;
  } else if (factors->form == RG_FORM_TUCKER) {
    dims1[2] = dims1[3] = 1;
    dims2[1] = factors->rank2;
    first = none;
  }
  if (site->groups > 1) {
    RG_TRY(add_grouped_kernels(r, site, factors, dims1, dims2));
  } else {
    RG_TRY(add_kernel(r, site, "_first", dims1, factors->first, &r->w1));
    RG_TRY(add_kernel(r, site, "_second", dims2, factors->second, &r->w2));
  }
  RG_TRY(add_bias(r, site, factors));
  RG_TRY(add_nodes(r, 2, 3));
  if (site->groups > 1) {
    RG_TRY(rg_node_set_int(r->first, "group", site->groups));
    RG_TRY(rg_node_set_int(r->second, "group", site->groups));
  }
  RG_TRY(rg_node_set_input(r->second, 2, r->bias));
  RG_TRY(set_window(r->first, r->old, site, first.from, first.to));
  RG_TRY(set_window(r->second, r->old, site, last.from, last.to));
  if (factors->form == RG_FORM_TUCKER) {
    RG_TRY(add_middle(r, site, factors));
    RG_TRY(set_window(r->middle, r->old, site, all.from, all.to));
  }
  hand_over_output(r);
  return RANGO_OK;
}

/* The corrected weight of a layer that stays dense, in the operator's own order. */
static rango_status correct_weight(rewriting *r, const rg_site *site, const float *matrix) {
  const rg_shape *shape = &site->weight->shape;
  rg_value *weight = NULL;
  float *turned = NULL;
  if (site->kind == RG_SITE_CONV) {
    RG_TRY(add_kernel(r, site, "_corrected", (int64_t[]){site->outputs, site->channels, site->kernel_h, site->kernel_w},
                      matrix, &weight));
  } else if (site->kind == RG_SITE_GEMM && rg_node_int(r->old, "transB", 0)) {
    RG_TRY(add_constant(r->graph, r->old->inputs[1]->name, "_corrected", shape, matrix, &weight));
  } else {
    RG_TRY(transpose(matrix, site->outputs, site->inputs, &turned));
    rango_status status = add_constant(r->graph, r->old->inputs[1]->name, "_corrected", shape, turned, &weight);
    rg_free(turned);
    RG_TRY(status);
  }
  RG_TRY(rg_node_set_input(r->old, 1, weight));
  if (site->kind == RG_SITE_GEMM && rg_node_attr(r->old, "alpha")) return rg_node_set_float(r->old, "alpha", 1);
  return RANGO_OK;
}

/* A layer that stays dense gets its weight and its bias corrected, where it has a bias. */
static rango_status correct_dense(rewriting *r, const rg_site *site, const rg_factors *factors) {
  if (!factors->offset || !site->bias) return RANGO_OK;
  rg_node *node = r->old;
  int input = 2;
  if (site->kind == RG_SITE_MATMUL) {
    node = find_node(r->graph->model, site->add);
    if (!node) return RANGO_OK;
    input = rg_value_constant(node->inputs[1]) ? 1 : 0;
  }
  if (factors->first) RG_TRY(correct_weight(r, site, factors->first));
  rg_shape shape = {1, {site->outputs}};
  RG_TRY(add_constant(r->graph, node->inputs[input]->name, "_corrected", &shape, factors->offset, &r->bias));
  RG_TRY(rg_node_set_input(node, input, r->bias));
  if (site->kind == RG_SITE_GEMM && rg_node_attr(node, "beta")) return rg_node_set_float(node, "beta", 1);
  return RANGO_OK;
}

rango_status rg_rewrite_site(rango_model *copy, const rg_site *site, const rg_factors *factors) {
  rewriting r = {.graph = copy->graph, .old = find_node(copy, site->node)};
  RG_FAIL_IF(!r.old, RANGO_ERROR_INTERNAL, "node '%s' (%s): not in the copy", site->name, site->op);
  if (factors->form == RG_FORM_DENSE) return correct_dense(&r, site, factors);
  if (factors->form == RG_FORM_WHITNEY) return rewrite_whitney(&r, site, factors);
  if (factors->form == RG_FORM_SPLIT) return rewrite_split(&r, site, factors);
  if (site->kind == RG_SITE_GEMM) return rewrite_gemm(&r, site, factors);
  if (site->kind == RG_SITE_MATMUL) return rewrite_matmul(&r, site, factors);
  if (site->kind == RG_SITE_EMBEDDING) return rewrite_embedding(&r, site, factors);
  if (site->kind == RG_SITE_RECURRENT) return rewrite_recurrent(&r, site, factors);
  return rewrite_conv(&r, site, factors);
}

/* In the whole model, where what reads the parts is there, too. */
static rango_status rewrite_whole(rango_model *copy, const rg_site *site, const rg_factors *factors) {
  RG_TRY(rg_rewrite_site(copy, site, factors));
  if (factors->form == RG_FORM_SPLIT) rg_connect_parts(copy, site);
  return factors->form == RG_FORM_DENSE && site->merged ? rg_unmerge(copy, site) : RANGO_OK;
}

rango_status rg_rewrite_model(const rango_model *model, const rg_sites *sites, const rg_factors *factors,
                              rango_model **out) {
  int changes = 0;
  RG_TRY(rg_model_copy(model, out));
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < sites->count && status == RANGO_OK; i++)
    status = rewrite_whole(*out, &sites->items[i], &factors[i]);
  if (status == RANGO_OK) status = rg_ops_resolve(*out, false);
  if (status == RANGO_OK) status = rg_pass_remove_dead(*out, &changes);
  if (status != RANGO_OK) {
    rg_model_release(*out);
    *out = NULL;
  }
  return status;
}
