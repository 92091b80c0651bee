/* A product with one-hot rows looks rows up. */
#include "passes/lower_model.h"

#define PLACES 9
#define WIDTH  5

typedef struct lookup_case {
  rango_type type; /* of the numbers */
  bool swapped;    /* Equal's operands */
  bool gemm;       /* of two axes, the weight transposed */
  bool bias;
  const char *after; /* an activation, or NULL */
  int64_t first;     /* of the numbers compared with: 0 counts */
  int expected;
} lookup_case;

static rg_value *numbers(rg_graph *g, const lookup_case *c) {
  rango_tensor tensor;
  rg_value *value;
  check_ok(rg_tensor_init(&tensor, c->type, &(rg_shape){c->gemm ? 2 : 3, {1, c->gemm ? PLACES : 1, PLACES}}));
  for (int64_t i = 0; i < PLACES; i++) rg_tensor_set_double(&tensor, i, (double)(c->first + i));
  check_ok(rg_graph_add_constant(g, NULL, &tensor, &value));
  return value;
}

static void check_lookup(const lookup_case *c) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  const int64_t dims[] = {-1, c->gemm ? 1 : 6, 1}, sizes[] = {3, c->gemm ? 1 : 6, 1};
  const int rank = c->gemm ? 2 : 3;
  rg_value *x = model_input(g, "x", c->type, rank, dims), *range = numbers(g, c);
  rg_value *y = model_node(g, "Equal", c->swapped ? range : x, c->swapped ? x : range, NULL, NULL);
  y = model_node(g, "Cast", y, NULL, NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "to", RANGO_FLOAT32));
  if (c->gemm) {
    y = model_node(g, "Gemm", y, model_weights(g, "w", 1, 2, DIMS(WIDTH, PLACES)),
                   c->bias ? model_weights(g, "b", 1, 1, DIMS(WIDTH)) : NULL, NULL);
    check_ok(rg_node_set_int(y->producer, "transB", 1));
  } else {
    y = model_node(g, "MatMul", y, model_weights(g, "w", 1, 2, DIMS(PLACES, WIDTH)), NULL, NULL);
    if (c->bias) y = model_node(g, "Add", y, model_weights(g, "b", 1, 1, DIMS(WIDTH)), NULL, NULL);
  }
  if (c->after) y = model_node(g, c->after, y, NULL, NULL, NULL);
  check_ok(rg_graph_add_output(g, y));
  rango_model *low = lowered(model);
  assert_int_equal(model_count(low, "Lookup"), c->expected);
  assert_int_equal(model_count(low, "Dense"), 1 - c->expected);
  if (c->expected) assert_int_equal(model_count(low, "Equal") + model_count(low, "Cast"), 0);
  rango_tensor *places = tensor_random(c->type, rank, sizes, 1);
  for (int64_t i = 0; i < rango_tensor_count(places); i++)
    rg_tensor_set_double(places, i, (double)(i % (PLACES + 4) - 2)); /* some are beyond both ends */
  model_check_devices(model, (const rango_tensor *[]){places}, 1);
  rango_tensor_free(places);
  rango_model_free(low);
  rango_model_free(model);
}

static void test_forms(void **state) {
  (void)state;
  for (int i = 0; i < 16; i++)
    check_lookup(
        &(lookup_case){i & 1 ? RANGO_INT32 : RANGO_INT64, i & 2, i & 4, i & 8, i % 3 ? "Sigmoid" : NULL, 0, 1});
}

static void test_kept(void **state) {
  (void)state;
  check_lookup(&(lookup_case){RANGO_INT32, false, false, true, NULL, 1, 0});
  check_lookup(&(lookup_case){RANGO_FLOAT32, false, false, true, NULL, 0, 0});
}

/* The same comparison between two lists of numbers is no one-hot row. */
static void test_not_one_place(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_INT32, 3, DIMS(-1, 1, PLACES));
  rg_value *y = model_node(g, "Equal", x, numbers(g, &(lookup_case){.type = RANGO_INT32}), NULL, NULL);
  y = model_node(g, "Cast", y, NULL, NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "to", RANGO_FLOAT32));
  y = model_node(g, "MatMul", y, model_weights(g, "w", 1, 2, DIMS(PLACES, WIDTH)), NULL, NULL);
  check_ok(rg_graph_add_output(g, y));
  assert_int_equal(lowered_count(model, "Lookup"), 0);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_kept),
                                     cmocka_unit_test(test_not_one_place)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
