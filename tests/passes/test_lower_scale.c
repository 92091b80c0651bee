/* Scales and shifts of a layer's input become part of its weights, where that is exact. */
#include "ops/elementwise.h"
#include "passes/lower_model.h"

static rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}

typedef enum layer { DENSE, DENSE_OF_IMAGE, CONV, CONV_PADDED, CONV_GROUPS, CONV_SAME } layer;

typedef struct scale_case {
  layer layer;
  bool bytes;    /* the image is of uint8, and cast */
  bool channels; /* constants are vectors along axis 1; otherwise numbers */
  bool bias;
  int left; /* sums and products that stay */
} scale_case;

#define CHANNELS 4
#define SIZE     6

static rg_value *channel_vector(rg_graph *g, const scale_case *c, const char *name, double low) {
  if (!c->channels) return model_scalar(g, low + 0.25);
  const int64_t image[] = {1, CHANNELS, 1, 1};
  rg_value *value = model_weights(g, name, 0.05, c->layer == DENSE ? 1 : 4, c->layer == DENSE ? DIMS(CHANNELS) : image);
  for (int i = 0; i < CHANNELS; i++) ((float *)value->constant->data)[i] += (float)low;
  return value;
}

static rg_value *add_layer(rg_graph *g, const scale_case *c, rg_value *x) {
  if (c->layer == DENSE || c->layer == DENSE_OF_IMAGE) {
    const int64_t k = c->layer == DENSE ? CHANNELS : CHANNELS * SIZE * SIZE;
    if (c->layer == DENSE_OF_IMAGE) x = op2(g, "Reshape", x, model_ints(g, 2, DIMS(0, k)));
    rg_value *y = model_node(g, "Gemm", x, model_weights(g, "w", 0.2, 2, DIMS(5, k)),
                             c->bias ? model_weights(g, "b", 1, 1, DIMS(5)) : NULL, NULL);
    check_ok(rg_node_set_int(y->producer, "transB", 1));
    return y;
  }
  const int64_t groups = c->layer == CONV_GROUPS ? 2 : 1, pad = c->layer == CONV_PADDED;
  rg_value *y = model_node(g, "Conv", x, model_weights(g, "w", 0.2, 4, DIMS(6, CHANNELS / groups, 3, 3)),
                           c->bias ? model_weights(g, "b", 1, 1, DIMS(6)) : NULL, NULL);
  check_ok(rg_node_set_int(y->producer, "group", groups));
  if (c->layer == CONV_SAME)
    check_ok(rg_node_set_string(y->producer, "auto_pad", "SAME_UPPER"));
  else
    check_ok(rg_node_set_ints(y->producer, "pads", DIMS(pad, pad, pad, pad), 4));
  return y;
}

/* ((x / 255 - mean) / deviation) · W: what a vision model begins with. */
static void check_scale(const scale_case *c) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  const int64_t dims[] = {-1, CHANNELS, SIZE, SIZE}, sizes[] = {2, CHANNELS, SIZE, SIZE};
  const int rank = c->layer == DENSE ? 2 : 4;
  const rango_type type = c->bytes ? RANGO_UINT8 : RANGO_FLOAT32;
  rg_value *x = model_input(g, "x", type, rank, dims);
  if (c->bytes) {
    x = model_node(g, "Cast", x, NULL, NULL, NULL);
    check_ok(rg_node_set_int(x->producer, "to", RANGO_FLOAT32));
  }
  x = op2(g, "Div", x, model_scalar(g, 255));
  x = op2(g, "Sub", x, channel_vector(g, c, "mean", 0.4));
  x = op2(g, "Div", x, channel_vector(g, c, "deviation", 0.25));
  check_ok(rg_graph_add_output(g, add_layer(g, c, x)));
  rango_model *low = lowered(model);
  rg_steps left = {0};
  if (model_find(low, "Elementwise")) assert_true(rg_steps_read(model_find(low, "Elementwise"), &left));
  assert_int_equal(model_count(low, "Div") + model_count(low, "Sub") + left.count, c->left);
  const rg_node *dense = model_find(low, "Dense");
  if (dense && c->bytes) /* one scale is an attribute, and the weights stay as they are */
    assert_int_equal(rg_node_float(dense, "scale", 1) != 1, !c->channels);
  rango_tensor *image = tensor_random(type, rank, sizes, 3);
  for (int64_t i = 0; c->bytes && i < rango_tensor_count(image); i++) ((uint8_t *)image->data)[i] = (uint8_t)(i * 37);
  model_check_devices(model, (const rango_tensor *[]){image}, 1);
  rango_tensor_free(image);
  rango_model_free(low);
  rango_model_free(model);
}

static void test_images(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    const bool channels = i & 1, bias = i & 2;
    check_scale(&(scale_case){DENSE, true, channels, bias, 0});
    check_scale(&(scale_case){DENSE_OF_IMAGE, true, channels, bias, 0});
    check_scale(&(scale_case){CONV, true, channels, bias, 0});
    check_scale(&(scale_case){CONV_GROUPS, true, channels, bias, 0});
    check_scale(&(scale_case){CONV_PADDED, true, channels, bias, 2}); /* only the last Div: zeros stay zeros */
    check_scale(&(scale_case){CONV_SAME, true, channels, bias, 2});
    check_scale(&(scale_case){CONV, false, channels, bias, 2}); /* nobody knows how large the numbers are */
    check_scale(&(scale_case){DENSE, false, channels, bias, 2});
  }
}

/* Steps that can't be taken, and those above them, stay. */
static void check_step(const char *op, bool constant_first, double number, bool seen, int expected) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 8)), *c = model_scalar(g, number);
  rg_value *scaled = constant_first ? op2(g, op, c, x) : op2(g, op, x, c);
  rg_value *y = op2(g, "MatMul", scaled, model_weights(g, "w", 0.2, 2, DIMS(8, 3)));
  check_ok(rg_graph_add_output(g, seen ? op2(g, "Concat", scaled, y) : y));
  if (seen) check_ok(rg_node_set_int(g->last, "axis", 1));
  assert_int_equal(lowered_count(model, op), expected);
  if (number != 0 && isfinite(number)) check_same(model, 2, DIMS(3, 8));
  rango_model_free(model);
}

static void test_steps(void **state) {
  (void)state;
  check_step("Mul", false, 2.5, false, 0);
  check_step("Mul", true, 2.5, false, 0);
  check_step("Div", false, 2.5, false, 0);
  check_step("Div", true, 2.5, false, 1);  /* c / x */
  check_step("Mul", false, 2.5, true, 1);  /* somebody else needs it */
  check_step("Add", false, 2.5, false, 1); /* a shift of numbers that may be large */
  check_step("Div", false, 0, false, 1);
  check_step("Mul", false, INFINITY, false, 1);
}

/* A scale in front of x W1 W2, which still are a pair. */
static void test_pair(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 8));
  (void)state;
  x = op2(g, "Div", x, model_scalar(g, 2.5));
  x = op2(g, "MatMul", x, model_weights(g, "w1", 0.2, 2, DIMS(8, 3)));
  check_ok(rg_graph_add_output(g, op2(g, "MatMul", x, model_weights(g, "w2", 0.2, 2, DIMS(3, 8)))));
  assert_int_equal(lowered_count(model, "Div"), 0);
  assert_int_equal(lowered_count(model, "LowRankDense"), 1);
  check_same(model, 2, DIMS(3, 8));
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_images), cmocka_unit_test(test_steps),
                                     cmocka_unit_test(test_pair)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
