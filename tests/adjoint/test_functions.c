/* Adjoints of functions of one element, reductions and norms, against central differences in double precision. */
#include "adjoint/gradient.h"

/* ---- functions of one element ---- */

#define UNARY(name, operator, low, high)                                                                               \
  static rg_value *name(net *n) { return op(n, operator, RANGE(n, low, high, 3, 7), NULL, NULL, NULL); }
UNARY(relu, "Relu", -2, 2)
UNARY(leaky_relu, "LeakyRelu", -2, 2)
UNARY(sigmoid, "Sigmoid", -3, 3)
UNARY(tangent, "Tanh", -2, 2)
UNARY(softplus, "Softplus", -3, 3)
UNARY(softsign, "Softsign", -3, 3)
UNARY(elu, "Elu", -2, 2)
UNARY(selu, "Selu", -2, 2)
UNARY(hard_sigmoid, "HardSigmoid", -4, 4)
UNARY(hard_swish, "HardSwish", -5, 5)
UNARY(mish, "Mish", -3, 3)
UNARY(negate, "Neg", -2, 2)
UNARY(absolute, "Abs", -2, 2)
UNARY(reciprocal, "Reciprocal", 1, 2)
UNARY(square_root, "Sqrt", 1, 2)
UNARY(exponential, "Exp", -2, 2)
UNARY(logarithm, "Log", 1, 2)
UNARY(sine, "Sin", -2, 2)
UNARY(cosine, "Cos", -2, 2)
UNARY(error_function, "Erf", -2, 2)
UNARY(identity, "Identity", -2, 2)
UNARY(dropout, "Dropout", -2, 2)

static rg_value *leaky_negative(net *n) { return set_float(relu(n), "alpha", 0); }
static rg_value *steep(net *n) { return set_float(leaky_relu(n), "alpha", -0.5); }
static rg_value *celu(net *n) {
  return set_float(op(n, "Celu", RANGE(n, -2, 2, 3, 7), NULL, NULL, NULL), "alpha", 0.5);
}
static rg_value *thresholded(net *n) {
  return set_float(op(n, "ThresholdedRelu", RANGE(n, -2, 2, 3, 7), NULL, NULL, NULL), "alpha", 0.5);
}
static rg_value *prelu(net *n) { return op(n, "PRelu", X(n, 2, 3, 5), W(n, 3, 1), NULL, NULL); }
static rg_value *number(net *n, double value) {
  rango_tensor tensor;
  rg_value *out;
  check_ok(rg_tensor_init(&tensor, n->type, &(rg_shape){0}));
  rg_tensor_set_double(&tensor, 0, value);
  check_ok(rg_graph_add_constant(n->graph, NULL, &tensor, &out));
  return out;
}
static rg_value *clip(net *n) { return op(n, "Clip", X(n, 4, 6), number(n, -0.5), number(n, 1), NULL); }
static rg_value *clip_open(net *n) { return op(n, "Clip", X(n, 4, 6), number(n, -0.5), NULL, NULL); }
static rg_value *cube(net *n) { return op(n, "Pow", X(n, 3, 4), number(n, 3), NULL, NULL); }
static rg_value *power(net *n) { return op(n, "Pow", RANGE(n, 1, 2, 2, 3, 4), X(n, 3, 1), NULL, NULL); }

static rg_value *gelu_of(net *n, const char *form) {
  rg_value *y = op(n, "Gelu", X(n, 4, 5), NULL, NULL, NULL);
  y->producer->version = 20;
  return set_string(y, "approximate", form);
}
static rg_value *gelu(net *n) { return gelu_of(n, "none"); }
static rg_value *gelu_tanh(net *n) { return gelu_of(n, "tanh"); }
static rg_value *swish(net *n) {
  rg_value *y = set_float(op(n, "Swish", X(n, 4, 5), NULL, NULL, NULL), "alpha", 1.5);
  y->producer->version = 24;
  return y;
}

/* ---- of several ---- */

static rg_value *maximum(net *n) { return op(n, "Max", X(n, 2, 3, 4), X(n, 3, 1), X(n, 2, 1, 4), NULL); }
static rg_value *minimum(net *n) { return op(n, "Min", X(n, 2, 3, 4), X(n, 3, 1), NULL, NULL); }
static rg_value *sum(net *n) { return op(n, "Sum", X(n, 2, 3, 4), X(n, 3, 1), X(n, 4), NULL); }
static rg_value *mean(net *n) { return op(n, "Mean", X(n, 2, 3, 4), X(n, 3, 1), NULL, NULL); }
static rg_value *where(net *n) {
  rg_value *low = number(n, 0.2), *x = X(n, 2, 3, 4);
  return op(n, "Where", op(n, "Greater", X(n, 3, 4), low, NULL, NULL), x, X(n, 4), NULL);
}

/* ---- reductions ---- */

#define REDUCE(name, operator)                                                                                         \
  static rg_value *name(net *n) { return op(n, operator, X(n, 2, 3, 4, 5), INTS(n, 1, -1), NULL, NULL); }              \
  static rg_value *name##_all(net *n) { return set_int(op(n, operator, X(n, 3, 4), NULL, NULL, NULL), "keepdims", 0); }
REDUCE(reduce_sum, "ReduceSum")
REDUCE(reduce_mean, "ReduceMean")
REDUCE(reduce_max, "ReduceMax")
REDUCE(reduce_min, "ReduceMin")
REDUCE(reduce_l1, "ReduceL1")
REDUCE(reduce_l2, "ReduceL2")
REDUCE(reduce_sum_square, "ReduceSumSquare")
REDUCE(reduce_log_sum_exp, "ReduceLogSumExp")
static rg_value *reduce_log_sum(net *n) {
  return op(n, "ReduceLogSum", RANGE(n, 1, 2, 2, 3, 4), INTS(n, 1), NULL, NULL);
}
static rg_value *global_average(net *n) { return op(n, "GlobalAveragePool", X(n, 2, 3, 4, 5), NULL, NULL, NULL); }
static rg_value *global_max(net *n) { return op(n, "GlobalMaxPool", X(n, 2, 3, 4, 5), NULL, NULL, NULL); }
static rg_value *softmax(net *n) { return op(n, "Softmax", X(n, 3, 5), NULL, NULL, NULL); }
static rg_value *softmax_first(net *n) { return set_int(op(n, "Softmax", X(n, 3, 5, 2), NULL, NULL, NULL), "axis", 1); }
static rg_value *softmax_old(net *n) {
  rg_value *y = set_int(op(n, "Softmax", X(n, 3, 5, 2), NULL, NULL, NULL), "axis", 1);
  y->producer->version = 11;
  return y;
}
static rg_value *log_softmax(net *n) { return op(n, "LogSoftmax", X(n, 3, 5), NULL, NULL, NULL); }

/* ---- norms ---- */

static rg_value *layer_norm(net *n) { return op(n, "LayerNormalization", X(n, 2, 3, 8), W(n, 8), W(n, 8), NULL); }
static rg_value *layer_norm_axes(net *n) {
  return set_int(op(n, "LayerNormalization", X(n, 2, 3, 4), W(n, 3, 4), NULL, NULL), "axis", 1);
}
static rg_value *rms_norm(net *n) {
  rg_value *y = op(n, "RMSNormalization", X(n, 2, 3, 8), W(n, 8), NULL, NULL);
  y->producer->version = 23;
  return y;
}
static rg_value *batch_norm(net *n) {
  rg_node *node;
  rg_value *out;
  rg_value *inputs[] = {X(n, 2, 3, 4, 5), W(n, 3), W(n, 3), W(n, 3), W_RANGE(n, 1, 2, 3)};
  check_ok(rg_graph_add_node(n->graph, NULL, "BatchNormalization", "", MODEL_OPSET, 5, 1, &node));
  for (int i = 0; i < 5; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
  check_ok(rg_graph_add_value(n->graph, NULL, &out));
  rg_node_set_output(node, 0, out);
  return out;
}
static rg_value *instance_norm(net *n) {
  return op(n, "InstanceNormalization", X(n, 2, 3, 4, 5), W(n, 3), W(n, 3), NULL);
}
static rg_value *group_norm(net *n) {
  rg_value *y = set_int(op(n, "GroupNormalization", X(n, 2, 6, 4, 2), W(n, 6), W(n, 6), NULL), "num_groups", 3);
  y->producer->version = 21;
  return y;
}

static rg_value *local_response(net *n) {
  rg_value *y = set_int(op(n, "LRN", X(n, 2, 6, 3, 2), NULL, NULL, NULL), "size", 4);
  return set_float(set_float(set_float(y, "alpha", 0.5), "beta", 0.8), "bias", 1.5);
}

static const net_listed cases[] = {
    NET(relu),
    NET(leaky_relu),
    NET(leaky_negative),
    NET(steep),
    NET(sigmoid),
    NET(tangent),
    NET(softplus),
    NET(softsign),
    NET(elu),
    NET(selu),
    NET(celu),
    NET(thresholded),
    NET(prelu),
    NET(clip),
    NET(clip_open),
    NET(hard_sigmoid),
    NET(hard_swish),
    NET(swish),
    NET(mish),
    NET(gelu),
    NET(gelu_tanh),
    NET(negate),
    NET(absolute),
    NET(reciprocal),
    NET(square_root),
    NET(exponential),
    NET(logarithm),
    NET(sine),
    NET(cosine),
    NET(error_function),
    NET(identity),
    NET(dropout),
    NET(cube),
    NET(power),
    NET(maximum),
    NET(minimum),
    NET(sum),
    NET(mean),
    NET(where),
    NET_SIZED(reduce_sum),
    NET_SIZED(reduce_mean),
    NET(reduce_max),
    NET(reduce_min),
    NET(reduce_l1),
    NET(reduce_l2),
    NET(reduce_sum_square),
    NET(reduce_log_sum_exp),
    NET_SIZED(reduce_log_sum),
    NET_CLOSED(reduce_sum_all),
    NET_CLOSED(reduce_mean_all),
    NET(reduce_max_all),
    NET(reduce_min_all),
    NET(reduce_l1_all),
    NET(reduce_l2_all),
    NET(reduce_sum_square_all),
    NET(reduce_log_sum_exp_all),
    NET_SIZED(global_average),
    NET(global_max),
    NET(softmax),
    NET(softmax_first),
    NET(softmax_old),
    NET(log_softmax),
    NET(layer_norm),
    NET(layer_norm_axes),
    NET(rms_norm),
    NET(batch_norm),
    NET_SIZED(instance_norm),
    NET_SIZED(group_norm),
    NET_SIZED(local_response),
};

NET_TESTS(cases)
