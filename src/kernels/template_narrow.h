/*
 * Products of few columns for x86, written once over simd.h. A panel of half a tile would compute 16 columns for a rank
 * of 4 with AVX-512; here the lanes run along k, so that each is useful: tiles of RG_NARROW_ROWS x 4 dot products. A
 * folder's narrow.c sets that and RG_MR, and defines v_sum4.
 */
#include "kernels/gemm.h"
#include "kernels/unroll.h"

/* Dot products of `rows` rows from `row` on with four columns; columns that aren't there repeat the last. */
RG_INLINE void dots_of(const rg_gemm_tile *t, const float *const columns[4], size_t row, const size_t rows,
                       __m128 sums[RG_NARROW_ROWS]) {
  rg_vec acc[RG_NARROW_ROWS][4];
  RG_UNROLL
  for (size_t i = 0; i < 4 * rows; i++) acc[i / 4][i % 4] = v_set1(0.0f);
  for (size_t s = 0; s < t->segments; s++) {
    const float *const *a = t->a + s * RG_MR + row;
    const size_t at = s * t->k, whole = t->k / RG_LANES * RG_LANES;
    for (size_t q = 0; q < whole; q += RG_LANES) {
      rg_vec left[RG_NARROW_ROWS];
      RG_UNROLL
      for (size_t i = 0; i < rows; i++) left[i] = v_load(a[i] + q);
      RG_UNROLL
      for (size_t j = 0; j < 4; j++) {
        const rg_vec right = v_load(columns[j] + at + q);
        RG_UNROLL
        for (size_t i = 0; i < rows; i++) acc[i][j] = v_fma(left[i], right, acc[i][j]);
      }
    }
    if (whole == t->k) continue;
    RG_UNROLL
    for (size_t j = 0; j < 4; j++) {
      const rg_vec right = v_load_n(columns[j] + at + whole, t->k - whole);
      RG_UNROLL
      for (size_t i = 0; i < rows; i++) acc[i][j] = v_fma(v_load_n(a[i] + whole, t->k - whole), right, acc[i][j]);
    }
  }
  RG_UNROLL
  for (size_t i = 0; i < rows; i++) sums[i] = v_sum4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
}

/* `t` at its first column; `count` columns of it, at most four. */
RG_INLINE void narrow_of(const rg_gemm_tile *t, size_t step, size_t count, size_t row, const size_t rows) {
  const __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32((int)count), _mm_setr_epi32(0, 1, 2, 3));
  const __m128 bias = t->bias != NULL ? _mm_maskload_ps(t->bias, mask) : _mm_setzero_ps();
  const __m128 low = _mm_set1_ps(t->low), high = _mm_set1_ps(t->high);
  const float *columns[4];
  __m128 sums[RG_NARROW_ROWS];
  for (size_t j = 0; j < 4; j++) columns[j] = t->b + (j < count ? j : count - 1) * step;
  dots_of(t, columns, row, rows, sums);
  RG_UNROLL
  for (size_t i = 0; i < rows; i++) {
    __m128 sum = _mm_add_ps(sums[i], bias);
    if (t->residual != NULL) sum = _mm_add_ps(sum, _mm_maskload_ps(t->residual + (row + i) * t->residual_stride, mask));
    sum = _mm_min_ps(high, _mm_max_ps(low, sum));
    if (count == 4) /* a masked store takes many cycles on AMD's processors */
      _mm_storeu_ps(t->c + (row + i) * t->c_stride, sum);
    else
      _mm_maskstore_ps(t->c + (row + i) * t->c_stride, mask, sum);
  }
}

static void narrow_rows(const rg_gemm_tile *t, size_t step, size_t count) {
  size_t row = 0;
  for (; row + RG_NARROW_ROWS <= t->rows; row += RG_NARROW_ROWS) narrow_of(t, step, count, row, RG_NARROW_ROWS);
  for (; row < t->rows; row++) narrow_of(t, step, count, row, 1);
}

void RG_KERNEL_NAME(gemm_narrow)(const rg_gemm_block *block) {
  rg_gemm_tile tile = block->first;
  for (size_t row = 0; row < block->rows; row += block->first.rows) {
    tile.rows = block->rows - row < block->first.rows ? block->rows - row : block->first.rows;
    for (size_t column = 0; column < block->columns; column += 4) {
      rg_gemm_tile t = tile;
      t.b += column * block->panel_step;
      t.c += column;
      if (t.bias != NULL) t.bias += column;
      if (t.residual != NULL) t.residual += column;
      narrow_rows(&t, block->panel_step, block->columns - column < 4 ? block->columns - column : 4);
    }
    tile.a += tile.segments * RG_MR;
    tile.c += tile.rows * tile.c_stride;
    if (tile.residual != NULL) tile.residual += tile.rows * tile.residual_stride;
  }
}
