/* Files of statistics: what is written is read, what is damaged is refused; fingerprints tell models and data apart. */
#include "compress/fingerprint.h"
#include "compress/networks.h"
#include "compress/store.h"
#include "support/folder.h"

static char folder[64];

static int make_folder(void **state) {
  (void)state;
  folder_make(folder);
  return 0;
}

static int drop_folder(void **state) {
  (void)state;
  folder_remove(folder);
  return 0;
}

typedef struct content {
  int64_t number;
  char letters[3];
  double *reals, *none;
} content;

static rango_status store_content(rg_store *store, content *c, int64_t reals) {
  RG_TRY(rg_store_item(store, &c->number, sizeof c->number));
  RG_TRY(rg_store_item(store, c->letters, sizeof c->letters));
  RG_TRY(rg_store_array(store, RG_OUT(&c->reals), reals, sizeof *c->reals));
  RG_TRY(rg_store_array(store, RG_OUT(&c->none), 1000, sizeof *c->none));
  return rg_store_finish(store);
}

static const char *write_sample(void) {
  double reals[5] = {1, -2.5, 0, 1e300, 3};
  content c = {.number = -7, .letters = "abc", .reals = reals};
  rg_store *store;
  const char *path = folder_path(folder, "sample.rgs");
  check_ok(rg_store_write(path, &store));
  assert_false(rg_store_is_reading(store));
  check_ok(store_content(store, &c, 5));
  rg_store_free(store);
  return path;
}

static void round_trip(void **state) {
  (void)state;
  rg_store *store;
  content c = {0};
  const char *path = write_sample();
  check_ok(rg_store_read(path, &store));
  assert_true(rg_store_is_reading(store));
  check_ok(store_content(store, &c, 5));
  assert_int_equal(c.number, -7);
  assert_memory_equal(c.letters, "abc", 3);
  assert_true(c.reals[1] == -2.5 && c.reals[3] == 1e300);
  assert_null(c.none);
  rg_free(c.reals);
  rg_store_free(store);
  for (int64_t reals = 0; reals < 12; reals++) { /* another size than the writer's */
    if (reals == 5) continue;
    check_ok(rg_store_read(path, &store));
    check_fails(store_content(store, &c, reals), RANGO_ERROR_FORMAT, "sample.rgs");
    rg_free(c.reals);
    rg_store_free(store);
  }
  int64_t first;
  check_ok(rg_store_read(path, &store));
  check_ok(rg_store_item(store, &first, sizeof first));
  check_fails(rg_store_finish(store), RANGO_ERROR_FORMAT, "sample.rgs"); /* something is left */
  rg_store_free(store);
}

static void unfinished(void **state) {
  (void)state;
  rg_store *store;
  int64_t number = 1;
  check_ok(rg_store_write(folder_path(folder, "never.rgs"), &store));
  check_ok(rg_store_item(store, &number, sizeof number));
  rg_store_free(store);
  assert_int_equal(folder_count(folder), 0);
  check_fails(rg_store_read(folder_path(folder, "never.rgs"), &store), RANGO_ERROR_IO, "never.rgs");
  check_fails(rg_store_write(folder_path(folder, "no/where.rgs"), &store), RANGO_ERROR_IO, "where.rgs");
}

static void damage(void **state) {
  (void)state;
  rg_store *store;
  size_t bytes = 0;
  write_sample();
  char *data = folder_read(folder, "sample.rgs", &bytes);
  for (size_t i = 0; i < bytes; i++) {
    folder_write(folder, "bad.rgs", data, i);
    check_fails(rg_store_read(folder_path(folder, "bad.rgs"), &store), RANGO_ERROR_FORMAT, "bad.rgs");
    assert_null(store);
    for (int bit = 0; bit < 8; bit++) {
      data[i] = (char)(data[i] ^ 1 << bit);
      folder_write(folder, "bad.rgs", data, bytes);
      check_fails(rg_store_read(folder_path(folder, "bad.rgs"), &store), RANGO_ERROR_FORMAT, "bad.rgs");
      data[i] = (char)(data[i] ^ 1 << bit);
    }
  }
  folder_write(folder, "bad.rgs", "text, not statistics", 20);
  check_fails(rg_store_read(folder_path(folder, "bad.rgs"), &store), RANGO_ERROR_FORMAT, "not a file of statistics");
  free(data);
}

/* y = x W + c, with names of its own; `kind` 1: another weight, 2: another operator, 3: other connections. */
static uint64_t model_fingerprint(const char *name, int kind) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, name, RANGO_FLOAT32, 2, DIMS(-1, 2));
  float w[4] = {1, 2, 3, kind == 1 ? 4.0000005f : 4};
  rg_value *weight = constant(model->graph, name, 2, DIMS(2, 2), w);
  rg_value *y = model_node(model->graph, "MatMul", kind == 3 ? weight : x, kind == 3 ? x : weight, NULL, NULL);
  finish(model, model_node(model->graph, kind == 2 ? "Sigmoid" : "Relu", y, NULL, NULL, NULL));
  uint64_t print = rg_model_fingerprint(model);
  rango_model_free(model);
  return print;
}

static void models(void **state) {
  (void)state;
  uint64_t first = model_fingerprint("a", 0);
  assert_true(first == model_fingerprint("other name", 0));
  for (int kind = 1; kind <= 3; kind++) assert_true(first != model_fingerprint("a", kind));
}

static void rows(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 3));
  finish(model, model_node(model->graph, "Relu", x, NULL, NULL, NULL));
  rango_tensor *array = tensor_random(RANGO_FLOAT32, 2, DIMS(6, 3), 5);
  rango_dataset *data, *all, *first, *turned;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){array}, 1, &data));
  check_ok(rg_dataset_subset(data, DIMS(0, 1, 2, 3, 4, 5), 6, &all));
  check_ok(rg_dataset_subset(data, DIMS(0, 1, 2, 3, 4), 5, &first));
  check_ok(rg_dataset_subset(data, DIMS(0, 1, 2, 3, 5, 4), 6, &turned));
  uint64_t print = rg_dataset_fingerprint(data);
  assert_true(print == rg_dataset_fingerprint(all));
  assert_true(print != rg_dataset_fingerprint(first));
  assert_true(print != rg_dataset_fingerprint(turned));
  ((float *)array->data)[17] += 1;
  assert_true(print != rg_dataset_fingerprint(data));
  rango_dataset_free(turned);
  rango_dataset_free(first);
  rango_dataset_free(all);
  rango_dataset_free(data);
  rango_tensor_free(array);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(round_trip, make_folder, drop_folder),
      cmocka_unit_test_setup_teardown(unfinished, make_folder, drop_folder),
      cmocka_unit_test_setup_teardown(damage, make_folder, drop_folder),
      cmocka_unit_test(models),
      cmocka_unit_test(rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
