/* Resize of images by the nearest element or linearly, over one or two spatial axes. Where each output position takes
 * from is put in tables when the node is prepared. */
#include <math.h>
#include <string.h>

#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"
#include "ops/resize.h"

/* Output position o takes (1 - part[o]) of element low[o] and part[o] of element high[o]. */
typedef struct axis_table {
  size_t in, out;
  size_t *low, *high;
  float *part;
} axis_table;

typedef struct resize_state {
  const rg_vector_kernels *kernels;
  rg_shape shape;
  bool linear, last;
  size_t batch, channels;
  axis_table height, width;
} resize_state;

typedef struct arrays {
  const resize_state *state;
  const float *x;
  float *y;
} arrays;

/* ---- running ---- */

/* Rows of the output, channels-last. */
static void last_rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const resize_state *s = a->state;
  const axis_table *h = &s->height, *w = &s->width;
  const size_t channels = s->channels, row = w->in * channels;
  for (size_t i = begin; i < end; i++) {
    const size_t oy = i % h->out;
    const float *image = a->x + i / h->out * h->in * row;
    const float *top = image + h->low[oy] * row, *bottom = image + h->high[oy] * row, v = h->part[oy];
    float *y = a->y + i * w->out * channels;
    for (size_t ox = 0; ox < w->out; ox++, y += channels) {
      const size_t left = w->low[ox] * channels, right = w->high[ox] * channels;
      const float u = w->part[ox];
      if (!s->linear) {
        memcpy(y, top + left, channels * sizeof *y);
        continue;
      }
      const float *const corners[] = {top + left, top + right, bottom + left, bottom + right};
      const float weights[] = {(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u};
      s->kernels->blend(corners, weights, 4, y, channels);
    }
  }
}

/* Rows of the output's planes, row-major. */
static void plane_rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const resize_state *s = a->state;
  const axis_table *h = &s->height, *w = &s->width;
  for (size_t i = begin; i < end; i++) {
    const size_t oy = i % h->out;
    const float *plane = a->x + i / h->out * h->in * w->in;
    const float *top = plane + h->low[oy] * w->in, *bottom = plane + h->high[oy] * w->in, v = h->part[oy];
    float *y = a->y + i * w->out;
    for (size_t ox = 0; ox < w->out; ox++) {
      const size_t left = w->low[ox], right = w->high[ox];
      const float u = w->part[ox];
      y[ox] = !s->linear
                  ? top[left]
                  : (1 - v) * ((1 - u) * top[left] + u * top[right]) + v * ((1 - u) * bottom[left] + u * bottom[right]);
    }
  }
}

static rango_status run(rg_exec *exec) {
  const resize_state *s = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  const arrays a = {s, rg_exec_input(exec, 0)->data, y->data};
  const size_t work = s->batch * s->channels * s->height.out * s->width.out * (s->linear ? 6 : 2);
  if (s->last)
    rg_cpu_parallel(exec->threads, s->batch * s->height.out, 1, work, last_rows, &a);
  else
    rg_cpu_parallel(exec->threads, s->batch * s->channels * s->height.out, 1, work, plane_rows, &a);
  return RANGO_OK;
}

/* ---- preparing ---- */

static rango_status make_table(rg_arena *arena, const rg_resize *r, int axis, axis_table *out) {
  *out = (axis_table){.in = (size_t)r->in[axis], .out = (size_t)r->out[axis]};
  RG_TRY(rg_arena_calloc(arena, out->out, sizeof *out->low, RG_OUT(&out->low)));
  RG_TRY(rg_arena_calloc(arena, out->out, sizeof *out->high, RG_OUT(&out->high)));
  RG_TRY(rg_arena_calloc(arena, out->out, sizeof *out->part, RG_OUT(&out->part)));
  for (size_t o = 0; o < out->out; o++) {
    const rg_resize_tap tap = rg_resize_tap_of(r, axis, (int64_t)o);
    out->low[o] = (size_t)tap.low;
    out->high[o] = (size_t)tap.high;
    out->part[o] = tap.part;
  }
  return RANGO_OK;
}

static rango_status prepare_resize(rg_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const int scales = rg_resize_scales_input(node), sizes = rg_resize_sizes_input(node);
  rg_resize r;
  if (!x || !y || !rg_fact_is_concrete(x) || !rg_fact_is_concrete(y)) return RANGO_OK;
  const rg_fact *factors = scales >= 0 && scales < prepare->input_count ? prepare->inputs[scales] : NULL;
  const rg_fact *given = sizes >= 0 && sizes < prepare->input_count ? prepare->inputs[sizes] : NULL;
  if (!rg_resize_image(node, x, y, factors ? factors->constant : NULL, given, &r)) return RANGO_OK;
  if (node->inputs[0]->layout != node->outputs[0]->layout || rg_cpu_count(y, 0, y->rank) == 0) return RANGO_OK;
  resize_state *state;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *state, RG_OUT(&state)));
  RG_TRY(make_table(prepare->arena, &r, x->rank - 1, &state->width));
  if (x->rank == 4)
    RG_TRY(make_table(prepare->arena, &r, 2, &state->height));
  else /* one row: any axis that is left alone will do */
    RG_TRY(make_table(prepare->arena, &(rg_resize){.in = {1}, .out = {1}, .scale = {1}}, 0, &state->height));
  state->kernels = prepare->kernels->vector;
  state->linear = r.mode == RG_RESIZE_LINEAR;
  state->last = node->inputs[0]->layout == RG_CHANNELS_LAST;
  state->batch = (size_t)x->dims[0];
  state->channels = (size_t)x->dims[1];
  RG_TRY(rg_fact_shape(y, &state->shape));
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static const rg_value *input_value(const rg_node *node, int index) {
  return index >= 0 && index < node->input_count ? node->inputs[index] : NULL;
}

/* Only where all that prepare_resize asks is certain beforehand; sizes may be symbols. */
static rg_layout_support resize_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  const rg_fact *y = rg_facts_of(facts, node->outputs[0]);
  const rg_value *scales = input_value(node, rg_resize_scales_input(node));
  const rg_value *sizes = input_value(node, rg_resize_sizes_input(node));
  const rango_tensor *factors = scales ? rg_value_constant(scales) : NULL;
  const rg_fact *given = sizes ? rg_facts_of(facts, sizes) : NULL;
  rg_resize r;
  if (!x || !y || x->rank != y->rank) return RG_LAYOUT_NONE;
  return rg_resize_image(node, x, y, factors, given, &r) ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {"", "Resize", prepare_resize, resize_layout},
    {"", "Upsample", prepare_resize, resize_layout},
};
RG_CPU_EXPORT(resize, operators);
