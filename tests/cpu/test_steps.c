/* rango.Elementwise on every instruction set against its portable reference: broadcasting, tiles, shared results. */
#include "operator_host.h"
#include "ops/elementwise.h"

/* Random steps over the inputs, each of which reads the result before it, so that all count. */
static void write_steps(op_case *c, int inputs, int count) {
  static const rg_activation_kind functions[] = {RG_ACT_ABS,    RG_ACT_RELU, RG_ACT_TANH, RG_ACT_SIGMOID, RG_ACT_NEG,
                                                 RG_ACT_SQUARE, RG_ACT_ERF,  RG_ACT_ELU,  RG_ACT_CLIP};
  rg_steps steps = {.count = count};
  for (int i = 0; i < count; i++) {
    rg_step *step = &steps.items[i];
    const int before = i ? inputs + i - 1 : 0, other = (int)rg_random_below(&c->random, (uint64_t)(inputs + i));
    const bool turned = rg_random_below(&c->random, 2);
    step->kind = (rg_step_kind)rg_random_below(&c->random, RG_STEP_COUNT);
    step->activation = (rg_activation){functions[rg_random_below(&c->random, 9)], -0.5f, 0.75f};
    step->a = step->b = before;
    if (step->kind == RG_STEP_DIV) step->kind = RG_STEP_SUB; /* small divisors: below, by an input */
    if (step->kind != RG_STEP_ACTIVATION) *(turned ? &step->a : &step->b) = other;
  }
  steps.items[count - 1] = (rg_step){.kind = RG_STEP_DIV, .a = count > 1 ? inputs + count - 2 : 0, .b = inputs - 1};
  check_ok(rg_steps_write(c->node, &steps));
}

static void test_random_steps(void **state) {
  const rg_shape *const others[] = {SHAPE(2, 5, 30, 41), SHAPE(5, 1, 1), SHAPE(41),     SHAPE(2, 1, 1, 41),
                                    SHAPE(30, 1),        SHAPE(1),       &(rg_shape){0}};
  for (int round = 0; round < 60; round++) {
    const int inputs = 2 + round % 5, steps = 1 + round % RG_STEPS_MAX;
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Elementwise", 1, inputs, 1, 900 + (uint64_t)round);
    op_floats(&c, 0, false, SHAPE(2, 5, 30, 41), -1, 1);
    for (int i = 1; i < inputs; i++) op_floats(&c, i, i % 2, others[(round + 2 * i) % 7], 0.5, 1.5);
    write_steps(&c, inputs, steps);
    op_check(&c, OP_ROW_MAJOR, 2e-6);
  }
}

/* Rows longer than a tile, few of them; rows of one element; nothing at all. */
static void test_shapes(void **state) {
  const rg_shape *const pairs[][2] = {{SHAPE(3, 5000), SHAPE(3, 1)},
                                      {SHAPE(5000), SHAPE(5000)},
                                      {SHAPE(4000, 1), SHAPE(4000, 1)},
                                      {SHAPE(0, 3), SHAPE(3)},
                                      {SHAPE(7, 1), SHAPE(1, 300)}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Elementwise", 1, 2, 1, 990 + i);
    op_floats(&c, 0, false, pairs[i][0], -1, 1);
    op_floats(&c, 1, false, pairs[i][1], 0.5, 1.5);
    const rg_steps steps = {2, {{RG_STEP_SUB, {0}, 0, 1}, {RG_STEP_ACTIVATION, {.kind = RG_ACT_ABS}, 2, 2}}};
    check_ok(rg_steps_write(c.node, &steps));
    op_check(&c, OP_ROW_MAJOR, 1e-6);
  }
}

/* What the attribute says is checked: no node of a file's gets here, and a wrong number still reads nothing else. */
static void test_damaged_steps(void **state) {
  const int64_t bad[][6] = {{99, 0, 0, 0, 0, 0}, {1, 0, 2, 0, 0, 0}, {1, -1, 0, 0, 0, 0}, {0, 0, 0, 999, 0, 0}};
  rg_steps steps;
  op_case c;
  op_begin(&c, RG_PRIVATE_DOMAIN, "Elementwise", 1, 2, 1, 1);
  assert_false(rg_steps_read(c.node, &steps));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    check_ok(rg_node_set_ints(c.node, "steps", bad[i], 6));
    assert_false(rg_steps_read(c.node, &steps));
  }
  check_ok(rg_node_set_ints(c.node, "steps", bad[0], 5));
  assert_false(rg_steps_read(c.node, &steps));
  op_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_steps),
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_damaged_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
