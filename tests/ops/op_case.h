/* One node, its inputs, and what must come out of both builds of its operator. */
#ifndef TESTS_OPS_OP_CASE_H
#define TESTS_OPS_OP_CASE_H

#include "support/graphs.h"

#define CASE_MAX 8

typedef struct op_case {
  rango_model *model;
  rg_node *node;
  rg_val inputs[CASE_MAX];
  int input_count;
} op_case;

/* A node of opset `version` with one output (or more: op_case_outputs). */
static inline void op_case_start(op_case *self, const char *op, int version) {
  rg_value *value;
  *self = (op_case){.model = new_model()};
  check_ok(rg_graph_add_node(self->model->graph, NULL, op, "", version, 0, 1, &self->node));
  check_ok(rg_graph_add_value(self->model->graph, "y", &value));
  rg_node_set_output(self->node, 0, value);
}

static inline void op_case_add(op_case *self, rg_val *val) {
  rg_value *value = NULL;
  int index = self->input_count++;
  check_ok(rg_node_set_input_count(self->node, self->input_count));
  if (val) check_ok(rg_graph_add_value(self->model->graph, NULL, &value));
  if (val) check_ok(rg_node_set_input(self->node, index, value));
  if (val) self->inputs[index] = *val;
}

static inline void op_case_absent(op_case *self) { op_case_add(self, NULL); }

static inline void op_case_tensor(op_case *self, rango_type type, int rank, const int64_t *dims,
                                  const double *numbers) {
  rg_val val = {.kind = RG_KIND_TENSOR};
  rg_shape shape = {.rank = rank};
  for (int i = 0; i < rank; i++) shape.dims[i] = dims[i];
  check_ok(rg_tensor_init(&val.tensor, type, &shape));
  int64_t count = rango_tensor_count(&val.tensor);
  for (int64_t i = 0; i < count && numbers; i++) rg_tensor_set_double(&val.tensor, i, numbers[i]);
  op_case_add(self, &val);
}

/* A vector of int64, exactly. */
static inline void op_case_ints(op_case *self, int count, const int64_t *numbers) {
  op_case_tensor(self, RANGO_INT64, 1, &(int64_t){count}, NULL);
  memcpy(self->inputs[self->input_count - 1].tensor.data, numbers, (size_t)count * sizeof *numbers);
}
#define INTS(...)                                                                                                      \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

static inline void op_case_strings(op_case *self, int rank, const int64_t *dims, const char *const *texts) {
  rg_val val = {.kind = RG_KIND_TENSOR};
  rg_shape shape = {.rank = rank};
  rg_string strings[16];
  int64_t count = 1;
  for (int i = 0; i < rank; i++) count *= shape.dims[i] = dims[i];
  for (int64_t i = 0; i < count; i++) strings[i] = (rg_string){texts[i], strlen(texts[i])};
  check_ok(rg_tensor_init_strings(&val.tensor, &shape, strings));
  op_case_add(self, &val);
}

static inline rango_status op_case_run(op_case *self, bool scalar, rg_val *outputs) {
  const rg_val *inputs[CASE_MAX];
  for (int i = 0; i < self->input_count; i++) inputs[i] = self->node->inputs[i] ? &self->inputs[i] : NULL;
  rango_status status = rg_ops_resolve(self->model, true);
  return status == RANGO_OK ? rg_op_evaluate(self->node, scalar, inputs, outputs) : status;
}

static inline void op_case_end(op_case *self) {
  for (int i = 0; i < CASE_MAX; i++) rg_val_clear(&self->inputs[i]);
  rango_model_free(self->model);
}

/* Output 0 of both builds: type, shape and numbers, exactly (NaN equals NaN). */
static inline void op_case_gives(op_case *self, rango_type type, int rank, const int64_t *dims, const double *numbers) {
  for (int scalar = 0; scalar < 2; scalar++) {
    rg_val outputs[CASE_MAX] = {0};
    check_ok(op_case_run(self, scalar, outputs));
    const rango_tensor *y = &outputs[0].tensor;
    assert_int_equal(outputs[0].kind, RG_KIND_TENSOR);
    assert_int_equal(y->type, type);
    assert_int_equal(y->shape.rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(y->shape.dims[i], dims[i]);
    int64_t count = rango_tensor_count(y);
    for (int64_t i = 0; i < count; i++) {
      double got = rg_tensor_get_double(y, i);
      if (got != numbers[i] && (got == got || numbers[i] == numbers[i]))
        fail_msg("%s, element %d: %.17g, expected %.17g", self->node->op, (int)i, got, numbers[i]);
    }
    for (int i = 0; i < CASE_MAX; i++) rg_val_clear(&outputs[i]);
  }
}

static inline void op_case_gives_strings(op_case *self, int count, const char *const *texts) {
  for (int scalar = 0; scalar < 2; scalar++) {
    rg_val outputs[CASE_MAX] = {0};
    check_ok(op_case_run(self, scalar, outputs));
    const rango_tensor *y = &outputs[0].tensor;
    assert_int_equal(y->type, RANGO_STRING);
    assert_int_equal(rango_tensor_count(y), count);
    for (int i = 0; i < count; i++) assert_string_equal(((const char *const *)y->data)[i], texts[i]);
    rg_val_clear(&outputs[0]);
  }
}

/* Both builds fail with a message about `text`. */
static inline void op_case_fails(op_case *self, const char *text) {
  for (int scalar = 0; scalar < 2; scalar++) {
    rg_val outputs[CASE_MAX] = {0};
    rango_status status = op_case_run(self, scalar, outputs);
    if (status == RANGO_OK) fail_msg("%s succeeded, expected an error about \"%s\"", self->node->op, text);
    if (!strstr(rango_error_message(), text)) fail_msg("\"%s\" says nothing about \"%s\"", rango_error_message(), text);
    for (int i = 0; i < CASE_MAX; i++) rg_val_clear(&outputs[i]);
  }
}

#endif
