/* Corner cases of elementwise operators that ONNX Runtime leaves open or that random cases miss. */
#include <math.h>

#include "op_case.h"

static void binary(const char *op, rango_type type, int count, const double *a, const double *b, rango_type result,
                   const double *expected) {
  op_case self;
  op_case_start(&self, op, 18);
  op_case_tensor(&self, type, 1, &(int64_t){count}, a);
  op_case_tensor(&self, type, 1, &(int64_t){count}, b);
  op_case_gives(&self, result, 1, &(int64_t){count}, expected);
  op_case_end(&self);
}

static void integer_division_is_defined_everywhere(void **state) {
  (void)state;
  binary("Div", RANGO_INT32, 5, NUMBERS(7, -7, 5, INT32_MIN, 0), NUMBERS(2, 2, 0, -1, -1), RANGO_INT32,
         NUMBERS(3, -3, 0, INT32_MIN, 0));
  binary("Div", RANGO_INT8, 2, NUMBERS(-128, 100), NUMBERS(-1, 0), RANGO_INT8, NUMBERS(-128, 0));
  binary("Div", RANGO_INT64, 1, NUMBERS(-0x1p63), NUMBERS(-1), RANGO_INT64, NUMBERS(-0x1p63));
  binary("Mod", RANGO_INT32, 5, NUMBERS(-7, 7, 5, INT32_MIN, -6), NUMBERS(3, -3, 0, -1, 3), RANGO_INT32,
         NUMBERS(2, -2, 0, 0, 0));
  binary("Mod", RANGO_INT64, 1, NUMBERS(-0x1p63), NUMBERS(-1), RANGO_INT64, NUMBERS(0));
}

static void integers_wrap_around(void **state) {
  (void)state;
  binary("Add", RANGO_INT8, 2, NUMBERS(127, -128), NUMBERS(1, -1), RANGO_INT8, NUMBERS(-128, 127));
  binary("Mul", RANGO_INT32, 1, NUMBERS(65536), NUMBERS(65536), RANGO_INT32, NUMBERS(0));
  binary("Sub", RANGO_UINT8, 1, NUMBERS(0), NUMBERS(1), RANGO_UINT8, NUMBERS(255));
  binary("Add", RANGO_INT64, 1, NUMBERS(-0x1p63), NUMBERS(-0x1p63), RANGO_INT64, NUMBERS(0));
  binary("Pow", RANGO_INT32, 4, NUMBERS(-2, 2, -1, 3), NUMBERS(3, -1, -3, 0), RANGO_INT32, NUMBERS(-8, 0, -1, 1));
}

static void unsigned_64_bits_compare_as_unsigned(void **state) {
  (void)state;
  binary("Less", RANGO_UINT64, 2, NUMBERS(0x1p63, 1), NUMBERS(1, 0x1p63), RANGO_BOOL, NUMBERS(0, 1));
  binary("Max", RANGO_UINT64, 1, NUMBERS(0x1p63), NUMBERS(1), RANGO_UINT64, NUMBERS(0x1p63));
  binary("Div", RANGO_UINT64, 1, NUMBERS(0x1p63), NUMBERS(2), RANGO_UINT64, NUMBERS(0x1p62));
}

static void shifts_by_the_width_leave_nothing(void **state) {
  (void)state;
  for (int left = 0; left < 2; left++) {
    op_case self;
    op_case_start(&self, "BitShift", 11);
    check_ok(rg_node_set_string(self.node, "direction", left ? "LEFT" : "RIGHT"));
    op_case_tensor(&self, RANGO_UINT8, DIMS(4), NUMBERS(255, 255, 255, 255));
    op_case_tensor(&self, RANGO_UINT8, DIMS(4), NUMBERS(1, 7, 8, 200));
    op_case_gives(&self, RANGO_UINT8, DIMS(4), left ? NUMBERS(254, 128, 0, 0) : NUMBERS(127, 1, 0, 0));
    op_case_end(&self);
    op_case_start(&self, "BitShift", 11);
    check_ok(rg_node_set_string(self.node, "direction", left ? "LEFT" : "RIGHT"));
    op_case_tensor(&self, RANGO_UINT64, DIMS(2), NUMBERS(3, 3));
    op_case_tensor(&self, RANGO_UINT64, DIMS(2), NUMBERS(64, 0x1p63));
    op_case_gives(&self, RANGO_UINT64, DIMS(2), NUMBERS(0, 0));
    op_case_end(&self);
  }
}

static void extremes_keep_nan(void **state) {
  (void)state;
  const double expected[] = {NAN, NAN, 1};
  binary("Max", RANGO_FLOAT32, 3, NUMBERS(NAN, 1, 1), NUMBERS(1, NAN, -1), RANGO_FLOAT32, expected);
  const double least[] = {NAN, NAN, -1};
  binary("Min", RANGO_FLOAT32, 3, NUMBERS(NAN, 1, 1), NUMBERS(1, NAN, -1), RANGO_FLOAT32, least);
}

static void half_precision_is_computed_in_single(void **state) {
  (void)state;
  /* 2048 + 1 isn't a float16; three addends show that sums are rounded once, at the end. */
  op_case self;
  op_case_start(&self, "Sum", 13);
  op_case_tensor(&self, RANGO_FLOAT16, DIMS(1), NUMBERS(2048));
  op_case_tensor(&self, RANGO_FLOAT16, DIMS(1), NUMBERS(1));
  op_case_tensor(&self, RANGO_FLOAT16, DIMS(1), NUMBERS(1));
  op_case_gives(&self, RANGO_FLOAT16, DIMS(1), NUMBERS(2050));
  op_case_end(&self);
  op_case_start(&self, "Less", 13);
  op_case_tensor(&self, RANGO_BFLOAT16, DIMS(2), NUMBERS(1, 3));
  op_case_tensor(&self, RANGO_BFLOAT16, DIMS(1), NUMBERS(2));
  op_case_gives(&self, RANGO_BOOL, DIMS(2), NUMBERS(1, 0));
  op_case_end(&self);
}

static void a_half_exponent_leaves_the_base_its_type(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Pow", 15);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(1), NUMBERS(1000));
  op_case_tensor(&self, RANGO_FLOAT16, DIMS(1), NUMBERS(2));
  op_case_gives(&self, RANGO_FLOAT32, DIMS(1), NUMBERS(1e6)); /* infinite as float16 */
  op_case_end(&self);
}

static void shapes_that_do_not_fit_and_types_that_differ_fail(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Add", 14);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2, 3), NULL);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2), NULL);
  op_case_fails(&self, "[2, 3] and [2]");
  op_case_end(&self);
  op_case_start(&self, "Add", 14);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2), NULL);
  op_case_tensor(&self, RANGO_INT32, DIMS(2), NULL);
  op_case_fails(&self, "int32");
  op_case_end(&self);
  op_case_start(&self, "Exp", 13);
  op_case_tensor(&self, RANGO_INT32, DIMS(2), NULL);
  op_case_fails(&self, "int32");
  op_case_end(&self);
}

static void cast(rango_type from, rango_type to, int count, const double *numbers, const double *expected) {
  op_case self;
  op_case_start(&self, "Cast", 19);
  check_ok(rg_node_set_int(self.node, "to", to));
  op_case_tensor(&self, from, 1, &(int64_t){count}, numbers);
  op_case_gives(&self, to, 1, &(int64_t){count}, expected);
  op_case_end(&self);
}

static void casts_out_of_range_are_defined(void **state) {
  (void)state;
  cast(RANGO_FLOAT32, RANGO_INT32, 7, NUMBERS(1.9, -1.9, 3e9, -3e9, INFINITY, -INFINITY, NAN),
       NUMBERS(1, -1, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0));
  cast(RANGO_FLOAT64, RANGO_INT64, 3, NUMBERS(1e30, -1e30, NAN), NUMBERS(0x1p63, -0x1p63, 0));
  cast(RANGO_FLOAT32, RANGO_UINT64, 3, NUMBERS(1e30, -5, NAN), NUMBERS(0x1p64, 0, 0));
  cast(RANGO_FLOAT32, RANGO_UINT8, 3, NUMBERS(300, -5, 254.9), NUMBERS(255, 0, 254));
  cast(RANGO_INT32, RANGO_UINT8, 3, NUMBERS(300, -1, 256), NUMBERS(44, 255, 0));
  cast(RANGO_INT64, RANGO_INT4, 4, NUMBERS(7, 8, -9, 16), NUMBERS(7, -8, 7, 0));
  cast(RANGO_FLOAT32, RANGO_BOOL, 4, NUMBERS(0, -0.0, 0.1, NAN), NUMBERS(0, 0, 1, 1));
  cast(RANGO_FLOAT32, RANGO_FLOAT16, 3, NUMBERS(65519, 65520, 1e-8), NUMBERS(65504, INFINITY, 0));
  cast(RANGO_INT64, RANGO_FLOAT32, 1, NUMBERS(16777217), NUMBERS(16777216)); /* to even */
}

static void casts_of_text(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Cast", 13);
  check_ok(rg_node_set_int(self.node, "to", RANGO_FLOAT32));
  op_case_strings(&self, DIMS(5), (const char *const[]){"1.5", "-INF", "NaN", "1e3", "7"});
  op_case_gives(&self, RANGO_FLOAT32, DIMS(5), NUMBERS(1.5, -INFINITY, NAN, 1000, 7));
  op_case_end(&self);
  op_case_start(&self, "Cast", 13);
  check_ok(rg_node_set_int(self.node, "to", RANGO_INT32));
  op_case_strings(&self, DIMS(1), (const char *const[]){"12 apples"});
  op_case_fails(&self, "12 apples");
  op_case_end(&self);
  op_case_start(&self, "Cast", 13);
  check_ok(rg_node_set_int(self.node, "to", RANGO_STRING));
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(4), NUMBERS(0.1, INFINITY, NAN, -2.5));
  op_case_gives_strings(&self, 4, (const char *const[]){"0.1", "INF", "NaN", "-2.5"});
  op_case_end(&self);
}

static void where_and_equal_take_strings(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Where", 16);
  op_case_tensor(&self, RANGO_BOOL, DIMS(2), NUMBERS(1, 0));
  op_case_strings(&self, DIMS(2), (const char *const[]){"a", "b"});
  op_case_strings(&self, DIMS(1), (const char *const[]){"other"});
  op_case_gives_strings(&self, 2, (const char *const[]){"a", "other"});
  op_case_end(&self);
  op_case_start(&self, "Equal", 19);
  op_case_strings(&self, DIMS(2), (const char *const[]){"a", "ab"});
  op_case_strings(&self, DIMS(1), (const char *const[]){"a"});
  op_case_gives(&self, RANGO_BOOL, DIMS(2), NUMBERS(1, 0));
  op_case_end(&self);
}

static void crossed_limits_give_the_upper_one(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Clip", 13);
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(3), NUMBERS(0, 5, NAN));
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(3));
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(1));
  op_case_gives(&self, RANGO_FLOAT32, DIMS(3), NUMBERS(1, 1, NAN));
  op_case_end(&self);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integer_division_is_defined_everywhere),
      cmocka_unit_test(integers_wrap_around),
      cmocka_unit_test(unsigned_64_bits_compare_as_unsigned),
      cmocka_unit_test(shifts_by_the_width_leave_nothing),
      cmocka_unit_test(extremes_keep_nan),
      cmocka_unit_test(half_precision_is_computed_in_single),
      cmocka_unit_test(a_half_exponent_leaves_the_base_its_type),
      cmocka_unit_test(shapes_that_do_not_fit_and_types_that_differ_fail),
      cmocka_unit_test(casts_out_of_range_are_defined),
      cmocka_unit_test(casts_of_text),
      cmocka_unit_test(where_and_equal_take_strings),
      cmocka_unit_test(crossed_limits_give_the_upper_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
