/* Adjoints of Resize and Upsample: linear, one axis after the other. */
#include <string.h>

#include "adjoint/backward.h"

typedef struct resizing {
  const rg_fact *x, *y;
  const rango_tensor *scales; /* NULL: sizes are given, or scales that aren't known */
} resizing;

static resizing read_resize(const rg_node *node, const rg_facts *facts) {
  const int index = rg_node_is(node, "Upsample") || node->version < 11 ? 1 : 2;
  const rg_value *scales = index < node->input_count ? node->inputs[index] : NULL;
  resizing r = {&facts->items[node->inputs[0]->id], &facts->items[node->outputs[0]->id], NULL};
  const rango_tensor *constant = scales ? rg_value_constant(scales) : NULL;
  if (constant && rango_tensor_count(constant) == r.x->rank) r.scales = constant;
  return r;
}

static bool is_known(const resizing *r, int axis) {
  return rg_size_is_known(r->x->dims[axis]) && rg_size_is_known(r->y->dims[axis]) && r->x->dims[axis] > 0;
}

/* By how much the axis becomes longer. */
static double scale_of(const resizing *r, int axis) {
  if (r->scales) return rg_tensor_get_double(r->scales, axis);
  if (r->x->dims[axis] == r->y->dims[axis] && r->x->dims[axis] != RG_SIZE_UNKNOWN) return 1;
  return is_known(r, axis) ? (double)r->y->dims[axis] / (double)r->x->dims[axis] : 0;
}

/* ---- to the nearest element, by whole factors: every element's copies are added up ---- */

/* Whether an output at q factor + k (k < factor) reads element q. */
static bool reads_own_block(const rg_node *node) {
  const char *places = rg_node_string(node, "coordinate_transformation_mode", "half_pixel");
  const char *rounding = rg_node_string(node, "nearest_mode", "round_prefer_floor");
  if (strcmp(rg_node_string(node, "mode", "nearest"), "nearest") != 0) return false;
  if (node->version < 11) return true;
  if (strcmp(places, "asymmetric") == 0) return strcmp(rounding, "floor") == 0;
  return (strcmp(places, "half_pixel") == 0 || strcmp(places, "pytorch_half_pixel") == 0) &&
         strncmp(rounding, "round_prefer", 12) == 0;
}

static bool copies_blocks(const rg_node *node, const resizing *r) {
  if (r->x->rank < 3 || r->x->rank > 5 || !reads_own_block(node)) return false;
  for (int i = 0; i < r->x->rank; i++) {
    double scale = scale_of(r, i);
    if (scale < 1 || scale > 1024 || scale != (double)(int64_t)scale || (i < 2 && scale != 1)) return false;
  }
  return true;
}

static void sum_blocks(rg_backward *b, const resizing *r, rg_value *g) {
  int64_t factors[RANGO_MAX_RANK], copies = 1;
  for (int i = 2; i < r->x->rank; i++) copies *= factors[i - 2] = (int64_t)scale_of(r, i);
  rg_value *mean = rg_back_op(b, "AveragePool", 1, g);
  rg_back_set_ints(b, mean, "kernel_shape", factors, r->x->rank - 2);
  rg_back_set_ints(b, mean, "strides", factors, r->x->rank - 2);
  rg_back_give(b, 0, rg_back_scale(b, mean, (double)copies));
}

/* ---- in general: a matrix for every axis, which the operator itself makes of the unit matrix ---- */

static rg_value *unit_matrix(rg_backward *b, int64_t size) {
  rg_value *out = rg_back_filled(b, 4, (const int64_t[]){1, 1, size, size}, 0);
  for (int64_t i = 0; out && i < size; i++) rg_tensor_set_double(out->constant, i * size + i, 1);
  return out;
}

/* [out, in]: what the axis's outputs are made of. */
static rg_value *matrix_of(rg_backward *b, const resizing *r, int axis) {
  const int64_t in = r->x->dims[axis], out = r->y->dims[axis];
  rg_value *unit = unit_matrix(b, in), *scales = NULL, *sizes = NULL, *matrix;
  if (r->scales) {
    rango_tensor tensor;
    if (b->status == RANGO_OK) rg_back_fail(b, rg_tensor_init(&tensor, RANGO_FLOAT32, &(rg_shape){1, {4}}));
    if (b->status != RANGO_OK) return NULL;
    for (int i = 0; i < 4; i++) rg_tensor_set_double(&tensor, i, i == 2 ? scale_of(r, axis) : 1);
    rg_back_fail(b, rg_graph_add_constant(b->graph, b->name, &tensor, &scales));
    matrix = rg_back_op(b, "Resize", 3, unit, NULL, scales);
  } else {
    sizes = rg_back_ints(b, (const int64_t[]){1, 1, out, in}, 4);
    matrix = rg_back_op(b, "Resize", 4, unit, NULL, NULL, sizes);
  }
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_copy_attributes(matrix->producer, b->node));
  return rg_back_reshape(b, matrix, (const int64_t[]){out, in}, 2);
}

/* g by the matrix along an axis: as the last one. */
static rg_value *along(rg_backward *b, rg_value *g, rg_value *matrix, int axis, int rank) {
  int64_t perm[RANGO_MAX_RANK];
  for (int i = 0; i < rank; i++) perm[i] = i;
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  if (axis == rank - 1) return rg_back_op(b, "MatMul", 2, g, matrix);
  return rg_back_transpose(b, rg_back_op(b, "MatMul", 2, rg_back_transpose(b, g, perm, rank), matrix), perm, rank);
}

static bool has_matrices(const rg_node *node, const resizing *r) {
  static const char crop[] = "tf_crop_and_resize";
  const bool sized = node->input_count > 3 && node->inputs[3];
  if (!rg_node_is(node, "Resize") || node->version < 11 || rg_node_attr(node, "axes") || (!r->scales && !sized) ||
      strcmp(rg_node_string(node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0 ||
      strcmp(rg_node_string(node, "coordinate_transformation_mode", "half_pixel"), crop) == 0)
    return false;
  for (int i = 0; i < r->x->rank; i++)
    if (scale_of(r, i) != 1 && !is_known(r, i)) return false;
  return true;
}

static void resize(rg_backward *b, rg_value *g) {
  resizing r = read_resize(b->node, b->facts);
  if (copies_blocks(b->node, &r)) {
    sum_blocks(b, &r, g);
    return;
  }
  for (int i = 0; i < r.x->rank; i++)
    if (scale_of(&r, i) != 1) g = along(b, g, matrix_of(b, &r, i), i, r.x->rank);
  rg_back_give(b, 0, g);
}

static bool supports_resize(const rg_node *node, const rg_facts *facts, const bool *needed) {
  resizing r = read_resize(node, facts);
  return copies_blocks(node, &r) || has_matrices(node, &r);
}

static const rg_adjoint_rule rules[] = {
    {"Resize", resize, supports_resize},
    {"Upsample", resize, supports_resize},
};
RG_ADJOINT_EXPORT(resize, rules);
