/* Sessions: results, outputs, messages, plans, threads, profile. */
#include <pthread.h>

#include "engine/networks.h"
#include "support/memory.h"

static rango_session *open_session(const rango_model *model, rango_session_options options) {
  rango_session *session;
  options.struct_size = sizeof options;
  check_ok(rango_session_create(model, &options, &session));
  return session;
}

static rango_session_stats stats_of(const rango_session *session) {
  rango_session_stats stats = {.struct_size = sizeof stats};
  check_ok(rango_session_get_stats(session, &stats));
  return stats;
}

/* ---- outputs ---- */

static void test_caller_outputs(void **state) {
  rango_model *model = network_small();
  rango_session *session = open_session(model, (rango_session_options){.threads = 1});
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(2, 3, 12, 12), 1);
  rango_tensor *fresh[2] = {NULL, NULL}, *given[2];
  check_ok(rango_tensor_create(RANGO_FLOAT32, 2, DIMS(2, 10), &given[0]));
  check_ok(rango_tensor_create(RANGO_FLOAT32, 2, DIMS(2, 32), &given[1]));
  const void *data = rango_tensor_data(given[0]);
  check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, fresh, 2));
  check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, given, 2));
  assert_ptr_equal(rango_tensor_data(given[0]), data);
  for (int i = 0; i < 2; i++) {
    assert_true(tensor_distance(fresh[i], given[i]) == 0);
    rango_tensor_free(fresh[i]);
    rango_tensor_free(given[i]);
  }
  rango_tensor_free(x);
  rango_session_free(session);
  rango_model_free(model);
}

/* An input, a constant, one value twice, and a view of it: all are copies of their own. */
static void test_unusual_outputs(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(2, 3));
  rg_value *c = model_weights(g, "c", 1, 1, DIMS(4)), *y = op1(g, "Neg", x);
  rg_value *view = op2(g, "Reshape", y, model_ints(g, 1, DIMS(6)));
  rg_value *outputs[] = {x, c, y, y, view, op1(g, "Exp", view)};
  for (int i = 0; i < 6; i++) check_ok(rg_graph_add_output(g, outputs[i]));
  for (int device = 0; device < 2; device++) {
    rango_session *session = open_session(model, (rango_session_options){.device = (rango_device)device, .threads = 1});
    rango_tensor *input = tensor_random(RANGO_FLOAT32, 2, DIMS(2, 3), 1), *out[6] = {0};
    check_ok(rango_session_run(session, (const rango_tensor *[]){input}, 1, out, 6));
    const float *in = rango_tensor_data(input);
    float *results[6];
    for (int i = 0; i < 6; i++) {
      results[i] = rango_tensor_data_mut(out[i]);
      for (int j = 0; j < i; j++) assert_ptr_not_equal(results[i], results[j]);
    }
    for (int i = 0; i < 6; i++) {
      assert_true(results[0][i] == in[i] && results[2][i] == -in[i] && results[3][i] == -in[i] &&
                  results[4][i] == -in[i]);
      assert_true(fabs(results[5][i] - exp(-in[i])) <= 1e-6 * exp(-in[i]));
    }
    results[1][0] = 100; /* the caller's own: the model's constant stays */
    assert_true(((const float *)c->constant->data)[0] != 100);
    for (int i = 0; i < 6; i++) rango_tensor_free(out[i]);
    rango_tensor_free(input);
    rango_session_free(session);
  }
  rango_model_free(model);
}

/* ---- messages ---- */

static void test_wrong_arguments(void **state) {
  rango_model *model = network_small();
  rango_session *session = open_session(model, (rango_session_options){.threads = 1});
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(2, 3, 12, 12), 1), *out[2] = {0};
  rango_tensor *flat = tensor_random(RANGO_FLOAT32, 2, DIMS(2, 432), 1);
  rango_tensor *bytes = tensor_random(RANGO_UINT8, 4, DIMS(2, 3, 12, 12), 1);
  rango_tensor *wide = tensor_random(RANGO_FLOAT32, 4, DIMS(2, 3, 12, 13), 1);
  check_fails(rango_session_run(session, (const rango_tensor *[]){flat}, 1, out, 2), RANGO_ERROR_ARGUMENT, "'image'");
  check_fails(rango_session_run(session, (const rango_tensor *[]){bytes}, 1, out, 2), RANGO_ERROR_ARGUMENT, "uint8");
  check_fails(rango_session_run(session, (const rango_tensor *[]){wide}, 1, out, 2), RANGO_ERROR_ARGUMENT,
              "[2, 3, 12, 13]");
  check_fails(rango_session_run(session, (const rango_tensor *[]){NULL}, 1, out, 2), RANGO_ERROR_ARGUMENT, "missing");
  check_fails(rango_session_run(session, NULL, 0, out, 2), RANGO_ERROR_ARGUMENT, "takes 1 inputs, 0");
  check_fails(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 1), RANGO_ERROR_ARGUMENT, "2 outputs");
  rango_tensor *given[2] = {NULL, flat};
  check_fails(rango_session_run(session, (const rango_tensor *[]){x}, 1, given, 2), RANGO_ERROR_ARGUMENT, "[2, 32]");
  assert_null(given[0]);
  check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2)); /* still works */
  rango_session_options wrong = {.struct_size = 3};
  rango_session *other;
  check_fails(rango_session_create(model, &wrong, &other), RANGO_ERROR_ARGUMENT, "struct_size");
  assert_null(other);
  wrong.struct_size = sizeof wrong + 8;
  check_fails(rango_session_create(model, &wrong, &other), RANGO_ERROR_ARGUMENT, "struct_size");
  wrong = (rango_session_options){.struct_size = sizeof wrong, .threads = -1};
  check_fails(rango_session_create(model, &wrong, &other), RANGO_ERROR_ARGUMENT, "threads");
  wrong = (rango_session_options){.struct_size = sizeof wrong, .isa = "sse9"};
  check_fails(rango_session_create(model, &wrong, &other), RANGO_ERROR_ARGUMENT, "sse9");
  rango_tensor *all[] = {x, flat, bytes, wide, out[0], out[1]};
  for (int i = 0; i < 6; i++) rango_tensor_free(all[i]);
  rango_session_free(session);
  rango_model_free(model);
}

static void test_unknown_operator(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rango_session *session;
  check_ok(rg_graph_add_output(g, op1(g, "Levitate", model_input(g, "x", RANGO_FLOAT32, 1, DIMS(4)))));
  check_fails(rango_session_create(model, NULL, &session), RANGO_ERROR_UNSUPPORTED, "Levitate");
  rango_model_free(model);
}

/* ---- plans ---- */

/* Shapes may come and go; no more plans are kept than allowed, and the one used last is among them. */
static void test_plans_are_bounded(void **state) {
  rango_model *model = network_small();
  rango_session *session = open_session(model, (rango_session_options){.threads = 1, .max_plans = 3});
  for (int64_t round = 0; round < 12; round++) {
    int64_t batch = 1 + round * 5 % 7;
    rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(batch, 3, 12, 12), 1), *out[2] = {0};
    check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
    assert_int_equal(rango_tensor_dims(out[0])[0], batch);
    rango_tensor *row = tensor_random(RANGO_FLOAT32, 4, DIMS(1, 3, 12, 12), 1),
                 *alone[2] = {0}; /* the first row of x */
    check_ok(rango_session_run(session, (const rango_tensor *[]){row}, 1, alone, 2));
    for (int i = 0; i < 10; i++)
      assert_true(fabsf(((const float *)rango_tensor_data(out[0]))[i] -
                        ((const float *)rango_tensor_data(alone[0]))[i]) < 1e-6f);
    assert_int_equal(stats_of(session).plans, round == 0 ? 1 : round == 1 ? 2 : 3);
    rango_tensor *all[] = {x, row, out[0], out[1], alone[0], alone[1]};
    for (int i = 0; i < 6; i++) rango_tensor_free(all[i]);
  }
  rango_session_free(session);
  rango_model_free(model);
}

/* The second run of a shape takes no memory at all, on either device. */
static void test_repeated_run_allocates_nothing(void **state) {
  for (int device = 0; device < 2; device++) {
    counting_allocator counting;
    counting_start(&counting, -1);
    rango_model *model = network_small();
    rango_session *session = open_session(model, (rango_session_options){.device = (rango_device)device, .threads = 2});
    rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(3, 3, 12, 12), 1), *out[2] = {0};
    check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
    long taken = counting.taken;
    for (int i = 0; i < 3; i++) check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
    assert_int_equal(counting.taken, taken);
    rango_tensor_free(x);
    for (int i = 0; i < 2; i++) rango_tensor_free(out[i]);
    rango_session_free(session);
    rango_model_free(model);
    counting_stop();
    assert_int_equal(counting.blocks, 0);
  }
}

static rango_status run_once(void *argument) {
  const rango_model *model = argument;
  rango_session_options options = {.struct_size = sizeof options, .threads = 1, .profile = true};
  rango_session *session = NULL;
  rango_tensor *x = NULL, *out[2] = {0};
  rango_status status = rango_session_create(model, &options, &session);
  if (status == RANGO_OK) status = rango_tensor_create(RANGO_FLOAT32, 4, DIMS(1, 3, 12, 12), &x);
  if (status == RANGO_OK) status = rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2);
  rango_tensor_free(x);
  for (int i = 0; i < 2; i++) rango_tensor_free(out[i]);
  rango_session_free(session);
  return status;
}

/* Everything from the model on: what a model keeps for its sessions goes with it. */
static rango_status copy_and_run(void *argument) {
  rango_model *model;
  rango_status status = rg_model_copy(argument, &model);
  if (status != RANGO_OK) return status;
  status = run_once(model);
  rango_model_free(model);
  return status;
}

static void test_out_of_memory(void **state) {
  rango_model *model = network_small();
  assert_true(fail_every_allocation(copy_and_run, model, 20000) > 50);
  rango_model_free(model);
}

/* ---- threads ---- */

static void *run_in_thread(void *argument) { return (void *)(intptr_t)run_once(argument); }

static void test_model_shared_by_threads(void **state) {
  rango_model *model = network_small();
  pthread_t threads[4];
  void *result;
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, model), 0);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(pthread_join(threads[i], &result), 0);
    assert_int_equal((intptr_t)result, RANGO_OK);
  }
  rango_model_free(model);
}

/* Sessions outlive the caller's hold on the model, share packed weights, and may share a pool. */
static void test_sessions_share(void **state) {
  rango_model *model = network_small();
  rango_threads *pool;
  check_ok(rango_threads_create(2, &pool));
  rango_session *a = open_session(model, (rango_session_options){.pool = pool});
  rango_session *b = open_session(model, (rango_session_options){.pool = pool});
  rango_model_free(model);
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(2, 3, 12, 12), 1), *out_a[2] = {0}, *out_b[2] = {0};
  check_ok(rango_session_run(a, (const rango_tensor *[]){x}, 1, out_a, 2));
  size_t packed = stats_of(a).packed_bytes;
  check_ok(rango_session_run(b, (const rango_tensor *[]){x}, 1, out_b, 2));
  assert_true(packed > 0);
  assert_int_equal(stats_of(b).packed_bytes, packed);
  assert_int_equal(stats_of(b).threads, 2);
  assert_true(tensor_distance(out_a[0], out_b[0]) == 0);
  rango_session_free(a);
  rango_session_free(b);
  rango_threads_free(pool);
  rango_tensor *all[] = {x, out_a[0], out_a[1], out_b[0], out_b[1]};
  for (int i = 0; i < 5; i++) rango_tensor_free(all[i]);
}

/* ---- profile, statistics ---- */

static void test_profile(void **state) {
  rango_model *model = network_small();
  rango_session *session = open_session(model, (rango_session_options){.threads = 1, .profile = true});
  const rango_profile_entry *entries;
  assert_int_equal(rango_session_profile(session, &entries), 0);
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(2, 3, 12, 12), 1), *out[2] = {0};
  for (int i = 0; i < 3; i++) check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
  size_t count = rango_session_profile(session, &entries);
  int64_t macs = 0;
  assert_true(count >= 5);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(entries[i].calls, 3);
    assert_true(entries[i].milliseconds >= 0);
    assert_true(strncmp(entries[i].where, "cpu ", 4) == 0);
    macs += entries[i].macs;
  }
  /* two images: 16 x 27 x 100, 16 x 144 x 100, 400 x 32, 32 x 10 */
  assert_int_equal(macs, 2 * (43200 + 230400 + 12800 + 320));
  rango_session_stats stats = stats_of(session);
  assert_int_equal(stats.weight_bytes, 4 * (16 * 27 + 16 + 16 * 144 + 400 * 32 + 320));
  assert_true(stats.arena_bytes > 0 && stats.arena_bytes < 1 << 20);
  for (int i = 0; i < 2; i++) rango_tensor_free(out[i]);
  rango_tensor_free(x);
  rango_session_free(session);
  rango_model_free(model);
}

/* What on_node has seen. */
typedef struct seen {
  int nodes, dense;
  double last;
  int64_t macs;
} seen;

static void see_node(void *user, const rango_node_event *event) {
  seen *s = user;
  assert_non_null(event->name);
  assert_true(strncmp(event->where, "cpu ", 4) == 0);
  assert_true(event->start >= s->last && event->milliseconds >= 0); /* one after the other */
  assert_int_equal(rango_tensor_dims(event->input)[0], 2);
  s->last = event->start + event->milliseconds;
  s->macs += event->macs;
  s->nodes++;
  if (strcmp(event->op, "Dense") != 0) return;
  assert_int_equal(rango_tensor_dims(event->output)[1], s->dense % 2 == 0 ? 32 : 10);
  s->dense++;
}

static void test_on_node(void **state) {
  rango_model *model = network_small();
  seen s = {0};
  rango_session *session =
      open_session(model, (rango_session_options){.threads = 1, .on_node = see_node, .on_node_user = &s});
  const rango_profile_entry *entries;
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(2, 3, 12, 12), 1), *out[2] = {0};
  for (int i = 0; i < 3; i++) check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
  assert_true(s.nodes >= 15 && s.nodes % 3 == 0);
  assert_int_equal(s.dense, 6);
  assert_int_equal(s.macs, 3 * 2 * (43200 + 230400 + 12800 + 320));
  assert_int_equal(rango_session_profile(session, &entries), 0); /* nobody asked for it */
  for (int i = 0; i < 2; i++) rango_tensor_free(out[i]);
  rango_tensor_free(x);
  rango_session_free(session);
  rango_model_free(model);
}

/* A caller that was built before on_node came: what lies behind its options is not read. */
static void test_older_options(void **state) {
  rango_model *model = network_small();
  rango_session_options options;
  rango_session *session;
  memset(&options, 0xff, sizeof options);
  const rango_session_options older = {.threads = 1};
  memcpy(&options, &older, offsetof(rango_session_options, on_node));
  options.struct_size = offsetof(rango_session_options, on_node);
  check_ok(rango_session_create(model, &options, &session));
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(1, 3, 12, 12), 1), *out[2] = {0};
  check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
  for (int i = 0; i < 2; i++) rango_tensor_free(out[i]);
  rango_tensor_free(x);
  rango_session_free(session);
  rango_model_free(model);
}

static void test_devices_agree(void **state) {
  rango_model *model = network_small();
  rg_graph *g = model->graph;
  g->outputs.count = 1; /* the scores alone */
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(5, 3, 12, 12), 9);
  model_check_devices(model, (const rango_tensor *[]){x}, 1);
  rango_tensor_free(x);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_caller_outputs),    cmocka_unit_test(test_unusual_outputs),
      cmocka_unit_test(test_wrong_arguments),   cmocka_unit_test(test_unknown_operator),
      cmocka_unit_test(test_plans_are_bounded), cmocka_unit_test(test_repeated_run_allocates_nothing),
      cmocka_unit_test(test_out_of_memory),     cmocka_unit_test(test_model_shared_by_threads),
      cmocka_unit_test(test_sessions_share),    cmocka_unit_test(test_profile),
      cmocka_unit_test(test_on_node),           cmocka_unit_test(test_older_options),
      cmocka_unit_test(test_devices_agree)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
