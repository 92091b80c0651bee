/* Building and editing graphs keeps uses, producers and order consistent. */
#include "support/graphs.h"
#include "support/memory.h"

/* y = Relu(x + w), z = Mul(y, y) */
static rango_model *small_model(void) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *x = graph_input(g, "x", RANGO_FLOAT32, DIMS(-1, 3));
  rg_value *w = constant(g, "w", RANGO_FLOAT32, DIMS(3), NUMBERS(1, 2, 3));
  rg_value *sum = NODE(g, "Add", "sum", x, w), *y = NODE(g, "Relu", "y", sum);
  graph_output(g, y);
  graph_output(g, NODE(g, "Mul", "z", y, y));
  return model;
}

static void test_names(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *a, *b, *c, *made;
  check_ok(rg_graph_add_value(g, "a", &a));
  check_ok(rg_graph_add_value(g, "a", &b));
  check_ok(rg_graph_add_value(g, "a", &c));
  check_ok(rg_graph_add_value(g, NULL, &made));
  assert_string_equal(a->name, "a");
  assert_string_not_equal(b->name, "a");
  assert_string_not_equal(b->name, c->name);
  assert_true(made->name[0] != 0);
  assert_ptr_equal(rg_graph_find_value(g, b->name), b);
  assert_null(rg_graph_find_value(g, "nothing"));
  for (int i = 0; i < 3000; i++) check_ok(rg_graph_add_value(g, "many", &made));
  assert_ptr_equal(rg_graph_find_value(g, made->name), made);
  assert_int_equal(model->value_count, 3004);
  assert_int_equal(made->id, 3003);
  rg_model_release(model);
}

/* A name made up in an outer graph must not hide one inside; the same name in two branches is fine. */
static void test_scopes(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph, *first, *second;
  rg_node *node;
  rg_value *outer, *inner, *other, *made;
  check_ok(rg_graph_add_node(g, NULL, "If", "", 17, 1, 1, &node));
  check_ok(rg_graph_create(model, node, &first));
  check_ok(rg_graph_create(model, node, &second));
  check_ok(rg_node_set_graph(node, "then_branch", first));
  check_ok(rg_node_set_graph(node, "else_branch", second));
  check_ok(rg_graph_add_value(g, "outer", &outer));
  check_ok(rg_graph_add_value(first, "t", &inner));
  check_ok(rg_graph_add_value(second, "t", &other));
  assert_string_equal(inner->name, "t");
  assert_string_equal(other->name, "t");
  assert_ptr_equal(rg_graph_find_value(first, "t"), inner);
  assert_ptr_equal(rg_graph_find_value(first, "outer"), outer);
  assert_null(rg_graph_find_value(g, "t"));
  check_ok(rg_graph_add_value(first, "outer", &made)); /* would shadow */
  assert_string_not_equal(made->name, "outer");
  check_ok(rg_graph_add_value(first, "outer_2", &inner));
  check_ok(rg_graph_add_value(g, "outer", &made));
  assert_string_not_equal(made->name, "outer_2");
  assert_ptr_equal(rg_node_graph(node, "else_branch"), second);
  rg_model_release(model);
}

static void test_depth_is_bounded(void **state) {
  rango_model *model = new_model();
  rg_graph *graph = model->graph;
  rango_status status = RANGO_OK;
  int depth = 0;
  for (; depth < 1000 && status == RANGO_OK; depth++) {
    rg_node *node;
    check_ok(rg_graph_add_node(graph, NULL, "If", "", 17, 1, 1, &node));
    status = rg_graph_create(model, node, &graph);
  }
  assert_int_equal(status, RANGO_ERROR_LIMIT);
  assert_int_equal(depth, RG_GRAPH_MAX_DEPTH + 1);
  rg_model_release(model);
}

static void test_uses(void **state) {
  rango_model *model = small_model();
  rg_graph *g = model->graph;
  rg_node *add = g->first, *relu = add->next, *mul = g->last;
  rg_value *y = relu->outputs[0], *x = g->inputs.items[0];
  check_graph(g);
  assert_int_equal(y->uses.count, 2);
  assert_int_equal(y->output_uses, 1);
  check_ok(rg_node_set_input(mul, 1, x));
  assert_int_equal(y->uses.count, 1);
  assert_int_equal(x->uses.count, 2);
  check_ok(rg_node_set_input(mul, 1, x)); /* the same again changes nothing */
  assert_int_equal(x->uses.count, 2);
  check_graph(g);
  check_ok(rg_node_set_input_count(mul, 4));
  assert_null(mul->inputs[3]);
  check_ok(rg_node_set_input(mul, 3, x));
  check_graph(g);
  check_ok(rg_node_set_input_count(mul, 1));
  assert_int_equal(x->uses.count, 1);
  check_graph(g);
  rg_node_remove(mul);
  assert_int_equal(y->uses.count, 0);
  assert_true(rg_value_is_used(y)); /* still an output */
  assert_null(rg_graph_find_value(g, "z")->producer);
  assert_ptr_equal(g->last, relu);
  check_graph(g);
  rg_model_release(model);
}

static void test_replace(void **state) {
  rango_model *model = small_model();
  rg_graph *g = model->graph;
  rg_value *y = rg_graph_find_value(g, "y"), *sum = rg_graph_find_value(g, "sum");
  check_ok(rg_value_replace(y, sum));
  assert_false(rg_value_is_used(y));
  assert_int_equal(sum->uses.count, 3);
  assert_ptr_equal(g->outputs.items[0], sum);
  assert_int_equal(sum->output_uses, 1);
  check_graph(g);
  check_ok(rg_value_replace(sum, sum));
  assert_int_equal(sum->uses.count, 3);
  rg_graph_set_output(g, 0, y);
  assert_int_equal(sum->output_uses, 0);
  assert_int_equal(y->output_uses, 1);
  rg_model_release(model);
}

/* An If in the graph whose branches read `value`. */
static rg_node *add_if(rg_graph *g, rg_value *condition, rg_value *value) {
  rg_node *node;
  rg_value *out;
  check_ok(rg_graph_add_node(g, NULL, "If", "", TEST_OPSET, 1, 1, &node));
  check_ok(rg_node_set_input(node, 0, condition));
  for (int i = 0; i < 2; i++) {
    rg_graph *branch;
    check_ok(rg_graph_create(g->model, node, &branch));
    graph_output(branch, NODE(branch, i ? "Neg" : "Abs", "inside", value));
    check_ok(rg_node_set_graph(node, i ? "else_branch" : "then_branch", branch));
  }
  check_ok(rg_graph_add_value(g, "chosen", &out));
  rg_node_set_output(node, 0, out);
  return node;
}

static void test_subgraph_uses(void **state) {
  rango_model *model = small_model();
  rg_graph *g = model->graph;
  rg_value *sum = rg_graph_find_value(g, "sum"), *x = g->inputs.items[0];
  rg_node *node = add_if(g, constant(g, "c", RANGO_BOOL, 0, NULL, NUMBERS(1)), sum);
  assert_int_equal(sum->uses.count, 3); /* Relu and both branches */
  check_ok(rg_value_replace(sum, x));
  assert_ptr_equal(rg_node_graph(node, "then_branch")->first->inputs[0], x);
  assert_int_equal(x->uses.count, 1 + 3);
  check_graph(g);
  rg_node_remove(node); /* what its branches used is used no more */
  assert_int_equal(x->uses.count, 2);
  check_graph(g);
  rg_model_release(model);
}

static void test_sort(void **state) {
  rango_model *model = small_model();
  rg_graph *g = model->graph;
  rg_value *y = rg_graph_find_value(g, "y");
  rg_node *chosen = add_if(g, constant(g, "c", RANGO_BOOL, 0, NULL, NUMBERS(1)), y);
  rg_node *add = g->first, *relu = add->next, *mul = relu->next;
  rg_node_move(add, NULL);
  rg_node_move(chosen, g->first); /* the branches read y: a dependency that only they have */
  check_ok(rg_graph_sort(g));
  check_graph(g);
  assert_ptr_equal(g->first, add);
  assert_ptr_equal(add->next, relu);
  assert_ptr_equal(relu->next, chosen); /* of those that are ready, the earlier one first */
  assert_ptr_equal(chosen->next, mul);
  check_ok(rg_graph_sort(g));
  assert_ptr_equal(chosen->next, mul);
  check_ok(rg_node_set_input(add, 1, mul->outputs[0]));
  check_fails(rg_graph_sort(g), RANGO_ERROR_FORMAT, "cycle");
  rg_model_release(model);
}

/* A long chain in the wrong order: no recursion, and not quadratic. */
static void test_sort_long_chain(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *value = graph_input(g, "x", RANGO_FLOAT32, DIMS(1));
  for (int i = 0; i < 50000; i++) value = NODE(g, "Relu", "v", value);
  for (rg_node *node = g->first->next; node;) { /* turn the list around */
    rg_node *next = node->next;
    rg_node_move(node, g->first);
    node = next;
  }
  check_ok(rg_graph_sort(g));
  assert_ptr_equal(g->last->outputs[0], value);
  int count = 0;
  for (const rg_node *node = g->first; node; node = node->next, count++)
    assert_true(!node->previous || node->inputs[0] == node->previous->outputs[0]);
  assert_int_equal(count, 50000);
  rg_model_release(model);
}

static void test_attributes(void **state) {
  rango_model *model = small_model();
  rg_node *node = model->graph->first, *other = node->next;
  size_t count;
  check_ok(rg_node_set_int(node, "axis", -2));
  check_ok(rg_node_set_float(node, "alpha", 0.5f));
  check_ok(rg_node_set_string(node, "mode", "linear"));
  check_ok(rg_node_set_ints(node, "pads", (int64_t[]){1, 2, 3}, 3));
  assert_int_equal(rg_node_int(node, "axis", 7), -2);
  assert_int_equal(rg_node_int(node, "alpha", 7), 7); /* another kind */
  assert_true(rg_node_float(node, "alpha", 0) == 0.5f && rg_node_float(node, "none", 2) == 2);
  assert_string_equal(rg_node_string(node, "mode", ""), "linear");
  assert_int_equal(rg_node_ints(node, "pads", &count)[2], 3);
  assert_int_equal(count, 3);
  assert_null(rg_node_ints(node, "axis", &count));
  assert_int_equal(count, 0);
  check_ok(rg_node_set_int(node, "alpha", 3)); /* replaces, in its place */
  assert_int_equal(rg_node_int(node, "alpha", 0), 3);
  assert_string_equal(node->attributes->next->name, "alpha");
  check_ok(rg_node_set_int(other, "axis", 9));
  check_ok(rg_node_copy_attributes(other, node));
  assert_int_equal(rg_node_int(other, "axis", 0), -2);
  assert_string_equal(rg_node_string(other, "mode", ""), "linear");
  rg_node_remove_attr(node, "mode");
  assert_null(rg_node_attr(node, "mode"));
  assert_non_null(rg_node_attr(other, "mode"));
  rg_node *chosen = add_if(model->graph, model->graph->inputs.items[0], model->graph->inputs.items[0]);
  assert_int_equal(rg_node_copy_attributes(node, chosen), RANGO_ERROR_INTERNAL);
  rg_model_release(model);
}

static void test_constants(void **state) {
  rango_model *model = new_model();
  rg_graph *g = model->graph;
  rg_value *w = constant(g, "w", RANGO_FLOAT32, DIMS(2), NUMBERS(5, 6)), *c = node_of(g, "Constant", "c", 0, NULL);
  rango_tensor tensor;
  check_ok(rg_tensor_init(&tensor, RANGO_INT64, &(rg_shape){0}));
  rg_tensor_set_double(&tensor, 0, 42);
  check_ok(rg_node_set_tensor(c->producer, "value", &tensor));
  assert_null(tensor.data); /* taken over */
  assert_true(rg_tensor_get_double(rg_value_constant(w), 1) == 6);
  assert_int_equal(rg_tensor_get_i64(rg_value_constant(c), 0), 42);
  assert_null(rg_value_constant(NODE(g, "Relu", "r", w)));
  assert_null(rg_value_constant(NULL));
  rg_model_release(model);
}

static void test_node_text(void **state) {
  rango_model *model = small_model();
  rg_node *add = model->graph->first, *mul = model->graph->last;
  add->name = "block.0/add";
  mul->domain = "com.example";
  const char *first = rg_node_text(add), *second = rg_node_text(mul);
  assert_string_equal(first, "node 'block.0/add' (Add)");
  assert_string_equal(second, "node 'z' (com.example.Mul)"); /* no name: its output's */
  rg_model_release(model);
}

static void test_opsets_and_symbols(void **state) {
  rango_model *model = new_model();
  int64_t batch, again, other;
  assert_int_equal(rg_model_opset(model, ""), TEST_OPSET);
  assert_int_equal(rg_model_opset(model, "ai.onnx"), TEST_OPSET);
  assert_int_equal(rg_model_opset(model, "com.example"), -1);
  check_ok(rg_model_symbol(model, "batch", &batch));
  check_ok(rg_model_symbol(model, "time", &other));
  check_ok(rg_model_symbol(model, "batch", &again));
  assert_true(batch == again && batch != other && rg_size_is_symbol(batch) && !rg_size_is_known(batch));
  assert_string_equal(model->symbols.items[rg_size_symbol_id(other)], "time");
  assert_true(rg_size_is_known(-5) && !rg_size_is_symbol(-5) && !rg_size_is_symbol(RG_SIZE_UNKNOWN));
  rg_model_release(model);
}

static rango_status stop_at_second(rg_graph *graph, void *argument) {
  return ++*(int *)argument == 2 ? RANGO_ERROR_CANCELLED : RANGO_OK;
}

static rango_status count_graphs(rg_graph *graph, void *argument) {
  ++*(int *)argument;
  return RANGO_OK;
}

static void test_visit(void **state) {
  rango_model *model = small_model();
  rg_value *x = model->graph->inputs.items[0];
  int count = 0;
  add_if(model->graph, x, x);
  check_ok(rg_model_visit_graphs(model, true, count_graphs, &count));
  assert_int_equal(count, 3);
  count = 0;
  assert_int_equal(rg_model_visit_graphs(model, true, stop_at_second, &count), RANGO_ERROR_CANCELLED);
  assert_int_equal(count, 2);
  rg_model_release(model);
}

/* Copies share weights, nothing else; ids, names and order stay. */
static void test_copy(void **state) {
  rango_model *model = small_model(), *copy;
  rg_graph *g = model->graph;
  add_if(g, constant(g, "c", RANGO_BOOL, 0, NULL, NUMBERS(1)), rg_graph_find_value(g, "sum"));
  rg_node_remove(g->last->previous); /* Mul: ids have a gap */
  rg_graph_set_output(g, 1, rg_graph_find_value(g, "chosen"));
  check_ok(rg_node_set_ints(g->first, "list", (int64_t[]){4, 5}, 2));
  check_ok(rg_model_copy(model, &copy));
  check_graph(copy->graph);
  assert_int_equal(copy->value_count, model->value_count);
  assert_int_equal(copy->node_count, model->node_count);
  const rg_node *a = g->first, *b = copy->graph->first;
  for (; a && b; a = a->next, b = b->next) {
    assert_string_equal(a->op, b->op);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->outputs[0]->id, b->outputs[0]->id);
    assert_string_equal(a->outputs[0]->name, b->outputs[0]->name);
    assert_ptr_not_equal(a->outputs[0], b->outputs[0]);
  }
  assert_true(!a && !b);
  const rango_tensor *w = rg_graph_find_value(g, "w")->constant, *w2 = rg_graph_find_value(copy->graph, "w")->constant;
  assert_ptr_not_equal(w, w2);
  assert_ptr_equal(w->data, w2->data);
  rg_model_release(model); /* the copy holds all it needs */
  assert_true(rg_tensor_get_double(w2, 2) == 3);
  size_t count;
  assert_int_equal(rg_node_ints(copy->graph->first, "list", &count)[1], 5);
  rg_graph *branch = rg_node_graph(copy->graph->last, "then_branch");
  assert_ptr_equal(branch->first->inputs[0], rg_graph_find_value(copy->graph, "sum"));
  assert_ptr_equal(branch->owner, copy->graph->last);
  assert_string_equal(copy->symbols.items[0], "s1");
  rg_model_release(copy);
}

static rango_status build_and_copy(void *argument) {
  const rango_model *model = argument;
  rango_model *copy;
  RG_TRY(rg_model_copy(model, &copy));
  rango_status status = rg_graph_sort(copy->graph);
  rg_model_release(copy);
  return status;
}

static void test_copy_without_memory(void **state) {
  rango_model *model = small_model();
  assert_true(fail_every_allocation(build_and_copy, model, 200) > 5);
  rg_model_release(model);
}

static void test_public_info(void **state) {
  rango_model *model = small_model();
  rango_value_info info;
  check_ok(rg_graph_add_input(model->graph, rg_graph_find_value(model->graph, "w"))); /* as old files do */
  rg_property property = {"author", "nobody"};
  model->properties = &property;
  model->property_count = 1;
  assert_int_equal(rango_model_input_count(model), 1);
  assert_int_equal(rango_model_output_count(model), 2);
  check_ok(rango_model_input(model, 0, &info));
  assert_string_equal(info.name, "x");
  assert_int_equal(info.type, RANGO_FLOAT32);
  assert_int_equal(info.rank, 2);
  assert_int_equal(info.dims[0], -1);
  assert_int_equal(info.dims[1], 3);
  assert_string_equal(info.symbols[0], "s1");
  assert_null(info.symbols[1]);
  check_ok(rango_model_output(model, 1, &info));
  assert_string_equal(info.name, "z");
  assert_int_equal(info.rank, -1);
  check_fails(rango_model_input(model, 1, &info), RANGO_ERROR_ARGUMENT, "1 inputs");
  check_fails(rango_model_output(model, 2, &info), RANGO_ERROR_ARGUMENT, "2 outputs");
  check_fails(rango_model_input(NULL, 0, &info), RANGO_ERROR_ARGUMENT, "NULL");
  assert_string_equal(rango_model_metadata(model, "author"), "nobody");
  assert_null(rango_model_metadata(model, "date"));
  assert_string_equal(rango_version(), RANGO_VERSION_STRING);
  rango_model_free(rg_model_retain(model));
  assert_string_equal(rango_model_metadata(model, "author"), "nobody"); /* one hold is left */
  rango_model_free(model);
  rango_model_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_scopes),
      cmocka_unit_test(test_depth_is_bounded),
      cmocka_unit_test(test_uses),
      cmocka_unit_test(test_replace),
      cmocka_unit_test(test_subgraph_uses),
      cmocka_unit_test(test_sort),
      cmocka_unit_test(test_sort_long_chain),
      cmocka_unit_test(test_attributes),
      cmocka_unit_test(test_constants),
      cmocka_unit_test(test_node_text),
      cmocka_unit_test(test_opsets_and_symbols),
      cmocka_unit_test(test_visit),
      cmocka_unit_test(test_copy),
      cmocka_unit_test(test_copy_without_memory),
      cmocka_unit_test(test_public_info),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
