/* Portable operators between channels-last values: as if everything were row-major. */
#include "engine/networks.h"
#include "engine/session.h"

#define CHANNELS  5
#define POSITIONS 12 /* 3 x 4 */

typedef struct fake_host {
  rango_tensor *output;
  void *scratch[32];
  int used;
} fake_host;

static rango_status fake_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out) {
  fake_host *host = exec->host;
  assert_int_equal(type, host->output->type);
  assert_true(rg_shape_equal(shape, &host->output->shape));
  *out = host->output;
  return RANGO_OK;
}

static rango_status fake_scratch(rg_exec *exec, size_t bytes, void **out) {
  fake_host *host = exec->host;
  assert_in_range(host->used, 0, 31);
  check_ok(rg_alloc(bytes, out));
  memset(*out, 0xff, bytes); /* nothing may rely on zeros */
  host->scratch[host->used++] = *out;
  return RANGO_OK;
}

static void run(const rg_node *node, const rango_tensor *x, rango_tensor *y) {
  fake_host host = {.output = y};
  rg_val in = {.kind = RG_KIND_TENSOR, .tensor = *x};
  rg_exec exec = {.node = node,
                  .input_count = 1,
                  .output_count = 1,
                  .inputs = (const rg_val *[]){&in},
                  .host = &host,
                  .output = fake_output,
                  .scratch = fake_scratch};
  check_ok(rg_portable_run(node->definition, &exec));
  for (int i = 0; i < host.used; i++) rg_free(host.scratch[i]);
}

/* Row-major [2][5][12] and channels-last [2][12][5] hold the same. */
static void check_equal(const float *rows, const float *last) {
  for (int n = 0; n < 2; n++)
    for (int c = 0; c < CHANNELS; c++)
      for (int p = 0; p < POSITIONS; p++)
        assert_true(rows[(n * CHANNELS + c) * POSITIONS + p] == last[(n * POSITIONS + p) * CHANNELS + c]);
}

static void test_layouts(void **state) {
  const int64_t dims[] = {2, CHANNELS, 3, 4};
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *value = model_input(g, "x", RANGO_FLOAT32, 4, dims), *out = op1(g, "Softmax", value);
  check_ok(rg_node_set_int(out->producer, "axis", 1));
  check_ok(rg_graph_add_output(g, out));
  check_ok(rg_ops_resolve(model, true));
  rango_tensor *x = tensor_random(RANGO_FLOAT32, 4, dims, 3), *last = tensor_random(RANGO_FLOAT32, 4, dims, 4);
  rango_tensor *y = tensor_random(RANGO_FLOAT32, 4, dims, 5), *y_last = tensor_random(RANGO_FLOAT32, 4, dims, 6);
  last->layout = RG_CHANNELS_LAST;
  check_ok(rg_tensor_transfer(x, last));
  check_equal(x->data, last->data);
  run(out->producer, x, y);
  run(out->producer, last, y_last); /* in channels-last, out row-major */
  assert_memory_equal(y->data, y_last->data, y->bytes);
  out->layout = y_last->layout = RG_CHANNELS_LAST;
  run(out->producer, x, y_last);
  check_equal(y->data, y_last->data);
  memset(y_last->data, 0, y_last->bytes);
  run(out->producer, last, y_last);
  check_equal(y->data, y_last->data);
  rango_tensor *all[] = {x, last, y, y_last};
  for (int i = 0; i < 4; i++) rango_tensor_free(all[i]);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_layouts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
