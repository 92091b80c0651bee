/* Layouts: few transpositions, at the right places, and none where an operator reads either. */
#include "cpu/cpu.h"
#include "passes/lower/min_cut.h"
#include "passes/lower_model.h"

static rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}
static rg_value *op1(rg_graph *g, const char *op, rg_value *a) { return model_node(g, op, a, NULL, NULL, NULL); }

static rg_value *conv(rg_graph *g, rg_value *x, const char *name, int64_t in, int64_t out) {
  rg_value *y = op2(g, "Conv", x, model_weights(g, name, 0.2, 4, DIMS(out, in, 3, 3)));
  check_ok(rg_node_set_ints(y->producer, "pads", DIMS(1, 1, 1, 1), 4));
  return y;
}

static rg_value *transpose(rg_graph *g, rg_value *x, const int64_t *perm) {
  rg_value *y = op1(g, "Transpose", x);
  check_ok(rg_node_set_ints(y->producer, "perm", perm, 4));
  return y;
}

static rango_model *start(int64_t channels, rg_value **x) {
  rango_model *model = model_new();
  *x = model_input(model->graph, "x", RANGO_FLOAT32, 4, DIMS(-1, channels, 10, 11));
  return model;
}

static void check_layouts(rango_model *model, rg_value *output, int64_t channels, int layouts) {
  check_ok(rg_graph_add_output(model->graph, output));
  assert_int_equal(lowered_count(model, "Layout"), layouts);
  check_same(model, 4, DIMS(2, channels, 10, 11));
  rango_model_free(model);
}

/* Few channels are read as they come; the chain stays channels-last up to the Reshape. */
static void test_chain(void **state) {
  rg_value *x;
  rango_model *model = start(3, &x);
  rg_graph *g = model->graph;
  rg_value *y = conv(g, op1(g, "Relu", conv(g, x, "a", 3, 8)), "b", 8, 16);
  y = op2(g, "Reshape", op1(g, "Softplus", y), model_ints(g, 2, DIMS(0, -1)));
  check_layouts(model, y, 3, 1);
}

static void test_many_channels_in(void **state) {
  rg_value *x;
  rango_model *model = start(12, &x);
  rg_graph *g = model->graph;
  /* The second, of one position, is only a name: the plan makes no step of it. */
  check_layouts(model, op1(g, "GlobalAveragePool", conv(g, x, "a", 12, 8)), 12, 2);
}

/* Both branches of a residual network stay channels-last: in and out alone are turned. */
static void test_residual(void **state) {
  rg_value *x;
  rango_model *model = start(12, &x);
  rg_graph *g = model->graph;
  rg_value *a = op1(g, "Relu", conv(g, x, "a", 12, 16));
  rg_value *b = op1(g, "Relu", op2(g, "Add", conv(g, a, "b", 16, 16), a));
  rg_value *c = op2(g, "Mul", op1(g, "Sigmoid", b), conv(g, b, "c", 16, 16));
  check_layouts(model, c, 12, 2);
}

/* Two convolutions read one value: it is turned once. */
static void test_shared_input(void **state) {
  rg_value *x;
  rango_model *model = start(12, &x);
  rg_graph *g = model->graph;
  rg_value *sum = op2(g, "Mul", conv(g, x, "a", 12, 8), conv(g, x, "b", 12, 8));
  check_layouts(model, sum, 12, 2);
}

/* The cheap place: before the upsampling's small input, not after its large output. */
static void test_cheapest_edge(void **state) {
  rg_value *x;
  rango_model *model = start(4, &x);
  rg_graph *g = model->graph;
  rg_value *y = conv(g, x, "a", 4, 16);
  rg_value *pooled = op1(g, "MaxPool", y);
  check_ok(rg_node_set_ints(pooled->producer, "kernel_shape", DIMS(2, 2), 2));
  check_ok(rg_node_set_ints(pooled->producer, "strides", DIMS(2, 2), 2));
  rg_value *out = op2(g, "Reshape", op1(g, "Relu", pooled), model_ints(g, 3, DIMS(0, 4, -1)));
  check_ok(rg_graph_add_output(g, out));
  rango_model *low = lowered(model);
  rg_node *layout = model_find(low, "Layout");
  assert_int_equal(model_count(low, "Layout"), 1);
  assert_string_not_equal(layout->inputs[0]->producer->op, "Conv"); /* after the pool: a quarter of the elements */
  rango_model_free(low);
  check_same(model, 4, DIMS(2, 4, 10, 11));
  rango_model_free(model);
}

/* A Transpose to channels-last of a channels-last value costs nothing, and the other way round. */
static void test_transposes_are_views(void **state) {
  rg_value *x;
  rango_model *model = start(4, &x);
  rg_graph *g = model->graph;
  rg_value *last = transpose(g, conv(g, x, "a", 4, 8), DIMS(0, 2, 3, 1));
  rg_value *first = transpose(g, op1(g, "Exp", last), DIMS(0, 3, 1, 2));
  check_layouts(model, transpose(g, conv(g, first, "b", 8, 6), DIMS(0, 2, 3, 1)), 4, 0);
}

static void test_other_transpose(void **state) {
  rg_value *x;
  rango_model *model = start(4, &x);
  rg_graph *g = model->graph;
  check_layouts(model, transpose(g, conv(g, x, "a", 4, 8), DIMS(0, 3, 2, 1)), 4, 1);
}

/* Networks without images keep their layout. */
static void test_no_images(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, 5, 24));
  check_ok(rg_graph_add_output(g, op2(g, "Mul", op1(g, "Sigmoid", x), op1(g, "Exp", x))));
  rango_model *low = lowered(model);
  assert_int_equal(model_count(low, "Layout"), 0);
  for (size_t i = 0; i < low->graph->values.count; i++)
    assert_int_equal(low->graph->values.items[i]->layout, RG_ROW_MAJOR);
  rango_model_free(low);
  rango_model_free(model);
}

/* ---- the cut, against all ways of cutting ---- */

#define VERTICES 9

static int64_t cut_cost(const int64_t cost[VERTICES][VERTICES], unsigned side) {
  int64_t total = 0;
  for (int a = 0; a < VERTICES; a++)
    for (int b = 0; b < VERTICES; b++)
      if ((side >> a & 1) && !(side >> b & 1)) total += cost[a][b];
  return total;
}

static void random_cut(rg_random *random) {
  rg_cut cut = {0};
  int64_t cost[VERTICES][VERTICES] = {{0}};
  bool source_side[VERTICES];
  int vertex;
  for (int i = 0; i < VERTICES; i++) check_ok(rg_cut_add_vertex(&cut, &vertex));
  for (int a = 0; a < VERTICES; a++)
    for (int b = 0; b < VERTICES; b++) {
      if (a == b || rg_random_below(random, 3) > 0) continue;
      cost[a][b] = (int64_t)rg_random_below(random, 20);
      check_ok(rg_cut_add_edge(&cut, a, b, cost[a][b]));
    }
  check_ok(rg_cut_solve(&cut, source_side));
  unsigned found = 0;
  int64_t best = INT64_MAX;
  for (int i = 0; i < VERTICES; i++) found |= (unsigned)source_side[i] << i;
  for (unsigned side = 1; side < 1u << VERTICES; side += 2) { /* vertex 0 in, vertex 1 out */
    if (side & 2) continue;
    int64_t total = cut_cost(cost, side);
    if (total < best) best = total;
  }
  assert_int_equal(found & 3, 1);
  assert_int_equal(cut_cost(cost, found), best);
  rg_cut_clear(&cut);
}

static void test_min_cut(void **state) {
  rg_random random;
  rg_random_seed(&random, 17);
  for (int i = 0; i < 300; i++) random_cut(&random);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chain),           cmocka_unit_test(test_many_channels_in),
      cmocka_unit_test(test_residual),        cmocka_unit_test(test_shared_input),
      cmocka_unit_test(test_cheapest_edge),   cmocka_unit_test(test_transposes_are_views),
      cmocka_unit_test(test_other_transpose), cmocka_unit_test(test_no_images),
      cmocka_unit_test(test_min_cut)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
