/* What is known before running is computed once: constants, shapes, branches, reshape targets; and constants are
 * merged. */
#include "support/passes.h"

static void test_constant_arithmetic(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 3));
  rg_value *w = weights(g, "w", 1, 0, DIMS(3, 3)), *s = constant(g, "s", RANGO_FLOAT32, 0, NULL, NUMBERS(2));
  rg_value *scaled = NODE(g, "Mul", "scaled", NODE(g, "Transpose", "wt", w), s);
  graph_output(g, NODE(g, "MatMul", "y", x, scaled));
  assert_int_equal(check_pass(model, rg_pass_fold_constants, 0), 2);
  assert_int_equal(count_ops(g, NULL), 1);
  assert_ptr_equal(g->first->inputs[1], scaled); /* the value keeps its name */
  assert_non_null(scaled->constant);
  rg_model_release(model);
}

static rg_value *cast_to(rg_graph *g, const char *name, rg_value *value, rango_type type) {
  rg_value *y = NODE(g, "Cast", name, value);
  check_ok(rg_node_set_int(y->producer, "to", type));
  return y;
}

/* Shape of a static input; and of one with a symbolic batch, where only the static axis is known. */
static void test_shapes(void **state) {
  for (int symbolic = 0; symbolic < 2; symbolic++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    rg_value *x =
        symbolic ? graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 3)) : graph_input(g, "x", RANGO_FLOAT32, DIMS(5, 3));
    rg_value *shape = NODE(g, "Shape", "shape", x);
    rg_value *one = constant(g, "one", RANGO_INT64, 0, NULL, NUMBERS(1)),
             *zero = constant(g, "zero", RANGO_INT64, 0, NULL, NULL);
    rg_value *columns = NODE(g, "Gather", "columns", shape, one), *rows = NODE(g, "Gather", "rows", shape, zero);
    graph_output(g, NODE(g, "Mul", "y", x, cast_to(g, "columns_f", columns, RANGO_FLOAT32)));
    graph_output(g, NODE(g, "Mul", "z", x, cast_to(g, "rows_f", rows, RANGO_FLOAT32)));
    check_pass(model, rg_pass_fold_constants, 0);
    assert_int_equal(count_ops(g, "Gather"), symbolic ? 1 : 0);
    assert_int_equal(count_ops(g, "Shape"), symbolic ? 1 : 0);
    assert_int_equal(count_ops(g, "Cast"), symbolic ? 1 : 0);
    assert_int_equal(rg_tensor_get_i64(columns->constant, 0), 3);
    rg_model_release(model);
  }
}

/* Results that would blow up the file, random numbers and graph outputs stay nodes. */
static void test_not_folded(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *size = constant(g, "size", RANGO_INT64, DIMS(2), NUMBERS(1000, 1000));
  rg_value *small_size = constant(g, "small", RANGO_INT64, DIMS(2), NUMBERS(4, 4));
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(4));
  rg_value *big = NODE(g, "ConstantOfShape", "big", size), *little = NODE(g, "ConstantOfShape", "little", small_size);
  rg_value *dice = node_of(g, "RandomNormal", "dice", 0, NULL);
  check_ok(rg_node_set_ints(dice->producer, "shape", (int64_t[]){4}, 1));
  graph_output(g, NODE(g, "ReduceSum", "sum", big));
  graph_output(g, NODE(g, "Add", "y", x, little));
  graph_output(g, NODE(g, "Mul", "r", x, dice));
  graph_output(g, NODE(g, "Neg", "constant_output", constant(g, "c", RANGO_FLOAT32, 0, NULL, NUMBERS(3))));
  int changes = 0;
  check_ok(rg_ops_resolve(model, false));
  check_ok(rg_pass_fold_constants(model, &changes));
  assert_int_equal(changes, 1);
  assert_non_null(little->constant);
  assert_non_null(big->producer);
  assert_non_null(dice->producer);
  assert_int_equal(count_ops(g, "Neg"), 1);
  check_ok(rg_pass_fold_large_constants(model, &changes));
  assert_non_null(big->constant); /* for the engine's own copy, 4 MB are fine */
  rg_model_release(model);
}

/* 300 times 60 MB from a few bytes each: bounded. */
static void test_budget(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *size = constant(g, "size", RANGO_INT64, DIMS(1), NUMBERS(15e6));
  for (int i = 0; i < 300; i++) graph_output(g, NODE(g, "ReduceSum", "sum", NODE(g, "ConstantOfShape", "big", size)));
  int changes = 0;
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_pass_fold_large_constants(model, &changes));
  assert_in_range(changes, 1, 5);
  rg_model_release(model);
}

static void test_reshape_targets(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 3, 4)), *shape = NODE(g, "Shape", "shape", x);
  rg_value *zero = constant(g, "zero", RANGO_INT64, DIMS(1), NULL);
  rg_value *batch = NODE(g, "Gather", "batch", shape, zero);
  rg_value *rest = constant(g, "rest", RANGO_INT64, DIMS(1), NUMBERS(-1)),
           *two = constant(g, "two", RANGO_INT64, DIMS(1), NUMBERS(2));
  rg_value *a = NODE(g, "Concat", "a", batch, rest), *b = NODE(g, "Concat", "b", two, batch, rest);
  check_ok(rg_node_set_int(a->producer, "axis", 0));
  check_ok(rg_node_set_int(b->producer, "axis", 0));
  rg_value *first = graph_output(g, NODE(g, "Reshape", "y", x, a));  /* [batch, -1]: 0 and -1 */
  rg_value *second = graph_output(g, NODE(g, "Reshape", "z", x, b)); /* [2, batch, -1]: two open sizes, moved */
  assert_int_equal(check_pass(model, rg_pass_settle_reshapes, 0), 1);
  const rango_tensor *target = rg_value_constant(first->producer->inputs[1]);
  assert_int_equal(rg_tensor_get_i64(target, 0), 0);
  assert_int_equal(rg_tensor_get_i64(target, 1), -1);
  assert_null(rg_value_constant(second->producer->inputs[1]));
  rg_model_release(model);
}

/* if (constant) x + t else x - w, with a constant of the branch's own */
static rg_node *add_if(rg_graph *g, double condition, rg_value *x) {
  rg_node *node;
  rg_value *out;
  check_ok(rg_graph_add_node(g, NULL, "If", "", TEST_OPSET, 1, 1, &node));
  check_ok(rg_node_set_input(node, 0, constant(g, "condition", RANGO_BOOL, 0, NULL, NUMBERS(condition))));
  for (int i = 0; i < 2; i++) {
    rg_graph *branch;
    check_ok(rg_graph_create(g->model, node, &branch));
    rg_value *t = constant(branch, "t", RANGO_FLOAT32, DIMS(3), NUMBERS(1, 2, 3));
    graph_output(branch, NODE(branch, i ? "Sub" : "Add", "inside", x, NODE(branch, "Neg", "n", t)));
    check_ok(rg_node_set_graph(node, i ? "else_branch" : "then_branch", branch));
  }
  check_ok(rg_graph_add_value(g, "chosen", &out));
  rg_node_set_output(node, 0, out);
  return node;
}

static void test_branches(void **state) {
  for (int condition = 0; condition < 2; condition++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    rg_value *x = weights(g, "x", 5, 0, DIMS(3));
    graph_output(g, NODE(g, "Relu", "y", add_if(g, condition, x)->outputs[0]));
    assert_int_equal(check_pass(model, rg_pass_inline_branches, 0), 1);
    assert_int_equal(count_ops(g, "If"), 0);
    assert_int_equal(count_ops(g, condition ? "Add" : "Sub"), 1);
    assert_int_equal(count_ops(g, condition ? "Sub" : "Add"), 0);
    check_ok(rg_passes_canonical(model));
    assert_int_equal(count_ops(g, NULL), 1); /* all of it is constant but the output's own node */
    rg_model_release(model);
  }
}

static void test_open_condition_keeps_its_if(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(3)), *flag = graph_input(g, "flag", RANGO_BOOL, 0, NULL);
  rg_node *node = add_if(g, 1, x);
  check_ok(rg_node_set_input(node, 0, flag));
  graph_output(g, node->outputs[0]);
  check_ok(rg_passes_canonical(model));
  check_graph(g);
  assert_int_equal(count_ops(g, "If"), 1);
  assert_int_equal(count_ops(rg_node_graph(node, "then_branch"), NULL), 1); /* passes run in branches: Neg is folded */
  rg_model_release(model);
}

static void test_merge_constants(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(2)), *sum = x;
  rg_value *c = node_of(g, "Constant", "c", 0, NULL);
  check_ok(rg_node_set_float(c->producer, "value_float", 7));
  for (int i = 0; i < 3; i++)
    sum = NODE(g, "Add", "sum", sum, constant(g, "k", RANGO_FLOAT32, DIMS(2), NUMBERS(1, i == 2 ? 5 : 2)));
  rg_value *integers = cast_to(g, "f", constant(g, "i", RANGO_INT32, DIMS(2), NUMBERS(1, 2)), RANGO_FLOAT32);
  graph_output(g, NODE(g, "Sum", "y", sum, c, integers));
  assert_int_equal(check_pass(model, rg_pass_merge_constants, 0), 2); /* the Constant node, and one of two equal ones */
  assert_int_equal(count_ops(g, "Constant"), 0);
  assert_true(rg_tensor_get_double(c->constant, 0) == 7);
  rg_node *first = first_op(g, "Add");
  assert_ptr_equal(first->inputs[1], first->next->inputs[1]);
  assert_ptr_not_equal(first->inputs[1], first->next->next->inputs[1]);
  rg_model_release(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_constant_arithmetic),
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_not_folded),
      cmocka_unit_test(test_budget),
      cmocka_unit_test(test_reshape_targets),
      cmocka_unit_test(test_branches),
      cmocka_unit_test(test_open_condition_keeps_its_if),
      cmocka_unit_test(test_merge_constants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
