/* The methods to compare with: each against what is known of it. */
#include "compress/method.h"

#include "compress/networks.h"
#include "glyphs.c"

#define CUT 90 /* percent of the parameters */

/* A layer of `outputs` x `inputs`: low rank and noise of a known variance. */
static double *noisy_low_rank(int64_t rows, int64_t columns, int64_t rank, double sigma) {
  rg_random random;
  double *out = calloc((size_t)(rows * columns), sizeof *out), *left = calloc((size_t)(rows * rank + 1), sizeof *left),
         *right = calloc((size_t)(rank * columns + 1), sizeof *right);
  rg_random_seed(&random, 5);
  for (int64_t i = 0; i < rows * rank; i++) left[i] = rg_random_normal(&random);
  for (int64_t i = 0; i < rank * columns; i++) right[i] = rg_random_normal(&random);
  for (int64_t i = 0; i < rows * columns; i++) {
    out[i] = sigma * rg_random_normal(&random);
    for (int64_t k = 0; k < rank; k++) out[i] += left[i / columns * rank + k] * right[k * columns + i % columns];
  }
  free(left);
  free(right);
  return out;
}

static void vbmf_tells_rank_from_noise(void **state) {
  (void)state;
  static const struct {
    int64_t rows, columns, rank;
    double sigma;
  } cases[] = {{40, 60, 5, 0.1}, {60, 60, 8, 0.3}, {30, 200, 3, 0.5}, {50, 50, 0, 1}, {20, 30, 10, 0.01}, {8, 9, 1, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t m = cases[i].rows, n = cases[i].columns;
    double *a = noisy_low_rank(m, n, cases[i].rank, cases[i].sigma);
    double *u = calloc((size_t)(m * m), sizeof *u), *s = calloc((size_t)m, sizeof *s),
           *vt = calloc((size_t)(m * n), sizeof *vt);
    check_ok(rg_svd_thin(a, m, n, u, s, vt));
    for (int64_t j = 0; j < m; j++) s[j] *= s[j];
    assert_int_equal(rg_vbmf_rank(s, m, m, n), cases[i].rank);
    free(a);
    free(u);
    free(s);
    free(vt);
  }
}

/* Ranks of an independent NumPy implementation (the same free energy, minimised by SciPy on a fine grid). */
static void vbmf_agrees_with_numpy(void **state) {
  (void)state;
  static const struct {
    int64_t count, columns;
    double power;
    int64_t rank;
  } cases[] = {{32, 48, 1, 6}, {64, 64, 0.7, 6}, {100, 300, 1.5, 37}, {64, 512, 0.3, 7}, {128, 130, 0.5, 8}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double squares[128];
    for (int64_t j = 0; j < cases[i].count; j++) squares[j] = pow((double)(j + 1), -2 * cases[i].power);
    assert_int_equal(rg_vbmf_rank(squares, cases[i].count, cases[i].count, cases[i].columns), cases[i].rank);
  }
}

/* tail[r] is the squared error of the product of r rows, and no less than the error that the singular values leave. */
static void weights_are_cut_as_eckart_and_young_say(void **state) {
  (void)state;
  bench b;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 12));
  finish(model, model_node(model->graph, "MatMul", x, model_weights(model->graph, "w", 1, 2, DIMS(12, 9)), NULL, NULL));
  bench_open(&b, model, 2, DIMS(64, 12));
  const rg_site *site = &b.sites.items[0];
  rg_basis basis;
  check_ok(rg_basis_weights(site, &basis));
  assert_int_equal(basis.max_rank, 9);
  for (int64_t rank = 0; rank <= 9; rank++) {
    double error = 0;
    for (int64_t j = 0; j < 9; j++)
      for (int64_t i = 0; i < 12; i++) {
        double left = site->matrix[j * 12 + i];
        for (int64_t r = 0; r < rank; r++) left -= (double)basis.second[r * 9 + j] * basis.first[r * 12 + i];
        error += left * left;
      }
    assert_true(fabs(error - basis.tail[rank]) < 1e-5 * basis.tail[0]);
  }
  rg_basis_free(&basis);
  bench_close(&b);
}

/* ---- a trained network ---- */

/* Images as the network was trained on, and their classes. */
static void draw_images(int64_t rows, uint64_t seed, rango_tensor **images, rango_tensor **labels) {
  static float image[RG_GLYPH_SIZE * RG_GLYPH_SIZE];
  rg_random random;
  rg_random_seed(&random, seed);
  check_ok(rango_tensor_create(RANGO_UINT8, 4, DIMS(rows, 1, RG_GLYPH_SIZE, RG_GLYPH_SIZE), images));
  check_ok(rango_tensor_create(RANGO_INT64, 1, DIMS(rows), labels));
  uint8_t *to = (*images)->data;
  for (int64_t i = 0; i < rows; i++) {
    rg_glyph glyph;
    rg_glyph_draw(&random, &glyph);
    rg_glyph_render(&glyph, &random, image);
    for (int j = 0; j < RG_GLYPH_SIZE * RG_GLYPH_SIZE; j++) *to++ = (uint8_t)lround(255 * image[j]);
    ((int64_t *)(*labels)->data)[i] = glyph.label;
  }
}

/* At equal cut of a trained network: each method knows more than the one before. */
static void knowing_more_costs_less_accuracy(void **state) {
  (void)state;
  static const rango_method order[] = {RANGO_METHOD_SVD, RANGO_METHOD_PCA, RANGO_METHOD_FISHER};
  rango_model *model = NULL;
  rango_tensor *calib_images, *calib_labels, *images, *labels;
  rango_dataset *calib = NULL, *val = NULL;
  double accuracy[3], params = 0;
  check_ok(rango_model_load(RG_SOURCE_DIR "/models/glyphs.onnx", NULL, &model));
  draw_images(96, 2, &calib_images, &calib_labels);
  draw_images(256, 3, &images, &labels);
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){calib_images}, 1, &calib));
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){images}, 1, &val));
  for (int i = 0; i < 3; i++) {
    rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
    rango_compression *result = NULL;
    rango_compress_summary summary = {.struct_size = sizeof summary};
    options.calib = calib;
    options.val = val;
    options.labels = labels;
    options.method = order[i];
    options.budget = RANGO_BUDGET_CUT_PARAMS;
    options.budget_value = CUT;
    check_ok(rango_compress(model, &options, &result));
    check_ok(rango_compression_summary(result, &summary));
    accuracy[i] = summary.metric_after;
    params = 100 * (1 - (double)summary.params_after / (double)summary.params_before);
    print_message("method %d: %.1f %% of the parameters off, %.2f %% top-1\n", (int)order[i], params, accuracy[i]);
    assert_true(params >= CUT - 0.5);
    rango_compression_free(result);
  }
  assert_true(accuracy[1] > accuracy[0]);
  assert_true(accuracy[2] >= accuracy[1]);
  rango_dataset_free(calib);
  rango_dataset_free(val);
  rango_tensor_free(calib_images);
  rango_tensor_free(calib_labels);
  rango_tensor_free(images);
  rango_tensor_free(labels);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vbmf_tells_rank_from_noise),
      cmocka_unit_test(vbmf_agrees_with_numpy),
      cmocka_unit_test(weights_are_cut_as_eckart_and_young_say),
      cmocka_unit_test(knowing_more_costs_less_accuracy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
