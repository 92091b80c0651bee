/* The ways to a tile on AArch64, for neon/gemm.c and for the test that compares them. */
#ifndef RG_KERNELS_GEMM_TILE_H
#define RG_KERNELS_GEMM_TILE_H

#include "kernels/table.h"

/* gemm_tile.S: exactly 8 rows, or exactly one, and 8 columns. */
void rg_neon_gemm_tile(const rg_gemm_tile *tile);
void rg_neon_gemm_row(const rg_gemm_tile *tile);
/* Every tile, by intrinsics: the same bits. */
void rg_neon_gemm_intrinsics(const rg_gemm_tile *tile);

#endif
