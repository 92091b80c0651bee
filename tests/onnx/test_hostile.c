/* A small model cut short and with bits flipped, at every place: never a crash, always a message, and what is still
 * read can be written. */
#include "base/random.h"
#include "bytes.h"
#include "onnx/onnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static bytes model_bytes, damaged;
static char path[] = "/tmp/rango-hostile-XXXXXX";

static void add_subgraph_node(bytes *graph) {
  static bytes body, attribute;
  add_node(&body, "Neg", "h", "r", NULL);
  add_named(&body, 12, "r");
  add_text(&attribute, 1, "then_branch");
  add_message(&attribute, 6, &body);
  add_int(&attribute, 20, 5);
  add_node(graph, "If", "c", "y", &attribute);
}

/* An input with a type of a known and a symbolic size. */
static void add_typed_input(bytes *graph, const char *name) {
  static bytes dims, dim, shape, tensor, type, info;
  add_int(&dim, 1, 3);
  add_message(&dims, 1, &dim);
  dim.count = 0;
  add_text(&dim, 2, "batch");
  add_message(&dims, 1, &dim);
  shape = dims;
  add_int(&tensor, 1, 1);
  add_message(&tensor, 2, &shape);
  add_message(&type, 1, &tensor);
  add_text(&info, 1, name);
  add_message(&info, 2, &type);
  add_message(graph, 11, &info);
}

static void add_sparse(bytes *graph) {
  static bytes values, indices, sparse;
  add_int(&values, 1, 1);
  add_int(&values, 2, 1);
  add_text(&values, 8, "s");
  add_data(&values, 9, "1234", 4);
  add_int(&indices, 1, 1);
  add_int(&indices, 2, 7);
  add_data(&indices, 7, "\x02", 1);
  add_message(&sparse, 1, &values);
  add_message(&sparse, 2, &indices);
  add_int(&sparse, 3, 5);
  add_message(graph, 15, &sparse);
}

static void add_function(bytes *model) {
  static bytes function, attribute;
  add_text(&attribute, 1, "alpha");
  add_text(&attribute, 21, "beta");
  add_int(&attribute, 20, 1);
  add_text(&function, 1, "Own");
  add_text(&function, 4, "a");
  add_text(&function, 5, "b");
  add_text(&function, 6, "beta");
  static bytes node;
  add_text(&node, 1, "a");
  add_text(&node, 2, "b");
  add_text(&node, 4, "Elu");
  add_message(&node, 5, &attribute);
  add_message(&function, 7, &node);
  add_text(&function, 10, "own");
  add_message(model, 25, &function);
}

static int make(void **state) {
  static bytes graph, attribute;
  float weights[3] = {1, 2, 3};
  add_typed_input(&graph, "x");
  add_named(&graph, 11, "c");
  add_initializer(&graph, "w", 1, 1, (int64_t[]){3}, weights, sizeof weights);
  add_sparse(&graph);
  add_text(&attribute, 1, "ints");
  add_data(&attribute, 8, "\x01\x02\xff\x01", 4);
  add_int(&attribute, 20, 7);
  add_node(&graph, "Op", "x", "h", &attribute);
  add_node(&graph, "Op2", "w", "k", NULL);
  add_node(&graph, "Op3", "s", "l", NULL);
  add_subgraph_node(&graph);
  add_named(&graph, 12, "y");
  make_model(&model_bytes, &graph);
  add_function(&model_bytes);
  int descriptor = mkstemp(path);
  return descriptor < 0 || close(descriptor);
}

static int clean(void **state) { return unlink(path); }

static bool try_model(void) {
  rango_model *model = NULL;
  rango_load_options options = {.struct_size = sizeof options, .max_memory_bytes = 1 << 20};
  rango_status status = rango_model_load_memory(damaged.data, damaged.count, &options, &model);
  if (status != RANGO_OK) {
    assert_null(model);
    assert_int_equal(strncmp(rango_error_message(), "memory: ", 8), 0);
    assert_true(strlen(rango_error_message()) > 12);
    return false;
  }
  /* Damage may bring an operator of the reserved domain or a name that no file can have; most of it is only odd. */
  status = rango_model_save(model, path);
  if (status != RANGO_OK) fail_msg("read but not written: %s", rango_error_message());
  rango_model_free(model);
  status = rango_model_load(path, &options, &model);
  if (status != RANGO_OK) fail_msg("written but not read: %s", rango_error_message());
  rango_model_free(model);
  return true;
}

static void test_whole(void **state) {
  damaged = model_bytes;
  if (!try_model()) fail_msg("%s", rango_error_message());
}

/* Cut between two fields of the model, what is left may be whole; elsewhere it is not. */
static void test_truncated(void **state) {
  size_t whole = 0;
  damaged = model_bytes;
  for (damaged.count = 0; damaged.count < model_bytes.count; damaged.count++) whole += try_model();
  assert_int_equal(whole, 1); /* without its function */
}

static void test_every_bit(void **state) {
  for (size_t bit = 0; bit < 8 * model_bytes.count; bit++) {
    damaged = model_bytes;
    damaged.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    try_model();
  }
}

static void test_random_bytes(void **state) {
  rg_random random;
  rg_random_seed(&random, 7);
  for (int round = 0; round < 2000; round++) {
    damaged = model_bytes;
    for (int i = 0; i < 4; i++)
      damaged.data[rg_random_below(&random, damaged.count)] = (uint8_t)rg_random_below(&random, 256);
    try_model();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_truncated),
                                     cmocka_unit_test(test_every_bit), cmocka_unit_test(test_random_bytes)};
  return cmocka_run_group_tests(tests, make, clean);
}
