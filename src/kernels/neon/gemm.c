/* Tiles of 8 x 8: whole ones and single rows in assembly, the others by intrinsics; see template_gemm.h. */
#include "kernels/neon/gemm_tile.h"
#include "kernels/neon/simd.h"

#define RG_MR        8
#define RG_GEMM_NAME rg_neon_gemm_intrinsics
#define RG_TILE_SUMS "kernels/neon/tile_sums.h"
#define RG_RUN_TILES tiles
#define RG_RUN_ROW   rg_neon_gemm_row
static void tiles(const rg_gemm_tile *first, size_t count);
#include "kernels/template_gemm.h"

#define RG_AT(field, offset)                                                                                           \
  _Static_assert(offsetof(rg_gemm_tile, field) == (offset), "gemm_tile.S reads rg_gemm_tile by these offsets")
RG_AT(segments, 16);
RG_AT(k, 24);
RG_AT(a, 32);
RG_AT(b, 40);
RG_AT(c, 48);
RG_AT(c_stride, 56);
RG_AT(bias, 64);
RG_AT(residual, 72);
RG_AT(residual_stride, 80);
RG_AT(low, 88);
RG_AT(high, 92);

static void tiles(const rg_gemm_tile *first, size_t count) {
  if (first->rows != 8 || first->columns != 8) {
    run_tiles(first, count);
    return;
  }
  rg_gemm_tile tile = *first;
  for (; count > 0; count--) {
    rg_neon_gemm_tile(&tile);
    tile.a += tile.segments * RG_MR;
    tile.c += RG_MR * tile.c_stride;
    if (tile.residual != NULL) tile.residual += RG_MR * tile.residual_stride;
  }
}

void rg_neon_gemm(const rg_gemm_tile *tile) { tiles(tile, 1); }
