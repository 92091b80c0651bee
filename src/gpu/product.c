#include "gpu/product.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

/* ---- tiles ---- */

/* A variant of product.comp. `alone`, `busy`: microseconds that a step of `depth` columns takes a group that has its
 * multiprocessor for itself, and one of many; measured on an H200, but what counts is how they compare. */
typedef struct tile {
  int dense, dense_scalar, conv, conv_gather, conv_scalar; /* shaders; -1: there is none */
  int64_t rows, columns, depth;
  double alone, busy;
} tile;

static const tile tiles[] = {
    {RG_SHADER_product_128, -1, RG_SHADER_conv_128, -1, -1, 128, 128, 8, 0.90, 0.74},
    {RG_SHADER_product_64, RG_SHADER_product_64_s, RG_SHADER_conv_64, RG_SHADER_conv_64_g, RG_SHADER_conv_64_s, 64, 64,
     8, 0.65, 0.215},
    {RG_SHADER_product_32, -1, RG_SHADER_conv_32, -1, -1, 32, 32, 64, 0.68, 0.76},
    {RG_SHADER_product_8, RG_SHADER_product_8_s, RG_SHADER_conv_8, -1, -1, 8, 64, 64, 0.47, 0.50},
    /* of pairs */
    {RG_SHADER_pair_32, -1, RG_SHADER_conv_pair_32, -1, -1, 128, 32, 16, 0.75, 0.43},
    {RG_SHADER_pair_64, -1, RG_SHADER_conv_pair_64, -1, -1, 64, 64, 8, 0.49, 0.215},
};
enum { PRODUCT_TILES = 4, PAIR_32 = PRODUCT_TILES, PAIR_64 };
_Static_assert(sizeof tiles / sizeof *tiles == RG_GPU_TILES, "every tile has a place among a device's rates");

rg_gpu_tile rg_gpu_tile_get(int index) {
  const tile *t = &tiles[index];
  return (rg_gpu_tile){.shader = t->dense,
                       .rows = t->rows,
                       .columns = t->columns,
                       .depth = t->depth,
                       .pair = index >= PRODUCT_TILES,
                       .rate = {t->alone, t->busy}};
}

/* The device's own where it was tuned. */
static rg_gpu_rate rate_of(const rg_gpu_prepare *prepare, const tile *t) {
  return prepare->device->tuned ? prepare->device->rates[t - tiles] : (rg_gpu_rate){t->alone, t->busy};
}

/* What k in parts costs beside: another dispatch, and bytes written and read. */
#define SUM_MICROSECONDS 4.5
#define SUM_BYTES        15e3 /* a microsecond and multiprocessor */

#define SPLITS_MOST 64

typedef struct choice {
  const tile *tile;
  int shader;
  int64_t splits, split_k;
  double cost;
} choice;

static bool is_multiple(int64_t a, int64_t b, int64_t c, int64_t d) { return ((a | b | c | d) & 3) == 0; }

/* The variant for these steps and sizes, or -1. */
static int shader_of(const tile *t, const rg_gpu_product *p) {
  const bool c_vector = is_multiple(p->n, p->y_row, p->y_matrix, p->w_row) && (p->w_matrix & 3) == 0;
  if (p->conv) {
    const rg_conv_geometry *g = p->conv;
    const bool a_vector =
        g->x.channel_step == 1 && is_multiple((int64_t)g->group_in, p->x_row, p->x_matrix, (int64_t)g->x.image_step);
    return !c_vector ? t->conv_scalar : a_vector ? t->conv : t->conv_gather;
  }
  return c_vector && is_multiple(p->k, p->x_row, p->x_matrix, 0) ? t->dense : t->dense_scalar;
}

/* Keeps the variant and the parts of k as the best if they take the least time. */
static void weigh(const tile *t, rg_gpu_rate rate, const rg_gpu_product *p, int64_t units, int64_t splits,
                  choice *best) {
  const int shader = shader_of(t, p);
  if (shader < 0) return;
  const int64_t steps = (p->k + t->depth - 1) / t->depth, each = (steps + splits - 1) / splits;
  if (each == 0 || (splits > 1 && (splits - 1) * each >= steps)) return; /* a part without work */
  const int64_t groups =
      ((p->m + t->rows - 1) / t->rows) * ((p->n + t->columns - 1) / t->columns) * p->matrices * splits;
  const int64_t most = (groups + units - 1) / units; /* that one multiprocessor gets */
  const double share = most > 8 ? (double)groups / (double)units : (double)most;
  double cost = (double)each * fmax(rate.alone, share * rate.busy);
  if (splits > 1)
    cost += SUM_MICROSECONDS + 8.0 * (double)(p->m * p->n * p->matrices * splits) / (SUM_BYTES * (double)units);
  if (best->tile && cost >= best->cost) return;
  *best = (choice){.tile = t, .shader = shader, .splits = splits, .split_k = each * t->depth, .cost = cost};
}

static choice choose(const rg_gpu_prepare *prepare, const rg_gpu_product *product) {
  const int64_t units = rg_gpu_units(prepare);
  choice best = {0};
  for (const tile *t = tiles; t < tiles + PRODUCT_TILES; t++)
    for (int64_t splits = 1; splits <= SPLITS_MOST; splits *= 2)
      weigh(t, rate_of(prepare, t), product, units, splits, &best);
  return best;
}

/* ---- tasks ---- */

/* As product.comp's push constants, but for a convolution's. */
typedef struct push {
  uint32_t m, n, k, x_row, w_row, y_row, x_batch, w_batch, y_batch, w_columns, splits, split_k, flags, act;
  float alpha, beta;
  uint32_t height, width, channels, x_image, x_channel, out_width, out_pixels, kernel_width, stride, pad, dilation;
} push;

/* As product_sum.comp's. */
typedef struct sum_push {
  uint32_t count, n, rows, y_row, y_batch, splits, flags, act;
  float alpha, beta;
} sum_push;

uint32_t rg_gpu_product_flags(const rg_gpu_product *p) {
  return (p->bias.kind != RG_GPU_NONE ? 1u : 0u) | (p->residual.kind != RG_GPU_NONE ? 2u : 0u);
}

static push push_of(const rg_gpu_product *p, const choice *chosen) {
  push out = {.m = (uint32_t)p->m,
              .n = (uint32_t)p->n,
              .k = (uint32_t)p->k,
              .x_row = (uint32_t)p->x_row,
              .w_row = (uint32_t)p->w_row,
              .y_row = (uint32_t)p->y_row,
              .x_batch = (uint32_t)p->x_matrix,
              .w_batch = (uint32_t)p->w_matrix,
              .y_batch = (uint32_t)p->y_matrix,
              .w_columns = (uint32_t)p->w_columns,
              .splits = (uint32_t)chosen->splits,
              .split_k = (uint32_t)chosen->split_k,
              .flags = rg_gpu_product_flags(p),
              .act = (uint32_t)p->activation.kind,
              .alpha = p->activation.alpha,
              .beta = p->activation.beta};
  const rg_conv_geometry *g = p->conv;
  if (!g) return out;
  out.height = (uint32_t)g->in[1];
  out.width = (uint32_t)g->in[2];
  out.channels = (uint32_t)g->group_in;
  out.x_image = (uint32_t)g->x.image_step;
  out.x_channel = (uint32_t)g->x.channel_step;
  out.out_width = (uint32_t)g->out[2];
  out.out_pixels = (uint32_t)(g->out[1] * g->out[2]);
  out.kernel_width = (uint32_t)g->kernel[2];
  out.stride = (uint32_t)(g->stride[1] | g->stride[2] << 16);
  out.pad = (uint32_t)(g->pad[1] | g->pad[2] << 16);
  out.dilation = (uint32_t)(g->dilation[1] | g->dilation[2] << 16);
  return out;
}

static rango_status add_sum(rg_gpu_prepare *prepare, const rg_gpu_product *p, const choice *chosen,
                            rg_gpu_operand partial) {
  const sum_push values = {.count = (uint32_t)(p->matrices * p->m * p->n),
                           .n = (uint32_t)p->n,
                           .rows = (uint32_t)p->m,
                           .y_row = (uint32_t)p->y_row,
                           .y_batch = (uint32_t)p->y_matrix,
                           .splits = (uint32_t)chosen->splits,
                           .flags = rg_gpu_product_flags(p),
                           .act = (uint32_t)p->activation.kind,
                           .alpha = p->activation.alpha,
                           .beta = p->activation.beta};
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_product_sum));
  partial.written = false;
  task->operands[0] = partial;
  task->operands[1] = p->bias;
  task->operands[2] = p->residual;
  task->operands[3] = p->y;
  memcpy(task->push, &values, sizeof values);
  RG_FAIL_IF(!rg_gpu_groups(prepare, task, values.count, 128), RANGO_ERROR_INTERNAL, "%s: too many results",
             rg_node_text(prepare->node));
  return RANGO_OK;
}

/* Every size and step is a 32-bit number to a shader, every element has a 32-bit place. */
static bool is_countable(const rg_gpu_product *p) {
  int64_t y, w;
  if (!rg_mul_i64(p->matrices, p->m, &y) || !rg_mul_i64(y, p->n, &y) ||
      !rg_mul_i64(p->by_columns ? p->n : p->k, p->w_row, &w))
    return false;
  return y > 0 && y <= INT32_MAX / 4 && p->k > 0 && w <= INT32_MAX && p->matrices <= 65535 / SPLITS_MOST &&
         (p->w_matrix == 0 || p->matrices <= INT32_MAX / p->w_matrix);
}

double rg_gpu_product_cost(const rg_gpu_prepare *prepare, const rg_gpu_product *product) {
  return is_countable(product) ? choose(prepare, product).cost : INFINITY;
}

/* As gemv.comp's push constants. */
typedef struct gemv_push {
  uint32_t m, n, k, x_row, w_row, y_row, flags, act;
  float alpha, beta;
} gemv_push;

static rango_status add_gemv(rg_gpu_prepare *prepare, const rg_gpu_product *p) {
  const gemv_push values = {.m = (uint32_t)p->m,
                            .n = (uint32_t)p->n,
                            .k = (uint32_t)p->k,
                            .x_row = (uint32_t)p->x_row,
                            .w_row = (uint32_t)p->w_row,
                            .y_row = (uint32_t)p->y_row,
                            .flags = rg_gpu_product_flags(p),
                            .act = (uint32_t)p->activation.kind,
                            .alpha = p->activation.alpha,
                            .beta = p->activation.beta};
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_gemv));
  const rg_gpu_operand operands[] = {p->x, p->w, p->bias, p->residual, p->y};
  memcpy(task->operands, operands, sizeof operands);
  memcpy(task->push, &values, sizeof values);
  if (!rg_gpu_groups(prepare, task, p->n, 4)) prepare->task_count = 0;
  return RANGO_OK;
}

static rango_status add_chosen(rg_gpu_prepare *prepare, const rg_gpu_product *product, const choice *chosen) {
  const int64_t rows = (product->m + chosen->tile->rows - 1) / chosen->tile->rows;
  if (rows > 65535) return RANGO_OK;
  const push values = push_of(product, chosen);
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, chosen->shader));
  task->groups[0] = (uint32_t)((product->n + chosen->tile->columns - 1) / chosen->tile->columns);
  task->groups[1] = (uint32_t)rows;
  task->groups[2] = (uint32_t)(product->matrices * chosen->splits);
  task->operands[0] = product->x;
  task->operands[1] = product->w;
  task->operands[2] = product->bias;
  task->operands[3] = product->residual;
  task->operands[4] = product->y;
  memcpy(task->push, &values, sizeof values);
  if (chosen->splits == 1) return RANGO_OK;
  const size_t bytes = (size_t)(chosen->splits * product->matrices * product->m * product->n) * sizeof(float);
  const rg_gpu_operand partial = rg_gpu_scratch(prepare, bytes, true);
  task->operands[2] = task->operands[3] = task->operands[4] = (rg_gpu_operand){0};
  task->operands[5] = partial;
  return add_sum(prepare, product, chosen, partial);
}

rango_status rg_gpu_product_add(rg_gpu_prepare *prepare, const rg_gpu_product *product) {
  if (!is_countable(product)) return RANGO_OK;
  if (product->by_columns) return add_gemv(prepare, product);
  const choice chosen = choose(prepare, product);
  return add_chosen(prepare, product, &chosen);
}

/* ---- pairs ---- */

/* Both products by one task, in one of the pairs' tiles, where there are rows enough for all
 * multiprocessors and the second reads what the first makes row by row. */
static int fused_shader(const rg_gpu_prepare *prepare, const rg_gpu_product *first, const rg_gpu_product *second,
                        const tile **chosen) {
  const tile *t = first->n <= tiles[PAIR_32].columns ? &tiles[PAIR_32] : &tiles[PAIR_64];
  const int64_t units = rg_gpu_units(prepare);
  const bool aligned = is_multiple(first->n, second->n, second->y_row, second->w_row);
  *chosen = t;
  if (!aligned || first->n > t->columns || first->matrices > 1 || second->matrices > 1 || second->conv ||
      first->by_columns || first->m < 2 * units * t->rows || first->m > 65535 * t->rows)
    return -1;
  rg_gpu_product whole = *first;
  whole.y_row = second->y_row;
  return shader_of(t, &whole);
}

double rg_gpu_pair_cost(const rg_gpu_prepare *prepare, const rg_gpu_product *first, const rg_gpu_product *second) {
  const tile *t;
  if (!is_countable(first) || !is_countable(second)) return INFINITY;
  if (fused_shader(prepare, first, second, &t) < 0)
    return rg_gpu_product_cost(prepare, first) + rg_gpu_product_cost(prepare, second);
  const int64_t units = rg_gpu_units(prepare);
  const int64_t steps = (first->k + t->depth - 1) / t->depth +
                        (second->n + t->columns - 1) / t->columns * ((first->n + t->depth - 1) / t->depth);
  const int64_t groups = (first->m + t->rows - 1) / t->rows;
  return (double)steps * rate_of(prepare, t).busy * (double)groups / (double)units;
}

static rango_status add_fused(rg_gpu_prepare *prepare, const rg_gpu_product *first, const rg_gpu_product *second,
                              int shader, int64_t tile_rows) {
  rg_gpu_product p = *first;
  p.bias = second->bias;
  p.residual = second->residual;
  p.activation = second->activation;
  p.y_row = second->y_row;
  push values = push_of(&p, &(choice){.splits = 1, .split_k = first->k});
  if (first->bias.kind != RG_GPU_NONE) values.flags |= 4u;
  const uint32_t pair[] = {(uint32_t)second->n, (uint32_t)second->w_row};
  const rg_gpu_operand operands[] = {first->x,  first->w,  second->bias, second->residual,
                                     second->y, second->w, first->bias};
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, shader));
  task->groups[1] = (uint32_t)((first->m + tile_rows - 1) / tile_rows);
  memcpy(task->operands, operands, sizeof operands);
  /* The pair's own words stand between those of all products and a convolution's. */
  const size_t common = offsetof(push, height);
  memcpy(task->push, &values, common);
  memcpy((char *)task->push + common, pair, sizeof pair);
  memcpy((char *)task->push + common + sizeof pair, (const char *)&values + common, sizeof values - common);
  return RANGO_OK;
}

rango_status rg_gpu_pair_add(rg_gpu_prepare *prepare, const rg_gpu_product *first, const rg_gpu_product *second) {
  rg_gpu_product a = *first, b = *second;
  const tile *t;
  if (!is_countable(first) || !is_countable(second)) return RANGO_OK;
  const int fused = fused_shader(prepare, first, second, &t);
  if (fused >= 0) return add_fused(prepare, first, second, fused, t->rows);
  a.y = rg_gpu_scratch(prepare, rg_gpu_bytes(prepare, RANGO_FLOAT32, a.matrices * a.m * a.n), true);
  b.x = a.y;
  b.x.written = false;
  RG_TRY(rg_gpu_product_add(prepare, &a));
  if (prepare->task_count == 0) return RANGO_OK;
  const int tasks = prepare->task_count;
  RG_TRY(rg_gpu_product_add(prepare, &b));
  if (prepare->task_count == tasks) prepare->task_count = 0;
  return RANGO_OK;
}

/* ---- tuning ---- */

rango_status rg_gpu_tile_add(rg_gpu_prepare *prepare, int index, const int64_t grid[2], int64_t k) {
  const tile *t = &tiles[index];
  const int64_t n = t->columns * grid[1];
  const rg_gpu_product product = {.matrices = 1,
                                  .m = t->rows * grid[0],
                                  .n = n,
                                  .k = k,
                                  .x_row = k,
                                  .y_row = n,
                                  .w_row = n,
                                  .w_columns = n,
                                  .x = rg_gpu_in(0),
                                  .w = rg_gpu_in(1),
                                  .y = rg_gpu_out(0)};
  if (index >= PRODUCT_TILES) return add_fused(prepare, &product, &product, t->dense, t->rows);
  return add_chosen(prepare, &product, &(choice){.tile = t, .shader = t->dense, .splits = 1, .split_k = k});
}

/* ---- weights ---- */

void rg_gpu_right_shape(const rg_gpu_right *right, rg_gpu_product *product) {
  product->k = right->k;
  product->n = right->n;
  product->w_row = product->w_columns = (right->n + 3) & ~(int64_t)3;
  product->w_matrix = right->k * product->w_row;
}

rango_status rg_gpu_right_get(rg_gpu_prepare *prepare, int input, const rg_gpu_right *right, rg_gpu_product *product) {
  rg_gpu_right_shape(right, product);
  const int64_t count = right->matrices * product->w_matrix;
  if (count > INT32_MAX) return RANGO_OK; /* rg_gpu_product_add takes no such product */
  const uint32_t words[] = {(uint32_t)count,
                            (uint32_t)right->k,
                            (uint32_t)right->n,
                            (uint32_t)product->w_row,
                            (uint32_t)(right->k / right->taps),
                            (uint32_t)right->matrix_step,
                            (uint32_t)right->row,
                            (uint32_t)right->column};
  rg_gpu_task task = {.shader = rg_gpu_variant(prepare, RG_SHADER_right)};
  char key[64];
  snprintf(key, sizeof key, "right %lld %lld %lld %lld %lld %a %d", (long long)right->matrices, (long long)right->taps,
           (long long)right->k, (long long)right->row, (long long)right->column, (double)right->scale, prepare->half);
  memcpy(task.push, words, sizeof words);
  memcpy(task.push + sizeof words / sizeof *words, &right->scale, sizeof right->scale);
  RG_FAIL_IF(!rg_gpu_groups(prepare, &task, count, 64), RANGO_ERROR_INTERNAL, "%s: too many weights",
             rg_node_text(prepare->node));
  return rg_gpu_weight_make(prepare, prepare->inputs[input]->constant, key, rg_gpu_bytes(prepare, RANGO_FLOAT32, count),
                            &task, &product->w);
}

rango_status rg_gpu_right_get_few(rg_gpu_prepare *prepare, int input, const rg_gpu_right *right,
                                  rg_gpu_product *product) {
  const rg_gpu_right turned = {.matrices = 1,
                               .taps = 1,
                               .k = right->n,
                               .n = right->k,
                               .row = right->column,
                               .column = right->row,
                               .scale = right->scale};
  RG_TRY(rg_gpu_right_get(prepare, input, &turned, product));
  product->k = right->k;
  product->n = right->n;
  product->by_columns = true;
  return RANGO_OK;
}

rango_status rg_gpu_optional(rg_gpu_prepare *prepare, int input, rg_gpu_operand *out) {
  *out = (rg_gpu_operand){0};
  return input < prepare->input_count && prepare->inputs[input] ? rg_gpu_operand_of(prepare, input, out) : RANGO_OK;
}
