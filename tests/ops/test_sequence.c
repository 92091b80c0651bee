/* Sequences and optionals: what goes in comes out, and positions outside fail. */
#include "op_case.h"

/* A sequence of `count` scalars 10, 20, ... */
static void add_sequence(op_case *self, int count) {
  rg_val sequence = {.kind = RG_KIND_SEQUENCE, .count = (size_t)count};
  check_ok(rg_calloc((size_t)count, sizeof *sequence.items, RG_OUT(&sequence.items)));
  for (int i = 0; i < count; i++) {
    sequence.items[i].kind = RG_KIND_TENSOR;
    check_ok(rg_tensor_init(&sequence.items[i].tensor, RANGO_FLOAT32, &(rg_shape){0}));
    *(float *)sequence.items[i].tensor.data = 10.0f * (float)(i + 1);
  }
  op_case_add(self, &sequence);
}

static void add_position(op_case *self, int64_t position) {
  op_case_tensor(self, RANGO_INT64, 0, NULL, NUMBERS((double)position));
}

static void check_scalars(op_case *self, int count, const double *numbers) {
  rg_val outputs[CASE_MAX] = {0};
  check_ok(op_case_run(self, false, outputs));
  assert_int_equal(outputs[0].kind, RG_KIND_SEQUENCE);
  assert_int_equal(outputs[0].count, count);
  for (int i = 0; i < count; i++) assert_true(rg_tensor_get_double(&outputs[0].items[i].tensor, 0) == numbers[i]);
  rg_val_clear(&outputs[0]);
}

static void entries_are_taken_from_both_ends(void **state) {
  (void)state;
  static const struct {
    int64_t position;
    double expected; /* 0: out of range */
  } cases[] = {{0, 10}, {2, 30}, {-1, 30}, {-3, 10}, {3, 0}, {-4, 0}, {INT64_MIN, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    op_case self;
    op_case_start(&self, "SequenceAt", 11);
    add_sequence(&self, 3);
    add_position(&self, cases[i].position);
    if (cases[i].expected == 0)
      op_case_fails(&self, "out of range");
    else
      op_case_gives(&self, RANGO_FLOAT32, 0, NULL, &cases[i].expected);
    op_case_end(&self);
  }
}

static void entries_are_inserted_and_erased(void **state) {
  (void)state;
  op_case self;
  for (int at = -1; at < 3; at++) { /* -1: no position, at the end */
    op_case_start(&self, "SequenceInsert", 11);
    add_sequence(&self, 2);
    op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(5));
    if (at >= 0) add_position(&self, at);
    check_scalars(&self, 3, at == 0 ? NUMBERS(5, 10, 20) : at == 1 ? NUMBERS(10, 5, 20) : NUMBERS(10, 20, 5));
    op_case_end(&self);
  }
  for (int at = -1; at < 3; at++) {
    op_case_start(&self, "SequenceErase", 11);
    add_sequence(&self, 3);
    if (at >= 0) add_position(&self, at);
    check_scalars(&self, 2, at == 0 ? NUMBERS(20, 30) : at == 1 ? NUMBERS(10, 30) : NUMBERS(10, 20));
    op_case_end(&self);
  }
  op_case_start(&self, "SequenceErase", 11);
  add_sequence(&self, 0);
  op_case_fails(&self, "out of range");
  op_case_end(&self);
}

static void tensors_are_split_and_joined(void **state) {
  (void)state;
  op_case self;
  rg_val outputs[CASE_MAX] = {0};
  op_case_start(&self, "SplitToSequence", 11);
  check_ok(rg_node_set_int(self.node, "axis", 1));
  op_case_tensor(&self, RANGO_FLOAT32, DIMS(2, 3), NUMBERS(1, 2, 3, 4, 5, 6));
  add_position(&self, 2);
  check_ok(op_case_run(&self, false, outputs));
  op_case_end(&self);
  assert_int_equal(outputs[0].count, 2);
  assert_int_equal(outputs[0].items[1].tensor.shape.dims[1], 1);

  op_case_start(&self, "ConcatFromSequence", 11);
  check_ok(rg_node_set_int(self.node, "axis", -1));
  op_case_add(&self, &outputs[0]); /* takes it over */
  op_case_gives(&self, RANGO_FLOAT32, DIMS(2, 3), NUMBERS(1, 2, 3, 4, 5, 6));
  check_ok(rg_node_set_int(self.node, "new_axis", 1));
  op_case_fails(&self, "entry 1");
  op_case_end(&self);

  op_case_start(&self, "ConcatFromSequence", 11);
  check_ok(rg_node_set_int(self.node, "axis", 0));
  check_ok(rg_node_set_int(self.node, "new_axis", 1));
  add_sequence(&self, 3);
  op_case_gives(&self, RANGO_FLOAT32, DIMS(3), NUMBERS(10, 20, 30));
  op_case_end(&self);
}

static void bad_splits_fail(void **state) {
  (void)state;
  static const int64_t sizes[][2] = {{1, 1}, {2, 2}, {-1, 4}, {INT64_MAX, INT64_MAX}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    op_case self;
    op_case_start(&self, "SplitToSequence", 11);
    op_case_tensor(&self, RANGO_FLOAT32, DIMS(3), NULL);
    op_case_ints(&self, 2, sizes[i]);
    op_case_fails(&self, "add up to");
    op_case_end(&self);
  }
}

static void optionals_are_their_value_or_nothing(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "OptionalHasElement", 18);
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(7));
  op_case_gives(&self, RANGO_BOOL, 0, NULL, NUMBERS(1));
  op_case_end(&self);
  op_case_start(&self, "OptionalHasElement", 18);
  op_case_gives(&self, RANGO_BOOL, 0, NULL, NUMBERS(0));
  op_case_end(&self);
  op_case_start(&self, "OptionalGetElement", 18);
  op_case_add(&self, &(rg_val){0});
  op_case_fails(&self, "empty");
  op_case_end(&self);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(entries_are_taken_from_both_ends),     cmocka_unit_test(entries_are_inserted_and_erased),
      cmocka_unit_test(tensors_are_split_and_joined),         cmocka_unit_test(bad_splits_fail),
      cmocka_unit_test(optionals_are_their_value_or_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
