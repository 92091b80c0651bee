/* Elementwise operators, activations, softmax, norms, reductions, pools, casts and moves against their scalar
 * reference. */
#include "operator_host.h"

/* ---- elementwise ---- */

static void test_binary(void **state) {
  static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Min", "Max"};
  for (size_t i = 0; i < 6; i++) {
    op_case c;
    const rg_shape *const right[] = {SHAPE(2, 5, 3, 4), SHAPE(1, 5, 1, 1), SHAPE(5, 1, 1), SHAPE(1), SHAPE(2, 5, 1, 1)};
    for (size_t r = 0; r < sizeof right / sizeof *right; r++) {
      const bool constant = r >= 1 && r <= 3;
      op_begin(&c, "", ops[i], 14, 2, 1, 100 + i * 10 + r);
      op_floats(&c, 0, false, SHAPE(2, 5, 3, 4), -2, 2);
      op_floats(&c, 1, constant, right[r], 0.5, 2);
      op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
    }
  }
}

/* Shapes whose broadcasting needs loops around the kernel, and a scalar on the left. */
static void test_binary_broadcast(void **state) {
  const rg_shape *const pairs[][2] = {
      {SHAPE(4, 1, 6), SHAPE(5, 1)},
      {SHAPE(3, 1, 5, 1, 2), SHAPE(1, 4, 1, 6, 2)},
      {SHAPE(7), SHAPE(3, 1)},
      {SHAPE(1), SHAPE(2, 3)},
      {SHAPE(2, 3, 40), SHAPE(40)},
      {SHAPE(300, 200), SHAPE(300, 200)},
      {SHAPE(64, 40, 33), SHAPE(64, 1, 33)},
      {SHAPE(0, 3), SHAPE(3)},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    op_case c;
    op_begin(&c, "", i % 2 ? "Sub" : "Mul", 14, 2, 1, 200 + i);
    op_floats(&c, 0, false, pairs[i][0], -2, 2);
    op_floats(&c, 1, false, pairs[i][1], -2, 2);
    op_check(&c, OP_ROW_MAJOR, 1e-6);
  }
}

static void test_prelu_pow_compare_where(void **state) {
  op_case c;
  op_begin(&c, "", "PRelu", 16, 2, 1, 300);
  op_floats(&c, 0, false, SHAPE(2, 5, 3, 4), -2, 2);
  op_floats(&c, 1, true, SHAPE(5, 1, 1), -1, 1);
  op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
  static const double powers[] = {1, 2, 0.5, -1};
  for (size_t i = 0; i < 4; i++) {
    op_begin(&c, "", "Pow", 15, 2, 1, 310 + i);
    op_floats(&c, 0, false, SHAPE(5, 33), 0.25, 3);
    op_floats(&c, 1, true, SHAPE(1), powers[i], powers[i]);
    op_check(&c, OP_ROW_MAJOR, 1e-6);
  }
  static const char *const compares[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  for (size_t i = 0; i < 5; i++) {
    op_begin(&c, "", compares[i], 16, 2, 1, 320 + i);
    op_floats(&c, 0, false, SHAPE(3, 1, 37), -1, 1);
    op_floats(&c, 1, false, SHAPE(4, 1), -1, 1);
    op_check(&c, OP_ROW_MAJOR, 0);
  }
  for (int i = 0; i < 3; i++) {
    op_begin(&c, "", "Where", 16, 3, 1, 330 + (uint64_t)i);
    op_input(&c, 0, false, RANGO_BOOL, i == 0 ? SHAPE(4, 37) : i == 1 ? SHAPE(4, 1) : SHAPE(37), 0, 2);
    op_floats(&c, 1, false, i == 2 ? SHAPE(1) : SHAPE(4, 37), -1, 1);
    op_floats(&c, 2, false, i == 1 ? SHAPE(1) : SHAPE(1, 37), -1, 1);
    op_check(&c, OP_ROW_MAJOR, 0);
  }
}

static void test_activations(void **state) {
  static const struct {
    const char *op;
    int version;
    double low, high;
  } ops[] = {{"Relu", 14, -3, 3},  {"LeakyRelu", 16, -3, 3},  {"Sigmoid", 13, -6, 6},   {"Tanh", 13, -4, 4},
             {"Erf", 13, -3, 3},   {"HardSigmoid", 6, -4, 4}, {"HardSwish", 14, -4, 4}, {"Elu", 6, -4, 4},
             {"Exp", 13, -4, 4},   {"Log", 13, 0.1, 4},       {"Sqrt", 13, 0, 9},       {"Reciprocal", 13, 0.5, 4},
             {"Abs", 13, -3, 3},   {"Neg", 13, -3, 3},        {"Floor", 13, -3, 3},     {"Ceil", 13, -3, 3},
             {"Round", 11, -3, 3}, {"Gelu", 20, -4, 4},       {"Swish", 24, -4, 4}};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    op_case c;
    op_begin(&c, "", ops[i].op, ops[i].version, 1, 1, 400 + i);
    op_floats(&c, 0, false, i % 4 ? SHAPE(2, 3, 5, 7) : SHAPE(2, 30, 50, 70), ops[i].low, ops[i].high);
    op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
  }
}

static void test_gelu_tanh_clip_fused(void **state) {
  op_case c;
  op_begin(&c, "", "Gelu", 20, 1, 1, 430);
  op_floats(&c, 0, false, SHAPE(3, 50), -4, 4);
  check_ok(rg_node_set_string(c.node, "approximate", "tanh"));
  op_check(&c, OP_ROW_MAJOR, 1e-6);
  op_begin(&c, "", "Clip", 13, 3, 1, 431);
  op_floats(&c, 0, false, SHAPE(2, 3, 50), -4, 4);
  op_floats(&c, 1, true, &(rg_shape){0}, -1, -1);
  op_floats(&c, 2, true, &(rg_shape){0}, 2, 2);
  op_check(&c, OP_BOTH_LAYOUTS, 0);
  op_begin(&c, "", "Clip", 6, 1, 1, 432);
  op_floats(&c, 0, false, SHAPE(2, 3, 50), -4, 4);
  check_ok(rg_node_set_float(c.node, "max", 1.5f));
  op_check(&c, OP_BOTH_LAYOUTS, 0);
  for (int kind = RG_ACT_NONE; kind <= RG_ACT_SILU; kind++) {
    op_begin(&c, RG_PRIVATE_DOMAIN, "Activation", 1, 1, 1, 440 + (uint64_t)kind);
    op_floats(&c, 0, false, SHAPE(2, 3, 5, 7), -4, 4);
    check_ok(rg_activation_write(c.node, (rg_activation){(rg_activation_kind)kind, 0.2f, 0.5f}));
    op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
  }
}

/* ---- softmax and norms ---- */

static void test_softmax(void **state) {
  for (int i = 0; i < 12; i++) {
    op_case c;
    const int version = i < 8 ? 13 : 11, axis = i % 4 == 3 ? -1 : i % 4;
    op_begin(&c, "", i & 1 ? "LogSoftmax" : "Softmax", version, 1, 1, 500 + (uint64_t)i);
    op_floats(&c, 0, false, i == 6 ? SHAPE(40, 30, 50) : SHAPE(4, 3, 35), -9, 9);
    check_ok(rg_node_set_int(c.node, "axis", axis));
    op_check(&c, OP_ROW_MAJOR, 1e-6);
  }
}

static void test_layer_norm(void **state) {
  for (int i = 0; i < 4; i++) {
    op_case c;
    op_begin(&c, "", "LayerNormalization", 17, i == 1 ? 2 : 3, i == 2 ? 3 : 1, 520 + (uint64_t)i);
    op_floats(&c, 0, false, i == 3 ? SHAPE(200, 300) : SHAPE(4, 3, 35), 4, 9);
    op_floats(&c, 1, true, i == 0 ? SHAPE(3, 35) : i == 3 ? SHAPE(300) : SHAPE(35), -1, 1);
    if (i != 1) op_floats(&c, 2, true, i == 0 ? SHAPE(1, 3, 35) : i == 3 ? SHAPE(300) : SHAPE(35), -1, 1);
    if (i == 0) check_ok(rg_node_set_int(c.node, "axis", 1));
    op_check(&c, OP_ROW_MAJOR, 3e-6);
  }
  op_case c;
  op_begin(&c, "", "RMSNormalization", 23, 2, 1, 530);
  op_floats(&c, 0, false, SHAPE(4, 3, 35), -4, 9);
  op_floats(&c, 1, true, SHAPE(35), -1, 1);
  op_check(&c, OP_ROW_MAJOR, 3e-6);
}

static void test_batch_norm(void **state) {
  for (int i = 0; i < 3; i++) {
    op_case c;
    op_begin(&c, "", "BatchNormalization", 15, 5, 1, 540 + (uint64_t)i);
    op_floats(&c, 0, false, i == 0 ? SHAPE(2, 7, 5, 3) : i == 1 ? SHAPE(3, 7, 50) : SHAPE(20, 7, 60, 30), -3, 3);
    for (int p = 1; p < 5; p++) op_floats(&c, p, true, SHAPE(7), 0.5, 2);
    op_check(&c, OP_BOTH_LAYOUTS, 2e-6);
  }
}

static void test_group_norm(void **state) {
  for (int i = 0; i < 4; i++) {
    op_case c;
    const bool instance = i == 0;
    const int64_t scales = i == 1 ? 3 : 6; /* of opset 18: by group */
    op_begin(&c, "", instance ? "InstanceNormalization" : "GroupNormalization",
             instance ? 6
             : i == 1 ? 18
                      : 21,
             3, 1, 550 + (uint64_t)i);
    op_floats(&c, 0, false, i == 3 ? SHAPE(4, 6, 70, 40) : SHAPE(2, 6, 5, 4), 3, 5);
    op_floats(&c, 1, true, SHAPE(scales), -1, 1);
    op_floats(&c, 2, true, SHAPE(scales), -1, 1);
    if (!instance) check_ok(rg_node_set_int(c.node, "num_groups", 3));
    op_check(&c, OP_BOTH_LAYOUTS, 5e-6);
  }
}

/* ---- reductions and pools ---- */

static void test_reduce(void **state) {
  static const char *const ops[] = {"ReduceSum",       "ReduceMean", "ReduceMax", "ReduceMin",
                                    "ReduceSumSquare", "ReduceL1",   "ReduceL2"};
  static const int64_t axes[][2] = {{0, 1}, {1, 2}, {2, 3}, {-1, 2}, {1, 1}, {0, 0}};
  for (size_t op = 0; op < 7; op++)
    for (size_t a = 0; a < 6; a++) {
      op_case c;
      const size_t count = axes[a][0] == axes[a][1] ? 1 : 2;
      const bool spatial = a == 2 || a == 3;
      op_begin(&c, "", ops[op], 18, 2, 1, 600 + op * 10 + a);
      op_floats(&c, 0, false, a == 1 ? SHAPE(20, 30, 40, 7) : SHAPE(3, 7, 5, 9), -2, 3);
      op_ints(&c, 1, true, (int64_t)count, axes[a]);
      check_ok(rg_node_set_int(c.node, "keepdims", spatial || a == 0));
      op_check(&c, spatial ? OP_BOTH_LAYOUTS : OP_ROW_MAJOR, 2e-6);
    }
  op_case c;
  op_begin(&c, "", "ReduceMean", 11, 1, 1, 690);
  op_floats(&c, 0, false, SHAPE(3, 7, 5, 9), -2, 3);
  check_ok(rg_node_set_ints(c.node, "axes", (const int64_t[]){2, 3}, 2));
  op_check(&c, OP_BOTH_LAYOUTS, 2e-6);
  op_begin(&c, "", "ReduceSum", 13, 1, 1, 691);
  op_floats(&c, 0, false, SHAPE(3, 7, 500), -2, 3);
  op_check(&c, OP_ROW_MAJOR, 2e-6);
}

static void test_global_pools(void **state) {
  for (int i = 0; i < 4; i++) {
    op_case c;
    op_begin(&c, "", i & 1 ? "GlobalMaxPool" : "GlobalAveragePool", 13, 1, 1, 700 + (uint64_t)i);
    op_floats(&c, 0, false, i & 2 ? SHAPE(3, 40, 9) : SHAPE(2, 19, 7, 11), -2, 3);
    op_check(&c, OP_BOTH_LAYOUTS, 2e-6);
  }
}

/* Random windows: strides, dilations, pads, ceil_mode, count_include_pad, one and two axes. */
static void test_pools(void **state) {
  for (int i = 0; i < 60; i++) {
    op_case c;
    const bool maximum = i & 1, one = i % 5 == 0;
    rg_random random;
    rg_random_seed(&random, 900 + (uint64_t)i);
    op_begin(&c, "", maximum ? "MaxPool" : "AveragePool", 19, 1, 1, 710 + (uint64_t)i);
    const int64_t channels = 1 + (int64_t)rg_random_below(&random, 20);
    const int64_t h = 6 + (int64_t)rg_random_below(&random, 8), w = 6 + (int64_t)rg_random_below(&random, 30);
    op_floats(&c, 0, false, one ? SHAPE(2, channels, w) : SHAPE(2, channels, h, w), -2, 2);
    const size_t axes = one ? 1 : 2;
    int64_t kernel[2], strides[2], dilations[2], pads[4];
    for (size_t a = 0; a < axes; a++) {
      kernel[a] = 1 + (int64_t)rg_random_below(&random, 3);
      strides[a] = 1 + (int64_t)rg_random_below(&random, 3);
      dilations[a] = 1 + (int64_t)rg_random_below(&random, 2);
      pads[a] = (int64_t)rg_random_below(&random, (uint64_t)kernel[a]);
      pads[axes + a] = (int64_t)rg_random_below(&random, (uint64_t)kernel[a]);
    }
    check_ok(rg_node_set_ints(c.node, "kernel_shape", kernel, axes));
    check_ok(rg_node_set_ints(c.node, "strides", strides, axes));
    check_ok(rg_node_set_ints(c.node, "dilations", dilations, axes));
    if (i % 7 == 0)
      check_ok(rg_node_set_string(c.node, "auto_pad", i % 2 ? "SAME_UPPER" : "SAME_LOWER"));
    else
      check_ok(rg_node_set_ints(c.node, "pads", pads, 2 * axes));
    check_ok(rg_node_set_int(c.node, "ceil_mode", i % 3 == 0));
    if (!maximum) check_ok(rg_node_set_int(c.node, "count_include_pad", i % 4 < 2));
    op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
  }
}

/* ---- moving and converting ---- */

static void test_transpose(void **state) {
  static const struct {
    rg_shape shape;
    int64_t order[5];
    rango_type type;
  } cases[] = {
      {{3, {4, 50, 33}}, {0, 2, 1}, RANGO_FLOAT32},         {{2, {130, 200}}, {1, 0}, RANGO_FLOAT32},
      {{4, {2, 3, 4, 5}}, {0, 2, 1, 3}, RANGO_FLOAT32},     {{4, {2, 3, 4, 5}}, {3, 2, 1, 0}, RANGO_FLOAT32},
      {{5, {2, 3, 1, 5, 4}}, {4, 1, 2, 0, 3}, RANGO_INT64}, {{3, {7, 20, 33}}, {2, 0, 1}, RANGO_UINT8},
      {{3, {7, 20, 33}}, {1, 2, 0}, RANGO_FLOAT16},         {{2, {1, 9}}, {1, 0}, RANGO_FLOAT32},
      {{3, {0, 3, 4}}, {2, 1, 0}, RANGO_FLOAT32},           {{3, {3, 4, 5}}, {0, 1, 2}, RANGO_FLOAT64},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    op_case c;
    op_begin(&c, "", "Transpose", 13, 1, 1, 800 + i);
    op_input(&c, 0, false, cases[i].type, &cases[i].shape, 0, 100);
    check_ok(rg_node_set_ints(c.node, "perm", cases[i].order, (size_t)cases[i].shape.rank));
    op_check(&c, OP_ROW_MAJOR, 0);
  }
  op_case c;
  op_begin(&c, "", "Transpose", 13, 1, 1, 820);
  op_floats(&c, 0, false, SHAPE(3, 4, 5), -1, 1);
  op_check(&c, OP_ROW_MAJOR, 0);
}

static void test_concat_split(void **state) {
  for (int axis = 0; axis < 4; axis++) {
    op_case c;
    op_begin(&c, "", "Concat", 13, 3, 1, 830 + (uint64_t)axis);
    check_ok(rg_node_set_int(c.node, "axis", axis == 3 ? -1 : axis));
    for (int i = 0; i < 3; i++) {
      rg_shape shape = {4, {2, 5, 3, 4}};
      shape.dims[axis] = 1 + 3 * i;
      op_floats(&c, i, false, &shape, -1, 1);
    }
    op_check(&c, OP_BOTH_LAYOUTS, 0);
    op_begin(&c, "", "Split", 13, 2, 3, 840 + (uint64_t)axis);
    rg_shape shape = {4, {2, 5, 3, 4}};
    shape.dims[axis] = 9;
    op_floats(&c, 0, false, &shape, -1, 1);
    OP_INTS(&c, 1, true, 1, 3, 5);
    check_ok(rg_node_set_int(c.node, "axis", axis));
    op_check(&c, OP_BOTH_LAYOUTS, 0);
  }
}

static void test_slice(void **state) {
  op_case c;
  op_begin(&c, "", "Slice", 13, 5, 1, 850);
  op_floats(&c, 0, false, SHAPE(4, 6, 9), -1, 1);
  OP_INTS(&c, 1, true, 1, -5, 0);
  OP_INTS(&c, 2, true, 3, INT64_MAX, 9);
  OP_INTS(&c, 3, true, 0, 1, 2);
  OP_INTS(&c, 4, true, 1, 2, 4);
  op_check(&c, OP_ROW_MAJOR, 0);
  op_begin(&c, "", "Slice", 13, 4, 1, 851);
  op_input(&c, 0, false, RANGO_INT64, SHAPE(4, 6, 9), 0, 99);
  OP_INTS(&c, 1, true, 3);
  OP_INTS(&c, 2, true, 4);
  OP_INTS(&c, 3, true, -1);
  op_check(&c, OP_ROW_MAJOR, 0); /* one column */
  op_begin(&c, "", "Slice", 9, 1, 1, 852);
  op_floats(&c, 0, false, SHAPE(300, 200), -1, 1);
  check_ok(rg_node_set_ints(c.node, "starts", (const int64_t[]){5, -90}, 2));
  check_ok(rg_node_set_ints(c.node, "ends", (const int64_t[]){290, 1000}, 2));
  op_check(&c, OP_ROW_MAJOR, 0);
}

static void test_gather(void **state) {
  for (int axis = 0; axis < 3; axis++) {
    op_case c;
    op_begin(&c, "", "Gather", 13, 2, 1, 860 + (uint64_t)axis);
    op_floats(&c, 0, axis == 0, SHAPE(4, 5, 6), -1, 1);
    OP_INTS(&c, 1, axis == 1, 3, -1, 0, 2, -4);
    check_ok(rg_node_set_int(c.node, "axis", axis));
    op_check(&c, OP_ROW_MAJOR, 0);
  }
}

static void test_cast(void **state) {
  static const rango_type types[][2] = {
      {RANGO_UINT8, RANGO_FLOAT32},   {RANGO_BOOL, RANGO_FLOAT32},  {RANGO_INT8, RANGO_FLOAT32},
      {RANGO_INT32, RANGO_FLOAT32},   {RANGO_INT64, RANGO_FLOAT32}, {RANGO_FLOAT16, RANGO_FLOAT32},
      {RANGO_FLOAT32, RANGO_FLOAT16}, {RANGO_FLOAT32, RANGO_INT64}, {RANGO_FLOAT32, RANGO_INT32},
      {RANGO_FLOAT32, RANGO_UINT8},   {RANGO_FLOAT32, RANGO_INT8},  {RANGO_FLOAT32, RANGO_BOOL},
      {RANGO_INT64, RANGO_INT32},     {RANGO_INT32, RANGO_INT64},   {RANGO_INT64, RANGO_BOOL},
      {RANGO_BOOL, RANGO_INT64},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    op_case c;
    const bool small = types[i][0] == RANGO_UINT8 || types[i][0] == RANGO_BOOL;
    op_begin(&c, "", "Cast", 13, 1, 1, 870 + i);
    op_input(&c, 0, false, types[i][0], SHAPE(3, 7, 5), small ? 0 : -300, small ? 2 : 300);
    if (types[i][0] == RANGO_FLOAT32) { /* out of every range */
      float *x = c.inputs[0].data;
      x[0] = 1e20f, x[1] = -1e20f, x[2] = NAN, x[3] = INFINITY, x[4] = 0.5f, x[5] = -0.0f, x[6] = 2147483648.0f;
    }
    check_ok(rg_node_set_int(c.node, "to", types[i][1]));
    op_check(&c, OP_BOTH_LAYOUTS, 0);
  }
}

static void test_resize(void **state) {
  static const char *const coordinates[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
  static const char *const nearests[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  for (int i = 0; i < 32; i++) {
    op_case c;
    const bool linear = i & 1, by_sizes = i & 2, one = i % 5 == 4;
    op_begin(&c, "", "Resize", 13, by_sizes ? 4 : 3, 1, 890 + (uint64_t)i);
    op_floats(&c, 0, false, one ? SHAPE(2, 5, 9) : SHAPE(2, 19, 5, 9), -1, 1);
    check_ok(rg_node_set_string(c.node, "mode", linear ? "linear" : "nearest"));
    check_ok(rg_node_set_string(c.node, "coordinate_transformation_mode", coordinates[i / 4 % 4]));
    check_ok(rg_node_set_string(c.node, "nearest_mode", nearests[i / 8]));
    if (by_sizes) {
      if (one)
        OP_INTS(&c, 3, true, 2, 5, 13);
      else
        OP_INTS(&c, 3, true, 2, 19, 8, 7);
    } else {
      const float factors[] = {1, 1, i % 3 ? 2.0f : 1.7f, 0.6f};
      check_ok(rg_tensor_init(&c.inputs[2], RANGO_FLOAT32, one ? SHAPE(3) : SHAPE(4)));
      memcpy(c.inputs[2].data, factors, c.inputs[2].bytes);
      op_attach(&c, 2, true);
    }
    op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
  }
}

static void test_scatter_and_equal(void **state) {
  op_case c;
  op_begin(&c, "", "ScatterND", 18, 3, 1, 880);
  op_floats(&c, 0, false, SHAPE(5, 4, 6), -1, 1);
  check_ok(rg_tensor_init(&c.inputs[1], RANGO_INT64, SHAPE(3, 2)));
  memcpy(c.inputs[1].data, (const int64_t[]){0, 3, -1, 0, 2, -2}, 6 * sizeof(int64_t));
  op_attach(&c, 1, false);
  op_floats(&c, 2, false, SHAPE(3, 6), 2, 3);
  op_check(&c, OP_ROW_MAJOR, 0);
  op_begin(&c, "", "ScatterND", 18, 3, 1, 881);
  op_input(&c, 0, false, RANGO_INT64, SHAPE(50), 0, 9);
  check_ok(rg_tensor_init(&c.inputs[1], RANGO_INT64, SHAPE(2, 2, 1)));
  memcpy(c.inputs[1].data, (const int64_t[]){0, 49, -2, 7}, 4 * sizeof(int64_t));
  op_attach(&c, 1, true);
  op_input(&c, 2, false, RANGO_INT64, SHAPE(2, 2), 100, 200);
  op_check(&c, OP_ROW_MAJOR, 0);
  for (int constant = 0; constant < 2; constant++) { /* runs; the last write to a slice counts */
    op_begin(&c, "", "ScatterND", 18, 3, 1, 886);
    op_floats(&c, 0, false, SHAPE(50, 3), -1, 1);
    check_ok(rg_tensor_init(&c.inputs[1], RANGO_INT64, SHAPE(9, 1)));
    memcpy(c.inputs[1].data, (const int64_t[]){3, 4, 5, -1, 0, 1, 2, 2, 3}, 9 * sizeof(int64_t));
    op_attach(&c, 1, constant != 0);
    op_floats(&c, 2, false, SHAPE(9, 3), 2, 3);
    op_check(&c, OP_ROW_MAJOR, 0);
  }
  for (int i = 0; i < 3; i++) {
    op_begin(&c, "", "Equal", 13, 2, 1, 882 + (uint64_t)i);
    const rango_type type = i == 1 ? RANGO_INT32 : RANGO_INT64;
    op_input(&c, 0, false, type, SHAPE(4, 1, 9), 0, 3);
    op_input(&c, 1, i == 2, type, i == 0 ? SHAPE(4, 3, 9) : i == 1 ? SHAPE(3, 1) : SHAPE(1), 0, 3);
    op_check(&c, OP_ROW_MAJOR, 0);
  }
}

/* ---- recurrent ---- */

static void test_recurrent(void **state) {
  for (int i = 0; i < 16; i++) {
    op_case c;
    const bool lstm = i & 1, both = i & 2, first = i & 4, plain = i == 0 || i == 15;
    const int64_t steps = 5, batch = i == 3 ? 1 : i % 3 == 0 ? 7 : 3, input = 6, gates = lstm ? 4 : 3;
    const int64_t hidden = i == 5 || batch == 7 ? 67 : 9; /* the large ones are divided among threads */
    const int64_t d = both ? 2 : 1;
    op_begin(&c, "", lstm ? "LSTM" : "GRU", 14, lstm ? 8 : 6, lstm ? 3 : 2, 900 + (uint64_t)i);
    op_floats(&c, 0, false, first ? SHAPE(batch, steps, input) : SHAPE(steps, batch, input), -1, 1);
    op_floats(&c, 1, true, SHAPE(d, gates * hidden, input), -1, 1);
    op_floats(&c, 2, true, SHAPE(d, gates * hidden, hidden), -0.5, 0.5);
    if (!plain) {
      const rg_shape *start = first ? SHAPE(batch, d, hidden) : SHAPE(d, batch, hidden);
      op_floats(&c, 3, true, SHAPE(d, 2 * gates * hidden), -1, 1);
      if (i >= 8) op_input(&c, 4, false, RANGO_INT32, SHAPE(batch), 1, (double)steps);
      op_floats(&c, 5, false, start, -1, 1);
      if (lstm) {
        op_floats(&c, 6, false, start, -1, 1);
        op_floats(&c, 7, true, SHAPE(d, 3 * hidden), -1, 1);
      }
    }
    check_ok(rg_node_set_int(c.node, "hidden_size", hidden));
    check_ok(rg_node_set_int(c.node, "layout", first));
    check_ok(rg_node_set_string(c.node, "direction", both ? "bidirectional" : i & 8 ? "reverse" : "forward"));
    if (!lstm) check_ok(rg_node_set_int(c.node, "linear_before_reset", (i & 4) != 0));
    op_check(&c, OP_ROW_MAJOR, 2e-6);
  }
}

/* ---- rango.Layout: from one order to the other ---- */

static void test_layout(void **state) {
  op_case c;
  op_begin(&c, RG_PRIVATE_DOMAIN, "Layout", 1, 1, 1, 890);
  op_floats(&c, 0, false, SHAPE(2, 35, 6, 9), -1, 1);
  rg_fact fact = {0};
  const rg_fact *facts = &fact;
  rg_arena *arena;
  op_fact(&fact, &c.inputs[0]);
  check_ok(rg_arena_create(&arena));
  for (int to = 0; to < 2; to++) {
    rango_tensor x, y, expected;
    op_to_layout(&c.inputs[0], to ? RG_ROW_MAJOR : RG_CHANNELS_LAST, &x);
    op_to_layout(&c.inputs[0], to ? RG_CHANNELS_LAST : RG_ROW_MAJOR, &expected);
    check_ok(rg_tensor_init(&y, RANGO_FLOAT32, &x.shape));
    c.node->inputs[0]->layout = x.layout;
    c.node->outputs[0]->layout = expected.layout;
    rg_prepare prepare = {.node = c.node,
                          .input_count = 1,
                          .output_count = 1,
                          .inputs = &facts,
                          .outputs = &facts,
                          .threads = 1,
                          .arena = arena};
    check_ok(rg_kernels_get(NULL, &prepare.kernels));
    check_ok(rg_cpu_prepare(&prepare));
    assert_non_null(prepare.run);
    op_run run = {.c = &c, .outputs = {y}};
    rg_val val = {.kind = RG_KIND_TENSOR, .tensor = x};
    const rg_val *vals = &val;
    rg_exec exec = {.node = c.node,
                    .input_count = 1,
                    .output_count = 1,
                    .inputs = &vals,
                    .state = prepare.state,
                    .host = &run,
                    .output = op_output_,
                    .scratch = op_scratch_};
    check_ok(prepare.run(&exec));
    assert_memory_equal(y.data, expected.data, y.bytes);
    rg_tensor_clear(&x);
    rg_tensor_clear(&y);
    rg_tensor_clear(&expected);
  }
  rg_arena_free(arena);
  op_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_binary_broadcast),
      cmocka_unit_test(test_prelu_pow_compare_where),
      cmocka_unit_test(test_activations),
      cmocka_unit_test(test_gelu_tanh_clip_fused),
      cmocka_unit_test(test_softmax),
      cmocka_unit_test(test_layer_norm),
      cmocka_unit_test(test_batch_norm),
      cmocka_unit_test(test_group_norm),
      cmocka_unit_test(test_reduce),
      cmocka_unit_test(test_global_pools),
      cmocka_unit_test(test_pools),
      cmocka_unit_test(test_transpose),
      cmocka_unit_test(test_concat_split),
      cmocka_unit_test(test_slice),
      cmocka_unit_test(test_gather),
      cmocka_unit_test(test_cast),
      cmocka_unit_test(test_scatter_and_equal),
      cmocka_unit_test(test_resize),
      cmocka_unit_test(test_recurrent),
      cmocka_unit_test(test_layout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
