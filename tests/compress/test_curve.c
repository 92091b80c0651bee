/* The curve beside the network that was chosen from it. */
#include "compress/networks.h"

static rango_model *two_layers(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  float *w = low_rank_matrix(40, 60, 6, 1);
  rg_value *h = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 40));
  h = model_node(g, "Gemm", h, constant(g, "w1", 2, DIMS(40, 60), w), model_weights(g, "b1", 0.3, 1, DIMS(60)), NULL);
  h = model_node(g, "Relu", h, NULL, NULL, NULL);
  finish(model, model_node(g, "Gemm", h, model_weights(g, "w2", 0.3, 2, DIMS(60, 20)), NULL, NULL));
  free(w);
  return model;
}

static void check_curve(rango_budget budget, double value, bool searches) {
  rango_model *model = two_layers();
  rango_tensor *rows = tensor_random(RANGO_FLOAT32, 2, DIMS(400, 40), 3);
  rango_dataset *data;
  rango_compression *result;
  rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){rows}, 1, &data));
  options.calib = data;
  options.budget = budget;
  options.budget_value = value;
  options.objective = RANGO_OBJECTIVE_PARAMS;
  options.threads = 1;
  check_ok(rango_compress(model, &options, &result));
  rango_compress_summary s = {.struct_size = sizeof s};
  check_ok(rango_compression_summary(result, &s));
  const rango_curve_point *point, *before = NULL;
  int chosen = 0, measured = 0, predicted = 0;
  for (size_t i = 0; (point = rango_compression_curve(result, i)); before = point, i++) {
    assert_true(point->params > 0 && point->params <= 1 && point->macs > 0 && point->macs <= 1 && point->damage >= 0);
    if (before) assert_true(point->params + point->macs <= before->params + before->macs);
    if (before)
      assert_true(point->damage >= before->damage * (1 - 1e-9)); /* the price is the parameters: a smaller one
                                                                    loses no less */
    measured += isfinite(point->metric);
    predicted += !isfinite(point->metric);
    if (!point->chosen) continue;
    chosen++;
    assert_true(fabs(point->params - (double)s.params_after / (double)s.params_before) < 1e-12);
    assert_true(fabs(point->macs - (double)s.macs_after / (double)s.macs_before) < 1e-12);
    assert_true(point->metric == s.metric_after && point->bound == s.bound);
  }
  assert_int_equal(chosen, 1);
  assert_true(searches ? measured > 1 : measured == 1);
  assert_true(predicted > 10);
  rango_compression_free(result);
  rango_dataset_free(data);
  rango_tensor_free(rows);
  rango_model_free(model);
}

static void a_cut_is_a_point_of_the_curve(void **state) {
  (void)state;
  check_curve(RANGO_BUDGET_CUT_PARAMS, 40, false);
}

static void a_search_measures_several_points(void **state) {
  (void)state;
  check_curve(RANGO_BUDGET_MAX_OUTPUT_ERROR, 0.3, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cut_is_a_point_of_the_curve),
      cmocka_unit_test(a_search_measures_several_points),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
