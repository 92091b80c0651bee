/* Every operator that has an adjoint, against central differences in double precision. */
#include "adjoint/gradient.h"

/* ---- arithmetic ---- */

static rg_value *add(net *n) { return op(n, "Add", X(n, 2, 3, 4), X(n, 3, 1), NULL, NULL); }
static rg_value *add_both(net *n) { return op(n, "Add", X(n, 2, 1, 4), X(n, 2, 3, 1), NULL, NULL); }
static rg_value *sub(net *n) { return op(n, "Sub", X(n, 4), X(n, 2, 3, 4), NULL, NULL); }
static rg_value *mul(net *n) { return op(n, "Mul", X(n, 2, 3, 1), X(n, 3, 4), NULL, NULL); }
static rg_value *divide(net *n) { return op(n, "Div", X(n, 3, 4), RANGE(n, 1, 2, 2, 3, 1), NULL, NULL); }
static rg_value *square(net *n) {
  rg_value *x = X(n, 2, 5);
  return op(n, "Mul", x, x, NULL, NULL);
}

/* ---- products ---- */

static rg_value *gemm(net *n) { return op(n, "Gemm", X(n, 3, 4), W(n, 4, 5), W(n, 5), NULL); }
static rg_value *gemm_turned(net *n) {
  rg_value *y = op(n, "Gemm", X(n, 4, 3), W(n, 5, 4), W(n, 1, 5), NULL);
  return set_float(set_float(set_int(set_int(y, "transA", 1), "transB", 1), "alpha", 0.5), "beta", -2);
}
static rg_value *matmul(net *n) { return op(n, "MatMul", X(n, 3, 4), W(n, 4, 5), NULL, NULL); }
static rg_value *matmul_dense(net *n) { return op(n, "MatMul", X(n, 2, 3, 4), W(n, 4, 5), NULL, NULL); }
static rg_value *matmul_stack(net *n) { return op(n, "MatMul", X(n, 2, 3, 4, 5), X(n, 2, 3, 5, 6), NULL, NULL); }
static rg_value *matmul_stretched(net *n) { return op(n, "MatMul", X(n, 2, 1, 4, 5), X(n, 3, 5, 6), NULL, NULL); }
static rg_value *matmul_left_vector(net *n) { return op(n, "MatMul", X(n, 4), X(n, 2, 4, 5), NULL, NULL); }
static rg_value *matmul_right_vector(net *n) { return op(n, "MatMul", X(n, 2, 3, 4), X(n, 4), NULL, NULL); }
static rg_value *matmul_vectors(net *n) { return op(n, "MatMul", X(n, 4), X(n, 4), NULL, NULL); }

/* ---- convolutions ---- */

static rg_value *conv(net *n) {
  return SET_INTS(op(n, "Conv", X(n, 2, 3, 6, 7), W(n, 4, 3, 3, 3), W(n, 4), NULL), "pads", 1, 1, 1, 1);
}
static rg_value *conv_uneven(net *n) {
  return SET_INTS(op(n, "Conv", X(n, 2, 3, 6, 7), W(n, 4, 3, 3, 2), NULL, NULL), "pads", 0, 1, 2, 0);
}
static rg_value *conv_strided(net *n) {
  rg_value *y = op(n, "Conv", X(n, 2, 3, 8, 7), W(n, 4, 3, 3, 3), W(n, 4), NULL);
  return SET_INTS(SET_INTS(y, "pads", 1, 1, 1, 1), "strides", 2, 3);
}
static rg_value *conv_gap(net *n) { /* 1 x 1 with stride 2: a row and column that no window reaches */
  return SET_INTS(op(n, "Conv", X(n, 2, 3, 6, 6), W(n, 4, 3, 1, 1), NULL, NULL), "strides", 2, 2);
}
static rg_value *conv_dilated(net *n) {
  rg_value *y = op(n, "Conv", X(n, 2, 3, 9, 8), W(n, 4, 3, 3, 2), NULL, NULL);
  return SET_INTS(SET_INTS(y, "pads", 2, 1, 2, 1), "dilations", 2, 3);
}
static rg_value *conv_dilated_strided(net *n) {
  rg_value *y = op(n, "Conv", X(n, 1, 2, 11, 10), W(n, 3, 2, 3, 3), NULL, NULL);
  return SET_INTS(SET_INTS(y, "dilations", 2, 2), "strides", 3, 2);
}
static rg_value *conv_groups(net *n) {
  rg_value *y = op(n, "Conv", X(n, 2, 4, 5, 5), W(n, 6, 2, 3, 3), W(n, 6), NULL);
  return set_int(SET_INTS(y, "pads", 1, 1, 1, 1), "group", 2);
}
static rg_value *conv_depthwise(net *n) {
  rg_value *y = op(n, "Conv", X(n, 2, 4, 7, 7), W(n, 4, 1, 3, 3), NULL, NULL);
  return set_int(SET_INTS(SET_INTS(y, "pads", 1, 1, 1, 1), "strides", 2, 2), "group", 4);
}
static rg_value *conv_same(net *n) {
  rg_value *y = op(n, "Conv", X(n, 2, 2, 6, 5), W(n, 3, 2, 2, 3), NULL, NULL);
  return set_string(SET_INTS(y, "strides", 2, 2), "auto_pad", "SAME_LOWER");
}
static rg_value *conv_wide_pads(net *n) { /* more padding than the kernel reaches over */
  return SET_INTS(op(n, "Conv", X(n, 2, 2, 4, 4), W(n, 3, 2, 2, 2), NULL, NULL), "pads", 3, 2, 1, 3);
}
static rg_value *conv_line(net *n) {
  return SET_INTS(op(n, "Conv", X(n, 2, 3, 9), W(n, 4, 3, 3), W(n, 4), NULL), "strides", 2);
}
static rg_value *conv_volume(net *n) { return op(n, "Conv", X(n, 1, 2, 4, 5, 4), W(n, 3, 2, 2, 3, 2), NULL, NULL); }

/* ---- pools ---- */

static rg_value *max_pool(net *n) {
  return SET_INTS(SET_INTS(op(n, "MaxPool", X(n, 2, 3, 6, 6), NULL, NULL, NULL), "kernel_shape", 2, 2), "strides", 2,
                  2);
}
static rg_value *max_pool_overlapping(net *n) {
  rg_value *y = SET_INTS(op(n, "MaxPool", X(n, 2, 3, 7, 6), NULL, NULL, NULL), "kernel_shape", 3, 3);
  return SET_INTS(SET_INTS(y, "strides", 2, 1), "pads", 1, 1, 1, 1);
}
static rg_value *max_pool_cut(net *n) { /* a last row and column that no window reaches */
  return SET_INTS(SET_INTS(op(n, "MaxPool", X(n, 2, 2, 7, 5), NULL, NULL, NULL), "kernel_shape", 2, 2), "strides", 2,
                  2);
}

/* ---- slices ---- */

static rg_value *slice_of(net *n, rg_value *x, int64_t begin, int64_t end, int64_t axis, int64_t step) {
  rg_node *node;
  rg_value *out, *inputs[] = {x, INTS(n, begin), INTS(n, end), INTS(n, axis), INTS(n, step)};
  check_ok(rg_graph_add_node(n->graph, NULL, "Slice", "", MODEL_OPSET, 5, 1, &node));
  for (int i = 0; i < 5; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
  check_ok(rg_graph_add_value(n->graph, NULL, &out));
  rg_node_set_output(node, 0, out);
  return out;
}

static rg_value *slice(net *n) { return slice_of(n, X(n, 2, 7, 3), 2, -1, 1, 1); }
static rg_value *slice_steps(net *n) { return slice_of(n, X(n, 2, 8, 3), 6, 0, 1, -2); }
static rg_value *slice_two_axes(net *n) {
  return op(n, "Slice", X(n, 2, 7, 5), INTS(n, 1, -3), INTS(n, INT64_MAX, 4), INTS(n, 1, 2));
}
static rg_value *slices_disjoint(net *n) { /* a gap in front, one between them and one behind */
  rg_value *x = X(n, 2, 9, 3);
  n->outputs[1] = slice_of(n, x, 1, 3, 1, 1);
  return n->outputs[0] = slice_of(n, x, 4, 7, 1, 1);
}
static rg_value *slices_overlapping(net *n) {
  rg_value *x = X(n, 2, 9, 3);
  n->outputs[1] = slice_of(n, x, 1, 5, 1, 1);
  n->outputs[2] = slice_of(n, x, 0, 2, 2, 1);
  n->outputs[3] = op(n, "Relu", x, NULL, NULL, NULL);
  return n->outputs[0] = slice_of(n, x, 3, 9, 1, 1);
}
static rg_value *split(net *n) {
  rg_value *y = set_int(op(n, "Split", X(n, 2, 9, 3), INTS(n, 2, 4, 3), NULL, NULL), "axis", 1);
  n->outputs[0] = more(y, 1);
  (void)more(y, 2);
  return n->outputs[1] = y;
}
static rg_value *concat(net *n) {
  return set_int(op(n, "Concat", X(n, 2, 3, 4), W(n, 2, 1, 4), X(n, 2, 2, 4), NULL), "axis", 1);
}
static rg_value *pad(net *n) { return op(n, "Pad", X(n, 2, 3, 4), INTS(n, 0, 1, -2, 0, 2, 1), NULL, NULL); }

/* ---- indices ---- */

static rg_value *gather(net *n) {
  return op(n, "Gather", X(n, 5, 3), model_ints(n->graph, 4, DIMS(1, 4, 1, -2)), NULL, NULL);
}
static rg_value *gather_axis(net *n) {
  return set_int(op(n, "Gather", X(n, 2, 3, 5, 2), INTS(n, 4, 0, 4), NULL, NULL), "axis", 2);
}
static rg_value *gather_one(net *n) {
  return set_int(op(n, "Gather", X(n, 2, 5, 3), model_ints(n->graph, 0, DIMS(-2)), NULL, NULL), "axis", 1);
}

/* ---- others ---- */

static rg_value *relu(net *n) { return op(n, "Relu", X(n, 3, 7), NULL, NULL, NULL); }
static rg_value *reshape(net *n) { return op(n, "Reshape", X(n, 2, 3, 4), INTS(n, 0, 12), NULL, NULL); }
static rg_value *flatten(net *n) { return op(n, "Flatten", X(n, 2, 3, 4), NULL, NULL, NULL); }
static rg_value *transpose(net *n) {
  return SET_INTS(op(n, "Transpose", X(n, 2, 3, 4), NULL, NULL, NULL), "perm", 2, 0, 1);
}
static rg_value *squeeze(net *n) { return op(n, "Squeeze", X(n, 2, 1, 4), INTS(n, 1), NULL, NULL); }
static rg_value *unsqueeze(net *n) { return op(n, "Unsqueeze", X(n, 2, 4), INTS(n, -1), NULL, NULL); }
static rg_value *reduce_mean(net *n) { return op(n, "ReduceMean", X(n, 2, 3, 4, 5), INTS(n, 2, 3), NULL, NULL); }
static rg_value *reduce_sum(net *n) {
  return set_int(op(n, "ReduceSum", X(n, 2, 3, 4), INTS(n, -2), NULL, NULL), "keepdims", 0);
}
static rg_value *softmax(net *n) { return op(n, "Softmax", X(n, 3, 5), NULL, NULL, NULL); }
static rg_value *softmax_first(net *n) { return set_int(op(n, "Softmax", X(n, 3, 5, 2), NULL, NULL, NULL), "axis", 1); }
static rg_value *log_softmax(net *n) { return op(n, "LogSoftmax", X(n, 3, 5), NULL, NULL, NULL); }
static rg_value *identity(net *n) { return op(n, "Identity", X(n, 3, 5), NULL, NULL, NULL); }
static rg_value *layer_norm(net *n) { return op(n, "LayerNormalization", X(n, 2, 3, 8), W(n, 8), W(n, 8), NULL); }
static rg_value *layer_norm_axes(net *n) {
  return set_int(op(n, "LayerNormalization", X(n, 2, 3, 4), W(n, 3, 4), NULL, NULL), "axis", 1);
}

typedef struct listed {
  const char *name;
  net_case build;
  bool closed; /* no adjoint where all sizes are open */
} listed;
#define CASE(name)                                                                                                     \
  { #name, name, false }
#define SIZED(name)                                                                                                    \
  { #name, name, true }

static const listed cases[] = {
    CASE(add),
    CASE(add_both),
    CASE(sub),
    CASE(mul),
    CASE(divide),
    CASE(square),
    CASE(gemm),
    CASE(gemm_turned),
    CASE(matmul),
    CASE(matmul_dense),
    CASE(matmul_stack),
    CASE(matmul_stretched),
    CASE(matmul_left_vector),
    CASE(matmul_right_vector),
    CASE(matmul_vectors),
    CASE(conv),
    CASE(conv_uneven),
    CASE(conv_strided),
    CASE(conv_gap),
    CASE(conv_dilated),
    CASE(conv_dilated_strided),
    SIZED(conv_groups),
    SIZED(conv_depthwise),
    SIZED(conv_same),
    CASE(conv_wide_pads),
    CASE(conv_line),
    CASE(conv_volume),
    CASE(max_pool),
    CASE(max_pool_overlapping),
    CASE(max_pool_cut),
    CASE(relu),
    CASE(reshape),
    CASE(flatten),
    CASE(transpose),
    CASE(squeeze),
    CASE(unsqueeze),
    SIZED(reduce_mean),
    SIZED(reduce_sum),
    CASE(softmax),
    CASE(softmax_first),
    CASE(log_softmax),
    CASE(identity),
    CASE(layer_norm),
    CASE(layer_norm_axes),
    CASE(slice),
    CASE(slice_steps),
    CASE(slice_two_axes),
    CASE(slices_disjoint),
    CASE(slices_overlapping),
    SIZED(split),
    CASE(concat),
    CASE(pad),
    CASE(gather),
    CASE(gather_axis),
    CASE(gather_one),
};

static void test_shapes(net_shapes shapes) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool there = check_case(cases[i].name, cases[i].build, shapes);
    if (there != !(cases[i].closed && shapes == NET_OPEN)) fail_msg("%s: adjoint: %d", cases[i].name, there);
  }
}

static void test_static(void **state) { test_shapes(NET_STATIC); }
static void test_open_batch(void **state) { test_shapes(NET_OPEN_BATCH); }
static void test_open(void **state) { test_shapes(NET_OPEN); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_static), cmocka_unit_test(test_open_batch),
                                     cmocka_unit_test(test_open)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
