/* What does nothing, or is used by nobody, is taken away; functions give way to their bodies. */
#include "support/memory.h"
#include "support/passes.h"

static rg_value *with_ints(rg_value *value, const char *name, size_t count, const int64_t *values) {
  check_ok(rg_node_set_ints(value->producer, name, values, count));
  return value;
}

static rg_value *ints(rg_graph *g, int64_t count, const double *values) {
  return constant(g, "ints", RANGO_INT64, 1, &count, values);
}

/* One node of the kind between a Neg and a Relu: x is [s1, 3, 1, 4]. */
static rg_value *identity_node(rg_graph *g, int kind, rg_value *x) {
  rg_value *one = constant(g, "one", RANGO_FLOAT32, 0, NULL, NUMBERS(1)),
           *zero = constant(g, "zero", RANGO_FLOAT32, DIMS(1, 1), NULL);
  rg_value *value;
  switch (kind) {
  case 0:
    return NODE(g, "Identity", "v", x);
  case 1:
    return NODE(g, "Dropout", "v", x);
  case 2:
    return with_ints(NODE(g, "Transpose", "v", x), "perm", 4, (int64_t[]){0, 1, 2, 3});
  case 3:
    value = NODE(g, "Cast", "v", x);
    check_ok(rg_node_set_int(value->producer, "to", RANGO_FLOAT32));
    return value;
  case 4:
    value = NODE(g, "Concat", "v", x);
    check_ok(rg_node_set_int(value->producer, "axis", 1));
    return value;
  case 5:
    return NODE(g, "Reshape", "v", x, ints(g, 4, NUMBERS(0, 3, 1, 4)));
  case 6:
    return NODE(g, "Pad", "v", x, ints(g, 8, NUMBERS(0, 0, 0, 0, 0, 0, 0, 0)));
  case 7:
    return NODE(g, "Slice", "v", x, ints(g, 1, NUMBERS(0)), ints(g, 1, NUMBERS(1000)), ints(g, 1, NUMBERS(1)));
  case 8:
    return NODE(g, "Expand", "v", x, ints(g, 3, NUMBERS(3, 1, 4)));
  case 9:
    return NODE(g, "Mul", "v", one, x);
  case 10:
    return NODE(g, "Add", "v", x, zero);
  case 11:
    return NODE(g, "Div", "v", x, one);
  case 12:
    return NODE(g, "Sub", "v", x, zero);
  default:
    return NODE(g, "Sum", "v", x);
  }
}

static void test_identities(void **state) {
  for (int kind = 0; kind < 14; kind++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    rg_value *x = NODE(g, "Neg", "x2", graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 3, 1, 4)));
    graph_output(g, NODE(g, "Relu", "y", identity_node(g, kind, x)));
    if (check_pass(model, rg_pass_remove_identities, 0) != 1 || count_ops(g, NULL) != 2)
      fail_msg("kind %d stays", kind);
    rg_model_release(model);
  }
}

/* The like of the above, with an effect. */
static rg_value *effective_node(rg_graph *g, int kind, rg_value *x) {
  rg_value *one = constant(g, "one", RANGO_FLOAT32, 0, NULL, NUMBERS(1)), *value;
  switch (kind) {
  case 0:
    return NODE(g, "Sub", "v", one, x); /* 1 - x */
  case 1:
    return NODE(g, "Div", "v", one, x);
  case 2:
    return with_ints(NODE(g, "Transpose", "v", x), "perm", 4, (int64_t[]){0, 2, 1, 3});
  case 3: /* the same shape, turned around */
    return NODE(g, "Slice", "v", x, ints(g, 1, NUMBERS(-1)), ints(g, 1, NUMBERS(-1000)), ints(g, 1, NUMBERS(3)),
                ints(g, 1, NUMBERS(-1)));
  case 4:
    return NODE(g, "Pad", "v", x, ints(g, 8, NUMBERS(0, 0, 0, 1, 0, 0, 0, -1))); /* shifted */
  case 5:
    return NODE(g, "Mul", "v", x, constant(g, "ones", RANGO_FLOAT32, DIMS(2, 1), NUMBERS(1, 1))); /* broadcasts */
  case 6:
    value = NODE(g, "Cast", "v", x);
    check_ok(rg_node_set_int(value->producer, "to", RANGO_FLOAT64));
    return value;
  case 7:
    return NODE(g, "Reshape", "v", x, ints(g, 3, NUMBERS(0, 3, 4)));
  default:
    return NODE(g, "Mul", "v", x, constant(g, "two", RANGO_FLOAT32, 0, NULL, NUMBERS(2)));
  }
}

static void test_nodes_with_an_effect_stay(void **state) {
  for (int kind = 0; kind < 9; kind++) {
    rango_model *model = new_model();
    rg_graph *g = model->graph;
    rg_value *x = NODE(g, "Neg", "x2", graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 3, 1, 4)));
    graph_output(g, NODE(g, "Relu", "y", effective_node(g, kind, x)));
    if (check_pass(model, rg_pass_remove_identities, 0) != 0) fail_msg("kind %d was removed", kind);
    rg_model_release(model);
  }
}

/* x → Identity → y with both ends seen outside: the node is the only thing that joins the names. */
static void test_graph_outputs_keep_their_names(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(3)), *n = NODE(g, "Neg", "n", x);
  graph_output(g, NODE(g, "Identity", "same_as_input", x));
  graph_output(g, NODE(g, "Identity", "y", n)); /* Neg can make y itself */
  graph_output(g, NODE(g, "Relu", "r", n));
  assert_int_equal(check_pass(model, rg_pass_remove_identities, 0), 1);
  assert_int_equal(count_ops(g, "Identity"), 1);
  assert_ptr_equal(first_op(g, "Neg")->outputs[0], g->outputs.items[1]);
  assert_ptr_equal(first_op(g, "Relu")->inputs[0], g->outputs.items[1]);
  rg_model_release(model);

  model = new_model();
  g = model->graph;
  n = NODE(g, "Neg", "n", graph_input(g, "x", RANGO_FLOAT32, DIMS(3)));
  graph_output(g, n);
  graph_output(g, NODE(g, "Identity", "y", n));
  assert_int_equal(check_pass(model, rg_pass_remove_identities, 0), 0);
  rg_model_release(model);
}

/* An Identity that brings an outer value out of a branch has to stay; one before a node inside goes. */
static void test_branches_that_give_back_outer_values(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph, *then_branch, *else_branch;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(3)), *flag = graph_input(g, "flag", RANGO_BOOL, 0, NULL), *out;
  rg_node *node;
  check_ok(rg_graph_add_node(g, NULL, "If", "", TEST_OPSET, 1, 1, &node));
  check_ok(rg_node_set_input(node, 0, flag));
  check_ok(rg_graph_create(model, node, &then_branch));
  check_ok(rg_graph_create(model, node, &else_branch));
  graph_output(then_branch, NODE(then_branch, "Identity", "a", x));
  graph_output(else_branch, NODE(else_branch, "Neg", "b", NODE(else_branch, "Identity", "c", x)));
  check_ok(rg_node_set_graph(node, "then_branch", then_branch));
  check_ok(rg_node_set_graph(node, "else_branch", else_branch));
  check_ok(rg_graph_add_value(g, "y", &out));
  rg_node_set_output(node, 0, out);
  graph_output(g, out);
  int changes = 0;
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_pass_remove_identities(model, &changes));
  assert_int_equal(changes, 1);
  assert_int_equal(count_ops(then_branch, "Identity"), 1);
  assert_int_equal(count_ops(else_branch, NULL), 1);
  assert_ptr_equal(else_branch->first->inputs[0], x);
  check_graph(g);
  rg_model_release(model);
}

static void test_dead(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph, *branch;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(3)), *only_inside = NODE(g, "Abs", "only_inside", x), *out;
  rg_value *w = weights(g, "w", 1, 0, DIMS(3)), *dead = NODE(g, "Add", "dead", only_inside, w);
  (void)NODE(g, "Neg", "dead_too", dead);
  rg_node *node;
  check_ok(rg_graph_add_node(g, NULL, "If", "", TEST_OPSET, 1, 1, &node));
  check_ok(rg_node_set_input(node, 0, constant(g, "c", RANGO_BOOL, 0, NULL, NUMBERS(1))));
  for (int i = 0; i < 2; i++) {
    check_ok(rg_graph_create(model, node, &branch));
    graph_output(branch, NODE(branch, "Neg", "inside", only_inside));
    (void)NODE(branch, "Exp", "nobody", only_inside);
    check_ok(rg_node_set_graph(node, i ? "else_branch" : "then_branch", branch));
  }
  check_ok(rg_graph_add_value(g, "z", &out));
  rg_node_set_output(node, 0, out);
  graph_output(g, NODE(g, "Relu", "y", out));
  int changes = 0;
  check_ok(rg_pass_remove_dead(model, &changes));
  assert_int_equal(changes, 2 + 2 + 1);     /* Add and Neg, Exp in both branches, w */
  assert_int_equal(count_ops(g, "Abs"), 1); /* captured */
  assert_null(w->constant);
  check_graph(g);
  rg_graph_set_output(g, 0, x);
  changes = 0;
  check_ok(rg_pass_remove_dead(model, &changes)); /* now the If, all inside, and what only they read */
  assert_int_equal(count_ops(g, NULL), 0);
  assert_int_equal(x->uses.count, 0);
  rg_model_release(model);
}

static void test_constant_inputs(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  model->ir_version = 3;
  rg_value *w = weights(g, "w", 1, 0, DIMS(3));
  check_ok(rg_graph_add_input(g, w));
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(3));
  graph_output(g, NODE(g, "Add", "y", x, w));
  int changes = 0;
  check_ok(rg_pass_constant_inputs(model, &changes));
  assert_int_equal(changes, 1);
  assert_int_equal(g->inputs.count, 1);
  assert_ptr_equal(g->inputs.items[0], x);
  assert_true(x->is_input && !w->is_input && w->constant);
  assert_int_equal(model->ir_version, 4); /* the first in which initializers need not be inputs */
  rg_model_release(model);
}

/* f(a, b) {slope = 0.5} = LeakyRelu(a) {alpha = slope} * 3 (+ b where given) */
static rg_function *add_function(rango_model *model, const char *calls) {
  rg_function *f;
  check_ok(rg_arena_alloc(model->arena, sizeof *f, RG_OUT(&f)));
  model->functions = f;
  model->function_count = 1;
  *f = (rg_function){.name = "f", .domain = "local", .overload = ""};
  rg_graph *body;
  check_ok(rg_graph_create(model, NULL, &body));
  f->body = body;
  rg_value *a = graph_input(body, "a", RANGO_FLOAT32, -1, NULL), *b = graph_input(body, "b", RANGO_FLOAT32, -1, NULL);
  rg_value *leaky = NODE(body, calls ? calls : "LeakyRelu", "leaky", a);
  if (calls) leaky->producer->domain = "local";
  rg_attr *alpha;
  check_ok(rg_node_add_attr(leaky->producer, "alpha", &alpha));
  alpha->kind = RG_ATTR_FLOAT;
  alpha->reference = "slope";
  rg_value *three = node_of(body, "Constant", "three", 0, NULL);
  check_ok(rg_node_set_float(three->producer, "value_float", 3));
  rg_value *clipped = NODE(body, "Clip", "clipped", NODE(body, "Mul", "product", leaky, three), b);
  graph_output(body, clipped);
  check_ok(rg_arena_alloc(model->arena, sizeof *f->defaults, RG_OUT(&f->defaults)));
  *f->defaults = (rg_attr){.name = "slope", .kind = RG_ATTR_FLOAT, .f = 0.5f};
  return f;
}

static rg_value *call(rg_graph *g, const char *name, rg_value *a, rg_value *b) {
  rg_value *y = b ? NODE(g, "f", name, a, b) : NODE(g, "f", name, a);
  y->producer->domain = "local";
  return y;
}

static void test_functions(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  add_function(model, NULL);
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(3)),
           *low = constant(g, "low", RANGO_FLOAT32, 0, NULL, NUMBERS(-1));
  rg_value *first = call(g, "first", x, NULL); /* b is absent in its Clip, too */
  rg_value *second = call(g, "second", x, low);
  check_ok(rg_node_set_float(second->producer, "slope", 0.25f));
  graph_output(g, first);
  graph_output(g, second);
  int changes = 0;
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_pass_inline_functions(model, &changes));
  assert_int_equal(changes, 2);
  assert_int_equal(model->function_count, 0);
  assert_int_equal(count_ops(g, "LeakyRelu"), 2);
  check_graph(g);
  rango_tensor input;
  rg_val results[2] = {0};
  fill_input(x, 1, &input);
  float *in = input.data;
  in[0] = 2;
  in[1] = -4;
  in[2] = -0.4f;
  run_graph(model, &input, results);
  assert_memory_equal(results[0].tensor.data, ((float[]){6, -6, 3 * (0.5f * -0.4f)}), 12);
  assert_memory_equal(results[1].tensor.data, ((float[]){6, -1, 3 * (0.25f * -0.4f)}), 12);
  rg_val_clear(&results[0]);
  rg_val_clear(&results[1]);
  rg_tensor_clear(&input);
  rg_model_release(model);
}

static void test_function_that_calls_itself(void **state) {
  rango_model *model = new_model();
  add_function(model, "f");
  rg_value *x = graph_input(model->graph, "x", RANGO_FLOAT32, DIMS(3));
  graph_output(model->graph, call(model->graph, "y", x, NULL));
  int changes = 0;
  check_fails(rg_pass_inline_functions(model, &changes), RANGO_ERROR_LIMIT, "themselves");
  rg_model_release(model);
}

static rango_status copy_and_rewrite(void *argument) {
  rango_model *copy;
  RG_TRY(rg_model_copy(argument, &copy));
  rango_status status = rg_passes_canonical(copy);
  rg_model_release(copy);
  return status;
}

/* All passes with every allocation failing once: the status is passed on and nothing leaks. */
static void test_without_memory(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(1, 2, 4));
  rg_value *conv = NODE(g, "Conv", "conv", NODE(g, "Identity", "i", x), weights(g, "w", 1, 0, DIMS(2, 2, 1)));
  rg_value *bias = NODE(g, "Neg", "nb", weights(g, "b", 2, 0, DIMS(2, 1)));
  graph_output(g, NODE(g, "Add", "y", conv, bias));
  assert_true(fail_every_allocation(copy_and_rewrite, model, 2000) > 20);
  rg_model_release(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_identities),
      cmocka_unit_test(test_nodes_with_an_effect_stay),
      cmocka_unit_test(test_graph_outputs_keep_their_names),
      cmocka_unit_test(test_branches_that_give_back_outer_values),
      cmocka_unit_test(test_dead),
      cmocka_unit_test(test_constant_inputs),
      cmocka_unit_test(test_functions),
      cmocka_unit_test(test_function_that_calls_itself),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
