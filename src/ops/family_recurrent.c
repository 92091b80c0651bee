/* LSTM, GRU and RNN: all directions, both layouts, sequence lengths, peepholes, clipping, every listed activation. */
#include "ops/compute.h"
#include "ops/twice.h"

#include <string.h>
#include <strings.h>
#include <tgmath.h>

typedef enum cell_kind { CELL_RNN, CELL_GRU, CELL_LSTM } cell_kind;

typedef enum cell_activation_kind {
  CELL_SIGMOID,
  CELL_TANH,
  CELL_RELU,
  CELL_AFFINE,
  CELL_LEAKY_RELU,
  CELL_THRESHOLDED_RELU,
  CELL_SCALED_TANH,
  CELL_HARD_SIGMOID,
  CELL_ELU,
  CELL_SOFTSIGN,
  CELL_SOFTPLUS
} cell_activation_kind;

typedef struct cell_activation {
  cell_activation_kind kind;
  float alpha, beta;
} cell_activation;

typedef struct recurrent {
  cell_kind kind;
  int64_t gates, directions, steps, batch, input, hidden;
  bool batch_first, first_reverse, reverse, linear_before_reset, input_forget;
  float clip;             /* 0: none */
  const int64_t *lengths; /* [batch] */
  int64_t y_step, y_row;  /* strides of Y along time and batch */
  cell_activation all_activations[6];
  const cell_activation *activations; /* of the direction being run: f, g, h */
} recurrent;

typedef struct operands {
  const rango_tensor *x, *w, *r, *bias, *h, *c, *peephole; /* bias and later: may be NULL */
} operands;

typedef struct results {
  rango_tensor *y, *h, *c; /* NULL: not wanted */
} results;

#define T          float
#define NAME(name) name##_f32
#define PRODUCT    rg_product_f32
#include "ops/recurrent_loops.h"
#undef T
#undef NAME
#undef PRODUCT
#define T          double
#define NAME(name) name##_f64
#define PRODUCT    rg_product_f64
#include "ops/recurrent_loops.h"
#undef T
#undef NAME
#undef PRODUCT

/* ---- attributes ---- */

static const struct {
  const char *name;
  int parameters; /* how many of alpha, beta it takes */
  float alpha, beta;
} activation_table[] = {
    [CELL_SIGMOID] = {"Sigmoid", 0, 0, 0},
    [CELL_TANH] = {"Tanh", 0, 0, 0},
    [CELL_RELU] = {"Relu", 0, 0, 0},
    [CELL_AFFINE] = {"Affine", 2, 1, 0},
    [CELL_LEAKY_RELU] = {"LeakyRelu", 1, 0.01f, 0},
    [CELL_THRESHOLDED_RELU] = {"ThresholdedRelu", 1, 1, 0},
    [CELL_SCALED_TANH] = {"ScaledTanh", 2, 1, 1},
    [CELL_HARD_SIGMOID] = {"HardSigmoid", 2, 0.2f, 0.5f},
    [CELL_ELU] = {"Elu", 1, 1, 0},
    [CELL_SOFTSIGN] = {"Softsign", 0, 0, 0},
    [CELL_SOFTPLUS] = {"Softplus", 0, 0, 0},
};

static int kind_of(const rg_node *node) {
  return node->op[0] == 'L' ? CELL_LSTM : node->op[0] == 'G' ? CELL_GRU : CELL_RNN;
}
static int gates_of(int kind) { return kind == CELL_LSTM ? 4 : kind == CELL_GRU ? 3 : 1; }
static int functions_of(int kind) { return kind == CELL_LSTM ? 3 : kind == CELL_GRU ? 2 : 1; }

/* 1 or 2; 0 for an unknown word. */
static int directions_of(const rg_node *node, bool *reverse) {
  const char *direction = rg_node_string(node, "direction", "forward");
  *reverse = strcmp(direction, "reverse") == 0;
  if (strcmp(direction, "bidirectional") == 0) return 2;
  return *reverse || strcmp(direction, "forward") == 0;
}

static bool find_activation(rg_string name, cell_activation *out) {
  for (size_t i = 0; i < sizeof activation_table / sizeof *activation_table; i++) {
    if (strcasecmp(name.text, activation_table[i].name) != 0) continue;
    *out = (cell_activation){(cell_activation_kind)i, activation_table[i].alpha, activation_table[i].beta};
    return true;
  }
  return false;
}

/* The functions of all directions, all[direction * 3 + function]; alpha and beta are handed out in order to those that
 * take them. */
static rango_status read_activations(const rg_node *node, int kind, int directions, cell_activation *all) {
  const rg_attr *names = rg_node_attr(node, "activations"), *alphas = rg_node_attr(node, "activation_alpha"),
                *betas = rg_node_attr(node, "activation_beta");
  size_t functions = (size_t)functions_of(kind), alpha = 0, beta = 0;
  if (names && (names->kind != RG_ATTR_STRINGS || names->count != functions * (size_t)directions))
    return rg_fail(RANGO_ERROR_FORMAT, "%s: %zu activations, needs %zu", rg_node_text(node), names->count,
                   functions * (size_t)directions);
  for (size_t d = 0; d < (size_t)directions; d++) {
    for (size_t f = 0; f < functions; f++) {
      cell_activation *activation = &all[d * 3 + f];
      if (!names) {
        *activation = (cell_activation){kind == CELL_RNN || f > 0 ? CELL_TANH : CELL_SIGMOID, 0, 0};
        continue;
      }
      rg_string name = names->strings[d * functions + f];
      if (!find_activation(name, activation))
        return rg_fail(RANGO_ERROR_UNSUPPORTED, "%s: activation '%s'", rg_node_text(node), name.text);
      int parameters = activation_table[activation->kind].parameters;
      if (parameters > 0 && alphas && alphas->kind == RG_ATTR_FLOATS && alpha < alphas->count)
        activation->alpha = alphas->floats[alpha++];
      if (parameters > 1 && betas && betas->kind == RG_ATTR_FLOATS && beta < betas->count)
        activation->beta = betas->floats[beta++];
    }
  }
  return RANGO_OK;
}

static rango_status check_recurrent(const rg_node *node) {
  bool reverse;
  int directions = directions_of(node, &reverse);
  cell_activation all[6];
  if (directions == 0) return rg_fail(RANGO_ERROR_FORMAT, "%s: unknown direction", rg_node_text(node));
  if (rg_node_int(node, "hidden_size", 1) < 1)
    return rg_fail(RANGO_ERROR_FORMAT, "%s: hidden_size must be positive", rg_node_text(node));
  return read_activations(node, kind_of(node), directions, all);
}

/* ---- shapes ---- */

static rango_status infer_recurrent(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *r = infer->inputs[2];
  bool reverse, batch_first = rg_node_int(infer->node, "layout", 0) != 0;
  int64_t directions = directions_of(infer->node, &reverse);
  int64_t hidden = rg_node_int(infer->node, "hidden_size", RG_SIZE_UNKNOWN);
  if (r && r->rank == 3) {
    if (rg_size_is_known(hidden) && rg_size_is_known(r->dims[2]) && r->dims[2] != hidden)
      return rg_infer_fail(infer, "hidden_size is %lld, the recurrent weight says %lld", (long long)hidden,
                           (long long)r->dims[2]);
    if (!rg_size_is_known(hidden)) hidden = r->dims[2];
  }
  if (hidden == RG_SIZE_UNKNOWN) hidden = rg_infer_new_symbol(infer);
  if (x->rank >= 0 && x->rank != 3) return rg_infer_fail(infer, "the input has %d axes, needs 3", x->rank);
  int64_t steps = x->rank == 3 ? x->dims[batch_first] : rg_infer_new_symbol(infer);
  int64_t batch = x->rank == 3 ? x->dims[!batch_first] : rg_infer_new_symbol(infer);
  int64_t y[2][4] = {{steps, directions, batch, hidden}, {batch, steps, directions, hidden}};
  int64_t state[2][3] = {{directions, batch, hidden}, {batch, directions, hidden}};
  for (int i = 0; i < infer->output_count; i++) {
    if (!infer->outputs[i]) continue;
    if (i == 0)
      rg_fact_set(infer->outputs[i], x->type, 4, y[batch_first]);
    else
      rg_fact_set(infer->outputs[i], x->type, 3, state[batch_first]);
  }
  return RANGO_OK;
}

static int64_t macs_recurrent(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  const rg_fact *x = inputs[0], *w = inputs[1], *r = inputs[2];
  int64_t rows = 1, weights = 0;
  if (x->rank != 3 || w->rank != 3 || r->rank != 3) return -1;
  for (int i = 0; i < 3; i++)
    if (!rg_size_is_known(x->dims[i]) || !rg_size_is_known(w->dims[i]) || !rg_size_is_known(r->dims[i])) return -1;
  if (!rg_mul_i64(x->dims[0], x->dims[1], &rows) || !rg_add_i64(w->dims[2], r->dims[2], &weights) ||
      !rg_mul_i64(weights, w->dims[0], &weights) || !rg_mul_i64(weights, w->dims[1], &weights) ||
      !rg_mul_i64(weights, rows, &rows))
    return -1;
  return rows;
}

/* ---- compute ---- */

static rango_status need_shape(const rg_exec *exec, int index, const rango_tensor *like, bool required, int rank,
                               const int64_t *dims, const rango_tensor **out) {
  rg_shape wanted = {.rank = rank};
  for (int i = 0; i < rank; i++) wanted.dims[i] = dims[i];
  RG_TRY(rg_optional_like(exec, index, like, out));
  if (!*out && !required) return RANGO_OK;
  char text[RG_SHAPE_TEXT];
  if (!*out || !rg_shape_equal(&(*out)->shape, &wanted))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d needs the shape %s", index,
                        rg_shape_text(&wanted, text, sizeof text));
  return RANGO_OK;
}

/* Sequence lengths, all the whole length where they aren't given. */
static rango_status read_lengths(rg_exec *exec, recurrent *s) {
  const int64_t *given;
  int64_t count, *lengths = NULL;
  RG_TRY(rg_exec_integers(exec, 4, &given, &count));
  if (given && count != s->batch)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "sequence_lens has not one entry a row");
  RG_TRY(rg_scratch_array(exec, s->batch, sizeof *lengths, RG_OUT(&lengths)));
  for (int64_t b = 0; b < s->batch; b++) {
    lengths[b] = given ? given[b] : s->steps;
    if (lengths[b] < 0 || lengths[b] > s->steps)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "sequence_lens has the entry %lld for %lld steps",
                          (long long)lengths[b], (long long)s->steps);
  }
  s->lengths = lengths;
  return RANGO_OK;
}

static rango_status read_recurrent(rg_exec *exec, recurrent *s, operands *in) {
  const rg_node *node = exec->node;
  RG_TRY(rg_need_float(exec, 0, 3, &in->x));
  RG_TRY(rg_optional_like(exec, 2, in->x, &in->r));
  if (in->x->shape.rank != 3 || !in->r || in->r->shape.rank != 3)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input and the weights need 3 axes");
  memset(s, 0, sizeof *s);
  s->kind = (cell_kind)kind_of(node);
  s->gates = gates_of(s->kind);
  s->directions = directions_of(node, &s->first_reverse);
  s->batch_first = rg_node_int(node, "layout", 0) != 0;
  s->linear_before_reset = rg_node_int(node, "linear_before_reset", 0) != 0;
  s->input_forget = rg_node_int(node, "input_forget", 0) != 0;
  s->clip = rg_node_float(node, "clip", 0);
  RG_TRY(read_activations(node, s->kind, (int)s->directions, s->all_activations));
  s->steps = in->x->shape.dims[s->batch_first];
  s->batch = in->x->shape.dims[!s->batch_first];
  s->input = in->x->shape.dims[2];
  s->hidden = in->r->shape.dims[2];
  int64_t width;
  if (s->hidden > INT32_MAX || !rg_mul_i64(s->gates, s->hidden, &width))
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the hidden size is too large");
  int64_t d = s->directions, b = s->batch, n = s->hidden;
  int64_t state[2][3] = {{d, b, n}, {b, d, n}};
  RG_TRY(need_shape(exec, 1, in->x, true, 3, (int64_t[]){d, width, s->input}, &in->w));
  RG_TRY(need_shape(exec, 2, in->x, true, 3, (int64_t[]){d, width, n}, &in->r));
  RG_TRY(need_shape(exec, 3, in->x, false, 2, (int64_t[]){d, 2 * width}, &in->bias));
  RG_TRY(need_shape(exec, 5, in->x, false, 3, state[s->batch_first], &in->h));
  in->c = in->peephole = NULL;
  if (s->kind == CELL_LSTM) {
    RG_TRY(need_shape(exec, 6, in->x, false, 3, state[s->batch_first], &in->c));
    RG_TRY(need_shape(exec, 7, in->x, false, 2, (int64_t[]){d, 3 * n}, &in->peephole));
  }
  return read_lengths(exec, s);
}

static rango_status wanted_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape,
                                  rango_tensor **out) {
  *out = NULL;
  return rg_exec_wants(exec, index) ? rg_exec_output(exec, index, type, shape, out) : RANGO_OK;
}

static rango_status compute_recurrent(rg_exec *exec) {
  recurrent s;
  operands in;
  results out;
  RG_TRY(read_recurrent(exec, &s, &in));
  int64_t d = s.directions, b = s.batch, n = s.hidden;
  rg_shape y = {.rank = 4, .dims = {s.steps, d, b, n}}, state = {.rank = 3, .dims = {d, b, n}};
  if (s.batch_first) {
    y = (rg_shape){.rank = 4, .dims = {b, s.steps, d, n}};
    state = (rg_shape){.rank = 3, .dims = {b, d, n}};
  }
  s.y_step = s.batch_first ? d * n : d * b * n;
  s.y_row = s.batch_first ? s.steps * d * n : n;
  RG_TRY(wanted_output(exec, 0, in.x->type, &y, &out.y));
  RG_TRY(wanted_output(exec, 1, in.x->type, &state, &out.h));
  RG_TRY(wanted_output(exec, 2, in.x->type, &state, &out.c));
  return in.x->type == RANGO_FLOAT32 ? recurrent_compute_f32(exec, &s, &in, &out)
                                     : recurrent_compute_f64(exec, &s, &in, &out);
}

#define MAX RG_OPSET_MAX
static const rg_op ops[] = {
    {"", "LSTM", 1, MAX, 3, 8, 0, 3, RG_OP_FLOAT_ONLY, check_recurrent, infer_recurrent, compute_recurrent,
     macs_recurrent},
    {"", "GRU", 1, MAX, 3, 6, 0, 2, RG_OP_FLOAT_ONLY, check_recurrent, infer_recurrent, compute_recurrent,
     macs_recurrent},
    {"", "RNN", 1, MAX, 3, 6, 0, 2, RG_OP_FLOAT_ONLY, check_recurrent, infer_recurrent, compute_recurrent,
     macs_recurrent},
};
RG_OPS_EXPORT(recurrent, ops);
