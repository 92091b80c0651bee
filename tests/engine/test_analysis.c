/* Shapes, parameters and MACs of layers. */
#include "engine/networks.h"

static const rango_layer_info *find_layer(const rango_analysis *analysis, const char *op, int nth) {
  for (size_t i = 0; i < rango_analysis_layer_count(analysis); i++) {
    const rango_layer_info *layer = rango_analysis_layer(analysis, i);
    if (strcmp(layer->op, op) == 0 && nth-- == 0) return layer;
  }
  return NULL;
}

static void test_layers(void **state) {
  rango_model *model = network_small();
  rango_analysis *analysis;
  check_ok(rango_analysis_create(model, NULL, 0, &analysis));
  const rango_layer_info *conv = find_layer(analysis, "Conv", 0), *dense = find_layer(analysis, "MatMul", 0);
  assert_int_equal(rango_analysis_layer_count(analysis), 11);
  assert_null(rango_analysis_layer(analysis, 11));
  assert_int_equal(conv->input_rank, 4);
  assert_int_equal(conv->input[0], 1); /* the open batch is one row */
  assert_int_equal(conv->output[1], 16);
  assert_int_equal(conv->output[2], 10);
  assert_int_equal(conv->weight[1], 3);
  assert_int_equal(conv->params, 16 * 27 + 16);
  assert_int_equal(conv->macs, 16 * 27 * 100);
  assert_int_equal(dense->weight_rank, 2);
  assert_int_equal(dense->macs, 400 * 32);
  assert_int_equal(find_layer(analysis, "Relu", 0)->macs, 0);
  assert_int_equal(rango_analysis_params(analysis), 16 * 27 + 16 + 16 * 144 + 400 * 32 + 320);
  assert_int_equal(rango_analysis_macs(analysis), 43200 + 230400 + 12800 + 320);
  rango_analysis_free(analysis);
  check_ok(rango_analysis_create(model, &(rango_dim_binding){"s1", 4}, 1, &analysis));
  assert_int_equal(find_layer(analysis, "Conv", 1)->output[0], 4);
  assert_int_equal(rango_analysis_macs(analysis), 4 * (43200 + 230400 + 12800 + 320));
  rango_analysis_free(analysis);
  check_fails(rango_analysis_create(model, &(rango_dim_binding){"s1", -4}, 1, &analysis), RANGO_ERROR_ARGUMENT,
              "negative");
  rango_model_free(model);
}

/* A constant that two nodes use counts once; of two branches the larger; an operator that nobody knows leaves it open.
 */
static void test_shared_and_branches(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(1, 6)), *w = model_weights(g, "w", 1, 2, DIMS(6, 6));
  rg_value *c = model_input(g, "c", RANGO_BOOL, 0, NULL), *y = op2(g, "MatMul", op2(g, "MatMul", x, w), w);
  rg_node *branch;
  check_ok(rg_graph_add_node(g, NULL, "If", "", MODEL_OPSET, 1, 1, &branch));
  check_ok(rg_node_set_input(branch, 0, c));
  rg_value *out;
  check_ok(rg_graph_add_value(g, "out", &out));
  rg_node_set_output(branch, 0, out);
  rg_graph *a = body_of(branch, "then_branch"), *b = body_of(branch, "else_branch");
  check_ok(rg_graph_add_output(a, op2(a, "MatMul", y, model_weights(a, "v", 1, 2, DIMS(6, 10)))));
  check_ok(rg_graph_add_output(b, op2(b, "MatMul", op2(b, "MatMul", y, w), model_weights(b, "u", 1, 2, DIMS(6, 2)))));
  check_ok(rg_graph_add_output(g, out));
  rango_analysis *analysis;
  check_ok(rango_analysis_create(model, NULL, 0, &analysis));
  assert_int_equal(rango_analysis_params(analysis), 36 + 60 + 12);
  assert_int_equal(find_layer(analysis, "MatMul", 0)->params, 36);
  assert_int_equal(find_layer(analysis, "MatMul", 1)->params, 0);
  assert_int_equal(rango_analysis_macs(analysis), 72 + 60); /* then: 60, otherwise: 36 + 12 */
  rango_analysis_free(analysis);
  check_ok(rg_graph_add_output(g, op1(g, "Levitate", y)));
  check_ok(rango_analysis_create(model, NULL, 0, &analysis));
  assert_int_equal(rango_analysis_macs(analysis), -1);
  assert_int_equal(find_layer(analysis, "Levitate", 0)->output_rank, -1);
  rango_analysis_free(analysis);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers), cmocka_unit_test(test_shared_and_branches)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
