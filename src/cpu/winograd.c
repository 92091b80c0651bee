/*
 * See winograd.h. Tiles are taken in blocks: their windows are transformed once, then multiplied and transformed back a
 * panel of output channels at a time, so that what lies between stays in the cache. Threads divide the tiles, or, where
 * weights are far larger than windows, the output channels. They never wait for each other.
 */
#include "cpu/winograd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cpu_features.h"
#include "base/threads.h"
#include "cpu/costs.h"

#define L2_BYTES_USUAL ((size_t)512 << 10)

struct rg_winograd {
  rg_conv_geometry geometry;
  const rg_kernels *kernels;
  size_t m, side, points;         /* pixels of a tile's side, of a window's, of a window */
  bool line, upright;             /* tiles and windows are lines, of a column of the image */
  bool bordered;                  /* as in rg_winograd_needs */
  size_t matrices;                /* points that it needs */
  size_t tiles_x, tiles_y;        /* of an image */
  size_t tiles, block;            /* of the batch; of a block */
  const float *weights;           /* [panels][matrices][channels in][columns of a panel] */
  const float *zeros;             /* [channels] */
  size_t tile_parts, panel_parts; /* a task is one part of each */
  size_t scratch_bytes;           /* of a task */
};

typedef struct job {
  const rg_winograd *state;
  const rg_conv_operands *operands;
  rg_activation activation;
  char *scratch;
} job;

/* ---- the three steps of a block ---- */

typedef struct block {
  const job *work;
  size_t first, count;   /* tiles */
  size_t panel, columns; /* output channels: `columns` of them from panel * nr on */
  float *v, *z;          /* [points][v_step, z_step]: [count][channels in; columns] and a gap */
  size_t v_step, z_step; /* floats */
  const float **rows;    /* of the left operand, mr for each register tile */
} block;

/* Between points, so that the same place of all of them isn't in one set of the first-level cache. */
#define GAP 16

/* Where tile `index` begins in the output. */
typedef struct place {
  size_t image;
  int64_t row, column;
} place;

static place place_of(const rg_winograd *s, size_t index) {
  const size_t image = index / (s->tiles_y * s->tiles_x), at = index % (s->tiles_y * s->tiles_x);
  const size_t height = s->line && !s->upright ? 1 : s->m, width = s->upright ? 1 : s->m;
  return (place){image, (int64_t)(at / s->tiles_x * height), (int64_t)(at % s->tiles_x * width)};
}

/* Points `in` at the pixels of a line that begins at (row, column), or at zeros. */
static void point_line(const rg_winograd *s, const float *image, int64_t row, int64_t column, rg_winograd_input *in) {
  const rg_conv_geometry *g = &s->geometry;
  for (size_t i = 0; i < s->side; i++, row += s->upright, column += !s->upright) {
    const bool there = row >= 0 && row < g->in[1] && column >= 0 && column < g->in[2];
    in->rows[i] = there ? image + (size_t)(row * g->in[2] + column) * g->x.channels : s->zeros;
  }
}

/* The same of a window. */
static void point_window(const rg_winograd *s, const float *image, int64_t top, int64_t left, rg_winograd_input *in) {
  const rg_conv_geometry *g = &s->geometry;
  const int64_t side = (int64_t)s->side, height = g->in[1], width = g->in[2];
  const int64_t before = left < 0 ? -left : 0, beyond = left + side > width ? left + side - width : 0;
  in->begin = (size_t)(before < side ? before : side);
  in->end = (size_t)(beyond < side ? side - beyond : 0);
  for (int64_t i = 0; i < side; i++) {
    const int64_t row = top + i;
    const bool there = row >= 0 && row < height && in->begin < in->end;
    in->rows[i] = there ? image + (size_t)(row * width + left + before) * g->x.channels : s->zeros;
    in->steps[i] = there ? g->x.channels : 0;
  }
}

static void transform_input(const block *b) {
  const rg_winograd *s = b->work->state;
  const rg_conv_geometry *g = &s->geometry;
  rg_winograd_input in = {.side = s->side, .line = s->line, .channels = g->x.channels, .v_step = b->v_step};
  for (size_t t = 0; t < b->count; t++) {
    const place at = place_of(s, b->first + t);
    const float *image = b->work->operands->x + at.image * g->x.image_step;
    (s->line ? point_line : point_window)(s, image, at.row - g->pad[1], at.column - g->pad[2], &in);
    in.v = b->v + t * g->x.channels;
    s->kernels->winograd_input(&in);
  }
}

static void multiply(const block *b) {
  const rg_winograd *s = b->work->state;
  const size_t in = s->geometry.x.channels;
  const float *weights = s->weights + s->matrices * rg_pack_offset(s->kernels, in, b->panel);
  const size_t width = rg_pack_width(s->kernels, s->geometry.y.channels, b->panel);
  for (size_t point = 0; point < s->points; point++) {
    float *z = b->z + point * b->z_step;
    if (!rg_winograd_needs(s->bordered, point)) {
      memset(z, 0, b->count * b->columns * sizeof *z);
      continue;
    }
    rg_gemm_run_small(s->kernels,
                      &(rg_gemm_small){.a = b->v + point * b->v_step,
                                       .a_row = in,
                                       .b = weights,
                                       .b_rows = in,
                                       .c = z,
                                       .c_row = b->columns,
                                       .rows = b->count,
                                       .n = b->columns,
                                       .k = in},
                      b->rows);
    weights += in * width;
  }
}

static void activate(const rg_winograd *s, const rg_finish *finish, const rg_winograd_output *out) {
  for (size_t i = 0; i < out->rows; i++)
    for (size_t j = 0; j < out->columns; j++) {
      float *pixel = out->y + i * out->y_row + j * out->y_pixel;
      s->kernels->vector->unary(finish->call.op, finish->call.alpha, finish->call.beta, pixel, pixel, out->channels);
    }
}

static void transform_output(const block *b) {
  const rg_winograd *s = b->work->state;
  const rg_conv_geometry *g = &s->geometry;
  const rg_finish finish = rg_finish_of(b->work->activation);
  const size_t channels = g->y.channels, width = (size_t)g->out[2], first = b->panel * s->kernels->nr;
  rg_winograd_output out = {.side = s->side,
                            .m = s->m,
                            .line = s->line,
                            .z_step = b->z_step,
                            .channels = b->columns,
                            .y_row = (s->line && !s->upright ? 1 : width) * channels,
                            .y_pixel = channels,
                            .bias = b->work->operands->bias != NULL ? b->work->operands->bias + first : NULL,
                            .low = finish.low,
                            .high = finish.high};
  for (size_t t = 0; t < b->count; t++) {
    const place at = place_of(s, b->first + t);
    const size_t offset = at.image * g->y.image_step + ((size_t)at.row * width + (size_t)at.column) * channels + first;
    out.z = b->z + t * b->columns;
    out.y = b->work->operands->y + offset;
    out.residual = b->work->operands->residual != NULL ? b->work->operands->residual + offset : NULL;
    const size_t down = (size_t)(g->out[1] - at.row), along = (size_t)(g->out[2] - at.column);
    out.rows = rg_min_size(s->m, s->line && !s->upright ? along : down);
    out.columns = s->line ? 1 : rg_min_size(s->m, along);
    s->kernels->winograd_output(&out);
    if (finish.after) activate(s, &finish, &out);
  }
}

/* ---- threads ---- */

/* Of a block's pointers: a register tile may have fewer rows than mr. */
static size_t rows_bytes(const rg_winograd *s) {
  return rg_round_up((2 * s->block + s->kernels->mr) * sizeof(float *), RG_ALIGNMENT);
}

static void run_task(void *argument, size_t task) {
  const job *work = argument;
  const rg_winograd *s = work->state;
  const rg_conv_geometry *g = &s->geometry;
  const size_t nr = s->kernels->nr, panels = rg_pack_panels(s->kernels, g->y.channels);
  size_t begin, end, first_panel, end_panel;
  rg_threads_split(s->tiles, 1, s->tile_parts, task / s->panel_parts, &begin, &end);
  rg_threads_split(panels, 1, s->panel_parts, task % s->panel_parts, &first_panel, &end_panel);
  block b = {.work = work, .rows = (const float **)(work->scratch + task * s->scratch_bytes)};
  b.v = (float *)((char *)b.rows + rows_bytes(s));
  for (b.first = begin; b.first < end; b.first += b.count) {
    b.count = rg_min_size(s->block, end - b.first);
    b.v_step = b.count * g->x.channels + GAP;
    b.z = b.v + s->points * b.v_step;
    transform_input(&b);
    for (b.panel = first_panel; b.panel < end_panel; b.panel++) {
      b.columns = rg_min_size(g->y.channels - b.panel * nr, nr);
      b.z_step = b.count * b.columns + GAP;
      multiply(&b);
      transform_output(&b);
    }
  }
}

size_t rg_winograd_scratch_bytes(const rg_winograd *winograd) {
  return winograd->tile_parts * winograd->panel_parts * winograd->scratch_bytes;
}

void rg_winograd_run(const rg_winograd *winograd, const rg_conv_operands *operands, rg_activation activation,
                     rango_threads *threads, void *scratch) {
  job work = {winograd, operands, activation, scratch};
  rg_threads_run(threads, run_task, &work, winograd->tile_parts * winograd->panel_parts);
}

/* ---- preparing ---- */

static bool applies(const rg_conv_geometry *g) {
  return g->groups == 1 && g->in[0] == 1 && g->out[0] == 1 && g->kernel[0] == 1 && g->stride[1] == 1 &&
         g->stride[2] == 1 && g->dilation[1] == 1 && g->dilation[2] == 1 && g->batch > 0 && g->y.pixels > 0;
}

/* Who runs what, in blocks of equal size that fit the caches. */
static rango_status cut(rg_winograd *s, size_t threads) {
  const size_t in = s->geometry.x.channels, out = s->geometry.y.channels, panels = rg_pack_panels(s->kernels, out);
  const size_t l2 = rg_cpu_features()->l2_bytes > 0 ? rg_cpu_features()->l2_bytes : L2_BYTES_USUAL;
  const size_t tile = s->points * (in + s->kernels->nr) * sizeof(float);
  const size_t room = l2 / 2 / (s->points * in * sizeof(float)) / s->kernels->mr * s->kernels->mr;
  const size_t most = room > RG_WINOGRAD_BLOCK_MIN ? room : RG_WINOGRAD_BLOCK_MIN;
  const size_t gaps = 2 * s->points * GAP * sizeof(float);
  const bool few = s->matrices * in * out * sizeof(float) <= l2;
  const bool channels =
      rg_winograd_divides_channels((double)s->tiles, (double)out, few, (double)threads, (double)s->kernels->mr);
  s->panel_parts = channels ? rg_min_size(threads, panels) : 1;
  s->tile_parts = rg_min_size(threads / s->panel_parts, s->tiles);
  const size_t own = rg_ceil_div(s->tiles, s->tile_parts);
  s->block = rg_ceil_div(own, rg_ceil_div(own, most));
  RG_FAIL_IF(!rg_mul_size(s->block, tile, &s->scratch_bytes) || s->scratch_bytes > SIZE_MAX / 2 / threads,
             RANGO_ERROR_LIMIT, "scratch of a convolution is too large");
  s->scratch_bytes = rg_round_up(s->scratch_bytes + gaps, RG_ALIGNMENT) + rows_bytes(s);
  return RANGO_OK;
}

static rango_status pack_weights(rg_prepare *prepare, rg_winograd *s, const rango_tensor *weight) {
  const rg_winograd_weights weights = {.kernels = s->kernels,
                                       .m = s->m,
                                       .r = s->side + 1 - s->m,
                                       .line = s->line,
                                       .bordered = s->bordered,
                                       .matrices = s->matrices,
                                       .in = s->geometry.x.channels,
                                       .out = s->geometry.y.channels};
  rg_packed *packed;
  size_t bytes;
  char key[64];
  RG_FAIL_IF(!rg_pack_count(s->kernels, weights.in, weights.out, &bytes) ||
                 !rg_mul_size(bytes, s->matrices * sizeof(float), &bytes),
             RANGO_ERROR_LIMIT, "packed weights are too large");
  snprintf(key, sizeof key, "winograd %zu, %zu points, panels of %zu", s->m, s->matrices, s->kernels->nr);
  RG_TRY(rg_packed_get(prepare->cache, weight, key, bytes, rg_winograd_pack, &weights, &packed));
  prepare->packed[prepare->packed_count++] = packed;
  s->weights = rg_packed_data(packed);
  return RANGO_OK;
}

/* The tile's side, or 0. */
static size_t choose(const rg_kernels *kernels, const rg_conv_geometry *g, int threads) {
  rg_costs costs;
  const rg_cost_query query = {.kind = RG_COST_CONV,
                               .rows = (int64_t)g->batch,
                               .in = (int64_t)g->x.channels,
                               .out = (int64_t)g->y.channels,
                               .group = 1,
                               .kernel_h = g->kernel[1],
                               .kernel_w = g->kernel[2],
                               .height = g->out[1],
                               .width = g->out[2],
                               .threads = threads,
                               .plain = true};
  rg_costs_init(&costs, kernels);
  return rg_costs_winograd(&costs, &query);
}

/* Two pixels along the axis, and zeros on both sides of them. */
static bool is_bordered(const rg_conv_geometry *g, int axis) {
  return g->in[axis] == 2 && g->out[axis] == 2 && g->pad[axis] == 1;
}

rango_status rg_winograd_prepare(rg_prepare *prepare, const rg_conv_parts *parts, const rg_winograd **out) {
  const rango_tensor *weight = prepare->inputs[parts->weight]->constant;
  rg_conv_geometry geometry;
  *out = NULL;
  if (parts->x_layout != RG_CHANNELS_LAST || parts->y_layout != RG_CHANNELS_LAST ||
      parts->residual_layout != RG_CHANNELS_LAST || weight == NULL)
    return RANGO_OK;
  RG_TRY(rg_conv_geometry_read(prepare->node, parts->suffix, parts->x, prepare->inputs[parts->weight], parts->y,
                               &geometry));
  geometry.x = rg_image_of(parts->x, RG_CHANNELS_LAST);
  geometry.y = rg_image_of(parts->y, RG_CHANNELS_LAST);
  const size_t m = applies(&geometry) ? choose(prepare->kernels, &geometry, prepare->threads) : 0;
  if (m == 0) return RANGO_OK;
  rg_winograd *s;
  float *zeros;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *s, RG_OUT(&s)));
  RG_TRY(rg_arena_calloc(prepare->arena, geometry.x.channels, sizeof *zeros, RG_OUT(&zeros)));
  s->geometry = geometry;
  s->kernels = prepare->kernels;
  s->zeros = zeros;
  s->m = m;
  s->line = geometry.kernel[1] == 1 || geometry.kernel[2] == 1;
  s->upright = s->line && geometry.kernel[1] > 1;
  s->side = m + (size_t)(s->upright ? geometry.kernel[1] : geometry.kernel[2]) - 1;
  s->points = s->line ? s->side : s->side * s->side;
  s->bordered = s->side == 4 && (s->line || is_bordered(&geometry, 1)) && is_bordered(&geometry, s->upright ? 1 : 2);
  s->matrices = !s->bordered ? s->points : s->line ? 3 : 9;
  s->tiles_y = rg_ceil_div((size_t)geometry.out[1], geometry.kernel[1] > 1 ? m : 1);
  s->tiles_x = rg_ceil_div((size_t)geometry.out[2], geometry.kernel[2] > 1 ? m : 1);
  s->tiles = geometry.batch * s->tiles_y * s->tiles_x;
  RG_TRY(pack_weights(prepare, s, weight));
  RG_TRY(cut(s, prepare->threads > 0 ? (size_t)prepare->threads : 1));
  *out = s;
  return RANGO_OK;
}
