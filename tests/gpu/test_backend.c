/* What every GPU backend promises (gpu/backend.h), on each device of this machine. */
#include <pthread.h>
#include <stdlib.h>

#include "base/random.h"
#include "gpu/devices.h"
#include "tensor/tensor.h"

static const rg_gpu_memory kinds[] = {RG_GPU_LOCAL, RG_GPU_UPLOAD, RG_GPU_DOWNLOAD};

/* ---- helpers ---- */

static void fill_random(void *data, size_t bytes, uint64_t seed) {
  rg_random random;
  rg_random_seed(&random, seed);
  for (size_t i = 0; i < bytes; i++) ((uint8_t *)data)[i] = (uint8_t)rg_random_below(&random, 256);
}

/* y = a + b, `count` elements, in groups of 64 over two axes. */
static rg_gpu_command add(rg_gpu_part a, rg_gpu_part b, rg_gpu_part y, uint32_t count) {
  const uint32_t groups = (count + 63) / 64, rows = groups > 1000 ? (groups + 999) / 1000 : 1;
  return (rg_gpu_command){.kind = RG_GPU_DISPATCH,
                          .shader = RG_SHADER_vector,
                          .groups = {(groups + rows - 1) / rows, rows, 1},
                          .part_count = 3,
                          .parts = {a, b, y},
                          .push_words = 1,
                          .push = {count}};
}

static rg_gpu_command copy(rg_gpu_part from, rg_gpu_part to) {
  return (rg_gpu_command){.kind = RG_GPU_COPY, .part_count = 2, .parts = {from, to}};
}

static const rg_gpu_command barrier = {.kind = RG_GPU_BARRIER}, timestamp = {.kind = RG_GPU_TIMESTAMP};

static rg_gpu_list *make_list(rg_gpu_device *device, const rg_gpu_command *commands, size_t count) {
  rg_gpu_list *list;
  check_ok(device->backend->list_create(device, commands, count, &list));
  return list;
}

static void run_once(rg_gpu_device *device, const rg_gpu_command *commands, size_t count) {
  rg_gpu_list *list = make_list(device, commands, count);
  check_ok(device->backend->list_run(device, list));
  device->backend->list_free(device, list);
}

/* ---- devices ---- */

static void check_description(rg_gpu_device *device) {
  const rg_gpu_info *info = &device->info;
  assert_true(info->name[0] && info->driver[0]);
  assert_true(info->memory_bytes >= (size_t)64 << 20 && info->binding_bytes >= (size_t)64 << 20);
  assert_true(info->group_threads >= 128 && info->shared_bytes >= 16384);
  for (int i = 0; i < 3; i++) assert_true(info->group_count[i] >= 65535);
  rg_gpu_info again;
  check_ok(device->backend->describe(device->index, &again));
  assert_string_equal(again.name, info->name);
  if (device->index > 0) {
    check_ok(device->backend->describe(device->index - 1, &again));
    assert_true(info->software || !again.software); /* software comes last */
  }
}
static void test_description(void **state) { each_device(check_description); }

static void check_no_such(rg_gpu_device *device) {
  rg_gpu_device *other;
  rg_gpu_info info;
  int count;
  check_ok(device->backend->count(&count));
  const int wrong[] = {-1, count};
  for (int i = 0; i < 2; i++) {
    check_fails(device->backend->open(wrong[i], &other), RANGO_ERROR_DEVICE, "no device");
    check_fails(device->backend->describe(wrong[i], &info), RANGO_ERROR_DEVICE, "no device");
  }
  check_fails(rg_gpu_library_get()->open(device->backend->name, count, &other), RANGO_ERROR_DEVICE, "no device");
  check_fails(rg_gpu_library_get()->open("abacus", 0, &other), RANGO_ERROR_DEVICE, "abacus");
}
static void test_no_such(void **state) { each_device(check_no_such); }

static void check_shared(rg_gpu_device *device) {
  rg_gpu_device *first, *second;
  check_ok(rg_gpu_library_get()->open(device->backend->name, device->index, &first));
  check_ok(rg_gpu_library_get()->open(device->backend->name, device->index, &second));
  assert_ptr_equal(first, second);
  rg_gpu_library_get()->close(first);
  rg_gpu_buffer *buffer = make_buffer(second, RG_GPU_LOCAL, 4); /* still open */
  second->backend->buffer_free(second, buffer);
  rg_gpu_library_get()->close(second);
}
static void test_shared(void **state) { each_device(check_shared); }

/* ---- buffers ---- */

static void round_trip(rg_gpu_device *device, rg_gpu_memory kind, size_t bytes) {
  rg_gpu_buffer *buffer = make_buffer(device, kind, bytes);
  uint8_t *in = malloc(bytes), *out = malloc(bytes);
  assert_int_equal(buffer->bytes, bytes);
  assert_true(kind == RG_GPU_LOCAL || buffer->mapped);
  assert_false(kind == RG_GPU_LOCAL && buffer->mapped && !device->info.unified);
  fill_random(in, bytes, bytes);
  write_buffer(device, buffer, 0, in, bytes);
  read_buffer(device, buffer, 0, out, bytes);
  assert_memory_equal(in, out, bytes);
  if (bytes > 20) { /* a part at an odd place leaves the rest alone */
    const size_t at = bytes / 3 | 1, length = bytes / 2 - 3;
    fill_random(in + at, length, 5);
    write_buffer(device, buffer, at, in + at, length);
    read_buffer(device, buffer, 0, out, bytes);
    assert_memory_equal(in, out, bytes);
    memset(out, 0, bytes);
    read_buffer(device, buffer, at, out + at, length);
    assert_memory_equal(in + at, out + at, length);
  }
  device->backend->buffer_free(device, buffer);
  free(in);
  free(out);
}

static void check_buffers(rg_gpu_device *device) {
  static const size_t sizes[] = {1, 3, 4, 255, 257, 65537, (1 << 20) + 1, (4 << 20), (9 << 20) + 5, (16 << 20)};
  for (size_t k = 0; k < 3; k++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) round_trip(device, kinds[k], sizes[i]);
  device->backend->buffer_free(device, NULL);
}
static void test_buffers(void **state) { each_device(check_buffers); }

/* Many at a time keep apart, and what some leave others get. */
static void check_many_buffers(rg_gpu_device *device) {
  enum { COUNT = 300 };
  rg_gpu_buffer *buffers[COUNT];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < COUNT; i++) {
      const uint32_t words[100] = {(uint32_t)i, [99] = (uint32_t)round};
      if (round == 0 || i % 3 == 0) buffers[i] = make_buffer(device, RG_GPU_LOCAL, i % 7 ? sizeof words : 300000);
      write_buffer(device, buffers[i], 0, words, sizeof words);
    }
    for (int i = 0; i < COUNT; i++) {
      uint32_t words[100];
      read_buffer(device, buffers[i], 0, words, sizeof words);
      assert_int_equal(words[0], i);
      assert_int_equal(words[99], round);
      if (round == 1 || i % 3 == 0) device->backend->buffer_free(device, buffers[i]);
    }
  }
}
static void test_many_buffers(void **state) { each_device(check_many_buffers); }

static void check_outside(rg_gpu_device *device) {
  rg_gpu_buffer *buffer = make_buffer(device, RG_GPU_LOCAL, 10), *none;
  char data[16] = {0};
  check_fails(device->backend->buffer_write(device, buffer, 4, data, 7), RANGO_ERROR_ARGUMENT, "outside");
  check_fails(device->backend->buffer_read(device, buffer, 11, data, 0), RANGO_ERROR_ARGUMENT, "outside");
  check_fails(device->backend->buffer_read(device, buffer, SIZE_MAX, data, 2), RANGO_ERROR_ARGUMENT, "outside");
  device->backend->buffer_free(device, buffer);
  assert_int_equal(device->backend->buffer_create(device, RG_GPU_LOCAL, SIZE_MAX, &none), RANGO_ERROR_MEMORY);
  assert_null(none);
}
static void test_outside(void **state) { each_device(check_outside); }

/* ---- commands ---- */

static void check_add(rg_gpu_device *device) {
  static const uint32_t counts[] = {1, 63, 64, 65, 100003};
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    const uint32_t count = counts[k];
    const size_t bytes = (count + 1) * sizeof(float);
    rg_gpu_buffer *a = make_buffer(device, RG_GPU_UPLOAD, bytes), *b = make_buffer(device, RG_GPU_LOCAL, bytes),
                  *y = make_buffer(device, RG_GPU_DOWNLOAD, bytes);
    float *values = malloc(bytes), *sums = y->mapped;
    for (uint32_t i = 0; i <= count; i++) {
      values[i] = (float)i;
      ((float *)a->mapped)[i] = (float)i * 0.5f;
      sums[i] = -1;
    }
    write_buffer(device, b, 0, values, bytes);
    const rg_gpu_command command = add(part_of(a), part_of(b), part_of(y), count);
    run_once(device, &command, 1);
    for (uint32_t i = 0; i < count; i++) assert_true(sums[i] == (float)i * 1.5f);
    assert_true(sums[count] == -1);
    free(values);
    device->backend->buffer_free(device, a);
    device->backend->buffer_free(device, b);
    device->backend->buffer_free(device, y);
  }
}
static void test_add(void **state) { each_device(check_add); }

static void check_half(rg_gpu_device *device) {
  if (!device->info.half) return;
  enum { COUNT = 1000 };
  uint16_t values[COUNT], sums[COUNT];
  for (int i = 0; i < COUNT; i++) values[i] = rg_float_to_half((float)i * 0.25f);
  rg_gpu_buffer *a = make_buffer(device, RG_GPU_LOCAL, sizeof values),
                *y = make_buffer(device, RG_GPU_LOCAL, sizeof sums);
  write_buffer(device, a, 0, values, sizeof values);
  rg_gpu_command command = add(part_of(a), part_of(a), part_of(y), COUNT);
  command.shader = RG_SHADER_vector_half;
  run_once(device, &command, 1);
  read_buffer(device, y, 0, sums, sizeof sums);
  for (int i = 0; i < COUNT; i++) assert_int_equal(sums[i], rg_float_to_half((float)i * 0.5f));
  device->backend->buffer_free(device, a);
  device->backend->buffer_free(device, y);
}
static void test_half(void **state) { each_device(check_half); }

/* Each step needs the one before: x doubles with every link, by additions and by copies between parts of one buffer. */
static void check_chain(rg_gpu_device *device) {
  enum { COUNT = 5000, LINKS = 12, STRIDE = 20224 }; /* STRIDE: bytes, aligned */
  rg_gpu_buffer *arena = make_buffer(device, RG_GPU_LOCAL, 2 * STRIDE),
                *out = make_buffer(device, RG_GPU_DOWNLOAD, STRIDE);
  const rg_gpu_part even = {arena, 0, COUNT * 4}, odd = {arena, STRIDE, COUNT * 4}, end = {out, 0, COUNT * 4};
  rg_gpu_command commands[4 * LINKS + 1];
  size_t count = 0;
  for (int i = 0; i < LINKS; i++) {
    commands[count++] = add(even, even, odd, COUNT);
    commands[count++] = barrier;
    commands[count++] = copy(odd, even);
    commands[count++] = barrier;
  }
  commands[count++] = copy(even, end);
  float *values = malloc(STRIDE);
  for (int i = 0; i < COUNT; i++) values[i] = (float)(i % 100);
  write_buffer(device, arena, 0, values, COUNT * 4);
  run_once(device, commands, count);
  for (int i = 0; i < COUNT; i++) assert_true(((float *)out->mapped)[i] == values[i] * (1 << LINKS));
  free(values);
  device->backend->buffer_free(device, arena);
  device->backend->buffer_free(device, out);
}
static void test_chain(void **state) { each_device(check_chain); }

/* A list is run as often as wanted, on what its buffers hold then. */
static void check_repeated(rg_gpu_device *device) {
  enum { COUNT = 777 };
  rg_gpu_buffer *in = make_buffer(device, RG_GPU_UPLOAD, COUNT * 4),
                *sum = make_buffer(device, RG_GPU_LOCAL, COUNT * 4),
                *out = make_buffer(device, RG_GPU_DOWNLOAD, COUNT * 4);
  const float zeros[COUNT] = {0};
  write_buffer(device, sum, 0, zeros, sizeof zeros);
  const rg_gpu_command commands[] = {add(part_of(in), part_of(sum), part_of(sum), COUNT), barrier,
                                     copy(part_of(sum), part_of(out))};
  rg_gpu_list *list = make_list(device, commands, 3);
  float expected = 0;
  for (int run = 0; run < 100; run++) {
    for (int i = 0; i < COUNT; i++) ((float *)in->mapped)[i] = (float)run;
    check_ok(device->backend->list_run(device, list));
    expected += (float)run;
    for (int i = 0; i < COUNT; i += 97) assert_true(((float *)out->mapped)[i] == expected);
  }
  device->backend->list_free(device, list);
  device->backend->list_free(device, NULL);
  device->backend->buffer_free(device, in);
  device->backend->buffer_free(device, sum);
  device->backend->buffer_free(device, out);
}
static void test_repeated(void **state) { each_device(check_repeated); }

static void check_many_lists(rg_gpu_device *device) {
  enum { LISTS = 60, COUNT = 100 };
  rg_gpu_buffer *one = make_buffer(device, RG_GPU_UPLOAD, COUNT * 4),
                *sums = make_buffer(device, RG_GPU_DOWNLOAD, LISTS * 512);
  rg_gpu_list *lists[LISTS];
  for (int i = 0; i < COUNT; i++) ((float *)one->mapped)[i] = 1;
  memset(sums->mapped, 0, sums->bytes);
  for (int l = 0; l < LISTS; l++) {
    const rg_gpu_part y = {sums, (size_t)l * 512, COUNT * 4};
    const rg_gpu_command command = add(part_of(one), y, y, COUNT);
    lists[l] = make_list(device, &command, 1);
  }
  for (int l = 0; l < LISTS; l++) /* list l runs l times */
    for (int i = 0; i < l; i++) check_ok(device->backend->list_run(device, lists[l]));
  for (int l = 0; l < LISTS; l++) {
    assert_true(((float *)sums->mapped)[l * 128 + COUNT - 1] == (float)l);
    device->backend->list_free(device, lists[l]);
  }
  device->backend->buffer_free(device, one);
  device->backend->buffer_free(device, sums);
}
static void test_many_lists(void **state) { each_device(check_many_lists); }

static void check_empty(rg_gpu_device *device) { run_once(device, NULL, 0); }
static void test_empty(void **state) { each_device(check_empty); }

/* ---- threads: one device, everybody a list ---- */

enum { THREADS = 4 };

typedef struct worker {
  rg_gpu_device *device;
  int number;
  bool right;
} worker;

static bool work_once(worker *w, int round) {
  enum { COUNT = 3001 };
  const rg_gpu_backend *backend = w->device->backend;
  rg_gpu_buffer *a = NULL, *y = NULL;
  rg_gpu_list *list = NULL;
  float values[COUNT], sums[COUNT];
  for (int i = 0; i < COUNT; i++) values[i] = (float)(i + w->number * 1000 + round);
  bool right = backend->buffer_create(w->device, RG_GPU_LOCAL, sizeof values, &a) == RANGO_OK &&
               backend->buffer_create(w->device, RG_GPU_LOCAL, sizeof sums, &y) == RANGO_OK &&
               backend->buffer_write(w->device, a, 0, values, sizeof values) == RANGO_OK;
  if (right) {
    const rg_gpu_command command = add(part_of(a), part_of(a), part_of(y), COUNT);
    right = backend->list_create(w->device, &command, 1, &list) == RANGO_OK;
  }
  for (int i = 0; right && i < 5; i++) right = backend->list_run(w->device, list) == RANGO_OK;
  right = right && backend->buffer_read(w->device, y, 0, sums, sizeof sums) == RANGO_OK;
  for (int i = 0; right && i < COUNT; i++) right = sums[i] == 2 * values[i];
  backend->list_free(w->device, list);
  backend->buffer_free(w->device, a);
  backend->buffer_free(w->device, y);
  return right;
}

static void *work(void *argument) {
  worker *w = argument;
  w->right = true;
  for (int round = 0; round < 20; round++) w->right = w->right && work_once(w, round);
  return NULL;
}

static void check_threads(rg_gpu_device *device) {
  pthread_t threads[THREADS];
  worker workers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){device, i, false};
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < THREADS; i++) assert_true(workers[i].right);
}
static void test_threads(void **state) { each_device(check_threads); }

/* ---- timestamps ---- */

static void check_timestamps(rg_gpu_device *device) {
  if (!device->info.timestamps) return;
  enum { COUNT = 1 << 20 };
  rg_gpu_buffer *a = make_buffer(device, RG_GPU_LOCAL, COUNT * 4), *y = make_buffer(device, RG_GPU_LOCAL, COUNT * 4);
  const rg_gpu_command one = add(part_of(a), part_of(a), part_of(y), COUNT);
  const rg_gpu_command commands[] = {timestamp, one, timestamp, barrier, one, barrier, one, timestamp};
  rg_gpu_list *list = make_list(device, commands, sizeof commands / sizeof *commands);
  double times[3];
  check_fails(device->backend->list_times(device, list, times, 2), RANGO_ERROR_ARGUMENT, "3 timestamps");
  for (int run = 0; run < 3; run++) {
    check_ok(device->backend->list_run(device, list));
    check_ok(device->backend->list_times(device, list, times, 3));
    assert_true(times[0] == 0 && times[1] > 0 && times[2] > times[1] && times[2] < 60000);
  }
  device->backend->list_free(device, list);
  device->backend->buffer_free(device, a);
  device->backend->buffer_free(device, y);
}
static void test_timestamps(void **state) { each_device(check_timestamps); }

/* ---- what no list may hold ---- */

static void refuse(rg_gpu_device *device, rg_gpu_command command, rango_status status, const char *text) {
  rg_gpu_list *list;
  check_fails(device->backend->list_create(device, &command, 1, &list), status, text);
  assert_null(list);
}

static void check_refused(rg_gpu_device *device) {
  rg_gpu_buffer *buffer = make_buffer(device, RG_GPU_LOCAL, 1024);
  const rg_gpu_part whole = part_of(buffer);
  rg_gpu_command command = add(whole, whole, whole, 64);
  refuse(device, add((rg_gpu_part){buffer, 128, 256}, whole, whole, 64), RANGO_ERROR_ARGUMENT, "aligned");
  refuse(device, add((rg_gpu_part){buffer, 512, 1024}, whole, whole, 64), RANGO_ERROR_ARGUMENT, "outside");
  refuse(device, add((rg_gpu_part){0}, whole, whole, 64), RANGO_ERROR_ARGUMENT, "outside");
  refuse(device, copy((rg_gpu_part){buffer, 0, 16}, (rg_gpu_part){buffer, 256, 32}), RANGO_ERROR_ARGUMENT, "one size");
  command.part_count = 2;
  refuse(device, command, RANGO_ERROR_ARGUMENT, "3 parts");
  command.part_count = 3;
  command.push_words = 0;
  refuse(device, command, RANGO_ERROR_ARGUMENT, "1 words");
  command.push_words = 1;
  command.shader = RG_SHADER_COUNT;
  refuse(device, command, RANGO_ERROR_ARGUMENT, "no shader");
  device->backend->buffer_free(device, buffer);
}
static void test_refused(void **state) { each_device(check_refused); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_description), cmocka_unit_test(test_no_such),      cmocka_unit_test(test_shared),
      cmocka_unit_test(test_buffers),     cmocka_unit_test(test_many_buffers), cmocka_unit_test(test_outside),
      cmocka_unit_test(test_add),         cmocka_unit_test(test_half),         cmocka_unit_test(test_chain),
      cmocka_unit_test(test_repeated),    cmocka_unit_test(test_many_lists),   cmocka_unit_test(test_empty),
      cmocka_unit_test(test_threads),     cmocka_unit_test(test_timestamps),   cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
