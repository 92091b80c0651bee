/* BatchNormalization and bias additions are folded into the weights before them, where that is right. */
#include "support/passes.h"

#define EPS 1e-6

static rg_value *batch_norm(rg_graph *g, rg_value *x, int64_t channels, const char *output) {
  rg_value *y = NODE(g, "BatchNormalization", output, x, weights(g, "scale", 11, 0, 1, &channels),
                     weights(g, "offset", 12, 0, 1, &channels), weights(g, "mean", 13, 0, 1, &channels),
                     weights(g, "variance", 14, 0.5, 1, &channels));
  check_ok(rg_node_set_float(y->producer, "epsilon", 1e-3f));
  return y;
}

static void test_conv(void **state) {
  for (int bias = 0; bias < 2; bias++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 4, 6, 5)), *w = weights(g, "w", 1, 0, DIMS(6, 2, 3, 3));
    rg_value *conv =
        bias ? NODE(g, "Conv", "conv", x, w, weights(g, "b", 2, 0, DIMS(6))) : NODE(g, "Conv", "conv", x, w);
    check_ok(rg_node_set_int(conv->producer, "group", 2));
    graph_output(g, batch_norm(g, conv, 6, "y"));
    assert_int_equal(check_pass(model, rg_pass_fold_batch_norm, EPS), 1);
    assert_int_equal(count_ops(g, NULL), 1);
    assert_int_equal(g->first->input_count, 3);
    assert_string_equal(g->first->outputs[0]->name, "y");
    rg_model_release(model);
  }
}

static void test_conv_transpose(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(1, 4, 5));
  rg_value *conv = NODE(g, "ConvTranspose", "conv", x, weights(g, "w", 1, 0, DIMS(4, 3, 2)));
  check_ok(rg_node_set_int(conv->producer, "group", 2)); /* six output channels, three a group */
  graph_output(g, batch_norm(g, conv, 6, "y"));
  assert_int_equal(check_pass(model, rg_pass_fold_batch_norm, EPS), 1);
  assert_int_equal(count_ops(g, "BatchNormalization"), 0);
  rg_model_release(model);
}

static void test_gemm(void **state) {
  for (int transposed = 0; transposed < 2; transposed++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 4));
    rg_value *w = transposed ? weights(g, "w", 1, 0, DIMS(3, 4)) : weights(g, "w", 1, 0, DIMS(4, 3));
    rg_value *gemm = NODE(g, "Gemm", "gemm", x, w, weights(g, "c", 2, 0, DIMS(1, 3)));
    check_ok(rg_node_set_int(gemm->producer, "transB", transposed));
    check_ok(rg_node_set_float(gemm->producer, "alpha", 0.5f));
    check_ok(rg_node_set_float(gemm->producer, "beta", 2));
    graph_output(g, batch_norm(g, gemm, 3, "y"));
    assert_int_equal(check_pass(model, rg_pass_fold_batch_norm, EPS), 1);
    assert_int_equal(count_ops(g, NULL), 1);
    assert_true(rg_node_float(g->first, "alpha", 1) == 0.5f && rg_node_float(g->first, "beta", 1) == 1);
    rg_model_release(model);
  }
}

static void test_matmul_becomes_gemm(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 4));
  graph_output(g, batch_norm(g, NODE(g, "MatMul", "m", x, weights(g, "w", 1, 0, DIMS(4, 3))), 3, "y"));
  assert_int_equal(check_pass(model, rg_pass_fold_batch_norm, EPS), 1);
  assert_int_equal(count_ops(g, "Gemm"), 1);
  assert_int_equal(count_ops(g, NULL), 1);
  rg_model_release(model);
}

/* Each breaks one condition: nothing may change. */
static void test_left_alone(void **state) {
  for (int what = 0; what < 5; what++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    bool matrix = what == 2;
    rg_value *x = matrix ? graph_input(g, "x", RANGO_FLOAT32, DIMS(2, 3, 3))
                         : graph_input(g, "x", RANGO_FLOAT32, DIMS(1, 3, 5, 5));
    rg_value *w = matrix ? weights(g, "w", 1, 0, DIMS(3, 3)) : weights(g, "w", 1, 0, DIMS(3, 3, 3, 3));
    if (what == 3) w = NODE(g, "Abs", "wa", w); /* not constant yet */
    rg_value *linear = NODE(g, matrix ? "MatMul" : "Conv", "linear", x, w);
    rg_value *y = batch_norm(g, linear, 3, "y");
    if (what == 0) graph_output(g, linear);                       /* seen outside */
    if (what == 1) graph_output(g, NODE(g, "Relu", "r", linear)); /* used twice */
    /* 2: MatMul on rank 3, whose channels are axis 1 and not the columns */
    if (what == 4) check_ok(rg_node_set_input(y->producer, 1, NODE(g, "Abs", "s", y->producer->inputs[1])));
    if (what == 4) check_ok(rg_graph_sort(g));
    graph_output(g, y);
    assert_int_equal(check_pass(model, rg_pass_fold_batch_norm, 0), 0);
    assert_int_equal(count_ops(g, "BatchNormalization"), 1);
    rg_model_release(model);
  }
}

/* sqrt of a negative variance: the network computes NaN and goes on doing so. */
static void test_negative_variance(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(1, 2, 4));
  rg_value *y = batch_norm(g, NODE(g, "Conv", "c", x, weights(g, "w", 1, 0, DIMS(2, 2, 1))), 2, "y");
  rg_tensor_set_double(rg_graph_find_value(g, "variance")->constant, 1, -3);
  graph_output(g, y);
  int changes = 0;
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_pass_fold_batch_norm(model, &changes));
  assert_int_equal(changes, 0);
  rg_model_release(model);
}

static rango_model *conv_and_add(int rank, const int64_t *dims, bool bias, bool swapped) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(1, 3, 4, 4)), *w = weights(g, "w", 1, 0, DIMS(4, 3, 1, 1));
  rg_value *conv = bias ? NODE(g, "Conv", "conv", x, w, weights(g, "b", 2, 0, DIMS(4))) : NODE(g, "Conv", "conv", x, w);
  rg_value *c = weights(g, "c", 3, 0, rank, dims);
  graph_output(g, swapped ? NODE(g, "Add", "y", c, conv) : NODE(g, "Add", "y", conv, c));
  return model;
}

static void test_bias_add(void **state) {
  static const rg_shape shapes[] = {{3, {4, 1, 1}}, {4, {1, 4, 1, 1}}, {0, {0}}, {1, {1}}};
  for (int i = 0; i < 16; i++) {
    rango_model *model = conv_and_add(shapes[i / 4].rank, shapes[i / 4].dims, i & 1, (i & 2) != 0);
    assert_int_equal(check_pass(model, rg_pass_fold_bias_add, EPS), 1);
    assert_int_equal(count_ops(model->graph, NULL), 1);
    assert_string_equal(model->graph->first->outputs[0]->name, "y");
    rg_model_release(model);
  }
}

/* [4] is added along the width, [1, 4, 4, 1] isn't one number a channel, rank 5 makes a new axis. */
static void test_other_adds_stay(void **state) {
  static const rg_shape shapes[] = {{1, {4}}, {4, {1, 4, 4, 1}}, {5, {1, 1, 4, 1, 1}}, {2, {4, 1}}};
  for (int i = 0; i < 4; i++) {
    rango_model *model = conv_and_add(shapes[i].rank, shapes[i].dims, true, false);
    assert_int_equal(check_pass(model, rg_pass_fold_bias_add, 0), 0);
    assert_int_equal(count_ops(model->graph, "Add"), 1);
    rg_model_release(model);
  }
}

static void test_matmul_keeps_its_add(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(2, 3));
  rg_value *m = NODE(g, "MatMul", "m", x, weights(g, "w", 1, 0, DIMS(3, 4)));
  graph_output(g, NODE(g, "Add", "y", m, weights(g, "b", 2, 0, DIMS(4))));
  assert_int_equal(check_pass(model, rg_pass_fold_bias_add, 0), 0);
  rg_model_release(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conv),
      cmocka_unit_test(test_conv_transpose),
      cmocka_unit_test(test_gemm),
      cmocka_unit_test(test_matmul_becomes_gemm),
      cmocka_unit_test(test_left_alone),
      cmocka_unit_test(test_negative_variance),
      cmocka_unit_test(test_bias_add),
      cmocka_unit_test(test_other_adds_stay),
      cmocka_unit_test(test_matmul_keeps_its_add),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
