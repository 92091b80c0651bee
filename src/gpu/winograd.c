/* See winograd.h. The batch's tiles are taken in pieces, so that what lies between the steps stays small. */
#include "gpu/winograd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is weighed against the direct product (rg_gpu_product_cost): a transform's dispatch, and bytes that the steps
 * read and write. */
#define TASK_MICROSECONDS 5.0
#define MEMORY_BYTES      18e3 /* a microsecond and multiprocessor */

/* Pieces are as many as keep transformed windows and products at so many bytes each, or as a node has tasks for. */
#define PIECE_BYTES ((size_t)128 << 20)
#define PIECES_MAX  6
#define PIECE_TASKS 4 /* at most */

typedef struct plan {
  int64_t tile, points;     /* pixels of a tile's side, points of a window */
  int64_t tiles_y, tiles_x; /* of an image */
  int64_t tiles, each;      /* of the batch; of a piece */
  int64_t pieces;
  int64_t in, out; /* channels, rounded up to vectors */
} plan;

bool rg_gpu_winograd_applies(const rg_conv_geometry *g) {
  return g->groups == 1 && g->in[0] == 1 && g->out[0] == 1 && g->taps == 9 && g->kernel[1] == 3 && g->kernel[2] == 3 &&
         g->stride[1] == 1 && g->stride[2] == 1 && g->dilation[1] == 1 && g->dilation[2] == 1 && g->batch > 0 &&
         g->y.pixels > 0 && g->x.channel_step == 1 && g->y.channel_step == 1;
}

/* Tiles of which windows and products take at most so many bytes each. */
static int64_t tiles_of(const plan *p, size_t bytes) {
  return (int64_t)(bytes / sizeof(float) / (size_t)p->points / (size_t)(p->in > p->out ? p->in : p->out));
}

/* pieces 0: not possible, for what doesn't fit into a binding, or into a 32-bit place. */
static plan plan_of(const rg_gpu_prepare *prepare, const rg_conv_geometry *g, int64_t tile) {
  const size_t device = prepare->device->info.binding_bytes, binding = device < INT32_MAX ? device : INT32_MAX;
  const int64_t room = (RG_GPU_TASKS_MAX - prepare->task_count) / PIECE_TASKS;
  plan p = {.tile = tile,
            .points = (tile + 2) * (tile + 2),
            .tiles_y = (g->out[1] + tile - 1) / tile,
            .tiles_x = (g->out[2] + tile - 1) / tile,
            .in = ((int64_t)g->group_in + 3) & ~(int64_t)3,
            .out = ((int64_t)g->group_out + 3) & ~(int64_t)3};
  const int64_t most = tiles_of(&p, binding), usual = tiles_of(&p, binding < PIECE_BYTES ? binding : PIECE_BYTES);
  p.tiles = (int64_t)g->batch * p.tiles_y * p.tiles_x;
  if (usual == 0 || room == 0 || (size_t)p.in > binding / sizeof(float) / (size_t)(p.points * p.out)) return p;
  p.pieces = (p.tiles + usual - 1) / usual;
  if (p.pieces > room) p.pieces = room;
  if (p.pieces > PIECES_MAX) p.pieces = PIECES_MAX;
  p.each = (p.tiles + p.pieces - 1) / p.pieces;
  if (p.each > most) p.pieces = 0;
  return p;
}

/* The products of `tiles` tiles, but for their operands. */
static rg_gpu_product product_of(const plan *p, int64_t tiles) {
  return (rg_gpu_product){.matrices = p->points,
                          .m = tiles,
                          .n = p->out,
                          .k = p->in,
                          .x_row = p->in,
                          .y_row = p->out,
                          .w_row = p->out,
                          .x_matrix = tiles * p->in,
                          .w_matrix = p->in * p->out,
                          .y_matrix = tiles * p->out,
                          .w_columns = p->out};
}

/* ---- choosing ---- */

static double cost_of(const rg_gpu_prepare *prepare, const plan *p) {
  if (p->pieces == 0) return INFINITY;
  const rg_gpu_product product = product_of(p, p->each);
  const double channels = (double)p->each * (double)(p->in + p->out); /* of all tiles */
  const double windows = sizeof(float) * (double)p->points * channels;
  const double images = sizeof(float) * (double)(p->tile * p->tile) * channels;
  const double weights = sizeof(float) * (double)(p->points * product.w_matrix);
  const double bytes = MEMORY_BYTES * (double)rg_gpu_units(prepare); /* a microsecond */
  const double transform = (windows + images) / bytes + 2.0 * TASK_MICROSECONDS;
  /* Products of few channels or tiles wait for memory. */
  const double multiply = fmax(rg_gpu_product_cost(prepare, &product), (windows + weights) / bytes);
  return (double)p->pieces * (transform + multiply);
}

int64_t rg_gpu_winograd_choose(const rg_gpu_prepare *prepare, const rg_conv_geometry *geometry, double *cost) {
  int64_t best = 0;
  for (int64_t tile = 2; tile <= 4; tile += 2) {
    const plan p = plan_of(prepare, geometry, tile);
    const double one = cost_of(prepare, &p);
    if (one >= *cost) continue;
    *cost = one;
    best = tile;
  }
  return best;
}

/* ---- tasks ---- */

/* The device transforms the weights: they take several times as many bytes then. */
static rango_status get_weights(rg_gpu_prepare *prepare, int weight, const rg_conv_geometry *g, const plan *p,
                                rg_gpu_operand *out) {
  const int64_t count = p->in * p->out;
  const uint32_t push[] = {(uint32_t)g->group_in, (uint32_t)g->group_out, (uint32_t)p->in, (uint32_t)p->out};
  rg_gpu_task task = {.shader = p->tile == 4 ? RG_SHADER_winograd_filter_4 : RG_SHADER_winograd_filter_2};
  char key[64];
  snprintf(key, sizeof key, "winograd %d", (int)p->tile);
  memcpy(task.push, push, sizeof push);
  RG_FAIL_IF(!rg_gpu_groups(prepare, &task, count, 64), RANGO_ERROR_INTERNAL, "%s: too many weights",
             rg_node_text(prepare->node));
  return rg_gpu_weight_make(prepare, prepare->inputs[weight]->constant, key,
                            (size_t)(p->points * count) * sizeof(float), &task, out);
}

/* Both transforms' push constants; what follows is each one's own. */
typedef struct push {
  uint32_t first, tiles, parts, channels, tiles_y, tiles_x, height, width;
  union {
    uint32_t pad;
    struct {
      uint32_t flags, act;
      float alpha, beta;
    };
  };
} push;

/* A transform's shader by the tile's side, and whether channels are whole vectors. */
static int shader_of(const rg_gpu_prepare *prepare, const int shaders[2][2], int64_t tile, size_t channels) {
  return rg_gpu_variant(prepare, shaders[tile == 4][channels % 4 != 0]);
}

static bool add_input(rg_gpu_prepare *prepare, const rg_conv_geometry *g, const plan *p, push values, rg_gpu_operand x,
                      rg_gpu_operand v) {
  static const int shaders[2][2] = {{RG_SHADER_winograd_in_2, RG_SHADER_winograd_in_2_s},
                                    {RG_SHADER_winograd_in_4, RG_SHADER_winograd_in_4_s}};
  rg_gpu_task *task = rg_gpu_add(prepare, shader_of(prepare, shaders, p->tile, g->group_in));
  values.parts = (uint32_t)(p->in / 4);
  values.channels = (uint32_t)g->group_in;
  values.height = (uint32_t)g->in[1];
  values.width = (uint32_t)g->in[2];
  values.pad = (uint32_t)(g->pad[1] | g->pad[2] << 16);
  task->operands[0] = x;
  task->operands[1] = v;
  memcpy(task->push, &values, sizeof values);
  return rg_gpu_groups(prepare, task, (int64_t)values.tiles * values.parts, 64);
}

static bool add_output(rg_gpu_prepare *prepare, const rg_conv_geometry *g, const plan *p, push values, rg_gpu_operand z,
                       const rg_gpu_product *finish) {
  static const int shaders[2][2] = {{RG_SHADER_winograd_out_2, RG_SHADER_winograd_out_2_s},
                                    {RG_SHADER_winograd_out_4, RG_SHADER_winograd_out_4_s}};
  const rg_gpu_operand operands[] = {z, finish->bias, finish->residual, finish->y};
  rg_gpu_task *task = rg_gpu_add(prepare, shader_of(prepare, shaders, p->tile, g->group_out));
  values.parts = (uint32_t)(p->out / 4);
  values.channels = (uint32_t)g->group_out;
  values.height = (uint32_t)g->out[1];
  values.width = (uint32_t)g->out[2];
  values.flags = rg_gpu_product_flags(finish);
  values.act = (uint32_t)finish->activation.kind;
  values.alpha = finish->activation.alpha;
  values.beta = finish->activation.beta;
  memcpy(task->operands, operands, sizeof operands);
  memcpy(task->push, &values, sizeof values);
  return rg_gpu_groups(prepare, task, (int64_t)values.tiles * values.parts, 64);
}

/* What lies between is float32 in any storage: the transforms would multiply the rounding of float16. */
static rango_status add_products(rg_gpu_prepare *prepare, const rg_gpu_product *product) {
  const bool half = prepare->half;
  prepare->half = false;
  const rango_status status = rg_gpu_product_add(prepare, product);
  prepare->half = half;
  return status;
}

static rg_gpu_operand read_only(rg_gpu_operand operand) {
  operand.written = false;
  return operand;
}

rango_status rg_gpu_winograd_add(rg_gpu_prepare *prepare, int weight, const rg_conv_geometry *geometry, int64_t tile,
                                 const rg_gpu_product *finish) {
  const plan p = plan_of(prepare, geometry, tile);
  rg_gpu_product product = product_of(&p, p.each);
  const int before = prepare->task_count;
  rg_gpu_operand u;
  if (p.pieces == 0 || !isfinite(rg_gpu_product_cost(prepare, &product))) return RANGO_OK;
  RG_TRY(get_weights(prepare, weight, geometry, &p, &u));
  const size_t vectors = sizeof(float) * (size_t)(p.points * p.each);
  const rg_gpu_operand v = rg_gpu_scratch(prepare, vectors * (size_t)p.in, true);
  const rg_gpu_operand z = rg_gpu_scratch(prepare, vectors * (size_t)p.out, true);
  for (int64_t first = 0; first < p.tiles; first += p.each) {
    const int64_t tiles = p.tiles - first < p.each ? p.tiles - first : p.each;
    const push values = {.first = (uint32_t)first,
                         .tiles = (uint32_t)tiles,
                         .tiles_y = (uint32_t)p.tiles_y,
                         .tiles_x = (uint32_t)p.tiles_x};
    product = product_of(&p, tiles);
    product.x = read_only(v);
    product.w = u;
    product.y = z;
    bool fits = add_input(prepare, geometry, &p, values, finish->x, v);
    const int tasks = prepare->task_count;
    RG_TRY(add_products(prepare, &product));
    fits = prepare->task_count > tasks && fits;
    fits = add_output(prepare, geometry, &p, values, read_only(z), finish) && fits;
    if (!fits) {
      prepare->task_count = before;
      return RANGO_OK;
    }
  }
  return RANGO_OK;
}
