/* Convolutions of several groups: pairs group by group are exact at full rank, and their error is what the tail says.
 */
#include "compress/networks.h"

typedef struct grouped_case {
  int64_t groups, channels, outputs, kernel_h, kernel_w, height, width; /* channels and outputs of all groups */
  int64_t strides[2], pads[4], dilations[2];
  bool bias;
} grouped_case;

static const grouped_case cases[] = {
    {2, 6, 8, 3, 3, 9, 11, {1, 1}, {1, 1, 1, 1}, {1, 1}, true},
    {3, 9, 6, 3, 3, 9, 11, {2, 1}, {1, 0, 2, 1}, {1, 1}, false},
    {2, 4, 10, 2, 3, 10, 12, {1, 3}, {0, 2, 1, 3}, {2, 1}, true},
    {4, 8, 20, 1, 1, 6, 6, {2, 2}, {0, 0, 0, 0}, {1, 1}, true}, /* more outputs than inputs in a group */
    {2, 2, 6, 3, 2, 8, 8, {1, 2}, {0, 1, 0, 1}, {1, 2}, true},  /* one channel a group, three outputs */
};

static void set_attributes(rg_node *node, const grouped_case *c) {
  check_ok(rg_node_set_ints(node, "kernel_shape", DIMS(c->kernel_h, c->kernel_w), 2));
  check_ok(rg_node_set_ints(node, "strides", c->strides, 2));
  check_ok(rg_node_set_ints(node, "dilations", c->dilations, 2));
  check_ok(rg_node_set_ints(node, "pads", c->pads, 4));
  check_ok(rg_node_set_int(node, "group", c->groups));
}

static rango_model *grouped_model(const grouped_case *c) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 4, DIMS(-1, c->channels, c->height, c->width));
  rg_value *w =
      model_weights(model->graph, "w", 0.3, 4, DIMS(c->outputs, c->channels / c->groups, c->kernel_h, c->kernel_w));
  rg_value *b = c->bias ? model_weights(model->graph, "b", 1, 1, DIMS(c->outputs)) : NULL;
  rg_value *y = model_node(model->graph, "Conv", x, w, b, NULL);
  set_attributes(y->producer, c);
  finish(model, y);
  return model;
}

static rango_tensor *run_on(const rango_model *model, rango_device device, const rango_tensor *x) {
  return model_run(model, device, (const rango_tensor *const[]){x}, 1);
}

static void full_rank_is_exact(void **state) {
  (void)state;
  static const rango_device devices[] = {RANGO_DEVICE_REFERENCE, RANGO_DEVICE_CPU};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const grouped_case *c = &cases[i];
    bench b;
    bench_open(&b, grouped_model(c), 4, DIMS(40, c->channels, c->height, c->width));
    assert_int_equal(b.sites.count, 1);
    int64_t inputs = c->channels / c->groups * c->kernel_h * c->kernel_w, outputs = c->outputs / c->groups;
    int64_t rank = inputs < outputs ? inputs : outputs;
    assert_int_equal(b.bases[0][RG_FORM_PAIR].max_rank, rank);
    for (int form = RG_FORM_SPATIAL; form < RG_FORM_COUNT; form++) assert_int_equal(b.bases[0][form].max_rank, 0);
    rg_candidate choice = {.form = RG_FORM_PAIR, .rank = (int)rank};
    rg_factors factors;
    rango_model *small = bench_compress(&b, &choice, &factors);
    assert_int_equal(model_count(small, "Conv"), 2);
    rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(3, c->channels, c->height, c->width), 99);
    rango_tensor *before = run_on(b.model, RANGO_DEVICE_REFERENCE, x);
    for (int d = 0; d < 2; d++) {
      rango_tensor *after = run_on(small, devices[d], x);
      double distance = tensor_distance(after, before);
      if (!(distance < 1e-5)) fail_msg("convolution %zu, device %d: the pair differs by %g", i, d, distance);
      rango_tensor_free(after);
    }
    rango_tensor_free(x);
    rango_tensor_free(before);
    rg_factors_free(&factors);
    rango_model_free(small);
    bench_close(&b);
  }
}

static void error_is_what_the_tail_says(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const grouped_case *c = &cases[i];
    bench b;
    bench_open(&b, grouped_model(c), 4, DIMS(60, c->channels, c->height, c->width));
    const rg_basis *basis = &b.bases[0][RG_FORM_PAIR];
    rango_tensor *before = run_on(b.model, RANGO_DEVICE_REFERENCE, b.rows);
    for (int64_t rank = 1; rank < basis->max_rank; rank++) {
      rg_candidate choice = {.form = RG_FORM_PAIR, .rank = (int)rank};
      rg_factors factors;
      rango_model *small = bench_compress(&b, &choice, &factors);
      rango_tensor *after = run_on(small, RANGO_DEVICE_REFERENCE, b.rows);
      double measured = relative_error(after, before), predicted = sqrt(basis->tail[rank] / basis->tail[0]);
      if (!(predicted > 0.01 && fabs(measured - predicted) < 1e-3 * predicted))
        fail_msg("convolution %zu, rank %d: measured %g, predicted %g", i, (int)rank, measured, predicted);
      assert_true(fabs(factors.error - predicted) < 1e-3 * predicted);
      rango_tensor_free(after);
      rg_factors_free(&factors);
      rango_model_free(small);
    }
    rango_tensor_free(before);
    bench_close(&b);
  }
}

/* Behind the weight's own factors the error of the weight is the tail: with the basis of the weights alone. */
static void weights_alone_are_split_best(void **state) {
  (void)state;
  const grouped_case *c = &cases[1];
  bench b;
  rg_basis basis;
  bench_open(&b, grouped_model(c), 4, DIMS(20, c->channels, c->height, c->width));
  const rg_site *site = &b.sites.items[0];
  check_ok(rg_basis_grouped(site, NULL, &basis));
  int64_t m = site->inputs, n = site->outputs;
  for (int64_t rank = 0; rank <= basis.max_rank; rank++) {
    double error = 0;
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < m; i++) {
        double w = site->matrix[j * m + i];
        for (int64_t r = 0; r < rank * c->groups; r++) w -= (double)basis.second[r * n + j] * basis.first[r * m + i];
        error += w * w;
      }
    if (!(fabs(error - basis.tail[rank]) < 1e-5 * basis.tail[0]))
      fail_msg("rank %d: %g, the tail says %g", (int)rank, error, basis.tail[rank]);
  }
  rg_basis_free(&basis);
  bench_close(&b);
}

/* x [6, 5, 5] -> 2 groups -> [8, 5, 5] -> 2 groups of 1 x 1 -> [6, 5, 5]: what groups do to the output adds up. */
static rango_model *two_layers(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 6, 5, 5));
  rg_value *h = model_node(g, "Conv", x, model_weights(g, "w1", 0.3, 4, DIMS(8, 3, 3, 3)), NULL, NULL);
  check_ok(rg_node_set_int(h->producer, "group", 2));
  /* Sums of the group's outputs, most of them of the first two. */
  float mix[6 * 4];
  for (int i = 0; i < 24; i++) mix[i] = (i % 4 < 2 ? 1.0f : 0.2f) * (float)((i * 7 + 3) % 5 - 2);
  rg_value *y = model_node(g, "Conv", h, constant(g, "w2", 4, DIMS(6, 4, 1, 1), mix), NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "group", 2));
  finish(model, y);
  return model;
}

/* What the metric's floor, a tenth of the mean diagonal, adds to the error of a site's output. */
static double floor_share(const rg_site *site, const rg_statistics *statistics, double relative_error) {
  int64_t n = site->outputs;
  double trace = 0, variance = 0;
  for (int64_t i = 0; i < n * n; i++) trace += statistics->metric[i] * statistics->metric[i];
  for (int64_t i = 0; i < statistics->rows * n; i++)
    variance += pow(statistics->outputs[i] - statistics->output_mean[i % n], 2) / (double)statistics->rows;
  return 0.1 / 1.1 * trace / (double)n * relative_error * relative_error * variance;
}

/* In the metric the error counts as it changes the network's output: less than without, and as predicted. */
static void the_metric_counts_within_each_group(void **state) {
  (void)state;
  double errors[2], predicted = 0;
  const int64_t rows = 3000;
  for (int fisher = 0; fisher < 2; fisher++) {
    bench b;
    bench_open_in(&b, two_layers(), 4, DIMS(rows, 6, 5, 5), fisher);
    assert_int_equal(b.sites.count, 2);
    rg_candidate choices[2] = {{.form = RG_FORM_PAIR, .rank = 1}, {.form = RG_FORM_DENSE}};
    rg_factors factors[2];
    rango_model *small = bench_compress(&b, choices, factors);
    rango_tensor *y = run_on(b.model, RANGO_DEVICE_REFERENCE, b.rows);
    rango_tensor *z = run_on(small, RANGO_DEVICE_REFERENCE, b.rows);
    const float *p = y->data, *q = z->data;
    errors[fisher] = 0;
    for (int64_t i = 0; i < rango_tensor_count(y); i++) errors[fisher] += pow(p[i] - q[i], 2) / (double)rows;
    if (fisher)
      predicted = b.bases[0][RG_FORM_PAIR].tail[1] - floor_share(&b.sites.items[0], &b.statistics[0], factors[0].error);
    rango_tensor_free(y);
    rango_tensor_free(z);
    for (int i = 0; i < 2; i++) rg_factors_free(&factors[i]);
    rango_model_free(small);
    bench_close(&b);
  }
  if (!(errors[1] < 0.95 * errors[0])) fail_msg("%g with the metric, %g without", errors[1], errors[0]);
  if (!(fabs(predicted - errors[1]) < 0.05 * errors[1])) fail_msg("predicted %g, measured %g", predicted, errors[1]);
}

/* Nothing to factor where a group has one output, and in a group count that doesn't divide the outputs. */
static void depthwise_stays(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 4, DIMS(-1, 6, 7, 7));
  rg_value *h =
      model_node(model->graph, "Conv", x, model_weights(model->graph, "w", 0.3, 4, DIMS(6, 1, 3, 3)), NULL, NULL);
  check_ok(rg_node_set_int(h->producer, "group", 6));
  rg_value *y =
      model_node(model->graph, "Conv", h, model_weights(model->graph, "v", 0.3, 4, DIMS(3, 2, 1, 1)), NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "group", 3));
  finish(model, y);
  check_no_sites(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(full_rank_is_exact),
      cmocka_unit_test(error_is_what_the_tail_says),
      cmocka_unit_test(weights_alone_are_split_best),
      cmocka_unit_test(the_metric_counts_within_each_group),
      cmocka_unit_test(depthwise_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
