/* Data movement: any element type, and indices, sizes and lists from data that want to reach outside. */
#include <math.h>

#include "op_case.h"
#include "support/memory.h"

static void strings_are_gathered_and_joined(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Gather", 13);
  op_case_strings(&self, DIMS(3), (const char *const[]){"zero", "one", "two"});
  op_case_ints(&self, INTS(2, -3, 2));
  op_case_gives_strings(&self, 3, (const char *const[]){"two", "zero", "two"});
  op_case_end(&self);
  op_case_start(&self, "Concat", 13);
  check_ok(rg_node_set_int(self.node, "axis", 1));
  op_case_strings(&self, DIMS(2, 1), (const char *const[]){"a", "b"});
  op_case_strings(&self, DIMS(2, 2), (const char *const[]){"c", "d", "e", ""});
  op_case_gives_strings(&self, 6, (const char *const[]){"a", "c", "d", "b", "e", ""});
  op_case_end(&self);
}

static void packed_types_are_transposed(void **state) {
  (void)state;
  static const rango_type types[] = {RANGO_INT4, RANGO_UINT4, RANGO_UINT2, RANGO_INT2};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    op_case self;
    op_case_start(&self, "Transpose", 23);
    op_case_tensor(&self, types[i], DIMS(3, 3), NUMBERS(0, 1, 1, 0, 0, 1, 1, 0, 1));
    op_case_gives(&self, types[i], DIMS(3, 3), NUMBERS(0, 0, 1, 1, 0, 0, 1, 1, 1));
    op_case_end(&self);
  }
}

static void indices_outside_fail(void **state) {
  (void)state;
  static const struct {
    const char *op;
    int64_t indices[2];
  } cases[] = {{"Gather", {0, 3}},          {"Gather", {-4, 0}},         {"Gather", {INT64_MIN, 0}},
               {"GatherElements", {3, 0}},  {"GatherElements", {-4, 0}}, {"GatherND", {3, 3}},
               {"GatherND", {INT64_MAX, 0}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    op_case self;
    op_case_start(&self, cases[i].op, 13);
    if (strcmp(cases[i].op, "GatherND") == 0)
      op_case_tensor(&self, RANGO_FLOAT32, DIMS(3, 3), NULL);
    else
      op_case_tensor(&self, RANGO_FLOAT32, DIMS(3), NULL);
    op_case_ints(&self, 2, cases[i].indices);
    op_case_fails(&self, "out of range");
    op_case_end(&self);
  }
}

static void scattering_outside_fails(void **state) {
  (void)state;
  static const int64_t bad[] = {3, -4, INT64_MIN, INT64_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    op_case self;
    op_case_start(&self, "ScatterElements", 18);
    op_case_tensor(&self, RANGO_FLOAT32, DIMS(3), NULL);
    op_case_ints(&self, 1, &bad[i]);
    op_case_tensor(&self, RANGO_FLOAT32, DIMS(1), NULL);
    op_case_fails(&self, "out of range");
    op_case_end(&self);
    op_case_start(&self, "ScatterND", 18);
    op_case_tensor(&self, RANGO_FLOAT32, DIMS(3), NULL);
    op_case_ints(&self, 1, &bad[i]);
    op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NULL);
    op_case_fails(&self, "out of range");
    op_case_end(&self);
  }
}

static void slice(int64_t start, int64_t end, int64_t step, int count, const double *expected) {
  op_case self;
  op_case_start(&self, "Slice", 13);
  op_case_tensor(&self, RANGO_INT8, DIMS(5), NUMBERS(0, 1, 2, 3, 4));
  op_case_ints(&self, 1, &start);
  op_case_ints(&self, 1, &end);
  op_case_ints(&self, INTS(0));
  op_case_ints(&self, 1, &step);
  op_case_gives(&self, RANGO_INT8, 1, &(int64_t){count}, expected);
  op_case_end(&self);
}

static void slices_are_clamped(void **state) {
  (void)state;
  slice(1, INT64_MAX, 2, 2, NUMBERS(1, 3));
  slice(INT64_MIN, INT64_MAX, 1, 5, NUMBERS(0, 1, 2, 3, 4));
  slice(INT64_MAX, INT64_MIN, -1, 5, NUMBERS(4, 3, 2, 1, 0));
  slice(-2, INT64_MIN, -3, 2, NUMBERS(3, 0));
  slice(3, 3, 1, 0, NULL);
  slice(4, 1, 1, 0, NULL);
  slice(0, 5, INT64_MAX, 1, NUMBERS(0));
  slice(4, 0, INT64_MIN, 1, NUMBERS(4));
  slice(-9, INT64_MIN, -1, 1, NUMBERS(0)); /* ONNX, otherwise than NumPy */
}

static void bad_slices_fail(void **state) {
  (void)state;
  static const int64_t axes[][2] = {{0, 0}, {0, 2}, {-3, 0}};
  for (int i = 0; i < 4; i++) {
    op_case self;
    op_case_start(&self, "Slice", 13);
    op_case_tensor(&self, RANGO_FLOAT32, DIMS(2, 3), NULL);
    op_case_ints(&self, INTS(0, 0));
    op_case_ints(&self, INTS(1, 1));
    if (i < 3) op_case_ints(&self, 2, axes[i]);
    if (i == 3) op_case_absent(&self);
    if (i == 3) op_case_ints(&self, INTS(1, 0)); /* a step of 0 */
    op_case_fails(&self, "steps");
    op_case_end(&self);
  }
}

/* One input list that can't be: the operator must say so, not allocate or crash. */
static void bad_list(const char *op, int64_t a, int64_t b, const char *text) {
  op_case self;
  op_case_start(&self, op, 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2), NUMBERS(1, 2));
  op_case_ints(&self, INTS(a, b));
  op_case_fails(&self, text);
  op_case_end(&self);
}

static void impossible_targets_fail(void **state) {
  (void)state;
  bad_list("Reshape", 3, -1, "Reshape");
  bad_list("Reshape", -1, -1, "Reshape");
  bad_list("Reshape", INT64_MAX, INT64_MAX, "Reshape");
  bad_list("Reshape", -2, -1, "Reshape");
  bad_list("Expand", INT64_MAX, 2, "");
  bad_list("Expand", -1, 2, "broadcast");
  bad_list("Expand", 2, 3, "broadcast");
  bad_list("Unsqueeze", 0, 0, "axes");
  bad_list("Unsqueeze", 5, 0, "axes");
  bad_list("Pad", INT64_MAX, 1, "Pad");
  bad_list("Pad", -3, 0, "Pad");
  bad_list("Pad", INT64_MIN, INT64_MAX, "Pad");
  bad_list("Tile", 1, 1, "Tile");
}

/* A 0 copies the input's size; where the input has no such axis there is none to copy, here as in inference. */
static void a_zero_beyond_the_input_fails(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Reshape", 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(0), NULL);
  op_case_ints(&self, INTS(0, 0));
  op_case_fails(&self, "axis 1");
  op_case_end(&self);
}

static void enormous_outputs_are_refused(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Tile", 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2, 2), NULL);
  op_case_ints(&self, INTS(INT64_MAX / 2, INT64_MAX / 2));
  op_case_fails(&self, "");
  op_case_end(&self);
  op_case_start(&self, "ConstantOfShape", 13);
  op_case_ints(&self, INTS(INT32_MAX, INT32_MAX, INT32_MAX));
  op_case_fails(&self, "ConstantOfShape");
  op_case_end(&self);
  op_case_start(&self, "Range", 13);
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(0));
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(INFINITY));
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(1));
  op_case_fails(&self, "finite");
  op_case_end(&self);
  op_case_start(&self, "Range", 13);
  op_case_tensor(&self, RANGO_INT64, 0, NULL, NUMBERS(0));
  op_case_tensor(&self, RANGO_INT64, 0, NULL, NUMBERS(9));
  op_case_tensor(&self, RANGO_INT64, 0, NULL, NUMBERS(0));
  op_case_fails(&self, "delta");
  op_case_end(&self);
}

static void one_hot_leaves_rows_off_that_are_outside(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "OneHot", 11);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(4), NUMBERS(1, -1, 5, NAN));
  op_case_tensor(&self, RANGO_INT64, 0, NULL, NUMBERS(2));
  op_case_tensor(&self, RANGO_INT8, DIMS(2), NUMBERS(-1, 7));
  op_case_gives(&self, RANGO_INT8, DIMS(4, 2), NUMBERS(-1, 7, -1, 7, -1, -1, -1, -1));
  op_case_end(&self);
}

static void empty_tensors_pass_through(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Transpose", 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2, 0, 3), NULL);
  op_case_gives(&self, RANGO_FLOAT32, DIMS(3, 0, 2), NULL);
  op_case_end(&self);
  op_case_start(&self, "ReduceMax", 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(0, 2), NULL);
  check_ok(rg_node_set_ints(self.node, "axes", (const int64_t[]){0}, 1));
  op_case_gives(&self, RANGO_FLOAT32, DIMS(1, 2), NUMBERS(-INFINITY, -INFINITY));
  op_case_end(&self);
  op_case_start(&self, "ReduceMax", 13);
  op_case_tensor(&self, RANGO_INT16, DIMS(0), NULL);
  op_case_gives(&self, RANGO_INT16, DIMS(1), NUMBERS(INT16_MIN));
  op_case_end(&self);
  op_case_start(&self, "ArgMax", 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(0), NULL);
  op_case_fails(&self, "empty");
  op_case_end(&self);
}

static void arg_max_of_64_bits_is_exact(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "ArgMax", 13);
  op_case_ints(&self, INTS(INT64_MAX - 1, INT64_MAX, INT64_MIN)); /* equal as float64 */
  op_case_gives(&self, RANGO_INT64, DIMS(1), NUMBERS(1));
  op_case_end(&self);
}

static void log_sum_exp_does_not_overflow(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "ReduceLogSumExp", 13);
  op_case_tensor(&self, RANGO_FLOAT64, DIMS(2), NUMBERS(1000, 1000));
  op_case_gives(&self, RANGO_FLOAT64, DIMS(1), NUMBERS(1000 + log(2)));
  op_case_end(&self);
  op_case_start(&self, "ReduceLogSumExp", 13);
  op_case_tensor(&self, RANGO_FLOAT64, DIMS(2), NUMBERS(-INFINITY, -INFINITY));
  op_case_gives(&self, RANGO_FLOAT64, DIMS(1), NUMBERS(-INFINITY));
  op_case_end(&self);
}

static rango_status gather_strings(void *argument) {
  op_case *self = argument;
  rg_val outputs[CASE_MAX] = {0};
  const rg_val *inputs[] = {&self->inputs[0], &self->inputs[1]};
  rango_status status = rg_op_evaluate(self->node, false, inputs, outputs);
  rg_val_clear(&outputs[0]);
  return status;
}

/* Strings take every path around compute: conversion, scratch, and outputs made afterwards. */
static void running_out_of_memory_is_a_status(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Gather", 13);
  op_case_strings(&self, DIMS(2), (const char *const[]){"zero", "one"});
  op_case_ints(&self, INTS(1, 0, 1));
  check_ok(rg_ops_resolve(self.model, true));
  assert_true(fail_every_allocation(gather_strings, &self, 100) > 3);
  op_case_end(&self);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strings_are_gathered_and_joined),
      cmocka_unit_test(packed_types_are_transposed),
      cmocka_unit_test(indices_outside_fail),
      cmocka_unit_test(scattering_outside_fails),
      cmocka_unit_test(slices_are_clamped),
      cmocka_unit_test(bad_slices_fail),
      cmocka_unit_test(impossible_targets_fail),
      cmocka_unit_test(a_zero_beyond_the_input_fails),
      cmocka_unit_test(enormous_outputs_are_refused),
      cmocka_unit_test(one_hot_leaves_rows_off_that_are_outside),
      cmocka_unit_test(empty_tensors_pass_through),
      cmocka_unit_test(arg_max_of_64_bits_is_exact),
      cmocka_unit_test(log_sum_exp_does_not_overflow),
      cmocka_unit_test(running_out_of_memory_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
