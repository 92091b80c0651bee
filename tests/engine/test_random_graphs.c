/* Random graphs of views, in-place operators and values that live long, against plain evaluation of each value in
 * memory of its own: whatever the plan lets overlap while it is needed shows as a wrong number. */
#include "engine/networks.h"
#include "engine/session.h"

#define ROWS    4
#define COLUMNS 8
#define SIZE    (ROWS * COLUMNS)
#define NODES   40

typedef struct random_graph {
  rango_model *model;
  rg_random random;
  rg_value *values[NODES + 1];
  bool flat[NODES + 1]; /* shape [32] and not [4, 8] */
  double numbers[NODES + 1][SIZE];
  int count;
} random_graph;

static void append(random_graph *r, rg_value *value, bool flat) {
  r->values[r->count] = value;
  r->flat[r->count++] = flat;
}

/* Mostly recent values, so that there are chains; sometimes old ones, which have to be kept. */
static int pick(random_graph *r) {
  int recent = r->count < 4 ? r->count : 4;
  return rg_random_below(&r->random, 4) ? r->count - 1 - (int)rg_random_below(&r->random, (uint64_t)recent)
                                        : (int)rg_random_below(&r->random, (uint64_t)r->count);
}

static void add_unary(random_graph *r, int a) {
  bool negate = rg_random_below(&r->random, 2);
  for (int i = 0; i < SIZE; i++) r->numbers[r->count][i] = negate ? -r->numbers[a][i] : fabs(r->numbers[a][i]);
  append(r, op1(r->model->graph, negate ? "Neg" : "Abs", r->values[a]), r->flat[a]);
}

static void add_reshape(random_graph *r, int a) {
  rg_graph *g = r->model->graph;
  bool flat = !r->flat[a];
  memcpy(r->numbers[r->count], r->numbers[a], sizeof r->numbers[a]);
  append(r, op2(g, "Reshape", r->values[a], flat ? model_ints(g, 1, DIMS(-1)) : model_ints(g, 2, DIMS(ROWS, COLUMNS))),
         flat);
}

static void add_sum(random_graph *r, int a, int b) {
  if (r->flat[a] != r->flat[b]) {
    add_reshape(r, a);
    return;
  }
  bool larger = rg_random_below(&r->random, 2);
  for (int i = 0; i < SIZE; i++) {
    double x = r->numbers[a][i], y = r->numbers[b][i];
    r->numbers[r->count][i] = larger ? fmax(x, y) : x - y;
  }
  append(r, op2(r->model->graph, larger ? "Max" : "Sub", r->values[a], r->values[b]), r->flat[a]);
}

/* Each column moves on by one: rolled through Slice and Concat. */
static void add_roll(random_graph *r, int a) {
  rg_graph *g = r->model->graph;
  if (r->flat[a]) {
    add_unary(r, a);
    return;
  }
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < COLUMNS; j++)
      r->numbers[r->count][i * COLUMNS + j] = r->numbers[a][i * COLUMNS + (j + 1) % COLUMNS];
  rg_value *axis = model_ints(g, 1, DIMS(1)), *zero = model_ints(g, 1, DIMS(0)), *end = model_ints(g, 1, DIMS(COLUMNS));
  rg_value *first = model_node(g, "Slice", r->values[a], zero, axis, axis);
  rg_value *rest = model_node(g, "Slice", r->values[a], axis, end, axis);
  rg_value *rolled = op2(g, "Concat", rest, first);
  check_ok(rg_node_set_int(rolled->producer, "axis", 1));
  append(r, rolled, false);
}

static void grow(random_graph *r, uint64_t seed) {
  *r = (random_graph){.model = model_new()};
  rg_random_seed(&r->random, seed);
  append(r, model_input(r->model->graph, "x", RANGO_FLOAT32, 2, DIMS(ROWS, COLUMNS)), false);
  int nodes = 3 + (int)rg_random_below(&r->random, NODES - 3);
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 2, DIMS(ROWS, COLUMNS), seed);
  for (int i = 0; i < SIZE; i++) r->numbers[0][i] = ((const float *)rango_tensor_data(x))[i];
  rango_tensor_free(x);
  while (r->count < nodes) {
    int a = pick(r);
    switch (rg_random_below(&r->random, 5)) {
    case 0:
      add_unary(r, a);
      break;
    case 1:
      add_reshape(r, a);
      break;
    case 2:
      add_roll(r, a);
      break;
    default:
      add_sum(r, a, pick(r));
    }
  }
}

static void check_run(const random_graph *r, const int *outputs, size_t count, int device, uint64_t seed) {
  rango_session_options options = {.struct_size = sizeof options, .device = (rango_device)device, .threads = 1};
  rango_session *session;
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 2, DIMS(ROWS, COLUMNS), seed), *out[3] = {0};
  check_ok(rango_session_create(r->model, &options, &session));
  for (int round = 0; round < 2; round++)
    check_ok(rango_session_run(session, (const rango_tensor *[]){x}, 1, out, count));
  for (size_t o = 0; o < count; o++) {
    const float *y = rango_tensor_data(out[o]);
    for (int i = 0; i < SIZE; i++) {
      double expected = r->numbers[outputs[o]][i];
      if (!(fabs(y[i] - expected) <= 1e-4 * fmax(1, fabs(expected))))
        fail_msg("graph %d, device %d, output %zu: %g instead of %g", (int)seed, device, o, y[i], expected);
    }
  }
  assert_true(session->main->plans.items[0]->arena_bytes <= (size_t)r->count * SIZE * sizeof(float));
  for (size_t o = 0; o < count; o++) rango_tensor_free(out[o]);
  rango_tensor_free(x);
  rango_session_free(session);
}

static void test_random_graphs(void **state) {
  for (uint64_t seed = 1; seed <= 150; seed++) {
    random_graph r;
    int outputs[3];
    grow(&r, seed);
    size_t count = 1 + rg_random_below(&r.random, 3);
    for (size_t o = 0; o < count; o++) {
      outputs[o] = o == 0 ? r.count - 1 : (int)rg_random_below(&r.random, (uint64_t)r.count);
      check_ok(rg_graph_add_output(r.model->graph, r.values[outputs[o]]));
    }
    for (int device = 0; device < 2; device++) check_run(&r, outputs, count, device, seed);
    rango_model_free(r.model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
