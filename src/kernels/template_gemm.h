/*
 * The matrix product's register tile and the peak loop, written once over simd.h. A folder's
 * gemm.c sets the tile's rows (RG_MR, 4, 6, 8 or 12) and includes this file; a tile has two vectors of columns.
 *
 * Each count of rows and each width (two vectors or one) is a function of its own, and accumulators are variables with
 * names, not an array: clang keeps arrays in memory. With few rows the loop over k is unrolled into independent sums,
 * since the latency of an addition would show otherwise: a slot is one row of one sum.
 *
 * A folder may have a tile_sums of its own, in the file RG_TILE_SUMS, may call the result RG_GEMM_NAME, and may declare
 * what runs the tiles of a block: RG_RUN_TILES.
 */
#include "kernels/gemm.h"
#include "kernels/unroll.h"

#ifndef RG_GEMM_NAME
#define RG_GEMM_NAME RG_KERNEL_NAME(gemm)
#endif
#ifndef RG_RUN_TILES
#define RG_RUN_TILES run_tiles
#endif

#if RG_MR <= 8 && RG_MR != 6
#define RG_SLOTS         8
#define RG_EACH_SLOT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#else
#define RG_SLOTS         12
#define RG_EACH_SLOT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#endif

#ifdef RG_TILE_SUMS
#include RG_TILE_SUMS
#else
/* Tiles of many rows take longer over a line of weights than the next takes to come, and processors don't fetch beyond
 * the end of a page by themselves: RG_PREFETCH_BYTES, where gemm.c sets it, is two to four pages. */
#ifdef RG_PREFETCH_BYTES
#define RG_PREFETCH(b, width)                                                                                          \
  do {                                                                                                                 \
    RG_UNROLL for (size_t line_ = 0; line_ < (width); line_ += 16)                                                     \
        __builtin_prefetch((const char *)((b) + line_) + RG_PREFETCH_BYTES, 0, 2);                                     \
  } while (0)
#else
#define RG_PREFETCH(b, width) ((void)0)
#define RG_PREFETCH_SUMS      0
#endif

#define RG_SLOT_DECLARE(j)                                                                                             \
  rg_vec x##j = v_set1(0.0f), y##j = x##j;                                                                             \
  const float *a##j = NULL;
#define RG_SLOT_POINT(j)                                                                                               \
  if ((j) < slots) a##j = pointers[(j) % rows] + (j) / rows;
#define RG_SLOT_STEP(j)                                                                                                \
  if ((j) < slots) {                                                                                                   \
    const rg_vec left = v_set1(a##j[q]);                                                                               \
    x##j = v_fma(left, v_load(b + (j) / rows * width), x##j);                                                          \
    if (vectors > 1) y##j = v_fma(left, v_load(b + (j) / rows * width + RG_LANES), y##j);                              \
  }
#define RG_SLOT_LAST(j) /* what is left of k: into the first sum */                                                    \
  if ((j) < rows) {                                                                                                    \
    const rg_vec left = v_set1(a##j[q]);                                                                               \
    x##j = v_fma(left, v_load(b), x##j);                                                                               \
    if (vectors > 1) y##j = v_fma(left, v_load(b + RG_LANES), y##j);                                                   \
  }
#define RG_SLOT_KEEP(j)                                                                                                \
  if ((j) < slots) {                                                                                                   \
    acc[j][0] = x##j;                                                                                                  \
    acc[j][1] = y##j;                                                                                                  \
  }

/* acc[row][vector] = a * b, over `sums` interleaved parts of k. */
RG_INLINE void tile_sums(const rg_gemm_tile *t, const size_t rows, const size_t vectors, const size_t sums,
                         rg_vec acc[RG_SLOTS][2]) {
  const size_t width = vectors * RG_LANES, slots = rows * sums, k = t->k;
  const float *b = t->b;
  const float *const *pointers = t->a;
  RG_EACH_SLOT(RG_SLOT_DECLARE)
  for (size_t s = 0; s < t->segments; s++, pointers += RG_MR) {
    RG_EACH_SLOT(RG_SLOT_POINT)
    size_t q = 0;
    for (; q + sums <= k; q += sums, b += sums * width) {
      if (sums <= RG_PREFETCH_SUMS) RG_PREFETCH(b, sums * width);
      RG_EACH_SLOT(RG_SLOT_STEP)
    }
    if (sums > 1)
      for (; q < k; q++, b += width) {
        RG_EACH_SLOT(RG_SLOT_LAST)
      }
  }
  RG_EACH_SLOT(RG_SLOT_KEEP)
  RG_UNROLL
  for (size_t j = rows; j < slots; j++) {
    acc[j % rows][0] = v_add(acc[j % rows][0], acc[j][0]);
    acc[j % rows][1] = v_add(acc[j % rows][1], acc[j][1]);
  }
}
#endif

/* Bias, residual and bounds of one vector of a row; `lanes` of it are inside the tile. */
RG_INLINE void store(const rg_gemm_tile *t, rg_vec sum, size_t row, size_t column, size_t lanes) {
  if (t->bias != NULL) sum = v_add(sum, v_load_n(t->bias + column, lanes));
  if (t->residual != NULL) sum = v_add(sum, v_load_n(t->residual + row * t->residual_stride + column, lanes));
  v_store_n(t->c + row * t->c_stride + column, v_min(v_set1(t->high), v_max(v_set1(t->low), sum)), lanes);
}

RG_INLINE void tile_of(const rg_gemm_tile *t, const size_t rows, const size_t vectors, const size_t sums) {
  rg_vec acc[RG_SLOTS][2];
  tile_sums(t, rows, vectors, sums, acc);
  const size_t tail = t->columns - (vectors - 1) * RG_LANES; /* lanes of the last vector */
  if (tail == RG_LANES && t->residual == NULL) {
    const rg_vec zero = v_set1(0.0f), low = v_set1(t->low), high = v_set1(t->high);
    const rg_vec bias0 = t->bias != NULL ? v_load(t->bias) : zero;
    const rg_vec bias1 = vectors > 1 && t->bias != NULL ? v_load(t->bias + RG_LANES) : zero;
    RG_UNROLL
    for (size_t i = 0; i < rows; i++) {
      v_store(t->c + i * t->c_stride, v_min(high, v_max(low, v_add(acc[i][0], bias0))));
      if (vectors > 1) v_store(t->c + i * t->c_stride + RG_LANES, v_min(high, v_max(low, v_add(acc[i][1], bias1))));
    }
    return;
  }
  for (size_t i = 0; i < rows; i++) {
    store(t, acc[i][0], i, 0, vectors > 1 ? RG_LANES : tail);
    if (vectors > 1) store(t, acc[i][1], i, RG_LANES, tail);
  }
}

RG_INLINE void tiles_of(const rg_gemm_tile *first, size_t count, const size_t rows, const size_t vectors,
                        const size_t sums) {
  rg_gemm_tile t = *first;
  for (; count > 0; count--) {
    tile_of(&t, rows, vectors, sums);
    t.a += t.segments * RG_MR;
    t.c += rows * t.c_stride;
    if (t.residual != NULL) t.residual += rows * t.residual_stride;
  }
}

/* Sums of a row: enough to hide an addition's latency, no more than there are registers for. */
#define RG_SUMS(rows)                                                                                                  \
  ((rows) == 1 && RG_MR >= 8 && RG_LANES < 16 ? 8 : (rows)*4 <= RG_MR ? 4 : (rows)*2 <= RG_MR ? 2 : 1)

/* The same for one vector of columns. */
#define RG_SUMS_HALF(rows) (RG_MR == 6 && (rows) > 1 ? 12 / (rows) < 4 ? 12 / (rows) : 4 : RG_SUMS(rows))

#define RG_TILE(rows)                                                                                                  \
  static void tiles_whole_##rows(const rg_gemm_tile *first, size_t count) {                                            \
    tiles_of(first, count, rows, 2, RG_SUMS(rows));                                                                    \
  }                                                                                                                    \
  static void tiles_half_##rows(const rg_gemm_tile *first, size_t count) {                                             \
    tiles_of(first, count, rows, 1, RG_SUMS_HALF(rows));                                                               \
  }
RG_TILE(1)
RG_TILE(2)
RG_TILE(3)
RG_TILE(4)
#if RG_MR > 4
RG_TILE(5)
RG_TILE(6)
#endif
#if RG_MR > 6
RG_TILE(7)
RG_TILE(8)
#endif
#if RG_MR > 8
RG_TILE(9)
RG_TILE(10)
RG_TILE(11)
RG_TILE(12)
#endif

#define RG_TILE_PAIR(rows)                                                                                             \
  { tiles_half_##rows, tiles_whole_##rows }
/* `count` tiles below each other, all of first's size. */
static void run_tiles(const rg_gemm_tile *first, size_t count) {
  static void (*const tiles[RG_MR][2])(const rg_gemm_tile *, size_t) = {
    RG_TILE_PAIR(1),
    RG_TILE_PAIR(2),
    RG_TILE_PAIR(3),
    RG_TILE_PAIR(4),
#if RG_MR > 4
    RG_TILE_PAIR(5),
    RG_TILE_PAIR(6),
#endif
#if RG_MR > 6
    RG_TILE_PAIR(7),
    RG_TILE_PAIR(8),
#endif
#if RG_MR > 8
    RG_TILE_PAIR(9),
    RG_TILE_PAIR(10),
    RG_TILE_PAIR(11),
    RG_TILE_PAIR(12),
#endif
  };
  tiles[first->rows - 1][first->columns > RG_LANES](first, count);
}

void RG_GEMM_NAME(const rg_gemm_tile *tile) { run_tiles(tile, 1); }

/* On to the next panel. */
RG_INLINE void move_right(rg_gemm_tile *t, size_t panel_step) {
  t->b += panel_step;
  t->c += 2 * RG_LANES;
  if (t->bias != NULL) t->bias += 2 * RG_LANES;
  if (t->residual != NULL) t->residual += 2 * RG_LANES;
}

#ifndef RG_RUN_ROW
#define RG_RUN_ROW(tile) tile_of(tile, 1, 2, RG_SUMS(1))
#endif

/* Whole panels of one row, without a call for each: the next one's weights are on their way while this one's sums are
 * added up. */
static rg_gemm_tile row_of_panels(const rg_gemm_tile *first, size_t panels, size_t panel_step) {
  rg_gemm_tile t = *first;
  t.columns = 2 * RG_LANES;
  for (; panels > 0; panels--) {
    RG_RUN_ROW(&t);
    move_right(&t, panel_step);
  }
  return t;
}

void RG_KERNEL_NAME(gemm_block)(const rg_gemm_block *block) {
  const size_t width = 2 * RG_LANES, count = block->rows / block->first.rows, rest = block->rows % block->first.rows;
  size_t left = block->columns;
  rg_gemm_tile top = block->first;
  if (block->rows == 1) {
    top = row_of_panels(&top, left / width, block->panel_step);
    left %= width;
  }
  for (; left > 0; left -= top.columns, move_right(&top, block->panel_step)) {
    top.columns = left < width ? left : width;
    if (count > 0) RG_RUN_TILES(&top, count);
    if (rest == 0) continue;
    rg_gemm_tile last = top;
    last.rows = rest;
    last.a += count * top.segments * RG_MR;
    last.c += count * top.rows * top.c_stride;
    if (last.residual != NULL) last.residual += count * top.rows * top.residual_stride;
    RG_RUN_TILES(&last, 1);
  }
}

#define RG_PEAK_EACH(DO)   DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define RG_PEAK_DECLARE(i) rg_vec chain##i = v_set1((float)(iterations % (i + 2)));
#define RG_PEAK_STEP(i)    chain##i = v_fma(chain##i, factor, term);
#define RG_PEAK_ADD(i)     sum = v_add(sum, chain##i);

/* An iteration is RG_PEAK_STEPS multiply-adds of each chain; the values come from outside, so that nothing is folded.
 */
float RG_KERNEL_NAME(peak)(size_t iterations) {
  const rg_vec factor = v_set1(1.0f / (float)(iterations + 1)), term = v_set1((float)(iterations % 3));
  RG_PEAK_EACH(RG_PEAK_DECLARE)
  for (size_t n = 0; n < iterations; n++) {
    RG_PEAK_EACH(RG_PEAK_STEP) RG_PEAK_EACH(RG_PEAK_STEP) RG_PEAK_EACH(RG_PEAK_STEP) RG_PEAK_EACH(RG_PEAK_STEP)
  }
  rg_vec sum = v_set1(0.0f);
  RG_PEAK_EACH(RG_PEAK_ADD)
  return v_sum(sum);
}

float RG_KERNEL_NAME(read)(const float *x, size_t count) {
  rg_vec acc[8];
  RG_UNROLL
  for (size_t i = 0; i < 8; i++) acc[i] = v_set1(0.0f);
  size_t at = 0;
  for (; at + 8 * RG_LANES <= count; at += 8 * RG_LANES) RG_UNROLL
  for (size_t i = 0; i < 8; i++) acc[i] = v_add(acc[i], v_load(x + at + i * RG_LANES));
  for (; at < count; at += RG_LANES) acc[0] = v_add(acc[0], v_load_n(x + at, count - at));
  for (size_t i = 1; i < 8; i++) acc[0] = v_add(acc[0], acc[i]);
  return v_sum(acc[0]);
}
