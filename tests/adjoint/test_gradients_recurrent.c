/* Adjoints of LSTM, GRU and RNN against central differences in double precision: directions, layouts, sequence lengths,
 * initial states, which outputs are read, activations. */
#include "adjoint/gradient.h"

enum { STEPS = 5, ROWS = 3, INPUTS = 4, HIDDEN = 3 };

typedef struct settings {
  const char *op, *direction;
  bool bias, lengths, states, batch_first;
  bool y, h, c; /* outputs that are read */
} settings;

static int gates_of(const char *op) { return op[0] == 'L' ? 4 : op[0] == 'G' ? 3 : 1; }

static rg_value *state_of(net *n, const settings *s, int64_t directions) {
  return s->batch_first ? X(n, ROWS, directions, HIDDEN) : X(n, directions, ROWS, HIDDEN);
}

static rg_value *layer(net *n, settings s) {
  const int64_t d = s.direction[0] == 'b' ? 2 : 1, width = gates_of(s.op) * HIDDEN;
  rg_value *x = s.batch_first ? X(n, ROWS, STEPS, INPUTS) : X(n, STEPS, ROWS, INPUTS);
  rg_value *w = W_RANGE(n, -1, 1, d, width, INPUTS), *r = W_RANGE(n, -1, 1, d, width, HIDDEN);
  rg_value *bias = s.bias ? W_RANGE(n, -1, 1, d, 2 * width) : NULL, *lengths = NULL, *c = NULL;
  rg_node *node;
  if (s.lengths) {
    int32_t numbers[ROWS] = {3, STEPS, 1};
    rango_tensor tensor;
    check_ok(rg_tensor_init(&tensor, RANGO_INT32, &(rg_shape){1, {ROWS}}));
    memcpy(tensor.data, numbers, sizeof numbers);
    check_ok(rg_graph_add_constant(n->graph, "lengths", &tensor, &lengths));
  }
  rg_value *h = s.states ? state_of(n, &s, d) : NULL;
  bool lstm = gates_of(s.op) == 4;
  if (lstm && s.states) c = state_of(n, &s, d);
  rg_value *inputs[] = {x, w, r, bias, lengths, h, c};
  int count = lstm ? 7 : 6, outputs = lstm ? 3 : 2, read = 0;
  check_ok(rg_graph_add_node(n->graph, NULL, s.op, "", MODEL_OPSET, count, outputs, &node));
  for (int i = 0; i < count; i++) check_ok(rg_node_set_input(node, i, inputs[i]));
  for (int i = 0; i < outputs; i++) {
    rg_value *out;
    if (!(i == 0 ? s.y : i == 1 ? s.h : s.c)) continue;
    check_ok(rg_graph_add_value(n->graph, NULL, &out));
    rg_node_set_output(node, i, out);
    n->outputs[read++] = out;
  }
  check_ok(rg_node_set_string(node, "direction", s.direction));
  check_ok(rg_node_set_int(node, "hidden_size", HIDDEN));
  if (s.batch_first) check_ok(rg_node_set_int(node, "layout", 1));
  return n->outputs[0];
}

#define LAYER(name, ...)                                                                                               \
  static rg_value *name(net *n) { return layer(n, (settings){__VA_ARGS__}); }
LAYER(lstm, "LSTM", "forward", true, .y = true)
LAYER(lstm_last, "LSTM", "forward", true, .h = true)
LAYER(lstm_cell, "LSTM", "reverse", .states = true, .c = true)
LAYER(lstm_lengths, "LSTM", "forward", true, true, true, .y = true, .h = true, .c = true)
LAYER(lstm_reverse_lengths, "LSTM", "reverse", true, true, .y = true, .h = true)
LAYER(lstm_both, "LSTM", "bidirectional", true, .states = true, .y = true, .c = true)
LAYER(lstm_both_lengths, "LSTM", "bidirectional", true, true, true, .y = true, .h = true, .c = true)
LAYER(lstm_batch_first, "LSTM", "bidirectional", true, true, true, true, .y = true, .h = true, .c = true)
LAYER(gru, "GRU", "forward", true, .y = true)
LAYER(gru_last, "GRU", "reverse", .states = true, .h = true)
LAYER(gru_lengths, "GRU", "bidirectional", true, true, true, .y = true, .h = true)
LAYER(gru_batch_first, "GRU", "bidirectional", true, true, true, true, .y = true, .h = true)
LAYER(rnn, "RNN", "forward", true, .y = true)
LAYER(rnn_lengths, "RNN", "bidirectional", true, true, true, .y = true, .h = true)

static rg_value *gru_linear(net *n) {
  return set_int(layer(n, (settings){"GRU", "forward", true, .states = true, .y = true}), "linear_before_reset", 1);
}
static rg_value *gru_linear_lengths(net *n) {
  settings s = {"GRU", "bidirectional", true, true, true, .y = true, .h = true};
  return set_int(layer(n, s), "linear_before_reset", 1);
}
static rg_value *gru_linear_without_bias(net *n) {
  return set_int(layer(n, (settings){"GRU", "reverse", .h = true}), "linear_before_reset", 1);
}

/* ---- activations ---- */

static rg_value *named(net *n, rg_value *y, int count, const char *const *names) {
  rg_attr *attribute;
  check_ok(rg_node_add_attr(y->producer, "activations", &attribute));
  attribute->kind = RG_ATTR_STRINGS;
  attribute->count = (size_t)count;
  check_ok(rg_arena_alloc(n->model->arena, (size_t)count * sizeof(rg_string), RG_OUT(&attribute->strings)));
  for (int i = 0; i < count; i++) ((rg_string *)attribute->strings)[i] = (rg_string){names[i], strlen(names[i])};
  return y;
}
static rg_value *lstm_hard(net *n) {
  static const char *const names[] = {"HardSigmoid", "Softsign", "tanh", "sigmoid", "Tanh", "Softsign"};
  static float alphas[] = {0.15f}, betas[] = {0.4f};
  rg_value *y = layer(n, (settings){"LSTM", "bidirectional", true, .states = true, .y = true, .c = true});
  rg_attr *attribute;
  named(n, y, 6, names);
  check_ok(rg_node_add_attr(y->producer, "activation_alpha", &attribute));
  *attribute = (rg_attr){.name = attribute->name, .kind = RG_ATTR_FLOATS, .count = 1, .floats = alphas};
  check_ok(rg_node_add_attr(y->producer, "activation_beta", &attribute));
  *attribute = (rg_attr){.name = attribute->name, .kind = RG_ATTR_FLOATS, .count = 1, .floats = betas};
  return y;
}
static rg_value *rnn_relu(net *n) {
  static const char *const names[] = {"Relu"};
  return named(n, layer(n, (settings){"RNN", "reverse", true, .y = true}), 1, names);
}

/* Two layers with what exporters put between them. */
static rg_value *stacked(net *n) {
  rg_value *y = layer(n, (settings){"LSTM", "bidirectional", true, .y = true});
  y = SET_INTS(op(n, "Transpose", y, NULL, NULL, NULL), "perm", 0, 2, 1, 3);
  y = op(n, "Reshape", y, INTS(n, 0, 0, -1), NULL, NULL);
  rg_value *h =
      op(n, "GRU", y, W_RANGE(n, -1, 1, 1, 3 * HIDDEN, 2 * HIDDEN), W_RANGE(n, -1, 1, 1, 3 * HIDDEN, HIDDEN), NULL);
  set_int(h, "hidden_size", HIDDEN);
  h = op(n, "Squeeze", h, INTS(n, 1), NULL, NULL);
  return n->outputs[0] = op(n, "MatMul", h, W(n, HIDDEN, 2), NULL, NULL);
}

static const net_listed cases[] = {
    NET(lstm),
    NET(lstm_last),
    NET(lstm_cell),
    NET(lstm_lengths),
    NET(lstm_reverse_lengths),
    NET(lstm_both),
    NET(lstm_both_lengths),
    NET(lstm_batch_first),
    NET(gru),
    NET(gru_last),
    NET(gru_lengths),
    NET(gru_batch_first),
    NET(gru_linear),
    NET(gru_linear_lengths),
    NET(gru_linear_without_bias),
    NET(rnn),
    NET(rnn_lengths),
    NET(lstm_hard),
    NET(rnn_relu),
    NET(stacked),
};

NET_TESTS(cases)
