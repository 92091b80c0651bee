/* Pools, resizing, and reading by indices. */
#ifndef TESTS_GPU_CASES_IMAGE_H
#define TESTS_GPU_CASES_IMAGE_H

#include "node_host.h"

static void test_pool(void **state) {
  static const char *const ops[] = {"MaxPool", "AveragePool", "LpPool"};
  static const struct {
    rg_shape shape;
    int64_t kernel[2], strides[2], pads[4], dilations[2];
    bool ceil, include_pad;
    const char *auto_pad;
  } cases[] = {{{4, {2, 5, 12, 13}}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, false, false, "NOTSET"},
               {{4, {1, 33, 12, 13}}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, false, true, "NOTSET"},
               {{4, {2, 3, 11, 14}}, {3, 2}, {2, 3}, {1, 0, 0, 1}, {2, 3}, true, false, "NOTSET"},
               {{4, {2, 3, 9, 7}}, {4, 3}, {3, 2}, {2, 1, 1, 1}, {1, 1}, true, true, "NOTSET"},
               {{4, {1, 8, 10, 11}}, {3, 3}, {2, 2}, {0, 0, 0, 0}, {1, 1}, false, false, "SAME_UPPER"},
               {{3, {3, 5, 41}}, {5}, {3}, {2, 1}, {2}, false, true, "NOTSET"},
               {{4, {1, 2, 1, 1}}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, false, false, "NOTSET"}};
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
      for (int p = 1; p < (i == 2 ? 3 : 2); p++) {
        const size_t spatial = (size_t)cases[k].shape.rank - 2;
        op_case c;
        op_begin(&c, "", ops[i], i == 0 ? 12 : 19, 1, 1, 1400 + 10 * i + k);
        op_floats(&c, 0, false, &cases[k].shape, -1, 1);
        if (k == 1) ((float *)c.inputs[0].data)[40] = NAN;
        check_ok(rg_node_set_ints(c.node, "kernel_shape", cases[k].kernel, spatial));
        check_ok(rg_node_set_ints(c.node, "strides", cases[k].strides, spatial));
        check_ok(rg_node_set_ints(c.node, "dilations", cases[k].dilations, spatial));
        if (strcmp(cases[k].auto_pad, "NOTSET") == 0)
          check_ok(rg_node_set_ints(c.node, "pads", cases[k].pads, 2 * spatial));
        check_ok(rg_node_set_string(c.node, "auto_pad", cases[k].auto_pad));
        check_ok(rg_node_set_int(c.node, "ceil_mode", cases[k].ceil));
        if (i == 1) check_ok(rg_node_set_int(c.node, "count_include_pad", cases[k].include_pad));
        if (i == 2) check_ok(rg_node_set_int(c.node, "p", p));
        gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_FLOAT);
      }
}

static void test_resize(void **state) {
  static const char *const coordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                            "align_corners", "asymmetric",           "tf_half_pixel_for_nn"};
  static const char *const nearests[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  for (int linear = 0; linear < 2; linear++)
    for (size_t m = 0; m < 6; m++)
      for (int k = 0; k < 4; k++) {
        static const float scales[][4] = {{1, 1, 2, 2}, {1, 1, 0.6f, 1.7f}, {1, 1, 1, 3}};
        op_case c;
        op_begin(&c, "", "Resize", 13, 4, 1, 1500 + 40 * (uint64_t)linear + 4 * m + (uint64_t)k);
        op_floats(&c, 0, false, k == 3 ? SHAPE(2, 5, 23) : SHAPE(2, 5, 7, 11), -1, 1);
        if (k < 3) {
          op_floats(&c, 2, true, SHAPE(4), 0, 1);
          memcpy(c.inputs[2].data, scales[k], sizeof scales[k]);
          memcpy(c.node->inputs[2]->constant->data, scales[k], sizeof scales[k]);
        } else {
          OP_INTS(&c, 3, true, 2, 5, 31);
        }
        check_ok(rg_node_set_string(c.node, "mode", linear ? "linear" : "nearest"));
        check_ok(rg_node_set_string(c.node, "coordinate_transformation_mode", coordinates[m]));
        check_ok(rg_node_set_string(c.node, "nearest_mode", nearests[(m + (size_t)k) % 4]));
        gpu_check(&c, GPU_BOTH_LAYOUTS, linear ? GPU_FLOAT : GPU_EXACT);
      }
  op_case c;
  op_begin(&c, "", "Upsample", 9, 2, 1, 1580);
  op_floats(&c, 0, false, SHAPE(1, 3, 7, 5), -1, 1);
  op_floats(&c, 1, true, SHAPE(4), 1, 1);
  for (int i = 2; i < 4; i++) ((float *)c.inputs[1].data)[i] = ((float *)c.node->inputs[1]->constant->data)[i] = 2;
  gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
}

static void test_gather(void **state) {
  static const rango_type types[] = {RANGO_FLOAT32, RANGO_INT64, RANGO_UINT8, RANGO_INT32};
  for (int axis = 0; axis < 3; axis++)
    for (size_t t = 0; t < 4; t++)
      for (int wide = 0; wide < 2; wide++) {
        const rango_type index = wide ? RANGO_INT64 : RANGO_INT32;
        const rg_shape shape = {3, {13, 7, axis == 2 ? 21 : 20}};
        const int64_t size = shape.dims[axis];
        op_case c;
        op_begin(&c, "", "Gather", 13, 2, 1, 1600 + 8 * (uint64_t)axis + 2 * t + (uint64_t)wide);
        op_input(&c, 0, t == 0 && wide, types[t], &shape, 0, 200);
        op_input(&c, 1, t == 1 && wide, index, wide ? SHAPE(3, 5) : &(rg_shape){0}, -(double)size, (double)size - 1);
        check_ok(rg_node_set_int(c.node, "axis", axis));
        gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
        op_begin(&c, "", "GatherElements", 13, 2, 1, 1630 + 8 * (uint64_t)axis + 2 * t + (uint64_t)wide);
        op_input(&c, 0, false, types[t], &shape, 0, 200);
        rg_shape places = shape;
        places.dims[axis] = 9;
        places.dims[(axis + 1) % 3] -= 2;
        op_input(&c, 1, false, index, &places, -(double)size, (double)size - 1);
        check_ok(rg_node_set_int(c.node, "axis", axis));
        gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
      }
}

/* Indices that are known to be out of range are the CPU's to complain of: it fails when it runs. */
static void test_lookup(void **state) {
  for (int wide = 0; wide < 2; wide++) {
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "Lookup", 1, 2, 1, 1660 + (uint64_t)wide);
    op_input(&c, 0, false, wide ? RANGO_INT64 : RANGO_INT32, SHAPE(5, 9, 1), -30, 90);
    op_floats(&c, 1, true, SHAPE(61, wide ? 48 : 7), -1, 1);
    gpu_check(&c, GPU_ROW_MAJOR, GPU_EXACT);
  }
}

#endif
