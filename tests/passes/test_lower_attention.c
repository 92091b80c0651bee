/* Attention as exporters spell it becomes one operator; what is no attention, or is looked into, stays. */
#include "passes/lower_model.h"

#define HEADS  3
#define LENGTH 21
#define SIZE   8
#define WIDTH  (HEADS * SIZE)

static rg_value *op2(rg_graph *g, const char *op, rg_value *a, rg_value *b) {
  return model_node(g, op, a, b, NULL, NULL);
}

static rg_value *dense(rg_graph *g, rg_value *x, const char *name, int64_t columns) {
  return op2(g, "MatMul", x, model_weights(g, name, 0.3, 2, DIMS(WIDTH, columns)));
}

static rg_value *transpose(rg_graph *g, rg_value *x, int rank, const int64_t *perm) {
  rg_value *y = model_node(g, "Transpose", x, NULL, NULL, NULL);
  check_ok(rg_node_set_ints(y->producer, "perm", perm, (size_t)rank));
  return y;
}

static rg_value *reshape(rg_graph *g, rg_value *x, int rank, const int64_t *dims) {
  return op2(g, "Reshape", x, model_ints(g, rank, dims));
}

/* How q, k and v come out of x. */
typedef enum source { SEPARATE, JOINT_SLICE, JOINT_GATHER, JOINT_SPLIT, KEYS_TURNED, PLAIN } source;

/* Place `index` of the first axis of [3, ...]. */
static rg_value *pick(rg_graph *g, source from, rg_value *x, int64_t index) {
  if (from == JOINT_GATHER) return op2(g, "Gather", x, model_ints(g, 0, DIMS(index)));
  rg_value *one = model_node(g, "Slice", x, model_ints(g, 1, DIMS(index)), model_ints(g, 1, DIMS(index + 1)),
                             model_ints(g, 1, DIMS(0)));
  return op2(g, "Squeeze", one, model_ints(g, 1, DIMS(0)));
}

static void split(rg_graph *g, rg_value *x, rg_value **parts) {
  rg_node *node;
  check_ok(rg_graph_add_node(g, NULL, "Split", "", MODEL_OPSET, 1, 3, &node));
  check_ok(rg_node_set_input(node, 0, x));
  check_ok(rg_node_set_int(node, "axis", 0));
  check_ok(rg_node_set_int(node, "num_outputs", 3));
  for (int i = 0; i < 3; i++) {
    check_ok(rg_graph_add_value(g, NULL, &parts[i]));
    rg_node_set_output(node, i, parts[i]);
    parts[i] = op2(g, "Squeeze", parts[i], model_ints(g, 1, DIMS(0)));
  }
}

/* q, k and v as [batch, heads, length, size]; KEYS_TURNED: k as [batch, heads, size, length]. */
static void operands(rg_graph *g, source from, rg_value *x, rg_value **out) {
  static const char *const names[] = {"wq", "wk", "wv"};
  if (from == JOINT_SLICE || from == JOINT_GATHER || from == JOINT_SPLIT) {
    rg_value *joint = reshape(g, dense(g, x, "w", 3 * WIDTH), 5, DIMS(0, 0, 3, HEADS, SIZE));
    joint = transpose(g, joint, 5, DIMS(2, 0, 3, 1, 4));
    if (from == JOINT_SPLIT) split(g, joint, out);
    for (int i = 0; i < 3 && from != JOINT_SPLIT; i++) out[i] = pick(g, from, joint, i);
    return;
  }
  for (int i = 0; i < 3; i++) {
    out[i] = dense(g, x, names[i], WIDTH);
    if (from == PLAIN) continue;
    out[i] = reshape(g, out[i], 4, DIMS(0, 0, HEADS, SIZE));
    out[i] = transpose(g, out[i], 4, from == KEYS_TURNED && i == 1 ? DIMS(0, 2, 3, 1) : DIMS(0, 2, 1, 3));
  }
}

typedef enum scaling { SCALE_NONE, SCALE_MUL, SCALE_DIV, SCALE_OPERANDS } scaling;
typedef enum masking { MASK_NONE, MASK_KEYS, MASK_CAUSAL } masking;

typedef struct attention_case {
  source from;
  scaling scale;
  masking mask;
  bool seen; /* somebody else uses the weights */
  int axis;  /* of Softmax */
  int expected;
} attention_case;

static rg_value *masked(rg_graph *g, masking mask, rg_value *scores) {
  if (mask == MASK_NONE) return scores;
  if (mask == MASK_KEYS) return op2(g, "Add", model_weights(g, "mask", 3, 3, DIMS(1, 1, LENGTH)), scores);
  rg_value *causal = model_weights(g, "causal", 0, 2, DIMS(LENGTH, LENGTH));
  for (int i = 0; i < LENGTH; i++)
    for (int j = i + 1; j < LENGTH; j++) ((float *)causal->constant->data)[i * LENGTH + j] = -INFINITY;
  return op2(g, "Add", scores, causal);
}

static void check_attention(const attention_case *c) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, LENGTH, WIDTH)), *in[3];
  const int rank = c->from == PLAIN ? 3 : 4;
  operands(g, c->from, x, in);
  if (c->scale == SCALE_OPERANDS) in[0] = op2(g, "Mul", in[0], model_scalar(g, 0.6));
  if (c->from != KEYS_TURNED) in[1] = transpose(g, in[1], rank, rank == 3 ? DIMS(0, 2, 1) : DIMS(0, 1, 3, 2));
  if (c->scale == SCALE_OPERANDS) in[1] = op2(g, "Mul", model_scalar(g, 0.6), in[1]);
  rg_value *scores = op2(g, "MatMul", in[0], in[1]);
  if (c->scale == SCALE_MUL) scores = op2(g, "Mul", scores, model_scalar(g, 0.35));
  if (c->scale == SCALE_DIV) scores = op2(g, "Div", scores, model_scalar(g, 2.8));
  rg_value *weights = model_node(g, "Softmax", masked(g, c->mask, scores), NULL, NULL, NULL);
  check_ok(rg_node_set_int(weights->producer, "axis", c->axis));
  rg_value *y = op2(g, "MatMul", weights, in[2]);
  if (c->from != PLAIN) y = reshape(g, transpose(g, y, 4, DIMS(0, 2, 1, 3)), 3, DIMS(0, 0, WIDTH));
  check_ok(rg_graph_add_output(g, y));
  if (!c->seen) check_same(model, 3, DIMS(2, LENGTH, WIDTH));
  if (c->seen) check_ok(rg_graph_add_output(g, weights));
  rango_model *low = lowered(model);
  assert_int_equal(model_count(low, "Attention"), c->expected);
  if (c->expected) assert_int_equal(model_count(low, "Transpose") + model_count(low, "Slice"), 0);
  if (c->expected) assert_int_equal(model_count(low, "Softmax") + model_count(low, "Gather"), 0);
  rango_model_free(low);
  rango_model_free(model);
}

static void test_forms(void **state) {
  (void)state;
  static const source sources[] = {SEPARATE, JOINT_SLICE, JOINT_GATHER, JOINT_SPLIT, KEYS_TURNED, PLAIN};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    for (int scale = SCALE_NONE; scale <= SCALE_OPERANDS; scale++)
      for (int mask = MASK_NONE; mask <= MASK_CAUSAL; mask++)
        check_attention(&(attention_case){sources[i], (scaling)scale, (masking)mask, false, -1, 1});
}

static void test_kept(void **state) {
  (void)state;
  check_attention(&(attention_case){SEPARATE, SCALE_MUL, MASK_NONE, true, -1, 0});
  check_attention(&(attention_case){SEPARATE, SCALE_MUL, MASK_NONE, false, 2, 0}); /* along the queries */
  check_attention(&(attention_case){SEPARATE, SCALE_MUL, MASK_NONE, false, 3, 1});
}

/* A mask with more axes than the scores would give the result more. */
static void test_wide_mask(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(LENGTH, WIDTH));
  rg_value *scores = op2(g, "MatMul", x, transpose(g, x, 2, DIMS(1, 0)));
  scores = op2(g, "Add", scores, model_weights(g, "mask", 1, 3, DIMS(2, 1, LENGTH)));
  rg_value *y = op2(g, "MatMul", model_node(g, "Softmax", scores, NULL, NULL, NULL), x);
  check_ok(rg_graph_add_output(g, y));
  assert_int_equal(lowered_count(model, "Attention"), 0);
  check_same(model, 2, DIMS(LENGTH, WIDTH));
  rango_model_free(model);
}

/* The operator of opset 23; `flat`: heads and their sizes share an axis. */
typedef struct operator_case {
  bool flat, causal, mask, last; /* last: its result is the model's */
  float scale;                   /* 0: the default */
  int64_t kv_heads;
  int expected;
} operator_case;

static void check_operator(const operator_case *c) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  const int64_t shape[] = {2, LENGTH, WIDTH};
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(-1, LENGTH, WIDTH)), *in[3];
  for (int i = 0; i < 3; i++) {
    const int64_t heads = i == 0 ? HEADS : c->kv_heads;
    in[i] = dense(g, x, (const char *[]){"wq", "wk", "wv"}[i], heads * SIZE);
    if (!c->flat) in[i] = transpose(g, reshape(g, in[i], 4, DIMS(0, 0, heads, SIZE)), 4, DIMS(0, 2, 1, 3));
  }
  rg_value *y = model_node(g, "Attention", in[0], in[1], in[2],
                           c->mask ? model_weights(g, "mask", 1, 2, DIMS(LENGTH, LENGTH)) : NULL);
  rg_node *node = y->producer;
  node->version = 23;
  check_ok(rg_node_set_int(node, "is_causal", c->causal));
  if (c->scale != 0) check_ok(rg_node_set_float(node, "scale", c->scale));
  if (c->flat) check_ok(rg_node_set_int(node, "q_num_heads", HEADS));
  if (c->flat) check_ok(rg_node_set_int(node, "kv_num_heads", c->kv_heads));
  check_ok(rg_graph_add_output(g, c->last ? y : model_node(g, "Relu", y, NULL, NULL, NULL)));
  rango_model *low = lowered(model);
  rg_node *attention = model_find(low, "Attention");
  assert_int_equal(strcmp(attention->domain, RG_PRIVATE_DOMAIN) == 0, c->expected);
  check_same(model, 3, shape);
  rango_model_free(low);
  rango_model_free(model);
}

static void test_operator(void **state) {
  (void)state;
  for (int i = 0; i < 16; i++) check_operator(&(operator_case){i & 1, i & 2, false, i & 4, i & 8 ? 0.3f : 0, HEADS, 1});
  check_operator(&(operator_case){true, false, true, true, 0, HEADS, 0});
  check_operator(&(operator_case){true, true, false, true, 0, 1, 0});
  check_operator(&(operator_case){false, false, false, true, 0, 1, 0});
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_kept),
                                     cmocka_unit_test(test_wide_mask), cmocka_unit_test(test_operator)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
