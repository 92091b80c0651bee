/* The reader on bytes made by hand: what it understands, and what it refuses with which words. */
#include "bytes.h"
#include "onnx/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static bytes graph, model_bytes, part, inner;

static rango_status load(rango_model **out) {
  make_model(&model_bytes, &graph);
  return rango_model_load_memory(model_bytes.data, model_bytes.count, NULL, out);
}

static rango_model *must_load(void) {
  rango_model *model = NULL;
  rango_status status = load(&model);
  if (status != RANGO_OK) fail_msg("%s", rango_error_message());
  return model;
}

/* The graph made so far is refused, with all of these words in the message. */
static void refused(rango_status expected, const char *word, const char *other) {
  rango_model *model = NULL;
  rango_status status = load(&model);
  if (status != expected) fail_msg("status %d (%s), expected %d", status, rango_error_message(), expected);
  assert_null(model);
  if (!strstr(rango_error_message(), word)) fail_msg("'%s' lacks '%s'", rango_error_message(), word);
  if (!strstr(rango_error_message(), other)) fail_msg("'%s' lacks '%s'", rango_error_message(), other);
  if (strncmp(rango_error_message(), "memory: ", 8) != 0)
    fail_msg("'%s' doesn't begin with the file", rango_error_message());
}

static int start(void **state) {
  graph.count = part.count = inner.count = 0;
  return 0;
}

static void test_reads_a_graph(void **state) {
  float weights[6] = {1, 2, 3, 4, 5, 6};
  add_named(&graph, 11, "x");
  add_initializer(&graph, "w", 1, 2, (int64_t[]){2, 3}, weights, sizeof weights);
  add_node(&graph, "Relu", "x", "h", NULL);
  add_node(&graph, "Unknown", "w", "y", NULL);
  add_named(&graph, 12, "y");
  rango_model *model = must_load();
  assert_int_equal(model->node_count, 2);
  const rg_node *first = model->graph->first;
  assert_string_equal(first->op, "Relu");
  assert_int_equal(first->version, 18);
  assert_string_equal(first->inputs[0]->name, "x");
  const rango_tensor *w = first->next->inputs[0]->constant;
  assert_int_equal(w->shape.rank, 2);
  assert_memory_equal(w->data, weights, sizeof weights);
  assert_int_equal(rango_model_input_count(model), 1);
  rango_model_free(model);
}

/* Wherever the bytes lie, elements are aligned to their type: in place where they are, copied where they are not. */
static void test_unaligned_data(void **state) {
  double value = 2.5;
  for (size_t shift = 0; shift < 8; shift++) {
    graph.count = 0;
    add_data(&graph, 10, "12345678", shift); /* doc string */
    add_initializer(&graph, "w", 11, 1, (int64_t[]){1}, &value, 8);
    add_node(&graph, "Neg", "w", "y", NULL);
    rango_model *model = must_load();
    const rango_tensor *w = model->graph->first->inputs[0]->constant;
    assert_int_equal((uintptr_t)w->data % 8, 0);
    assert_true(*(const double *)w->data == 2.5);
    rango_model_free(model);
  }
}

static void test_sizes_must_fit(void **state) {
  add_initializer(&graph, "w", 1, 2, (int64_t[]){2, 3}, "1234", 4);
  refused(RANGO_ERROR_FORMAT, "'w'", "needs 24 bytes but has 4");
  graph.count = 0;
  add_initializer(&graph, "w", 1, 1, (int64_t[]){-2}, "1234", 4);
  refused(RANGO_ERROR_FORMAT, "'w'", "negative");
  graph.count = 0;
  add_initializer(&graph, "w", 1, 3, (int64_t[]){INT64_MAX, 4, 4}, "1234", 4);
  refused(RANGO_ERROR_LIMIT, "'w'", "");
  graph.count = 0;
  add_initializer(&graph, "w", 99, 1, (int64_t[]){1}, "1234", 4);
  refused(RANGO_ERROR_UNSUPPORTED, "'w'", "99");
  graph.count = 0;
  add_initializer(&graph, "w", 1, 17, (int64_t[17]){1}, "1234", 4);
  refused(RANGO_ERROR_LIMIT, "'w'", "16 axes");
}

static void test_names_must_be_defined_once(void **state) {
  add_named(&graph, 11, "x");
  add_node(&graph, "Relu", "x", "x", NULL);
  refused(RANGO_ERROR_FORMAT, "'node1' (Relu)", "'x' is defined twice");
  graph.count = 0;
  add_node(&graph, "Relu", "ghost", "y", NULL);
  refused(RANGO_ERROR_FORMAT, "'node1' (Relu)", "'ghost' is not defined");
  graph.count = 0;
  add_named(&graph, 12, "ghost");
  refused(RANGO_ERROR_FORMAT, "output", "'ghost' is not defined");
  graph.count = 0;
  add_named(&graph, 11, "x");
  add_named(&graph, 11, "x");
  refused(RANGO_ERROR_FORMAT, "input", "'x' is listed twice");
  graph.count = 0;
  add_initializer(&graph, "w", 2, 1, (int64_t[]){1}, "1", 1);
  add_initializer(&graph, "w", 2, 1, (int64_t[]){1}, "1", 1);
  refused(RANGO_ERROR_FORMAT, "initializer", "'w' is defined twice");
}

static void test_cycles(void **state) {
  add_node(&graph, "Relu", "b", "a", NULL);
  add_node(&graph, "Relu", "a", "b", NULL);
  refused(RANGO_ERROR_FORMAT, "cycle", "Relu");
  graph.count = 0;
  add_node(&graph, "Relu", "a", "a", NULL);
  refused(RANGO_ERROR_FORMAT, "cycle", "Relu");
}

/* A subgraph's node may use what an outer node makes, even one that stands later in the file. */
static void test_outer_names(void **state) {
  add_node(&inner, "Neg", "late", "r", NULL);
  add_named(&inner, 12, "r");
  add_text(&part, 1, "body");
  add_message(&part, 6, &inner);
  add_int(&part, 20, 5);
  add_node(&graph, "Looper", NULL, "y", &part);
  add_node(&graph, "Constant", NULL, "late", NULL);
  rango_model *model = must_load();
  const rg_node *first = model->graph->first;
  assert_string_equal(first->op, "Constant");
  const rg_graph *body = rg_node_graph(first->next, "body");
  assert_ptr_equal(body->first->inputs[0], first->outputs[0]);
  assert_ptr_equal(body->owner, first->next);
  rango_model_free(model);
}

static void test_refuses_nesting(void **state) {
  bytes *outer = &part, *deeper = &inner;
  for (int depth = 0; depth < 40; depth++) {
    static bytes attribute;
    attribute.count = 0;
    add_text(&attribute, 1, "body");
    add_message(&attribute, 6, deeper);
    add_int(&attribute, 20, 5);
    outer->count = 0;
    add_node(outer, "If", NULL, "y", &attribute);
    bytes *swap = outer;
    outer = deeper;
    deeper = swap;
  }
  graph = *deeper;
  refused(RANGO_ERROR_LIMIT, "nested", "64");
}

static void test_refuses_attributes(void **state) {
  add_text(&part, 1, "value");
  add_int(&part, 20, 4);
  add_node(&graph, "Constant", NULL, "y", &part);
  refused(RANGO_ERROR_FORMAT, "attribute 'value'", "missing");
  graph.count = inner.count = part.count = 0;
  add_text(&inner, 1, "alpha");
  add_int(&inner, 3, 1);
  add_text(&part, 4, "Op");
  add_message(&part, 5, &inner);
  add_message(&part, 5, &inner);
  add_message(&graph, 1, &part);
  refused(RANGO_ERROR_FORMAT, "'alpha' is given twice", "Op");
}

/* The first files gave attributes no kind: the field in use tells. */
static void test_attribute_without_kind(void **state) {
  add_text(&part, 1, "axis");
  add_int(&part, 3, -7);
  add_node(&graph, "Softmax", NULL, "y", &part);
  rango_model *model = must_load();
  assert_int_equal(rg_node_int(model->graph->first, "axis", 0), -7);
  rango_model_free(model);
}

static void test_refuses_odd_names(void **state) {
  add_node(&graph, "Relu\xff", NULL, "y", NULL);
  refused(RANGO_ERROR_FORMAT, "UTF-8", "byte");
  graph.count = 0;
  add_data(&part, 4, "Re\0lu", 5);
  add_message(&graph, 1, &part);
  refused(RANGO_ERROR_FORMAT, "UTF-8", "byte");
  graph.count = part.count = 0;
  add_text(&part, 4, "Dense");
  add_text(&part, 7, "rango");
  add_message(&graph, 1, &part);
  refused(RANGO_ERROR_UNSUPPORTED, "Dense", "reserved");
}

static void test_refuses_models(void **state) {
  rango_model *model = NULL;
  assert_int_equal(rango_model_load_memory("", 0, NULL, &model), RANGO_ERROR_FORMAT);
  assert_non_null(strstr(rango_error_message(), "IR version"));
  assert_int_equal(rango_model_load_memory("\x08\x08", 2, NULL, &model), RANGO_ERROR_FORMAT);
  assert_non_null(strstr(rango_error_message(), "no graph"));
  assert_int_equal(rango_model_load_memory("This is a text file.", 20, NULL, &model), RANGO_ERROR_FORMAT);
  assert_int_equal(rango_model_load("/nowhere/model.onnx", NULL, &model), RANGO_ERROR_IO);
  assert_non_null(strstr(rango_error_message(), "/nowhere/model.onnx"));
  assert_null(model);
  add_int(&part, 1, 8);
  add_int(&inner, 2, 99);
  add_message(&part, 8, &inner);
  add_message(&part, 7, &graph);
  assert_int_equal(rango_model_load_memory(part.data, part.count, NULL, &model), RANGO_ERROR_UNSUPPORTED);
  assert_non_null(strstr(rango_error_message(), "opset 99"));
}

static void add_external(bytes *tensor, const char *key, const char *value) {
  static bytes entry;
  entry.count = 0;
  add_text(&entry, 1, key);
  add_text(&entry, 2, value);
  add_message(tensor, 13, &entry);
}

static rango_status load_external(const char *location, const char *offset, const char *length, const char *folder) {
  rango_model *model = NULL;
  rango_load_options options = {.struct_size = sizeof options, .folder = folder};
  graph.count = part.count = 0;
  add_int(&part, 1, 4);
  add_int(&part, 2, 2);
  add_text(&part, 8, "w");
  add_external(&part, "location", location);
  if (offset) add_external(&part, "offset", offset);
  if (length) add_external(&part, "length", length);
  add_int(&part, 14, 1);
  add_message(&graph, 5, &part);
  add_node(&graph, "Relu", "w", "y", NULL);
  make_model(&model_bytes, &graph);
  rango_status status = rango_model_load_memory(model_bytes.data, model_bytes.count, &options, &model);
  if (status == RANGO_OK) assert_memory_equal(model->graph->first->inputs[0]->constant->data, "cdef", 4);
  rango_model_free(model);
  return status;
}

static void test_external_data(void **state) {
  char folder[] = "/tmp/rango-test-XXXXXX", path[64], link[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/w.bin", folder);
  snprintf(link, sizeof link, "%s/link.bin", folder);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fputs("abcdef", file);
  fclose(file);
  assert_int_equal(symlink(path, link), 0);
  assert_int_equal(load_external("w.bin", "2", "4", folder), RANGO_OK);
  assert_int_equal(load_external("w.bin", "2", NULL, folder), RANGO_OK);
  assert_int_equal(load_external("w.bin", "3", "4", folder), RANGO_ERROR_FORMAT);
  assert_int_equal(load_external("w.bin", "18446744073709551615", "4", folder), RANGO_ERROR_FORMAT);
  assert_int_equal(load_external("w.bin", "9999999999999999999", "4", folder), RANGO_ERROR_FORMAT);
  assert_int_equal(load_external("w.bin", "-2", "4", folder), RANGO_ERROR_FORMAT);
  assert_int_equal(load_external("w.bin", "2", "5", folder), RANGO_ERROR_FORMAT);
  assert_int_not_equal(load_external("../w.bin", "2", "4", folder), RANGO_OK);
  assert_int_not_equal(load_external(path, "2", "4", folder), RANGO_OK);
  assert_int_not_equal(load_external("link.bin", "2", "4", folder), RANGO_OK);
  assert_int_equal(load_external("w.bin", "2", "4", NULL), RANGO_ERROR_UNSUPPORTED);
  unlink(path);
  unlink(link);
  rmdir(folder);
}

/* Memory follows what the file holds, not what it says. */
static void test_memory_budget(void **state) {
  rango_model *model = NULL;
  rango_load_options options = {.struct_size = sizeof options, .max_memory_bytes = 20000};
  for (int i = 0; i < 500; i++) add_node(&graph, "N", NULL, NULL, NULL);
  make_model(&model_bytes, &graph);
  assert_int_equal(rango_model_load_memory(model_bytes.data, model_bytes.count, &options, &model), RANGO_ERROR_LIMIT);
  assert_non_null(strstr(rango_error_message(), "20000"));
}

static void test_sparse_is_made_dense(void **state) {
  bytes values = {0}, indices = {0};
  add_int(&values, 1, 2);
  add_int(&values, 2, 1);
  add_text(&values, 8, "w");
  add_data(&values, 9, (float[]){1.5f, 2.5f}, 8);
  add_int(&indices, 1, 2);
  add_int(&indices, 2, 7);
  add_data(&indices, 9, (int64_t[]){1, 3}, 16);
  add_message(&part, 1, &values);
  add_message(&part, 2, &indices);
  add_int(&part, 3, 2);
  add_int(&part, 3, 2);
  add_message(&graph, 15, &part);
  add_node(&graph, "Relu", "w", "y", NULL);
  rango_model *model = must_load();
  assert_memory_equal(model->graph->first->inputs[0]->constant->data, ((float[]){0, 1.5f, 0, 2.5f}), 16);
  rango_model_free(model);
  part.data[part.count - 1] = 1; /* 2 x 1: index 3 lies outside */
  graph.count = 0;
  add_message(&graph, 15, &part);
  refused(RANGO_ERROR_FORMAT, "'w'", "out of range");
}

static void test_tensor_files(void **state) {
  char path[] = "/tmp/rango-test-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  add_int(&part, 1, 2);
  add_int(&part, 2, 3);
  add_data(&part, 5, "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11); /* 127, -1 */
  assert_int_equal(write(descriptor, part.data, part.count), (ssize_t)part.count);
  close(descriptor);
  rango_tensor *tensor = NULL;
  assert_int_equal(rango_tensor_load_pb(path, &tensor), RANGO_OK);
  assert_int_equal(rango_tensor_type(tensor), RANGO_INT8);
  assert_memory_equal(rango_tensor_data(tensor), "\x7f\xff", 2);
  rango_tensor_free(tensor);
  assert_int_equal(truncate(path, (off_t)part.count - 3), 0);
  assert_int_equal(rango_tensor_load_pb(path, &tensor), RANGO_ERROR_FORMAT);
  assert_non_null(strstr(rango_error_message(), path));
  unlink(path);
}

/* A caller's tensor is aligned wherever its elements lie in the file, large ones too. */
static void test_tensor_files_are_aligned(void **state) {
  static float elements[20000];
  char path[] = "/tmp/rango-test-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  close(descriptor);
  elements[19999] = 7;
  for (size_t shift = 0; shift < 4; shift++) {
    rango_tensor *tensor = NULL;
    part.count = 0;
    add_data(&part, 12, "1234", shift);
    add_int(&part, 1, 20000);
    add_int(&part, 2, 1);
    add_data(&part, 9, elements, sizeof elements);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(part.data, 1, part.count, file), part.count);
    fclose(file);
    assert_int_equal(rango_tensor_load_pb(path, &tensor), RANGO_OK);
    assert_int_equal((uintptr_t)rango_tensor_data(tensor) % sizeof(float), 0);
    assert_true(((const float *)rango_tensor_data(tensor))[19999] == 7);
    rango_tensor_free(tensor);
  }
  unlink(path);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, start)
  const struct CMUnitTest tests[] = {
      TEST(test_reads_a_graph),
      TEST(test_unaligned_data),
      TEST(test_sizes_must_fit),
      TEST(test_names_must_be_defined_once),
      TEST(test_cycles),
      TEST(test_outer_names),
      TEST(test_refuses_nesting),
      TEST(test_refuses_attributes),
      TEST(test_attribute_without_kind),
      TEST(test_refuses_odd_names),
      TEST(test_refuses_models),
      TEST(test_external_data),
      TEST(test_memory_budget),
      TEST(test_sparse_is_made_dense),
      TEST(test_tensor_files),
      TEST(test_tensor_files_are_aligned),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
