/* Layers whose outputs are cut in parts: a pair for all of them or one for each, exact at full rank, and chosen by what
 * the parts have in common. */
#include "compress/networks.h"

enum { ROWS = 400, INPUTS = 24, EACH = 16, PARTS = 3, OUTPUTS = PARTS * EACH };

typedef enum cut { CUT_SPLIT, CUT_SLICES, CUT_RESHAPE, CUT_NOT } cut;

/* q * k + v of a value cut in three. */
static rg_value *combine(rg_graph *g, rg_value *y, cut kind) {
  rg_value *parts[PARTS];
  rg_node *node;
  if (kind == CUT_SPLIT) {
    check_ok(rg_graph_add_node(g, NULL, "Split", "", MODEL_OPSET, 1, PARTS, &node));
    check_ok(rg_node_set_input(node, 0, y));
    check_ok(rg_node_set_int(node, "axis", -1));
    if (MODEL_OPSET >= 18) check_ok(rg_node_set_int(node, "num_outputs", PARTS));
    for (int i = 0; i < PARTS; i++) {
      check_ok(rg_graph_add_value(g, NULL, &parts[i]));
      rg_node_set_output(node, i, parts[i]);
    }
  } else if (kind == CUT_SLICES) {
    for (int64_t i = 0; i < PARTS; i++)
      parts[i] = model_node(g, "Slice", y, model_ints(g, 1, DIMS(i * EACH)), model_ints(g, 1, DIMS((i + 1) * EACH)),
                            model_ints(g, 1, DIMS(-1)));
  } else {
    y = model_node(g, "Reshape", y, model_ints(g, 5, DIMS(0, -1, PARTS, 2, EACH / 2)), NULL, NULL);
    y = model_node(g, "Transpose", y, NULL, NULL, NULL);
    check_ok(rg_node_set_ints(y->producer, "perm", DIMS(2, 0, 3, 1, 4), 5));
    for (int64_t i = 0; i < PARTS; i++) parts[i] = model_node(g, "Gather", y, model_ints(g, 1, DIMS(i)), NULL, NULL);
  }
  return model_node(g, "Add", model_node(g, "Mul", parts[0], parts[1], NULL, NULL), parts[2], NULL, NULL);
}

/* x -> Gemm, or MatMul and Add -> three parts. */
static rango_model *network(const float *w, bool gemm, cut kind) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *bias = model_weights(g, "b", 0.5, 1, DIMS(OUTPUTS)), *y;
  rg_value *weight = constant(g, "w", 2, DIMS(INPUTS, OUTPUTS), w);
  if (gemm) {
    y = model_node(g, "Gemm", model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, INPUTS)), weight, bias, NULL);
  } else {
    rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, 5, INPUTS));
    y = model_node(g, "Add", model_node(g, "MatMul", x, weight, NULL, NULL), bias, NULL, NULL);
  }
  finish(model, kind == CUT_NOT ? model_node(g, "Relu", y, NULL, NULL, NULL) : combine(g, y, kind));
  return model;
}

/* `refit`: with both factors fitted on the data, otherwise the second behind the basis's first. */
static void check_exact(bool gemm, cut kind, bool refit) {
  float *w = low_rank_matrix(INPUTS, OUTPUTS, INPUTS, 3);
  bench b;
  bench_open_in(&b, network(w, gemm, kind), gemm ? 2 : 3, gemm ? DIMS(ROWS, INPUTS) : DIMS(ROWS / 5, 5, INPUTS), true);
  b.calibration.refit_columns = refit ? INPUTS : 0;
  assert_int_equal(b.sites.count, 1);
  assert_int_equal(b.sites.items[0].parts, PARTS);
  const rg_basis *split = &b.bases[0][RG_FORM_SPLIT];
  assert_int_equal(split->max_rank, OUTPUTS);
  assert_true(fabs(split->tail[0] / b.bases[0][RG_FORM_PAIR].tail[0] - 1) < 1e-3);
  for (int rank = OUTPUTS; rank >= 7; rank -= OUTPUTS - 7) {
    rg_candidate choice = {.form = RG_FORM_SPLIT, .rank = rank};
    rg_factors factors;
    rango_model *small = bench_compress(&b, &choice, &factors);
    rango_tensor *before = model_run(b.model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){b.rows}, 1);
    rango_tensor *after = model_run(small, RANGO_DEVICE_CPU, (const rango_tensor *const[]){b.rows}, 1);
    double error = tensor_distance(after, before);
    if ((error < 1e-4) != (rank == OUTPUTS)) fail_msg("%d, %d: %g at rank %d", gemm, (int)kind, error, rank);
    assert_int_equal(model_count(small, "Concat"), kind != CUT_SPLIT); /* a Split is what the parts are made for */
    assert_int_equal(model_count(small, "MatMul"), 1 + PARTS);
    rango_tensor_free(before);
    rango_tensor_free(after);
    rango_model_free(small);
    rg_factors_free(&factors);
  }
  bench_close(&b);
  free(w);
}

static void parts_are_exact_at_full_rank(void **state) {
  (void)state;
  for (int kind = CUT_SPLIT; kind < CUT_NOT; kind++) check_exact(false, (cut)kind, kind == CUT_SPLIT);
  check_exact(true, CUT_SPLIT, false);
  check_exact(true, CUT_SLICES, true);
}

static void other_layers_have_no_parts(void **state) {
  (void)state;
  float *w = low_rank_matrix(INPUTS, OUTPUTS, INPUTS, 3);
  bench b;
  bench_open(&b, network(w, true, CUT_NOT), 2, DIMS(ROWS, INPUTS));
  assert_int_equal(b.sites.items[0].parts, 1);
  assert_int_equal(b.bases[0][RG_FORM_SPLIT].max_rank, 0);
  bench_close(&b);
  free(w);
}

/* Mean of e' G e over the rows, e what the basis's first `rank` directions leave out, with G = L L'. */
static double left_out(const bench *b, int64_t rank) {
  const rg_basis *basis = &b->bases[0][RG_FORM_SPLIT];
  const rg_site *site = &b->sites.items[0];
  const double *l = b->statistics[0].metric;
  double sum = 0, mean[INPUTS] = {0};
  const float *x = b->rows->data;
  for (int i = 0; i < ROWS * INPUTS; i++) mean[i % INPUTS] += x[i] / (double)ROWS;
  for (int row = 0; row < ROWS; row++) {
    double e[OUTPUTS] = {0};
    for (int i = 0; i < INPUTS; i++) {
      double centred = x[row * INPUTS + i] - mean[i];
      for (int j = 0; j < OUTPUTS; j++) {
        e[j] += site->matrix[j * INPUTS + i] * centred;
        for (int64_t r = 0; r < rank; r++)
          e[j] -= (double)basis->second[r * OUTPUTS + j] * basis->first[r * INPUTS + i] * centred;
      }
    }
    for (int k = 0; k < OUTPUTS; k++) {
      double along = 0;
      for (int j = k; j < OUTPUTS; j++) along += l[j * OUTPUTS + k] * e[j];
      sum += along * along / ROWS;
    }
  }
  return sum;
}

static void errors_are_as_predicted(void **state) {
  (void)state;
  float *w = low_rank_matrix(INPUTS, OUTPUTS, INPUTS, 3);
  bench b;
  bench_open_in(&b, network(w, true, CUT_SPLIT), 2, DIMS(ROWS, INPUTS), true);
  for (int64_t rank = 0; rank <= 30; rank += 10) {
    double predicted = b.bases[0][RG_FORM_SPLIT].tail[rank], found = left_out(&b, rank);
    if (!(fabs(predicted - found) < 1e-3 * found))
      fail_msg("rank %lld: %g, found %g", (long long)rank, predicted, found);
  }
  bench_close(&b);
  free(w);
}

/* [inputs][outputs] whose parts have rank 2 each: of directions that are one another's, or the parts' own. */
static float *planted(bool shared) {
  float *w = calloc((size_t)INPUTS * OUTPUTS, sizeof *w);
  for (int part = 0; part < PARTS; part++) {
    float *first = low_rank_matrix(INPUTS, 2, 2, shared ? 40 : 50 + (uint64_t)part);
    float *second = low_rank_matrix(2, EACH, 2, 60 + (uint64_t)part);
    for (int i = 0; i < INPUTS; i++)
      for (int j = 0; j < EACH; j++)
        for (int r = 0; r < 2; r++) w[i * OUTPUTS + part * EACH + j] += first[i * 2 + r] * second[r * EACH + j];
    free(first);
    free(second);
  }
  return w;
}

/* Compresses the model, which reads [rows][INPUTS], to a thousandth of relative error. */
static rango_compression *compress(rango_model *model, int refine) {
  rango_tensor *rows = tensor_random(RANGO_FLOAT32, 2, DIMS(ROWS, INPUTS), 17);
  rango_dataset *data;
  rango_compression *result;
  rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){rows}, 1, &data));
  options.calib = data;
  options.budget = RANGO_BUDGET_MAX_OUTPUT_ERROR;
  options.budget_value = 1e-3;
  options.objective = RANGO_OBJECTIVE_PARAMS;
  options.threads = 1;
  options.refine = refine;
  check_ok(rango_compress(model, &options, &result));
  rango_dataset_free(data);
  rango_tensor_free(rows);
  return result;
}

static void the_better_form_is_chosen(void **state) {
  (void)state;
  for (int shared = 0; shared < 2; shared++) {
    float *w = planted(shared);
    rango_model *model = network(w, true, CUT_SPLIT);
    rango_compression *result = compress(model, 0);
    const rango_compressed_layer *layer = rango_compression_layer(result, 0);
    assert_string_equal(layer->form, shared ? "pair" : "split");
    assert_int_equal(layer->ranks[0], shared ? 2 : 2 * PARTS);
    assert_int_equal(layer->params_after, shared ? 2 * (INPUTS + OUTPUTS) + OUTPUTS : 6 * (INPUTS + EACH) + OUTPUTS);
    rango_compress_summary summary = {.struct_size = sizeof summary};
    check_ok(rango_compression_summary(result, &summary));
    assert_int_equal(summary.params_after, layer->params_after);
    assert_true(summary.metric_after < 1e-3);
    rango_compression_free(result);
    rango_model_free(model);
    free(w);
  }
}

/* ---- products of one input ---- */

/* x -> three MatMuls, each with its bias or (biased false) none. */
static rango_model *three_products(const float *w, bool biased) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, INPUTS)), *parts[PARTS];
  for (int part = 0; part < PARTS; part++) {
    float own[INPUTS * EACH];
    for (int i = 0; i < INPUTS * EACH; i++) own[i] = w[i / EACH * OUTPUTS + part * EACH + i % EACH];
    parts[part] = model_node(g, "MatMul", x, constant(g, "w", 2, DIMS(INPUTS, EACH), own), NULL, NULL);
    if (biased) parts[part] = model_node(g, "Add", model_weights(g, "b", 0.5, 1, DIMS(EACH)), parts[part], NULL, NULL);
  }
  finish(model, model_node(g, "Add", model_node(g, "Mul", parts[0], parts[1], NULL, NULL), parts[2], NULL, NULL));
  return model;
}

static rango_model *run_choice(bench *b, rg_candidate choice, const rango_tensor *truth) {
  rg_factors factors;
  rango_model *small = bench_compress(b, &choice, &factors);
  rango_tensor *after = model_run(small, RANGO_DEVICE_CPU, (const rango_tensor *const[]){b->rows}, 1);
  double error = tensor_distance(after, truth);
  if (!(error < 1e-4)) fail_msg("form %d: %g", (int)choice.form, error);
  rango_tensor_free(after);
  rg_factors_free(&factors);
  return small;
}

/* Merged, factored without a loss in either form, and taken apart again: always the same function. */
static void products_of_one_input_are_one_layer(void **state) {
  (void)state;
  for (int biased = 0; biased < 2; biased++) {
    float *w = low_rank_matrix(INPUTS, OUTPUTS, INPUTS, 3);
    rango_model *model = three_products(w, biased);
    rango_tensor *rows = tensor_random(RANGO_FLOAT32, 2, DIMS(ROWS, INPUTS), 17);
    rango_tensor *truth = model_run(model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){rows}, 1);
    rg_merged merged;
    check_ok(rg_merge_products(model, &merged));
    assert_int_equal(merged.count, 1);
    assert_int_equal(model_count(model, "MatMul"), 1);
    bench b;
    bench_open_rows(&b, model, rows, false);
    assert_int_equal(b.sites.count, 1);
    assert_int_equal(b.sites.items[0].parts, PARTS);
    assert_true(rg_is_merged(&merged, b.sites.items[0].node));
    b.sites.items[0].merged = true;
    rango_model *split = run_choice(&b, (rg_candidate){.form = RG_FORM_SPLIT, .rank = OUTPUTS}, truth);
    rango_model *pair = run_choice(&b, (rg_candidate){.form = RG_FORM_PAIR, .rank = INPUTS}, truth);
    rango_model *dense = run_choice(&b, (rg_candidate){.form = RG_FORM_DENSE}, truth);
    assert_int_equal(model_count(split, "Concat"), 0); /* the parts go straight to who reads them */
    assert_int_equal(model_count(split, "Split"), 1);
    assert_int_equal(model_count(pair, "MatMul"), 2);
    assert_int_equal(model_count(dense, "MatMul"), PARTS);
    assert_int_equal(model_count(dense, "Split"), 0);
    rango_model_free(split);
    rango_model_free(pair);
    rango_model_free(dense);
    rg_merged_free(&merged);
    rango_tensor_free(truth);
    bench_close(&b);
    free(w);
  }
}

/* Not where there are many, shapes differ, or a weight is shared. */
static void others_are_not_merged(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    rango_model *model = model_new();
    rg_graph *g = model->graph;
    rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 12)), *sum = NULL;
    rg_value *w = model_weights(g, "w", 0.3, 2, DIMS(12, 8));
    for (int i = 0; i < (kind == 0 ? RG_PARTS_MAX + 1 : 2); i++) {
      if (kind < 2) w = model_weights(g, "w", 0.3, 2, DIMS(12, kind == 1 && i ? 1 : 8));
      rg_value *y = model_node(g, "MatMul", x, w, NULL, NULL);
      sum = sum ? model_node(g, "Add", sum, y, NULL, NULL) : y;
    }
    finish(model, sum);
    rg_merged merged;
    check_ok(rg_merge_products(model, &merged));
    assert_int_equal(merged.count, 0);
    rango_model_free(model);
  }
}

/* The whole way: one layer with a name of all, and only what pays. */
static void shared_factors_are_found(void **state) {
  (void)state;
  for (int shared = 0; shared < 2; shared++) {
    float *w = planted(shared);
    rango_model *model = three_products(w, true);
    rango_compression *result = compress(model, 1);
    assert_string_equal(rango_compression_layer(result, 0)->form, shared ? "pair" : "split");
    assert_non_null(strstr(rango_compression_layer(result, 0)->name, " + "));
    assert_null(rango_compression_layer(result, 1));
    rango_compression_free(result);
    rango_model_free(model);
    free(w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_are_exact_at_full_rank),
      cmocka_unit_test(other_layers_have_no_parts),
      cmocka_unit_test(errors_are_as_predicted),
      cmocka_unit_test(the_better_form_is_chosen),
      cmocka_unit_test(products_of_one_input_are_one_layer),
      cmocka_unit_test(others_are_not_merged),
      cmocka_unit_test(shared_factors_are_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
