/* rg_op_evaluate: bodies run inside a node, and come to an end. */
#include "op_case.h"

static rg_graph *add_body(rg_node *node, const char *name) {
  rg_graph *body;
  rg_attr *attr;
  check_ok(rg_graph_create(node->graph->model, node, &body));
  check_ok(rg_arena_alloc(node->graph->model->arena, sizeof *attr, RG_OUT(&attr)));
  *attr = (rg_attr){.name = name, .kind = RG_ATTR_GRAPH, .next = node->attributes, .graph = body};
  node->attributes = attr;
  return body;
}

static rg_value *number(rg_graph *graph, rango_type type, double value) {
  return constant(graph, NULL, type, 0, NULL, &value);
}

static void branches_read_constants_of_their_own_and_outside(void **state) {
  (void)state;
  for (int condition = 0; condition < 2; condition++) {
    op_case self;
    op_case_start(&self, "If", 17);
    rg_value *outside = number(self.model->graph, RANGO_FLOAT32, 5);
    rg_graph *yes = add_body(self.node, "then_branch"), *no = add_body(self.node, "else_branch");
    graph_output(yes, NODE(yes, "Add", NULL, outside, number(yes, RANGO_FLOAT32, 2)));
    graph_output(no, NODE(no, "Mul", NULL, outside, number(no, RANGO_FLOAT32, 2)));
    op_case_tensor(&self, RANGO_BOOL, 0, NULL, NUMBERS(condition));
    op_case_gives(&self, RANGO_FLOAT32, 0, NULL, condition ? NUMBERS(7) : NUMBERS(10));
    op_case_end(&self);
  }
}

/* Fibonacci by a Loop of two carried values: values of the body are made anew in every round. */
static void loops_carry_their_values(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Loop", 17);
  rg_graph *body = add_body(self.node, "body");
  graph_input(body, NULL, RANGO_INT64, 0, NULL);
  rg_value *condition = graph_input(body, NULL, RANGO_BOOL, 0, NULL);
  rg_value *a = graph_input(body, NULL, RANGO_INT32, 0, NULL), *b = graph_input(body, NULL, RANGO_INT32, 0, NULL);
  graph_output(body, NODE(body, "Identity", NULL, condition));
  graph_output(body, NODE(body, "Identity", NULL, b));
  graph_output(body, NODE(body, "Add", NULL, a, b));
  op_case_tensor(&self, RANGO_INT64, 0, NULL, NUMBERS(10));
  op_case_tensor(&self, RANGO_BOOL, 0, NULL, NUMBERS(1));
  op_case_tensor(&self, RANGO_INT32, 0, NULL, NUMBERS(0));
  op_case_tensor(&self, RANGO_INT32, 0, NULL, NUMBERS(1));
  op_case_gives(&self, RANGO_INT32, 0, NULL, NUMBERS(55));
  op_case_end(&self);
}

/* As deep as a graph may be (rg_graph_create refuses more than 64). */
static void deeply_nested_bodies_run(void **state) {
  (void)state;
  const int depth = 60;
  op_case self;
  op_case_start(&self, "If", 17);
  rg_value *condition = number(self.model->graph, RANGO_BOOL, 1);
  rg_node *node = self.node;
  for (int i = 0; i < depth; i++) {
    rg_graph *yes = add_body(node, "then_branch"), *no = add_body(node, "else_branch");
    graph_output(no, NODE(no, "Identity", NULL, number(no, RANGO_INT8, 2)));
    rg_value *inner =
        i + 1 < depth ? NODE(yes, "If", NULL, condition) : NODE(yes, "Identity", NULL, number(yes, RANGO_INT8, 1));
    node = graph_output(yes, inner)->producer;
  }
  op_case_tensor(&self, RANGO_BOOL, 0, NULL, NUMBERS(1));
  op_case_gives(&self, RANGO_INT8, 0, NULL, NUMBERS(1));
  op_case_end(&self);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(branches_read_constants_of_their_own_and_outside),
      cmocka_unit_test(loops_carry_their_values),
      cmocka_unit_test(deeply_nested_bodies_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
