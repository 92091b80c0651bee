/* MaxPool and AveragePool over one or two spatial axes. Channels-last, a window is a sum of rows of channels.
 * Row-major, a row of the output is made in two steps: down the window's rows with vectors, then along. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "cpu/families.h"
#include "cpu/image.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

typedef struct pool_state {
  const rg_vector_kernels *kernels;
  rg_shape shape;
  bool maximum, include_pad, last;
  size_t batch, channels;
  rg_pool_geometry g;
  size_t parts; /* of the row-major form: each with a row of scratch */
} pool_state;

typedef struct arrays {
  const pool_state *state;
  const float *x;
  float *y, *scratch;
} arrays;

/* The window of output position `at` along an axis: taps [*begin, *end) are inside [low, high). */
static void taps(const pool_state *s, int axis, int64_t at, int64_t low, int64_t high, int64_t *begin, int64_t *end) {
  const int64_t start = at * s->g.stride[axis] - s->g.pad[axis], dilation = s->g.dilation[axis];
  *begin = start >= low ? 0 : (low - start + dilation - 1) / dilation;
  *end = start >= high ? 0 : (high - start + dilation - 1) / dilation;
  if (*end > s->g.kernel[axis]) *end = s->g.kernel[axis];
  if (*end < *begin) *end = *begin;
}

/* How many taps an average is over, along an axis. */
static int64_t counted(const pool_state *s, int axis, int64_t at, int64_t begin, int64_t end) {
  if (!s->include_pad) return end - begin;
  taps(s, axis, at, -s->g.pad[axis], s->g.in[axis] + s->g.pad_end[axis], &begin, &end);
  return end - begin;
}

static float share(int64_t count) { return count > 0 ? 1.0f / (float)count : 0.0f; }

/* ---- channels-last ---- */

/* Output columns whose windows are whole: [*first, *end). */
static void whole_columns(const pool_state *s, int64_t *first, int64_t *end) {
  const int64_t reach = (s->g.kernel[1] - 1) * s->g.dilation[1] + 1, room = s->g.in[1] + s->g.pad[1] - reach;
  *first = (s->g.pad[1] + s->g.stride[1] - 1) / s->g.stride[1];
  *end = room < 0 ? 0 : room / s->g.stride[1] + 1;
  if (*end > s->g.out[1]) *end = s->g.out[1];
  if (*first > *end) *first = *end;
}

/* Output columns [from, to), all with the same taps [begin, end) of the width. */
static void last_span(const arrays *a, const float *row, float *y, rg_pool_row *shape, int64_t from, int64_t to,
                      int64_t begin, int64_t end, int64_t rows_counted) {
  const pool_state *s = a->state;
  shape->kernel_w = (size_t)(end - begin);
  shape->scale = share(rows_counted * counted(s, 1, from, begin, end));
  const int64_t column = from * s->g.stride[1] - s->g.pad[1] + begin * s->g.dilation[1];
  s->kernels->pool_row(shape, row + column * (int64_t)s->channels, y + from * (int64_t)s->channels,
                       (size_t)(to - from));
}

static void last_row(const arrays *a, size_t image, int64_t oy, float *y) {
  const pool_state *s = a->state;
  const int64_t channels = (int64_t)s->channels, width = s->g.in[1] * channels;
  int64_t top, bottom, first, last, begin, end;
  taps(s, 0, oy, 0, s->g.in[0], &top, &bottom);
  const int64_t rows_counted = counted(s, 0, oy, top, bottom);
  const int64_t line = oy * s->g.stride[0] - s->g.pad[0] + top * s->g.dilation[0];
  const float *row = a->x + (int64_t)image * s->g.in[0] * width + line * width;
  rg_pool_row shape = {.maximum = s->maximum,
                       .channels = s->channels,
                       .kernel_h = (size_t)(bottom - top),
                       .row = (size_t)(s->g.dilation[0] * width),
                       .col = (size_t)(s->g.dilation[1] * channels),
                       .step = (size_t)(s->g.stride[1] * channels)};
  whole_columns(s, &first, &last);
  for (int64_t ox = 0; ox < s->g.out[1]; ox++) {
    if (ox == first && last > first) {
      last_span(a, row, y, &shape, first, last, 0, s->g.kernel[1], rows_counted);
      ox = last - 1;
      continue;
    }
    taps(s, 1, ox, 0, s->g.in[1], &begin, &end);
    last_span(a, row, y, &shape, ox, ox + 1, begin, end, rows_counted);
  }
}

static void last_rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const pool_state *s = a->state;
  const size_t height = (size_t)s->g.out[0], width = (size_t)s->g.out[1] * s->channels;
  for (size_t i = begin; i < end; i++) last_row(a, i / height, (int64_t)(i % height), a->y + i * width);
}

/* ---- row-major ---- */

static void plane_row(const arrays *a, const float *plane, int64_t oy, float *line, float *y) {
  const pool_state *s = a->state;
  int64_t top, bottom, begin, end;
  taps(s, 0, oy, 0, s->g.in[0], &top, &bottom);
  const int64_t rows_counted = counted(s, 0, oy, top, bottom);
  const int64_t first = oy * s->g.stride[0] - s->g.pad[0] + top * s->g.dilation[0];
  s->kernels->reduce_columns(s->maximum ? RG_REDUCE_MAX : RG_REDUCE_SUM, plane + first * s->g.in[1],
                             (size_t)(s->g.dilation[0] * s->g.in[1]), line, (size_t)(bottom - top), (size_t)s->g.in[1]);
  for (int64_t ox = 0; ox < s->g.out[1]; ox++) {
    taps(s, 1, ox, 0, s->g.in[1], &begin, &end);
    const float *from = line + (ox * s->g.stride[1] - s->g.pad[1]);
    float best = s->maximum ? -INFINITY : 0.0f;
    if (s->maximum) {
      for (int64_t t = begin; t < end; t++) {
        const float x = from[t * s->g.dilation[1]];
        if (x > best || isnan(x)) best = x; /* once NaN, no comparison is true again */
      }
      y[ox] = best;
    } else {
      for (int64_t t = begin; t < end; t++) best += from[t * s->g.dilation[1]];
      y[ox] = best * share(rows_counted * counted(s, 1, ox, begin, end));
    }
  }
}

/* Part i of the planes: each has its own line of scratch. */
static void plane_part(const arrays *a, size_t part) {
  const pool_state *s = a->state;
  const size_t in = (size_t)(s->g.in[0] * s->g.in[1]), out = (size_t)(s->g.out[0] * s->g.out[1]);
  const size_t line = rg_round_up((size_t)s->g.in[1], 16);
  size_t begin, end;
  rg_threads_split(s->batch * s->channels, 1, s->parts, part, &begin, &end);
  for (size_t p = begin; p < end; p++)
    for (int64_t oy = 0; oy < s->g.out[0]; oy++)
      plane_row(a, a->x + p * in, oy, a->scratch + part * line, a->y + p * out + oy * s->g.out[1]);
}

static void plane_parts(const void *argument, size_t begin, size_t end) {
  for (size_t i = begin; i < end; i++) plane_part(argument, i);
}

/* ---- preparing ---- */

static size_t scratch_of(const pool_state *s) {
  return s->last ? 0 : s->parts * rg_round_up((size_t)s->g.in[1], 16) * sizeof(float);
}

static rango_status run(rg_exec *exec) {
  const pool_state *s = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  arrays a = {.state = s, .x = rg_exec_input(exec, 0)->data, .y = y->data};
  const size_t outputs = s->batch * s->channels * (size_t)(s->g.out[0] * s->g.out[1]);
  const size_t work = outputs * (size_t)(s->g.kernel[0] * s->g.kernel[1]);
  if (s->last) {
    rg_cpu_parallel(exec->threads, s->batch * (size_t)s->g.out[0], 1, work, last_rows, &a);
    return RANGO_OK;
  }
  RG_TRY(rg_exec_scratch(exec, scratch_of(s), RG_OUT(&a.scratch)));
  rg_cpu_parallel(exec->threads, s->parts, 1, 2 * work, plane_parts, &a);
  return RANGO_OK;
}

static bool has_indices(const rg_node *node) { return node->output_count > 1 && node->outputs[1]; }

static rango_status prepare_pool(rg_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  if (!x || !y || x->type != RANGO_FLOAT32 || !rg_fact_is_concrete(x) || !rg_fact_is_concrete(y)) return RANGO_OK;
  if (has_indices(node) || x->rank < 3 || x->rank > 4) return RANGO_OK;
  if (node->inputs[0]->layout != node->outputs[0]->layout || rg_cpu_count(x, 0, x->rank) == 0) return RANGO_OK;
  pool_state *state;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *state, RG_OUT(&state)));
  if (!rg_pool_geometry_read(node, x, y, &state->g)) return RANGO_OK;
  state->kernels = prepare->kernels->vector;
  state->maximum = strcmp(node->op, "MaxPool") == 0;
  state->include_pad = rg_node_int(node, "count_include_pad", 0) != 0;
  state->last = node->inputs[0]->layout == RG_CHANNELS_LAST;
  state->batch = (size_t)x->dims[0];
  state->channels = (size_t)x->dims[1];
  state->parts = prepare->threads > 1 ? (size_t)prepare->threads : 1;
  RG_TRY(rg_fact_shape(y, &state->shape));
  prepare->scratch_bytes = rg_round_up(scratch_of(state), RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static rg_layout_support pool_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  const bool image = x && x->type == RANGO_FLOAT32 && (x->rank == 3 || x->rank == 4);
  return image && !has_indices(node) ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {"", "MaxPool", prepare_pool, pool_layout},
    {"", "AveragePool", prepare_pool, pool_layout},
};
RG_CPU_EXPORT(pool, operators);
