/* Statistics in files: they give the same model, interrupted collections go on, and nothing else's are taken. */
#include <signal.h>
#include <sys/wait.h>

#include "compress/calibrate.h"
#include "compress/networks.h"
#include "support/folder.h"

#define ROWS 40

typedef struct setting {
  char folder[64];
  rango_model *model;
  rango_tensor *rows, *val_rows;
  rango_dataset *data, *val;
} setting;

/* [n, 3, 8, 8] → Conv → Relu → Conv → Relu → Flatten → Gemm [n, 10]; weights of the names that begin with `name`. */
static rango_model *network(const char *name) {
  rango_model *model = model_new();
  char first[16], second[16], third[16];
  snprintf(first, sizeof first, "%s1", name);
  snprintf(second, sizeof second, "%s2", name);
  snprintf(third, sizeof third, "%s3", name);
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 4, DIMS(-1, 3, 8, 8));
  x = model_node(model->graph, "Conv", x, model_weights(model->graph, first, 0.3, 4, DIMS(12, 3, 3, 3)), NULL, NULL);
  x = model_node(model->graph, "Relu", x, NULL, NULL, NULL);
  x = model_node(model->graph, "Conv", x, model_weights(model->graph, second, 0.1, 4, DIMS(16, 12, 3, 3)), NULL, NULL);
  x = model_node(model->graph, "Relu", x, NULL, NULL, NULL);
  x = model_node(model->graph, "Flatten", x, NULL, NULL, NULL);
  x = model_node(model->graph, "MatMul", x, model_weights(model->graph, third, 0.1, 2, DIMS(256, 10)), NULL, NULL);
  finish(model, x);
  return model;
}

static void dataset(const rango_model *model, uint64_t seed, rango_tensor **rows, rango_dataset **out) {
  *rows = tensor_random(RANGO_FLOAT32, 4, DIMS(ROWS, 3, 8, 8), seed);
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){*rows}, 1, out));
}

static int open_setting(void **state) {
  setting *s = calloc(1, sizeof *s);
  folder_make(s->folder);
  s->model = network("w");
  dataset(s->model, 5, &s->rows, &s->data);
  dataset(s->model, 6, &s->val_rows, &s->val);
  *state = s;
  return 0;
}

static int close_setting(void **state) {
  setting *s = *state;
  rango_dataset_free(s->data);
  rango_dataset_free(s->val);
  rango_tensor_free(s->rows);
  rango_tensor_free(s->val_rows);
  rango_model_free(s->model);
  folder_remove(s->folder);
  free(s);
  return 0;
}

/* Small batches, so that there is something to interrupt. */
static rango_calibrate_options options(void) {
  rango_calibrate_options o = RANGO_CALIBRATE_DEFAULTS;
  o.threads = 1;
  o.memory_bytes = 300000;
  return o;
}

static rango_status compress(const setting *s, const char *stats, rango_budget budget, const char *name) {
  rango_compress_options o = RANGO_COMPRESS_DEFAULTS;
  rango_compression *result;
  o.calib = s->data;
  o.val = s->val;
  o.budget = budget;
  o.budget_value = budget == RANGO_BUDGET_CUT_PARAMS ? 40 : 50;
  o.threads = 1;
  o.memory_bytes = 300000;
  o.stats = stats;
  RG_TRY(rango_compress(s->model, &o, &result));
  rango_status status = rango_model_save(rango_compression_model(result), folder_path(s->folder, name));
  rango_compression_free(result);
  return status;
}

static void check_same(const char *folder, const char *one, const char *other) {
  size_t bytes = 0, other_bytes = 0;
  char *data = folder_read(folder, one, &bytes), *other_data = folder_read(folder, other, &other_bytes);
  assert_non_null(data);
  assert_non_null(other_data);
  assert_int_equal(bytes, other_bytes);
  assert_memory_equal(data, other_data, bytes);
  free(data);
  free(other_data);
}

static void same_model(void **state) {
  setting *s = *state;
  rango_calibrate_options o = options();
  static const rango_budget budgets[] = {RANGO_BUDGET_CUT_PARAMS, RANGO_BUDGET_MIN_AGREEMENT};
  check_ok(rango_calibrate(s->model, s->data, folder_path(s->folder, "s.rgs"), &o));
  assert_int_equal(folder_count(s->folder), 1);
  for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) { /* one metric is for values, one for classes */
    check_ok(compress(s, NULL, budgets[i], "without.onnx"));
    check_ok(compress(s, folder_path(s->folder, "s.rgs"), budgets[i], "with.onnx"));
    check_same(s->folder, "without.onnx", "with.onnx");
  }
}

/* Readings of an embedding table depend on the metric. */
static void same_embedding(void **state) {
  setting *s = *state;
  rango_calibrate_options o = options();
  rango_model *model = model_new(), *images = s->model;
  rango_dataset *image_data = s->data, *image_val = s->val;
  rg_value *x = model_input(model->graph, "x", RANGO_INT64, 2, DIMS(-1, 5));
  x = model_node(model->graph, "Gather", model_weights(model->graph, "table", 1, 2, DIMS(400, 24)), x, NULL, NULL);
  x = model_node(model->graph, "Flatten", x, NULL, NULL, NULL);
  x = model_node(model->graph, "Relu", x, NULL, NULL, NULL);
  x = model_node(model->graph, "MatMul", x, model_weights(model->graph, "w", 0.1, 2, DIMS(120, 10)), NULL, NULL);
  finish(model, x);
  rango_tensor *ids;
  check_ok(rango_tensor_create(RANGO_INT64, 2, DIMS(ROWS, 5), &ids));
  for (int64_t i = 0; i < ROWS * 5; i++) ((int64_t *)ids->data)[i] = i * i % 397;
  s->model = model;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){ids}, 1, &s->data));
  s->val = s->data;
  check_ok(rango_calibrate(s->model, s->data, folder_path(s->folder, "s.rgs"), &o));
  check_ok(compress(s, NULL, RANGO_BUDGET_CUT_PARAMS, "without.onnx"));
  check_ok(compress(s, folder_path(s->folder, "s.rgs"), RANGO_BUDGET_CUT_PARAMS, "with.onnx"));
  check_same(s->folder, "without.onnx", "with.onnx");
  rango_dataset_free(s->data);
  rango_tensor_free(ids);
  rango_model_free(model);
  s->model = images;
  s->data = image_data;
  s->val = image_val;
}

/* ---- interruptions ---- */

typedef struct stopper {
  int calls, stop_at;
  bool kill;
  double first, last;
} stopper;

static bool count_calls(void *user, double fraction, const char *stage) {
  stopper *s = user;
  (void)stage;
  if (s->calls++ == 0) s->first = fraction;
  s->last = fraction;
  if (s->calls != s->stop_at) return true;
  if (s->kill) raise(SIGKILL);
  return false;
}

static rango_status run(const setting *s, const char *name, stopper *stop, double interval) {
  rango_calibrate_options o = options();
  o.progress = count_calls;
  o.user = stop;
  return rg_calibrate(s->model, s->data, folder_path(s->folder, name), &o, interval);
}

static void cancelled(void **state) {
  setting *s = *state;
  stopper whole = {0};
  check_ok(run(s, "whole.rgs", &whole, 1000));
  assert_true(whole.calls > 8);
  for (int at = 1; at <= whole.calls; at++) {
    stopper stop = {.stop_at = at}, rest = {0};
    check_fails(run(s, "part.rgs", &stop, 1000), RANGO_ERROR_CANCELLED, "stopped");
    assert_int_equal(folder_count(s->folder), 2);
    check_ok(run(s, "part.rgs", &rest, 1000));
    check_same(s->folder, "whole.rgs", "part.rgs");
    assert_int_equal(folder_count(s->folder), 2);
    if (stop.last < 0.55) assert_true(rest.calls == whole.calls - at && rest.first > stop.last);
    remove(folder_path(s->folder, "part.rgs"));
  }
}

static void killed(void **state) {
  setting *s = *state;
  stopper whole = {0};
  check_ok(run(s, "whole.rgs", &whole, 1000));
  for (int at = 2; at < whole.calls; at += 3) {
    stopper stop = {.stop_at = at, .kill = true}, rest = {0};
    pid_t child = fork();
    if (child == 0) {
      (void)run(s, "part.rgs", &stop, 0);
      _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    check_ok(run(s, "part.rgs", &rest, 1000));
    check_same(s->folder, "whole.rgs", "part.rgs");
    assert_true(rest.calls < whole.calls);
    remove(folder_path(s->folder, "part.rgs"));
  }
}

/* What an interrupted calibration of something else left behind is no beginning of this one. */
static void other_beginnings(void **state) {
  setting *s = *state;
  stopper whole = {0}, stop = {.stop_at = 3}, rest = {0};
  check_ok(run(s, "whole.rgs", &whole, 1000));
  check_fails(run(s, "part.rgs", &stop, 1000), RANGO_ERROR_CANCELLED, "stopped");
  ((float *)s->rows->data)[7] += 1;
  check_ok(run(s, "part.rgs", &rest, 1000));
  assert_int_equal(rest.calls, whole.calls);
  folder_write(s->folder, "part.rgs.part", "damaged", 7);
  check_fails(run(s, "part.rgs", &rest, 1000), RANGO_ERROR_FORMAT, "part.rgs.part");
}

/* ---- what is refused ---- */

static void other_data(void **state) {
  setting *s = *state;
  rango_calibrate_options o = options();
  const char *path = folder_path(s->folder, "s.rgs");
  rango_dataset *whole = s->data, *few;
  o.seed = 2;
  check_ok(rango_calibrate(s->model, s->data, path, &o));
  check_fails(compress(s, path, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_ARGUMENT, "the seed 2");
  o.seed = 1;
  o.memory_bytes = 1 << 30;
  check_ok(rango_calibrate(s->model, s->data, path, &o));
  check_fails(compress(s, path, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_ARGUMENT, "memory");
  o = options();
  check_ok(rango_calibrate(s->model, s->data, path, &o));
  check_ok(rg_dataset_subset(whole, DIMS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 10, &few));
  s->data = few;
  check_fails(compress(s, path, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_ARGUMENT, "40 rows, not 10");
  s->data = whole;
  rango_dataset_free(few);
  ((float *)s->rows->data)[7] += 1;
  check_fails(compress(s, path, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_ARGUMENT, "other calibration data");
  ((float *)s->rows->data)[7] -= 1;
  rango_dataset *val = s->val;
  s->val = NULL;
  check_fails(compress(s, path, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_ARGUMENT, "choose with");
  s->val = val;
  rango_model *model = s->model, *other = network("v");
  s->model = other;
  check_fails(compress(s, path, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_ARGUMENT, "another model");
  s->model = model;
  rango_model_free(other);
  check_fails(rango_calibrate(s->model, s->data, folder_path(s->folder, "no/where.rgs"), &o), RANGO_ERROR_IO, "where");
}

static void damaged(void **state) {
  setting *s = *state;
  rango_calibrate_options o = options();
  size_t bytes = 0;
  stopper stop = {.stop_at = 3};
  const char *bad = folder_path(s->folder, "bad.rgs");
  check_ok(rango_calibrate(s->model, s->data, folder_path(s->folder, "s.rgs"), &o));
  char *data = folder_read(s->folder, "s.rgs", &bytes);
  for (size_t i = 0; i < 20; i++) {
    size_t at = i * (bytes - 1) / 19;
    folder_write(s->folder, "bad.rgs", data, at);
    check_fails(compress(s, bad, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_FORMAT, "bad.rgs");
    data[at] ^= 4;
    folder_write(s->folder, "bad.rgs", data, bytes);
    check_fails(compress(s, bad, RANGO_BUDGET_CUT_PARAMS, "no.onnx"), RANGO_ERROR_FORMAT, "bad.rgs");
    data[at] ^= 4;
  }
  free(data);
  check_fails(run(s, "bad.rgs", &stop, 1000), RANGO_ERROR_CANCELLED, "stopped");
  check_fails(compress(s, folder_path(s->folder, "bad.rgs.part"), RANGO_BUDGET_CUT_PARAMS, "no.onnx"),
              RANGO_ERROR_FORMAT, "not finished");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(same_model, open_setting, close_setting),
      cmocka_unit_test_setup_teardown(same_embedding, open_setting, close_setting),
      cmocka_unit_test_setup_teardown(cancelled, open_setting, close_setting),
      cmocka_unit_test_setup_teardown(killed, open_setting, close_setting),
      cmocka_unit_test_setup_teardown(other_beginnings, open_setting, close_setting),
      cmocka_unit_test_setup_teardown(other_data, open_setting, close_setting),
      cmocka_unit_test_setup_teardown(damaged, open_setting, close_setting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
