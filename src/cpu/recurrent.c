/*
 * LSTM and GRU with their usual activations. The input's part of all gates is one matrix product over all steps; then
 * each row of each direction runs through its steps by itself, with the recurrent weights transposed so that a step is
 * a sum of rows.
 */
#include <string.h>

#include "base/checked.h"
#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

typedef struct recurrent_state {
  const rg_vector_kernels *kernels;
  bool lstm, batch_first, reverse, linear;               /* linear: GRU's linear_before_reset */
  size_t directions, steps, batch, input, hidden, width; /* width: of all gates */
  rg_right right;
  rg_gemm gemm;
  size_t gemm_scratch;
  const float *r; /* [directions][hidden][width] */
  rg_shape y, state;
} recurrent_state;

/* Everything that a run works on. */
typedef struct arrays {
  const recurrent_state *state;
  const float *bias, *h, *c, *peepholes; /* of the node's inputs; each may be NULL */
  const int32_t *lengths;                /* [batch] or NULL */
  float *y, *y_h, *y_c;                  /* each may be NULL */
  float *projected;                      /* [directions][steps * batch, in x's order][width] */
  float *rows;                           /* [directions * batch][width + 3 * hidden] */
} arrays;

static size_t row_floats(const recurrent_state *s) { return rg_round_up(s->width + 3 * s->hidden, 16); }

/* ---- one step of one row ---- */

static void gru_step(const recurrent_state *s, const float *r, const float *bias, const float *projected, float *gates,
                     float *reset, float *h) {
  const rg_vector_kernels *k = s->kernels;
  const size_t n = s->hidden, width = s->width;
  float *candidate = gates + 2 * n;
  k->gemv(h, r, width, projected, gates, n, 2 * n);
  if (s->linear) {
    if (bias)
      memcpy(candidate, bias + width + 2 * n, n * sizeof(float));
    else
      memset(candidate, 0, n * sizeof(float));
    k->gemv(h, r + 2 * n, width, candidate, candidate, n, n);
    k->gru_reset(gates, candidate, reset, n);
    const rg_operand a = {reset, 0, false}, b = {projected + 2 * n, 0, false};
    k->binary(RG_BINARY_ADD, &a, &b, candidate, 1, n);
  } else {
    k->gru_reset(gates, h, reset, n);
    k->gemv(reset, r + 2 * n, width, projected + 2 * n, candidate, n, n);
  }
  k->gru_update(gates, candidate, h, n);
}

/* Row `row` of direction `direction` through all its steps. */
static void run_row(const arrays *a, size_t direction, size_t row) {
  const recurrent_state *s = a->state;
  const size_t n = s->hidden, width = s->width;
  const size_t at = (s->batch_first ? row * s->directions + direction : direction * s->batch + row) * n;
  float *gates = a->rows + (direction * s->batch + row) * row_floats(s), *reset = gates + width;
  float *h = reset + n, *c = h + n;
  const float *r = s->r + direction * n * width;
  const float *bias = a->bias ? a->bias + direction * 2 * width : NULL;
  const float *peepholes = a->peepholes ? a->peepholes + direction * 3 * n : NULL;
  const size_t length = a->lengths ? (size_t)a->lengths[row] : s->steps;
  const bool backwards = s->reverse || direction == 1;
  memset(h, 0, 2 * n * sizeof(float));
  if (a->h) memcpy(h, a->h + at, n * sizeof(float));
  if (a->c) memcpy(c, a->c + at, n * sizeof(float));
  for (size_t step = 0; step < length; step++) {
    const size_t t = backwards ? length - 1 - step : step;
    const size_t x_row = s->batch_first ? row * s->steps + t : t * s->batch + row;
    const float *projected = a->projected + (direction * s->steps * s->batch + x_row) * width;
    if (s->lstm) {
      s->kernels->gemv(h, r, width, projected, gates, n, width);
      s->kernels->lstm_step(gates, peepholes, c, h, n);
    } else {
      gru_step(s, r, bias, projected, gates, reset, h);
    }
    const size_t y_at = s->batch_first ? (x_row * s->directions + direction) * n
                                       : ((t * s->directions + direction) * s->batch + row) * n;
    if (a->y) memcpy(a->y + y_at, h, n * sizeof(float));
  }
  if (a->y_h) memcpy(a->y_h + at, h, n * sizeof(float));
  if (a->y_c) memcpy(a->y_c + at, c, n * sizeof(float));
}

static void rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  for (size_t i = begin; i < end; i++) run_row(a, i / a->state->batch, i % a->state->batch);
}

/* ---- the input's part ---- */

/* Biases that are added before the recurrent product: all of them, but for a linear GRU's last. */
static void sum_biases(const recurrent_state *s, const float *bias, float *sum) {
  for (size_t j = 0; j < s->width; j++)
    sum[j] = bias ? bias[j] + (s->linear && j >= 2 * s->hidden ? 0 : bias[s->width + j]) : 0;
}

static rango_status project(rg_exec *exec, arrays *a) {
  const recurrent_state *s = exec->state;
  const size_t x_rows = s->steps * s->batch;
  const float *packed;
  void *scratch;
  float *sum;
  RG_TRY(rg_right_get(&s->right, exec, &packed));
  RG_TRY(rg_exec_scratch(exec, s->gemm_scratch, &scratch));
  RG_TRY(rg_exec_scratch(exec, s->width * sizeof(float), RG_OUT(&sum)));
  for (size_t d = 0; d < s->directions; d++) {
    sum_biases(s, a->bias ? a->bias + d * 2 * s->width : NULL, sum);
    const rg_product product = {.a = rg_exec_input(exec, 0)->data,
                                .a_row = s->input,
                                .a_column = 1,
                                .k = s->input,
                                .b = packed + d * s->right.matrix_floats,
                                .c = a->projected + d * x_rows * s->width,
                                .bias = sum};
    rg_product_run(&s->gemm, &product, (rg_activation){0}, exec->threads, scratch);
  }
  return RANGO_OK;
}

/* ---- running ---- */

static const void *data_of(const rg_exec *exec, int index) {
  const rango_tensor *tensor = rg_exec_input(exec, index);
  return tensor ? tensor->data : NULL;
}

static rango_status output(rg_exec *exec, int index, const rg_shape *shape, float **out) {
  rango_tensor *tensor;
  RG_TRY(rg_exec_output(exec, index, RANGO_FLOAT32, shape, &tensor));
  *out = tensor ? tensor->data : NULL;
  return RANGO_OK;
}

static rango_status check_lengths(const rg_exec *exec, const arrays *a) {
  const recurrent_state *s = a->state;
  for (size_t b = 0; a->lengths && b < s->batch; b++)
    if (a->lengths[b] < 0 || (size_t)a->lengths[b] > s->steps)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "sequence_lens has the entry %d for %zu steps", a->lengths[b],
                          s->steps);
  return RANGO_OK;
}

static rango_status run(rg_exec *exec) {
  const recurrent_state *s = exec->state;
  arrays a = {.state = s,
              .bias = data_of(exec, 3),
              .lengths = data_of(exec, 4),
              .h = data_of(exec, 5),
              .c = s->lstm ? data_of(exec, 6) : NULL,
              .peepholes = s->lstm ? data_of(exec, 7) : NULL};
  const size_t sequences = s->directions * s->batch;
  RG_TRY(check_lengths(exec, &a));
  RG_TRY(output(exec, 0, &s->y, &a.y));
  RG_TRY(output(exec, 1, &s->state, &a.y_h));
  RG_TRY(output(exec, 2, &s->state, &a.y_c));
  RG_TRY(rg_exec_scratch(exec, sequences * s->steps * s->width * sizeof(float), RG_OUT(&a.projected)));
  RG_TRY(rg_exec_scratch(exec, sequences * row_floats(s) * sizeof(float), RG_OUT(&a.rows)));
  RG_TRY(project(exec, &a));
  if (a.y && a.lengths) memset(a.y, 0, sequences * s->steps * s->hidden * sizeof(float));
  rg_cpu_parallel(exec->threads, sequences, 1, sequences * s->steps * s->width * (s->hidden / 8 + 4), rows, &a);
  return RANGO_OK;
}

/* ---- preparing ---- */

/* The usual functions, or none named. */
static bool usual_activations(const rg_node *node, bool lstm, size_t directions) {
  static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
  const size_t functions = lstm ? 3 : 2;
  const rg_attr *names = rg_node_attr(node, "activations");
  if (!names) return true;
  if (names->kind != RG_ATTR_STRINGS || names->count != functions * directions) return false;
  for (size_t i = 0; i < names->count; i++)
    if (strcmp(names->strings[i].text, usual[i % functions]) != 0) return false;
  return true;
}

static bool is_supported(const rg_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++) {
    const rg_fact *fact = prepare->inputs[i];
    if (fact && (!rg_fact_is_concrete(fact) || fact->type != (i == 4 ? RANGO_INT32 : RANGO_FLOAT32))) return false;
    if (fact && prepare->node->inputs[i]->layout != RG_ROW_MAJOR) return false;
  }
  for (int i = 0; i < prepare->output_count; i++)
    if (prepare->outputs[i] &&
        (!rg_fact_is_concrete(prepare->outputs[i]) || prepare->node->outputs[i]->layout != RG_ROW_MAJOR))
      return false;
  const rg_fact *x = prepare->inputs[0], *w = prepare->inputs[1], *r = prepare->inputs[2];
  return x && w && r && x->rank == 3 && w->rank == 3 && r->rank == 3 && r->constant &&
         rg_node_float(prepare->node, "clip", 0) == 0 && !rg_node_int(prepare->node, "input_forget", 0);
}

static bool has_shape(const rg_prepare *prepare, int input, int rank, const size_t *dims) {
  const rg_fact *fact = input < prepare->input_count ? prepare->inputs[input] : NULL;
  if (!fact) return true;
  if (fact->rank != rank) return false;
  for (int i = 0; i < rank; i++)
    if (fact->dims[i] != (int64_t)dims[i]) return false;
  return true;
}

/* The shapes that the weights imply; wrong ones are the portable code's to name. */
static bool shapes_fit(const rg_prepare *prepare, const recurrent_state *s) {
  const size_t d = s->directions, b = s->batch, n = s->hidden;
  const size_t first = s->batch_first ? b : d, second = s->batch_first ? d : b;
  return has_shape(prepare, 1, 3, (size_t[]){d, s->width, s->input}) &&
         has_shape(prepare, 2, 3, (size_t[]){d, s->width, n}) &&
         has_shape(prepare, 3, 2, (size_t[]){d, 2 * s->width}) && has_shape(prepare, 4, 1, (size_t[]){b}) &&
         has_shape(prepare, 5, 3, (size_t[]){first, second, n}) &&
         has_shape(prepare, 6, 3, (size_t[]){first, second, n}) && has_shape(prepare, 7, 2, (size_t[]){d, 3 * n});
}

/* [directions][width][hidden] to [directions][hidden][width]. */
static rango_status transpose_weights(void *to, const rango_tensor *weight, const void *argument) {
  const recurrent_state *s = argument;
  const size_t matrix = s->hidden * s->width;
  for (size_t d = 0; d < s->directions; d++)
    s->kernels->transpose((const float *)weight->data + d * matrix, s->hidden, (float *)to + d * matrix, s->width,
                          s->width, s->hidden);
  return RANGO_OK;
}

static rango_status add_scratch(rg_prepare *prepare, size_t a, size_t b, size_t c) {
  size_t count;
  RG_FAIL_IF(!rg_mul_size(a, b, &count) || !rg_mul_size(count, c, &count) ||
                 !rg_mul_size(count, sizeof(float), &count) || count > SIZE_MAX / 2,
             RANGO_ERROR_LIMIT, "%s: the input is too large", rg_node_text(prepare->node));
  prepare->scratch_bytes += rg_round_up(count, RG_ALIGNMENT);
  return RANGO_OK;
}

static rango_status finish(rg_prepare *prepare, recurrent_state *s) {
  const size_t d = s->directions, b = s->batch, n = s->hidden;
  s->y = s->batch_first ? (rg_shape){4, {(int64_t)b, (int64_t)s->steps, (int64_t)d, (int64_t)n}}
                        : (rg_shape){4, {(int64_t)s->steps, (int64_t)d, (int64_t)b, (int64_t)n}};
  s->state = s->batch_first ? (rg_shape){3, {(int64_t)b, (int64_t)d, (int64_t)n}}
                            : (rg_shape){3, {(int64_t)d, (int64_t)b, (int64_t)n}};
  RG_TRY(add_scratch(prepare, d * b, s->steps, s->width));
  RG_TRY(add_scratch(prepare, d, b, row_floats(s)));
  RG_TRY(add_scratch(prepare, s->width, 1, 1));
  s->right = (rg_right){.kernels = prepare->kernels,
                        .input = 1,
                        .matrices = d,
                        .taps = 1,
                        .k = s->input,
                        .n = s->width,
                        .matrix_step = s->width * s->input,
                        .row = 1,
                        .column = s->input,
                        .scale = 1};
  RG_TRY(rg_right_prepare(&s->right, prepare));
  rg_gemm_plan(&s->gemm, prepare->kernels, prepare->threads, 1, s->steps * b, s->width, 1, s->input, 0);
  RG_TRY(rg_gemm_scratch_bytes(&s->gemm, &s->gemm_scratch));
  prepare->scratch_bytes += rg_round_up(s->gemm_scratch, RG_ALIGNMENT);
  rg_packed *packed;
  RG_TRY(rg_packed_get(prepare->cache, prepare->inputs[2]->constant, "recurrent", d * n * s->width * sizeof(float),
                       transpose_weights, s, &packed));
  prepare->packed[prepare->packed_count++] = packed;
  s->r = rg_packed_data(packed);
  prepare->state = s;
  prepare->run = run;
  return RANGO_OK;
}

static rango_status prepare_recurrent(rg_prepare *prepare) {
  if (!is_supported(prepare)) return RANGO_OK;
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0];
  const char *direction = rg_node_string(node, "direction", "forward");
  recurrent_state *s;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *s, RG_OUT(&s)));
  s->kernels = prepare->kernels->vector;
  s->lstm = strcmp(node->op, "LSTM") == 0;
  s->batch_first = rg_node_int(node, "layout", 0) != 0;
  s->reverse = strcmp(direction, "reverse") == 0;
  s->linear = !s->lstm && rg_node_int(node, "linear_before_reset", 0) != 0;
  s->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
  s->steps = (size_t)x->dims[s->batch_first];
  s->batch = (size_t)x->dims[!s->batch_first];
  s->input = (size_t)x->dims[2];
  s->hidden = (size_t)prepare->inputs[2]->dims[2];
  if (s->hidden > INT32_MAX || s->steps * s->batch == 0) return RANGO_OK;
  s->width = (s->lstm ? 4 : 3) * s->hidden;
  if (!shapes_fit(prepare, s) || !usual_activations(node, s->lstm, s->directions)) return RANGO_OK;
  return finish(prepare, s);
}

static const rg_cpu_operator operators[] = {
    {"", "LSTM", prepare_recurrent, NULL},
    {"", "GRU", prepare_recurrent, NULL},
};
RG_CPU_EXPORT(recurrent, operators);
