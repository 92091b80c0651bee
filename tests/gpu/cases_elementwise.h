/* Functions, arithmetic, comparisons, Where, chains of steps. */
#ifndef TESTS_GPU_CASES_ELEMENTWISE_H
#define TESTS_GPU_CASES_ELEMENTWISE_H

#include "node_host.h"
#include "ops/elementwise.h"

static const rg_shape *const broadcasts[][2] = {
    {SHAPE(2, 5, 3, 4), SHAPE(2, 5, 3, 4)}, {SHAPE(2, 5, 3, 4), SHAPE(1, 5, 1, 1)},
    {SHAPE(2, 5, 3, 4), SHAPE(2, 5, 1, 1)}, {SHAPE(2, 5, 3, 4), SHAPE(1, 1, 1, 1)},
    {SHAPE(1, 7, 1), SHAPE(3, 1, 5)},
};

static void test_binary(void **state) {
  static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Min", "Max", "PRelu"};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    for (size_t r = 0; r < sizeof broadcasts / sizeof *broadcasts; r++) {
      op_case c;
      if (i == 6 && r == 4) continue; /* PRelu's slope has no more axes than its input */
      op_begin(&c, "", ops[i], 16, 2, 1, 100 + i * 10 + r);
      op_floats(&c, 0, false, broadcasts[r][0], -2, 2);
      op_floats(&c, 1, r % 2 == 1, broadcasts[r][1], 0.5, 2);
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
    }
}

static void test_broadcast(void **state) {
  const rg_shape *const pairs[][2] = {{SHAPE(4, 1, 6), SHAPE(5, 1)},
                                      {SHAPE(3, 1, 5, 1, 2, 1), SHAPE(1, 4, 1, 6, 2, 3)},
                                      {SHAPE(7), SHAPE(3, 1)},
                                      {SHAPE(1), SHAPE(2, 3)},
                                      {&(rg_shape){0}, &(rg_shape){0}},
                                      {&(rg_shape){0}, SHAPE(3, 37)},
                                      {SHAPE(2, 3, 401), SHAPE(401)},
                                      {SHAPE(311, 209), SHAPE(311, 209)},
                                      {SHAPE(64, 41, 33), SHAPE(64, 1, 33)},
                                      {SHAPE(0, 3), SHAPE(3)}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    static const rango_type types[] = {RANGO_FLOAT32, RANGO_INT32, RANGO_INT64};
    for (size_t t = 0; t < 3; t++) {
      op_case c;
      op_begin(&c, "", i % 2 ? "Sub" : "Mul", 14, 2, 1, 200 + 10 * i + t);
      op_input(&c, 0, false, types[t], pairs[i][0], t ? -50000 : -2, t ? 50000 : 2);
      op_input(&c, 1, false, types[t], pairs[i][1], t ? -50000 : -2, t ? 50000 : 2);
      gpu_check(&c, GPU_ROW_MAJOR, t ? GPU_EXACT : GPU_FLOAT);
    }
  }
}

static void test_integers(void **state) {
  static const char *const ops[] = {"Add", "Sub", "Mul", "Min", "Max", "Div"};
  for (size_t i = 0; i < 6; i++)
    for (int is_long = 0; is_long < 2; is_long++) {
      const rango_type type = is_long ? RANGO_INT64 : RANGO_INT32;
      const double most = is_long ? 9e18 : 2e9;
      op_case c;
      if (is_long && i == 5) continue;
      op_begin(&c, "", ops[i], 14, 2, 1, 300 + 2 * i + (uint64_t)is_long);
      op_input(&c, 0, false, type, SHAPE(3, 5, 97), -most, most);
      op_input(&c, 1, false, type, SHAPE(1, 5, 97), i == 5 ? -7 : -most, i == 5 ? 7 : most);
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
    }
}

static void test_compare(void **state) {
  static const char *const ops[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  static const rango_type types[] = {RANGO_FLOAT32, RANGO_INT32, RANGO_INT64, RANGO_UINT8};
  for (size_t i = 0; i < 5; i++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      op_begin(&c, "", ops[i], 16, 2, 1, 320 + 4 * i + t);
      op_input(&c, 0, false, types[t], SHAPE(3, 1, 37), t == 3 ? 0 : -3, 3);
      op_input(&c, 1, false, types[t], t == 1 ? SHAPE(3, 1, 37) : SHAPE(4, 1), t == 3 ? 0 : -3, 3);
      gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
    }
}

static void test_logic(void **state) {
  static const char *const ops[] = {"And", "Or", "Xor", "Not"};
  for (size_t i = 0; i < 4; i++)
    for (int t = 0; t < 2; t++) {
      op_case c;
      op_begin(&c, "", ops[i], i == 3 ? 1 : 7, i == 3 ? 1 : 2, 1, 350 + 2 * i + (uint64_t)t);
      op_input(&c, 0, false, RANGO_BOOL, t ? SHAPE(2, 7, 3, 5) : SHAPE(1, 1301), 0, 2);
      if (i < 3) op_input(&c, 1, false, RANGO_BOOL, t ? SHAPE(2, 7, 3, 5) : SHAPE(3, 1), 0, 2);
      gpu_check(&c, t ? GPU_BOTH_LAYOUTS : GPU_ROW_MAJOR, GPU_EXACT);
    }
}

static void test_where(void **state) {
  static const rango_type types[] = {RANGO_FLOAT32, RANGO_INT64, RANGO_UINT8, RANGO_INT32};
  for (int i = 0; i < 3; i++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      op_begin(&c, "", "Where", 16, 3, 1, 370 + 4 * (uint64_t)i + t);
      op_input(&c, 0, false, RANGO_BOOL, i == 0 ? SHAPE(4, 37) : i == 1 ? SHAPE(4, 1) : SHAPE(37), 0, 2);
      op_input(&c, 1, false, types[t], i == 2 ? SHAPE(1) : SHAPE(4, 37), 0, 100);
      op_input(&c, 2, i == 1, types[t], i == 1 ? SHAPE(1) : SHAPE(1, 37), 0, 100);
      gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
    }
}

/* Special values go through as on the CPU. */
static void put_specials(op_case *c, int input) {
  static const float specials[] = {NAN, INFINITY, -INFINITY, -0.0f, 90, -90, 300, -300, 60000, -60000};
  memcpy(c->inputs[input].data, specials, sizeof specials);
}

static void test_functions(void **state) {
  static const struct {
    const char *op;
    int version;
    double low, high;
  } ops[] = {{"Relu", 14, -3, 3},  {"LeakyRelu", 16, -3, 3},  {"Sigmoid", 13, -9, 9},   {"Tanh", 13, -4, 4},
             {"Erf", 13, -4, 4},   {"HardSigmoid", 6, -4, 4}, {"HardSwish", 14, -4, 4}, {"Elu", 6, -4, 4},
             {"Exp", 13, -9, 9},   {"Log", 13, 0.1, 4},       {"Sqrt", 13, 0, 9},       {"Reciprocal", 13, 0.5, 4},
             {"Abs", 13, -3, 3},   {"Neg", 13, -3, 3},        {"Floor", 13, -3, 3},     {"Ceil", 13, -3, 3},
             {"Round", 11, -3, 3}, {"Gelu", 20, -4, 4},       {"Swish", 24, -4, 4},     {"Softplus", 1, -9, 9}};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    op_case c;
    op_begin(&c, "", ops[i].op, ops[i].version, 1, 1, 400 + i);
    op_floats(&c, 0, false, i % 4 ? SHAPE(2, 3, 5, 7) : SHAPE(2, 30, 51, 7), ops[i].low, ops[i].high);
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
  }
}

static void test_special_values(void **state) {
  static const rg_activation_kind kinds[] = {RG_ACT_RELU,    RG_ACT_CLIP, RG_ACT_LEAKY_RELU,
                                             RG_ACT_SIGMOID, RG_ACT_TANH, RG_ACT_HARD_SIGMOID,
                                             RG_ACT_ELU,     RG_ACT_ERF,  RG_ACT_HARD_SWISH};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Activation", 1, 1, 1, 430 + i);
    op_floats(&c, 0, false, SHAPE(40), -4, 4);
    put_specials(&c, 0);
    check_ok(rg_activation_write(c.node, (rg_activation){kinds[i], 0.2f, 0.5f}));
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
}

/* NaN on either side of a minimum or maximum is the result. */
static void test_nan_of_two(void **state) {
  static const char *const ops[] = {"Min", "Max", "Add", "Less", "Equal"};
  for (size_t i = 0; i < 5; i++)
    for (int side = 0; side < 2; side++) {
      op_case c;
      op_begin(&c, "", ops[i], 13, 2, 1, 440 + 2 * i + (uint64_t)side);
      for (int k = 0; k < 2; k++) op_floats(&c, k, false, SHAPE(40), -4, 4);
      put_specials(&c, side);
      gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    }
}

static void test_gelu_clip_pow(void **state) {
  op_case c;
  op_begin(&c, "", "Gelu", 20, 1, 1, 450);
  op_floats(&c, 0, false, SHAPE(3, 50), -4, 4);
  check_ok(rg_node_set_string(c.node, "approximate", "tanh"));
  gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  for (int constant = 0; constant < 2; constant++) {
    op_begin(&c, "", "Clip", 13, 3, 1, 451);
    op_floats(&c, 0, false, SHAPE(2, 3, 50), -4, 4);
    op_floats(&c, 1, constant, &(rg_shape){0}, -1, -1);
    op_floats(&c, 2, constant, &(rg_shape){0}, 2, 2);
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
  }
  op_begin(&c, "", "Clip", 6, 1, 1, 452);
  op_floats(&c, 0, false, SHAPE(2, 3, 50), -4, 4);
  check_ok(rg_node_set_float(c.node, "max", 1.5f));
  gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
  static const double powers[] = {1, 2, 0.5, -1, 3, -2, 1.7};
  for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
    const bool whole = powers[i] == floor(powers[i]);
    op_begin(&c, "", "Pow", 15, 2, 1, 460 + i);
    op_floats(&c, 0, false, SHAPE(5, 33), whole && powers[i] > 0 ? -3 : 0.25, 3);
    op_floats(&c, 1, true, SHAPE(1), powers[i], powers[i]);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
  op_begin(&c, "", "Pow", 15, 2, 1, 470);
  op_floats(&c, 0, true, SHAPE(1), 2, 2);
  op_floats(&c, 1, false, SHAPE(5, 33), -3, 3);
  gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
}

static void test_many_inputs(void **state) {
  static const char *const ops[] = {"Sum", "Mean", "Min", "Max"};
  for (size_t i = 0; i < 4; i++)
    for (int inputs = 1; inputs <= 7; inputs += 3) {
      op_case c;
      op_begin(&c, "", ops[i], 13, inputs, 1, 480 + i * 10 + (uint64_t)inputs);
      for (int k = 0; k < inputs; k++) op_floats(&c, k, k == 3, k == 2 ? SHAPE(7, 1) : SHAPE(3, 7, 11), -1, 1);
      gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    }
}

/* All functions, and a tree whose steps wait for each other, with scalars known and unknown beforehand. */
static void test_steps(void **state) {
  for (int kind = 0; kind < RG_ACT_COUNT; kind++) {
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Activation", 1, 1, 1, 500 + (uint64_t)kind);
    op_floats(&c, 0, false, SHAPE(2, 3, 5, 7), kind == RG_ACT_LOG || kind == RG_ACT_SQRT ? 0.1 : -4, 4);
    check_ok(rg_activation_write(c.node, (rg_activation){(rg_activation_kind)kind, 0.2f, 0.5f}));
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
  }
  for (int known = 0; known < 2; known++) {
    /* t = a * b; u = 2 - t; v = sigmoid(u); w = t + v; x = w / c; y = elu(x) * t; min(y, v) */
    const rg_steps steps = {7,
                            {{RG_STEP_MUL, {0}, 0, 1},
                             {RG_STEP_SUB, {0}, 3, 4},
                             {RG_STEP_ACTIVATION, {RG_ACT_SIGMOID, 0, 0}, 5, 5},
                             {RG_STEP_ADD, {0}, 4, 6},
                             {RG_STEP_DIV, {0}, 7, 2},
                             {RG_STEP_ACTIVATION, {RG_ACT_ELU, 0.3f, 0}, 8, 8},
                             {RG_STEP_MIN, {0}, 9, 6}}};
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Elementwise", 1, 4, 1, 540 + (uint64_t)known);
    op_floats(&c, 0, false, SHAPE(3, 6, 5, 7), -2, 2);
    op_floats(&c, 1, true, SHAPE(6, 1, 1), -2, 2);
    op_floats(&c, 2, false, SHAPE(3, 6, 1, 1), 0.5, 2);
    op_floats(&c, 3, known, SHAPE(1), 2, 2);
    check_ok(rg_steps_write(c.node, &steps));
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
  }
}

#endif
