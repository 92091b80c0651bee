/* MatMul, Gemm and Conv with what follows them, and low-rank pairs. */
#include "passes/lower_model.h"

static rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}
static rg_value *op1(rg_graph *g, const char *op, rg_value *a) { return model_node(g, op, a, NULL, NULL, NULL); }

static void finish(rango_model *model, rg_value *output) { check_ok(rg_graph_add_output(model->graph, output)); }

/* relu(x W + b + x): one operator, for a batch that isn't known. */
static void test_dense_residual_activation(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, 5, 24));
  rg_value *y = op2(g, "MatMul", x, model_weights(g, "w", 0.2, 2, DIMS(24, 24)));
  y = op2(g, "Add", model_weights(g, "b", 1, 3, DIMS(1, 1, 24)), y);
  finish(model, op1(g, "Relu", op2(g, "Add", x, y)));
  rango_model *low = lowered(model);
  rg_node *dense = model_find(low, "Dense");
  assert_ptr_equal(low->graph->first, dense);
  assert_ptr_equal(low->graph->last, dense);
  assert_int_equal(rg_activation_read(dense).kind, RG_ACT_RELU);
  assert_int_equal(rg_value_constant(dense->inputs[2])->shape.rank, 1);
  assert_ptr_equal(dense->inputs[3], low->graph->inputs.items[0]);
  check_same(model, 3, DIMS(3, 5, 24));
  rango_model_free(low);
  rango_model_free(model);
}

/* The sum of another shape is no residual; an activation before the sum keeps it out. */
static void test_dense_kept_apart(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(4, 24));
  rg_value *y = op2(g, "MatMul", x, model_weights(g, "w", 0.2, 2, DIMS(24, 24)));
  y = op2(g, "Add", y, op2(g, "ReduceMean", x, model_ints(g, 1, DIMS(1))));
  rg_value *z = op1(g, "Relu", op2(g, "MatMul", y, model_weights(g, "v", 0.2, 2, DIMS(24, 24))));
  finish(model, op2(g, "Add", y, z));
  rango_model *low = lowered(model);
  assert_int_equal(model_count(low, "Dense"), 2);
  assert_int_equal(model_count(low, "Add"), 2);
  assert_int_equal(model_count(low, "Relu"), 0);
  check_same(model, 2, DIMS(4, 24));
  rango_model_free(low);
  rango_model_free(model);
}

/* A product that two nodes use keeps its own value. */
static void test_dense_shared(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(4, 24));
  rg_value *y = op2(g, "MatMul", x, model_weights(g, "w", 0.2, 2, DIMS(24, 8)));
  finish(model, op2(g, "Add", op1(g, "Relu", y), y));
  rango_model *low = lowered(model);
  assert_int_equal(model_count(low, "Elementwise"), 1); /* Relu and Add */
  assert_int_equal(rg_activation_read(model_find(low, "Dense")).kind, RG_ACT_NONE);
  check_same(model, 2, DIMS(4, 24));
  rango_model_free(low);
  rango_model_free(model);
}

static void gemm_case(int64_t trans_a, int64_t trans_b, float alpha, float beta, const int64_t *bias, int rank,
                      int dense) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, trans_a ? DIMS(24, 4) : DIMS(4, 24));
  rg_value *w = model_weights(g, "w", 0.2, 2, trans_b ? DIMS(8, 24) : DIMS(24, 8));
  rg_value *y = model_node(g, "Gemm", x, w, model_weights(g, "b", 1, rank, bias), NULL);
  check_ok(rg_node_set_int(y->producer, "transA", trans_a));
  check_ok(rg_node_set_int(y->producer, "transB", trans_b));
  check_ok(rg_node_set_float(y->producer, "alpha", alpha));
  check_ok(rg_node_set_float(y->producer, "beta", beta));
  finish(model, op1(g, "Tanh", y));
  assert_int_equal(lowered_count(model, "Dense"), dense);
  check_same(model, 2, trans_a ? DIMS(24, 4) : DIMS(4, 24));
  rango_model_free(model);
}

static void test_gemm(void **state) {
  gemm_case(0, 0, 1, 1, DIMS(8), 1, 1);
  gemm_case(0, 1, 1, 1, DIMS(1, 8), 2, 1);
  gemm_case(1, 0, 1, 1, DIMS(8), 1, 0);    /* the first operand transposed */
  gemm_case(0, 1, 0.5f, 1, DIMS(8), 1, 0); /* scaled */
  gemm_case(0, 1, 1, 2, DIMS(8), 1, 0);
  gemm_case(0, 1, 1, 1, DIMS(4, 1), 2, 0); /* a bias for each row */
}

/* Conv → Add of the shortcut → Relu, where the shortcut is computed after the convolution. */
static void test_conv_residual(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 8, 9, 7));
  rg_value *y = model_node(g, "Conv", x, model_weights(g, "w", 0.1, 4, DIMS(8, 8, 3, 3)),
                           model_weights(g, "b", 1, 1, DIMS(8)), NULL);
  check_ok(rg_node_set_ints(y->producer, "pads", DIMS(1, 1, 1, 1), 4));
  rg_value *shortcut = op1(g, "Neg", op1(g, "Sigmoid", x));
  finish(model, op1(g, "Relu", op2(g, "Add", y, shortcut)));
  rango_model *low = lowered(model);
  rg_node *conv = model_find(low, "Conv");
  assert_string_equal(conv->domain, RG_PRIVATE_DOMAIN);
  assert_int_equal(rg_activation_read(conv).kind, RG_ACT_RELU);
  assert_non_null(conv->inputs[3]);
  assert_int_equal(model_count(low, "Add") + model_count(low, "Relu"), 0);
  check_same(model, 4, DIMS(2, 8, 9, 7));
  rango_model_free(low);
  rango_model_free(model);
}

static void activation_case(const char *op, float alpha, float beta, rg_activation_kind kind) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(4, 24));
  rg_value *y = op2(g, "MatMul", x, model_weights(g, "w", 0.4, 2, DIMS(24, 8)));
  bool clip = strcmp(op, "Clip") == 0;
  y = clip ? model_node(g, op, y, model_scalar(g, alpha), model_scalar(g, beta), NULL) : op1(g, op, y);
  if (!clip && alpha != 0) check_ok(rg_node_set_float(y->producer, "alpha", alpha));
  if (!clip && beta != 0) check_ok(rg_node_set_float(y->producer, "beta", beta));
  finish(model, y);
  rango_model *low = lowered(model);
  rg_activation activation = rg_activation_read(model_find(low, "Dense"));
  assert_int_equal(activation.kind, kind);
  if (kind == RG_ACT_CLIP) assert_true(activation.alpha == alpha && activation.beta == beta);
  check_same(model, 2, DIMS(4, 24));
  rango_model_free(low);
  rango_model_free(model);
}

static void test_activations(void **state) {
  activation_case("Relu", 0, 0, RG_ACT_RELU);
  activation_case("Clip", -0.5f, 0.25f, RG_ACT_CLIP);
  activation_case("Clip", 0.5f, -0.25f, RG_ACT_NONE); /* the bounds crossed: left to the operator */
  activation_case("LeakyRelu", 0.2f, 0, RG_ACT_LEAKY_RELU);
  activation_case("Sigmoid", 0, 0, RG_ACT_SIGMOID);
  activation_case("Tanh", 0, 0, RG_ACT_TANH);
  activation_case("HardSigmoid", 0.3f, 0.4f, RG_ACT_HARD_SIGMOID);
  activation_case("HardSwish", 0, 0, RG_ACT_HARD_SWISH);
  activation_case("Elu", 0.5f, 0, RG_ACT_ELU);
  activation_case("Exp", 0, 0, RG_ACT_EXP);
}

/* What a file would rather not hold is computed once, too: a constant that grows. */
static void test_growing_constants(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, 60, 50));
  rg_value *table = op2(g, "Expand", model_weights(g, "row", 1, 2, DIMS(60, 1)), model_ints(g, 3, DIMS(1, 60, 50)));
  finish(model, op2(g, "Mul", x, table));
  assert_int_equal(lowered_count(model, "Expand"), 0);
  check_same(model, 3, DIMS(2, 60, 50));
  rango_model_free(model);
}

/* ---- pairs ---- */

static void dense_pair(int64_t rank, bool between, int expected) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 40));
  rg_value *y = op2(g, "MatMul", x, model_weights(g, "u", 0.2, 2, DIMS(40, rank)));
  if (between) y = op1(g, "Relu", y);
  y = model_node(g, "Gemm", y, model_weights(g, "v", 0.2, 2, DIMS(36, rank)), model_weights(g, "b", 1, 1, DIMS(36)),
                 NULL);
  check_ok(rg_node_set_int(y->producer, "transB", 1));
  finish(model, op1(g, "Relu", y));
  assert_int_equal(lowered_count(model, "LowRankDense"), expected);
  check_same(model, 2, DIMS(7, 40));
  rango_model_free(model);
}

static void test_dense_pairs(void **state) {
  dense_pair(6, false, 1);
  dense_pair(35, false, 1);
  dense_pair(6, true, 0);   /* not linear in the middle */
  dense_pair(36, false, 0); /* not fewer than come out */
  dense_pair(64, false, 0);
}

typedef struct conv_shape {
  int64_t kernel[2], pads[4], strides[2];
} conv_shape;

static rg_value *conv(rg_graph *g, rg_value *x, const char *name, int64_t in, int64_t out, const conv_shape *s) {
  rg_value *y = op2(g, "Conv", x, model_weights(g, name, 0.2, 4, DIMS(out, in, s->kernel[0], s->kernel[1])));
  check_ok(rg_node_set_ints(y->producer, "pads", s->pads, 4));
  check_ok(rg_node_set_ints(y->producer, "strides", s->strides, 2));
  return y;
}

static void conv_pair(const conv_shape *a, const conv_shape *b, int64_t rank, bool used_twice, int expected) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 12, 10, 11));
  rg_value *middle = conv(g, x, "u", 12, rank, a), *y = conv(g, middle, "v", rank, 10, b);
  y = op1(g, "Relu", y);
  if (used_twice) check_ok(rg_graph_add_output(g, op1(g, "Neg", middle)));
  finish(model, y);
  assert_int_equal(lowered_count(model, "LowRankConv"), expected);
  if (!used_twice) check_same(model, 4, DIMS(2, 12, 10, 11));
  rango_model_free(model);
}

static void test_conv_pairs(void **state) {
  const conv_shape full = {{3, 3}, {1, 1, 1, 1}, {1, 1}}, strided = {{3, 3}, {1, 0, 1, 0}, {2, 1}};
  const conv_shape point = {{1, 1}, {0}, {1, 1}}, column = {{3, 1}, {1, 0, 1, 0}, {1, 1}},
                   row = {{1, 3}, {0, 1, 0, 1}, {1, 2}};
  conv_pair(&full, &point, 4, false, 1);
  conv_pair(&strided, &point, 4, false, 1);
  conv_pair(&column, &row, 4, false, 1);
  conv_pair(&point, &full, 4, false, 1);
  conv_pair(&full, &point, 10, false, 0); /* not fewer than come out */
  conv_pair(&full, &full, 4, false, 0);   /* the middle would be needed many times */
  conv_pair(&full, &point, 4, true, 0);   /* somebody else needs the middle */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_dense_residual_activation),
                                     cmocka_unit_test(test_dense_kept_apart),
                                     cmocka_unit_test(test_dense_shared),
                                     cmocka_unit_test(test_gemm),
                                     cmocka_unit_test(test_conv_residual),
                                     cmocka_unit_test(test_activations),
                                     cmocka_unit_test(test_growing_constants),
                                     cmocka_unit_test(test_dense_pairs),
                                     cmocka_unit_test(test_conv_pairs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
