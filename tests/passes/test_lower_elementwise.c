/* Chains and trees of elementwise operators become one node each, with the same bits as one after the other; what
 * others need stays. */
#include "passes/lower_model.h"

static rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}
static rg_value *op1(rg_graph *g, const char *op, rg_value *a) { return model_node(g, op, a, NULL, NULL, NULL); }

/* The model's nodes after lowering: so many, of these rango.Elementwise, and both devices agree. */
static void check_counts(rango_model *model, rg_value *y, int nodes, int fused, int rank, const int64_t *dims) {
  check_ok(rg_graph_add_output(model->graph, y));
  rango_model *low = lowered(model);
  int count = 0;
  for (const rg_node *node = low->graph->first; node; node = node->next) count++;
  assert_int_equal(count, nodes);
  assert_int_equal(model_count(low, "Elementwise"), fused);
  check_same(model, rank, dims);
  rango_model_free(low);
  rango_model_free(model);
}

/* ((x - scalar) * channel + x) ^ 2, bounded, over a number: seven nodes, the rest of their inputs broadcast. */
static void test_chain(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 6, 20, 30));
  rg_value *y = op2(g, "Sub", x, model_scalar(g, 0.5));
  y = op2(g, "Mul", y, model_weights(g, "channel", 0.5, 3, DIMS(6, 1, 1)));
  y = op2(g, "Pow", op2(g, "Add", x, y), model_scalar(g, 2));
  y = op1(g, "Exp", op1(g, "Neg", model_node(g, "Clip", y, model_scalar(g, 0), model_scalar(g, 3), NULL)));
  check_counts(model, op2(g, "Div", model_scalar(g, 2), y), 1, 1, 4, DIMS(2, 6, 20, 30));
}

/* A tree, whose middle two others read. */
static void test_tree_with_a_shared_result(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(3, 50, 70));
  rg_value *shared = op1(g, "Abs", op2(g, "Add", x, model_weights(g, "row", 1, 1, DIMS(70))));
  rg_value *left = op1(g, "Tanh", shared), *right = op2(g, "Max", shared, model_scalar(g, 0.7));
  check_counts(model, op2(g, "Mul", left, right), 1, 1, 3, DIMS(3, 50, 70));
}

/* A chain for each shape; what one of them ends in is broadcast into the next. */
static void test_other_shapes_stay_apart(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(4, 24));
  rg_value *column = model_node(g, "ReduceMax", x, model_ints(g, 1, DIMS(1)), NULL, NULL);
  column = op1(g, "Exp", op1(g, "Neg", column));
  check_counts(model, op1(g, "Abs", op2(g, "Mul", x, column)), 3, 2, 2, DIMS(4, 24));
}

/* Before an output, before a layer, and where a body of control flow would read it, a result has to be there. */
static void test_what_others_need_stays(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(4, 24));
  rg_value *seen = op1(g, "Abs", op1(g, "Neg", x));
  check_ok(rg_graph_add_output(g, seen));
  rg_value *y = op1(g, "Relu", op2(g, "MatMul", seen, model_weights(g, "w", 0.3, 2, DIMS(24, 24))));
  check_ok(rg_graph_add_output(g, op2(g, "Sub", op1(g, "Exp", op1(g, "Neg", y)), op1(g, "Sqrt", seen))));
  rango_model *low = lowered(model);
  assert_int_equal(model_count(low, "Dense"), 1); /* with its Relu */
  assert_int_equal(model_count(low, "Elementwise"), 2);
  assert_int_equal(model_count(low, "Relu") + model_count(low, "Exp") + model_count(low, "Sqrt"), 0);
  rango_model_free(low);
  rango_model_free(model);
}

/* More steps than one node takes: two. */
static void test_a_long_chain_is_cut(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 1500)), *y = x;
  for (int i = 0; i < 20; i++) y = i % 2 ? op1(g, "Abs", y) : op2(g, "Sub", y, x);
  check_counts(model, y, 2, 2, 2, DIMS(3, 1500));
}

/* Between convolutions, channels-last, with constants a channel. */
static void test_images(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 5, 9, 11));
  rg_value *y = op2(g, "Conv", x, model_weights(g, "w1", 0.2, 4, DIMS(20, 5, 3, 3)));
  rg_value *gate = op1(g, "Tanh", op2(g, "Mul", y, model_weights(g, "a", 0.5, 4, DIMS(1, 20, 1, 1))));
  y = op2(g, "Add", op2(g, "Mul", y, gate), model_weights(g, "b", 0.5, 3, DIMS(20, 1, 1)));
  y = op2(g, "Conv", y, model_weights(g, "w2", 0.2, 4, DIMS(5, 20, 3, 3)));
  check_ok(rg_graph_add_output(g, y));
  rango_model *low = lowered(model);
  rg_node *fused = model_find(low, "Elementwise");
  assert_int_equal(model_count(low, "Elementwise"), 1);
  assert_int_equal(fused->input_count, 3);
  assert_int_equal(fused->outputs[0]->layout, RG_CHANNELS_LAST);
  check_same(model, 4, DIMS(2, 5, 9, 11));
  rango_model_free(low);
  rango_model_free(model);
}

/* ---- random trees ---- */

#define NODES 24

typedef struct tree {
  rango_model *model;
  rg_random random;
  rg_value *x[3], *values[NODES + 3];
  int count;
} tree;

static rg_value *random_operand(tree *t) {
  rg_graph *g = t->model->graph;
  char name[32];
  snprintf(name, sizeof name, "w%d", t->count);
  switch (rg_random_below(&t->random, 8)) {
  case 0:
    return model_scalar(g, 0.25 + rg_random_uniform(&t->random));
  case 1:
    return model_weights(g, name, 1, 3, DIMS(6, 1, 1));
  case 2:
    return model_weights(g, name, 1, 2, DIMS(5, 37));
  case 3:
    return t->x[1 + rg_random_below(&t->random, 2)];
  default:
    return t->values[rg_random_below(&t->random, (uint64_t)t->count)];
  }
}

/* Exp alone could grow without end: of what isn't positive. */
static rg_value *random_node(tree *t) {
  static const char *const functions[] = {"Abs", "Neg", "Relu", "LeakyRelu", "Elu", "Floor", "Erf"};
  static const char *const sums[] = {"Add", "Sub", "Mul", "Min", "Max", "Div", "PRelu"};
  rg_graph *g = t->model->graph;
  const int recent = t->count < 4 ? t->count : 4;
  rg_value *a = t->values[t->count - 1 - (int)rg_random_below(&t->random, (uint64_t)recent)];
  const uint64_t function = rg_random_below(&t->random, 18), sum = rg_random_below(&t->random, 7);
  if (function < 7) return op1(g, functions[function], a);
  if (function < 9) a = op1(g, "Abs", a);
  if (function == 7) return op1(g, "Sqrt", a);
  if (function == 8) return op1(g, "Exp", op1(g, "Neg", a));
  rg_value *b = random_operand(t);
  if (sum == 5) return op2(g, "Div", a, op2(g, "Add", op1(g, "Abs", b), model_scalar(g, 1)));
  const bool turned = sum < 5 && rg_random_below(&t->random, 2);
  return turned ? op2(g, sums[sum], b, a) : op2(g, sums[sum], a, b);
}

static void grow(tree *t, uint64_t seed) {
  *t = (tree){.model = model_new(), .count = 1};
  rg_graph *g = t->model->graph;
  rg_random_seed(&t->random, seed);
  t->x[0] = t->values[0] = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 6, 5, 37));
  t->x[1] = model_input(g, "gate", RANGO_FLOAT32, 4, DIMS(-1, 6, 1, 1));
  t->x[2] = model_input(g, "mask", RANGO_FLOAT32, 3, DIMS(1, 5, 1));
  const int nodes = 3 + (int)rg_random_below(&t->random, NODES - 3);
  while (t->count < nodes) {
    t->values[t->count] = random_node(t);
    t->count++;
  }
  check_ok(rg_graph_add_output(g, t->values[t->count - 1]));
}

/* The first output. */
static rango_tensor *run(const rango_model *model, rango_device device, const rango_tensor *const *inputs) {
  rango_session_options options = {.struct_size = sizeof options, .device = device, .threads = 2};
  rango_session *session;
  rango_tensor *outputs[4 * NODES] = {0}, *first; /* a value takes up to three nodes */
  check_ok(rango_session_create(model, &options, &session));
  check_ok(rango_session_run(session, inputs, 3, outputs, model->graph->outputs.count));
  first = outputs[0];
  for (size_t i = 1; i < model->graph->outputs.count; i++) rango_tensor_free(outputs[i]);
  rango_session_free(session);
  return first;
}

/* The same bits as where every result is an output, so that nothing is fused; and what the reference says. */
static void test_random_trees(void **state) {
  int fused = 0;
  for (uint64_t seed = 1; seed <= 120; seed++) {
    tree t, apart;
    rango_tensor *inputs[3];
    const int64_t batch = 1 + (int64_t)(seed % 3);
    const int64_t shapes[3][4] = {{batch, 6, 5, 37}, {batch, 6, 1, 1}, {1, 5, 1}};
    for (int i = 0; i < 3; i++) inputs[i] = tensor_random(RANGO_FLOAT32, i == 2 ? 3 : 4, shapes[i], seed + 7);
    grow(&t, seed);
    grow(&apart, seed);
    for (rg_node *node = apart.model->graph->first; node; node = node->next)
      check_ok(rg_graph_add_output(apart.model->graph, node->outputs[0]));
    fused += lowered_count(t.model, "Elementwise");
    assert_int_equal(lowered_count(apart.model, "Elementwise"), 0);
    rango_tensor *y = run(t.model, RANGO_DEVICE_CPU, (const rango_tensor *const *)inputs);
    rango_tensor *same = run(apart.model, RANGO_DEVICE_CPU, (const rango_tensor *const *)inputs);
    rango_tensor *slow = run(t.model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const *)inputs);
    if (y->bytes != same->bytes || memcmp(y->data, same->data, y->bytes) != 0)
      fail_msg("tree %d: %g away from one after the other", (int)seed, tensor_distance(y, same));
    if (!(tensor_distance(y, slow) <= 1e-5)) fail_msg("tree %d: %g away", (int)seed, tensor_distance(y, slow));
    for (int i = 0; i < 3; i++) rango_tensor_free(inputs[i]);
    rango_tensor_free(y);
    rango_tensor_free(same);
    rango_tensor_free(slow);
    rango_model_free(t.model);
    rango_model_free(apart.model);
  }
  assert_true(fused > 80);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chain),
      cmocka_unit_test(test_tree_with_a_shared_result),
      cmocka_unit_test(test_other_shapes_stay_apart),
      cmocka_unit_test(test_what_others_need_stays),
      cmocka_unit_test(test_a_long_chain_is_cut),
      cmocka_unit_test(test_images),
      cmocka_unit_test(test_random_trees),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
