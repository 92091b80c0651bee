/* Large batches in pieces: the same outputs as row by row, less memory; and networks whose rows are not apart, whole.
 */
#include "base/cpu_features.h"
#include "support/model.h"

#define SIDE     96
#define CHANNELS 48
#define ROWS     24

/* x [batch][2][SIDE][SIDE] through two 1x1 convolutions; `tail` ends the network: */
typedef enum tail {
  TAIL_PLAIN,
  TAIL_RESHAPE, /* to one row for each of the batch */
  TAIL_CHAIN,   /* through elementwise operators that become one */
  TAIL_ROWS,    /* the same with a constant that has a number for every row */
  TAIL_SOFTMAX, /* over the batch: its rows are not apart */
  TAIL_FIXED,   /* reshaped to numbers that hold for this batch alone */
  TAIL_NUMBER,  /* the input's batch is a number */
} tail;

static rango_model *network(tail end) {
  rango_model *model = model_new();
  rg_graph *graph = model->graph;
  rg_value *x = model_input(graph, "x", RANGO_FLOAT32, 4, DIMS(end == TAIL_NUMBER ? ROWS : -1, 2, SIDE, SIDE));
  rg_value *w = model_weights(graph, "w", 0.5, 4, DIMS(CHANNELS, 2, 1, 1));
  rg_value *v = model_weights(graph, "v", 0.2, 4, DIMS(2, CHANNELS, 1, 1));
  rg_value *wide = model_node(graph, "Sigmoid", model_node(graph, "Conv", x, w, NULL, NULL), NULL, NULL, NULL);
  rg_value *y = model_node(graph, "Conv", wide, v, NULL, NULL);
  const int64_t apart[] = {-1, 2 * SIDE * SIDE}, fixed[] = {ROWS, 2 * SIDE * SIDE};
  if (end == TAIL_RESHAPE) y = model_node(graph, "Reshape", y, model_ints(graph, 2, apart), NULL, NULL);
  if (end == TAIL_FIXED) y = model_node(graph, "Reshape", y, model_ints(graph, 2, fixed), NULL, NULL);
  if (end == TAIL_CHAIN || end == TAIL_ROWS) {
    const int64_t channels[] = {1, 2, 1, 1}, rows[] = {ROWS, 1, 1, 1};
    rg_value *factor = model_weights(graph, "factor", 1, 4, end == TAIL_CHAIN ? channels : rows);
    y = model_node(graph, "Abs", model_node(graph, "Mul", y, factor, NULL, NULL), NULL, NULL, NULL);
  }
  if (end == TAIL_SOFTMAX) {
    y = model_node(graph, "Softmax", y, NULL, NULL, NULL);
    check_ok(rg_node_set_int(model_find(model, "Softmax"), "axis", 0));
  }
  check_ok(rg_graph_add_output(graph, y));
  return model;
}

static void check_network(tail end, bool apart) {
  rango_model *model = network(end);
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, DIMS(ROWS, 2, SIDE, SIDE), 7);
  rango_session_options options = {.struct_size = sizeof options, .threads = 2};
  rango_session_stats stats = {.struct_size = sizeof stats};
  rango_session *session;
  rango_tensor *y = NULL, *again = NULL;
  check_ok(rango_session_create(model, &options, &session));
  for (int turn = 0; turn < 2; turn++) { /* a new tensor, and the caller's */
    check_ok(rango_session_run(session, (const rango_tensor *const[]){x}, 1, turn == 0 ? &y : &again, 1));
    if (turn == 0) again = tensor_random(RANGO_FLOAT32, y->shape.rank, y->shape.dims, 8);
  }
  assert_memory_equal(y->data, again->data, y->bytes);
  check_ok(rango_session_get_stats(session, &stats));
  const size_t wide = sizeof(float) * ROWS * CHANNELS * SIDE * SIDE; /* what lies between the convolutions */
  const size_t l3 = rg_cpu_features()->l3_bytes > 0 ? rg_cpu_features()->l3_bytes : (size_t)16 << 20;
  if (!apart)
    assert_true(stats.arena_bytes >= wide);
  else if (wide > l3)
    assert_true(stats.arena_bytes < wide);
  rango_tensor *truth = model_run(model, RANGO_DEVICE_REFERENCE, (const rango_tensor *const[]){x}, 1);
  assert_true(tensor_distance(y, truth) < 1e-5);
  rango_tensor_free(truth);
  rango_tensor_free(y);
  rango_tensor_free(again);
  rango_tensor_free(x);
  rango_session_free(session);
  rango_model_free(model);
}

static void test_rows_apart(void **state) {
  (void)state;
  check_network(TAIL_PLAIN, true);
  check_network(TAIL_RESHAPE, true);
  check_network(TAIL_CHAIN, true);
}

static void test_rows_together(void **state) {
  (void)state;
  check_network(TAIL_ROWS, false);
  check_network(TAIL_SOFTMAX, false);
  check_network(TAIL_FIXED, false);
  check_network(TAIL_NUMBER, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_apart), cmocka_unit_test(test_rows_together)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
