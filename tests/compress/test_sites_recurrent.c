/* The input weights of LSTM, GRU and RNN: exact at full rank in every variant, the gates' metric, and measured
 * sensitivity. */
#include "compress/networks.h"

#define STEPS 7
#define WIDTH 5
#define UNITS 4

typedef struct recurrent_case {
  const char *op;
  int gates;
  const char *direction;
  bool biased, last_only, after_reset;
} recurrent_case;

static const recurrent_case cases[] = {
    {"LSTM", 4, "forward", true, false, false},      {"LSTM", 4, "bidirectional", false, false, false},
    {"LSTM", 4, "bidirectional", true, true, false}, {"GRU", 3, "reverse", true, false, false},
    {"GRU", 3, "bidirectional", false, false, true}, {"GRU", 3, "bidirectional", true, false, true},
    {"RNN", 1, "bidirectional", true, false, false},
};

/* x [batch][steps][width] -> [steps][batch][width] -> the operator -> a Gemm of what comes out. */
static rango_model *recurrent_model(const recurrent_case *c, int64_t steps) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  int64_t directions = strcmp(c->direction, "bidirectional") == 0 ? 2 : 1, rows = c->gates * UNITS;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, steps, WIDTH));
  rg_value *turned = model_node(g, "Transpose", x, NULL, NULL, NULL);
  check_ok(rg_node_set_ints(turned->producer, "perm", DIMS(1, 0, 2), 3));
  rg_value *w = model_weights(g, "w", 0.5, 3, DIMS(directions, rows, WIDTH));
  rg_value *r = model_weights(g, "r", 0.5, 3, DIMS(directions, rows, UNITS));
  rg_value *b = c->biased ? model_weights(g, "b", 0.5, 2, DIMS(directions, 2 * rows)) : NULL, *y, *back;
  rg_node *node;
  check_ok(rg_graph_add_node(g, NULL, c->op, "", 14, c->biased ? 4 : 3, 2, &node));
  check_ok(rg_node_set_input(node, 0, turned));
  check_ok(rg_node_set_input(node, 1, w));
  check_ok(rg_node_set_input(node, 2, r));
  if (b) check_ok(rg_node_set_input(node, 3, b));
  check_ok(rg_graph_add_value(g, "y", &y));
  rg_node_set_output(node, c->last_only ? 1 : 0, y);
  check_ok(rg_node_set_string(node, "direction", c->direction));
  check_ok(rg_node_set_int(node, "hidden_size", UNITS));
  if (c->after_reset) check_ok(rg_node_set_int(node, "linear_before_reset", 1));
  back = model_node(g, "Transpose", y, NULL, NULL, NULL); /* the batch first */
  check_ok(
      rg_node_set_ints(back->producer, "perm", c->last_only ? DIMS(1, 0, 2) : DIMS(2, 0, 1, 3), c->last_only ? 3 : 4));
  finish(model, back);
  return model;
}

static rango_model *compress_to(bench *b, int rank) {
  rg_candidate choice = {.form = RG_FORM_PAIR, .rank = rank};
  rg_factors factors;
  rango_model *small = bench_compress(b, &choice, &factors);
  rg_factors_free(&factors);
  return small;
}

static void input_weights_are_exact_at_full_rank(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bench b;
    bench_open(&b, recurrent_model(&cases[i], STEPS), 3, DIMS(64, STEPS, WIDTH));
    assert_int_equal(b.sites.count, 1);
    assert_int_equal(b.sites.items[0].kind, RG_SITE_RECURRENT);
    int full = (int)b.bases[0][RG_FORM_PAIR].max_rank;
    assert_int_equal(full, WIDTH);
    rango_tensor *x = tensor_random(RANGO_FLOAT32, 3, DIMS(3, STEPS, WIDTH), 99);
    rango_model *same = compress_to(&b, full), *small = compress_to(&b, 1);
    double exact = output_change(b.model, same, x, tensor_distance),
           rough = output_change(b.model, small, x, tensor_distance);
    if (!(exact < 1e-5 && rough > 1e-3)) fail_msg("case %zu: %g at full rank, %g at rank 1", i, exact, rough);
    assert_int_equal(model_count(small, "MatMul"), 1);
    rango_tensor_free(x);
    rango_model_free(same);
    rango_model_free(small);
    bench_close(&b);
  }
}

/* Mean over the rows of the squared change of the output, by its central difference along e, for the layer's bias. */
static double change_along(const bench *b, rg_value *bias, const double *e, int64_t n) {
  const float step = 1e-2f;
  float *numbers = bias->constant->data;
  rango_tensor *moved[2];
  double sum = 0;
  for (int side = 0; side < 2; side++) {
    for (int64_t i = 0; i < n; i++) numbers[i] += (side ? -2 : 1) * step * (float)e[i];
    moved[side] = model_run(b->model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b->rows}, 1);
  }
  for (int64_t i = 0; i < n; i++) numbers[i] += step * (float)e[i];
  const float *p = moved[0]->data, *q = moved[1]->data;
  for (int64_t i = 0; i < rango_tensor_count(moved[0]); i++) sum += pow((p[i] - q[i]) / (2 * step), 2);
  rango_tensor_free(moved[0]);
  rango_tensor_free(moved[1]);
  return sum / (double)b->rows->shape.dims[0];
}

/* The gates' metric, e' G e, is what errors of the gates change at the output. */
static void gates_have_a_metric(void **state) {
  (void)state;
  for (int c = 0; c < 7; c += 3) { /* LSTM, GRU, RNN of one direction */
    bench b;
    rg_random random;
    recurrent_case one = cases[c];
    one.direction = "forward";
    bench_open_in(&b, recurrent_model(&one, 1), 3, DIMS(3000, 1, WIDTH), true);
    const double *l = b.statistics[0].metric;
    int64_t n = b.sites.items[0].outputs;
    assert_non_null(l);
    double trace = 0;
    for (int64_t i = 0; i < n * n; i++) trace += i % n <= i / n ? l[i] * l[i] : 0;
    rg_random_seed(&random, 9);
    for (int trial = 0; trial < 3; trial++) {
      double e[4 * UNITS], predicted = 0, length = 0;
      for (int64_t i = 0; i < n; i++) e[i] = rg_random_normal(&random);
      for (int64_t j = 0; j < n; j++) {
        double along = 0;
        for (int64_t i = j; i < n; i++) along += l[i * n + j] * e[i];
        predicted += along * along;
        length += e[j] * e[j];
      }
      predicted -= 0.1 / 1.1 * trace / (double)n * length; /* the floor */
      double found = change_along(&b, rg_graph_find_value(b.model->graph, "b"), e, n);
      if (!(fabs(predicted - found) < 0.1 * found)) fail_msg("%s: %g, predicted %g", one.op, found, predicted);
    }
    bench_close(&b);
  }
}

/* Without derivatives sensitivity is measured, and grows with the error. */
static void sensitivity_is_measured(void **state) {
  (void)state;
  bench b;
  rg_sensitivity sensitivity;
  bench_open(&b, recurrent_model(&cases[1], STEPS), 3, DIMS(64, STEPS, WIDTH));
  check_ok(rg_sensitivity_measure(b.model, &b.sites, &b.calibration, b.statistics,
                                  (const rg_basis(*)[RG_FORM_COUNT])b.bases, &sensitivity));
  assert_true(sensitivity.count >= 1);
  const double *tail = b.bases[0][RG_FORM_PAIR].tail;
  int rank = 1;
  while (rank < WIDTH && fabs(tail[rank] / tail[0] - sensitivity.error[0]) > 1e-9) rank++;
  assert_true(rank < WIDTH);
  rango_model *small = compress_to(&b, rank);
  rango_tensor *before = model_run(b.model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
  rango_tensor *after = model_run(small, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
  const float *p = before->data, *q = after->data;
  double error = 0, size = 0, mean = 0, count = (double)rango_tensor_count(before);
  for (int64_t i = 0; i < (int64_t)count; i++) mean += p[i] / count;
  for (int64_t i = 0; i < (int64_t)count; i++) {
    error += pow(q[i] - p[i], 2);
    size += pow(p[i] - mean, 2);
  }
  if (!(fabs(sensitivity.damage[0] - error / size) < 0.02 * sensitivity.damage[0]))
    fail_msg("rank %d: %g, measured as %g", rank, error / size, sensitivity.damage[0]);
  rango_tensor_free(before);
  rango_tensor_free(after);
  rango_model_free(small);
  bench_close(&b);
}

/* The whole way with training at the end: gates are no values that could be met. */
static void recurrent_layers_are_compressed_and_refined(void **state) {
  (void)state;
  rango_model *model = recurrent_model(&cases[1], STEPS);
  rango_tensor *rows = tensor_random(RANGO_FLOAT32, 3, DIMS(96, STEPS, WIDTH), 5);
  rango_dataset *data;
  rango_compression *result;
  rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){rows}, 1, &data));
  options.calib = data;
  options.budget = RANGO_BUDGET_CUT_PARAMS;
  options.budget_value = 10;
  options.threads = 1;
  options.refine = 2;
  check_ok(rango_compress(model, &options, &result));
  const rango_compressed_layer *layer = rango_compression_layer(result, 0);
  assert_string_equal(layer->op, "LSTM");
  assert_string_equal(layer->form, "pair");
  assert_non_null(strstr(rango_compression_left_alone(result, 0)->reason, "recurrent"));
  rango_compression_free(result);
  rango_dataset_free(data);
  rango_tensor_free(rows);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(input_weights_are_exact_at_full_rank),
      cmocka_unit_test(gates_have_a_metric),
      cmocka_unit_test(sensitivity_is_measured),
      cmocka_unit_test(recurrent_layers_are_compressed_and_refined),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
