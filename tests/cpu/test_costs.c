/* The cost model: its properties, its file, and what is said of a file that isn't one. */
#include "cpu/costs.h"
#include "node_host.h"
#include "support/folder.h"

static double dense(const rg_costs *costs, int64_t rows, int64_t in, int64_t out) {
  return rg_costs_milliseconds(costs, &(rg_cost_query){.kind = RG_COST_DENSE, .rows = rows, .in = in, .out = out});
}

static void check_model(const rg_costs *costs, size_t nr) {
  const int64_t half = (int64_t)nr / 2;
  assert_true(dense(costs, 64, 512, 512) > dense(costs, 64, 512, 256));
  assert_true(dense(costs, 64, 512, 256) > dense(costs, 32, 512, 256));
  assert_true(dense(costs, 1, 4096, 4096) > dense(costs, 1, 4096, 256) + dense(costs, 1, 256, 4096));
  /* Columns come in half tiles: one more than fit dot products costs what half a tile does, one more than that another
   * half. */
  const int64_t narrow = (int64_t)costs->narrow;
  assert_true(dense(costs, 64, 512, narrow + 1) > 0.95 * dense(costs, 64, 512, half));
  assert_true(narrow == 0 || dense(costs, 64, 512, 4) < 0.6 * dense(costs, 64, 512, half));
  assert_true(dense(costs, 64, 512, half + 1) > dense(costs, 64, 512, half));
  const rg_cost_query conv = {.kind = RG_COST_CONV,
                              .rows = 1,
                              .in = 64,
                              .out = 64,
                              .group = 1,
                              .kernel_h = 3,
                              .kernel_w = 3,
                              .height = 16,
                              .width = 16};
  /* The product of its windows, and finding them. */
  assert_true(rg_costs_milliseconds(costs, &conv) > dense(costs, 256, 576, 64));
  assert_true(rg_costs_milliseconds(costs, &conv) < 1.1 * dense(costs, 256, 576, 64));
  rg_cost_query plain = conv;
  plain.plain = true; /* four to five times fewer multiply-adds */
  assert_true(rg_costs_milliseconds(costs, &plain) < 0.7 * rg_costs_milliseconds(costs, &conv));
  plain.in = plain.out = 1024; /* one pixel: the larger weights alone take longer */
  plain.height = plain.width = 1;
  assert_true(rg_costs_winograd(costs, &plain) == 0);
  rg_cost_query depthwise = conv;
  depthwise.group = 64;
  assert_true(rg_costs_milliseconds(costs, &depthwise) < rg_costs_milliseconds(costs, &conv));
}

static void test_tables(void **state) {
  (void)state;
  for (const char *const *isa = node_isas(); *isa != NULL; isa++) {
    const rg_kernels *kernels;
    rg_costs *costs;
    check_ok(rg_kernels_get(*isa, &kernels));
    check_ok(rg_costs_default(kernels, &costs));
    check_model(costs, strcmp(*isa, "avx512") == 0 ? 32 : strcmp(*isa, "avx2") == 0 ? 16 : 8);
    rg_costs_free(costs);
  }
}

static bool stop(void *user, double fraction, const char *stage) {
  (void)stage;
  return ++*(int *)user < 2 && fraction >= 0.0;
}

static void test_measure_and_file(void **state) {
  char folder[64];
  const rg_kernels *kernels;
  rg_costs *costs, *loaded;
  int calls = 0;
  (void)state;
  folder_make(folder);
  check_ok(rg_kernels_get("generic", &kernels));
  check_ok(rg_costs_measure(kernels, 0.1, NULL, NULL, &costs));
  check_ok(rg_costs_save(costs, folder_path(folder, "costs.json")));
  check_ok(rg_costs_load(folder_path(folder, "costs.json"), &loaded));
  for (int64_t n = 1; n < 500; n += 37) {
    const double measured = dense(costs, n, 300, n);
    assert_true(measured > 0.0 && fabs(dense(loaded, n, 300, n) - measured) < 1e-6 * measured);
  }
  rg_costs_free(costs);
  rg_costs_free(loaded);
  check_fails(rg_costs_measure(kernels, 0.1, stop, &calls, &costs), RANGO_ERROR_CANCELLED, "stopped");
  folder_remove(folder);
}

static void test_wrong_files(void **state) {
  static const char *const wrong[] = {
      "",
      "{}",
      "{\"isa\": 3}",
      "{\"isa\": \"an instruction set of far too long a name\"}",
      "{\"isa\": \"avx2\"",
      "{\"isa\": \"avx2\", \"mr\": 6, \"nr\": \"x\"}",
      "{\"isa\": \"avx2\", \"mr\": -6, \"nr\": 16}",
      "{\"isa\": \"avx2\", \"mr\": 6, \"nr\": nan}",
  };
  char folder[64];
  rg_costs *costs;
  (void)state;
  folder_make(folder);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    folder_write(folder, "costs.json", wrong[i], strlen(wrong[i]));
    const char *path = folder_path(folder, "costs.json");
    assert_int_not_equal(rg_costs_load(path, &costs), RANGO_OK);
    assert_non_null(strstr(rango_error_message(), "costs.json"));
    assert_null(costs);
  }
  assert_int_equal(rg_costs_load(folder_path(folder, "absent.json"), &costs), RANGO_ERROR_IO);
  folder_remove(folder);
}

static void test_machine(void **state) {
  rango_cpu_info info = {.struct_size = sizeof info};
  double gflops, gbytes;
  (void)state;
  check_ok(rango_cpu_get_info(&info));
  assert_true(info.cores >= 1);
  assert_non_null(strstr("x86-64 aarch64 other", info.architecture));
  check_ok(rango_cpu_measure_peak(2, 0.05, &gflops, &gbytes));
  assert_true(gflops > 0.1 && gflops < 1e5);
  assert_true(gbytes > 0.01 && gbytes < 1e5);
  check_fails(rango_cpu_measure_peak(1, -1.0, &gflops, &gbytes), RANGO_ERROR_ARGUMENT, "seconds");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_measure_and_file),
      cmocka_unit_test(test_wrong_files),
      cmocka_unit_test(test_machine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
