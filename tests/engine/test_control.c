/* What isn't known before running: control flow, sizes that depend on data, values that decide on shapes. */
#include "engine/networks.h"
#include "support/memory.h"

static rango_session *open_session(const rango_model *model, int device, int max_plans) {
  rango_session_options options = {
      .struct_size = sizeof options, .device = (rango_device)device, .threads = 1, .max_plans = max_plans};
  rango_session *session;
  check_ok(rango_session_create(model, &options, &session));
  return session;
}

static rango_tensor *scalar(rango_type type, double value) {
  rango_tensor *tensor;
  check_ok(rango_tensor_create(type, 0, NULL, &tensor));
  rg_tensor_set_double(tensor, 0, value);
  return tensor;
}

/* A node of `outputs` new values. */
static rg_node *node_of(rg_graph *g, const char *op, rg_value *const *inputs, int count, int outputs) {
  rg_node *node;
  rg_value *value;
  check_ok(rg_graph_add_node(g, NULL, op, "", MODEL_OPSET, count, outputs, &node));
  for (int i = 0; i < count; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
  for (int i = 0; i < outputs; i++) {
    check_ok(rg_graph_add_value(g, NULL, &value));
    rg_node_set_output(node, i, value);
  }
  return node;
}

/* ---- If ---- */

/* y = condition ? relu(h W) : h * 2, z = y + h, with h = -x made outside: both branches capture it. */
static rango_model *network_if(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 6));
  rg_value *condition = model_input(g, "condition", RANGO_BOOL, 0, NULL);
  rg_value *h = op1(g, "Neg", x), *w = model_weights(g, "w", 0.3, 2, DIMS(6, 6));
  rg_node *branch = node_of(g, "If", &condition, 1, 1);
  rg_graph *then_body = body_of(branch, "then_branch"), *else_body = body_of(branch, "else_branch");
  check_ok(rg_graph_add_output(then_body, op1(then_body, "Relu", op2(then_body, "MatMul", h, w))));
  check_ok(rg_graph_add_output(else_body, op2(else_body, "Mul", h, model_scalar(else_body, 2))));
  check_ok(rg_graph_add_output(g, op2(g, "Add", branch->outputs[0], h)));
  return model;
}

static void check_if(const rango_model *model, int device, int64_t batch, bool condition, rango_session *session) {
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 2, DIMS(batch, 6), 4), *c = scalar(RANGO_BOOL, condition), *out = NULL;
  check_ok(rango_session_run(session, (const rango_tensor *[]){x, c}, 2, &out, 1));
  const float *in = rango_tensor_data(x), *y = rango_tensor_data(out);
  const float *w = rg_graph_find_value(model->graph, "w")->constant->data;
  for (int64_t i = 0; i < batch; i++)
    for (int j = 0; j < 6; j++) {
      double sum = 0;
      for (int k = 0; k < 6; k++) sum += -in[i * 6 + k] * (double)w[k * 6 + j];
      double h = -in[i * 6 + j], expected = (condition ? fmax(sum, 0) : 2 * h) + h;
      assert_true(fabs(y[i * 6 + j] - expected) < 1e-5);
    }
  rango_tensor_free(x);
  rango_tensor_free(c);
  rango_tensor_free(out);
}

static void test_if(void **state) {
  rango_model *model = network_if();
  for (int device = 0; device < 2; device++) {
    rango_session *session = open_session(model, device, 0);
    for (int round = 0; round < 6; round++) check_if(model, device, 1 + round % 3, round & 1, session);
    rango_session_free(session);
  }
  rango_model_free(model);
}

/* ---- Loop ---- */

/* s_i = s_(i-1) * x + i for `trips` rounds, and all s_i stacked; x is captured. */
static rango_model *network_loop(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *trips = model_input(g, "trips", RANGO_INT64, 0, NULL);
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 1, DIMS(-1));
  rg_value *start = op2(g, "Mul", x, model_scalar(g, 0)), *inputs[] = {trips, NULL, start};
  rg_node *loop = node_of(g, "Loop", inputs, 3, 2);
  rg_graph *body = body_of(loop, "body");
  rg_value *number = model_input(body, "number", RANGO_INT64, 0, NULL);
  rg_value *going = model_input(body, "going", RANGO_BOOL, 0, NULL);
  rg_value *sum = model_input(body, "sum", RANGO_FLOAT32, 1, DIMS(-1));
  rg_value *as_float = op1(body, "Cast", number);
  check_ok(rg_node_set_int(as_float->producer, "to", RANGO_FLOAT32));
  rg_value *next = op2(body, "Add", op2(body, "Mul", sum, x), as_float);
  check_ok(rg_graph_add_output(body, op1(body, "Identity", going)));
  check_ok(rg_graph_add_output(body, next));
  check_ok(rg_graph_add_output(body, op1(body, "Identity", next)));
  for (int i = 0; i < 2; i++) check_ok(rg_graph_add_output(g, loop->outputs[i]));
  return model;
}

static void check_loop(rango_session *session, int64_t trips, int64_t size) {
  rango_tensor *n = scalar(RANGO_INT64, (double)trips), *x = tensor_random(RANGO_FLOAT32, 1, &size, 4), *out[2] = {0};
  check_ok(rango_session_run(session, (const rango_tensor *[]){n, x}, 2, out, 2));
  assert_int_equal(rango_tensor_dims(out[1])[0], trips);
  assert_int_equal(rango_tensor_dims(out[1])[1], size);
  for (int64_t j = 0; j < size; j++) {
    double sum = 0, factor = ((const float *)rango_tensor_data(x))[j];
    for (int64_t i = 0; i < trips; i++) {
      sum = sum * factor + (double)i;
      double stacked = ((const float *)rango_tensor_data(out[1]))[i * size + j];
      assert_true(fabs(stacked - sum) <= 1e-4 * fmax(1, fabs(sum)));
    }
    assert_true(fabs(((const float *)rango_tensor_data(out[0]))[j] - sum) <= 1e-4 * fmax(1, fabs(sum)));
  }
  rango_tensor *all[] = {n, x, out[0], out[1]};
  for (int i = 0; i < 4; i++) rango_tensor_free(all[i]);
}

static void test_loop(void **state) {
  rango_model *model = network_loop();
  for (int device = 0; device < 2; device++) {
    rango_session *session = open_session(model, device, 2);
    for (int64_t round = 0; round < 8; round++) check_loop(session, 1 + round % 5, 1 + round % 4);
    rango_session_free(session);
  }
  rango_model_free(model);
}

/* ---- data decides on sizes ---- */

/* The numbers of x that are not zero, twice: NonZero → Gather → Mul → Reshape. */
static rango_model *network_nonzero(void) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 1, DIMS(-1));
  rg_value *where = op2(g, "Reshape", op1(g, "NonZero", x), model_ints(g, 1, DIMS(-1)));
  rg_value *picked = op2(g, "Mul", op2(g, "Gather", x, where), model_scalar(g, 2));
  rg_value *column = op2(g, "Reshape", picked, model_ints(g, 2, DIMS(-1, 1)));
  rg_value *product = op2(g, "MatMul", column, model_weights(g, "w", 1, 2, DIMS(1, 3)));
  check_ok(rg_graph_add_output(g, op1(g, "Neg", product)));
  check_ok(rg_graph_add_output(g, picked));
  return model;
}

static void check_nonzero(rango_session *session, const float *w, int64_t size, int64_t keep, bool give) {
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 1, &size, 4), *out[2] = {0};
  float *in = rango_tensor_data_mut(x);
  int64_t kept = 0;
  for (int64_t i = 0; i < size; i++) in[i] = i % keep == 0 ? in[i] + 10 : 0;
  for (int64_t i = 0; i < size; i++) kept += in[i] != 0;
  if (give) check_ok(rango_tensor_create(RANGO_FLOAT32, 2, DIMS(kept, 3), &out[0]));
  check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2));
  assert_int_equal(rango_tensor_dims(out[0])[0], kept);
  assert_int_equal(rango_tensor_dims(out[1])[0], kept);
  const float *product = rango_tensor_data(out[0]), *picked = rango_tensor_data(out[1]);
  for (int64_t i = 0, at = 0; i < size; i++) {
    if (in[i] == 0) continue;
    assert_true(picked[at] == 2 * in[i]);
    for (int j = 0; j < 3; j++) assert_true(fabsf(product[at * 3 + j] + 2 * in[i] * w[j]) < 1e-4f);
    at++;
  }
  rango_tensor *all[] = {x, out[0], out[1]};
  for (int i = 0; i < 3; i++) rango_tensor_free(all[i]);
}

static void test_sizes_from_data(void **state) {
  rango_model *model = network_nonzero();
  const float *w = rg_graph_find_value(model->graph, "w")->constant->data;
  for (int device = 0; device < 2; device++) {
    rango_session *session = open_session(model, device, 2);
    for (int64_t round = 0; round < 9; round++) check_nonzero(session, w, 3 + round % 4, 1 + round % 3, round % 2);
    rango_tensor *x = tensor_random(RANGO_FLOAT32, 1, DIMS(5), 4), *out[2] = {0};
    check_ok(rango_tensor_create(RANGO_FLOAT32, 2, DIMS(1, 3), &out[0]));
    check_fails(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2), RANGO_ERROR_ARGUMENT, "[1, 3]");
    assert_null(out[1]);
    rango_tensor_free(x);
    rango_tensor_free(out[0]);
    rango_session_free(session);
  }
  rango_model_free(model);
}

/* A size given as a value: a plan for each, until there are too many. */
static void test_sizes_from_values(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *count = model_input(g, "count", RANGO_INT64, 1, DIMS(1)),
           *x = model_input(g, "x", RANGO_FLOAT32, 1, DIMS(3));
  rg_value *shape = model_node(g, "Concat", count, model_ints(g, 1, DIMS(3)), NULL, NULL);
  check_ok(rg_node_set_int(shape->producer, "axis", 0));
  check_ok(rg_graph_add_output(g, op1(g, "Neg", op2(g, "Expand", x, shape))));
  for (int device = 0; device < 2; device++) {
    rango_session *session = open_session(model, device, 2);
    rango_tensor *numbers = tensor_random(RANGO_FLOAT32, 1, DIMS(3), 4);
    for (int64_t round = 0; round < 30; round++) {
      rango_tensor *n = tensor_random(RANGO_INT64, 1, DIMS(1), 1), *out = NULL;
      *(int64_t *)rango_tensor_data_mut(n) = 1 + round % 20;
      check_ok(rango_session_run(session, (const rango_tensor *[]){n, numbers}, 2, &out, 1));
      assert_int_equal(rango_tensor_dims(out)[0], 1 + round % 20);
      for (int64_t i = 0; i < rango_tensor_count(out); i++)
        assert_true(((const float *)rango_tensor_data(out))[i] == -((const float *)rango_tensor_data(numbers))[i % 3]);
      rango_tensor_free(n);
      rango_tensor_free(out);
    }
    rango_tensor_free(numbers);
    rango_session_free(session);
  }
  rango_model_free(model);
}

/* ---- half precision ---- */

static void test_float16(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT16, 1, DIMS(-1));
  check_ok(rg_graph_add_output(g, op2(g, "Add", op1(g, "Exp", x), x)));
  for (int device = 0; device < 2; device++) {
    rango_session *session = open_session(model, device, 2);
    rango_tensor *in, *out = NULL;
    check_ok(rango_tensor_create(RANGO_FLOAT16, 1, DIMS(9), &in));
    for (int i = 0; i < 9; i++) rg_tensor_set_double(in, i, i - 4);
    check_ok(rango_session_run(session, (const rango_tensor *[]){in}, 1, &out, 1));
    assert_int_equal(rango_tensor_type(out), RANGO_FLOAT16);
    for (int i = 0; i < 9; i++) {
      double e = rg_half_to_float(rg_float_to_half(expf((float)i - 4))),
             y = rg_half_to_float(rg_float_to_half((float)(e + i - 4)));
      assert_true(fabs(rg_tensor_get_double(out, i) - y) <= 1e-3 * fabs(y));
    }
    rango_tensor_free(in);
    rango_tensor_free(out);
    rango_session_free(session);
  }
  rango_model_free(model);
}

/* ---- memory runs out ---- */

static rango_status run_loop(void *argument) {
  rango_model *model;
  rango_session *session = NULL;
  rango_tensor *n = NULL, *x = NULL, *out[2] = {0};
  rango_status status = rg_model_copy(argument, &model);
  if (status != RANGO_OK) return status;
  status = rango_session_create(
      model, &(rango_session_options){.struct_size = sizeof(rango_session_options), .threads = 1}, &session);
  if (status == RANGO_OK) status = rango_tensor_create(RANGO_INT64, 0, NULL, &n);
  if (status == RANGO_OK) rg_tensor_set_double(n, 0, 3);
  if (status == RANGO_OK) status = rango_tensor_create(RANGO_FLOAT32, 1, DIMS(5), &x);
  if (status == RANGO_OK) status = rango_session_run(session, (const rango_tensor *[]){n, x}, 2, out, 2);
  rango_tensor *all[] = {n, x, out[0], out[1]};
  for (int i = 0; i < 4; i++) rango_tensor_free(all[i]);
  rango_session_free(session);
  rango_model_free(model);
  return status;
}

static rango_status run_nonzero(void *argument) {
  rango_model *model;
  rango_session *session = NULL;
  rango_tensor *x = NULL, *out[2] = {0};
  rango_status status = rg_model_copy(argument, &model);
  if (status != RANGO_OK) return status;
  status = rango_session_create(
      model, &(rango_session_options){.struct_size = sizeof(rango_session_options), .threads = 1}, &session);
  if (status == RANGO_OK) status = rango_tensor_create(RANGO_FLOAT32, 1, DIMS(5), &x);
  if (status == RANGO_OK) ((float *)rango_tensor_data_mut(x))[2] = 1;
  if (status == RANGO_OK) status = rango_session_run(session, (const rango_tensor *[]){x}, 1, out, 2);
  rango_tensor *all[] = {x, out[0], out[1]};
  for (int i = 0; i < 3; i++) rango_tensor_free(all[i]);
  rango_session_free(session);
  rango_model_free(model);
  return status;
}

static void test_out_of_memory(void **state) {
  rango_model *loop = network_loop(), *nonzero = network_nonzero();
  assert_true(fail_every_allocation(run_loop, loop, 20000) > 50);
  assert_true(fail_every_allocation(run_nonzero, nonzero, 20000) > 50);
  rango_model_free(loop);
  rango_model_free(nonzero);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_if),
                                     cmocka_unit_test(test_loop),
                                     cmocka_unit_test(test_sizes_from_data),
                                     cmocka_unit_test(test_sizes_from_values),
                                     cmocka_unit_test(test_float16),
                                     cmocka_unit_test(test_out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
