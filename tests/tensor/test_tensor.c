/* Types, shapes, tensors, strings, elements as numbers, values. */
#include <math.h>

#include "support/check.h"
#include "support/memory.h"
#include "tensor/tensor.h"

static void test_types(void **state) {
  static const struct {
    rango_type type;
    const char *name;
    size_t bits;
  } known[] = {{RANGO_FLOAT32, "float32", 32},
               {RANGO_INT64, "int64", 64},
               {RANGO_BOOL, "bool", 8},
               {RANGO_STRING, "string", 0},
               {RANGO_COMPLEX128, "complex128", 128},
               {RANGO_BFLOAT16, "bfloat16", 16},
               {RANGO_INT4, "int4", 4},
               {RANGO_UINT2, "uint2", 2},
               {RANGO_FLOAT8E5M2, "float8e5m2", 8}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    assert_string_equal(rango_type_name(known[i].type), known[i].name);
    assert_int_equal(rango_type_bits(known[i].type), known[i].bits);
  }
  assert_string_equal(rango_type_name((rango_type)1000), "undefined");
  assert_string_equal(rango_type_name((rango_type)-1), "undefined");
  assert_true(rg_type_is_float(RANGO_FLOAT8E4M3FN) && !rg_type_is_float(RANGO_INT4));
  assert_true(rg_type_is_integer(RANGO_UINT2) && !rg_type_is_integer(RANGO_BOOL));
}

static void test_shapes(void **state) {
  int64_t count;
  size_t bytes;
  char text[RG_SHAPE_TEXT];
  rg_shape shape = {3, {2, 3, 4}};
  check_ok(rg_shape_count(&shape, &count));
  assert_int_equal(count, 24);
  assert_string_equal(rg_shape_text(&shape, text, sizeof text), "[2, 3, 4]");
  assert_string_equal(rg_shape_text(&shape, text, 6), "[2, 3");
  check_ok(rg_shape_count(&(rg_shape){0}, &count));
  assert_int_equal(count, 1);
  assert_string_equal(rg_shape_text(&(rg_shape){0}, text, sizeof text), "[]");
  rg_shape empty = {3, {INT64_MAX, INT64_MAX, 0}};
  check_ok(rg_shape_count(&empty, &count));
  assert_int_equal(count, 0);
  check_fails(rg_shape_count(&(rg_shape){2, {INT64_MAX, 2}}, &count), RANGO_ERROR_LIMIT, "[9223372036854775807, 2]");
  check_fails(rg_shape_count(&(rg_shape){2, {3, -1}}, &count), RANGO_ERROR_FORMAT, "[3, -1]");
  check_fails(rg_shape_count(&(rg_shape){17, {0}}, &count), RANGO_ERROR_LIMIT, "17");
  check_ok(rg_type_bytes(RANGO_INT4, 7, &bytes));
  assert_int_equal(bytes, 4);
  check_ok(rg_type_bytes(RANGO_UINT2, 9, &bytes));
  assert_int_equal(bytes, 3);
  check_ok(rg_type_bytes(RANGO_FLOAT64, 9, &bytes));
  assert_int_equal(bytes, 72);
  check_fails(rg_type_bytes(RANGO_FLOAT64, INT64_MAX / 2, &bytes), RANGO_ERROR_LIMIT, "too many");
  assert_int_equal(rg_type_bytes(RANGO_UNDEFINED, 1, &bytes), RANGO_ERROR_UNSUPPORTED);
}

static void test_public_tensors(void **state) {
  const int64_t dims[] = {2, 3};
  rango_tensor *tensor;
  check_ok(rango_tensor_create(RANGO_FLOAT32, 2, dims, &tensor));
  assert_int_equal(rango_tensor_type(tensor), RANGO_FLOAT32);
  assert_int_equal(rango_tensor_rank(tensor), 2);
  assert_int_equal(rango_tensor_dims(tensor)[1], 3);
  assert_int_equal(rango_tensor_count(tensor), 6);
  assert_int_equal(rango_tensor_bytes(tensor), 24);
  for (int i = 0; i < 6; i++) assert_true(((const float *)rango_tensor_data(tensor))[i] == 0);
  ((float *)rango_tensor_data_mut(tensor))[5] = 7;
  assert_true(((const float *)rango_tensor_data(tensor))[5] == 7);
  rango_tensor_free(tensor);
  rango_tensor_free(NULL);

  check_fails(rango_tensor_create(RANGO_UNDEFINED, 2, dims, &tensor), RANGO_ERROR_ARGUMENT, "element type");
  check_fails(rango_tensor_create(RANGO_STRING, 2, dims, &tensor), RANGO_ERROR_ARGUMENT, "rango_tensor_wrap");
  check_fails(rango_tensor_create(RANGO_FLOAT32, 17, dims, &tensor), RANGO_ERROR_ARGUMENT, "rank 17");
  check_fails(rango_tensor_create(RANGO_FLOAT32, 1, NULL, &tensor), RANGO_ERROR_ARGUMENT, "dims");
  check_fails(rango_tensor_create(RANGO_FLOAT32, 1, (int64_t[]){-1}, &tensor), RANGO_ERROR_ARGUMENT, "negative");
  check_fails(rango_tensor_create(RANGO_FLOAT32, 1, (int64_t[]){INT64_MAX}, &tensor), RANGO_ERROR_LIMIT, "too many");
  counting_allocator counting;
  counting_start(&counting, 1); /* the struct, but not the elements */
  check_fails(rango_tensor_create(RANGO_FLOAT32, 2, dims, &tensor), RANGO_ERROR_MEMORY, "out of memory");
  counting_stop();
  assert_int_equal(counting.blocks, 0);
  assert_null(tensor);
}

static void test_wrap(void **state) {
  float data[7];
  const int64_t dims[] = {2, 3};
  rango_tensor *tensor;
  check_ok(rango_tensor_wrap(RANGO_FLOAT32, 2, dims, data, sizeof data, &tensor));
  assert_ptr_equal(rango_tensor_data_mut(tensor), data);
  assert_int_equal(rango_tensor_bytes(tensor), 24);
  rango_tensor_free(tensor);
  check_fails(rango_tensor_wrap(RANGO_FLOAT32, 2, dims, data, 23, &tensor), RANGO_ERROR_ARGUMENT, "24");
  check_fails(rango_tensor_wrap(RANGO_FLOAT32, 2, dims, (char *)data + 1, 24, &tensor), RANGO_ERROR_ARGUMENT,
              "aligned");
  check_fails(rango_tensor_wrap(RANGO_FLOAT32, 2, dims, NULL, 24, &tensor), RANGO_ERROR_ARGUMENT, "NULL");

  const char *texts[] = {"rank", "", "manifold"};
  check_ok(rango_tensor_wrap(RANGO_STRING, 1, (int64_t[]){3}, texts, sizeof texts, &tensor));
  assert_int_equal(tensor->lengths[2], 8);
  rango_tensor_free(tensor);
  texts[1] = NULL;
  check_fails(rango_tensor_wrap(RANGO_STRING, 1, (int64_t[]){3}, texts, sizeof texts, &tensor), RANGO_ERROR_ARGUMENT,
              "string 1");
}

static rango_status copy_strings(void *argument) {
  static const rg_string strings[] = {{"a\0b", 3}, {"", 0}, {"xyz", 2}};
  rango_tensor first = {0}, second = {0};
  rango_status status;
  RG_TRY_DONE(rg_tensor_init_strings(&first, &(rg_shape){1, {3}}, strings));
  RG_TRY_DONE(rg_tensor_copy(&second, &first));
  rg_tensor_clear(&first);
  const char *const *texts = second.data;
  bool same = second.lengths[0] == 3 && memcmp(texts[0], "a\0b", 4) == 0 && second.lengths[1] == 0 && !texts[1][0] &&
              strcmp(texts[2], "xy") == 0 && second.bytes == 3 * sizeof(char *);
  *(bool *)argument = same;
done:
  rg_tensor_clear(&first);
  rg_tensor_clear(&second);
  return status;
}

static void test_strings(void **state) {
  bool same = false;
  assert_int_equal(fail_every_allocation(copy_strings, &same, 20), 3);
  assert_true(same);
  rango_tensor empty;
  check_ok(rg_tensor_init(&empty, RANGO_STRING, &(rg_shape){1, {2}}));
  assert_string_equal(((const char **)empty.data)[1], "");
  rg_tensor_clear(&empty);
}

/* Every type: integers over their whole small range, saturating beyond; floats their own values. */
static void test_elements(void **state) {
  static const struct {
    rango_type type;
    double low, high;
  } ranges[] = {{RANGO_INT8, -128, 127},
                {RANGO_UINT8, 0, 255},
                {RANGO_INT16, -32768, 32767},
                {RANGO_UINT16, 0, 65535},
                {RANGO_INT32, -0x1p31, 0x1p31 - 1},
                {RANGO_UINT32, 0, 0x1p32 - 1},
                {RANGO_INT4, -8, 7},
                {RANGO_UINT4, 0, 15},
                {RANGO_INT2, -2, 1},
                {RANGO_UINT2, 0, 3}};
  for (size_t t = 0; t < sizeof ranges / sizeof *ranges; t++) {
    rango_tensor tensor;
    double low = ranges[t].low, high = ranges[t].high;
    check_ok(rg_tensor_init(&tensor, ranges[t].type, &(rg_shape){1, {5}}));
    const double given[] = {low - 1e9, high + 1e9, 1, NAN, high}, expected[] = {low, high, 1, 0, high};
    for (int i = 0; i < 5; i++) rg_tensor_set_double(&tensor, i, given[i]);
    for (int i = 0; i < 5; i++) {
      assert_true(rg_tensor_get_double(&tensor, i) == expected[i]);
      assert_true(rg_tensor_get_i64(&tensor, i) == (int64_t)expected[i]);
    }
    if (high > 3) { /* nearest even */
      rg_tensor_set_double(&tensor, 0, 2.5);
      rg_tensor_set_double(&tensor, 1, 3.5);
      assert_true(rg_tensor_get_double(&tensor, 0) == 2 && rg_tensor_get_double(&tensor, 1) == 4);
    }
    rg_tensor_clear(&tensor);
  }
}

static void test_wide_elements(void **state) {
  rango_tensor tensor;
  check_ok(rg_tensor_init(&tensor, RANGO_UINT64, &(rg_shape){1, {3}}));
  rg_tensor_set_double(&tensor, 0, 1e30);
  rg_tensor_set_double(&tensor, 1, -5);
  rg_tensor_set_double(&tensor, 2, 0x1p63);
  assert_true(((uint64_t *)tensor.data)[0] == UINT64_MAX && ((uint64_t *)tensor.data)[1] == 0);
  assert_true(rg_tensor_get_double(&tensor, 2) == 0x1p63 && rg_tensor_get_i64(&tensor, 2) == INT64_MAX);
  rg_tensor_clear(&tensor);
  check_ok(rg_tensor_init(&tensor, RANGO_INT64, &(rg_shape){1, {3}}));
  rg_tensor_set_double(&tensor, 0, -1e30);
  rg_tensor_set_double(&tensor, 1, 1e30);
  ((int64_t *)tensor.data)[2] = ((int64_t)1 << 60) + 1;
  assert_true(rg_tensor_get_i64(&tensor, 0) == INT64_MIN && rg_tensor_get_i64(&tensor, 1) == INT64_MAX);
  assert_true(rg_tensor_get_i64(&tensor, 2) == ((int64_t)1 << 60) + 1); /* not through a double */
  rg_tensor_clear(&tensor);
  check_ok(rg_tensor_init(&tensor, RANGO_FLOAT32, &(rg_shape){1, {2}}));
  rg_tensor_set_double(&tensor, 0, -2.75);
  rg_tensor_set_double(&tensor, 1, NAN);
  assert_int_equal(rg_tensor_get_i64(&tensor, 0), -2);
  assert_int_equal(rg_tensor_get_i64(&tensor, 1), 0);
  rg_tensor_clear(&tensor);
  check_ok(rg_tensor_init(&tensor, RANGO_BOOL, &(rg_shape){1, {2}}));
  rg_tensor_set_double(&tensor, 0, 0.25);
  rg_tensor_set_double(&tensor, 1, 0);
  assert_int_equal(rg_tensor_get_i64(&tensor, 0), 1);
  assert_int_equal(rg_tensor_get_i64(&tensor, 1), 0);
  rg_tensor_clear(&tensor);
}

/* 1 + 2^-11 + 2^-30 lies above the midpoint of two halves; float32 can't hold it and would round to the midpoint, and
 * the second rounding then down. */
static void test_no_double_rounding(void **state) {
  rango_tensor tensor;
  check_ok(rg_tensor_init(&tensor, RANGO_FLOAT16, &(rg_shape){1, {2}}));
  rg_tensor_set_double(&tensor, 0, 1 + 0x1p-11 + 0x1p-30);
  rg_tensor_set_double(&tensor, 1, 1 + 0x1p-11);
  assert_true(rg_tensor_get_double(&tensor, 0) == 1 + 0x1p-10);
  assert_true(rg_tensor_get_double(&tensor, 1) == 1);
  rg_tensor_clear(&tensor);
}

static rango_status view_sequence(void *argument) {
  float data[2] = {1, 2};
  rg_val sequence = {.kind = RG_KIND_SEQUENCE}, view = {0};
  rango_status status;
  RG_TRY_DONE(rg_calloc(2, sizeof *sequence.items, RG_OUT(&sequence.items)));
  sequence.count = 2;
  sequence.items[0].kind = sequence.items[1].kind = RG_KIND_TENSOR;
  RG_TRY_DONE(rg_tensor_init(&sequence.items[0].tensor, RANGO_INT32, &(rg_shape){1, {1}}));
  ((int32_t *)sequence.items[0].tensor.data)[0] = 42;
  rg_tensor_init_borrowed(&sequence.items[1].tensor, RANGO_FLOAT32, &(rg_shape){1, {2}}, data, sizeof data);
  RG_TRY_DONE(rg_val_view(&view, &sequence));
  /* The owned tensor is shared, the borrowed one is copied. */
  bool shared = view.items[0].tensor.data == sequence.items[0].tensor.data;
  bool copied = view.items[1].tensor.data != data;
  rg_val_clear(&sequence);
  memset(data, 0, sizeof data);
  *(bool *)argument = shared && copied && ((int32_t *)view.items[0].tensor.data)[0] == 42 &&
                      ((float *)view.items[1].tensor.data)[1] == 2;
done:
  rg_val_clear(&sequence);
  rg_val_clear(&view);
  return status;
}

static void test_values(void **state) {
  bool right = false;
  assert_int_equal(fail_every_allocation(view_sequence, &right, 20), 4);
  assert_true(right);
}

static void test_sequences_nested_too_deep(void **state) {
  rg_val chain[40] = {0}, view;
  for (int i = 0; i < 39; i++) chain[i] = (rg_val){.kind = RG_KIND_SEQUENCE, .items = &chain[i + 1], .count = 1};
  check_fails(rg_val_view(&view, &chain[0]), RANGO_ERROR_LIMIT, "nested");
  check_ok(rg_val_view(&view, &chain[30]));
  rg_val_clear(&view);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_types),          cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_public_tensors), cmocka_unit_test(test_wrap),
      cmocka_unit_test(test_strings),        cmocka_unit_test(test_elements),
      cmocka_unit_test(test_wide_elements),  cmocka_unit_test(test_no_double_rounding),
      cmocka_unit_test(test_values),         cmocka_unit_test(test_sequences_nested_too_deep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
