/* Depthwise convolution, channels-last: vectors run over channels; a task takes a run of output pixels. */
#include "base/checked.h"
#include "base/threads.h"
#include "cpu/conv.h"
#include "cpu/gemm.h"

typedef struct depthwise_state {
  rg_conv_geometry geometry;
  const rg_kernels *kernels;
  const float *weights; /* [taps][channels] */
  size_t tasks, task_bytes;
  bool bias, residual;
  rg_activation activation;
  rg_shape shape;
} depthwise_state;

typedef struct job {
  const depthwise_state *state;
  const float *x, *bias, *residual;
  float *y;
  char *scratch;
} job;

static void run_task(void *argument, size_t task) {
  const job *work = argument;
  const depthwise_state *state = work->state;
  const rg_conv_geometry *g = &state->geometry;
  const rg_finish finish = rg_finish_of(state->activation);
  const float **taps = (const float **)(work->scratch + task * state->task_bytes);
  const size_t channels = g->groups, pixels = g->y.pixels;
  rg_depthwise_pixel pixel = {.taps = g->taps,
                              .channels = channels,
                              .x = taps,
                              .weights = state->weights,
                              .bias = work->bias,
                              .low = finish.low,
                              .high = finish.high};
  size_t begin, end;
  rg_threads_split(g->batch * pixels, 1, state->tasks, task, &begin, &end);
  for (size_t at = begin; at < end; at++) {
    rg_conv_window(g, work->x + at / pixels * g->x.image_step, at % pixels, NULL, taps, 1);
    pixel.out = work->y + at * channels;
    pixel.residual = work->residual != NULL ? work->residual + at * channels : NULL;
    state->kernels->depthwise(&pixel);
    if (finish.after)
      state->kernels->vector->unary(finish.op, finish.alpha, finish.beta, pixel.out, pixel.out, channels);
  }
}

static rango_status run(rg_exec *exec) {
  const depthwise_state *state = exec->state;
  job work = {.state = state, .x = rg_exec_input(exec, 0)->data};
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  RG_TRY(rg_exec_scratch(exec, state->tasks * state->task_bytes, RG_OUT(&work.scratch)));
  y->layout = RG_CHANNELS_LAST;
  work.y = y->data;
  if (state->bias) work.bias = rg_exec_input(exec, 2)->data;
  if (state->residual) work.residual = rg_exec_input(exec, 3)->data;
  rg_threads_run(exec->threads, run_task, &work, state->tasks);
  return RANGO_OK;
}

/* [channels][taps] to [taps][channels]. */
static rango_status pack(void *to, const rango_tensor *weight, const void *argument) {
  const rg_conv_geometry *g = argument;
  const float *from = weight->data;
  for (size_t t = 0; t < g->taps; t++)
    for (size_t c = 0; c < g->groups; c++) ((float *)to)[t * g->groups + c] = from[c * g->taps + t];
  return RANGO_OK;
}

rango_status rg_depthwise_prepare(rg_prepare *prepare, const rg_conv_parts *parts, bool residual) {
  const rg_fact *w = prepare->inputs[parts->weight];
  if (parts->x_layout != RG_CHANNELS_LAST || parts->y_layout != RG_CHANNELS_LAST ||
      parts->residual_layout != RG_CHANNELS_LAST || w->constant == NULL)
    return RANGO_OK;
  if (w->dims[1] != 1 || w->dims[0] != parts->x->dims[1]) return RANGO_OK;
  depthwise_state *state;
  rg_packed *packed;
  size_t bytes;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  rg_conv_geometry *g = &state->geometry;
  RG_TRY(rg_conv_geometry_read(prepare->node, parts->suffix, parts->x, w, parts->y, g));
  g->x = rg_image_of(parts->x, RG_CHANNELS_LAST);
  g->y = rg_image_of(parts->y, RG_CHANNELS_LAST);
  RG_FAIL_IF(!rg_mul_size(g->taps * g->groups, sizeof(float), &bytes), RANGO_ERROR_LIMIT, "%s: the weight is too large",
             rg_node_text(prepare->node));
  RG_TRY(rg_packed_get(prepare->cache, w->constant, "depthwise", bytes, pack, g, &packed));
  prepare->packed[prepare->packed_count++] = packed;
  state->kernels = prepare->kernels;
  state->weights = rg_packed_data(packed);
  const size_t pixels = g->batch * g->y.pixels, threads = prepare->threads > 0 ? (size_t)prepare->threads : 1;
  const bool small = pixels < threads || bytes * pixels < 1u << 18;
  state->tasks = small ? 1 : threads;
  state->task_bytes = rg_round_up(g->taps * sizeof(float *), RG_ALIGNMENT);
  state->bias = prepare->input_count > 2 && prepare->inputs[2] != NULL;
  state->residual = residual;
  state->activation = rg_activation_read(prepare->node);
  RG_TRY(rg_fact_shape(parts->y, &state->shape));
  prepare->scratch_bytes += rg_round_up(state->tasks * state->task_bytes, RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}
