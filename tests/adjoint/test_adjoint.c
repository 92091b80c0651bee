/* The adjoint model itself: its inputs and outputs, what it leaves out, what it refuses. */
#include <unistd.h>

#include "adjoint/gradient.h"
#include "support/memory.h"

/* x [batch, 4] → Gemm → h → Relu → r → Gemm → y [batch, 3]; a second branch from x that y doesn't depend on. */
typedef struct two_layers {
  rango_model *model;
  rg_value *x, *w1, *h, *r, *w2, *y, *aside;
} two_layers;

static void open_two_layers(two_layers *t) {
  t->model = model_new();
  rg_graph *graph = t->model->graph;
  t->x = model_input(graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 4));
  t->w1 = model_weights(graph, "w1", 1, 2, DIMS(4, 5));
  t->w2 = model_weights(graph, "w2", 1, 2, DIMS(5, 3));
  t->h = model_node(graph, "Gemm", t->x, t->w1, NULL, NULL);
  t->r = model_node(graph, "Relu", t->h, NULL, NULL, NULL);
  t->y = model_node(graph, "Gemm", t->r, t->w2, NULL, NULL);
  t->aside = model_node(graph, "Sigmoid", t->x, NULL, NULL, NULL);
  check_ok(rg_graph_add_output(graph, t->y));
  check_ok(rg_graph_add_output(graph, t->aside));
  check_ok(rg_ops_resolve(t->model, true));
}

static rg_value *value_of(const rango_model *model, int id) {
  for (size_t i = 0; i < model->graph->values.count; i++)
    if (model->graph->values.items[i]->id == id) return model->graph->values.items[i];
  return NULL;
}

static const rango_tensor *matrix(int64_t rows, int64_t cols, uint64_t seed, rango_tensor **out) {
  return *out = tensor_random(RANGO_FLOAT32, 2, DIMS(rows, cols), seed);
}

static double at(const rango_tensor *tensor, int64_t row, int64_t col) {
  return rg_tensor_get_double(tensor, row * tensor->shape.dims[1] + col);
}

/* Inputs: x, the seed, w2 and then w1, as they are asked for. Outputs: kept ones, then gradients. */
static void test_order(void **state) {
  two_layers t;
  rango_model *adjoint;
  rango_value_info info;
  open_two_layers(&t);
  const int outputs[] = {t.y->id}, kept[] = {t.r->id, t.x->id}, wanted[] = {t.w2->id, t.aside->id, t.w1->id, t.y->id};
  check_ok(rg_adjoint_create(t.model, outputs, 1, kept, 2, wanted, 4, &adjoint));
  assert_int_equal(rango_model_input_count(adjoint), 4);
  const char *names[] = {t.x->name, NULL, t.w2->name, t.w1->name};
  const int64_t rows[] = {-1, -1, 5, 4}, columns[] = {4, 3, 3, 5};
  for (size_t i = 0; i < 4; i++) {
    check_ok(rango_model_input(adjoint, i, &info));
    if (names[i]) assert_string_equal(info.name, names[i]);
    assert_int_equal(info.rank, 2);
    assert_int_equal(info.dims[0], rows[i]);
    assert_int_equal(info.dims[1], columns[i]);
  }
  check_ok(rango_model_input(adjoint, 1, &info));
  assert_string_equal(info.symbols[0], "s1"); /* the seed's batch is the model's */
  assert_int_equal(rango_model_output_count(adjoint), 6);
  assert_string_equal(value_of(adjoint, t.r->id)->name, t.r->name);

  rango_tensor *x, *seed, *w1, *w2, *results[6] = {0};
  const rango_tensor *inputs[] = {matrix(2, 4, 1, &x), matrix(2, 3, 2, &seed), matrix(5, 3, 3, &w2),
                                  matrix(4, 5, 4, &w1)};
  rango_session *session = net_session(adjoint, RANGO_DEVICE_CPU);
  check_ok(rango_session_run(session, inputs, 4, results, 6));
  /* r = max(0, x w1), with the weights that were fed; dw2 = r^T seed; nothing aside; dy = seed */
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 5; j++) {
      double r = 0;
      for (int k = 0; k < 4; k++) r += at(x, i, k) * at(w1, k, j);
      assert_true(fabs(at(results[0], i, j) - fmax(r, 0)) < 1e-5);
    }
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 3; j++) {
      double sum = 0;
      for (int k = 0; k < 2; k++) sum += at(results[0], k, i) * at(seed, k, j);
      assert_true(fabs(at(results[2], i, j) - sum) < 1e-5);
    }
  assert_true(tensor_distance(results[1], x) == 0);
  assert_true(rg_shape_equal(&results[3]->shape, &x->shape));
  for (int i = 0; i < 8; i++) assert_true(rg_tensor_get_double(results[3], i) == 0);
  assert_true(tensor_distance(results[5], seed) == 0);
  rango_session_free(session);
  for (int i = 0; i < 6; i++) rango_tensor_free(results[i]);
  for (int i = 0; i < 4; i++) rango_tensor_free((rango_tensor *)inputs[i]);
  rango_model_free(adjoint);
  rango_model_free(t.model);
}

/* The gradient of h needs the second layer's product backwards and the first one's forward, nothing else. */
static void test_only_what_is_needed(void **state) {
  two_layers t;
  rango_model *adjoint;
  open_two_layers(&t);
  check_ok(rg_adjoint_create(t.model, (int[]){t.y->id}, 1, NULL, 0, (int[]){t.h->id}, 1, &adjoint));
  assert_int_equal(model_count(adjoint, "Gemm"), 2);
  assert_int_equal(model_count(adjoint, "Sigmoid"), 0);
  rango_model_free(adjoint);
  check_ok(rg_adjoint_create(t.model, (int[]){t.y->id}, 1, NULL, 0, (int[]){t.r->id}, 1, &adjoint));
  assert_int_equal(model_count(adjoint, "Gemm"), 1);
  assert_int_equal(model_count(adjoint, "Relu"), 0);
  rango_model_free(adjoint);
  rango_model_free(t.model);
}

/* One value wanted twice, and one of two outputs' seeds twice as well: sums of both. */
static void test_repeated(void **state) {
  two_layers t;
  rango_model *adjoint;
  open_two_layers(&t);
  check_ok(rg_adjoint_create(t.model, (int[]){t.r->id, t.r->id}, 2, (int[]){t.r->id, t.r->id}, 2,
                             (int[]){t.r->id, t.r->id}, 2, &adjoint));
  rango_tensor *x, *a, *b, *results[4] = {0};
  const rango_tensor *inputs[] = {matrix(2, 4, 1, &x), matrix(2, 5, 2, &a), matrix(2, 5, 3, &b)};
  rango_session *session = net_session(adjoint, RANGO_DEVICE_CPU);
  check_ok(rango_session_run(session, inputs, 3, results, 4));
  assert_true(tensor_distance(results[0], results[1]) == 0);
  assert_true(tensor_distance(results[2], results[3]) == 0);
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 5; j++) assert_true(fabs(at(results[2], i, j) - at(a, i, j) - at(b, i, j)) < 1e-6);
  rango_session_free(session);
  for (int i = 0; i < 4; i++) rango_tensor_free(results[i]);
  for (int i = 0; i < 3; i++) rango_tensor_free((rango_tensor *)inputs[i]);
  rango_model_free(adjoint);
  rango_model_free(t.model);
}

/* x → ReduceProd → Relu: refused by name, but only where a gradient would have to go through it. */
static void test_missing(void **state) {
  rango_model *model = model_new(), *adjoint = NULL;
  rg_graph *graph = model->graph;
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 4));
  rg_value *axes = model_ints(graph, 1, DIMS(1)), *product = model_node(graph, "ReduceProd", x, axes, NULL, NULL);
  rg_value *y = model_node(graph, "Relu", product, NULL, NULL, NULL);
  check_ok(rg_graph_add_output(graph, y));
  check_ok(rg_ops_resolve(model, true));
  assert_ptr_equal(rg_adjoint_missing(model, &y->id, 1, &x->id, 1), product->producer);
  assert_null(rg_adjoint_missing(model, &y->id, 1, &product->id, 1));
  check_fails(rg_adjoint_create(model, &y->id, 1, NULL, 0, &x->id, 1, &adjoint), RANGO_ERROR_UNSUPPORTED, "ReduceProd");
  assert_null(adjoint);
  check_fails(rg_adjoint_create(model, &y->id, 1, NULL, 0, (int[]){1000}, 1, &adjoint), RANGO_ERROR_ARGUMENT, "1000");
  check_fails(rg_adjoint_create(model, &y->id, 1, NULL, 0, &axes->id, 1, &adjoint), RANGO_ERROR_ARGUMENT,
              "floating-point");
  rango_model_free(model);
}

/* A value that is read inside of a branch alone: the If is what has no adjoint. */
static void test_missing_body(void **state) {
  rango_model *model = model_new();
  rg_graph *graph = model->graph, *body;
  rg_value *choice = model_input(graph, "choice", RANGO_BOOL, 0, NULL);
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 4));
  rg_value *h = model_node(graph, "Relu", x, NULL, NULL, NULL);
  rg_value *y = model_node(graph, "If", choice, NULL, NULL, NULL);
  for (int i = 0; i < 2; i++) {
    check_ok(rg_graph_create(model, y->producer, &body));
    check_ok(rg_node_set_graph(y->producer, i ? "else_branch" : "then_branch", body));
    check_ok(rg_graph_add_output(body, model_node(body, "Exp", h, NULL, NULL, NULL)));
  }
  check_ok(rg_graph_add_output(graph, y));
  check_ok(rg_ops_resolve(model, true));
  assert_ptr_equal(rg_adjoint_missing(model, &y->id, 1, &x->id, 1), y->producer);
  rango_model_free(model);
}

/* Recurrent layers of kinds that have none: named, whatever else they have. */
static void test_missing_recurrent(void **state) {
  for (int kind = 0; kind < 4; kind++) {
    rango_model *model = model_new(), *adjoint;
    rg_graph *graph = model->graph;
    rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 3, DIMS(5, -1, 4)), *y;
    rg_value *w = model_weights(graph, "w", 0.3, 3, DIMS(1, 12, 4)),
             *r = model_weights(graph, "r", 0.3, 3, DIMS(1, 12, 3));
    rg_attr *attribute;
    rg_node *node;
    check_ok(rg_graph_add_node(graph, NULL, "LSTM", "", MODEL_OPSET, 8, 1, &node));
    rg_value *inputs[8] = {x, w, r, [7] = kind == 0 ? model_weights(graph, "p", 0.3, 2, DIMS(1, 9)) : NULL};
    for (int i = 0; i < 8; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
    check_ok(rg_graph_add_value(graph, "y", &y));
    rg_node_set_output(node, 0, y);
    if (kind == 1) check_ok(rg_node_set_float(node, "clip", 3));
    if (kind == 2) check_ok(rg_node_set_int(node, "input_forget", 1));
    if (kind == 3) {
      static const rg_string names[] = {{"Sigmoid", 7}, {"Elu", 3}, {"Tanh", 4}};
      check_ok(rg_node_add_attr(node, "activations", &attribute));
      *attribute = (rg_attr){.name = attribute->name, .kind = RG_ATTR_STRINGS, .count = 3, .strings = names};
    }
    check_ok(rg_graph_add_output(graph, y));
    check_ok(rg_ops_resolve(model, true));
    assert_ptr_equal(rg_adjoint_missing(model, &y->id, 1, &x->id, 1), node);
    check_fails(rg_adjoint_create(model, &y->id, 1, NULL, 0, &x->id, 1, &adjoint), RANGO_ERROR_UNSUPPORTED, "LSTM");
    rango_model_free(model);
  }
}

/* Through rounding and integers nothing comes back. */
static void test_flat(void **state) {
  rango_model *model = model_new(), *adjoint;
  rg_graph *graph = model->graph;
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 4));
  rg_value *whole = model_node(graph, "Cast", x, NULL, NULL, NULL), *back;
  check_ok(rg_node_set_int(whole->producer, "to", RANGO_INT32));
  back = model_node(graph, "Cast", whole, NULL, NULL, NULL);
  check_ok(rg_node_set_int(back->producer, "to", RANGO_FLOAT32));
  rg_value *y = model_node(graph, "Add", back, model_node(graph, "Floor", x, NULL, NULL, NULL), NULL, NULL);
  check_ok(rg_graph_add_output(graph, y));
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_adjoint_create(model, &y->id, 1, NULL, 0, &x->id, 1, &adjoint));
  rango_tensor *data, *seed;
  const rango_tensor *inputs[] = {matrix(2, 4, 1, &data), matrix(2, 4, 2, &seed)};
  rango_tensor *gradient = model_run(adjoint, RANGO_DEVICE_CPU, inputs, 2);
  assert_true(rg_shape_equal(&gradient->shape, &data->shape));
  for (int i = 0; i < 8; i++) assert_true(rg_tensor_get_double(gradient, i) == 0);
  rango_tensor_free(gradient);
  rango_tensor_free(data);
  rango_tensor_free(seed);
  rango_model_free(adjoint);
  rango_model_free(model);
}

/* All elements equal: the first of every window gets all of its gradient, tiling or overlapping. */
static void test_ties(void **state) {
  static const struct {
    int64_t stride;
    double expected[16];
  } cases[] = {{2, {1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0}},
               {1, {1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0}}};
  for (size_t c = 0; c < 2; c++) {
    rango_model *model = model_new(), *adjoint;
    rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 4, DIMS(-1, 1, 4, 4));
    rg_value *y = model_node(model->graph, "MaxPool", x, NULL, NULL, NULL);
    check_ok(rg_node_set_ints(y->producer, "kernel_shape", DIMS(2, 2), 2));
    check_ok(rg_node_set_ints(y->producer, "strides", (int64_t[]){cases[c].stride, cases[c].stride}, 2));
    check_ok(rg_graph_add_output(model->graph, y));
    check_ok(rg_ops_resolve(model, true));
    check_ok(rg_adjoint_create(model, &y->id, 1, NULL, 0, &x->id, 1, &adjoint));
    rango_tensor *data, *seed;
    const int64_t size = cases[c].stride == 2 ? 2 : 3;
    check_ok(rango_tensor_create(RANGO_FLOAT32, 4, DIMS(1, 1, 4, 4), &data));
    check_ok(rango_tensor_create(RANGO_FLOAT32, 4, (int64_t[]){1, 1, size, size}, &seed));
    for (int i = 0; i < 16; i++) rg_tensor_set_double(data, i, -2);
    for (int i = 0; i < size * size; i++) rg_tensor_set_double(seed, i, i + 1);
    rango_tensor *gradient = model_run(adjoint, RANGO_DEVICE_CPU, (const rango_tensor *const[]){data, seed}, 2);
    for (int i = 0; i < 16; i++) assert_true(rg_tensor_get_double(gradient, i) == cases[c].expected[i]);
    rango_tensor_free(gradient);
    rango_tensor_free(data);
    rango_tensor_free(seed);
    rango_model_free(adjoint);
    rango_model_free(model);
  }
}

/* What is written is standard ONNX: it can be saved, loaded and run to the same numbers. */
static void test_saved(void **state) {
  two_layers t;
  rango_model *adjoint, *loaded;
  char path[] = "/tmp/rango-adjoint-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  open_two_layers(&t);
  check_ok(rg_adjoint_create(t.model, &t.y->id, 1, NULL, 0, &t.x->id, 1, &adjoint));
  check_ok(rango_model_save(adjoint, path));
  check_ok(rango_model_load(path, NULL, &loaded));
  rango_tensor *x, *seed;
  const rango_tensor *inputs[] = {matrix(3, 4, 1, &x), matrix(3, 3, 2, &seed)};
  rango_tensor *a = model_run(adjoint, RANGO_DEVICE_CPU, inputs, 2),
               *b = model_run(loaded, RANGO_DEVICE_CPU, inputs, 2);
  assert_true(tensor_distance(a, b) == 0);
  remove(path);
  rango_tensor_free(a);
  rango_tensor_free(b);
  rango_tensor_free(x);
  rango_tensor_free(seed);
  rango_model_free(loaded);
  rango_model_free(adjoint);
  rango_model_free(t.model);
}

/* y = x (1 + erf(x / sqrt 2)) / 2, spelled out: its parts are computed again from x, not kept. */
static void test_parts_are_not_kept(void **state) {
  rango_model *model = model_new(), *adjoint;
  rg_graph *graph = model->graph;
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 2, DIMS(-1, 4));
  rg_value *parts[4];
  parts[0] = model_node(graph, "Div", x, model_scalar(graph, sqrt(2)), NULL, NULL);
  parts[1] = model_node(graph, "Erf", parts[0], NULL, NULL, NULL);
  parts[2] = model_node(graph, "Add", parts[1], model_scalar(graph, 1), NULL, NULL);
  parts[3] = model_node(graph, "Mul", parts[2], model_scalar(graph, 0.5), NULL, NULL);
  rg_value *y = model_node(graph, "Mul", x, parts[3], NULL, NULL);
  check_ok(rg_graph_add_output(graph, y));
  check_ok(rg_ops_resolve(model, true));
  check_ok(rg_adjoint_create(model, &y->id, 1, &y->id, 1, &x->id, 1, &adjoint));
  for (int i = 0; i < 4; i++) assert_int_equal(value_of(adjoint, parts[i]->id)->uses.count, 1);
  assert_int_equal(model_count(adjoint, "Erf"), 2);
  rango_model_free(adjoint);
  rango_model_free(model);
}

/* A network with most that rules do beside formulas: parts of gradients, indices, shapes, nodes put in place of others.
 */
typedef struct mixed {
  rango_model *model;
  int y, wanted[3];
} mixed;

static void open_mixed(mixed *m) {
  m->model = model_new();
  rg_graph *graph = m->model->graph;
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 4, DIMS(-1, 2, -2, 8)), *parts[2];
  rg_value *kernel = model_weights(graph, "kernel", 1, 4, DIMS(3, 2, 3, 3));
  rg_value *conv = model_node(graph, "Conv", x, kernel, NULL, NULL);
  check_ok(rg_node_set_ints(conv->producer, "strides", DIMS(2, 2), 2));
  rg_value *pool = model_node(graph, "MaxPool", conv, NULL, NULL, NULL);
  check_ok(rg_node_set_ints(pool->producer, "kernel_shape", DIMS(2, 2), 2));
  rg_value *scale = model_weights(graph, "scale", 1, 1, DIMS(2));
  rg_value *norm = model_node(graph, "LayerNormalization", pool, scale, NULL, NULL);
  for (int i = 0; i < 2; i++)
    parts[i] = model_node(graph, "Slice", norm, model_ints(graph, 1, DIMS(i)), model_ints(graph, 1, DIMS(i + 1)),
                          model_ints(graph, 1, DIMS(1)));
  rg_value *y = model_node(graph, "Mul", parts[0], parts[1], NULL, NULL);
  check_ok(rg_graph_add_output(graph, y));
  check_ok(rg_ops_resolve(m->model, true));
  m->y = y->id;
  m->wanted[0] = x->id;
  m->wanted[1] = kernel->id;
  m->wanted[2] = scale->id;
}

static rango_status create(void *argument) {
  const mixed *m = argument;
  rango_model *adjoint;
  rango_status status = rg_adjoint_create(m->model, &m->y, 1, &m->y, 1, m->wanted, 3, &adjoint);
  rango_model_free(adjoint);
  return status;
}

static void test_memory(void **state) {
  mixed m;
  open_mixed(&m);
  assert_int_equal(create(&m), RANGO_OK);
  assert_true(fail_every_allocation(create, &m, 10000) > 10);
  rango_model_free(m.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),        cmocka_unit_test(test_only_what_is_needed),
      cmocka_unit_test(test_repeated),     cmocka_unit_test(test_missing),
      cmocka_unit_test(test_missing_body), cmocka_unit_test(test_missing_recurrent),
      cmocka_unit_test(test_flat),         cmocka_unit_test(test_ties),
      cmocka_unit_test(test_saved),        cmocka_unit_test(test_parts_are_not_kept),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
