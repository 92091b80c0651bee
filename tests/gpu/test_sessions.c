/* Whole networks on each GPU of this machine, against the CPU engine. */
#include <pthread.h>

#include "engine/networks.h"
#include "gpu/devices.h"

static const rango_device kinds[] = {RANGO_DEVICE_VULKAN, RANGO_DEVICE_METAL};

/* Calls `test` with each device; skips where there is none. */
static void each_gpu(void (*test)(rango_device kind, int gpu)) {
  int total = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    int count = 0;
    if (rg_gpu_library_get()->backend(backend_names[k])) check_ok(rango_gpu_count(kinds[k], &count));
    for (int i = 0; i < count; i++) test(kinds[k], i);
    total += count;
  }
  if (total > 0) return;
  printf("SKIP: no GPU here\n");
  skip();
}

static rango_session *open_session(const rango_model *model, rango_session_options options) {
  rango_session *session;
  options.struct_size = sizeof options;
  options.threads = 1;
  check_ok(rango_session_create(model, &options, &session));
  return session;
}

/* Runs the model's outputs on both; they differ by at most `most` of their largest number. */
static void compare(rango_session *gpu, rango_session *cpu, const rango_model *model, const rango_tensor *x,
                    double most) {
  rango_tensor *found[4] = {0}, *expected[4] = {0};
  const size_t count = rango_model_output_count(model);
  assert_in_range(count, 1, 4);
  check_ok(rango_session_run(gpu, &x, 1, found, count));
  check_ok(rango_session_run(cpu, &x, 1, expected, count));
  for (size_t i = 0; i < count; i++) {
    const double distance = tensor_distance(found[i], expected[i]);
    if (!(distance <= most)) fail_msg("output %zu differs by %g of its largest", i, distance);
    rango_tensor_free(found[i]);
    rango_tensor_free(expected[i]);
  }
}

/* How many steps ran on the GPU, and how many elsewhere. */
static void count_steps(const rango_session *session, int *gpu, int *other) {
  const rango_profile_entry *entries;
  const size_t count = rango_session_profile(session, &entries);
  *gpu = *other = 0;
  for (size_t i = 0; i < count; i++) {
    const bool there = strcmp(entries[i].where, "vulkan") == 0 || strcmp(entries[i].where, "metal") == 0;
    *(there ? gpu : other) += 1;
    assert_true(entries[i].milliseconds >= 0 && entries[i].calls > 0);
  }
}

/* ---- networks ---- */

/* Batches that come, go and come back, each more than once. */
static void run_small(rango_device kind, int gpu) {
  static const int64_t batches[] = {1, 5, 1, 2, 5, 5};
  rango_model *model = network_small();
  for (int half = 0; half < 2; half++) {
    rango_gpu_info info = {.struct_size = sizeof info};
    check_ok(rango_gpu_get_info(kind, gpu, &info));
    if (half && !info.half) continue;
    rango_session *fast =
        open_session(model, (rango_session_options){.device = kind, .gpu = gpu, .gpu_half = half, .max_plans = 2});
    rango_session *cpu = open_session(model, (rango_session_options){0});
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
      rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(batches[i], 3, 12, 12), i);
      compare(fast, cpu, model, x, half ? 5e-3 : 1e-4);
      rango_tensor_free(x);
    }
    rango_session_free(fast);
    rango_session_free(cpu);
  }
  rango_model_free(model);
}
static void test_small(void **state) { each_gpu(run_small); }

static void run_tiny(rango_device kind, int gpu) {
  rango_model *model;
  check_ok(rango_model_load(RG_SOURCE_DIR "/models/tiny.onnx", NULL, &model));
  rango_session *fast = open_session(model, (rango_session_options){.device = kind, .gpu = gpu, .profile = true});
  rango_session *cpu = open_session(model, (rango_session_options){0});
  rango_tensor *x = tensor_random(RANGO_UINT8, 4, DIMS(2, 1, 64, 64), 1);
  compare(fast, cpu, model, x, 1e-4);
  int there, elsewhere;
  count_steps(fast, &there, &elsewhere);
  assert_true(there > 0);
  assert_int_equal(elsewhere, 0); /* nothing in this network needs the CPU */
  rango_tensor_free(x);
  rango_session_free(fast);
  rango_session_free(cpu);
  rango_model_free(model);
}
static void test_tiny(void **state) { each_gpu(run_tiny); }

/* ---- what the GPU lacks runs on the CPU, between what it has ---- */

static rango_model *network_mixed(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 24));
  rg_value *a = op1(g, "Relu", op2(g, "MatMul", x, model_weights(g, "w1", 0.2, 2, DIMS(24, 40))));
  rg_value *sums = op2(g, "CumSum", a, model_ints(g, 0, DIMS(1)));
  rg_value *b = op1(g, "Tanh", op2(g, "MatMul", sums, model_weights(g, "w2", 0.02, 2, DIMS(40, 24))));
  rg_value *again = op2(g, "CumSum", op2(g, "Add", b, x), model_ints(g, 0, DIMS(1)));
  rg_value *y = op2(g, "Mul", op2(g, "MatMul", again, model_weights(g, "w3", 0.1, 2, DIMS(24, 40))), a);
  rg_value *outputs[] = {y, sums, a, op2(g, "CumSum", y, model_ints(g, 0, DIMS(1)))};
  for (int i = 0; i < 4; i++) check_ok(rg_graph_add_output(g, outputs[i]));
  return model;
}

static void run_mixed(rango_device kind, int gpu) {
  rango_model *model = network_mixed();
  rango_session *fast = open_session(model, (rango_session_options){.device = kind, .gpu = gpu, .profile = true});
  rango_session *cpu = open_session(model, (rango_session_options){0});
  for (int64_t batch = 1; batch < 4; batch++) {
    rango_tensor *x = tensor_random(RANGO_FLOAT32, 2, DIMS(batch, 24), (uint64_t)batch);
    compare(fast, cpu, model, x, 1e-4);
    compare(fast, cpu, model, x, 1e-4);
    rango_tensor_free(x);
  }
  int there, elsewhere;
  count_steps(fast, &there, &elsewhere);
  assert_true(there >= 3);
  assert_int_equal(elsewhere, 3);
  rango_session_free(fast);
  rango_session_free(cpu);
  rango_model_free(model);
}
static void test_mixed(void **state) { each_gpu(run_mixed); }

/* ---- sessions in threads share the device and the model's weights on it ---- */

enum { THREADS = 3 };

typedef struct worker {
  const rango_model *model;
  rango_device kind;
  int gpu;
  const rango_tensor *x, *expected;
  double distance;
} worker;

static void *work(void *argument) {
  worker *w = argument;
  rango_session_options options = {.struct_size = sizeof options, .device = w->kind, .gpu = w->gpu, .threads = 1};
  for (int round = 0; round < 3; round++) {
    rango_session *session = NULL;
    rango_tensor *out[2] = {0};
    double distance = INFINITY;
    if (rango_session_create(w->model, &options, &session) == RANGO_OK &&
        rango_session_run(session, &w->x, 1, out, 2) == RANGO_OK &&
        rango_session_run(session, &w->x, 1, out, 2) == RANGO_OK)
      distance = tensor_distance(out[0], w->expected);
    if (!(distance <= w->distance)) w->distance = distance;
    for (int i = 0; i < 2; i++) rango_tensor_free(out[i]);
    rango_session_free(session);
  }
  return NULL;
}

static void run_threads(rango_device kind, int gpu) {
  rango_model *model = network_small();
  rango_session *cpu = open_session(model, (rango_session_options){0});
  pthread_t threads[THREADS];
  worker workers[THREADS];
  rango_tensor *x[THREADS], *expected[THREADS][2] = {{0}};
  for (int i = 0; i < THREADS; i++) {
    x[i] = tensor_random(RANGO_FLOAT32, 4, DIMS(1 + i % 2, 3, 12, 12), (uint64_t)i);
    check_ok(rango_session_run(cpu, (const rango_tensor *const *)&x[i], 1, expected[i], 2));
    workers[i] = (worker){model, kind, gpu, x[i], expected[i][0], 0};
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < THREADS; i++) {
    if (!(workers[i].distance <= 1e-4)) fail_msg("thread %d differs by %g", i, workers[i].distance);
    rango_tensor_free(x[i]);
    rango_tensor_free(expected[i][0]);
    rango_tensor_free(expected[i][1]);
  }
  rango_session_free(cpu);
  rango_model_free(model);
}
static void test_threads(void **state) { each_gpu(run_threads); }

static void run_refused(rango_device kind, int gpu) {
  rango_model *model = network_small();
  rango_session *session;
  rango_session_options options = {.struct_size = sizeof options, .device = kind, .gpu = 999};
  check_fails(rango_session_create(model, &options, &session), RANGO_ERROR_DEVICE, "999");
  assert_null(session);
  rango_model_free(model);
}
static void test_refused(void **state) { each_gpu(run_refused); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small),   cmocka_unit_test(test_tiny),    cmocka_unit_test(test_mixed),
      cmocka_unit_test(test_threads), cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
