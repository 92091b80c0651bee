/* Data sets, scores and bounds. */
#include "compress/networks.h"
#include "compress/scores.h"
#include "support/folder.h"

static rango_tensor *numbers(rango_type type, int rank, const int64_t *dims, double first, double step) {
  rango_tensor *t;
  check_ok(rango_tensor_create(type, rank, dims, &t));
  for (int64_t i = 0; i < rango_tensor_count(t); i++) rg_tensor_set_double(t, i, first + step * (double)i);
  return t;
}

/* x [s1, 3] float and k [] int64, y = x + x. */
static rango_model *two_inputs(void) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 3));
  model_input(model->graph, "k", RANGO_INT64, 0, NULL);
  finish(model, model_node(model->graph, "Add", x, x, NULL, NULL));
  return model;
}

static rango_model *one_input(int64_t batch) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(batch, 3));
  finish(model, model_node(model->graph, "Add", x, x, NULL, NULL));
  return model;
}

static void rows_and_constants(void **state) {
  (void)state;
  char folder[64];
  folder_make(folder);
  rango_model *model = two_inputs();
  rango_tensor *x = numbers(RANGO_FLOAT32, 2, DIMS(5, 3), 0, 1), *k = numbers(RANGO_INT64, 0, NULL, 7, 0), *got[2];
  check_ok(rango_tensor_save_npy(x, folder_path(folder, "x.npy")));
  check_ok(rango_tensor_save_npy(k, folder_path(folder, "k.npy")));
  char first[512], second[512];
  snprintf(first, sizeof first, "k=%s", folder_path(folder, "k.npy"));
  snprintf(second, sizeof second, "x=%s", folder_path(folder, "x.npy"));
  rango_dataset *data;
  check_ok(rango_dataset_load(model, (const char *const[]){first, second}, 2, &data));
  assert_int_equal(rango_dataset_rows(data), 5);
  assert_int_equal(rango_dataset_fixed_batch(data), 0);
  check_ok(rango_dataset_batch(data, 1, 3, got, 2));
  assert_int_equal(got[0]->shape.dims[0], 2);
  assert_true(((const float *)got[0]->data)[0] == 3 && ((const float *)got[0]->data)[5] == 8);
  assert_int_equal(got[1]->shape.rank, 0);
  assert_int_equal(*(const int64_t *)got[1]->data, 7);
  rg_tensors_free(got, 2);
  rango_dataset *part;
  check_ok(rg_dataset_subset(data, DIMS(4, 0), 2, &part));
  check_ok(rango_dataset_batch(part, 0, 2, got, 2));
  assert_true(((const float *)got[0]->data)[0] == 12 && ((const float *)got[0]->data)[3] == 0);
  rg_tensors_free(got, 2);
  check_fails(rango_dataset_batch(data, 4, 6, got, 2), RANGO_ERROR_ARGUMENT, "4 to 6 of 5");
  rango_dataset_free(part);
  rango_dataset_free(data);
  check_fails(rango_dataset_load(model, (const char *const[]){folder_path(folder, "x.npy")}, 1, &data),
              RANGO_ERROR_ARGUMENT, "2 inputs");
  check_fails(rango_dataset_load(model, (const char *const[]){second}, 1, &data), RANGO_ERROR_ARGUMENT, "input 'k'");
  check_fails(rango_dataset_load(model, (const char *const[]){second, second}, 2, &data), RANGO_ERROR_ARGUMENT,
              "twice");
  check_fails(rango_dataset_load(model, (const char *const[]){"x=/nonexistent.npy", first}, 2, &data), RANGO_ERROR_IO,
              "/nonexistent.npy");
  rango_tensor_free(x);
  rango_tensor_free(k);
  rango_model_free(model);
  folder_remove(folder);
}

static void arrays_that_do_not_fit(void **state) {
  (void)state;
  rango_model *model = one_input(-1), *fixed = one_input(2);
  rango_dataset *data = NULL;
  rango_tensor *wide = numbers(RANGO_FLOAT32, 2, DIMS(5, 4), 0, 1),
               *deep = numbers(RANGO_FLOAT32, 3, DIMS(5, 3, 1), 0, 1);
  rango_tensor *bytes = numbers(RANGO_UINT8, 2, DIMS(5, 3), 0, 1), *empty = numbers(RANGO_FLOAT32, 2, DIMS(0, 3), 0, 1);
  rango_tensor *five = numbers(RANGO_FLOAT32, 2, DIMS(5, 3), 0, 1), *six = numbers(RANGO_FLOAT32, 2, DIMS(6, 3), 0, 1);
  check_fails(rango_dataset_create(model, (const rango_tensor *const[]){wide}, 1, &data), RANGO_ERROR_ARGUMENT,
              "3 at axis 1");
  check_fails(rango_dataset_create(model, (const rango_tensor *const[]){deep}, 1, &data), RANGO_ERROR_ARGUMENT,
              "2 axes");
  check_fails(rango_dataset_create(model, (const rango_tensor *const[]){bytes}, 1, &data), RANGO_ERROR_ARGUMENT,
              "uint8");
  check_fails(rango_dataset_create(model, (const rango_tensor *const[]){empty}, 1, &data), RANGO_ERROR_ARGUMENT,
              "no rows");
  check_fails(rango_dataset_create(fixed, (const rango_tensor *const[]){five}, 1, &data), RANGO_ERROR_ARGUMENT,
              "multiple");
  check_ok(rango_dataset_create(fixed, (const rango_tensor *const[]){six}, 1, &data));
  assert_int_equal(rango_dataset_fixed_batch(data), 2);
  assert_int_equal(rg_dataset_batch_rows(data, 64), 2);
  rango_dataset_free(data);
  ((float *)five->data)[7] = NAN;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){five}, 1, &data));
  check_fails(rg_dataset_check_finite(data, "calibration data"), RANGO_ERROR_NUMERIC, "input 'x': row 2");
  rango_dataset_free(data);
  rango_tensor *all[] = {wide, deep, bytes, empty, five, six};
  rg_tensors_free(all, 6);
  rango_model_free(model);
  rango_model_free(fixed);
}

/* Scores are the input itself doubled: argmax is where the row's largest input is. */
static void accuracy_and_agreement(void **state) {
  (void)state;
  rango_model *model = one_input(-1);
  float rows[4][3] = {{3, 1, 2}, {0, 5, 1}, {1, 2, 9}, {4, 0, 0}};
  int64_t classes[4] = {0, 1, 0, 0};
  rango_tensor *x, *y;
  check_ok(rango_tensor_wrap(RANGO_FLOAT32, 2, DIMS(4, 3), rows, sizeof rows, &x));
  check_ok(rango_tensor_wrap(RANGO_INT64, 1, DIMS(4), classes, sizeof classes, &y));
  rango_dataset *data;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){x}, 1, &data));
  rango_evaluate_options options = {.struct_size = sizeof options, .labels = y, .batch = 3};
  rango_evaluation result = {.struct_size = sizeof result};
  check_ok(rango_evaluate(model, data, &options, &result));
  assert_int_equal(result.metric, RANGO_METRIC_TOP1);
  assert_true(result.value == 75);
  assert_true(isnan(result.top5)); /* three classes only */
  assert_int_equal(result.count, 4);
  options.labels = NULL;
  options.reference = model;
  check_ok(rango_evaluate(model, data, &options, &result));
  assert_int_equal(result.metric, RANGO_METRIC_AGREEMENT);
  assert_true(result.value == 100);
  options.output_error = true;
  check_ok(rango_evaluate(model, data, &options, &result));
  assert_true(result.metric == RANGO_METRIC_OUTPUT_ERROR && result.value == 0);
  options.reference = NULL;
  check_fails(rango_evaluate(model, data, &options, &result), RANGO_ERROR_ARGUMENT, "labels");
  classes[2] = 3;
  options.labels = y;
  check_fails(rango_evaluate(model, data, &options, &result), RANGO_ERROR_ARGUMENT, "label 3 of row 2");
  classes[2] = -1;
  check_fails(rango_evaluate(model, data, &options, &result), RANGO_ERROR_ARGUMENT, "label -1");
  rango_tensor *three;
  check_ok(rango_tensor_wrap(RANGO_INT64, 1, DIMS(3), classes, 24, &three));
  options.labels = three;
  check_fails(rango_evaluate(model, data, &options, &result), RANGO_ERROR_ARGUMENT, "4 rows");
  rango_dataset_free(data);
  rango_tensor *all[] = {x, y, three};
  rg_tensors_free(all, 3);
  rango_model_free(model);
}

/* Outputs 2 x against targets: ||2x - y|| / ||y|| over everything. */
static void relative_error_of_targets(void **state) {
  (void)state;
  rango_model *model = one_input(-1);
  rango_tensor *x = numbers(RANGO_FLOAT32, 2, DIMS(4, 3), 1, 1), *y = numbers(RANGO_FLOAT64, 2, DIMS(4, 3), 3, 2);
  rango_dataset *data;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){x}, 1, &data));
  rango_evaluate_options options = {.struct_size = sizeof options, .labels = y};
  rango_evaluation result = {.struct_size = sizeof result};
  check_ok(rango_evaluate(model, data, &options, &result));
  double size = 0;
  for (int i = 0; i < 12; i++) size += pow(3 + 2 * i, 2);
  assert_int_equal(result.metric, RANGO_METRIC_RELATIVE_ERROR);
  assert_true(fabs(result.value - sqrt(12 / size)) < 1e-12);
  rango_dataset_free(data);
  rango_tensor_free(x);
  rango_tensor_free(y);
  rango_model_free(model);
}

static void top5_counts_five(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 8));
  finish(model, model_node(model->graph, "Add", x, x, NULL, NULL));
  float rows[2][8] = {{8, 7, 6, 5, 4, 3, 2, 1}, {8, 7, 6, 5, 4, 3, 2, 1}};
  int32_t classes[2] = {4, 5};
  rango_tensor *t, *y;
  check_ok(rango_tensor_wrap(RANGO_FLOAT32, 2, DIMS(2, 8), rows, sizeof rows, &t));
  check_ok(rango_tensor_wrap(RANGO_INT32, 1, DIMS(2), classes, sizeof classes, &y));
  rango_dataset *data;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){t}, 1, &data));
  rango_evaluate_options options = {.struct_size = sizeof options, .labels = y};
  rango_evaluation result = {.struct_size = sizeof result};
  check_ok(rango_evaluate(model, data, &options, &result));
  assert_true(result.value == 0 && result.top5 == 50);
  rango_dataset_free(data);
  rango_tensor_free(t);
  rango_tensor_free(y);
  rango_model_free(model);
}

/* Bounds lie above what was seen, and close in with more rows; simulated: at least 93 % of bounds hold. */
static void bounds_hold(void **state) {
  (void)state;
  enum { rows = 400, rounds = 400 };
  double before[rows], after[rows], size[rows];
  rg_random random;
  rg_random_seed(&random, 3);
  int held = 0, ratio_held = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < rows; i++) { /* true drop: 0.08 * 0.9 - 0.1 * 0.3 = 4.2 points */
      before[i] = rg_random_uniform(&random) < 0.1;
      after[i] = before[i] ? rg_random_uniform(&random) >= 0.3 : rg_random_uniform(&random) < 0.08;
    }
    rg_scores a = {.metric = RANGO_METRIC_TOP1, .count = rows, .error = before}, b = a;
    b.error = after;
    double seen = rg_scores_value(&a) - rg_scores_value(&b), bound = rg_scores_bound(&a, &b, 1);
    assert_true(bound > seen);
    held += bound >= 100 * (0.08 * 0.9 - 0.1 * 0.3);
  }
  for (int round = 0; round < rounds / 10; round++) { /* true ratio of errors: sqrt(1.5) */
    for (int i = 0; i < rows; i++) {
      before[i] = pow(rg_random_normal(&random), 2);
      after[i] = 1.5 * pow(rg_random_normal(&random), 2);
      size[i] = 1;
    }
    rg_scores a = {.metric = RANGO_METRIC_RELATIVE_ERROR, .count = rows, .error = before, .size = size}, b = a;
    b.error = after;
    ratio_held += rg_scores_bound(&a, &b, (uint64_t)round) >= sqrt(1.5);
  }
  if (held < 0.93 * rounds || held > 0.985 * rounds) fail_msg("%d of %d bounds hold", held, rounds);
  if (ratio_held < 0.85 * rounds / 10) fail_msg("%d of %d bounds of the ratio hold", ratio_held, rounds / 10);
  double none[10] = {0};
  rg_scores same = {.metric = RANGO_METRIC_AGREEMENT, .count = 10, .error = none};
  assert_true(rg_scores_bound(NULL, &same, 1) > 5); /* ten rows without a difference prove little */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_and_constants),     cmocka_unit_test(arrays_that_do_not_fit),
      cmocka_unit_test(accuracy_and_agreement), cmocka_unit_test(relative_error_of_targets),
      cmocka_unit_test(top5_counts_five),       cmocka_unit_test(bounds_hold),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
