/* The metric is the Gauss-Newton matrix of the model's output, and bases are best in it. */
#include "compress/networks.h"

#define ROWS 6000

/* x [6] -> w1 -> h [5] -> w2 -> y [8]: at h the matrix is w2 w2' whatever x is (rows are samples). */
static rango_model *two_layers(float **w1, float **w2) {
  rango_model *model = model_new();
  *w1 = low_rank_matrix(6, 5, 5, 3);
  *w2 = low_rank_matrix(5, 8, 5, 5);
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 6));
  rg_value *h = model_node(model->graph, "MatMul", x, constant(model->graph, "w1", 2, DIMS(6, 5), *w1), NULL, NULL);
  finish(model, model_node(model->graph, "MatMul", h, constant(model->graph, "w2", 2, DIMS(5, 8), *w2), NULL, NULL));
  return model;
}

/* L L' of site 0, as doubles [5][5]. */
static void metric_matrix(const bench *b, double *g) {
  const double *l = b->statistics[0].metric;
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++) {
      g[i * 5 + j] = 0;
      for (int k = 0; k < 5; k++) g[i * 5 + j] += l[i * 5 + k] * l[j * 5 + k];
    }
}

static void a_linear_network_has_the_metric_of_its_weights(void **state) {
  (void)state;
  for (int scores = 0; scores < 2; scores++) {
    bench b;
    float *w1, *w2;
    double g[25], want[25], trace = 0, mean[5] = {0};
    rango_model *model = two_layers(&w1, &w2);
    bench_open_in(&b, model, 2, DIMS(ROWS, 6), false);
    bool possible = false;
    b.calibration.class_scores = scores;
    b.calibration.gradient_draws = scores ? 1 : 4;
    check_ok(rg_fisher_collect(model, &b.sites, &b.calibration, b.statistics, &possible));
    assert_true(possible);
    metric_matrix(&b, g);
    for (int i = 0; i < 5; i++)
      for (int j = 0; j < 8; j++) mean[i] += scores ? w2[i * 8 + j] / 8 : 0;
    for (int i = 0; i < 5; i++)
      for (int j = 0; j < 5; j++) {
        want[i * 5 + j] = 0;
        for (int k = 0; k < 8; k++) want[i * 5 + j] += (w2[i * 8 + k] - mean[i]) * (double)(w2[j * 8 + k] - mean[j]);
        trace += i == j ? want[i * 5 + j] : 0;
      }
    /* The floor is 0.1 of the mean diagonal; one draw a row leaves an error of about 1 / sqrt(rows). */
    for (int i = 0; i < 25; i++)
      if (!(fabs(g[i] - want[i] - (i % 6 ? 0 : 0.1 * trace / 5)) < 0.06 * trace))
        fail_msg("scores %d: element %d is %g, expected %g", scores, i, g[i], want[i]);
    bench_close(&b);
    free(w1);
    free(w2);
  }
}

/* Mean of e' G e over the rows, e what the factors change at site 0 and G its metric. */
static double error_in_metric(const bench *b, const float *w1, const rg_factors *f) {
  double g[25], sum = 0;
  metric_matrix(b, g);
  for (int row = 0; row < ROWS; row++) {
    const float *x = (const float *)b->rows->data + row * 6;
    double e[5];
    for (int j = 0; j < 5; j++) {
      e[j] = -f->offset[j];
      for (int i = 0; i < 6; i++) {
        e[j] += w1[i * 5 + j] * (double)x[i];
        for (int r = 0; r < 2; r++) e[j] -= (double)f->second[j * 2 + r] * f->first[r * 6 + i] * x[i];
      }
    }
    for (int i = 0; i < 25; i++) sum += e[i / 5] * g[i] * e[i % 5] / ROWS;
  }
  return sum;
}

/* What a pair of rank 2 changes at the first layer is, in the metric, what its basis says; and it does less to the
 * network's output than the best pair in the ordinary metric. */
static void pairs_are_best_for_the_output(void **state) {
  (void)state;
  double errors[2];
  for (int fisher = 0; fisher < 2; fisher++) {
    bench b;
    float *w1, *w2;
    rango_model *model = two_layers(&w1, &w2);
    bench_open_in(&b, model, 2, DIMS(ROWS, 6), fisher);
    rg_candidate choices[2] = {{.form = RG_FORM_PAIR, .rank = 2}, {.form = RG_FORM_DENSE}};
    rg_factors factors[2];
    rango_model *small = bench_compress(&b, choices, factors);
    rango_tensor *y = model_run(b.model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
    rango_tensor *z = model_run(small, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
    const float *p = y->data, *q = z->data;
    errors[fisher] = 0;
    for (int i = 0; i < ROWS * 8; i++) errors[fisher] += pow(p[i] - q[i], 2) / ROWS;
    if (fisher) {
      double predicted = b.bases[0][RG_FORM_PAIR].tail[2], found = error_in_metric(&b, w1, &factors[0]);
      if (!(fabs(predicted - found) < 1e-3 * found)) fail_msg("predicted %g, found %g", predicted, found);
    }
    rango_tensor_free(y);
    rango_tensor_free(z);
    for (int i = 0; i < 2; i++) rg_factors_free(&factors[i]);
    rango_model_free(small);
    bench_close(&b);
    free(w1);
    free(w2);
  }
  assert_true(errors[1] < 0.95 * errors[0]);
}

static void operators_without_adjoint_are_no_failure(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 6));
  rg_value *h = model_node(model->graph, "MatMul", x, model_weights(model->graph, "w", 0.3, 2, DIMS(6, 5)), NULL, NULL);
  finish(model, model_node(model->graph, "Hardmax", h, NULL, NULL, NULL));
  bench b;
  bool possible = true;
  bench_open(&b, model, 2, DIMS(20, 6));
  check_ok(rg_fisher_collect(b.model, &b.sites, &b.calibration, b.statistics, &possible));
  assert_false(possible);
  assert_null(b.statistics[0].metric);
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_linear_network_has_the_metric_of_its_weights),
      cmocka_unit_test(pairs_are_best_for_the_output),
      cmocka_unit_test(operators_without_adjoint_are_no_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
