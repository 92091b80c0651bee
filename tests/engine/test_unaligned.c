/* Large weights lie in the file at whatever address: nobody may notice. */
#include "engine/networks.h"

static _Alignas(64) uint8_t memory[2][180 * 140 * 4 + 4];

/* y = relu(gather(table, ids) W + b). With `shift`, the two matrices lie so many bytes beside an aligned address. */
static rango_model *make(size_t shift) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *ids = model_input(g, "ids", RANGO_INT64, 1, DIMS(-1));
  rg_value *matrices[] = {model_weights(g, "table", 1, 2, DIMS(180, 130)),
                          model_weights(g, "w", 0.1, 2, DIMS(130, 140))};
  rg_value *rows = op2(g, "Gather", matrices[0], ids);
  rg_value *y = model_node(g, "Gemm", rows, matrices[1], model_weights(g, "b", 1, 1, DIMS(140)), NULL);
  check_ok(rg_graph_add_output(g, op1(g, "Relu", y)));
  for (int i = 0; shift > 0 && i < 2; i++) {
    rango_tensor *tensor = matrices[i]->constant;
    rg_shape shape = tensor->shape;
    size_t bytes = tensor->bytes;
    memcpy(memory[i] + shift, tensor->data, bytes);
    rg_tensor_clear(tensor);
    rg_tensor_init_borrowed(tensor, RANGO_FLOAT32, &shape, memory[i] + shift, bytes);
  }
  return model;
}

static void test_every_address(void **state) {
  rango_tensor *ids = tensor_random(RANGO_INT64, 1, DIMS(7), 1);
  rango_model *plain = make(0);
  for (size_t shift = 1; shift < 4; shift++) {
    rango_model *shifted = make(shift);
    for (int device = 0; device < 2; device++) {
      rango_tensor *expected = model_run(plain, (rango_device)device, (const rango_tensor *[]){ids}, 1);
      rango_tensor *y = model_run(shifted, (rango_device)device, (const rango_tensor *[]){ids}, 1);
      assert_true(tensor_distance(y, expected) == 0);
      rango_tensor_free(expected);
      rango_tensor_free(y);
    }
    rango_model_free(shifted);
  }
  rango_model_free(plain);
  rango_tensor_free(ids);
}

static void test_aligning(void **state) {
  rango_model *model = make(1), *copy;
  const rango_tensor *w = rg_graph_find_value(model->graph, "w")->constant;
  assert_false(rg_tensor_is_aligned(w));
  float third;
  memcpy(&third, (const uint8_t *)w->data + 3 * sizeof third, sizeof third);
  assert_true(rg_tensor_get_double(w, 3) == third); /* element by element they are read as they lie */
  check_ok(rg_model_copy(model, &copy));
  check_ok(rg_model_align_constants(copy, NULL));
  const rango_tensor *aligned = rg_graph_find_value(copy->graph, "w")->constant;
  assert_true(rg_tensor_is_aligned(aligned));
  assert_memory_equal(aligned->data, w->data, w->bytes);
  assert_false(rg_tensor_is_aligned(w)); /* the model that it was copied from stays */
  rango_model_free(copy);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_address), cmocka_unit_test(test_aligning)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
