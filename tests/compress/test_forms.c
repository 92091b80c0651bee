/* Every form is exact where it can be, on every kind of layer; elsewhere its error is what its tail says. */
#include "compress/networks.h"

typedef struct conv_case {
  int64_t channels, outputs, kernel_h, kernel_w, height, width;
  int64_t strides[2], pads[4], dilations[2];
  const char *auto_pad;
  bool bias;
} conv_case;

static const conv_case convs[] = {
    {3, 8, 3, 3, 9, 11, {1, 1}, {1, 1, 1, 1}, {1, 1}, NULL, true},
    {3, 8, 3, 3, 9, 11, {2, 1}, {1, 0, 2, 1}, {1, 1}, NULL, false},
    {4, 6, 3, 5, 13, 12, {1, 3}, {0, 2, 1, 3}, {2, 1}, NULL, true},
    {2, 5, 2, 3, 10, 10, {2, 2}, {0, 0, 0, 0}, {1, 2}, NULL, true},
    {3, 7, 3, 3, 10, 7, {2, 2}, {0, 0, 0, 0}, {1, 1}, "SAME_UPPER", true},
    {3, 7, 2, 4, 10, 7, {2, 1}, {0, 0, 0, 0}, {1, 1}, "SAME_LOWER", false},
    {3, 7, 3, 3, 8, 8, {1, 2}, {0, 0, 0, 0}, {1, 1}, "VALID", true},
    {5, 9, 1, 1, 6, 6, {2, 2}, {0, 0, 0, 0}, {1, 1}, NULL, true}, /* more outputs than inputs: whitening */
    {5, 4, 1, 1, 6, 6, {1, 1}, {1, 0, 0, 2}, {1, 1}, NULL, true},
};

static void set_attributes(rg_node *node, const conv_case *c) {
  check_ok(rg_node_set_ints(node, "kernel_shape", DIMS(c->kernel_h, c->kernel_w), 2));
  check_ok(rg_node_set_ints(node, "strides", c->strides, 2));
  check_ok(rg_node_set_ints(node, "dilations", c->dilations, 2));
  if (c->auto_pad)
    check_ok(rg_node_set_string(node, "auto_pad", c->auto_pad));
  else
    check_ok(rg_node_set_ints(node, "pads", c->pads, 4));
}

static rango_model *conv_model(const conv_case *c, const float *weight) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 4, DIMS(-1, c->channels, c->height, c->width));
  const int64_t dims[] = {c->outputs, c->channels, c->kernel_h, c->kernel_w};
  rg_value *w = weight ? constant(model->graph, "w", 4, dims, weight) : model_weights(model->graph, "w", 0.3, 4, dims);
  rg_value *b = c->bias ? model_weights(model->graph, "b", 1, 1, dims) : NULL;
  rg_value *y = model_node(model->graph, "Conv", x, w, b, NULL);
  set_attributes(y->producer, c);
  finish(model, y);
  return model;
}

/* Compresses the model's one site and compares what it makes of fresh rows. */
static double distance_after(bench *b, rg_form form, int64_t rank, int in_rank, const int64_t *dims) {
  rg_candidate choice = {.form = form, .rank = (int)rank};
  rg_factors factors;
  rango_model *small = bench_compress(b, &choice, &factors);
  rango_tensor *x = tensor_random(RANGO_FLOAT32, in_rank, dims, 99);
  double distance = output_change(b->model, small, x, tensor_distance);
  rango_tensor_free(x);
  rg_factors_free(&factors);
  rango_model_free(small);
  return distance;
}

static void pairs_of_convolutions_are_exact_at_full_rank(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    const conv_case *c = &convs[i];
    bench b;
    bench_open(&b, conv_model(c, NULL), 4, DIMS(40, c->channels, c->height, c->width));
    assert_int_equal(b.sites.count, 1);
    int64_t inputs = c->channels * c->kernel_h * c->kernel_w, rank = inputs < c->outputs ? inputs : c->outputs;
    assert_int_equal(b.bases[0][RG_FORM_PAIR].max_rank, rank);
    double distance = distance_after(&b, RG_FORM_PAIR, rank, 4, DIMS(3, c->channels, c->height, c->width));
    if (!(distance < 1e-5)) fail_msg("convolution %zu: the pair differs by %g", i, distance);
    bench_close(&b);
  }
}

/* w[o][c][y][x] = sum over r of u[o][r][x] v[r][c][y]. */
static float *separable_weight(const conv_case *c, int64_t rank) {
  float *w = low_rank_matrix(c->outputs * c->kernel_w, c->channels * c->kernel_h, rank, 23);
  float *out = malloc((size_t)(c->outputs * c->kernel_w * c->channels * c->kernel_h) * sizeof *out);
  for (int64_t o = 0; o < c->outputs; o++)
    for (int64_t x = 0; x < c->kernel_w; x++)
      for (int64_t ch = 0; ch < c->channels; ch++)
        for (int64_t y = 0; y < c->kernel_h; y++)
          out[((o * c->channels + ch) * c->kernel_h + y) * c->kernel_w + x] =
              w[(o * c->kernel_w + x) * c->channels * c->kernel_h + ch * c->kernel_h + y];
  free(w);
  return out;
}

static void spatial_pairs_are_exact_for_separable_kernels(void **state) {
  (void)state;
  int looked_at = 0;
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    const conv_case *c = &convs[i];
    if (c->kernel_h < 2 || c->kernel_w < 2) continue;
    bench b;
    float *weight = separable_weight(c, 2);
    bench_open(&b, conv_model(c, weight), 4, DIMS(40, c->channels, c->height, c->width));
    const rg_basis *basis = &b.bases[0][RG_FORM_SPATIAL];
    assert_true(basis->max_rank >= 2);
    assert_true(basis->tail[1] > 0.01 * basis->tail[0]);
    assert_true(basis->tail[2] < 1e-6 * basis->tail[0]);
    double distance = distance_after(&b, RG_FORM_SPATIAL, 2, 4, DIMS(3, c->channels, c->height, c->width));
    if (!(distance < 2e-5)) fail_msg("convolution %zu: the spatial pair differs by %g", i, distance);
    looked_at++;
    bench_close(&b);
    free(weight);
  }
  assert_int_equal(looked_at, 7);
}

/* w[o][c][y][x] = sum over r of u[o][y][x][r] v[r][c]. */
static float *thin_weight(const conv_case *c, int64_t rank) {
  int64_t area = c->kernel_h * c->kernel_w;
  float *w = low_rank_matrix(c->outputs * area, c->channels, rank, 29);
  float *out = malloc((size_t)(c->outputs * c->channels * area) * sizeof *out);
  for (int64_t o = 0; o < c->outputs; o++)
    for (int64_t ch = 0; ch < c->channels; ch++)
      for (int64_t i = 0; i < area; i++) out[(o * c->channels + ch) * area + i] = w[(o * area + i) * c->channels + ch];
  free(w);
  return out;
}

static void pointwise_pairs_are_exact_where_channels_repeat(void **state) {
  (void)state;
  int looked_at = 0;
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    const conv_case *c = &convs[i];
    if (c->kernel_h * c->kernel_w < 2 || c->channels < 3) continue;
    bench b;
    float *weight = thin_weight(c, 2);
    bench_open(&b, conv_model(c, weight), 4, DIMS(60, c->channels, c->height, c->width));
    const rg_basis *basis = &b.bases[0][RG_FORM_POINTWISE];
    assert_true(basis->max_rank >= 2);
    assert_true(basis->tail[1] > 0.01 * basis->tail[0]);
    assert_true(basis->tail[2] < 1e-6 * basis->tail[0]);
    double distance = distance_after(&b, RG_FORM_POINTWISE, 2, 4, DIMS(3, c->channels, c->height, c->width));
    if (!(distance < 2e-5)) fail_msg("convolution %zu: the pointwise pair differs by %g", i, distance);
    looked_at++;
    bench_close(&b);
    free(weight);
  }
  assert_int_equal(looked_at, 6);
}

/* Wide enough for Tucker's form: channels of rank 4 in, and all outputs combinations of 3. */
static void tucker_is_exact_for_its_ranks_and_says_its_error_otherwise(void **state) {
  (void)state;
  const conv_case c = {48, 10, 3, 3, 7, 9, {2, 1}, {1, 0, 1, 2}, {1, 1}, NULL, true};
  float *thin = thin_weight(&(conv_case){c.channels, 3, 3, 3, 7, 9, {1, 1}, {0}, {1, 1}, NULL, true}, 4);
  float *mix = low_rank_matrix(c.outputs, 3, 3, 31), *weight = calloc(10 * 48 * 9, sizeof *weight);
  for (int o = 0; o < 10; o++)
    for (int k = 0; k < 3; k++)
      for (int i = 0; i < 48 * 9; i++) weight[o * 48 * 9 + i] += mix[o * 3 + k] * thin[k * 48 * 9 + i];
  bench b;
  bench_open(&b, conv_model(&c, weight), 4, DIMS(200, c.channels, c.height, c.width));
  const rg_basis *basis = &b.bases[0][RG_FORM_TUCKER];
  int64_t at = -1;
  for (int64_t i = 0; i < basis->grid_count; i++)
    if (basis->grid[i] == 4) at = i;
  assert_true(at >= 0);
  const double *tail = basis->grid_tails + at * (c.outputs + 1);
  assert_true(tail[2] > 0.001 * tail[0] && tail[3] < 1e-5 * tail[0]);
  rango_tensor *before = model_run(b.model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
  for (int rank2 = 1; rank2 <= 3; rank2++) {
    rg_candidate choice = {.form = RG_FORM_TUCKER, .rank = 4, .rank2 = rank2};
    rg_factors factors;
    rango_model *small = bench_compress(&b, &choice, &factors);
    assert_int_equal(rg_model_places(small), 3);
    rango_tensor *after = model_run(small, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
    double measured = relative_error(after, before), predicted = sqrt(tail[rank2] / tail[0]);
    if (!(fabs(measured - predicted) < 2e-3 * predicted + 1e-3))
      fail_msg("rank %d: measured %g, predicted %g", rank2, measured, predicted);
    rango_tensor_free(after);
    rg_factors_free(&factors);
    rango_model_free(small);
  }
  rango_tensor_free(before);
  bench_close(&b);
  free(thin);
  free(mix);
  free(weight);
}

static void one_dimensional_convolutions(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 3, DIMS(-1, 4, 30));
  rg_value *w = model_weights(model->graph, "w", 0.3, 3, DIMS(6, 4, 5));
  rg_value *y = model_node(model->graph, "Conv", x, w, NULL, NULL);
  check_ok(rg_node_set_ints(y->producer, "strides", DIMS(2), 1));
  check_ok(rg_node_set_ints(y->producer, "pads", DIMS(3, 1), 2));
  check_ok(rg_node_set_ints(y->producer, "dilations", DIMS(2), 1));
  finish(model, y);
  bench b;
  bench_open(&b, model, 3, DIMS(30, 4, 30));
  assert_int_equal(b.bases[0][RG_FORM_SPATIAL].max_rank, 0);
  double distance = distance_after(&b, RG_FORM_PAIR, 6, 3, DIMS(2, 4, 30));
  if (!(distance < 1e-5)) fail_msg("the pair differs by %g", distance);
  bench_close(&b);
}

static void gemms_of_every_kind(void **state) {
  (void)state;
  for (int kind = 0; kind < 16; kind++) {
    bool transposed = kind & 1, bias = kind & 2, scaled = kind & 4, wide = kind & 8;
    int64_t m = wide ? 7 : 12, n = wide ? 12 : 7;
    rango_model *model = model_new();
    rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, m));
    rg_value *w = model_weights(model->graph, "w", 0.4, 2, transposed ? DIMS(n, m) : DIMS(m, n));
    rg_value *c = bias ? model_weights(model->graph, "c", 1, 1, DIMS(kind == 6 ? 1 : n)) : NULL;
    rg_value *y = model_node(model->graph, "Gemm", x, w, c, NULL);
    check_ok(rg_node_set_int(y->producer, "transB", transposed));
    if (scaled) check_ok(rg_node_set_float(y->producer, "alpha", 0.5f));
    if (scaled) check_ok(rg_node_set_float(y->producer, "beta", -2));
    finish(model, y);
    bench b;
    bench_open(&b, model, 2, DIMS(200, m));
    double distance = distance_after(&b, RG_FORM_PAIR, 7, 2, DIMS(5, m));
    if (!(distance < 1e-5)) fail_msg("Gemm %d: the pair differs by %g", kind, distance);
    bench_close(&b);
  }
}

static void matmuls_with_and_without_bias(void **state) {
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    rango_model *model = model_new();
    rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 3, DIMS(-1, 4, 10));
    rg_value *w = model_weights(model->graph, "w", 0.4, 2, DIMS(10, 6));
    rg_value *y = model_node(model->graph, "MatMul", x, w, NULL, NULL);
    rg_value *b = model_weights(model->graph, "b", 1, 1, DIMS(6));
    if (kind == 1) y = model_node(model->graph, "Add", y, b, NULL, NULL);
    if (kind == 2) y = model_node(model->graph, "Add", b, y, NULL, NULL);
    if (kind == 3) y = model_node(model->graph, "Relu", y, NULL, NULL, NULL);
    finish(model, y);
    bench c;
    bench_open(&c, model, 3, DIMS(60, 4, 10));
    assert_int_equal(c.sites.items[0].end - c.sites.items[0].begin, kind == 1 || kind == 2 ? 2 : 1);
    double distance = distance_after(&c, RG_FORM_PAIR, 6, 3, DIMS(2, 4, 10));
    if (!(distance < 1e-5)) fail_msg("MatMul %d: the pair differs by %g", kind, distance);
    bench_close(&c);
  }
}

/* On the rows that it was fitted to, the error is the tail of the spectrum, for every form. */
static void error_is_what_the_tail_says(void **state) {
  (void)state;
  const conv_case *c = &convs[0];
  bench b;
  bench_open(&b, conv_model(c, NULL), 4, DIMS(40, c->channels, c->height, c->width));
  rango_tensor *before = model_run(b.model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
  for (int form = RG_FORM_PAIR; form <= RG_FORM_POINTWISE; form++) {
    const rg_basis *basis = &b.bases[0][form];
    for (int64_t rank = 1; rank <= 4 && rank <= basis->max_rank; rank++) {
      rg_candidate choice = {.form = (rg_form)form, .rank = (int)rank};
      rg_factors factors;
      rango_model *small = bench_compress(&b, &choice, &factors);
      rango_tensor *after = model_run(small, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
      double measured = relative_error(after, before), predicted = sqrt(basis->tail[rank] / basis->tail[0]);
      if (!(fabs(measured - predicted) < 1e-3 * predicted))
        fail_msg("form %d, rank %d: measured %g, predicted %g", form, (int)rank, measured, predicted);
      assert_true(fabs(factors.error - predicted) < 1e-3 * predicted);
      rango_tensor_free(after);
      rg_factors_free(&factors);
      rango_model_free(small);
    }
    for (int64_t rank = 1; rank <= basis->max_rank; rank++)
      assert_true(basis->tail[rank] <= basis->tail[rank - 1] + 1e-12 * basis->tail[0]);
  }
  rango_tensor_free(before);
  bench_close(&b);
}

/* Behind a factored layer the second one answers the first one's error: better than fitting it to the original's
 * inputs. */
static void later_layers_answer_earlier_errors(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 20));
  rg_value *w1 = model_weights(model->graph, "w1", 0.3, 2, DIMS(20, 30));
  rg_value *h = model_node(model->graph, "Gemm", x, w1, model_weights(model->graph, "b1", 0.5, 1, DIMS(30)), NULL);
  h = model_node(model->graph, "Relu", h, NULL, NULL, NULL);
  rg_value *w2 = model_weights(model->graph, "w2", 0.3, 2, DIMS(30, 10));
  finish(model, model_node(model->graph, "Gemm", h, w2, model_weights(model->graph, "b2", 0.5, 1, DIMS(10)), NULL));
  bench b;
  bench_open(&b, model, 2, DIMS(2000, 20));
  rg_candidate choices[2] = {{.form = RG_FORM_PAIR, .rank = 8}, {.form = RG_FORM_PAIR, .rank = 9}};
  rg_factors together[2], alone[2];
  rango_model *sequential = bench_compress(&b, choices, together);
  /* The second layer fitted to clean inputs: first layer dense. */
  rg_candidate second[2] = {{.form = RG_FORM_DENSE}, choices[1]};
  rango_model *unused = bench_compress(&b, second, alone);
  rg_factors mixed[2] = {together[0], alone[1]};
  rango_model *independent = NULL;
  check_ok(rg_rewrite_model(b.model, &b.sites, mixed, &independent));
  rango_tensor *x0 = tensor_random(RANGO_FLOAT32, 2, DIMS(500, 20), 5);
  const rango_tensor *const inputs[] = {x0};
  rango_tensor *truth = model_run(b.model, RANGO_DEVICE_REFERENCE, inputs, 1);
  rango_tensor *y1 = model_run(sequential, RANGO_DEVICE_REFERENCE, inputs, 1);
  rango_tensor *y2 = model_run(independent, RANGO_DEVICE_REFERENCE, inputs, 1);
  assert_true(relative_error(y1, truth) < 0.99 * relative_error(y2, truth));
  rango_tensor *tensors[] = {x0, truth, y1, y2};
  for (int i = 0; i < 4; i++) rango_tensor_free(tensors[i]);
  for (int i = 0; i < 2; i++) {
    rg_factors_free(&together[i]);
    rg_factors_free(&alone[i]);
  }
  rango_model_free(sequential);
  rango_model_free(unused);
  rango_model_free(independent);
  bench_close(&b);
}

/* What may not be touched. */
static void other_layers_are_left_alone(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 8));
  rg_value *shared = model_weights(g, "shared", 0.3, 2, DIMS(8, 8));
  rg_value *a = model_node(g, "MatMul", x, shared, NULL, NULL);
  rg_value *b = model_node(g, "MatMul", a, shared, NULL, NULL);
  rg_value *gram = model_node(g, "MatMul", b, model_node(g, "Transpose", a, NULL, NULL, NULL), NULL, NULL);
  rg_value *y = model_node(g, "Gemm", x, model_weights(g, "w", 0.3, 2, DIMS(8, 8)), NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "transA", 1));
  rg_value *image = model_input(g, "image", RANGO_FLOAT32, 4, DIMS(-1, 4, 6, 6));
  rg_value *grouped = model_node(g, "Conv", image, model_weights(g, "k", 0.3, 4, DIMS(4, 1, 3, 3)), NULL, NULL);
  check_ok(rg_node_set_int(grouped->producer, "group", 4));
  check_ok(rg_graph_add_output(g, y));
  check_ok(rg_graph_add_output(g, grouped));
  finish(model, gram);
  check_no_sites(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_of_convolutions_are_exact_at_full_rank),
      cmocka_unit_test(spatial_pairs_are_exact_for_separable_kernels),
      cmocka_unit_test(pointwise_pairs_are_exact_where_channels_repeat),
      cmocka_unit_test(tucker_is_exact_for_its_ranks_and_says_its_error_otherwise),
      cmocka_unit_test(one_dimensional_convolutions),
      cmocka_unit_test(gemms_of_every_kind),
      cmocka_unit_test(matmuls_with_and_without_bias),
      cmocka_unit_test(error_is_what_the_tail_says),
      cmocka_unit_test(later_layers_answer_earlier_errors),
      cmocka_unit_test(other_layers_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
