/*
 * The right operand of a matrix product, packed for rg_gemm_tile: panels of nr columns, one after the other; in a panel
 * the k rows follow each other, nr (or nr / 2) elements each. The last panel is nr / 2 wide where at most nr / 2
 * columns are left. Columns beyond n are zero.
 */
#ifndef RG_KERNELS_PACK_H
#define RG_KERNELS_PACK_H

#include "kernels/table.h"

/* Elements of a packed k x n operand; false when they don't fit size_t. */
bool rg_pack_count(const rg_kernels *kernels, size_t k, size_t n, size_t *out);
/* Where panel `panel` begins in a packed operand, and how many columns its rows have. */
size_t rg_pack_offset(const rg_kernels *kernels, size_t k, size_t panel);
size_t rg_pack_width(const rg_kernels *kernels, size_t n, size_t panel);
static inline size_t rg_pack_panels(const rg_kernels *kernels, size_t n) { return (n + kernels->nr - 1) / kernels->nr; }

/* Whether the last panel of a k x n operand is better off narrow: its few columns one behind the other, k elements
 * each, as gemm_narrow reads them, so that the operand takes no more than k * n elements. */
bool rg_pack_is_narrow(const rg_kernels *kernels, size_t k, size_t n);

/* A k x n operand whose element (q, j) is b[q * row + j * column] times `scale`. It fills rows [at, at + k) of a packed
 * operand of `total` rows: a convolution's taps are packed one by one. */
typedef struct rg_pack_view {
  const float *b;
  size_t row, column;
  size_t k, n;
  float scale;
  size_t at, total;
  bool narrow; /* the last panel's columns one behind the other */
} rg_pack_view;

/* Packs panels [begin, end) of a view into `to`, the whole packed operand. */
void rg_pack_panel_range(const rg_kernels *kernels, const rg_pack_view *view, size_t begin, size_t end, float *to);

#endif
