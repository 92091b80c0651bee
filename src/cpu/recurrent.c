/*
 * LSTM and GRU with their usual activations. The input's part of all gates is one matrix product over all steps; then
 * each direction runs through its steps, a few rows of the batch together, so that recurrent weights that only the
 * second-level cache holds are read once for all of them. A row's results don't depend on the others of its group.
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
  size_t group_rows;                     /* rows that go through their steps together */
} arrays;

static size_t row_floats(const recurrent_state *s) { return rg_round_up(s->width + 3 * s->hidden, 16); }

/* ---- one step of a group of rows ---- */

/* Rows of one direction on their way. Each has, row_floats apart: gates [width], reset [hidden], h and c [hidden]. */
typedef struct group {
  const arrays *arrays;
  size_t direction, first, count; /* rows first … first + count - 1 of the batch */
  float *gates, *reset, *h, *c;   /* of the first row */
  const float *r;                 /* [hidden][width] */
  const float *bias, *peepholes;  /* of the direction; may be NULL */
} group;

static group group_of(const arrays *a, size_t direction, size_t first, size_t count) {
  const recurrent_state *s = a->state;
  group g = {.arrays = a, .direction = direction, .first = first, .count = count};
  g.gates = a->rows + (direction * s->batch + first) * row_floats(s);
  g.reset = g.gates + s->width;
  g.h = g.reset + s->hidden;
  g.c = g.h + s->hidden;
  g.r = s->r + direction * s->hidden * s->width;
  g.bias = a->bias ? a->bias + direction * 2 * s->width : NULL;
  g.peepholes = a->peepholes ? a->peepholes + direction * 3 * s->hidden : NULL;
  return g;
}

/* out = add + x R for columns [begin, end) of the recurrent weights; rows of x and out are row_floats apart. */
static void multiply(const group *g, size_t begin, size_t end, const float *x, const float *add, size_t add_row,
                     float *out) {
  const recurrent_state *s = g->arrays->state;
  const rg_row_product product = {.rows = g->count,
                                  .k = s->hidden,
                                  .n = end - begin,
                                  .x = x,
                                  .x_row = row_floats(s),
                                  .w = g->r + begin,
                                  .w_row = s->width,
                                  .c = add,
                                  .c_row = add_row,
                                  .y = out,
                                  .y_row = row_floats(s)};
  s->kernels->row_product(&product);
}

static void lstm_step(const group *g, const float *projected, size_t projected_row) {
  const recurrent_state *s = g->arrays->state;
  const size_t step = row_floats(s);
  multiply(g, 0, s->width, g->h, projected, projected_row, g->gates);
  for (size_t i = 0; i < g->count; i++)
    s->kernels->lstm_step(g->gates + i * step, g->peepholes, g->c + i * step, g->h + i * step, s->hidden);
}

static void gru_step(const group *g, const float *projected, size_t projected_row) {
  const recurrent_state *s = g->arrays->state;
  const rg_vector_kernels *k = s->kernels;
  const size_t n = s->hidden, step = row_floats(s);
  float *candidate = g->gates + 2 * n;
  multiply(g, 0, 2 * n, g->h, projected, projected_row, g->gates);
  if (s->linear) multiply(g, 2 * n, s->width, g->h, g->bias ? g->bias + s->width + 2 * n : NULL, 0, candidate);
  for (size_t i = 0; i < g->count; i++) {
    float *gates = g->gates + i * step, *reset = g->reset + i * step;
    k->gru_reset(gates, s->linear ? gates + 2 * n : g->h + i * step, reset, n);
    const rg_operand a = {reset, 0, false}, b = {projected + i * projected_row + 2 * n, 0, false};
    if (s->linear) k->binary(RG_BINARY_ADD, &a, &b, gates + 2 * n, 1, n);
  }
  if (!s->linear) multiply(g, 2 * n, s->width, g->reset, projected + 2 * n, projected_row, candidate);
  for (size_t i = 0; i < g->count; i++) k->gru_update(g->gates + i * step, candidate + i * step, g->h + i * step, n);
}

/* Where row `row` of direction `direction` lies in the states before and after. */
static size_t state_at(const recurrent_state *s, size_t direction, size_t row) {
  return (s->batch_first ? row * s->directions + direction : direction * s->batch + row) * s->hidden;
}

/* A group through all its steps; with lengths it is one row. */
static void run_group(const group *g) {
  const arrays *a = g->arrays;
  const recurrent_state *s = a->state;
  const size_t n = s->hidden, floats = row_floats(s), bytes = n * sizeof(float);
  const size_t length = a->lengths ? (size_t)a->lengths[g->first] : s->steps;
  const bool backwards = s->reverse || g->direction == 1;
  for (size_t i = 0; i < g->count; i++) {
    const size_t at = state_at(s, g->direction, g->first + i);
    memset(g->h + i * floats, 0, 2 * bytes);
    if (a->h) memcpy(g->h + i * floats, a->h + at, bytes);
    if (a->c) memcpy(g->c + i * floats, a->c + at, bytes);
  }
  for (size_t step = 0; step < length; step++) {
    const size_t t = backwards ? length - 1 - step : step, next = s->batch_first ? s->steps : 1;
    const size_t x_row = s->batch_first ? g->first * s->steps + t : t * s->batch + g->first;
    const float *projected = a->projected + (g->direction * s->steps * s->batch + x_row) * s->width;
    (s->lstm ? lstm_step : gru_step)(g, projected, next * s->width);
    for (size_t i = 0; a->y && i < g->count; i++) {
      const size_t y_at = s->batch_first ? (x_row + i * next) * s->directions + g->direction
                                         : (t * s->directions + g->direction) * s->batch + g->first + i;
      memcpy(a->y + y_at * n, g->h + i * floats, bytes);
    }
  }
  for (size_t i = 0; i < g->count; i++) {
    const size_t at = state_at(s, g->direction, g->first + i);
    if (a->y_h) memcpy(a->y_h + at, g->h + i * floats, bytes);
    if (a->y_c) memcpy(a->y_c + at, g->c + i * floats, bytes);
  }
}

static void groups(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const size_t rows = a->group_rows, batch = a->state->batch, each = (batch + rows - 1) / rows;
  for (size_t i = begin; i < end; i++) {
    const size_t first = i % each * rows;
    const group g = group_of(a, i / each, first, batch - first < rows ? batch - first : rows);
    run_group(&g);
  }
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

/* As many as a kernel takes, but a group for every thread; one where lengths differ. */
static size_t group_rows(const arrays *a, size_t threads) {
  const recurrent_state *s = a->state;
  const size_t share = (s->directions * s->batch + threads - 1) / threads;
  return a->lengths ? 1 : share < RG_ROW_PRODUCT_MAX ? share : RG_ROW_PRODUCT_MAX;
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
  a.group_rows = group_rows(&a, (size_t)rango_threads_count(exec->threads));
  const size_t count = s->directions * ((s->batch + a.group_rows - 1) / a.group_rows);
  rg_cpu_parallel(exec->threads, count, 1, sequences * s->steps * s->width * (s->hidden / 8 + 4), groups, &a);
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
