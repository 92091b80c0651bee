/*
 * rango.LowRankDense and rango.LowRankConv: y = activation((x w1 + b1) w2 + b2 + r).
 *
 * Fused: each task takes blocks of rows through both products, so that x w1 stays in its cache. Staged, where there are
 * too few rows for all threads or where the second half looks at a pixel's neighbours: all of x w1, then all of y.
 */
#include "base/checked.h"
#include "base/threads.h"
#include "cpu/conv.h"
#include "cpu/families.h"
#include "cpu/product.h"

/* What a block of x w1 may take of the first- and second-level cache. */
#define BLOCK_BYTES 65536

enum { X, W1, B1, W2, B2, R };

/* The parts of a pair that both operators share: the rows of both products correspond. */
typedef struct pair {
  rg_gemm first, second;
  bool fused;
  size_t middle_bytes; /* x w1: all of it, or a task's block */
  size_t block_rows, tasks, task_bytes;
  size_t scratch; /* besides middle_bytes where staged */
} pair_plan;

/* `staged_scratch`: of the half that takes more, run alone. */
static rango_status plan_pair(rg_prepare *prepare, pair_plan *pair, bool aligned, size_t staged_scratch) {
  const size_t threads = prepare->threads > 0 ? (size_t)prepare->threads : 1, m = pair->first.m, r = pair->second.k;
  size_t first, second, all;
  pair->fused = aligned && (threads == 1 || m >= 2 * threads * prepare->kernels->mr);
  if (!pair->fused) {
    pair->scratch = staged_scratch;
    prepare->scratch_bytes += rg_round_up(pair->middle_bytes, RG_ALIGNMENT) + rg_round_up(pair->scratch, RG_ALIGNMENT);
    return RANGO_OK;
  }
  const size_t tile = pair->first.tile_rows, fit = BLOCK_BYTES / (r * sizeof(float) + 1) / tile * tile;
  pair->block_rows = pair->first.block_rows < fit ? pair->first.block_rows : fit > 0 ? fit : tile;
  pair->middle_bytes = rg_round_up(pair->block_rows * r * sizeof(float), RG_ALIGNMENT);
  first = pair->first.task_bytes;
  second = pair->second.task_bytes;
  pair->task_bytes = pair->middle_bytes + (first > second ? first : second);
  pair->tasks = threads < m / tile + 1 ? threads : m / tile + 1;
  RG_FAIL_IF(!rg_mul_size(pair->task_bytes, pair->tasks, &all), RANGO_ERROR_LIMIT, "scratch of a pair is too large");
  pair->scratch = all;
  prepare->scratch_bytes += rg_round_up(all, RG_ALIGNMENT);
  return RANGO_OK;
}

/* One run of a fused pair: the first half's callbacks with outputs redirected to a block. */
typedef struct job {
  const pair_plan *pair;
  const rg_conv_operands *conv; /* first half, or NULL: */
  const rg_product *dense;
  const rg_product *second; /* its `a` is the block */
  rg_activation activation;
  char *scratch;
} job;

static void run_block(const job *work, size_t begin, size_t end, float *middle, void *scratch) {
  const pair_plan *pair = work->pair;
  const rg_activation none = {RG_ACT_NONE, 0, 0};
  rg_conv_operands conv;
  rg_product dense;
  rg_gemm_args args;
  if (work->conv != NULL) {
    conv = *work->conv;
    conv.y = middle;
    conv.first_row = begin;
    args = rg_conv_args(&conv, none);
  } else {
    dense = *work->dense;
    dense.c = middle;
    dense.first_row = begin;
    args = rg_product_args(&pair->first, &dense, none);
  }
  rg_gemm_run_rows(&pair->first, &args, 0, begin, end, scratch);
  rg_product second = *work->second;
  second.a = middle;
  second.c += begin * pair->second.n;
  if (second.residual != NULL) second.residual += begin * pair->second.n;
  args = rg_product_args(&pair->second, &second, work->activation);
  rg_gemm_run_rows(&pair->second, &args, 0, 0, end - begin, scratch);
}

static void run_task(void *argument, size_t task) {
  const job *work = argument;
  const pair_plan *pair = work->pair;
  float *middle = (float *)(work->scratch + task * pair->task_bytes);
  void *scratch = (char *)middle + pair->middle_bytes;
  size_t begin, end;
  rg_threads_split(pair->first.m, pair->first.tile_rows, pair->tasks, task, &begin, &end);
  for (size_t row = begin; row < end; row += pair->block_rows)
    run_block(work, row, row + pair->block_rows < end ? row + pair->block_rows : end, middle, scratch);
}

static bool has(const rg_prepare *prepare, int input) {
  return prepare->input_count > input && prepare->inputs[input] != NULL;
}

static const float *data(const rg_exec *exec, bool present, int input) {
  return present ? rg_exec_input(exec, input)->data : NULL;
}

/* ---- dense ---- */

typedef struct dense_state {
  pair_plan pair;
  rg_right w1, w2;
  rg_shape shape;
  bool b1, b2, residual;
  rg_activation activation;
} dense_state;

static rango_status run_dense(rg_exec *exec) {
  const dense_state *state = exec->state;
  const pair_plan *pair = &state->pair;
  rg_product first = {.a = rg_exec_input(exec, X)->data, .a_row = state->w1.k, .a_column = 1, .k = state->w1.k};
  rg_product second = {.a_row = state->w2.k, .a_column = 1, .k = state->w2.k};
  rango_tensor *y;
  float *middle = NULL;
  void *scratch;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  RG_TRY(rg_right_get(&state->w1, exec, &first.b));
  RG_TRY(rg_right_get(&state->w2, exec, &second.b));
  if (!pair->fused) RG_TRY(rg_exec_scratch(exec, pair->middle_bytes, RG_OUT(&middle)));
  RG_TRY(rg_exec_scratch(exec, pair->scratch, &scratch));
  first.bias = data(exec, state->b1, B1);
  second.bias = data(exec, state->b2, B2);
  second.residual = data(exec, state->residual, R);
  second.c = y->data;
  if (pair->fused) {
    job work = {pair, NULL, &first, &second, state->activation, scratch};
    rg_threads_run(exec->threads, run_task, &work, pair->tasks);
    return RANGO_OK;
  }
  first.c = middle;
  second.a = middle;
  rg_product_run(&pair->first, &first, (rg_activation){RG_ACT_NONE, 0, 0}, exec->threads, scratch);
  rg_product_run(&pair->second, &second, state->activation, exec->threads, scratch);
  return RANGO_OK;
}

static rango_status prepare_dense(rg_prepare *prepare) {
  if (!rg_cpu_is_plain(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[X];
  dense_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  pair_plan *pair = &state->pair;
  state->w1 = rg_right_matrix(prepare, W1, rg_node_int(prepare->node, "trans1", 0) != 0);
  state->w2 = rg_right_matrix(prepare, W2, rg_node_int(prepare->node, "trans2", 0) != 0);
  RG_TRY(rg_right_prepare(&state->w1, prepare));
  RG_TRY(rg_right_prepare(&state->w2, prepare));
  const size_t m = rg_cpu_count(x, 0, x->rank - 1);
  rg_gemm_plan(&pair->first, prepare->kernels, prepare->threads, 1, m, state->w1.n, 1, state->w1.k, 0);
  rg_gemm_plan(&pair->second, prepare->kernels, prepare->threads, 1, m, state->w2.n, 1, state->w2.k, 0);
  RG_FAIL_IF(!rg_mul_size(m, state->w1.n * sizeof(float), &pair->middle_bytes), RANGO_ERROR_LIMIT, "%s: too many rows",
             rg_node_text(prepare->node));
  size_t first, second;
  RG_TRY(rg_gemm_scratch_bytes(&pair->first, &first));
  RG_TRY(rg_gemm_scratch_bytes(&pair->second, &second));
  RG_TRY(plan_pair(prepare, pair, true, first > second ? first : second));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->b1 = has(prepare, B1);
  state->b2 = has(prepare, B2);
  state->residual = has(prepare, R);
  state->activation = rg_activation_read(prepare->node);
  prepare->state = state;
  prepare->run = run_dense;
  return RANGO_OK;
}

/* ---- convolution ---- */

typedef struct conv_state {
  pair_plan pair;
  rg_conv first, second;
  rg_shape shape;
  rg_layout layout;
  bool b1, b2, residual;
  rg_activation activation;
} conv_state;

static rango_status run_staged_conv(const conv_state *state, rg_exec *exec, rg_conv_operands *first,
                                    rg_conv_operands *second, void *scratch) {
  float *middle;
  RG_TRY(rg_exec_scratch(exec, state->pair.middle_bytes, RG_OUT(&middle)));
  first->y = middle;
  RG_TRY(rg_conv_run(exec, rg_exec_input(exec, X)->data, first, (rg_activation){RG_ACT_NONE, 0, 0}, scratch));
  return rg_conv_run(exec, middle, second, state->activation, scratch);
}

static rango_status run_conv(rg_exec *exec) {
  const conv_state *state = exec->state;
  rg_conv_operands first = {.conv = &state->first};
  rg_conv_operands second = {.conv = &state->second};
  rango_tensor *y;
  void *scratch;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  y->layout = state->layout;
  RG_TRY(rg_exec_scratch(exec, state->pair.scratch, &scratch));
  first.bias = data(exec, state->b1, B1);
  second.bias = data(exec, state->b2, B2);
  second.residual = data(exec, state->residual, R);
  second.y = y->data;
  if (!state->pair.fused) return run_staged_conv(state, exec, &first, &second, scratch);
  RG_TRY(rg_conv_input(&state->first, exec, rg_exec_input(exec, X)->data, &first.x));
  RG_TRY(rg_right_get(&state->first.right, exec, &first.b));
  RG_TRY(rg_right_get(&state->second.right, exec, &second.b));
  const size_t r = state->second.right.k;
  const rg_product product = {.a_row = r,
                              .a_column = 1,
                              .k = r,
                              .b = second.b,
                              .c = second.y,
                              .bias = second.bias,
                              .residual = second.residual};
  job work = {&state->pair, &first, NULL, &product, state->activation, scratch};
  rg_threads_run(exec->threads, run_task, &work, state->pair.tasks);
  return RANGO_OK;
}

static rango_status prepare_conv(rg_prepare *prepare) {
  if (!rg_conv_is_supported(prepare)) return RANGO_OK;
  const rg_node *node = prepare->node;
  const bool residual = has(prepare, R);
  rg_fact middle;
  conv_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_conv_middle(node, prepare->inputs[X], prepare->inputs[W1], &middle));
  state->layout = node->outputs[0]->layout;
  const rg_layout residual_layout = residual ? node->inputs[R]->layout : state->layout;
  const rg_conv_parts first = {
      "1", prepare->inputs[X], &middle, node->inputs[X]->layout, RG_CHANNELS_LAST, RG_CHANNELS_LAST, W1};
  const rg_conv_parts second = {"2", &middle, prepare->outputs[0], RG_CHANNELS_LAST, state->layout, residual_layout,
                                W2};
  RG_TRY(rg_conv_prepare(prepare, &first, &state->first));
  RG_TRY(rg_conv_prepare(prepare, &second, &state->second));
  state->pair.first = state->first.gemm;
  state->pair.second = state->second.gemm;
  const rg_image between = rg_image_of(&middle, RG_CHANNELS_LAST);
  RG_FAIL_IF(!rg_mul_size((size_t)middle.dims[0], between.image_step * sizeof(float), &state->pair.middle_bytes),
             RANGO_ERROR_LIMIT, "%s: the image is too large", rg_node_text(node));
  const bool aligned = state->first.winograd == NULL && state->second.winograd == NULL && state->second.pointwise &&
                       !state->second.per_image && state->first.geometry.groups == 1 &&
                       state->second.geometry.groups == 1;
  const size_t scratch = state->first.scratch > state->second.scratch ? state->first.scratch : state->second.scratch;
  RG_TRY(plan_pair(prepare, &state->pair, aligned, scratch));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->b1 = has(prepare, B1);
  state->b2 = has(prepare, B2);
  state->residual = residual;
  state->activation = rg_activation_read(node);
  prepare->state = state;
  prepare->run = run_conv;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "LowRankDense", prepare_dense, NULL},
    {RG_PRIVATE_DOMAIN, "LowRankConv", prepare_conv, rg_conv_layout},
};
RG_CPU_EXPORT(lowrank, operators);
