/* Casts, and what moves elements. */
#ifndef TESTS_GPU_CASES_MOVE_H
#define TESTS_GPU_CASES_MOVE_H

#include "node_host.h"

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
      gpu_check(&c, GPU_BOTH_LAYOUTS, rounded && !floats ? 5e-4 : GPU_EXACT); /* whole numbers to float16: 2^-11 */
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
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
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
      gpu_check(&c, t == 0 ? GPU_ROW_MAJOR : GPU_BOTH_LAYOUTS, GPU_EXACT);
      op_begin(&c, "", "Split", 13, 2, 3, 820 + 4 * (uint64_t)axis + t);
      rg_shape shape = {4, {3, 5, 7, 6}};
      shape.dims[axis] = 9;
      op_input(&c, 0, false, moved[t], &shape, 0, 100);
      OP_INTS(&c, 1, true, 2, 1, 6);
      check_ok(rg_node_set_int(c.node, "axis", axis));
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
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
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
    }
}

static void test_expand_tile(void **state) {
  for (size_t t = 0; t < 4; t++) {
    op_case c;
    op_begin(&c, "", "Expand", 13, 2, 1, 870 + t);
    op_input(&c, 0, false, moved[t], SHAPE(3, 1, 7), 0, 200);
    OP_INTS(&c, 1, true, 2, 1, 5, 7);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
    op_begin(&c, "", "Tile", 13, 2, 1, 875 + t);
    op_input(&c, 0, false, moved[t], SHAPE(3, 4, 5), 0, 200);
    OP_INTS(&c, 1, true, 2, 1, 3);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
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
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
      op_begin(&c, "", "SpaceToDepth", 13, 1, 1, 885 + t);
      op_input(&c, 0, false, moved[t], SHAPE(2, 3, 6, 9), 0, 200);
      check_ok(rg_node_set_int(c.node, "blocksize", 3));
      gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
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
      gpu_check(&c, i < 2 ? GPU_BOTH_LAYOUTS : GPU_ROW_MAJOR, GPU_EXACT);
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
      gpu_check(&c, to ? GPU_LAST_OUT : GPU_LAST_IN, GPU_EXACT);
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
        gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
      }
}

#endif
