/* Dense layers, matrix products and convolutions, single and in pairs of factors. */
#ifndef TESTS_GPU_CASES_PRODUCT_H
#define TESTS_GPU_CASES_PRODUCT_H

#include "node_host.h"

static const rg_activation product_activations[] = {
    {RG_ACT_NONE, 0, 0}, {RG_ACT_RELU, 0, 0}, {RG_ACT_GELU, 0, 0}, {RG_ACT_LEAKY_RELU, 0.1f, 0}};

static void test_dense(void **state) {
  static const int64_t sizes[][3] = {/* rows, k, n */ {1, 1, 1},
                                     {1, 300, 10},
                                     {3, 64, 64},
                                     {70, 33, 130},
                                     {257, 128, 96},
                                     {64, 1000, 36},
                                     {300, 7, 201},
                                     {2, 2048, 1000}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int turn = 0; turn < 2; turn++) {
      const int64_t rows = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
      const bool trans = (i + (size_t)turn) % 2 == 0, residual = turn == 1;
      op_case c;
      op_begin(&c, RG_PRIVATE_DOMAIN, "Dense", 1, 4, 1, 1900 + 2 * i + (uint64_t)turn);
      op_floats(&c, 0, false, i == 4 ? SHAPE(1, rows, k) : SHAPE(rows, k), -1, 1);
      op_floats(&c, 1, true, trans ? SHAPE(n, k) : SHAPE(k, n), -1, 1);
      if (i % 3 != 1) op_floats(&c, 2, true, SHAPE(n), -1, 1);
      if (residual) op_floats(&c, 3, false, i == 4 ? SHAPE(1, rows, n) : SHAPE(rows, n), -1, 1);
      check_ok(rg_node_set_int(c.node, "trans", trans));
      check_ok(rg_node_set_float(c.node, "scale", i % 2 == 0 ? 0.25f : 1.0f));
      check_ok(rg_activation_write(c.node, product_activations[(i + (size_t)turn) % 4]));
      gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    }
}

static void test_low_rank_dense(void **state) {
  /* The last two have rows enough to be one dispatch on a device that doesn't tell how many multiprocessors it has. */
  static const int64_t sizes[][4] = {/* rows, k, rank, n */
                                     {1, 40, 3, 50},
                                     {65, 128, 16, 100},
                                     {200, 37, 5, 64},
                                     {4100, 20, 12, 40},
                                     {2100, 36, 60, 72}};
  for (size_t i = 0; i < 5; i++)
    for (int trans = 0; trans < 4; trans++) {
      const int64_t rows = sizes[i][0], k = sizes[i][1], r = sizes[i][2], n = sizes[i][3];
      op_case c;
      op_begin(&c, RG_PRIVATE_DOMAIN, "LowRankDense", 1, 6, 1, 1920 + 4 * i + (uint64_t)trans);
      op_floats(&c, 0, false, SHAPE(rows, k), -1, 1);
      op_floats(&c, 1, true, trans & 1 ? SHAPE(r, k) : SHAPE(k, r), -1, 1);
      if (trans == 1) op_floats(&c, 2, true, SHAPE(r), -1, 1);
      op_floats(&c, 3, true, trans & 2 ? SHAPE(n, r) : SHAPE(r, n), -1, 1);
      if (trans != 2) op_floats(&c, 4, true, SHAPE(n), -1, 1);
      if (trans == 3) op_floats(&c, 5, false, SHAPE(rows, n), -1, 1);
      check_ok(rg_node_set_int(c.node, "trans1", trans & 1));
      check_ok(rg_node_set_int(c.node, "trans2", trans >> 1));
      check_ok(rg_activation_write(c.node, product_activations[(i + 1) % 4]));
      gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    }
}

static void test_gemm_matmul(void **state) {
  for (int i = 0; i < 4; i++) {
    op_case c;
    op_begin(&c, "", "Gemm", 13, 3, 1, 1940 + (uint64_t)i);
    op_floats(&c, 0, false, SHAPE(33, 70), -1, 1);
    op_floats(&c, 1, true, i % 2 ? SHAPE(50, 70) : SHAPE(70, 50), -1, 1);
    if (i > 0) op_floats(&c, 2, true, i == 3 ? SHAPE(33, 50) : SHAPE(50), -1, 1);
    check_ok(rg_node_set_int(c.node, "transB", i % 2));
    check_ok(rg_node_set_float(c.node, "alpha", i == 2 ? 0.5f : 1.0f));
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
  const rg_shape *const pairs[][2] = {{SHAPE(2, 3, 17, 40), SHAPE(40, 24)},
                                      {SHAPE(2, 3, 17, 40), SHAPE(2, 3, 40, 23)},
                                      {SHAPE(5, 64, 32), SHAPE(5, 32, 64)},
                                      {SHAPE(3, 9, 7), SHAPE(1, 7, 5)}};
  for (size_t i = 0; i < 4; i++) {
    op_case c;
    op_begin(&c, "", "MatMul", 13, 2, 1, 1950 + i);
    op_floats(&c, 0, false, pairs[i][0], -1, 1);
    op_floats(&c, 1, i == 0, pairs[i][1], -1, 1);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
}

typedef struct conv_case {
  rg_shape x;
  int64_t outputs, group, kernel[2], strides[2], pads[4], dilations[2];
} conv_case;

static const conv_case conv_cases[] = {
    {{4, {2, 3, 17, 19}}, 16, 1, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
    {{4, {1, 16, 14, 14}}, 24, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
    {{4, {3, 8, 9, 7}}, 5, 1, {3, 2}, {1, 2}, {2, 0, 1, 1}, {2, 1}},
    {{4, {2, 12, 11, 10}}, 18, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
    {{4, {2, 20, 12, 13}}, 20, 20, {3, 3}, {2, 1}, {1, 1, 1, 1}, {1, 1}},
    {{4, {1, 7, 8, 8}}, 7, 7, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}},
    {{3, {2, 16, 50}}, 33, 1, {5}, {2}, {2, 2}, {1}},
    {{4, {1, 64, 4, 4}}, 128, 1, {4, 4}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
};

static void conv_attributes(const rg_node *node, const char *suffix, const conv_case *k) {
  const size_t spatial = (size_t)k->x.rank - 2;
  const struct {
    const char *name;
    const int64_t *values;
    size_t count;
  } lists[] = {{"kernel_shape", k->kernel, spatial},
               {"strides", k->strides, spatial},
               {"pads", k->pads, 2 * spatial},
               {"dilations", k->dilations, spatial}};
  char name[32];
  for (size_t i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "%s%s", lists[i].name, suffix);
    check_ok(rg_node_set_ints((rg_node *)node, name, lists[i].values, lists[i].count));
  }
  snprintf(name, sizeof name, "group%s", suffix);
  check_ok(rg_node_set_int((rg_node *)node, name, k->group));
}

static rg_shape conv_weight(const conv_case *k, int64_t inputs) {
  rg_shape shape = {.rank = k->x.rank, .dims = {k->outputs, inputs / k->group}};
  for (int i = 2; i < k->x.rank; i++) shape.dims[i] = k->kernel[i - 2];
  return shape;
}

/* The result lies channels-last; the image does, or doesn't. */
static void test_conv(void **state) {
  for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++)
    for (int turn = 0; turn < 3; turn++) {
      const conv_case *k = &conv_cases[i];
      const rg_shape weight = conv_weight(k, k->x.dims[1]);
      const bool depthwise = k->group == k->x.dims[1];
      op_case c;
      if (depthwise && turn == 2) continue; /* wants its image channels-last */
      op_begin(&c, turn == 0 ? "" : RG_PRIVATE_DOMAIN, "Conv", turn == 0 ? 11 : 1, turn == 0 ? 3 : 4, 1,
               1960 + 3 * i + (uint64_t)turn);
      op_floats(&c, 0, false, &k->x, -1, 1);
      op_floats(&c, 1, true, &weight, -1, 1);
      if (turn != 1) op_floats(&c, 2, true, SHAPE(k->outputs), -1, 1);
      conv_attributes(c.node, "", k);
      if (turn > 0) check_ok(rg_activation_write(c.node, product_activations[i % 4]));
      gpu_check(&c, turn == 2 ? GPU_LAST_OUT : GPU_CHANNELS_LAST, GPU_FLOAT);
    }
}

static void test_conv_residual(void **state) {
  op_case c;
  const conv_case *k = &conv_cases[1];
  const rg_shape weight = conv_weight(k, k->x.dims[1]);
  op_begin(&c, RG_PRIVATE_DOMAIN, "Conv", 1, 4, 1, 1990);
  op_floats(&c, 0, false, &k->x, -1, 1);
  op_floats(&c, 1, true, &weight, -1, 1);
  op_floats(&c, 3, false, SHAPE(1, 24, 14, 14), -1, 1);
  conv_attributes(c.node, "", k);
  check_ok(rg_activation_write(c.node, product_activations[1]));
  gpu_check(&c, GPU_CHANNELS_LAST, GPU_FLOAT);
}

/* A window of few channels, then 1 x 1; and 3 x 1, then 1 x 3. */
static void test_low_rank_conv(void **state) {
  static const conv_case pairs[][2] = {
      {{{4, {2, 24, 13, 11}}, 6, 1, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
       {{4, {0}}, 40, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}},
      {{{4, {1, 16, 9, 10}}, 5, 1, {3, 1}, {2, 1}, {1, 0, 1, 0}, {1, 1}},
       {{4, {0}}, 32, 1, {1, 3}, {1, 2}, {0, 1, 0, 1}, {1, 1}}},
      /* Pixels enough to be one dispatch; the last with channels that are gathered one by one, and so two. */
      {{{4, {2, 8, 46, 46}}, 12, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
       {{4, {0}}, 20, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}},
      {{{4, {1, 4, 93, 91}}, 36, 1, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
       {{4, {0}}, 68, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}},
      {{{4, {1, 3, 65, 65}}, 8, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
       {{4, {0}}, 16, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}},
  };
  for (size_t i = 0; i < 5; i++)
    for (int turn = 0; turn < 2; turn++) {
      const conv_case *first = &pairs[i][0], *second = &pairs[i][1];
      const rg_shape w1 = conv_weight(first, first->x.dims[1]), w2 = conv_weight(second, first->outputs);
      op_case c;
      op_begin(&c, RG_PRIVATE_DOMAIN, "LowRankConv", 1, 6, 1, 1995 + 2 * i + (uint64_t)turn);
      op_floats(&c, 0, false, &first->x, -1, 1);
      op_floats(&c, 1, true, &w1, -1, 1);
      if (turn) op_floats(&c, 2, true, SHAPE(first->outputs), -1, 1);
      op_floats(&c, 3, true, &w2, -1, 1);
      op_floats(&c, 4, true, SHAPE(second->outputs), -1, 1);
      conv_attributes(c.node, "1", first);
      conv_attributes(c.node, "2", second);
      check_ok(rg_activation_write(c.node, product_activations[(1 + i) % 4]));
      gpu_check(&c, turn ? GPU_LAST_OUT : GPU_CHANNELS_LAST, GPU_FLOAT);
    }
}

#endif
