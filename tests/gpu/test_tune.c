/* What a device's tiles take: measured, kept in a file, chosen by. */
#include <math.h>

#include "gpu/cache.h"
#include "gpu/devices.h"
#include "gpu/product.h"
#include "gpu/rates.h"
#include "gpu/tune.h"
#include "support/folder.h"

static const rango_device kinds[] = {RANGO_DEVICE_VULKAN, RANGO_DEVICE_METAL};
static char folder[64], cache[128];
static int warnings;

static void count_warning(void *user, rango_log_level level, const char *message) {
  if (level == RANGO_LOG_WARNING && strstr(message, "is ignored")) warnings++;
}

static int make_folder(void **state) {
  folder_make(folder);
  snprintf(cache, sizeof cache, "%s/rango", folder);
  setenv("XDG_CACHE_HOME", folder, 1);
  rango_set_log(count_warning, NULL, RANGO_LOG_WARNING);
  return 0;
}

static int empty_folder(void **state) {
  folder_remove(cache);
  return 0;
}

static int remove_folder(void **state) {
  rango_set_log(NULL, NULL, RANGO_LOG_WARNING);
  folder_remove(folder);
  return 0;
}

/* Calls `test` with the first device of each kind; skips where there is none. */
static void each_kind(void (*test)(rango_device kind, const char *name)) {
  int total = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    int count = 0;
    if (rg_gpu_library_get()->backend(backend_names[k])) check_ok(rango_gpu_count(kinds[k], &count));
    if (count > 0) test(kinds[k], backend_names[k]);
    total += count;
  }
  if (total > 0) return;
  printf("SKIP: no GPU here\n");
  skip();
}

static rg_gpu_device *open_device(const char *name) {
  rg_gpu_device *device;
  check_ok(rg_gpu_library_get()->open(name, 0, &device));
  return device;
}

static bool is_tuned(rango_device kind) {
  rango_gpu_info info = {.struct_size = sizeof info};
  check_ok(rango_gpu_get_info(kind, 0, &info));
  return info.tuned;
}

/* ---- measuring ---- */

static void tune_twice(rango_device kind, const char *name) {
  rango_gpu_tuning first = {.struct_size = sizeof first}, second = {.struct_size = sizeof second};
  assert_false(is_tuned(kind));
  check_ok(rango_gpu_tune(kind, 0, &first));
  assert_true(is_tuned(kind));
  assert_int_equal(strncmp(first.file, cache, strlen(cache)), 0);
  assert_int_equal(access(first.file, R_OK), 0);
  assert_int_equal(first.tile_count, RG_GPU_TILES);
  rg_gpu_device *device = open_device(name);
  for (int i = 0; i < RG_GPU_TILES; i++) {
    const rango_gpu_tile *tile = &first.tiles[i];
    const rg_gpu_tile expected = rg_gpu_tile_get(i);
    assert_true(tile->alone_us > 0 && tile->alone_us < 1e9 && tile->busy_us > 0 && tile->busy_us < 1e9);
    assert_true(tile->alone_us_before == expected.rate.alone && tile->busy_us_before == expected.rate.busy);
    assert_true(tile->rows == expected.rows && tile->columns == expected.columns && tile->depth == expected.depth);
    assert_true(fabs(device->rates[i].alone - tile->alone_us) < 2e-6); /* the file has picoseconds */
    assert_true(fabs(device->rates[i].busy - tile->busy_us) < 2e-6);
  }
  assert_true(device->tuned);
  rg_gpu_library_get()->close(device);

  check_ok(rango_gpu_tune(kind, 0, &second));
  for (int i = 0; i < RG_GPU_TILES; i++)
    assert_true(fabs(second.tiles[i].busy_us_before - first.tiles[i].busy_us) < 2e-6);
}

static void test_tuning(void **state) { each_kind(tune_twice); }

static void refuse(rango_device kind, const char *name) {
  rango_gpu_tuning tuning = {.struct_size = sizeof tuning};
  check_fails(rango_gpu_tune(kind, 99, &tuning), RANGO_ERROR_DEVICE, "no device");
  check_fails(rango_gpu_tune(kind, -1, &tuning), RANGO_ERROR_DEVICE, "no device");
  rg_gpu_device *device = open_device(name);
  rg_gpu_device blind = *device;
  blind.info.timestamps = false;
  check_fails(rg_gpu_tune(&blind, &tuning), RANGO_ERROR_UNSUPPORTED, "timestamps");
  assert_false(is_tuned(kind));
  rg_gpu_library_get()->close(device);
}

static void test_refusals(void **state) {
  rango_gpu_tuning tuning = {.struct_size = 8};
  check_fails(rango_gpu_tune(RANGO_DEVICE_CPU, 0, NULL), RANGO_ERROR_ARGUMENT, "NULL");
  check_fails(rango_gpu_tune(RANGO_DEVICE_VULKAN, 0, &tuning), RANGO_ERROR_ARGUMENT, "struct_size");
  tuning.struct_size = sizeof tuning;
  check_fails(rango_gpu_tune(RANGO_DEVICE_CPU, 0, &tuning), RANGO_ERROR_ARGUMENT, "no kind of GPU");
  each_kind(refuse);
}

/* ---- choosing ---- */

/* The tile that a large square product gets on the device as it is opened now. */
static int chosen_tile(const char *name) {
  rg_gpu_prepare prepare = {.device = open_device(name)};
  const rg_gpu_product product = {
      .matrices = 1, .m = 1024, .n = 1024, .k = 1024, .x_row = 1024, .y_row = 1024, .w_row = 1024, .w_columns = 1024};
  check_ok(rg_gpu_product_add(&prepare, &product));
  rg_gpu_library_get()->close(prepare.device);
  for (int i = 0; i < RG_GPU_TILES; i++)
    if (rg_gpu_tile_get(i).shader == prepare.tasks[0].shader) return i;
  fail_msg("no tile");
  return -1;
}

static void write_rates(const char *name, int cheap, char path[RG_GPU_CACHE_PATH]) {
  rg_gpu_info info;
  rg_gpu_rate rates[RG_GPU_TILES];
  check_ok(rg_gpu_library_get()->backend(name)->describe(0, &info));
  for (int i = 0; i < RG_GPU_TILES; i++) rates[i] = i == cheap ? (rg_gpu_rate){1, 1} : (rg_gpu_rate){1e6, 1e6};
  check_ok(rg_gpu_rates_write(&info, rates, path));
}

static void choose(rango_device kind, const char *name) {
  char path[RG_GPU_CACHE_PATH];
  for (int i = 0; i < RG_GPU_TILES; i++) {
    if (rg_gpu_tile_get(i).pair) continue;
    write_rates(name, i, path);
    assert_true(is_tuned(kind));
    assert_int_equal(chosen_tile(name), i);
  }
}

static void test_choice(void **state) { each_kind(choose); }

/* The pairs' own rates: as one dispatch they cost what their tile does. */
static void cost_pairs(rango_device kind, const char *name) {
  char path[RG_GPU_CACHE_PATH];
  write_rates(name, -1, path);
  rg_gpu_prepare prepare = {.device = open_device(name)};
  const int64_t m = 1 << 20;
  const rg_gpu_product first = {
      .matrices = 1, .m = m, .n = 32, .k = 64, .x_row = 64, .y_row = 32, .w_row = 32, .w_columns = 32};
  const rg_gpu_product second = {
      .matrices = 1, .m = m, .n = 64, .k = 32, .x_row = 32, .y_row = 64, .w_row = 64, .w_columns = 64};
  const double steps = 8, groups = (double)m / 128; /* 64 / 16 for x w, 32 / 16 for each half of the second */
  const double cost = rg_gpu_pair_cost(&prepare, &first, &second);
  assert_true(fabs(cost / (1e6 * steps * groups / (double)rg_gpu_units(&prepare)) - 1) < 1e-9);
  rg_gpu_library_get()->close(prepare.device);
}

static void test_pairs(void **state) { each_kind(cost_pairs); }

/* ---- damage ---- */

/* With the text in place of the file's. */
static void check_ignored(rango_device kind, const char *name, const char *file, const void *text, size_t bytes,
                          int built_in) {
  folder_write(cache, file, text, bytes);
  warnings = 0;
  assert_false(is_tuned(kind));
  assert_int_equal(warnings, 1);
  assert_int_equal(chosen_tile(name), built_in);
}

static void damage(rango_device kind, const char *name) {
  static const char *const lines[][2] = {
      /* what is replaced, by what of the same length */
      {"rango tiles 1", "rango tiles 2"}, {"device ", "devise "},     {"units ", "units 9"},
      {" 1000000 ", " 0000000 "},         {" 1000000 ", " -100000 "}, {" 1000000 ", " 1e9     "},
      {" 1000000 ", " nan     "},         {" 1000000\n", " 10000000"}};
  char path[RG_GPU_CACHE_PATH], text[8192];
  const int built_in = chosen_tile(name), other = (built_in + 1) % 4;
  write_rates(name, other, path);
  const char *file = strrchr(path, '/') + 1;
  size_t bytes = 0;
  char *whole = folder_read(cache, file, &bytes);
  assert_true(bytes > 0 && bytes < 4096);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    memcpy(text, whole, bytes + 1);
    char *at = strstr(text, lines[i][0]);
    assert_non_null(at);
    memcpy(at, lines[i][1], strlen(lines[i][1]));
    check_ignored(kind, name, file, text, bytes, built_in);
  }
  for (size_t cut = 0; cut < bytes; cut += 23) check_ignored(kind, name, file, whole, cut, built_in);
  memcpy(text, whole, bytes);
  memset(text + bytes, '\n', sizeof text - bytes);
  check_ignored(kind, name, file, text, bytes + 1, built_in);
  check_ignored(kind, name, file, text, sizeof text, built_in);
  text[bytes - 1] = '\0';
  check_ignored(kind, name, file, text, bytes, built_in);
  folder_write(cache, file, whole, bytes);
  assert_int_equal(chosen_tile(name), other);
  free(whole);
}

static void test_damage(void **state) { each_kind(damage); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_tuning, empty_folder), cmocka_unit_test_teardown(test_refusals, empty_folder),
      cmocka_unit_test_teardown(test_choice, empty_folder), cmocka_unit_test_teardown(test_pairs, empty_folder),
      cmocka_unit_test_teardown(test_damage, empty_folder)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
