/* What is Vulkan's alone: machines without it, the validation layer, the file that keeps compiled shaders. */
#include <stdlib.h>
#include <sys/wait.h>

#include "gpu/devices.h"
#include "gpu/vulkan/vulkan.h"
#include "support/folder.h"

static char folder[64], program[4096];

static int make_folder(void **state) {
  folder_make(folder);
  setenv("XDG_CACHE_HOME", folder, 1);
  return 0;
}

static int remove_folder(void **state) {
  folder_remove(folder);
  return 0;
}

static const rg_gpu_backend *vulkan(void) {
  const rg_gpu_backend *backend = rg_gpu_library_get()->backend("vulkan");
  int count = 0;
  if (backend) check_ok(backend->count(&count));
  if (count > 0) return backend;
  printf("SKIP: no Vulkan device here\n");
  skip();
  return NULL;
}

/* ---- in a process of its own each, as Vulkan is looked for once ---- */

/* What this program's main returns for the command, with the variable set. */
static int run_with(const char *name, const char *value, const char *command) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    setenv(name, value, 1);
    execl(program, program, command, (char *)NULL);
    _exit(99);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int main_count(void) {
  const rg_gpu_backend *backend = rg_gpu_library_get()->backend("vulkan");
  int count = 98;
  return backend && backend->count(&count) == RANGO_OK ? count : 97;
}

static void need_programs(void) {
  int count;
  check_ok(vulkan()->count(&count));
  if (run_with("RANGO_NOTHING", "1", "count") == count) return;
  printf("SKIP: programs can't start programs here\n"); /* an emulated processor */
  skip();
}

static void test_absent(void **state) {
  need_programs();
  const char *drivers = getenv("VK_DRIVER_FILES") ? "VK_DRIVER_FILES" : "VK_ICD_FILENAMES"; /* the newer name wins */
  assert_int_equal(run_with(drivers, "/nowhere", "count"), 0);                              /* a loader without any */
  folder_write(folder, "libvulkan.so.1", "", 0);
  folder_write(folder, "libvulkan.so", "", 0);
  assert_int_equal(run_with("LD_LIBRARY_PATH", folder, "count"), 0); /* no loader */
}

/* 1 where the validation layer is installed, and 2 more if it makes the next call fail when a buffer is left behind. */
static int main_leave(void) {
  const rg_gpu_backend *backend = rg_gpu_library_get()->backend("vulkan");
  const rg_vk_instance *instance;
  rg_gpu_device *device, *again;
  rg_gpu_buffer *buffer;
  if (rg_vk_instance_get(&instance) != RANGO_OK || backend->open(0, &device) != RANGO_OK ||
      backend->buffer_create(device, RG_GPU_LOCAL, 4, &buffer) != RANGO_OK)
    return 96;
  backend->close(device);
  return (instance->validates ? 1 : 0) + (backend->open(0, &again) == RANGO_ERROR_DEVICE ? 2 : 0);
}

static void test_validation(void **state) {
  need_programs();
  assert_int_equal(run_with("RANGO_VALIDATE", "0", "leave"), 0);
  if (run_with("RANGO_VALIDATE", "1", "leave") == 0) {
    printf("SKIP: Vulkan's validation layer is not installed\n");
    skip();
  }
  assert_int_equal(run_with("RANGO_VALIDATE", "1", "leave"), 3);
}

static rg_gpu_command add(rg_gpu_part a, rg_gpu_part b, rg_gpu_part y) {
  return (rg_gpu_command){.kind = RG_GPU_DISPATCH,
                          .shader = RG_SHADER_vector,
                          .groups = {1, 1, 1},
                          .part_count = 3,
                          .parts = {a, b, y},
                          .push_words = 1,
                          .push = {64}};
}

/* One command writes what the next reads: 1 if that is allowed without a barrier, and 2 more if it is with one. */
static int main_race(void) {
  const rg_gpu_backend *backend = rg_gpu_library_get()->backend("vulkan");
  rg_gpu_device *device;
  rg_gpu_buffer *buffer;
  rg_gpu_list *list = NULL;
  if (backend->open(0, &device) != RANGO_OK || backend->buffer_create(device, RG_GPU_LOCAL, 1024, &buffer) != RANGO_OK)
    return 96;
  const rg_gpu_part first = {buffer, 0, 256}, second = {buffer, 256, 256}, third = {buffer, 512, 256};
  const rg_gpu_command commands[] = {add(first, first, second), {.kind = RG_GPU_BARRIER}, add(second, second, third)};
  const int with = backend->list_create(device, commands, 3, &list) == RANGO_OK;
  const rg_gpu_command without[] = {commands[0], commands[2]};
  return 2 * with + (backend->list_create(device, without, 2, &list) == RANGO_OK);
}

/* The tests of whole networks' barriers rest on it. */
static void test_barriers(void **state) {
  need_programs();
  if (!getenv("RANGO_VALIDATE") || !getenv("VK_LAYER_ENABLES") || run_with("RANGO_NOTHING", "1", "leave") != 3) {
    printf("SKIP: barriers are not validated in this run\n");
    skip();
  }
  assert_int_equal(run_with("RANGO_NOTHING", "1", "race"), 2);
}

/* ---- the file of compiled shaders ---- */

static void compile_and_close(const rg_gpu_backend *backend) {
  rg_gpu_device *device;
  rg_gpu_list *list;
  check_ok(backend->open(0, &device));
  rg_gpu_buffer *buffer = make_buffer(device, RG_GPU_LOCAL, 256);
  const rg_gpu_part part = part_of(buffer);
  const rg_gpu_command command = add(part, part, part);
  check_ok(backend->list_create(device, &command, 1, &list));
  check_ok(backend->list_run(device, list));
  backend->list_free(device, list);
  backend->buffer_free(device, buffer);
  backend->close(device);
}

static void find_file(const char *cache, char name[256]) {
  DIR *directory = opendir(cache);
  assert_non_null(directory);
  name[0] = '\0';
  for (struct dirent *entry; (entry = readdir(directory));)
    if (strncmp(entry->d_name, "vulkan-", 7) == 0) snprintf(name, 256, "%s", entry->d_name);
  closedir(directory);
  assert_true(name[0] != '\0');
}

static void test_cache(void **state) {
  const rg_gpu_backend *backend = vulkan();
  char cache[128], name[256];
  snprintf(cache, sizeof cache, "%s/rango", folder);
  compile_and_close(backend);
  find_file(cache, name);
  size_t bytes = 0, again_bytes = 0;
  char *made = folder_read(cache, name, &bytes), *again;
  assert_true(bytes >= 64);   /* a software device may have nothing to keep beside two headers */
  compile_and_close(backend); /* with the file */

  /* Broken, cut and foreign files are passed over, and replaced. */
  for (int damage = 0; damage < 3; damage++) {
    const size_t broken_bytes = damage == 1 ? bytes - 1 : bytes;
    char *broken = malloc(bytes);
    memcpy(broken, made, bytes);
    if (damage == 0) broken[bytes - 1] ^= 1;
    if (damage == 2) memset(broken, 'x', bytes);
    folder_write(cache, name, broken, broken_bytes);
    compile_and_close(backend);
    again = folder_read(cache, name, &again_bytes);
    assert_int_equal(folder_count(cache), 1);
    assert_true(again_bytes >= 64 && memcmp(again, made, 8) == 0);
    assert_true(again_bytes != broken_bytes || memcmp(again, broken, broken_bytes) != 0);
    free(again);
    free(broken);
  }
  free(made);
  folder_remove(cache);

  /* Where it can't be written all works without it. */
  setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
  compile_and_close(backend);
  setenv("XDG_CACHE_HOME", folder, 1);
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "count") == 0) return main_count();
  /* What these leave behind is no leak of the test's. */
  if (count == 2 && strcmp(arguments[1], "leave") == 0) _exit(main_leave());
  if (count == 2 && strcmp(arguments[1], "race") == 0) _exit(main_race());
  if (!realpath(arguments[0], program)) program[0] = '\0';
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_absent), cmocka_unit_test(test_validation),
                                     cmocka_unit_test(test_barriers), cmocka_unit_test(test_cache)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
