/* Gradients held against central differences in double precision: a case builds a small network of float64 values, its
 * adjoint model runs in double as well, and again in float32 on the fast device. */
#ifndef TESTS_ADJOINT_GRADIENT_H
#define TESTS_ADJOINT_GRADIENT_H

#include <math.h>
#include <stdlib.h>

#include "adjoint/adjoint.h"
#include "support/model.h"

#define NET_VARIABLES 12

/* What is known of the shapes beforehand. */
typedef enum net_shapes { NET_STATIC, NET_OPEN_BATCH, NET_OPEN } net_shapes;

/* What weights are: inputs; constants of the model, whose gradients are wanted; constants alone. */
typedef enum net_weights { NET_FED, NET_TRAINED, NET_FIXED } net_weights;

typedef struct net {
  rango_model *model;
  rg_graph *graph;
  rango_type type;
  net_shapes shapes;
  net_weights weights;
  rg_random random;
  rg_value *variables[NET_VARIABLES];
  rango_tensor *data[NET_VARIABLES];
  bool is_weight[NET_VARIABLES];
  int count;
  rg_value *outputs[4]; /* NULL ends them; the case's own fill it, otherwise what it returns */
} net;

typedef rg_value *(*net_case)(net *n);

/* Numbers that are the same in float32 and float64, uniform in [low, high), or normal where both are 0. */
static inline void fill(net *n, rango_tensor *tensor, double low, double high) {
  for (int64_t i = 0; i < rango_tensor_count(tensor); i++) {
    double number = low == high ? rg_random_normal(&n->random) : low + (high - low) * rg_random_uniform(&n->random);
    rg_tensor_set_double(tensor, i, (double)(float)number);
  }
}

static inline rg_value *variable(net *n, bool weight, double low, double high, int rank, const int64_t *dims) {
  int64_t declared[RANGO_MAX_RANK];
  rg_value *value;
  int index = n->count++;
  assert_true(index < NET_VARIABLES);
  for (int i = 0; i < rank; i++) {
    bool open = !weight && (n->shapes == NET_OPEN || (n->shapes == NET_OPEN_BATCH && i == 0));
    declared[i] = open && dims[i] > 1 ? -dims[i] : dims[i]; /* one symbol a size */
  }
  check_ok(rango_tensor_create(n->type, rank, dims, &n->data[index]));
  fill(n, n->data[index], low, high);
  if (weight && n->weights != NET_FED) {
    rango_tensor copy;
    check_ok(rg_tensor_copy(&copy, n->data[index]));
    check_ok(rg_graph_add_constant(n->graph, "weight", &copy, &value));
  } else {
    value = model_input(n->graph, weight ? "weight" : "data", n->type, rank, declared);
  }
  n->is_weight[index] = weight;
  return n->variables[index] = value;
}

#define RANKED(...) (int)(sizeof(DIMS(__VA_ARGS__)) / sizeof(int64_t)), DIMS(__VA_ARGS__)
/* Data: normal numbers, or uniform in a range. Weights: of a shape that is always known. */
#define X(n, ...)                  variable((n), false, 0, 0, RANKED(__VA_ARGS__))
#define RANGE(n, low, high, ...)   variable((n), false, (low), (high), RANKED(__VA_ARGS__))
#define W(n, ...)                  variable((n), true, 0, 0, RANKED(__VA_ARGS__))
#define W_RANGE(n, low, high, ...) variable((n), true, (low), (high), RANKED(__VA_ARGS__))
#define INTS(n, ...)               model_ints((n)->graph, RANKED(__VA_ARGS__))

static inline rg_value *op(net *n, const char *name, rg_value *a, rg_value *b, rg_value *c, rg_value *d) {
  return model_node(n->graph, name, a, b, c, d);
}
static inline rg_value *set_int(rg_value *value, const char *name, int64_t number) {
  check_ok(rg_node_set_int(value->producer, name, number));
  return value;
}
static inline rg_value *set_float(rg_value *value, const char *name, double number) {
  check_ok(rg_node_set_float(value->producer, name, (float)number));
  return value;
}
static inline rg_value *set_string(rg_value *value, const char *name, const char *text) {
  check_ok(rg_node_set_string(value->producer, name, text));
  return value;
}
static inline rg_value *set_list(rg_value *value, const char *name, int count, const int64_t *numbers) {
  check_ok(rg_node_set_ints(value->producer, name, numbers, (size_t)count));
  return value;
}
#define SET_INTS(value, name, ...) set_list((value), (name), RANKED(__VA_ARGS__))

/* A further output of the node that makes `value`. */
static inline rg_value *more(rg_value *value, int index) {
  rg_node *old = value->producer, *node;
  rg_value *out, *first = value;
  check_ok(rg_graph_add_node(old->graph, NULL, old->op, "", old->version, old->input_count, index + 1, &node));
  for (int i = 0; i < old->input_count; i++) check_ok(rg_node_set_input(node, i, old->inputs[i]));
  check_ok(rg_node_copy_attributes(node, old));
  rg_value *outputs[8] = {0};
  for (int i = 0; i < old->output_count; i++) outputs[i] = old->outputs[i];
  rg_node_remove(old);
  for (int i = 0; i < index; i++) rg_node_set_output(node, i, i == 0 ? first : outputs[i]);
  check_ok(rg_graph_add_value(node->graph, NULL, &out));
  rg_node_set_output(node, index, out);
  return out;
}

static inline void net_open(net *n, net_case build, rango_type type, net_shapes shapes, net_weights weights) {
  *n = (net){.type = type, .shapes = shapes, .weights = weights};
  rg_random_seed(&n->random, 11);
  n->model = model_new();
  n->graph = n->model->graph;
  rg_value *output = build(n);
  if (!n->outputs[0]) n->outputs[0] = output;
  for (int i = 0; i < 4 && n->outputs[i]; i++) check_ok(rg_graph_add_output(n->graph, n->outputs[i]));
  check_ok(rg_ops_resolve(n->model, true));
}

static inline void net_close(net *n) {
  for (int i = 0; i < n->count; i++) rango_tensor_free(n->data[i]);
  rango_model_free(n->model);
}

static inline int net_output_count(const net *n) { return (int)n->graph->outputs.count; }

static inline rango_session *net_session(const rango_model *model, rango_device device) {
  rango_session_options options = {.struct_size = sizeof options, .device = device, .threads = 2};
  rango_session *session;
  check_ok(rango_session_create(model, &options, &session));
  return session;
}

/* Seeds of the outputs' shapes, the same numbers for the same shapes whatever the type. */
static inline void make_seeds(net *n, rango_tensor *const *outputs, rango_tensor **seeds) {
  rg_random_seed(&n->random, 5);
  for (int i = 0; i < net_output_count(n); i++) {
    check_ok(rango_tensor_create(n->type, outputs[i]->shape.rank, outputs[i]->shape.dims, &seeds[i]));
    fill(n, seeds[i], 0, 0);
  }
}

static inline double inner_product(const rango_tensor *a, const rango_tensor *b) {
  double sum = 0;
  assert_true(rg_shape_equal(&a->shape, &b->shape));
  for (int64_t i = 0; i < rango_tensor_count(a); i++) sum += rg_tensor_get_double(a, i) * rg_tensor_get_double(b, i);
  return sum;
}

/* Runs the model on what its variables hold; outputs are the caller's. */
static inline void net_run(const net *n, rango_session *session, rango_tensor **outputs) {
  const rango_tensor *inputs[NET_VARIABLES];
  size_t count = 0;
  for (int i = 0; i < n->count; i++)
    if (!n->is_weight[i] || n->weights == NET_FED) inputs[count++] = n->data[i];
  check_ok(rango_session_run(session, inputs, count, outputs, (size_t)net_output_count(n)));
}

/* The adjoint model's gradients of all variables (but fixed weights); false where a node has no adjoint for these
 * shapes. */
static inline bool net_gradients(net *n, rango_device device, rango_tensor **gradients) {
  int outputs[4], wanted[NET_VARIABLES];
  const rango_tensor *inputs[2 * NET_VARIABLES];
  rango_tensor *forward[4] = {0}, *seeds[4] = {0};
  rango_tensor *results[NET_VARIABLES] = {0};
  rango_model *adjoint;
  size_t count = 0, wants = 0;
  for (int i = 0; i < net_output_count(n); i++) outputs[i] = n->outputs[i]->id;
  for (int i = 0; i < n->count; i++)
    if (!n->is_weight[i] || n->weights != NET_FIXED) wanted[wants++] = n->variables[i]->id;
  if (rg_adjoint_missing(n->model, outputs, (size_t)net_output_count(n), wanted, wants)) return false;
  check_ok(rg_adjoint_create(n->model, outputs, (size_t)net_output_count(n), NULL, 0, wanted, wants, &adjoint));
  rango_session *session = net_session(n->model, device);
  net_run(n, session, forward);
  rango_session_free(session);
  make_seeds(n, forward, seeds);
  for (int i = 0; i < n->count; i++)
    if (!n->is_weight[i] || n->weights == NET_FED) inputs[count++] = n->data[i];
  for (int i = 0; i < net_output_count(n); i++) inputs[count++] = seeds[i];
  for (int i = 0; i < n->count; i++)
    if (n->is_weight[i] && n->weights == NET_TRAINED) inputs[count++] = n->data[i];
  session = net_session(adjoint, device);
  check_ok(rango_session_run(session, inputs, count, results, wants));
  rango_session_free(session);
  rango_model_free(adjoint);
  for (int i = n->count - 1; i >= 0; i--)
    gradients[i] = n->is_weight[i] && n->weights == NET_FIXED ? NULL : results[--wants];
  for (int i = 0; i < net_output_count(n); i++) {
    assert_true(i < 4);
    rango_tensor_free(forward[i]);
    rango_tensor_free(seeds[i]);
  }
  return true;
}

/* s = sum of <seed, output> with variable `which` moved by `step` along `direction`. */
static inline double net_sum(net *n, rango_session *session, int which, const rango_tensor *direction, double step) {
  rango_tensor *outputs[4] = {0}, *seeds[4] = {0}, *still = n->data[which];
  double sum = 0;
  check_ok(rango_tensor_create(n->type, still->shape.rank, still->shape.dims, &n->data[which]));
  for (int64_t i = 0; i < rango_tensor_count(still); i++)
    rg_tensor_set_double(n->data[which], i, rg_tensor_get_double(still, i) + step * rg_tensor_get_double(direction, i));
  net_run(n, session, outputs);
  make_seeds(n, outputs, seeds);
  for (int i = 0; i < net_output_count(n); i++) {
    sum += inner_product(outputs[i], seeds[i]);
    rango_tensor_free(outputs[i]);
    rango_tensor_free(seeds[i]);
  }
  rango_tensor_free(n->data[which]);
  n->data[which] = still;
  return sum;
}

/* <gradient, direction> against the central difference along it, for every variable. */
static inline void check_differences(net *n, const char *name, rango_tensor *const *gradients) {
  const double step = 1e-5;
  rango_session *session = net_session(n->model, RANGO_DEVICE_REFERENCE);
  for (int v = 0; v < n->count; v++)
    for (int trial = 0; trial < 3; trial++) {
      rango_tensor *direction;
      check_ok(rango_tensor_create(n->type, n->data[v]->shape.rank, n->data[v]->shape.dims, &direction));
      rg_random_seed(&n->random, 100 + (uint64_t)trial);
      fill(n, direction, 0, 0);
      double slope = (net_sum(n, session, v, direction, step) - net_sum(n, session, v, direction, -step)) / (2 * step);
      double size = sqrt(inner_product(gradients[v], gradients[v]) * inner_product(direction, direction));
      double error = fabs(inner_product(gradients[v], direction) - slope);
      if (!(error <= 1e-7 * (size + 1e-3)))
        fail_msg("%s: variable %d: <gradient, direction> is off by %g, of %g", name, v, error, slope);
      rango_tensor_free(direction);
    }
  rango_session_free(session);
}

static inline void free_gradients(rango_tensor **gradients, int count) {
  for (int i = 0; i < count; i++) rango_tensor_free(gradients[i]);
}

/* Returns whether every node has an adjoint for these shapes. */
static inline bool check_case(const char *name, net_case build, net_shapes shapes) {
  rango_tensor *truth[NET_VARIABLES] = {0}, *fast[NET_VARIABLES] = {0};
  net n;
  net_open(&n, build, RANGO_FLOAT64, shapes, NET_FED);
  bool there = net_gradients(&n, RANGO_DEVICE_REFERENCE, truth);
  if (there) check_differences(&n, name, truth);
  net_close(&n);
  for (int weights = NET_FED; weights <= NET_FIXED && there; weights++) {
    net_open(&n, build, RANGO_FLOAT32, shapes, (net_weights)weights);
    assert_true(net_gradients(&n, RANGO_DEVICE_CPU, fast));
    for (int i = 0; i < n.count; i++) {
      double most = 0, largest = 0;
      if (!fast[i]) continue;
      assert_true(rg_shape_equal(&fast[i]->shape, &truth[i]->shape));
      for (int64_t k = 0; k < rango_tensor_count(fast[i]); k++) {
        most = fmax(most, fabs(rg_tensor_get_double(fast[i], k) - rg_tensor_get_double(truth[i], k)));
        largest = fmax(largest, fabs(rg_tensor_get_double(truth[i], k)));
      }
      if (!(most <= 2e-5 * (largest + 1e-3)))
        fail_msg("%s: variable %d: float32 differs by %g of %g", name, i, most, largest);
    }
    free_gradients(fast, n.count);
    memset(fast, 0, sizeof fast);
    net_close(&n);
  }
  free_gradients(truth, NET_VARIABLES);
  return there;
}

/* A case, and how much of its shapes must be known for there to be an adjoint. */
typedef struct net_listed {
  const char *name;
  net_case build;
  net_shapes most; /* that may be open */
} net_listed;
#define NET(name)                                                                                                      \
  { #name, name, NET_OPEN }
#define NET_SIZED(name)                                                                                                \
  { #name, name, NET_OPEN_BATCH }
#define NET_CLOSED(name)                                                                                               \
  { #name, name, NET_STATIC }

static inline void check_cases(const net_listed *cases, size_t count, net_shapes shapes) {
  for (size_t i = 0; i < count; i++) {
    bool there = check_case(cases[i].name, cases[i].build, shapes);
    if (there != (shapes <= cases[i].most)) fail_msg("%s: %s adjoint", cases[i].name, there ? "an" : "no");
  }
}

#define NET_TESTS(cases)                                                                                               \
  static void test_static(void **state) { check_cases(cases, sizeof(cases) / sizeof *(cases), NET_STATIC); }           \
  static void test_open_batch(void **state) { check_cases(cases, sizeof(cases) / sizeof *(cases), NET_OPEN_BATCH); }   \
  static void test_open(void **state) { check_cases(cases, sizeof(cases) / sizeof *(cases), NET_OPEN); }               \
  int main(void) {                                                                                                     \
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_static), cmocka_unit_test(test_open_batch),               \
                                       cmocka_unit_test(test_open)};                                                   \
    return cmocka_run_group_tests(tests, NULL, NULL);                                                                  \
  }

#endif
