/*
 * A convolution's input made ready in scratch: a row-major one channels-last, and images of few channels (the first
 * layer's) with their border of zeros around them, so that no window ends outside.
 */
#include <string.h>

#include "base/checked.h"
#include "base/threads.h"
#include "cpu/conv.h"

/* With so few channels a border costs little to copy, and much to look out for. */
#define BORDER_CHANNELS 4
/* Pixels of a line where an image is taken as one long row. */
#define LINE_PIXELS 1024
/* Floats of an input that more than one thread copies. */
#define SHARED_FLOATS 16384

typedef struct job {
  const rg_conv *conv;
  const float *from;
  float *to;
  size_t tasks;
} job;

static void copy_pixels(const rg_conv *conv, const float *from, float *to, size_t count) {
  const rg_conv_stage *s = &conv->stage;
  const size_t channels = conv->geometry.x.channels;
  if (s->row_major)
    conv->gemm.kernels->vector->transpose(from, s->pixels, to, channels, channels, count);
  else
    memcpy(to, from, count * channels * sizeof(float));
}

/* Line `line` of an image that stays as it is. */
static void copy_plain(const rg_conv *conv, const float *from, float *to, size_t line) {
  const rg_conv_stage *s = &conv->stage;
  const size_t at = line * LINE_PIXELS, channels = conv->geometry.x.channels;
  const size_t count = s->pixels - at < LINE_PIXELS ? s->pixels - at : LINE_PIXELS;
  copy_pixels(conv, from + (s->row_major ? at : at * channels), to + at * channels, count);
}

/* Line `line` of the image with its border. */
static void copy_bordered(const rg_conv *conv, const float *from, float *to, size_t line) {
  const rg_conv_stage *s = &conv->stage;
  const rg_conv_geometry *g = &conv->geometry;
  const size_t channels = g->x.channels;
  const int64_t z = (int64_t)line / g->in[1] - s->pad[0], y = (int64_t)line % g->in[1] - s->pad[1];
  const int64_t before = s->pad[2] < g->in[2] ? s->pad[2] : g->in[2], room = g->in[2] - before;
  const bool there = z >= 0 && z < s->in[0] && y >= 0 && y < s->in[1];
  const size_t count = !there ? 0 : (size_t)(room < s->in[2] ? room : s->in[2]), left = (size_t)before * channels;
  to += line * (size_t)g->in[2] * channels;
  memset(to, 0, left * sizeof(float));
  memset(to + left + count * channels, 0, ((size_t)room - count) * channels * sizeof(float));
  if (count == 0) return;
  const size_t pixel = (size_t)((z * s->in[1] + y) * s->in[2]);
  copy_pixels(conv, from + (s->row_major ? pixel : pixel * channels), to + left, count);
}

static void run_task(void *argument, size_t task) {
  const job *work = argument;
  const rg_conv *conv = work->conv;
  const rg_conv_stage *s = &conv->stage;
  const rg_image *image = &conv->geometry.x;
  size_t begin, end;
  rg_threads_split(conv->geometry.batch * s->lines, 1, work->tasks, task, &begin, &end);
  for (size_t at = begin; at < end; at++) {
    const float *from = work->from + at / s->lines * s->pixels * image->channels;
    float *to = work->to + at / s->lines * image->image_step;
    (s->border ? copy_bordered : copy_plain)(conv, from, to, at % s->lines);
  }
}

rango_status rg_conv_input(const rg_conv *conv, rg_exec *exec, const float *from, const float **out) {
  *out = from;
  if (!conv->stage.needed) return RANGO_OK;
  const size_t count = conv->geometry.batch * conv->geometry.x.image_step;
  job work = {conv, from, NULL, 1};
  RG_TRY(rg_exec_scratch(exec, count * sizeof(float), RG_OUT(&work.to)));
  if (exec->threads != NULL && count > SHARED_FLOATS) work.tasks = (size_t)rango_threads_count(exec->threads);
  rg_threads_run(exec->threads, run_task, &work, work.tasks);
  *out = work.to;
  return RANGO_OK;
}

/* What the windows reach of an axis, from the first pixel of the border on. */
static bool reach(const rg_conv_geometry *g, int axis, int64_t *out) {
  int64_t window, steps;
  return rg_mul_i64(g->kernel[axis] - 1, g->dilation[axis], &window) &&
         rg_mul_i64(g->out[axis] - 1, g->stride[axis], &steps) && window < INT32_MAX && steps < INT32_MAX &&
         (*out = window + steps + 1) > 0;
}

rango_status rg_conv_stage_prepare(rg_prepare *prepare, rg_layout x_layout, rg_conv *conv) {
  rg_conv_geometry *g = &conv->geometry;
  rg_conv_stage *s = &conv->stage;
  int64_t size[3];
  size_t bytes;
  *s = (rg_conv_stage){.row_major = x_layout != RG_CHANNELS_LAST && g->x.channels > 1, .pixels = g->x.pixels};
  for (int i = 0; i < 3 && g->y.pixels > 0; i++) {
    if (!reach(g, i, &size[i])) size[i] = g->in[i];
    s->border = s->border || g->pad[i] > 0 || size[i] > g->in[i];
  }
  s->border = s->border && g->groups == 1 && g->x.channels <= BORDER_CHANNELS;
  s->needed = s->row_major || s->border;
  if (!s->needed) return RANGO_OK;
  s->lines = g->x.pixels / LINE_PIXELS + (g->x.pixels % LINE_PIXELS != 0);
  for (int i = 0; s->border && i < 3; i++) {
    s->in[i] = g->in[i];
    s->pad[i] = g->pad[i];
    g->in[i] = size[i];
    g->pad[i] = 0;
  }
  if (s->border) {
    RG_FAIL_IF(!rg_mul_size((size_t)g->in[0], (size_t)g->in[1], &s->lines) ||
                   !rg_mul_size(s->lines, (size_t)g->in[2], &g->x.pixels) ||
                   !rg_mul_size(g->x.pixels, g->x.channels, &g->x.image_step),
               RANGO_ERROR_LIMIT, "%s: the image with its border is too large", rg_node_text(prepare->node));
  }
  RG_FAIL_IF(!rg_mul_size(g->batch, g->x.image_step, &bytes) || !rg_mul_size(bytes, sizeof(float), &bytes) ||
                 bytes > SIZE_MAX / 2,
             RANGO_ERROR_LIMIT, "%s: the image is too large", rg_node_text(prepare->node));
  prepare->scratch_bytes += rg_round_up(bytes, RG_ALIGNMENT);
  return RANGO_OK;
}
