/*
 * Two linear layers after each other with nothing between and few values in the middle become one operator, which keeps
 * the middle in cache: rango.Dense → rango.Dense, and rango.Conv → rango.Conv with one of the two 1x1, or k x 1 → 1 x
 * k.
 */
#include <stdio.h>

#include "passes/lower/lower.h"

#define RESIDUAL 3

/* The node that makes `value` and is to be merged into `user`: of the same operator, plain, used nowhere else. */
static rg_node *first_of_pair(const rg_node *user, const char *op) {
  rg_value *between = user->inputs[0];
  rg_node *first = between->producer;
  if (!first || !rg_lower_is_private(first, op) || rg_lower_only_user(between) != user) return NULL;
  if (rg_lower_input(first, RESIDUAL) || rg_activation_read(first).kind != RG_ACT_NONE) return NULL;
  return first;
}

/* Inputs of the merged node: X, W1, B1, W2, B2, R. `second` becomes it, and `first` goes. */
static rango_status merge_inputs(rg_node *first, rg_node *second) {
  rg_value *inputs[6] = {first->inputs[0],  first->inputs[1],          rg_lower_input(first, 2),
                         second->inputs[1], rg_lower_input(second, 2), rg_lower_input(second, RESIDUAL)};
  RG_TRY(rg_node_set_input_count(second, 6));
  for (int i = 0; i < 6; i++) RG_TRY(rg_node_set_input(second, i, inputs[i]));
  rg_node_remove(first);
  return RANGO_OK;
}

/* ---- Dense ---- */

static rango_status merge_dense(rg_node *second, int *changes) {
  rg_node *first = first_of_pair(second, "Dense");
  if (!first || rg_node_float(first, "scale", 1) != 1 || rg_node_float(second, "scale", 1) != 1) return RANGO_OK;
  int64_t trans1 = rg_node_int(first, "trans", 0), trans2 = rg_node_int(second, "trans", 0);
  const int64_t *w1 = rg_value_constant(first->inputs[1])->shape.dims;
  const int64_t *w2 = rg_value_constant(second->inputs[1])->shape.dims;
  int64_t in = w1[trans1 ? 1 : 0], rank = w1[trans1 ? 0 : 1], out = w2[trans2 ? 0 : 1];
  if (rank >= in || rank >= out) return RANGO_OK;
  rg_node_remove_attr(second, "trans");
  RG_TRY(rg_node_set_int(second, "trans1", trans1));
  RG_TRY(rg_node_set_int(second, "trans2", trans2));
  RG_TRY(rg_lower_become(second, "LowRankDense", RG_PRIVATE_DOMAIN, 1));
  ++*changes;
  return merge_inputs(first, second);
}

/* ---- Conv ---- */

typedef struct conv {
  rg_window window;
  int64_t in, out, group;
} conv;

/* False for windows that can't be written with fixed pads. */
static bool read_conv(const rg_node *node, conv *out) {
  const rango_tensor *w = rg_value_constant(node->inputs[1]);
  int spatial = w->shape.rank - 2;
  if (spatial < 1 || spatial > 2) return false;
  if (rg_window_read(node, spatial, w->shape.dims + 2, &out->window) != RANGO_OK) return false;
  out->group = rg_node_int(node, "group", 1);
  out->in = w->shape.dims[1] * out->group;
  out->out = w->shape.dims[0];
  return !out->window.same_upper && !out->window.same_lower;
}

static int64_t taps(const conv *c) {
  int64_t count = 1;
  for (int i = 0; i < c->window.spatial; i++) count *= c->window.kernel[i];
  return count;
}

/* 1 x 1, applied to every position as it is. */
static bool is_pointwise(const conv *c) {
  for (int i = 0; i < c->window.spatial; i++)
    if (c->window.kernel[i] != 1 || c->window.stride[i] != 1 || c->window.pad_begin[i] != 0 ||
        c->window.pad_end[i] != 0)
      return false;
  return true;
}

/* k x 1 then 1 x k: each moves along one axis only, and not the same one. */
static bool is_separated(const conv *a, const conv *b) {
  return a->window.spatial == 2 && b->window.spatial == 2 &&
         ((a->window.kernel[1] == 1 && b->window.kernel[0] == 1) ||
          (a->window.kernel[0] == 1 && b->window.kernel[1] == 1));
}

static rango_status set_list(rg_node *node, const char *name, int which, const int64_t *values, size_t count) {
  char text[24];
  snprintf(text, sizeof text, "%s%d", name, which);
  return rg_node_set_ints(node, text, values, count);
}

static rango_status write_conv(rg_node *node, int which, const conv *c) {
  const rg_window *w = &c->window;
  size_t spatial = (size_t)w->spatial;
  int64_t pads[2 * RANGO_MAX_RANK];
  for (size_t i = 0; i < spatial; i++) {
    pads[i] = w->pad_begin[i];
    pads[spatial + i] = w->pad_end[i];
  }
  RG_TRY(set_list(node, "kernel_shape", which, w->kernel, spatial));
  RG_TRY(set_list(node, "strides", which, w->stride, spatial));
  RG_TRY(set_list(node, "dilations", which, w->dilation, spatial));
  RG_TRY(set_list(node, "pads", which, pads, 2 * spatial));
  return rg_node_set_int(node, which == 1 ? "group1" : "group2", c->group);
}

static rango_status merge_conv(rg_node *second, int *changes) {
  rg_node *first = first_of_pair(second, "Conv");
  conv a, b;
  if (!first || !read_conv(first, &a) || !read_conv(second, &b) || a.group != 1 || b.group != 1) return RANGO_OK;
  bool form = is_pointwise(&a) || is_pointwise(&b) || is_separated(&a, &b);
  if (!form || a.window.spatial != b.window.spatial || a.out >= a.in * taps(&a) || a.out >= b.out * taps(&b))
    return RANGO_OK;
  static const char *const attributes[] = {"kernel_shape", "strides", "dilations", "pads", "group", "auto_pad"};
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) rg_node_remove_attr(second, attributes[i]);
  RG_TRY(write_conv(second, 1, &a));
  RG_TRY(write_conv(second, 2, &b));
  RG_TRY(rg_lower_become(second, "LowRankConv", RG_PRIVATE_DOMAIN, 1));
  ++*changes;
  return merge_inputs(first, second);
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  if (rg_lower_is_private(node, "Dense")) return merge_dense(node, changes);
  return rg_lower_is_private(node, "Conv") ? merge_conv(node, changes) : RANGO_OK;
}

rango_status rg_pass_low_rank(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
