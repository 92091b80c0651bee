/* See gemm.h. */
#include "cpu/gemm.h"

#include <math.h>

#include "base/checked.h"
#include "base/threads.h"

#define BLOCK_TILES_MAX 32
/* Multiply-adds below which waking another thread costs more than it saves. */
#define SMALL_WORK 65536.0
/* Columns of a block that are finished together where an activation follows: still in the cache, and worth a call. */
#define AFTER_COLUMNS 64

rg_finish rg_finish_of(rg_activation activation) {
  rg_finish finish = {.low = -INFINITY, .high = INFINITY};
  switch (activation.kind) {
  case RG_ACT_NONE:
    break;
  case RG_ACT_RELU:
    finish.low = 0.0f;
    break;
  case RG_ACT_CLIP:
    finish.low = activation.alpha;
    finish.high = activation.beta;
    break;
  default:
    finish.call = rg_unary_of(activation);
    finish.after = true;
  }
  return finish;
}

/* Rows are divided first: each thread then reads its own left operand once. Few rows: panels, so that weights are read
 * once. */
static void divide(rg_gemm *gemm, size_t threads) {
  gemm->row_parts = gemm->panel_parts = 1;
  const double work =
      (double)gemm->items * (double)gemm->m * (double)gemm->n * (double)gemm->segments * (double)gemm->k;
  threads = rg_min_size(threads, (size_t)fmin(1.0 + work / SMALL_WORK, 1024.0));
  if (gemm->items < threads) {
    const size_t wanted = rg_ceil_div(threads, gemm->items), tiles = rg_ceil_div(gemm->m, gemm->tile_rows);
    if (tiles >= 4 * wanted || tiles >= gemm->panels)
      gemm->row_parts = rg_min_size(wanted, tiles);
    else
      gemm->panel_parts = rg_min_size(wanted, gemm->panels);
  }
  gemm->tasks = rg_min_size(threads, gemm->items * gemm->row_parts * gemm->panel_parts);
}

void rg_gemm_plan(rg_gemm *gemm, const rg_kernels *kernels, int threads, size_t items, size_t m, size_t n,
                  size_t segments, size_t k, size_t pack_floats) {
  *gemm = (rg_gemm){.kernels = kernels,
                    .items = items,
                    .m = m,
                    .n = n,
                    .segments = segments,
                    .k = k,
                    .pack_floats = pack_floats,
                    .b_rows = segments * k,
                    .panels = rg_pack_panels(kernels, n),
                    .tile_rows = 1,
                    .block_rows = 1};
  if (items == 0 || m == 0 || n == 0) return;
  gemm->tile_rows = rg_ceil_div(m, rg_ceil_div(m, kernels->mr));
  /* The windows of neighbouring pixels overlap: with several segments, about one of them is new with each row. */
  const size_t tile_bytes = kernels->mr * (k + 1) * sizeof(float);
  size_t tiles =
      rg_min_size(kernels->block_bytes / tile_bytes, BLOCK_TILES_MAX); /* NOLINT(clang-analyzer-core.DivideZero) */
  tiles = rg_min_size(tiles > 0 ? tiles : 1, rg_ceil_div(m, gemm->tile_rows));
  gemm->block_rows = tiles * gemm->tile_rows;
  divide(gemm, threads > 0 ? (size_t)threads : 1);
  gemm->task_bytes = rg_round_up(tiles * segments * kernels->mr * sizeof(float *), RG_ALIGNMENT) +
                     rg_round_up(tiles * kernels->mr * pack_floats * sizeof(float), RG_ALIGNMENT) +
                     rg_round_up(kernels->mr * kernels->nr * sizeof(float), RG_ALIGNMENT);
}

rango_status rg_gemm_scratch_bytes(const rg_gemm *gemm, size_t *out) {
  RG_FAIL_IF(!rg_mul_size(gemm->task_bytes, gemm->tasks, out), RANGO_ERROR_LIMIT,
             "scratch of a matrix product is too large");
  return RANGO_OK;
}

/* ---- one tile ---- */

static bool is_narrow(const rg_gemm *gemm, size_t panel) {
  return panel + 1 == gemm->panels && rg_pack_is_narrow(gemm->kernels, gemm->b_rows, gemm->n);
}

/* `columns` columns from the first of `panel` on. */
static void multiply(const rg_gemm *gemm, const rg_gemm_tile *first, size_t rows, size_t panel, size_t columns) {
  const bool narrow = is_narrow(gemm, panel);
  const rg_gemm_block block = {.first = *first,
                               .rows = rows,
                               .columns = columns,
                               .panel_step = narrow ? gemm->b_rows : gemm->b_rows * gemm->kernels->nr};
  (narrow ? gemm->kernels->gemm_narrow : gemm->kernels->gemm_block)(&block);
}

/* A result with strides between columns: computed beside, then scattered. */
static void strided_tile(const rg_gemm *gemm, const rg_gemm_args *args, const rg_finish *finish, rg_gemm_tile *tile,
                         size_t panel, float *beside) {
  float *c = tile->c;
  const float *residual = tile->residual;
  const size_t rows = tile->rows, columns = tile->columns, stride = gemm->kernels->nr;
  tile->c = beside;
  tile->c_stride = stride;
  tile->residual = NULL;
  tile->low = residual != NULL ? -INFINITY : finish->low;
  tile->high = residual != NULL ? INFINITY : finish->high;
  multiply(gemm, tile, rows, panel, columns);
  if (residual != NULL)
    for (size_t j = 0; j < columns; j++)
      for (size_t i = 0; i < rows; i++) {
        const float sum = beside[i * stride + j] + residual[i * args->residual_row + j * args->residual_column];
        beside[i * stride + j] = sum < finish->low ? finish->low : sum > finish->high ? finish->high : sum;
      }
  for (size_t i = 0; finish->after && i < rows; i++)
    gemm->kernels->vector->unary(finish->call.op, finish->call.alpha, finish->call.beta, beside + i * stride,
                                 beside + i * stride, columns);
  for (size_t j = 0; j < columns; j++)
    for (size_t i = 0; i < rows; i++) c[i * args->c_row + j * args->c_column] = beside[i * stride + j];
}

/* ---- blocks of rows ---- */

typedef struct range {
  size_t row_begin, row_end, panel_begin, panel_end;
} range;

/* The first tile of panel `panel` in the rows of a block, without what only one kind of result needs. */
static rg_gemm_tile first_tile(const rg_gemm *gemm, const rg_gemm_args *args, const rg_gemm_item *item,
                               const range *block, size_t panel, const float *const *pointers) {
  const size_t column = panel * gemm->kernels->nr, at = block->row_begin - item->first_row;
  return (rg_gemm_tile){
      .rows = rg_min_size(block->row_end - block->row_begin, gemm->tile_rows),
      .columns = rg_min_size(gemm->n - column, gemm->kernels->nr),
      .segments = gemm->segments,
      .k = gemm->k,
      .a = pointers,
      .b = item->b + rg_pack_offset(gemm->kernels, gemm->b_rows, panel) +
           gemm->b_first * (is_narrow(gemm, panel) ? 1 : rg_pack_width(gemm->kernels, gemm->n, panel)),
      .c = item->c + at * args->c_row + column * args->c_column,
      .c_stride = args->c_row,
      .bias = item->bias != NULL ? item->bias + column : NULL,
      .residual =
          item->residual == NULL ? NULL : item->residual + at * args->residual_row + column * args->residual_column,
      .residual_stride = args->residual_row,
  };
}

/* Results whose columns lie together. An activation after the product is applied while they are in the cache. */
static void run_plain(const rg_gemm *gemm, const rg_gemm_args *args, const rg_gemm_item *item, const range *block,
                      const float *const *pointers) {
  const rg_finish finish = rg_finish_of(args->activation);
  const size_t nr = gemm->kernels->nr, rows = block->row_end - block->row_begin;
  const bool after = finish.after && rows > gemm->tile_rows;
  const size_t step = gemm->b_first > 0 ? 1 : after ? rg_ceil_div(AFTER_COLUMNS, nr) : gemm->panels;
  const size_t alike = block->panel_end - (is_narrow(gemm, block->panel_end - 1) ? 1 : 0);
  for (size_t panel = block->panel_begin, end; panel < block->panel_end; panel = end) {
    end = panel == alike ? panel + 1 : rg_min_size(panel + step, alike);
    rg_gemm_tile first = first_tile(gemm, args, item, block, panel, pointers);
    const size_t columns = rg_min_size(gemm->n - panel * nr, (end - panel) * nr);
    first.low = finish.low;
    first.high = finish.high;
    multiply(gemm, &first, rows, panel, columns);
    for (size_t i = 0; finish.after && i < rows; i++) {
      float *row = first.c + i * args->c_row;
      gemm->kernels->vector->unary(finish.call.op, finish.call.alpha, finish.call.beta, row, row, columns);
    }
  }
}

static void run_strided(const rg_gemm *gemm, const rg_gemm_args *args, const rg_gemm_item *item, const range *block,
                        const float *const *pointers, float *beside) {
  const rg_finish finish = rg_finish_of(args->activation);
  for (size_t panel = block->panel_begin; panel < block->panel_end; panel++) {
    const rg_gemm_tile first = first_tile(gemm, args, item, block, panel, pointers);
    for (size_t row = block->row_begin; row < block->row_end; row += gemm->tile_rows) {
      const size_t down = row - block->row_begin;
      rg_gemm_tile tile = first;
      tile.rows = rg_min_size(block->row_end - row, gemm->tile_rows);
      tile.a += down / gemm->tile_rows * gemm->segments * gemm->kernels->mr;
      tile.c += down * args->c_row;
      if (tile.residual != NULL) tile.residual += down * args->residual_row;
      strided_tile(gemm, args, &finish, &tile, panel, beside);
    }
  }
}

static void run_range(const rg_gemm *gemm, const rg_gemm_args *args, size_t item_index, const range *part,
                      void *scratch) {
  const size_t mr = gemm->kernels->mr, tiles = gemm->block_rows / gemm->tile_rows;
  const float **pointers = scratch;
  float *packed = (float *)((char *)scratch + rg_round_up(tiles * gemm->segments * mr * sizeof(float *), RG_ALIGNMENT));
  float *beside = (float *)((char *)packed + rg_round_up(tiles * mr * gemm->pack_floats * sizeof(float), RG_ALIGNMENT));
  rg_gemm_item item;
  args->item(args->source, item_index, &item);
  const bool plain = args->c_column == 1 && (item.residual == NULL || args->residual_column == 1);
  for (size_t row = part->row_begin; row < part->row_end; row += gemm->block_rows) {
    const range block = {row, rg_min_size(row + gemm->block_rows, part->row_end), part->panel_begin, part->panel_end};
    size_t t = 0;
    for (size_t begin = row; begin < block.row_end; begin += gemm->tile_rows, t++)
      args->rows(args->source, item_index, begin, rg_min_size(block.row_end - begin, gemm->tile_rows),
                 packed + t * mr * gemm->pack_floats, pointers + t * gemm->segments * mr);
    if (plain)
      run_plain(gemm, args, &item, &block, pointers);
    else
      run_strided(gemm, args, &item, &block, pointers, beside);
  }
}

void rg_gemm_run_rows(const rg_gemm *gemm, const rg_gemm_args *args, size_t item, size_t begin, size_t end,
                      void *scratch) {
  if (gemm->n == 0) return;
  run_range(gemm, args, item, &(range){begin, end, 0, gemm->panels}, scratch);
}

/* ---- tasks ---- */

typedef struct job {
  const rg_gemm *gemm;
  const rg_gemm_args *args;
  char *scratch;
} job;

/* A unit is a part of one item's rows or panels; a task runs a run of units. */
static void run_task(void *argument, size_t task) {
  const job *work = argument;
  const rg_gemm *gemm = work->gemm;
  const size_t parts = gemm->row_parts * gemm->panel_parts;
  size_t begin, end;
  rg_threads_split(gemm->items * parts, 1, gemm->tasks, task, &begin, &end);
  for (size_t unit = begin; unit < end; unit++) {
    const size_t part = unit % parts;
    range piece;
    rg_threads_split(gemm->m, gemm->tile_rows, gemm->row_parts, part % gemm->row_parts, &piece.row_begin,
                     &piece.row_end);
    rg_threads_split(gemm->panels, 1, gemm->panel_parts, part / gemm->row_parts, &piece.panel_begin, &piece.panel_end);
    run_range(gemm, work->args, unit / parts, &piece, work->scratch + task * gemm->task_bytes);
  }
}

void rg_gemm_run(const rg_gemm *gemm, const rg_gemm_args *args, rango_threads *threads, void *scratch) {
  if (gemm->items == 0 || gemm->m == 0 || gemm->n == 0) return;
  job work = {gemm, args, scratch};
  rg_threads_run(threads, run_task, &work, gemm->tasks);
}

void rg_gemm_run_small(const rg_kernels *kernels, const rg_gemm_small *p, const float **pointers) {
  const size_t mr = kernels->mr, tile_rows = rg_ceil_div(p->rows, rg_ceil_div(p->rows, mr));
  for (size_t i = 0; i < p->rows; i++) pointers[i / tile_rows * mr + i % tile_rows] = p->a + i * p->a_row;
  kernels->gemm_block(&(rg_gemm_block){.first = {.rows = tile_rows,
                                                 .segments = 1,
                                                 .k = p->k,
                                                 .a = pointers,
                                                 .b = p->b,
                                                 .c = p->c,
                                                 .c_stride = p->c_row,
                                                 .low = -INFINITY,
                                                 .high = INFINITY},
                                       .rows = p->rows,
                                       .columns = p->n,
                                       .panel_step = kernels->nr * p->b_rows});
}
