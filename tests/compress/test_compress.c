/* Whole compressions of small networks whose structure is known. */
#include "compress/networks.h"
#include "support/folder.h"

/* 40 -> 48 (rank 5) -> relu -> 32 (rank 7) -> relu -> 10. */
static rango_model *planted_network(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  float *w1 = low_rank_matrix(40, 48, 5, 1), *w2 = low_rank_matrix(48, 32, 7, 2);
  rg_value *h = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 40));
  h = model_node(g, "Gemm", h, constant(g, "w1", 2, DIMS(40, 48), w1), model_weights(g, "b1", 0.3, 1, DIMS(48)), NULL);
  h = model_node(g, "Relu", h, NULL, NULL, NULL);
  h = model_node(g, "Gemm", h, constant(g, "w2", 2, DIMS(48, 32), w2), model_weights(g, "b2", 0.3, 1, DIMS(32)), NULL);
  h = model_node(g, "Relu", h, NULL, NULL, NULL);
  finish(model, model_node(g, "Gemm", h, model_weights(g, "w3", 0.3, 2, DIMS(32, 10)), NULL, NULL));
  free(w1);
  free(w2);
  return model;
}

/* Images through a strided convolution, a residual block, and a classifier by MatMul. */
static rango_model *image_network(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "image", RANGO_FLOAT32, 4, DIMS(-1, 3, 12, 12));
  rg_value *h = model_node(g, "Conv", x, model_weights(g, "k1", 0.2, 4, DIMS(16, 3, 3, 3)),
                           model_weights(g, "c1", 0.1, 1, DIMS(16)), NULL);
  check_ok(rg_node_set_ints(h->producer, "strides", DIMS(2, 2), 2));
  check_ok(rg_node_set_ints(h->producer, "pads", DIMS(1, 1, 1, 1), 4));
  h = model_node(g, "Relu", h, NULL, NULL, NULL);
  rg_value *block = model_node(g, "Conv", h, model_weights(g, "k2", 0.1, 4, DIMS(16, 16, 3, 3)), NULL, NULL);
  check_ok(rg_node_set_ints(block->producer, "pads", DIMS(1, 1, 1, 1), 4));
  h = model_node(g, "Add", h, model_node(g, "Relu", block, NULL, NULL, NULL), NULL, NULL);
  h = model_node(g, "Flatten", h, NULL, NULL, NULL);
  h = model_node(g, "MatMul", h, model_weights(g, "w", 0.05, 2, DIMS(576, 20)), NULL, NULL);
  finish(model, model_node(g, "Add", h, model_weights(g, "b", 0.1, 1, DIMS(20)), NULL, NULL));
  return model;
}

typedef struct problem {
  rango_model *model;
  rango_tensor *calib_rows, *val_rows;
  rango_dataset *calib, *val;
  rango_compress_options options;
} problem;

static void open_problem(problem *p, rango_model *model, int rank, const int64_t *dims) {
  *p = (problem){.model = model, .options = RANGO_COMPRESS_DEFAULTS};
  p->calib_rows = tensor_random(RANGO_FLOAT32, rank, dims, 1);
  p->val_rows = tensor_random(RANGO_FLOAT32, rank, dims, 2);
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){p->calib_rows}, 1, &p->calib));
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){p->val_rows}, 1, &p->val));
  p->options.calib = p->calib;
  p->options.val = p->val;
  p->options.budget = RANGO_BUDGET_MAX_OUTPUT_ERROR;
  p->options.budget_value = 1e-3;
  p->options.objective = RANGO_OBJECTIVE_PARAMS;
  p->options.threads = 1;
}

static void close_problem(problem *p) {
  rango_dataset_free(p->calib);
  rango_dataset_free(p->val);
  rango_tensor_free(p->calib_rows);
  rango_tensor_free(p->val_rows);
  rango_model_free(p->model);
}

static rango_compress_summary summary_of(const rango_compression *result) {
  rango_compress_summary summary = {.struct_size = sizeof summary};
  check_ok(rango_compression_summary(result, &summary));
  return summary;
}

static void planted_ranks_are_found(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, planted_network(), 2, DIMS(600, 40));
  check_ok(rango_compress(p.model, &p.options, &result));
  const rango_compressed_layer *first = rango_compression_layer(result, 0),
                               *second = rango_compression_layer(result, 1);
  assert_int_equal(first->ranks[0], 5);
  assert_int_equal(second->ranks[0], 7);
  assert_string_equal(first->form, "pair");
  assert_string_equal(first->shape, "[40, 48]");
  assert_true(rango_compression_layer(result, 2)->kept_dense);
  assert_null(rango_compression_layer(result, 3));
  rango_compress_summary s = summary_of(result);
  assert_int_equal(s.params_before, 40 * 48 + 48 + 48 * 32 + 32 + 320);
  assert_int_equal(s.params_after, 5 * 88 + 48 + 7 * 80 + 32 + 320);
  assert_int_equal(s.macs_after, 5 * 88 + 7 * 80 + 320);
  assert_int_equal(s.layers_compressed, 2);
  assert_true(s.metric == RANGO_METRIC_OUTPUT_ERROR && s.metric_after < 1e-3 && s.bound >= s.metric_after * 0.9);
  assert_true(s.ms_before > 0 && s.ms_after > 0 && s.seconds > 0);
  rango_compression_free(result);
  close_problem(&p);
}

/* The written file runs as the model in memory does, on both devices. */
static void results_survive_the_file(void **state) {
  (void)state;
  char folder[64];
  folder_make(folder);
  problem p;
  rango_compression *result = NULL;
  rango_model *loaded = NULL;
  open_problem(&p, image_network(), 4, DIMS(120, 3, 12, 12));
  p.options.budget = RANGO_BUDGET_CUT_PARAMS;
  p.options.budget_value = 40;
  check_ok(rango_compress(p.model, &p.options, &result));
  rango_compress_summary s = summary_of(result);
  assert_true((double)s.params_after <= 0.6 * (double)s.params_before);
  assert_true((double)s.params_after > 0.5 * (double)s.params_before);
  check_ok(rango_model_save(rango_compression_model(result), folder_path(folder, "small.onnx")));
  check_ok(rango_model_load(folder_path(folder, "small.onnx"), NULL, &loaded));
  const rango_tensor *const inputs[] = {p.val_rows};
  model_check_devices(loaded, inputs, 1);
  rango_tensor *a = model_run(loaded, RANGO_DEVICE_CPU, inputs, 1);
  rango_tensor *b = model_run(rango_compression_model(result), RANGO_DEVICE_CPU, inputs, 1);
  rango_tensor *before = model_run(p.model, RANGO_DEVICE_CPU, inputs, 1);
  assert_true(tensor_distance(a, b) == 0);
  double error = 0, size = 0;
  for (int64_t i = 0; i < rango_tensor_count(a); i++) {
    double y = ((const float *)before->data)[i];
    error += pow(((const float *)a->data)[i] - y, 2);
    size += y * y;
  }
  assert_true(fabs(sqrt(error / size) - s.metric_after) < 1e-4 * s.metric_after);
  rango_tensor *all[] = {a, b, before};
  rg_tensors_free(all, 3);
  rango_model_free(loaded);
  rango_compression_free(result);
  close_problem(&p);
  folder_remove(folder);
}

static void runs_are_repeatable_within_any_memory(void **state) {
  (void)state;
  problem p;
  open_problem(&p, image_network(), 4, DIMS(120, 3, 12, 12));
  p.options.budget = RANGO_BUDGET_CUT_MACS;
  p.options.budget_value = 35;
  rango_tensor *outputs[3];
  for (int i = 0; i < 3; i++) {
    rango_compression *result = NULL;
    p.options.memory_bytes = i == 2 ? 1 << 20 : 0; /* the third collects its statistics in several passes */
    check_ok(rango_compress(p.model, &p.options, &result));
    rango_compress_summary s = summary_of(result);
    assert_true((double)s.macs_after <= 0.65 * (double)s.macs_before);
    outputs[i] =
        model_run(rango_compression_model(result), RANGO_DEVICE_CPU, (const rango_tensor *const[]){p.val_rows}, 1);
    rango_compression_free(result);
  }
  assert_true(tensor_distance(outputs[0], outputs[1]) == 0);
  assert_true(tensor_distance(outputs[0], outputs[2]) < 1e-3);
  rg_tensors_free(outputs, 3);
  close_problem(&p);
}

/* Without val a part of calib is kept; without labels the original's own choice counts. */
static void agreement_without_labels_or_val(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, planted_network(), 2, DIMS(800, 40));
  p.options.val = NULL;
  p.options.budget = RANGO_BUDGET_MIN_AGREEMENT;
  p.options.budget_value = 97;
  check_ok(rango_compress(p.model, &p.options, &result));
  rango_compress_summary s = summary_of(result);
  assert_int_equal(s.rows, 200);
  assert_true(s.metric == RANGO_METRIC_AGREEMENT && s.metric_before == 100 && s.metric_after >= 97);
  assert_true(s.bound > 100 - s.metric_after);
  assert_true(s.params_after < s.params_before / 2);
  rango_compression_free(result);
  p.options.confidence = 95; /* the bound decides: less is removed */
  check_ok(rango_compress(p.model, &p.options, &result));
  assert_true(summary_of(result).bound <= 3);
  assert_true(summary_of(result).params_after >= s.params_after);
  rango_compression_free(result);
  close_problem(&p);
}

static void labels_measure_the_drop(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, planted_network(), 2, DIMS(500, 40));
  rango_tensor *scores = model_run(p.model, RANGO_DEVICE_CPU, (const rango_tensor *const[]){p.val_rows}, 1), *labels;
  check_ok(rango_tensor_create(RANGO_INT64, 1, DIMS(500), &labels));
  int64_t *label = rango_tensor_data_mut(labels);
  for (int i = 0; i < 500; i++) { /* the original is right but for every tenth row */
    const float *row = (const float *)scores->data + i * 10;
    for (int j = 1; j < 10; j++)
      if (row[j] > row[label[i]]) label[i] = j;
    if (i % 10 == 0) label[i] = (label[i] + 1) % 10;
  }
  p.options.labels = labels;
  p.options.budget = RANGO_BUDGET_MAX_DROP;
  p.options.budget_value = 2;
  check_ok(rango_compress(p.model, &p.options, &result));
  rango_compress_summary s = summary_of(result);
  assert_true(s.metric == RANGO_METRIC_TOP1 && s.metric_before == 90 && s.metric_after >= 88);
  assert_true(s.params_after < s.params_before / 2);
  rango_compression_free(result);
  label[77] = 10;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "label 10 of row 77");
  rango_tensor_free(labels);
  rango_tensor_free(scores);
  close_problem(&p);
}

static void impossible_budgets(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, image_network(), 4, DIMS(60, 3, 12, 12));
  p.options.budget_value = 1e-12;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_BUDGET, "nothing smaller is within the budget");
  assert_null(result);
  p.options.budget = RANGO_BUDGET_CUT_PARAMS;
  p.options.budget_value = 99.9;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_BUDGET, "parameters can't be removed");
  close_problem(&p);
  rango_model *plain = model_new();
  rg_value *x = model_input(plain->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 3));
  finish(plain, model_node(plain->graph, "Relu", x, NULL, NULL, NULL));
  open_problem(&p, plain, 2, DIMS(20, 3));
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_BUDGET, "no layer to factor");
  close_problem(&p);
}

static void bad_options_and_data(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, planted_network(), 2, DIMS(50, 40));
  rango_compress_options good = p.options;
  p.options.calib = NULL;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "calibration data is needed");
  p.options = good;
  p.options.struct_size = 8;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "struct_size");
  p.options = good;
  p.options.budget = RANGO_BUDGET_MAX_DROP;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "integer labels");
  p.options.budget = RANGO_BUDGET_MAX_ERROR_RATIO;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "floating-point labels");
  p.options = good;
  p.options.budget_value = NAN;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "a budget of nan");
  p.options = good;
  p.options.confidence = 50;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "confidence 50");
  p.options = good;
  rango_dataset *few;
  check_ok(rg_dataset_subset(p.calib, DIMS(0, 1, 2), 3, &few));
  p.options.calib = few;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "3 calibration rows are too few");
  rango_dataset_free(few);
  p.options = good;
  rango_tensor *labels = tensor_random(RANGO_INT64, 1, DIMS(49), 1);
  p.options.labels = labels;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_ARGUMENT, "the data has 50 rows");
  rango_tensor_free(labels);
  p.options = good;
  ((float *)p.calib_rows->data)[40 * 13 + 5] = NAN;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_NUMERIC, "input 'x': row 13");
  assert_null(result);
  close_problem(&p);
}

/* The network itself makes infinities: the layer that sees them is named. */
static void infinities_inside_the_network(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 8));
  rg_value *h =
      model_node(model->graph, "Exp", model_node(model->graph, "Mul", x, model_scalar(model->graph, 500), NULL, NULL),
                 NULL, NULL, NULL);
  rg_value *y = model_node(model->graph, "Gemm", h, model_weights(model->graph, "w", 0.3, 2, DIMS(8, 8)), NULL, NULL);
  y->producer->name = "fragile";
  finish(model, y);
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, model, 2, DIMS(40, 8));
  p.options.budget = RANGO_BUDGET_MIN_AGREEMENT;
  p.options.budget_value = 90;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_NUMERIC, "'fragile' (Gemm)");
  close_problem(&p);
}

static bool stop_at_the_third(void *user, double fraction, const char *stage) {
  (void)stage;
  assert_true(fraction >= 0 && fraction <= 1);
  return ++*(int *)user < 3;
}

static void callers_can_stop(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  int calls = 0;
  open_problem(&p, planted_network(), 2, DIMS(200, 40));
  p.options.progress = stop_at_the_third;
  p.options.user = &calls;
  check_fails(rango_compress(p.model, &p.options, &result), RANGO_ERROR_CANCELLED, "stopped");
  assert_int_equal(calls, 3);
  close_problem(&p);
}

/* A result of the time objective is faster, or refused. */
static void time_is_kept_or_refused(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  open_problem(&p, planted_network(), 2, DIMS(200, 40));
  p.options.objective = RANGO_OBJECTIVE_TIME;
  rango_status status = rango_compress(p.model, &p.options, &result);
  if (status == RANGO_OK)
    assert_true(summary_of(result).ms_after < summary_of(result).ms_before);
  else
    assert_int_equal(status, RANGO_ERROR_BUDGET);
  rango_compression_free(result);
  close_problem(&p);
}

static void spectra_show_planted_ranks(void **state) {
  (void)state;
  problem p;
  rango_spectra *spectra = NULL;
  open_problem(&p, planted_network(), 2, DIMS(600, 40));
  check_ok(rango_spectra_create(p.model, p.calib, 0, 1, 1, NULL, NULL, &spectra));
  assert_int_equal(rango_spectra_input(spectra)->dimension, 40);
  assert_int_equal(rango_spectra_input(spectra)->rows, 600);
  const rango_layer_spectrum *first = rango_spectra_layer(spectra, 0), *second = rango_spectra_layer(spectra, 1);
  assert_true(first->output.pca999 <= 5 && first->output.pca999 >= 4);
  assert_true(second->output.pca999 <= 7);
  assert_int_equal(first->rows_in, 40);
  assert_int_equal(first->columns_out, 48);
  assert_true(fabs(first->output.mle - 5) < 1.2);
  assert_null(rango_spectra_layer(spectra, 3));
  rango_spectra_free(spectra);
  close_problem(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_ranks_are_found),
      cmocka_unit_test(results_survive_the_file),
      cmocka_unit_test(runs_are_repeatable_within_any_memory),
      cmocka_unit_test(agreement_without_labels_or_val),
      cmocka_unit_test(labels_measure_the_drop),
      cmocka_unit_test(impossible_budgets),
      cmocka_unit_test(bad_options_and_data),
      cmocka_unit_test(infinities_inside_the_network),
      cmocka_unit_test(callers_can_stop),
      cmocka_unit_test(time_is_kept_or_refused),
      cmocka_unit_test(spectra_show_planted_ranks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
