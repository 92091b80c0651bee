/* Adjoints of arithmetic, products, convolutions, pools and of what moves elements, and of small networks, against
 * central differences in double precision. */
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

static rg_value *einsum(net *n) {
  return set_string(op(n, "Einsum", X(n, 2, 3, 4), X(n, 2, 4, 5), NULL, NULL), "equation", "bij, bjk -> bki");
}
static rg_value *einsum_three(net *n) {
  return set_string(op(n, "Einsum", X(n, 3, 4), W(n, 4, 5), W(n, 5), NULL), "equation", "ij,jk,k->ki");
}

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

static rg_value *conv_transpose(net *n) {
  rg_value *y = op(n, "ConvTranspose", X(n, 2, 3, 4, 5), W(n, 3, 4, 3, 2), W(n, 4), NULL);
  return SET_INTS(y, "pads", 1, 0, 1, 1);
}
static rg_value *conv_transpose_strided(net *n) {
  rg_value *y = op(n, "ConvTranspose", X(n, 2, 3, 4, 5), W(n, 3, 4, 3, 3), NULL, NULL);
  return SET_INTS(SET_INTS(SET_INTS(y, "strides", 2, 3), "output_padding", 1, 2), "dilations", 2, 1);
}
static rg_value *conv_transpose_groups(net *n) {
  rg_value *y = op(n, "ConvTranspose", X(n, 2, 4, 4, 5), W(n, 4, 3, 3, 3), NULL, NULL);
  return set_int(SET_INTS(y, "strides", 2, 2), "group", 2);
}

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

static rg_value *max_pool_ties(net *n) { /* whole windows of zeros */
  rg_value *y = op(n, "Relu", RANGE(n, -3, 1, 2, 2, 6, 6), NULL, NULL, NULL);
  return SET_INTS(SET_INTS(op(n, "MaxPool", y, NULL, NULL, NULL), "kernel_shape", 3, 2), "strides", 3, 2);
}
static rg_value *max_pool_line(net *n) {
  return SET_INTS(SET_INTS(op(n, "MaxPool", X(n, 2, 3, 9), NULL, NULL, NULL), "kernel_shape", 3), "strides", 3);
}
static rg_value *average_pool(net *n) {
  return SET_INTS(SET_INTS(op(n, "AveragePool", X(n, 2, 3, 6, 4), NULL, NULL, NULL), "kernel_shape", 3, 2), "strides",
                  3, 2);
}
static rg_value *average_pool_overlapping(net *n) {
  rg_value *y = SET_INTS(op(n, "AveragePool", X(n, 2, 3, 7, 8), NULL, NULL, NULL), "kernel_shape", 3, 3);
  return SET_INTS(SET_INTS(y, "strides", 2, 2), "pads", 1, 0, 1, 1);
}
static rg_value *average_pool_padded(net *n) { return set_int(average_pool_overlapping(n), "count_include_pad", 1); }
static rg_value *average_pool_ceil(net *n) {
  rg_value *y = SET_INTS(op(n, "AveragePool", X(n, 1, 2, 6, 7), NULL, NULL, NULL), "kernel_shape", 3, 2);
  return set_int(SET_INTS(y, "strides", 2, 2), "ceil_mode", 1);
}
static rg_value *resize_of(net *n, rg_value *x, float rows, float columns) {
  rango_tensor factors;
  rg_value *scales, *y;
  rg_node *node;
  check_ok(rg_tensor_init(&factors, RANGO_FLOAT32, &(rg_shape){1, {4}}));
  memcpy(factors.data, (float[]){1, 1, rows, columns}, factors.bytes);
  check_ok(rg_graph_add_constant(n->graph, NULL, &factors, &scales));
  check_ok(rg_graph_add_node(n->graph, NULL, "Resize", "", MODEL_OPSET, 3, 1, &node));
  check_ok(rg_node_set_input(node, 0, x));
  check_ok(rg_node_set_input(node, 2, scales));
  check_ok(rg_graph_add_value(n->graph, NULL, &y));
  rg_node_set_output(node, 0, y);
  return y;
}
static rg_value *resize(net *n) { return resize_of(n, X(n, 2, 3, 4, 5), 2, 3); }
static rg_value *resize_uneven(net *n) { return resize_of(n, X(n, 2, 3, 4, 5), 1.7f, 0.6f); }
static rg_value *resize_linear(net *n) { return set_string(resize_uneven(n), "mode", "linear"); }
static rg_value *resize_cubic(net *n) {
  return set_string(set_string(resize_of(n, X(n, 1, 2, 5, 4), 2, 1), "mode", "cubic"), "coordinate_transformation_mode",
                    "align_corners");
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

static rg_value *gather_elements(net *n) {
  rango_tensor indices;
  rg_value *value;
  check_ok(rg_tensor_init(&indices, RANGO_INT64, &(rg_shape){2, {2, 3}}));
  for (int i = 0; i < 6; i++) ((int64_t *)indices.data)[i] = (5 * i) % 4 - 4 * (i % 2);
  check_ok(rg_graph_add_constant(n->graph, NULL, &indices, &value));
  return op(n, "GatherElements", X(n, 4, 3), value, NULL, NULL);
}
static rg_value *scatter_elements(net *n) {
  rango_tensor indices;
  rg_value *value;
  check_ok(rg_tensor_init(&indices, RANGO_INT64, &(rg_shape){2, {2, 3}}));
  memcpy(indices.data, DIMS(0, 1, 3, 2, -1, 1), indices.bytes);
  check_ok(rg_graph_add_constant(n->graph, NULL, &indices, &value));
  return op(n, "ScatterElements", X(n, 4, 3), value, X(n, 2, 3), NULL);
}
static rg_value *scatter_nd_of(net *n, const char *reduction) {
  rango_tensor indices;
  rg_value *value;
  check_ok(rg_tensor_init(&indices, RANGO_INT64, &(rg_shape){2, {3, 1}}));
  memcpy(indices.data, reduction ? DIMS(0, 3, 0) : DIMS(0, 3, 1), indices.bytes);
  check_ok(rg_graph_add_constant(n->graph, NULL, &indices, &value));
  rg_value *y = op(n, "ScatterND", X(n, 4, 3, 2), value, X(n, 3, 3, 2), NULL);
  return reduction ? set_string(y, "reduction", reduction) : y;
}
static rg_value *scatter_nd(net *n) { return scatter_nd_of(n, NULL); }
static rg_value *scatter_nd_add(net *n) { return scatter_nd_of(n, "add"); }
static rg_value *gather_nd(net *n) {
  rango_tensor indices;
  rg_value *value;
  check_ok(rg_tensor_init(&indices, RANGO_INT64, &(rg_shape){2, {3, 2}}));
  memcpy(indices.data, DIMS(0, 1, 3, 2, 0, 1), indices.bytes);
  check_ok(rg_graph_add_constant(n->graph, NULL, &indices, &value));
  return op(n, "GatherND", X(n, 4, 3, 2), value, NULL, NULL);
}

/* ---- shapes ---- */

static rg_value *reshape(net *n) { return op(n, "Reshape", X(n, 2, 3, 4), INTS(n, 0, 12), NULL, NULL); }
static rg_value *flatten(net *n) { return op(n, "Flatten", X(n, 2, 3, 4), NULL, NULL, NULL); }
static rg_value *transpose(net *n) {
  return SET_INTS(op(n, "Transpose", X(n, 2, 3, 4), NULL, NULL, NULL), "perm", 2, 0, 1);
}
static rg_value *squeeze(net *n) { return op(n, "Squeeze", X(n, 2, 1, 4), INTS(n, 1), NULL, NULL); }
static rg_value *unsqueeze(net *n) { return op(n, "Unsqueeze", X(n, 2, 4), INTS(n, -1), NULL, NULL); }

static rg_value *expand(net *n) { return op(n, "Expand", X(n, 3, 1), INTS(n, 2, 3, 4), NULL, NULL); }
static rg_value *tile(net *n) { return op(n, "Tile", X(n, 2, 3), INTS(n, 2, 3), NULL, NULL); }
static rg_value *depth_to_space(net *n) {
  return set_int(op(n, "DepthToSpace", X(n, 2, 8, 2, 3), NULL, NULL, NULL), "blocksize", 2);
}
static rg_value *depth_to_space_columns(net *n) { return set_string(depth_to_space(n), "mode", "CRD"); }
static rg_value *space_to_depth(net *n) {
  return set_int(op(n, "SpaceToDepth", X(n, 2, 2, 4, 6), NULL, NULL, NULL), "blocksize", 2);
}
static rg_value *running_sum(net *n) {
  return set_int(op(n, "CumSum", X(n, 2, 4, 3), model_ints(n->graph, 0, DIMS(1)), NULL, NULL), "exclusive", 1);
}
static rg_value *reverse_sequence(net *n) {
  return op(n, "ReverseSequence", X(n, 4, 3, 2), INTS(n, 4, 1, 3), NULL, NULL);
}
static rg_value *triangle(net *n) {
  return set_int(op(n, "Trilu", X(n, 2, 4, 4), model_ints(n->graph, 0, DIMS(1)), NULL, NULL), "upper", 0);
}

/* ---- whole networks ---- */

static rg_value *perceptron(net *n) {
  rg_value *y = op(n, "Tanh", op(n, "Gemm", X(n, 3, 4), W(n, 4, 6), W(n, 6), NULL), NULL, NULL, NULL);
  y = op(n, "Sigmoid", op(n, "Gemm", y, W(n, 6, 5), W(n, 5), NULL), NULL, NULL, NULL);
  return op(n, "LogSoftmax", y, NULL, NULL, NULL);
}

/* Two convolutions with a way around them, pools of both kinds, a dense end. */
static rg_value *residual_network(net *n) {
  rg_value *x = SET_INTS(op(n, "Conv", X(n, 2, 2, 8, 8), W(n, 4, 2, 3, 3), W(n, 4), NULL), "pads", 1, 1, 1, 1);
  x = op(n, "Relu", x, NULL, NULL, NULL);
  rg_value *y = SET_INTS(op(n, "Conv", x, W(n, 4, 4, 3, 3), NULL, NULL), "pads", 1, 1, 1, 1);
  y = op(n, "Relu", op(n, "Add", y, x, NULL, NULL), NULL, NULL, NULL);
  y = SET_INTS(SET_INTS(op(n, "MaxPool", y, NULL, NULL, NULL), "kernel_shape", 2, 2), "strides", 2, 2);
  y = SET_INTS(SET_INTS(op(n, "AveragePool", y, NULL, NULL, NULL), "kernel_shape", 2, 2), "strides", 2, 2);
  y = op(n, "Reshape", y, INTS(n, -1, 16), NULL, NULL);
  return op(n, "Gemm", y, W(n, 16, 3), W(n, 3), NULL);
}

/* Self-attention, one head: what a Split and its three users do to a gradient. */
static rg_value *attention(net *n) {
  rg_value *x = X(n, 2, 3, 4);
  rg_value *q =
      set_int(op(n, "Split", op(n, "MatMul", x, W(n, 4, 12), NULL, NULL), INTS(n, 4, 4, 4), NULL, NULL), "axis", 2);
  rg_value *k = more(q, 1), *v = more(q, 2);
  rg_value *turned = SET_INTS(op(n, "Transpose", k, NULL, NULL, NULL), "perm", 0, 2, 1);
  rg_value *share = op(n, "Softmax", op(n, "MatMul", q, turned, NULL, NULL), NULL, NULL, NULL);
  return op(n, "Add", op(n, "MatMul", share, v, NULL, NULL), x, NULL, NULL);
}

/* A Gelu spelled out, and a norm behind it. */
static rg_value *feed_forward(net *n) {
  rg_value *x = X(n, 2, 3, 8);
  rg_value *y = op(n, "LayerNormalization", x, W(n, 8), W(n, 8), NULL);
  y = op(n, "Add", op(n, "MatMul", y, W(n, 8, 16), NULL, NULL), W(n, 16), NULL, NULL);
  rg_value *bell = op(n, "Erf", op(n, "Mul", y, W_RANGE(n, 0.7, 0.8, 1), NULL, NULL), NULL, NULL, NULL);
  return op(n, "Add", op(n, "Mul", y, bell, NULL, NULL), y, NULL, NULL);
}

static const net_listed cases[] = {
    NET(add),
    NET(add_both),
    NET(sub),
    NET(mul),
    NET(divide),
    NET(square),
    NET(gemm),
    NET(gemm_turned),
    NET(matmul),
    NET(matmul_dense),
    NET(matmul_stack),
    NET(matmul_stretched),
    NET(matmul_left_vector),
    NET(matmul_right_vector),
    NET(matmul_vectors),
    NET(einsum),
    NET_SIZED(einsum_three),
    NET(conv),
    NET(conv_uneven),
    NET(conv_strided),
    NET(conv_gap),
    NET(conv_dilated),
    NET(conv_dilated_strided),
    NET_SIZED(conv_groups),
    NET_SIZED(conv_depthwise),
    NET_SIZED(conv_same),
    NET(conv_wide_pads),
    NET(conv_line),
    NET(conv_volume),
    NET(conv_transpose),
    NET(conv_transpose_strided),
    NET_SIZED(conv_transpose_groups),
    NET(max_pool),
    NET(max_pool_overlapping),
    NET(max_pool_cut),
    NET(max_pool_ties),
    NET(max_pool_line),
    NET_SIZED(average_pool),
    NET_SIZED(average_pool_overlapping),
    NET_SIZED(average_pool_padded),
    NET_SIZED(average_pool_ceil),
    NET(resize),
    NET_SIZED(resize_uneven),
    NET_SIZED(resize_linear),
    NET_SIZED(resize_cubic),
    NET(slice),
    NET(slice_steps),
    NET(slice_two_axes),
    NET(slices_disjoint),
    NET(slices_overlapping),
    NET_SIZED(split),
    NET(concat),
    NET(pad),
    NET(gather),
    NET(gather_axis),
    NET(gather_one),
    NET(gather_elements),
    NET(gather_nd),
    NET(scatter_elements),
    NET(scatter_nd),
    NET(scatter_nd_add),
    NET(reshape),
    NET(flatten),
    NET(transpose),
    NET(squeeze),
    NET(unsqueeze),
    NET(expand),
    NET_SIZED(tile),
    NET_SIZED(depth_to_space),
    NET_SIZED(depth_to_space_columns),
    NET(space_to_depth),
    NET(triangle),
    NET(running_sum),
    NET(reverse_sequence),
    NET(perceptron),
    NET_SIZED(residual_network),
    NET(attention),
    NET(feed_forward),
};

NET_TESTS(cases)
