/* Depthwise convolution, channels-last: vectors run over channels, and neighbouring pixels of a line share the
 * weights. A task takes a run of output pixels. */
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

/* Points rows[] at the line's input rows (of pixel 0 of their image row; NULL outside). */
static void point_rows(const rg_conv_geometry *g, const float *x, size_t index, const float **rows) {
  const size_t lines = (size_t)(g->out[0] * g->out[1]), at = index % lines;
  const int64_t z0 = (int64_t)at / g->out[1] * g->stride[0] - g->pad[0];
  const int64_t y0 = (int64_t)at % g->out[1] * g->stride[1] - g->pad[1];
  x += index / lines * g->x.image_step;
  for (int64_t kz = 0; kz < g->kernel[0]; kz++)
    for (int64_t ky = 0; ky < g->kernel[1]; ky++) {
      const int64_t z = z0 + kz * g->dilation[0], y = y0 + ky * g->dilation[1];
      const bool there = z >= 0 && z < g->in[0] && y >= 0 && y < g->in[1];
      *rows++ = there ? x + (size_t)((z * g->in[1] + y) * g->in[2]) * g->x.pixel_step : NULL;
    }
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

/* Output pixels [begin, end) of a line: those at the borders with the taps that they have, the others in one call. */
static void run_line(const depthwise_state *state, rg_depthwise_line *line, const float *const *rows, int64_t begin,
                     int64_t end) {
  const rg_conv_geometry *g = &state->geometry;
  const int64_t stride = g->stride[2], dilation = g->dilation[2], taps = g->kernel[2], reach = (taps - 1) * dilation;
  const size_t channels = g->groups, count_rows = (size_t)(g->kernel[0] * g->kernel[1]);
  const float **x = (const float **)line->x;
  const int64_t inner_begin = (g->pad[2] + stride - 1) / stride;
  const int64_t last = g->in[2] - 1 - reach + g->pad[2], inner_end = last < 0 ? 0 : last / stride + 1;
  for (int64_t at = begin; at < end;) {
    const bool inner = at >= inner_begin && at < inner_end;
    const int64_t from = at * stride - g->pad[2]; /* where the first tap looks */
    const int64_t first = inner ? 0 : clamp((-from + dilation - 1) / dilation, 0, taps);
    const int64_t beyond = g->in[2] - 1 - from; /* the last tap inside is beyond / dilation */
    const int64_t after = inner ? taps : beyond < 0 ? first : clamp(beyond / dilation + 1, first, taps);
    line->count = inner ? (size_t)((end < inner_end ? end : inner_end) - at) : 1;
    line->taps = (size_t)(after - first);
    line->weights = state->weights + (size_t)first * channels;
    for (size_t r = 0; r < count_rows; r++)
      x[r] = rows[r] != NULL && after > first ? rows[r] + (size_t)(from + first * dilation) * channels : NULL;
    state->kernels->depthwise(line);
    line->out += line->count * channels;
    if (line->residual != NULL) line->residual += line->count * channels;
    at += (int64_t)line->count;
  }
}

static void run_task(void *argument, size_t task) {
  const job *work = argument;
  const depthwise_state *state = work->state;
  const rg_conv_geometry *g = &state->geometry;
  const rg_finish finish = rg_finish_of(state->activation);
  const size_t channels = g->groups, width = (size_t)g->out[2], rows = (size_t)(g->kernel[0] * g->kernel[1]);
  const float **first = (const float **)(work->scratch + task * state->task_bytes), **current = first + rows;
  size_t begin, end;
  rg_threads_split(g->batch * g->y.pixels, 1, state->tasks, task, &begin, &end);
  for (size_t at = begin; at < end;) {
    const size_t stop = (at / width + 1) * width < end ? (at / width + 1) * width : end;
    float *out = work->y + at * channels;
    rg_depthwise_line line = {.rows = rows,
                              .channels = channels,
                              .x = current,
                              .tap_step = (size_t)g->dilation[2] * channels,
                              .pixel_step = (size_t)g->stride[2] * channels,
                              .weight_row = (size_t)g->kernel[2] * channels,
                              .bias = work->bias,
                              .residual = work->residual != NULL ? work->residual + at * channels : NULL,
                              .out = out,
                              .low = finish.low,
                              .high = finish.high};
    point_rows(g, work->x, at / width, first);
    run_line(state, &line, first, (int64_t)(at % width), (int64_t)(stop - at / width * width));
    if (finish.after)
      state->kernels->vector->unary(finish.call.op, finish.call.alpha, finish.call.beta, out, out,
                                    (stop - at) * channels);
    at = stop;
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
  state->task_bytes = rg_round_up(2 * g->taps * sizeof(float *), RG_ALIGNMENT); /* two pointers a row of the window */
  state->bias = prepare->input_count > 2 && prepare->inputs[2] != NULL;
  state->residual = residual;
  state->activation = rg_activation_read(prepare->node);
  RG_TRY(rg_fact_shape(parts->y, &state->shape));
  prepare->scratch_bytes += rg_round_up(state->tasks * state->task_bytes, RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}
