/* Activations and normalisations that exporters spell out are recognised in all their orders, and nothing else is. */
#include "passes/lower_model.h"

typedef rg_value *(*spelling)(rg_graph *graph, rg_value *x);

static rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}
static rg_value *op1(rg_graph *g, const char *op, rg_value *a) { return model_node(g, op, a, NULL, NULL, NULL); }

/* x erf's argument, three ways of putting the rest. */
static rg_value *erf_of(rg_graph *g, rg_value *x) {
  return op1(g, "Erf", op2(g, "Div", x, model_scalar(g, 1.4142135381698608)));
}
static rg_value *gelu_half_last(rg_graph *g, rg_value *x) {
  rg_value *sum = op2(g, "Add", erf_of(g, x), model_scalar(g, 1));
  return op2(g, "Mul", op2(g, "Mul", x, sum), model_scalar(g, 0.5));
}
static rg_value *gelu_half_first(rg_graph *g, rg_value *x) {
  rg_value *erf = op1(g, "Erf", op2(g, "Mul", model_scalar(g, 0.70710678118), x));
  return op2(g, "Mul", op2(g, "Mul", model_scalar(g, 0.5), x), op2(g, "Add", model_scalar(g, 1), erf));
}
static rg_value *gelu_half_between(rg_graph *g, rg_value *x) {
  rg_value *sum = op2(g, "Add", erf_of(g, x), model_scalar(g, 1));
  return op2(g, "Mul", op2(g, "Mul", sum, model_scalar(g, 0.5)), x);
}
static rg_value *gelu_tanh_pow(rg_graph *g, rg_value *x) {
  rg_value *cubed = op2(g, "Mul", op2(g, "Pow", x, model_scalar(g, 3)), model_scalar(g, 0.044715));
  rg_value *tanh = op1(g, "Tanh", op2(g, "Mul", op2(g, "Add", x, cubed), model_scalar(g, 0.7978845608)));
  return op2(g, "Mul", op2(g, "Mul", x, model_scalar(g, 0.5)), op2(g, "Add", tanh, model_scalar(g, 1)));
}
static rg_value *gelu_tanh_products(rg_graph *g, rg_value *x) {
  rg_value *cubed = op2(g, "Mul", op2(g, "Mul", op2(g, "Mul", x, x), x), model_scalar(g, 0.044715));
  rg_value *tanh = op1(g, "Tanh", op2(g, "Mul", op2(g, "Add", x, cubed), model_scalar(g, 0.7978845608)));
  return op2(g, "Mul", op2(g, "Mul", op2(g, "Add", tanh, model_scalar(g, 1)), x), model_scalar(g, 0.5));
}
static rg_value *silu(rg_graph *g, rg_value *x) { return op2(g, "Mul", x, op1(g, "Sigmoid", x)); }
static rg_value *hard_swish_clip(rg_graph *g, rg_value *x) {
  rg_value *clip =
      model_node(g, "Clip", op2(g, "Add", x, model_scalar(g, 3)), model_scalar(g, 0), model_scalar(g, 6), NULL);
  return op2(g, "Div", op2(g, "Mul", x, clip), model_scalar(g, 6));
}

/* Near misses: another constant, another factor, a sigmoid of something else. */
static rg_value *erf_other_scale(rg_graph *g, rg_value *x) {
  rg_value *erf = op1(g, "Erf", op2(g, "Mul", x, model_scalar(g, 0.7)));
  return op2(g, "Mul", op2(g, "Mul", x, op2(g, "Add", erf, model_scalar(g, 1))), model_scalar(g, 0.5));
}
static rg_value *erf_without_half(rg_graph *g, rg_value *x) {
  return op2(g, "Mul", x, op2(g, "Add", erf_of(g, x), model_scalar(g, 1)));
}
static rg_value *erf_minus_one(rg_graph *g, rg_value *x) {
  rg_value *sum = op2(g, "Sub", erf_of(g, x), model_scalar(g, 1));
  return op2(g, "Mul", op2(g, "Mul", x, sum), model_scalar(g, 0.5));
}
static rg_value *quick_gelu(rg_graph *g, rg_value *x) {
  return op2(g, "Mul", x, op1(g, "Sigmoid", op2(g, "Mul", x, model_scalar(g, 1.702))));
}

/* A softmax first, so that x is a value that a node makes. */
static rango_model *spell(spelling make) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(3, 37));
  check_ok(rg_graph_add_output(g, make(g, op1(g, "Softmax", x))));
  return model;
}

static void check_spelling(spelling make, rg_activation_kind kind) {
  rango_model *model = spell(make);
  rango_model *low = lowered(model);
  rg_node *node = model_find(low, "Activation");
  if (kind == RG_ACT_NONE) {
    assert_null(node);
  } else {
    assert_non_null(node);
    assert_int_equal(rg_activation_read(node).kind, kind);
    assert_int_equal(model_count(low, "Mul") + model_count(low, "Add") + model_count(low, "Div"), 0);
  }
  check_same(model, 2, DIMS(3, 37));
  rango_model_free(low);
  rango_model_free(model);
}

static void test_activations(void **state) {
  static const struct {
    spelling make;
    rg_activation_kind kind;
  } cases[] = {{gelu_half_last, RG_ACT_GELU},
               {gelu_half_first, RG_ACT_GELU},
               {gelu_half_between, RG_ACT_GELU},
               {gelu_tanh_pow, RG_ACT_GELU_TANH},
               {gelu_tanh_products, RG_ACT_GELU_TANH},
               {silu, RG_ACT_SILU},
               {hard_swish_clip, RG_ACT_HARD_SWISH},
               {erf_other_scale, RG_ACT_NONE},
               {erf_without_half, RG_ACT_NONE},
               {erf_minus_one, RG_ACT_NONE},
               {quick_gelu, RG_ACT_NONE}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_spelling(cases[i].make, cases[i].kind);
}

/* What was spelled out goes into the layer before it, too: nothing that is dead holds on to the layer's output. */
static void test_into_layer(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(3, 37));
  rg_value *y = op2(g, "MatMul", x, model_weights(g, "w", 0.2, 2, DIMS(37, 9)));
  check_ok(rg_graph_add_output(g, gelu_half_last(g, op2(g, "Add", y, model_weights(g, "b", 1, 1, DIMS(9))))));
  rango_model *low = lowered(model);
  assert_ptr_equal(low->graph->first, low->graph->last);
  assert_int_equal(rg_activation_read(low->graph->first).kind, RG_ACT_GELU);
  check_same(model, 2, DIMS(3, 37));
  rango_model_free(low);
  rango_model_free(model);
}

/* A sigmoid that something else needs as well stays. */
static void test_shared_gate(void **state) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(3, 37));
  rg_value *gate = op1(g, "Sigmoid", x);
  check_ok(rg_graph_add_output(g, op2(g, "Add", op2(g, "Mul", x, gate), gate)));
  assert_int_equal(lowered_count(model, "Activation"), 0);
  check_same(model, 2, DIMS(3, 37));
  rango_model_free(model);
}

/* ---- normalisations ---- */

typedef struct norm_spelling {
  bool centred, pow, reciprocal, bias;
  int64_t axis;
} norm_spelling;

static rg_value *mean(rg_graph *g, rg_value *x, int64_t axis) {
  return op2(g, "ReduceMean", x, model_ints(g, 1, &axis));
}

static rango_model *spell_norm(const norm_spelling *s, int64_t scale_size) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(2, 16, 16)), *d = x;
  if (s->centred) d = op2(g, "Sub", x, mean(g, x, s->axis));
  rg_value *square = s->pow ? op2(g, "Pow", d, model_scalar(g, 2)) : op2(g, "Mul", d, d);
  rg_value *root = op1(g, "Sqrt", op2(g, "Add", mean(g, square, s->axis), model_scalar(g, 1e-5)));
  rg_value *y = s->reciprocal ? op2(g, "Mul", d, op1(g, "Reciprocal", root)) : op2(g, "Div", d, root);
  y = op2(g, "Mul", y, model_weights(g, "scale", 1, 1, DIMS(scale_size)));
  if (s->bias) y = op2(g, "Add", y, model_weights(g, "bias", 1, 1, DIMS(16)));
  check_ok(rg_graph_add_output(g, y));
  return model;
}

static void test_normalisations(void **state) {
  static const norm_spelling cases[] = {{true, true, false, true, -1},
                                        {true, false, true, true, 2},
                                        {true, false, false, false, -1},
                                        {false, false, false, false, -1},
                                        {false, true, true, false, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rango_model *model = spell_norm(&cases[i], 16);
    rango_model *low = lowered(model);
    assert_int_equal(model_count(low, cases[i].centred ? "LayerNormalization" : "RMSNormalization"), 1);
    assert_ptr_equal(low->graph->first, low->graph->last);
    check_same(model, 3, DIMS(2, 16, 16));
    rango_model_free(low);
    rango_model_free(model);
  }
}

/* Over another axis, or with one scale for all: not these operators. */
static void test_other_normalisations(void **state) {
  rango_model *axis = spell_norm(&(norm_spelling){.centred = true, .axis = 1}, 16);
  rango_model *scale = spell_norm(&(norm_spelling){.centred = true, .axis = -1}, 1);
  assert_int_equal(lowered_count(axis, "LayerNormalization"), 0);
  assert_int_equal(lowered_count(scale, "LayerNormalization"), 0);
  check_same(axis, 3, DIMS(2, 16, 16));
  check_same(scale, 3, DIMS(2, 16, 16));
  rango_model_free(axis);
  rango_model_free(scale);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_activations), cmocka_unit_test(test_into_layer),
                                     cmocka_unit_test(test_shared_gate), cmocka_unit_test(test_normalisations),
                                     cmocka_unit_test(test_other_normalisations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
