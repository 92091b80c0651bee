/* The method whitney on a layer whose outputs lie on a closed curve: one-dimensional, but spread over ten directions.
 */
#include "compress/networks.h"

enum { ROWS = 512, VAL = 200, INPUTS = 160, OUTPUTS = 120, DIRECTIONS = 10 };

/* Rows x = M (cos kt, sin kt), k <= 5. */
static rango_tensor *curve_rows(const float *mix, int rows, double phase) {
  rango_tensor *out = NULL;
  check_ok(rango_tensor_create(RANGO_FLOAT32, 2, DIMS(rows, INPUTS), &out));
  float *to = out->data;
  for (int i = 0; i < rows; i++) {
    double turn = 2 * acos(-1) * (i + phase) / rows, point[DIRECTIONS];
    for (int k = 0; k < DIRECTIONS; k++)
      point[k] = k % 2 ? sin((double)(k / 2 + 1) * turn) : cos((double)(k / 2 + 1) * turn);
    for (int j = 0; j < INPUTS; j++, to++)
      for (int k = 0; k < DIRECTIONS; k++) *to += (float)(mix[j * DIRECTIONS + k] * point[k]);
  }
  return out;
}

/* One layer, a Gemm or a MatMul with an Add. */
static rango_model *one_layer(bool gemm) {
  rango_model *model = model_new();
  rg_graph *graph = model->graph;
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 2, DIMS(-1, INPUTS));
  rg_value *w = model_weights(graph, "w", 0.2, 2, DIMS(INPUTS, OUTPUTS));
  rg_value *b = model_weights(graph, "b", 0.5, 1, DIMS(OUTPUTS));
  finish(model, gemm ? model_node(graph, "Gemm", x, w, b, NULL)
                     : model_node(graph, "Add", model_node(graph, "MatMul", x, w, NULL, NULL), b, NULL, NULL));
  return model;
}

static rango_model *compress_layer(const rango_model *model, const rango_tensor *calib, const rango_tensor *val,
                                   rango_method method, rango_compressed_layer *layer) {
  rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
  rango_compression *result = NULL;
  rango_dataset *calib_data = NULL, *val_data = NULL;
  rango_model *out = NULL;
  check_ok(rango_dataset_create(model, &calib, 1, &calib_data));
  check_ok(rango_dataset_create(model, &val, 1, &val_data));
  options.calib = calib_data;
  options.val = val_data;
  options.method = method;
  options.threads = 1;
  options.budget = RANGO_BUDGET_CUT_PARAMS;
  double three = 3.0 * (INPUTS + OUTPUTS) + OUTPUTS, dense = INPUTS * OUTPUTS + OUTPUTS;
  options.budget_value = method == RANGO_METHOD_WHITNEY ? 10 : 100 * (1 - (three + 1) / dense);
  options.objective = RANGO_OBJECTIVE_PARAMS;
  check_ok(rango_compress(model, &options, &result));
  *layer = *rango_compression_layer(result, 0);
  check_ok(rg_model_copy(rango_compression_model(result), &out));
  rango_compression_free(result);
  rango_dataset_free(calib_data);
  rango_dataset_free(val_data);
  return out;
}

/* 3 = 2m + 1 coordinates tell the curve's points apart, and a network finds the way back; the best three directions
 * hold little more than three tenths of the variance. */
static void three_coordinates_hold_a_curve(void **state) {
  (void)state;
  rg_random random;
  float mix[INPUTS * DIRECTIONS];
  rg_random_seed(&random, 4);
  for (int i = 0; i < INPUTS * DIRECTIONS; i++) mix[i] = (float)rg_random_normal(&random);
  rango_tensor *calib = curve_rows(mix, ROWS, 0), *val = curve_rows(mix, VAL, 0.3);
  for (int gemm = 0; gemm < 2; gemm++) {
    rango_compressed_layer layer;
    rango_model *model = one_layer(gemm);
    rango_model *coded = compress_layer(model, calib, val, RANGO_METHOD_WHITNEY, &layer);
    assert_int_equal(layer.ranks[0], 3);
    double error = output_change(model, coded, val, relative_error);
    assert_int_equal(model_count(coded, "Relu"), 1);
    for (const rg_node *node = coded->graph->first; node; node = node->next) assert_string_equal(node->domain, "");
    rango_model *linear = compress_layer(model, calib, val, RANGO_METHOD_PCA, &layer);
    assert_int_equal(layer.ranks[0], 3);
    double linear_error = output_change(model, linear, val, relative_error);
    print_message("rank 3: %.3f; whitney: %.3f\n", linear_error, error);
    assert_true(linear_error > 0.5);
    assert_true(error < 0.15);
    rango_model_free(linear);
    rango_model_free(coded);
    rango_model_free(model);
  }
  rango_tensor_free(calib);
  rango_tensor_free(val);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(three_coordinates_hold_a_curve),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
