/* Every operator of the GPU room, on every device, against its scalar reference. */
#include "node_host.h"
#include "ops/elementwise.h"

#define FLOAT_TOLERANCE 1e-4
#define EXACT           0

/* ---- elementwise ---- */

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
      gpu_check(&c, GPU_BOTH_LAYOUTS, FLOAT_TOLERANCE);
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
      gpu_check(&c, GPU_ROW_MAJOR, t ? EXACT : FLOAT_TOLERANCE);
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
      gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
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
      gpu_check(&c, GPU_ROW_MAJOR, EXACT);
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
      gpu_check(&c, t ? GPU_BOTH_LAYOUTS : GPU_ROW_MAJOR, EXACT);
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
      gpu_check(&c, GPU_ROW_MAJOR, EXACT);
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
    gpu_check(&c, GPU_BOTH_LAYOUTS, FLOAT_TOLERANCE);
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
    gpu_check(&c, GPU_ROW_MAJOR, FLOAT_TOLERANCE);
  }
}

static void test_gelu_clip_pow(void **state) {
  op_case c;
  op_begin(&c, "", "Gelu", 20, 1, 1, 450);
  op_floats(&c, 0, false, SHAPE(3, 50), -4, 4);
  check_ok(rg_node_set_string(c.node, "approximate", "tanh"));
  gpu_check(&c, GPU_ROW_MAJOR, FLOAT_TOLERANCE);
  for (int constant = 0; constant < 2; constant++) {
    op_begin(&c, "", "Clip", 13, 3, 1, 451);
    op_floats(&c, 0, false, SHAPE(2, 3, 50), -4, 4);
    op_floats(&c, 1, constant, &(rg_shape){0}, -1, -1);
    op_floats(&c, 2, constant, &(rg_shape){0}, 2, 2);
    gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
  }
  op_begin(&c, "", "Clip", 6, 1, 1, 452);
  op_floats(&c, 0, false, SHAPE(2, 3, 50), -4, 4);
  check_ok(rg_node_set_float(c.node, "max", 1.5f));
  gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
  static const double powers[] = {1, 2, 0.5, -1, 3, -2, 1.7};
  for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
    const bool whole = powers[i] == floor(powers[i]);
    op_begin(&c, "", "Pow", 15, 2, 1, 460 + i);
    op_floats(&c, 0, false, SHAPE(5, 33), whole && powers[i] > 0 ? -3 : 0.25, 3);
    op_floats(&c, 1, true, SHAPE(1), powers[i], powers[i]);
    gpu_check(&c, GPU_ROW_MAJOR, FLOAT_TOLERANCE);
  }
  op_begin(&c, "", "Pow", 15, 2, 1, 470);
  op_floats(&c, 0, true, SHAPE(1), 2, 2);
  op_floats(&c, 1, false, SHAPE(5, 33), -3, 3);
  gpu_check(&c, GPU_ROW_MAJOR, FLOAT_TOLERANCE);
}

static void test_many_inputs(void **state) {
  static const char *const ops[] = {"Sum", "Mean", "Min", "Max"};
  for (size_t i = 0; i < 4; i++)
    for (int inputs = 1; inputs <= 7; inputs += 3) {
      op_case c;
      op_begin(&c, "", ops[i], 13, inputs, 1, 480 + i * 10 + (uint64_t)inputs);
      for (int k = 0; k < inputs; k++) op_floats(&c, k, k == 3, k == 2 ? SHAPE(7, 1) : SHAPE(3, 7, 11), -1, 1);
      gpu_check(&c, GPU_ROW_MAJOR, FLOAT_TOLERANCE);
    }
}

/* All functions, and a tree whose steps wait for each other, with scalars known and unknown beforehand. */
static void test_steps(void **state) {
  for (int kind = 0; kind < RG_ACT_COUNT; kind++) {
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Activation", 1, 1, 1, 500 + (uint64_t)kind);
    op_floats(&c, 0, false, SHAPE(2, 3, 5, 7), kind == RG_ACT_LOG || kind == RG_ACT_SQRT ? 0.1 : -4, 4);
    check_ok(rg_activation_write(c.node, (rg_activation){(rg_activation_kind)kind, 0.2f, 0.5f}));
    gpu_check(&c, GPU_BOTH_LAYOUTS, FLOAT_TOLERANCE);
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
    gpu_check(&c, GPU_BOTH_LAYOUTS, FLOAT_TOLERANCE);
  }
}

/* ---- casts ---- */

static void test_cast(void **state) {
  static const rango_type types[] = {RANGO_FLOAT32, RANGO_FLOAT16, RANGO_INT32, RANGO_INT64,
                                     RANGO_UINT8,   RANGO_INT8,    RANGO_BOOL};
  for (size_t from = 0; from < 7; from++)
    for (size_t to = 0; to < 7; to++) {
      const bool floats = from < 2, rounded = to < 2;
      op_case c;
      op_begin(&c, "", "Cast", 13, 1, 1, 600 + from * 8 + to);
      op_input(&c, 0, false, types[from], SHAPE(1, 13, 3, 43),
               from >= 4 ? 0
               : to >= 4 ? -400
                         : -6e4,
               from == 6   ? 2
               : from == 5 ? 120
               : from == 4 ? 255
               : to >= 4   ? 400
                           : 6e4);
      if (from == 0) put_specials(&c, 0);
      check_ok(rg_node_set_int(c.node, "to", types[to]));
      gpu_check(&c, GPU_BOTH_LAYOUTS, rounded && !floats ? 5e-4 : EXACT); /* whole numbers to float16: 2^-11 */
    }
  op_case c;
  op_begin(&c, "", "CastLike", 15, 2, 1, 670);
  op_input(&c, 0, false, RANGO_INT64, SHAPE(257), -6e4, 6e4);
  op_input(&c, 1, false, RANGO_FLOAT32, SHAPE(3), 0, 1);
  gpu_check(&c, GPU_ROW_MAJOR, 5e-4);
}

/* ---- moves ---- */

static const rango_type moved[] = {RANGO_FLOAT32, RANGO_INT64, RANGO_UINT8, RANGO_INT32};

static void test_transpose(void **state) {
  static const struct {
    rg_shape shape;
    int64_t perm[6];
  } cases[] = {{{2, {3, 5}}, {1, 0}},
               {{2, {67, 129}}, {1, 0}},
               {{3, {2, 33, 40}}, {0, 2, 1}},
               {{3, {9, 33, 40}}, {1, 0, 2}},
               {{4, {2, 3, 17, 19}}, {0, 2, 3, 1}},
               {{4, {2, 17, 19, 48}}, {0, 3, 1, 2}},
               {{4, {4, 31, 8, 16}}, {0, 2, 1, 3}},
               {{4, {4, 8, 9, 16}}, {0, 2, 3, 1}},
               {{4, {3, 12, 9, 10}}, {3, 2, 1, 0}},
               {{5, {2, 9, 3, 8, 10}}, {0, 4, 2, 3, 1}},
               {{6, {2, 3, 4, 5, 2, 3}}, {5, 3, 1, 4, 2, 0}},
               {{4, {1, 1, 1, 1}}, {3, 2, 1, 0}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      op_begin(&c, "", "Transpose", 13, 1, 1, 700 + 4 * i + t);
      op_input(&c, 0, false, moved[t], &cases[i].shape, 0, 200);
      check_ok(rg_node_set_ints(c.node, "perm", cases[i].perm, (size_t)cases[i].shape.rank));
      gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
    }
}

static void test_concat_split(void **state) {
  for (int axis = 0; axis < 4; axis++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      /* Bytes beside each other share words of the result: sizes that keep them apart. */
      const bool words = moved[t] == RANGO_UINT8;
      op_begin(&c, "", "Concat", 13, 3, 1, 800 + 4 * (uint64_t)axis + t);
      for (int i = 0; i < 3; i++) {
        rg_shape shape = {4, {3, 5, 7, 4}};
        if (words) shape = (rg_shape){4, {4, 8, 4, 4}};
        shape.dims[axis] = words ? 4 * (i + 1) : 2 * i + 1;
        op_input(&c, i, i == 1 && moved[t] == RANGO_FLOAT32, moved[t], &shape, 0, 100);
      }
      check_ok(rg_node_set_int(c.node, "axis", axis));
      gpu_check(&c, t == 0 ? GPU_ROW_MAJOR : GPU_BOTH_LAYOUTS, EXACT);
      op_begin(&c, "", "Split", 13, 2, 3, 820 + 4 * (uint64_t)axis + t);
      rg_shape shape = {4, {3, 5, 7, 6}};
      shape.dims[axis] = 9;
      op_input(&c, 0, false, moved[t], &shape, 0, 100);
      OP_INTS(&c, 1, true, 2, 1, 6);
      check_ok(rg_node_set_int(c.node, "axis", axis));
      gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
    }
}

static void test_slice(void **state) {
  static const struct {
    int64_t starts[3], ends[3], axes[3], steps[3];
  } cases[] = {{{1, 0, 2}, {9, 3, -1}, {0, 1, 3}, {1, 1, 1}},
               {{-3, 5, 1}, {100, -1, 100}, {-1, 2, 1}, {1, 2, 3}},
               {{-1, 100, 3}, {-100, 0, 1}, {3, 2, 1}, {-1, -2, -1}},
               {{2, 0, 0}, {2, 1, 1}, {0, 1, 2}, {1, 1, 1}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      op_begin(&c, "", "Slice", 13, 5, 1, 850 + 4 * i + t);
      op_input(&c, 0, false, moved[t], SHAPE(4, 5, 9, 13), 0, 200);
      op_ints(&c, 1, true, 3, cases[i].starts);
      op_ints(&c, 2, true, 3, cases[i].ends);
      op_ints(&c, 3, true, 3, cases[i].axes);
      op_ints(&c, 4, true, 3, cases[i].steps);
      gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
    }
}

static void test_expand_tile(void **state) {
  for (size_t t = 0; t < 4; t++) {
    op_case c;
    op_begin(&c, "", "Expand", 13, 2, 1, 870 + t);
    op_input(&c, 0, false, moved[t], SHAPE(3, 1, 7), 0, 200);
    OP_INTS(&c, 1, true, 2, 1, 5, 7);
    gpu_check(&c, GPU_ROW_MAJOR, EXACT);
    op_begin(&c, "", "Tile", 13, 2, 1, 875 + t);
    op_input(&c, 0, false, moved[t], SHAPE(3, 4, 5), 0, 200);
    OP_INTS(&c, 1, true, 2, 1, 3);
    gpu_check(&c, GPU_ROW_MAJOR, EXACT);
  }
}

static void test_blocks(void **state) {
  for (int crd = 0; crd < 2; crd++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      op_begin(&c, "", "DepthToSpace", 13, 1, 1, 880 + t);
      op_input(&c, 0, false, moved[t], SHAPE(2, 12, 3, 5), 0, 200);
      check_ok(rg_node_set_int(c.node, "blocksize", 2));
      check_ok(rg_node_set_string(c.node, "mode", crd ? "CRD" : "DCR"));
      gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
      op_begin(&c, "", "SpaceToDepth", 13, 1, 1, 885 + t);
      op_input(&c, 0, false, moved[t], SHAPE(2, 3, 6, 9), 0, 200);
      check_ok(rg_node_set_int(c.node, "blocksize", 3));
      gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
    }
}

static void test_views(void **state) {
  static const char *const ops[] = {"Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze"};
  for (size_t i = 0; i < 6; i++)
    for (size_t t = 0; t < 4; t++) {
      op_case c;
      op_begin(&c, "", ops[i], 13, i < 3 ? 1 : 2, 1, 890 + 4 * i + t);
      op_input(&c, 0, false, moved[t], SHAPE(3, 1, 13, 7), 0, 200);
      if (i == 3) OP_INTS(&c, 1, true, 13, -1);
      if (i == 4) OP_INTS(&c, 1, true, 1);
      if (i == 5) OP_INTS(&c, 1, true, 0, 3);
      gpu_check(&c, i < 2 ? GPU_BOTH_LAYOUTS : GPU_ROW_MAJOR, EXACT);
    }
}

/* rango.Layout turns one layout into the other: its input lies in the one, its output in the other. */
static void test_layout(void **state) {
  const rg_shape *const shapes[] = {SHAPE(2, 3, 17, 19), SHAPE(3, 40, 9, 5), SHAPE(2, 33, 70), SHAPE(1, 64, 8, 8)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int to = 0; to < 2; to++) {
      op_case c;
      op_begin(&c, RG_PRIVATE_DOMAIN, "Layout", 1, 1, 1, 920 + 2 * i + (uint64_t)to);
      op_floats(&c, 0, false, shapes[i], -1, 1);
      check_ok(rg_node_set_int(c.node, "to", to));
      gpu_check(&c, to ? GPU_LAST_OUT : GPU_LAST_IN, EXACT);
    }
}

static void test_pad(void **state) {
  static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
  for (size_t m = 0; m < 4; m++)
    for (size_t t = 0; t < 4; t++)
      for (int value = 0; value < 2; value++) {
        op_case c;
        op_begin(&c, "", "Pad", 19, m == 0 && value ? 3 : 2, 1, 930 + 8 * m + 2 * t + (uint64_t)value);
        op_input(&c, 0, false, moved[t], SHAPE(2, 3, 9, 11), 0, 200);
        if (value)
          OP_INTS(&c, 1, true, 0, 0, 3, 2, 0, 0, 1, 4);
        else
          OP_INTS(&c, 1, true, 0, 1, -2, 0, 1, 0, 2, 0);
        if (m == 0 && value) op_input(&c, 2, true, moved[t], &(rg_shape){0}, 7, 7);
        check_ok(rg_node_set_string(c.node, "mode", modes[m]));
        gpu_check(&c, GPU_BOTH_LAYOUTS, EXACT);
      }
}

/* ---- all of them ---- */

#define LIST(family) &rg_gpu_family_##family,
static const rg_gpu_family *const families[] = {RG_GPU_FAMILIES(LIST) NULL};

static void test_every_operator_has_a_case(void **state) {
  for (int f = 0; families[f]; f++)
    for (size_t i = 0; i < families[f]->count; i++) {
      const rg_gpu_operator *entry = &families[f]->operators[i];
      bool seen = false;
      for (int k = 0; k < gpu_seen_count; k++)
        seen = seen || (strcmp(gpu_seen[k][0], entry->domain) == 0 && strcmp(gpu_seen[k][1], entry->op) == 0);
      if (!seen) fail_msg("operator '%s.%s' of the GPU room has no case", entry->domain, entry->op);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_broadcast),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_compare),
      cmocka_unit_test(test_logic),
      cmocka_unit_test(test_where),
      cmocka_unit_test(test_functions),
      cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_gelu_clip_pow),
      cmocka_unit_test(test_many_inputs),
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_cast),
      cmocka_unit_test(test_transpose),
      cmocka_unit_test(test_concat_split),
      cmocka_unit_test(test_slice),
      cmocka_unit_test(test_expand_tile),
      cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_views),
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_pad),
      cmocka_unit_test(test_every_operator_has_a_case),
  };
  if (gpu_open_all(NULL) != 0) {
    fprintf(stderr, "%s\n", rango_error_message());
    return 1;
  }
  if (gpu_device_count == 0) {
    printf("SKIP: no GPU here\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, gpu_close_all);
}
