/* Reductions, ArgMax and ArgMin, softmax, normalisations. */
#ifndef TESTS_GPU_CASES_ROWS_H
#define TESTS_GPU_CASES_ROWS_H

#include "node_host.h"

static void test_reduce(void **state) {
  static const char *const ops[] = {"ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
                                    "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};
  static const struct {
    rg_shape shape;
    int count;
    int64_t axes[3];
    bool keep;
    gpu_layouts layouts;
  } cases[] = {
      {{4, {2, 5, 7, 9}}, 2, {2, 3}, true, GPU_BOTH_LAYOUTS},
      {{4, {2, 5, 7, 9}}, 2, {2, 3}, false, GPU_ROW_MAJOR},
      {{4, {3, 40, 5, 2}}, 1, {1}, true, GPU_BOTH_LAYOUTS},
      {{4, {2, 5, 7, 9}}, 2, {0, 2}, false, GPU_ROW_MAJOR},
      {{2, {3, 1300}}, 1, {-1}, true, GPU_ROW_MAJOR},
      {{2, {1300, 37}}, 1, {0}, false, GPU_ROW_MAJOR},
      {{1, {1}}, 1, {0}, true, GPU_ROW_MAJOR},
      {{3, {2, 3, 4}}, 0, {0}, false, GPU_ROW_MAJOR},
      {{5, {2, 3, 4, 3, 2}}, 3, {0, 2, 4}, true, GPU_ROW_MAJOR},
  };
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
      op_case c;
      const bool by_input = i == 0 || k % 2 == 1;
      op_begin(&c, "", ops[i], i == 0 ? 13 : by_input ? 18 : 13, by_input ? 2 : 1, 1, 1000 + 10 * i + k);
      /* Products stay near 1. */
      op_floats(&c, 0, false, &cases[k].shape, i == 4 ? 0.98 : i == 8 ? 0.1 : -1, i == 4 ? 1.02 : 1);
      if (by_input) op_ints(&c, 1, true, cases[k].count, cases[k].axes);
      if (!by_input) check_ok(rg_node_set_ints(c.node, "axes", cases[k].axes, (size_t)cases[k].count));
      check_ok(rg_node_set_int(c.node, "keepdims", cases[k].keep));
      gpu_check(&c, cases[k].layouts, GPU_FLOAT);
    }
}

static void test_reduce_nan(void **state) {
  static const char *const ops[] = {"ReduceMax", "ReduceMin", "ReduceSum"};
  for (size_t i = 0; i < 3; i++)
    for (int axis = 0; axis < 2; axis++) {
      op_case c;
      op_begin(&c, "", ops[i], 13, i == 2 ? 2 : 1, 1, 1095 + 2 * i + (uint64_t)axis);
      op_floats(&c, 0, false, SHAPE(5, 300), -1, 1);
      float *x = c.inputs[0].data;
      x[7] = x[599] = x[600] = NAN;
      if (i == 2) OP_INTS(&c, 1, true, axis);
      if (i < 2) check_ok(rg_node_set_ints(c.node, "axes", (const int64_t[]){axis}, 1));
      gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    }
}

static void test_global_pools(void **state) {
  static const char *const ops[] = {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"};
  const rg_shape *const shapes[] = {SHAPE(2, 33, 7, 7), SHAPE(1, 300, 31, 5), SHAPE(3, 5, 11), SHAPE(1, 1, 1, 1)};
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 4; k++) {
      op_case c;
      op_begin(&c, "", ops[i], i == 2 ? 2 : 1, 1, 1, 1100 + 4 * i + k);
      op_floats(&c, 0, false, shapes[k], -1, 1);
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
    }
}

/* Few different values, so that there are equals. */
static void test_arg(void **state) {
  for (int smallest = 0; smallest < 2; smallest++)
    for (int axis = -1; axis < 3; axis++)
      for (int last = 0; last < 2; last++) {
        op_case c;
        op_begin(&c, "", smallest ? "ArgMin" : "ArgMax", 13, 1, 1, 1120 + 8 * (uint64_t)smallest + (uint64_t)axis);
        op_floats(&c, 0, false, axis < 0 ? SHAPE(3, 1031) : SHAPE(5, 67, 9), -3, 3);
        float *x = c.inputs[0].data;
        for (size_t i = 0; i < c.inputs[0].bytes / sizeof *x; i++) x[i] = rintf(x[i]);
        if (axis < 1) x[5] = NAN;
        check_ok(rg_node_set_int(c.node, "axis", axis));
        check_ok(rg_node_set_int(c.node, "select_last_index", last));
        check_ok(rg_node_set_int(c.node, "keepdims", last));
        gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
      }
}

static void test_softmax(void **state) {
  const rg_shape *const shapes[] = {SHAPE(4, 3, 35),    SHAPE(1, 1, 1),    SHAPE(40, 30, 50),
                                    SHAPE(2, 1, 10007), SHAPE(257, 10, 1), SHAPE(3, 100, 64)};
  for (int i = 0; i < 24; i++) {
    op_case c;
    op_begin(&c, "", i & 1 ? "LogSoftmax" : "Softmax", i < 18 ? 13 : 11, 1, 1, 1200 + (uint64_t)i);
    op_floats(&c, 0, false, shapes[i / 2 % 6], -9, 9);
    check_ok(rg_node_set_int(c.node, "axis", i / 2 % 4 - 1));
    float *x = c.inputs[0].data;
    if (i % 5 == 0 && c.inputs[0].bytes > 16) x[3] = -INFINITY;
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
}

static void test_layer_norm(void **state) {
  for (int i = 0; i < 8; i++) {
    op_case c;
    const bool rms = i % 4 == 3, two = i % 4 == 2;
    op_begin(&c, "", rms ? "RMSNormalization" : "LayerNormalization", rms ? 23 : 17,
             rms      ? 2
             : i == 1 ? 2
                      : 3,
             i == 4 ? 3 : 1, 1300 + (uint64_t)i);
    op_floats(&c, 0, false, i < 4 ? SHAPE(3, 37, 48) : SHAPE(5, 3, 301), -1, 3);
    const rg_shape *row = i < 4 ? two ? SHAPE(37, 48) : SHAPE(48) : two ? SHAPE(3, 301) : SHAPE(301);
    op_floats(&c, 1, i % 2 == 0, row, -1, 1);
    if (!rms && i != 1) op_floats(&c, 2, i % 2 == 0, row, -1, 1);
    check_ok(rg_node_set_int(c.node, "axis", two ? 1 : -1));
    check_ok(rg_node_set_float(c.node, "epsilon", 1e-3f));
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
}

/* So many rows that a group's threads share them otherwise. */
static void test_many_rows(void **state) {
  op_case c;
  for (int columns = 200; columns <= 256; columns += 56) {
    op_begin(&c, "", "Softmax", 13, 1, 1, 1310);
    op_floats(&c, 0, false, SHAPE(1500, columns), -4, 4);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    op_begin(&c, "", "LayerNormalization", 17, 2, 1, 1311);
    op_floats(&c, 0, false, SHAPE(1500, columns), -1, 1);
    op_floats(&c, 1, true, SHAPE(columns), -1, 1);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
  }
  op_begin(&c, "", "ReduceMean", 18, 2, 1, 1312);
  op_floats(&c, 0, false, SHAPE(3, 7, 20000), -1, 1);
  OP_INTS(&c, 1, true, 1);
  gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
}

static void test_channel_norms(void **state) {
  const rg_shape *const shapes[] = {SHAPE(2, 12, 7, 9), SHAPE(3, 24, 50), SHAPE(1, 36, 3, 3), SHAPE(4, 12)};
  for (size_t i = 0; i < 4; i++) {
    op_case c;
    const int64_t channels = shapes[i]->dims[1];
    op_begin(&c, "", "BatchNormalization", 15, 5, 1, 1320 + i);
    op_floats(&c, 0, false, shapes[i], -1, 3);
    for (int k = 1; k < 5; k++) op_floats(&c, k, true, SHAPE(channels), k == 4 ? 0.1 : -1, 1);
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
    if (i == 3) continue; /* one element a channel: no variance to speak of */
    op_begin(&c, "", "InstanceNormalization", 6, 3, 1, 1330 + i);
    op_floats(&c, 0, false, shapes[i], -1, 3);
    for (int k = 1; k < 3; k++) op_floats(&c, k, k == 1, SHAPE(channels), -1, 1);
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
    for (int by_group = 0; by_group < 2; by_group++) {
      op_begin(&c, "", "GroupNormalization", by_group ? 18 : 21, 3, 1, 1340 + 2 * i + (uint64_t)by_group);
      op_floats(&c, 0, false, shapes[i], -1, 3);
      for (int k = 1; k < 3; k++) op_floats(&c, k, true, SHAPE(by_group ? 4 : channels), -1, 1);
      check_ok(rg_node_set_int(c.node, "num_groups", 4));
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
    }
  }
}

static void test_lp_norm(void **state) {
  for (int p = 1; p < 3; p++)
    for (int axis = 0; axis < 3; axis++) {
      op_case c;
      op_begin(&c, "", "LpNormalization", 1, 1, 1, 1360 + 3 * (uint64_t)p + (uint64_t)axis);
      op_floats(&c, 0, false, SHAPE(5, 33, 70), -1, 1);
      memset(c.inputs[0].data, 0, 70 * sizeof(float)); /* a row of zeros stays one */
      check_ok(rg_node_set_int(c.node, "p", p));
      check_ok(rg_node_set_int(c.node, "axis", axis));
      gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
    }
}

#endif
