/* Regressions of parts of the rows, and how far a fit shrinks. */
#include "compress/networks.h"

enum { COLUMNS = 5, OUTPUTS = 3, FIRST = 30, SECOND = 50, ROWS = FIRST + SECOND };

static void regress(const float *z, const float *t, int64_t rows, rg_regression *out) {
  check_ok(rg_regression_open(COLUMNS, OUTPUTS, out));
  check_ok(rg_regression_add(out, z, t, rows));
  rg_regression_close(out);
}

/* The second part's rows lie elsewhere. */
static void draw(float *z, float *t) {
  rg_random random;
  rg_random_seed(&random, 5);
  for (int i = 0; i < ROWS * COLUMNS; i++) z[i] = (float)(rg_random_normal(&random) + (i < FIRST * COLUMNS ? 3 : -1));
  for (int i = 0; i < ROWS * OUTPUTS; i++)
    t[i] = (float)(rg_random_normal(&random) + 2 * z[i / OUTPUTS * COLUMNS + i % OUTPUTS]);
}

static void check_near(const double *a, const double *b, int count, const char *what) {
  for (int i = 0; i < count; i++)
    if (!(fabs(a[i] - b[i]) < 1e-5 * (1 + fabs(b[i])))) fail_msg("%s %d: %g, expected %g", what, i, a[i], b[i]);
}

static void parts_merge_to_the_whole(void **state) {
  (void)state;
  float z[ROWS * COLUMNS], t[ROWS * OUTPUTS];
  rg_regression merged, second, whole;
  draw(z, t);
  regress(z, t, FIRST, &merged);
  regress(z + FIRST * COLUMNS, t + FIRST * OUTPUTS, SECOND, &second);
  regress(z, t, ROWS, &whole);
  rg_regression_merge(&merged, &second);
  assert_int_equal(merged.rows, ROWS);
  check_near(merged.gram, whole.gram, COLUMNS * COLUMNS, "gram");
  check_near(merged.cross, whole.cross, COLUMNS * OUTPUTS, "cross");
  check_near(merged.z_mean, whole.z_mean, COLUMNS, "mean of z");
  check_near(merged.t_mean, whole.t_mean, OUTPUTS, "mean of the targets");
  check_near(&merged.variance, &whole.variance, 1, "variance");
  rg_regression_free(&second);
  rg_regression_free(&merged);
  rg_regression_free(&whole);
}

/* |L'(t - b'z)|^2 - |L't|^2 of centred rows, row by row. */
static double validate_directly(const double *b, const double *metric, const rg_regression *held, const float *z,
                                const float *t, int64_t rows) {
  double sum = 0;
  for (int64_t row = 0; row < rows; row++) {
    double left[OUTPUTS], target[OUTPUTS];
    for (int j = 0; j < OUTPUTS; j++) {
      left[j] = target[j] = t[row * OUTPUTS + j] - held->t_mean[j];
      for (int i = 0; i < COLUMNS; i++) left[j] -= b[i * OUTPUTS + j] * (z[row * COLUMNS + i] - held->z_mean[i]);
    }
    rg_metric_apply(metric, OUTPUTS, 1, left);
    rg_metric_apply(metric, OUTPUTS, 1, target);
    for (int j = 0; j < OUTPUTS; j++) sum += left[j] * left[j] - target[j] * target[j];
  }
  return sum / (double)rows;
}

static void a_solution_is_judged_on_other_rows(void **state) {
  (void)state;
  const double metric[OUTPUTS * OUTPUTS] = {2, 0, 0, -0.5, 1, 0, 0.3, 0.7, 0.4};
  float z[ROWS * COLUMNS], t[ROWS * OUTPUTS];
  rg_regression first, second;
  draw(z, t);
  regress(z, t, FIRST, &first);
  regress(z + FIRST * COLUMNS, t + FIRST * OUTPUTS, SECOND, &second);
  check_ok(rg_regression_solve(&first, NULL, 0.1));
  for (int with = 0; with < 2; with++) {
    double value, want = validate_directly(first.b, with ? metric : NULL, &second, z + FIRST * COLUMNS,
                                           t + FIRST * OUTPUTS, SECOND);
    check_ok(rg_regression_validate(&first, &second, with ? metric : NULL, &value));
    check_near(&value, &want, 1, "error on other rows");
  }
  rg_regression_free(&first);
  rg_regression_free(&second);
}

/* ---- the fit's ridge ---- */

static rango_model *two_layers(void) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 64));
  rg_value *w1 = model_weights(model->graph, "w1", 0.2, 2, DIMS(64, 48));
  rg_value *w2 = model_weights(model->graph, "w2", 0.2, 2, DIMS(48, 8));
  rg_value *b1 = model_weights(model->graph, "b1", 0.2, 1, DIMS(48)),
           *b2 = model_weights(model->graph, "b2", 1, 1, DIMS(8));
  rg_value *h = model_node(model->graph, "Gemm", x, w1, b1, NULL);
  h = model_node(model->graph, "Relu", h, NULL, NULL, NULL);
  finish(model, model_node(model->graph, "Gemm", h, w2, b2, NULL));
  return model;
}

/* Rows in a space of LATENT dimensions: what the first layer loses can be told from what it keeps. */
static rango_tensor *correlated_rows(int64_t rows, uint64_t seed) {
  enum { LATENT = 12 };
  rango_tensor *out = tensor_random(RANGO_FLOAT32, 2, DIMS(rows, 64), 1);
  float mix[LATENT * 64], latent[LATENT], *to = out->data;
  rg_random random;
  rg_random_seed(&random, 3);
  for (int i = 0; i < LATENT * 64; i++) mix[i] = (float)(rg_random_normal(&random) / sqrt(LATENT));
  rg_random_seed(&random, seed);
  for (int64_t row = 0; row < rows; row++) {
    for (int k = 0; k < LATENT; k++) latent[k] = (float)rg_random_normal(&random);
    rg_matmul_float(false, false, 1, 64, LATENT, latent, mix, to + row * 64);
  }
  return out;
}

static double error_on_fresh_rows(const bench *b, const rg_factors *factors) {
  rango_model *small = NULL;
  check_ok(rg_rewrite_model(b->model, &b->sites, factors, &small));
  rango_tensor *x = correlated_rows(2000, 99);
  double error = output_change(b->model, small, x, relative_error);
  rango_tensor_free(x);
  rango_model_free(small);
  return error;
}

/* The error on fresh rows with the second layer fitted to what the narrower first one gives, to that without. */
static double gain_of_fit(int64_t rows) {
  bench b;
  const rg_candidate choices[] = {{.form = RG_FORM_PAIR, .rank = 8}, {.form = RG_FORM_DENSE}};
  rg_factors factors[2];
  bench_open_rows(&b, two_layers(), correlated_rows(rows, 7), false);
  assert_int_equal(b.sites.count, 2);
  rango_model_free(bench_compress(&b, choices, factors));
  double fitted = error_on_fresh_rows(&b, factors);
  assert_non_null(factors[1].first);
  rg_factors_forget(&factors[1]);
  double kept = error_on_fresh_rows(&b, factors);
  for (int i = 0; i < 2; i++) rg_factors_free(&factors[i]);
  bench_close(&b);
  return fitted / kept;
}

static void a_fit_of_few_rows_stays_near_the_original(void **state) {
  (void)state;
  double few = gain_of_fit(50), many = gain_of_fit(2000);
  if (!(few < 1.02)) fail_msg("50 rows, 48 unknowns: %g times the error without a fit", few);
  if (!(many < 0.995)) fail_msg("2,000 rows: %g times the error without a fit", many);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_merge_to_the_whole),
      cmocka_unit_test(a_solution_is_judged_on_other_rows),
      cmocka_unit_test(a_fit_of_few_rows_stays_near_the_original),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
