/* This machine's GPUs through the public interface. */
#include "gpu/devices.h"

static const rango_device kinds[] = {RANGO_DEVICE_VULKAN, RANGO_DEVICE_METAL};

static void check_kind(rango_device kind, const rg_gpu_backend *backend) {
  rango_gpu_info info = {.struct_size = sizeof info};
  int count, listed;
  check_ok(backend->count(&count));
  check_ok(rango_gpu_count(kind, &listed));
  assert_int_equal(listed, count);
  for (int i = 0; i < count; i++) {
    rg_gpu_info expected;
    check_ok(backend->describe(i, &expected));
    check_ok(rango_gpu_get_info(kind, i, &info));
    assert_string_equal(info.name, expected.name);
    assert_string_equal(info.driver, expected.driver);
    assert_true(info.memory_bytes == expected.memory_bytes && info.binding_bytes == expected.binding_bytes);
    assert_true(info.software == expected.software && info.half == expected.half && info.unified == expected.unified);
    assert_int_equal(info.group_threads, expected.group_threads);
    assert_int_equal(info.shared_bytes, expected.shared_bytes);
    assert_memory_equal(info.group_count, expected.group_count, sizeof info.group_count);
  }
  check_fails(rango_gpu_get_info(kind, count, &info), RANGO_ERROR_ARGUMENT, "no device");
  check_fails(rango_gpu_get_info(kind, -1, &info), RANGO_ERROR_ARGUMENT, "no device");
  info.struct_size = 8;
  check_fails(rango_gpu_get_info(kind, 0, &info), RANGO_ERROR_ARGUMENT, "struct_size");
}

static void test_listing(void **state) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    const rg_gpu_backend *backend = rg_gpu_library_get()->backend(backend_names[i]);
    int count;
    if (backend)
      check_kind(kinds[i], backend);
    else
      check_fails(rango_gpu_count(kinds[i], &count), RANGO_ERROR_DEVICE, backend_names[i]);
  }
}

static void test_arguments(void **state) {
  int count;
  rango_gpu_info info = {.struct_size = sizeof info};
  check_fails(rango_gpu_count(RANGO_DEVICE_CPU, &count), RANGO_ERROR_ARGUMENT, "no kind of GPU");
  check_fails(rango_gpu_count(RANGO_DEVICE_VULKAN, NULL), RANGO_ERROR_ARGUMENT, "NULL");
  check_fails(rango_gpu_get_info(RANGO_DEVICE_REFERENCE, 0, &info), RANGO_ERROR_ARGUMENT, "no kind of GPU");
  check_fails(rango_gpu_get_info(RANGO_DEVICE_VULKAN, 0, NULL), RANGO_ERROR_ARGUMENT, "NULL");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_listing), cmocka_unit_test(test_arguments)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
