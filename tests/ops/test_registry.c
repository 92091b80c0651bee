/* The table of operators, and what resolving a model checks. */
#include "op_case.h"

static void every_operator_is_found_in_each_of_its_versions(void **state) {
  (void)state;
  assert_true(rango_op_count() > 100);
  for (size_t i = 0; i < rango_op_count(); i++) {
    const rango_op_info *info = rango_op(i);
    assert_true(info->since >= RG_OPSET_MIN && info->since <= info->until && info->until <= RG_OPSET_MAX);
    for (int version = info->since; version <= info->until; version++) {
      const rg_op *op = rg_op_find(info->domain, info->name, version);
      if (!op || op->since != info->since)
        fail_msg("%s of opset %d is not the entry since %d", info->name, version, info->since);
      const rg_op *scalar = rg_op_scalar(op);
      assert_non_null(scalar);
      assert_string_equal(scalar->name, op->name);
      assert_int_equal(scalar->since, op->since);
      assert_true(scalar->compute != NULL && op->compute != NULL && op->infer != NULL);
    }
  }
  assert_null(rango_op(rango_op_count()));
}

/* What computes has a build of its own without vectors, the scalar reference; what moves elements has one build. */
static void arithmetic_is_built_twice(void **state) {
  static const char *const computing[] = {"Conv", "MatMul", "Add", "Softmax", "LSTM", "Exp"};
  static const char *const moving[] = {"Transpose", "Gather", "Slice", "Reshape", "TopK"};
  (void)state;
  for (size_t i = 0; i < sizeof computing / sizeof *computing; i++) {
    const rg_op *op = rg_op_find("", computing[i], RG_OPSET_MAX);
    assert_true(rg_op_scalar(op)->compute != op->compute);
  }
  for (size_t i = 0; i < sizeof moving / sizeof *moving; i++) {
    const rg_op *op = rg_op_find("", moving[i], RG_OPSET_MAX);
    assert_true(rg_op_scalar(op)->compute == op->compute);
  }
}

static void entries_are_sorted_and_without_gaps_to_themselves(void **state) {
  (void)state;
  for (size_t i = 1; i < rango_op_count(); i++) {
    const rango_op_info *before = rango_op(i - 1), *info = rango_op(i);
    int order = strcmp(before->name, info->name);
    assert_true(order <= 0);
    if (order == 0 && strcmp(before->domain, info->domain) == 0) assert_int_equal(info->since, before->until + 1);
  }
}

static void names_and_domains_that_do_not_exist_are_not_found(void **state) {
  (void)state;
  assert_non_null(rg_op_find("", "Add", 13));
  assert_ptr_equal(rg_op_find("ai.onnx", "Add", 13), rg_op_find("", "Add", 13));
  assert_null(rg_op_find("", "Addd", 13));
  assert_null(rg_op_find("", "", 13));
  assert_null(rg_op_find("com.example", "Add", 13));
  assert_null(rg_op_find("", "Add", 0));
  assert_null(rg_op_find("", "Add", RG_OPSET_MAX + 1));
  assert_null(rg_op_find("", "Gelu", 19)); /* came with opset 20 */
  assert_null(rg_op_find("", "Dense", 1)); /* private: in its own domain alone */
  assert_non_null(rg_op_find(RG_PRIVATE_DOMAIN, "Dense", 1));
}

static void unknown_operators_are_errors_only_when_asked_for(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Frobnicate", 17);
  check_ok(rg_ops_resolve(self.model, false));
  assert_null(self.node->definition);
  check_fails(rg_ops_resolve(self.model, true), RANGO_ERROR_UNSUPPORTED, "Frobnicate");
  op_case_end(&self);
}

static void wrong_numbers_of_inputs_are_refused(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Add", 17);
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(1));
  check_fails(rg_ops_resolve(self.model, false), RANGO_ERROR_FORMAT, "needs 2");
  op_case_absent(&self);
  check_fails(rg_ops_resolve(self.model, false), RANGO_ERROR_FORMAT, "needs 2");
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(1));
  check_fails(rg_ops_resolve(self.model, false), RANGO_ERROR_FORMAT, "at most 2");
  op_case_end(&self);

  op_case_start(&self, "Add", 17);
  op_case_absent(&self);
  op_case_tensor(&self, RANGO_FLOAT32, 0, NULL, NUMBERS(1));
  check_fails(rg_ops_resolve(self.model, false), RANGO_ERROR_FORMAT, "input 0");
  op_case_end(&self);
}

static void attributes_are_checked(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "BitShift", 17);
  op_case_tensor(&self, RANGO_UINT8, 0, NULL, NUMBERS(1));
  op_case_tensor(&self, RANGO_UINT8, 0, NULL, NUMBERS(1));
  check_fails(rg_ops_resolve(self.model, false), RANGO_ERROR_FORMAT, "direction");
  check_ok(rg_node_set_string(self.node, "direction", "LEFT"));
  check_ok(rg_ops_resolve(self.model, false));
  op_case_end(&self);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operator_is_found_in_each_of_its_versions),
      cmocka_unit_test(arithmetic_is_built_twice),
      cmocka_unit_test(entries_are_sorted_and_without_gaps_to_themselves),
      cmocka_unit_test(names_and_domains_that_do_not_exist_are_not_found),
      cmocka_unit_test(unknown_operators_are_errors_only_when_asked_for),
      cmocka_unit_test(wrong_numbers_of_inputs_are_refused),
      cmocka_unit_test(attributes_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
