/* Embedding tables: exact at full rank, the error that a weighted decomposition must have, and what is left alone. */
#include "compress/networks.h"

#define TOKENS 300
#define WIDTH  6
#define LENGTH 5
#define ROWS   64

/* Indices of [rows][length] below `below`, the last ones of each row 0 where `padded`. */
static rango_tensor *tokens(int64_t rows, int64_t below, int padded, uint64_t seed) {
  rango_tensor *out;
  rg_random random;
  rg_random_seed(&random, seed);
  check_ok(rango_tensor_create(RANGO_INT64, 2, DIMS(rows, LENGTH), &out));
  int64_t *ids = out->data;
  for (int64_t i = 0; i < rows * LENGTH; i++) {
    ids[i] = 1 + (int64_t)rg_random_below(&random, (uint64_t)below - 1);
    if (i % LENGTH >= LENGTH - padded) ids[i] = 0;
  }
  return out;
}

/* sum over the positions that are not padding (mask: != 0) of the table's rows, through a matrix. */
static rango_model *embedding_model(bool computed, bool masked) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *ids = model_input(g, "ids", RANGO_INT64, 2, DIMS(-1, LENGTH)), *used = ids;
  rg_value *table = model_weights(g, "table", 0.5, 2, DIMS(TOKENS, WIDTH));
  if (computed) used = model_node(g, "Abs", ids, NULL, NULL, NULL);
  rg_value *h = model_node(g, "Gather", table, used, NULL, NULL);
  if (masked) {
    rg_value *mask = model_node(g, "Cast", model_node(g, "Cast", ids, NULL, NULL, NULL), NULL, NULL, NULL);
    check_ok(rg_node_set_int(mask->producer->inputs[0]->producer, "to", 9)); /* bool */
    check_ok(rg_node_set_int(mask->producer, "to", 1));
    int64_t last = -1;
    rg_value *axes = model_ints(g, 1, &last);
    h = model_node(g, "Mul", h, model_node(g, "Unsqueeze", mask, axes, NULL, NULL), NULL, NULL);
  }
  rg_value *w = model_weights(g, "w", 0.5, 2, DIMS(WIDTH, 4));
  finish(model, model_node(g, "MatMul", h, w, NULL, NULL));
  return model;
}

static void open_tokens(bench *b, rango_model *model, rango_tensor *rows, bool fisher) {
  bench_open_rows(b, model, rows, fisher);
  assert_int_equal(b->sites.count, 2);
  assert_int_equal(b->sites.items[0].kind, RG_SITE_EMBEDDING);
}

/* Rows that calibration never read as well: indices from the whole table, some counted from its end. */
static void tables_are_exact_at_full_rank(void **state) {
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    bench b;
    open_tokens(&b, embedding_model(kind & 1, false), tokens(ROWS, 100, 0, 3), kind & 2);
    assert_int_equal(b.bases[0][RG_FORM_PAIR].max_rank, WIDTH);
    rg_candidate choices[2] = {{.form = RG_FORM_PAIR, .rank = WIDTH}, {.form = RG_FORM_DENSE}};
    rg_factors factors[2];
    rango_model *small = bench_compress(&b, choices, factors);
    rango_tensor *x = tokens(40, TOKENS, 0, 5);
    if (!(kind & 1)) ((int64_t *)x->data)[7] = -3;
    double difference = output_change(b.model, small, x, tensor_distance);
    if (!(difference < 1e-5)) fail_msg("kind %d: the pair differs by %g", kind, difference);
    rango_tensor_free(x);
    for (int i = 0; i < 2; i++) rg_factors_free(&factors[i]);
    rango_model_free(small);
    bench_close(&b);
  }
}

/* The tail is the best that a rank can do for rows counted as often as they are read, a third of a reading more for
 * each: held against the error of the factors, summed over the table. */
static void the_tail_is_the_error_of_weighted_rows(void **state) {
  (void)state;
  rango_tensor *rows = tokens(ROWS, 50, 0, 3);
  double counts[TOKENS], total = 0;
  for (int i = 0; i < TOKENS; i++) counts[i] = 0.3;
  for (int i = 0; i < ROWS * LENGTH; i++) counts[((const int64_t *)rows->data)[i]]++;
  for (int i = 0; i < TOKENS; i++) total += counts[i];
  bench b;
  open_tokens(&b, embedding_model(false, false), rows, false);
  const rg_basis *basis = &b.bases[0][RG_FORM_PAIR];
  const float *table = b.sites.items[0].weight->data;
  for (int rank = 0; rank <= WIDTH; rank++) {
    rg_factors f = {0};
    double error = 0;
    check_ok(rg_embedding_fit(&b.sites.items[0], &b.statistics[0], basis, rank, &f));
    for (int t = 0; t < TOKENS; t++)
      for (int j = 0; j < WIDTH; j++) {
        double made = f.offset[j];
        for (int r = 0; r < rank; r++) made += (double)f.second[j * rank + r] * f.first[r * TOKENS + t];
        error += counts[t] / total * pow(made - table[t * WIDTH + j], 2);
      }
    if (!(fabs(error - basis->tail[rank]) < 1e-6 * basis->tail[0]))
      fail_msg("rank %d: %g, the tail says %g", rank, error, basis->tail[rank]);
    assert_true(fabs(f.error - sqrt(basis->tail[rank] / basis->tail[0])) < 1e-3);
    rg_factors_free(&f);
  }
  assert_true(basis->tail[2] < basis->tail[1] && basis->tail[1] < basis->tail[0]);
  bench_close(&b);
}

/* Padding behind a mask is read most often, and counts for nothing once derivatives say so. */
static void padding_does_not_count(void **state) {
  (void)state;
  for (int masked = 0; masked < 2; masked++) {
    bench b;
    open_tokens(&b, embedding_model(masked, masked), tokens(ROWS, 100, 3, 3), true);
    double share = b.statistics[0].input_mean[0];
    assert_true(masked ? share == 0 : share > 0.4);
    assert_true(b.statistics[0].input_mean[7] > 0);
    bench_close(&b);
  }
}

static size_t sites_of(rango_model *model) {
  rg_sites sites;
  check_ok(rg_sites_find(model, &sites));
  size_t count = sites.count;
  rg_sites_free(&sites);
  rango_model_free(model);
  return count;
}

static rango_model *one_gather(int64_t rows, int64_t width, int64_t axis, bool twice) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *ids = model_input(g, "ids", RANGO_INT64, 2, DIMS(-1, LENGTH));
  rg_value *table = model_weights(g, "table", 0.5, 2, DIMS(rows, width));
  rg_value *y = model_node(g, "Gather", table, ids, NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "axis", axis));
  if (twice) check_ok(rg_graph_add_output(g, model_node(g, "Gather", table, ids, NULL, NULL)));
  finish(model, y);
  return model;
}

static void other_tables_are_left_alone(void **state) {
  (void)state;
  assert_int_equal(sites_of(one_gather(TOKENS, WIDTH, 0, false)), 1);
  assert_int_equal(sites_of(one_gather(TOKENS, WIDTH, -2, false)), 1);
  assert_int_equal(sites_of(one_gather(TOKENS, WIDTH, 0, true)), 0); /* used twice */
  assert_int_equal(sites_of(one_gather(TOKENS, 260, 1, false)), 0);  /* columns */
  assert_int_equal(sites_of(one_gather(100, WIDTH, 0, false)), 0);   /* short */
  assert_int_equal(sites_of(one_gather(TOKENS, 400, 0, false)), 0);  /* wider than long */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_are_exact_at_full_rank),
      cmocka_unit_test(the_tail_is_the_error_of_weighted_rows),
      cmocka_unit_test(padding_does_not_count),
      cmocka_unit_test(other_tables_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
