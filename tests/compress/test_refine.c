/* Recovery without labels: what it wins, that it never loses, that it can be repeated and stopped. */
#include "compress/networks.h"
#include "compress/refine.h"

/* 24 -> 40 -> relu -> 40 -> relu -> 6, all weights of full rank: every cut hurts. */
static rango_model *network(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *h = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 24));
  h = model_node(g, "Gemm", h, model_weights(g, "w1", 0.2, 2, DIMS(24, 40)), model_weights(g, "b1", 0.3, 1, DIMS(40)),
                 NULL);
  h = model_node(g, "Relu", h, NULL, NULL, NULL);
  h = model_node(g, "Gemm", h, model_weights(g, "w2", 0.2, 2, DIMS(40, 40)), model_weights(g, "b2", 0.3, 1, DIMS(40)),
                 NULL);
  h = model_node(g, "Relu", h, NULL, NULL, NULL);
  finish(model, model_node(g, "Gemm", h, model_weights(g, "w3", 0.2, 2, DIMS(40, 6)),
                           model_weights(g, "b3", 0.1, 1, DIMS(6)), NULL));
  return model;
}

typedef struct problem {
  rango_model *model;
  rango_tensor *tensors[3];
  rango_dataset *calib, *val, *fresh;
  rango_compress_options options;
} problem;

static void problem_open(problem *p, rango_model *model, int64_t calib_rows) {
  rango_dataset **sets[] = {&p->calib, &p->val, &p->fresh};
  int64_t rows[] = {calib_rows, 200, 400};
  memset(p, 0, sizeof *p);
  p->model = model;
  for (int i = 0; i < 3; i++) {
    p->tensors[i] = tensor_random(RANGO_FLOAT32, 2, DIMS(rows[i], 24), (uint64_t)(40 + i));
    check_ok(rango_dataset_create(model, (const rango_tensor *const[]){p->tensors[i]}, 1, sets[i]));
  }
  p->options = (rango_compress_options)RANGO_COMPRESS_DEFAULTS;
  p->options.calib = p->calib;
  p->options.val = p->val;
  p->options.budget = RANGO_BUDGET_CUT_PARAMS;
  p->options.budget_value = 45;
  p->options.threads = 1;
}

static void problem_close(problem *p) {
  rango_dataset_free(p->calib);
  rango_dataset_free(p->val);
  rango_dataset_free(p->fresh);
  for (int i = 0; i < 3; i++) rango_tensor_free(p->tensors[i]);
  rango_model_free(p->model);
}

/* Relative error to the original's outputs on `data`. */
static double output_error(const problem *p, const rango_compression *result, const rango_dataset *data) {
  rango_evaluate_options how = {.struct_size = sizeof how, .reference = p->model, .output_error = true};
  rango_evaluation evaluation = {.struct_size = sizeof evaluation};
  how.session.struct_size = sizeof how.session;
  check_ok(rango_evaluate(rango_compression_model(result), data, &how, &evaluation));
  return evaluation.value;
}

static rango_compression *compress(problem *p, int refine) {
  rango_compression *result = NULL;
  p->options.refine = refine;
  check_ok(rango_compress(p->model, &p->options, &result));
  return result;
}

static bool same_constants(const rango_model *a, const rango_model *b) {
  for (size_t i = 0; i < a->graph->values.count; i++) {
    const rango_tensor *x = rg_value_constant(a->graph->values.items[i]);
    const rg_value *other = x ? rg_graph_find_value(b->graph, a->graph->values.items[i]->name) : NULL;
    const rango_tensor *y = other ? rg_value_constant(other) : NULL;
    if (x && (!y || x->bytes != y->bytes || memcmp(x->data, y->data, x->bytes) != 0)) return false;
  }
  return true;
}

static void rows_never_seen_come_out_closer(void **state) {
  (void)state;
  problem p;
  problem_open(&p, network(), 1024);
  rango_compression *plain = compress(&p, 0), *refined = compress(&p, 12);
  assert_true(output_error(&p, refined, p.val) < output_error(&p, plain, p.val));
  assert_true(output_error(&p, refined, p.fresh) < output_error(&p, plain, p.fresh));
  rango_compress_summary before = {.struct_size = sizeof before}, after = before;
  check_ok(rango_compression_summary(plain, &before));
  check_ok(rango_compression_summary(refined, &after));
  assert_true(before.params_after == after.params_after);
  assert_true(fabs(after.metric_after - output_error(&p, refined, p.val)) < 1e-6);
  rango_compression_free(plain);
  rango_compression_free(refined);
  problem_close(&p);
}

static void two_runs_agree_to_the_last_bit(void **state) {
  (void)state;
  problem p;
  problem_open(&p, network(), 256);
  rango_compression *first = compress(&p, 3), *second = compress(&p, 3);
  assert_true(same_constants(rango_compression_model(first), rango_compression_model(second)));
  rango_compression_free(first);
  rango_compression_free(second);
  problem_close(&p);
}

/* What training wins is spent: within the same budget the network is smaller. */
static void a_search_goes_further(void **state) {
  (void)state;
  problem p;
  rango_compress_summary before = {.struct_size = sizeof before}, after = before;
  problem_open(&p, network(), 1024);
  p.options.budget = RANGO_BUDGET_MAX_OUTPUT_ERROR;
  p.options.budget_value = 0.3;
  p.options.objective = RANGO_OBJECTIVE_PARAMS;
  rango_compression *plain = compress(&p, 0), *refined = compress(&p, 300);
  check_ok(rango_compression_summary(plain, &before));
  check_ok(rango_compression_summary(refined, &after));
  assert_true(after.params_after < before.params_after);
  assert_true(after.metric_after <= 0.3 && fabs(after.metric_after - output_error(&p, refined, p.val)) < 1e-6);
  rango_compression_free(plain);
  rango_compression_free(refined);
  problem_close(&p);
}

/* A layer of rank 4 is met exactly: training only shakes it, and what was fitted stays, bit by bit. */
static void what_does_not_help_is_not_kept(void **state) {
  (void)state;
  problem p;
  rango_model *model = model_new();
  float *w = low_rank_matrix(24, 40, 4, 9);
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 24));
  finish(model, model_node(model->graph, "Gemm", x, constant(model->graph, "w", 2, DIMS(24, 40), w),
                           model_weights(model->graph, "b", 0.3, 1, DIMS(40)), NULL));
  problem_open(&p, model, 256);
  rango_compression *plain = compress(&p, 0), *refined = compress(&p, 4);
  assert_true(output_error(&p, plain, p.val) < 1e-5);
  assert_true(same_constants(rango_compression_model(plain), rango_compression_model(refined)));
  rango_compression_free(plain);
  rango_compression_free(refined);
  problem_close(&p);
  free(w);
}

static bool stop_refining(void *user, double fraction, const char *stage) {
  int *calls = user;
  (void)fraction;
  *calls += strcmp(stage, "refining") == 0;
  return *calls < 3;
}

static void it_can_be_stopped(void **state) {
  (void)state;
  problem p;
  rango_compression *result = NULL;
  int calls = 0;
  problem_open(&p, network(), 256);
  p.options.refine = 1000;
  p.options.progress = stop_refining;
  p.options.user = &calls;
  assert_int_equal(rango_compress(p.model, &p.options, &result), RANGO_ERROR_CANCELLED);
  assert_null(result);
  assert_int_equal(calls, 3);
  problem_close(&p);
}

/* Its first step is the rate in each coordinate, against the gradient; later ones reach a parabola's minimum. */
static void adam_steps_by_the_rate_and_converges(void **state) {
  (void)state;
  float x[4] = {1, -2, 3, 2}, goal[4] = {1.5f, -2.5f, 2, 2}, gradient[4];
  double scale = sqrt((1 + 4 + 9 + 4) / 4.0);
  rg_adam adam;
  check_ok(rg_adam_create(x, 4, &adam));
  float start[4];
  memcpy(start, x, sizeof x);
  for (int64_t step = 1; step <= 4000; step++) {
    for (int i = 0; i < 4; i++) gradient[i] = (float)(i + 1) * (x[i] - goal[i]);
    rg_adam_step(&adam, gradient, 0.01 * (1 - (double)(step - 1) / 4000), step, x);
    for (int i = 0; i < 4 && step == 1; i++) {
      double moved = gradient[i] > 0 ? -0.01 * scale : gradient[i] < 0 ? 0.01 * scale : 0;
      assert_true(fabs(x[i] - start[i] - moved) < 1e-6);
    }
  }
  for (int i = 0; i < 4; i++) assert_true(fabs(x[i] - goal[i]) < 1e-3);
  rg_adam_free(&adam);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_never_seen_come_out_closer),
      cmocka_unit_test(two_runs_agree_to_the_last_bit),
      cmocka_unit_test(a_search_goes_further),
      cmocka_unit_test(what_does_not_help_is_not_kept),
      cmocka_unit_test(it_can_be_stopped),
      cmocka_unit_test(adam_steps_by_the_rate_and_converges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
