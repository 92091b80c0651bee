/* Inference over graphs: symbols, small known values, bodies, functions, and models made to break it. */
#include "support/graphs.h"

static const rg_fact *fact_of(rango_model *model, const rg_fact *inputs, size_t count, const rg_value *value,
                              rg_facts **facts) {
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_facts_create(model, inputs, count, NULL, 0, facts));
  return rg_facts_of(*facts, value);
}

static void check_dims(const rg_fact *fact, rango_type type, int rank, const int64_t *dims) {
  assert_int_equal(fact->kind, RG_KIND_TENSOR);
  assert_int_equal(fact->type, type);
  assert_int_equal(fact->rank, rank);
  for (int i = 0; i < rank; i++)
    if (fact->dims[i] != dims[i])
      fail_msg("axis %d: %lld, expected %lld", i, (long long)fact->dims[i], (long long)dims[i]);
}

static int64_t symbol(rango_model *model, const char *name) {
  int64_t size;
  check_ok(rg_model_symbol(model, name, &size));
  return size;
}

static rg_value *ints_of(rg_graph *graph, int rank, const int64_t *dims, const double *numbers) {
  return constant(graph, NULL, RANGO_INT64, rank, dims, numbers);
}

/* As PyTorch exports x.view(x.shape[0], -1, 8): the batch survives. */
static void shape_arithmetic_keeps_the_batch(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rg_value *x = graph_input(graph, "x", RANGO_FLOAT32, DIMS(-1, 12, 2));
  rg_value *shape = NODE(graph, "Shape", "shape", x);
  rg_value *zero = ints_of(graph, 0, NULL, NUMBERS(0)), *axis = ints_of(graph, DIMS(1), NUMBERS(0));
  rg_value *batch = NODE(graph, "Gather", "batch", shape, zero);
  rg_value *one = NODE(graph, "Mul", "one", batch, ints_of(graph, 0, NULL, NUMBERS(1)));
  rg_value *batch1 = NODE(graph, "Unsqueeze", "batch1", one, axis);
  rg_value *cast = NODE(graph, "Cast", "cast", batch1);
  check_ok(rg_node_set_int(cast->producer, "to", RANGO_INT64));
  rg_value *target = NODE(graph, "Concat", "target", cast, ints_of(graph, DIMS(2), NUMBERS(-1, 8)));
  check_ok(rg_node_set_int(target->producer, "axis", 0));
  rg_value *y = graph_output(graph, NODE(graph, "Reshape", "y", x, target));
  check_dims(fact_of(model, NULL, 0, y, &facts), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 3, 8));
  const rg_fact *known = rg_facts_of(facts, target);
  assert_int_equal(known->known_count, 3);
  assert_int_equal(known->known[0], symbol(model, "s1"));
  assert_int_equal(known->known[1], -1);
  rg_facts_free(facts);
  rango_model_free(model);
}

static void reshape_resolves_zeros_and_minus_one(void **state) {
  (void)state;
  static const struct {
    double target[4];
    int count;
    int64_t expected[4]; /* -1 and -2: the symbols */
  } cases[] = {{{0, -1}, 2, {-1, 24}},     {{-1, 12}, 2, {RG_SIZE_UNKNOWN, 12}}, {{0, 0, 24}, 3, {0}},
               {{-1, 24}, 2, {-1, 24}},    {{0, 2, 12}, 3, {-1, 2, 12}},         {{-1, 4, 6, 1}, 4, {-1, 4, 6, 1}},
               {{0, 6, -1}, 3, {-1, 6, 4}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rg_facts *facts;
    rango_model *model = new_model();
    rg_value *x = graph_input(model->graph, "x", RANGO_FLOAT32, DIMS(-1, 4, 6));
    rg_value *target = ints_of(model->graph, 1, &(int64_t){cases[i].count}, cases[i].target);
    rg_value *y = graph_output(model->graph, NODE(model->graph, "Reshape", "y", x, target));
    check_ok(rg_ops_resolve(model, true));
    if (cases[i].expected[0] == 0) { /* [s1, 4, 24] has 4 times the elements */
      check_fails(rg_facts_create(model, NULL, 0, NULL, 0, &facts), RANGO_ERROR_FORMAT, "Reshape");
      rango_model_free(model);
      continue;
    }
    const rg_fact *fact = fact_of(model, NULL, 0, y, &facts);
    assert_int_equal(fact->rank, cases[i].count);
    for (int k = 0; k < cases[i].count; k++) {
      int64_t expected = cases[i].expected[k];
      if (expected == -1) expected = symbol(model, "s1");
      if (expected == RG_SIZE_UNKNOWN)
        assert_true(rg_size_is_symbol(fact->dims[k]) && fact->dims[k] != symbol(model, "s1"));
      else
        assert_true(fact->dims[k] == expected);
    }
    rg_facts_free(facts);
    rango_model_free(model);
  }
}

/* x.expand(-1, ...) as exported: Where(shape == -1, 1, shape), then Expand. */
static void expand_by_where_keeps_symbols(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rg_value *x = graph_input(graph, "x", RANGO_FLOAT32, DIMS(-1, 7, 4)),
           *token = graph_input(graph, "t", RANGO_FLOAT32, DIMS(1, 1, 4));
  rg_value *shape = NODE(graph, "Shape", "shape", x);
  rg_value *start = ints_of(graph, DIMS(1), NUMBERS(0)), *end = ints_of(graph, DIMS(1), NUMBERS(1));
  rg_value *batch = NODE(graph, "Slice", "batch", shape, start, end);
  rg_value *wanted = NODE(graph, "Concat", "wanted", batch, ints_of(graph, DIMS(2), NUMBERS(-1, -1)));
  check_ok(rg_node_set_int(wanted->producer, "axis", 0));
  rg_value *fill = NODE(graph, "ConstantOfShape", "fill", ints_of(graph, DIMS(1), NUMBERS(3)));
  rg_value *ones = ints_of(graph, DIMS(3), NUMBERS(1, 1, 1));
  rg_value *is_open = NODE(graph, "Equal", "open", wanted, ints_of(graph, DIMS(3), NUMBERS(-1, -1, -1)));
  rg_value *target = NODE(graph, "Where", "target", is_open, ones, wanted);
  rg_value *tokens = NODE(graph, "Expand", "tokens", token, target);
  rg_value *y = graph_output(graph, NODE(graph, "Concat", "y", tokens, x));
  check_ok(rg_node_set_int(y->producer, "axis", 1));
  graph_output(graph, fill);
  check_dims(fact_of(model, NULL, 0, tokens, &facts), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 1, 4));
  check_dims(rg_facts_of(facts, y), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 8, 4));
  check_dims(rg_facts_of(facts, fill), RANGO_FLOAT32, DIMS(3));
  rg_facts_free(facts);
  rango_model_free(model);
}

static void positions_by_range_keep_the_length(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rg_value *x = graph_input(graph, "x", RANGO_INT64, DIMS(-1, -2));
  rg_value *table = weights(graph, "table", 1, 0, DIMS(64, 8));
  rg_value *length =
      NODE(graph, "Gather", "length", NODE(graph, "Shape", "shape", x), ints_of(graph, 0, NULL, NUMBERS(-1)));
  rg_value *range =
      NODE(graph, "Range", "range", ints_of(graph, 0, NULL, NUMBERS(0)), length, ints_of(graph, 0, NULL, NUMBERS(1)));
  rg_value *rows = NODE(graph, "Gather", "rows", table, range);
  rg_value *words = NODE(graph, "Gather", "words", table, x);
  rg_value *y = graph_output(graph, NODE(graph, "Add", "y", words, rows));
  check_dims(fact_of(model, NULL, 0, y, &facts), RANGO_FLOAT32, DIMS(symbol(model, "s1"), symbol(model, "s2"), 8));
  rg_facts_free(facts);
  rango_model_free(model);
}

/* As PyTorch exports a pad: the list is turned around by pairs, through two axes, to ONNX's order. */
static void pads_turned_around_stay_known(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rg_value *x = graph_input(graph, "x", RANGO_FLOAT32, DIMS(-1, 30));
  rg_value *pairs = NODE(graph, "Reshape", "pairs", ints_of(graph, DIMS(4), NUMBERS(3, 4, 0, 0)),
                         ints_of(graph, DIMS(2), NUMBERS(-1, 2)));
  rg_value *end = ints_of(graph, DIMS(1), NUMBERS(0));
  *(int64_t *)end->constant->data = INT64_MIN + 1; /* what the exporter writes for "past the beginning" */
  rg_value *turned = NODE(graph, "Slice", "turned", pairs, ints_of(graph, DIMS(1), NUMBERS(-1)), end,
                          ints_of(graph, DIMS(1), NUMBERS(0)), ints_of(graph, DIMS(1), NUMBERS(-1)));
  rg_value *across = NODE(graph, "Transpose", "across", turned);
  rg_value *pads = NODE(graph, "Reshape", "pads", across, ints_of(graph, DIMS(1), NUMBERS(-1)));
  rg_value *y = graph_output(graph, NODE(graph, "Pad", "y", x, pads));
  check_dims(fact_of(model, NULL, 0, y, &facts), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 37));
  rg_facts_free(facts);
  rango_model_free(model);
}

static void given_shapes_and_bindings_replace_symbols(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_value *x = graph_input(model->graph, "x", RANGO_FLOAT32, DIMS(-1, 6));
  rg_value *y = graph_output(model->graph, NODE(model->graph, "Relu", "y", x));
  rg_fact given = {0};
  rg_fact_set(&given, RANGO_FLOAT32, DIMS(5, 6));
  check_dims(fact_of(model, &given, 1, y, &facts), RANGO_FLOAT32, DIMS(5, 6));
  assert_true(rg_fact_is_concrete(rg_facts_of(facts, y)));
  rg_facts_free(facts);
  rango_dim_binding binding = {"s1", 9};
  check_ok(rg_facts_create(model, NULL, 0, &binding, 1, &facts));
  check_dims(rg_facts_of(facts, y), RANGO_FLOAT32, DIMS(9, 6));
  rg_facts_free(facts);
  rg_fact_set(&given, RANGO_FLOAT32, DIMS(5, 7));
  check_fails(rg_facts_create(model, &given, 1, NULL, 0, &facts), RANGO_ERROR_ARGUMENT,
              "input 'x': size of axis 1 is 7");
  rg_fact_set(&given, RANGO_FLOAT32, DIMS(5));
  check_fails(rg_facts_create(model, &given, 1, NULL, 0, &facts), RANGO_ERROR_ARGUMENT, "axes");
  rg_fact_set(&given, RANGO_INT8, DIMS(5, 6));
  check_fails(rg_facts_create(model, &given, 1, NULL, 0, &facts), RANGO_ERROR_ARGUMENT, "int8");
  assert_null(facts);
  rango_model_free(model);
}

static void contradictions_name_the_node(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_value *a = graph_input(model->graph, "a", RANGO_FLOAT32, DIMS(2, 3)),
           *b = graph_input(model->graph, "b", RANGO_FLOAT32, DIMS(4));
  rg_value *y = graph_output(model->graph, NODE(model->graph, "Add", "y", a, b));
  y->producer->name = "sum";
  check_ok(rg_ops_resolve(model, true));
  check_fails(rg_facts_create(model, NULL, 0, NULL, 0, &facts), RANGO_ERROR_FORMAT, "node 'sum' (Add)");
  rango_model_free(model);
}

/* Sizes that can't be: the product overflows, or a dimension is negative. */
static void impossible_sizes_are_errors(void **state) {
  (void)state;
  static const double targets[][2] = {{-3, 4}, {4e9, 4e9}};
  for (int i = 0; i < 2; i++) {
    rg_facts *facts;
    rango_model *model = new_model();
    rg_value *shape = ints_of(model->graph, DIMS(2), targets[i]);
    graph_output(model->graph, NODE(model->graph, "ConstantOfShape", "y", shape));
    check_ok(rg_ops_resolve(model, true));
    assert_int_not_equal(rg_facts_create(model, NULL, 0, NULL, 0, &facts), RANGO_OK);
    assert_non_null(strstr(rango_error_message(), "ConstantOfShape"));
    rango_model_free(model);
  }
}

/* Gives `node` an empty body as attribute `name`. */
static rg_graph *add_body(rg_node *node, const char *name) {
  rg_graph *body;
  rg_attr *attr;
  check_ok(rg_graph_create(node->graph->model, node, &body));
  check_ok(rg_arena_alloc(node->graph->model->arena, sizeof *attr, RG_OUT(&attr)));
  *attr = (rg_attr){.name = name, .kind = RG_ATTR_GRAPH, .next = node->attributes, .graph = body};
  node->attributes = attr;
  return body;
}

static void branches_see_outer_values_and_agree_on_what_is_common(void **state) {
  (void)state;
  rg_facts *facts, *inner;
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rg_value *x = graph_input(graph, "x", RANGO_FLOAT32, DIMS(-1, 4)),
           *condition = graph_input(graph, "c", RANGO_BOOL, 0, NULL);
  rg_value *y = graph_output(graph, NODE(graph, "If", "y", condition));
  rg_graph *yes = add_body(y->producer, "then_branch"), *no = add_body(y->producer, "else_branch");
  rg_value *relu = graph_output(yes, NODE(yes, "Relu", "relu", x));
  rg_value *both = graph_output(no, NODE(no, "Concat", "both", x, x));
  check_ok(rg_node_set_int(both->producer, "axis", 1));
  const rg_fact *fact = fact_of(model, NULL, 0, y, &facts);
  assert_int_equal(fact->type, RANGO_FLOAT32);
  assert_int_equal(fact->rank, 2);
  assert_true(fact->dims[0] == symbol(model, "s1"));
  assert_false(rg_size_is_known(fact->dims[1])); /* 4 or 8 */
  check_dims(rg_facts_of(facts, relu), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 4));
  check_dims(rg_facts_of(facts, both), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 8));
  check_ok(rg_facts_create_graph(no, NULL, 0, facts, &inner)); /* as at run time: facts of their own */
  rg_facts_free(facts);
  check_dims(rg_facts_of(inner, both), RANGO_FLOAT32, DIMS(symbol(model, "s1"), 8));
  rg_facts_free(inner);
  rango_model_free(model);
}

/* Each Loop infers its body more than once: forty inside each other must end in an error, soon. */
static void nested_loops_do_not_take_forever(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rg_value *x = graph_input(graph, "x", RANGO_FLOAT32, DIMS(1));
  for (int depth = 0; depth < 40; depth++) {
    rg_value *count = ints_of(graph, 0, NULL, NUMBERS(2));
    rg_value *condition = constant(graph, NULL, RANGO_BOOL, 0, NULL, NUMBERS(1));
    rg_value *y = graph_output(graph, NODE(graph, "Loop", NULL, count, condition, x));
    rg_graph *body = add_body(y->producer, "body");
    graph_input(body, NULL, RANGO_INT64, 0, NULL);
    rg_value *goes_on = graph_input(body, NULL, RANGO_BOOL, 0, NULL);
    x = graph_input(body, NULL, RANGO_FLOAT32, DIMS(1));
    graph_output(body, NODE(body, "Identity", NULL, goes_on));
    graph = body;
  }
  rg_value *doubled = NODE(graph, "Concat", NULL, x, x);
  check_ok(rg_node_set_int(doubled->producer, "axis", 0));
  graph_output(graph, doubled);
  check_ok(rg_ops_resolve(model, true));
  rango_status status = rg_facts_create(model, NULL, 0, NULL, 0, &facts);
  assert_true(status == RANGO_OK || status == RANGO_ERROR_LIMIT);
  if (status == RANGO_OK) rg_facts_free(facts);
  rango_model_free(model);
}

/* A function's body is inferred anew for every call's inputs. */
static void calls_infer_the_function_for_their_inputs(void **state) {
  (void)state;
  rg_facts *facts;
  rango_model *model = new_model();
  rg_graph *graph = model->graph, *body;
  check_ok(rg_arena_calloc(model->arena, 1, sizeof *model->functions, RG_OUT(&model->functions)));
  check_ok(rg_graph_create(model, NULL, &body));
  model->functions[0] = (rg_function){.name = "Twice", .domain = "custom", .overload = "", .body = body};
  model->function_count = 1;
  rg_value *inner;
  check_ok(rg_graph_add_value(body, "inner", &inner));
  check_ok(rg_graph_add_input(body, inner));
  graph_output(body, NODE(body, "Concat", "twice", inner, inner));
  check_ok(rg_node_set_int(body->last, "axis", 0));
  rg_value *a = graph_input(graph, "a", RANGO_FLOAT32, DIMS(3)), *b = graph_input(graph, "b", RANGO_INT8, DIMS(5, -1));
  rg_value *a2 = NODE(graph, "Twice", "a2", a), *b2 = NODE(graph, "Twice", "b2", b);
  a2->producer->domain = b2->producer->domain = "custom";
  graph_output(graph, a2);
  check_dims(fact_of(model, NULL, 0, a2, &facts), RANGO_FLOAT32, DIMS(6));
  check_dims(rg_facts_of(facts, b2), RANGO_INT8, DIMS(10, symbol(model, "s1")));
  rg_facts_free(facts);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shape_arithmetic_keeps_the_batch),
      cmocka_unit_test(reshape_resolves_zeros_and_minus_one),
      cmocka_unit_test(expand_by_where_keeps_symbols),
      cmocka_unit_test(positions_by_range_keep_the_length),
      cmocka_unit_test(pads_turned_around_stay_known),
      cmocka_unit_test(given_shapes_and_bindings_replace_symbols),
      cmocka_unit_test(contradictions_name_the_node),
      cmocka_unit_test(impossible_sizes_are_errors),
      cmocka_unit_test(branches_see_outer_values_and_agree_on_what_is_common),
      cmocka_unit_test(calls_infer_the_function_for_their_inputs),
      cmocka_unit_test(nested_loops_do_not_take_forever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
