/* See pack.h. */
#include "kernels/pack.h"

#include <string.h>

#include "base/checked.h"

size_t rg_pack_width(const rg_kernels *kernels, size_t n, size_t panel) {
  const size_t left = n - panel * kernels->nr;
  return left <= kernels->nr / 2 ? kernels->nr / 2 : kernels->nr;
}

size_t rg_pack_offset(const rg_kernels *kernels, size_t k, size_t panel) { return panel * kernels->nr * k; }

bool rg_pack_count(const rg_kernels *kernels, size_t k, size_t n, size_t *out) {
  if (n == 0) {
    *out = 0;
    return true;
  }
  const size_t last = rg_pack_panels(kernels, n) - 1;
  size_t columns;
  return rg_add_size(last * kernels->nr, rg_pack_width(kernels, n, last), &columns) && rg_mul_size(columns, k, out);
}

/* Columns lie together: rows are copied. */
static void pack_rows(const float *b, size_t row, size_t k, size_t columns, size_t width, float scale, float *to) {
  for (size_t q = 0; q < k; q++, to += width) {
    const float *from = b + q * row;
    for (size_t j = 0; j < columns; j++) to[j] = scale * from[j];
    for (size_t j = columns; j < width; j++) to[j] = 0.0f;
  }
}

/* Any strides, in pieces of k that stay in the cache while the panel's columns are read one after the other. */
static void pack_columns(const float *b, size_t row, size_t column, size_t k, size_t columns, size_t width, float scale,
                         float *to) {
  const size_t piece = 64;
  for (size_t begin = 0; begin < k; begin += piece) {
    const size_t end = begin + piece < k ? begin + piece : k;
    for (size_t j = 0; j < columns; j++)
      for (size_t q = begin; q < end; q++) to[q * width + j] = scale * b[q * row + j * column];
    for (size_t q = begin; q < end; q++)
      for (size_t j = columns; j < width; j++) to[q * width + j] = 0.0f;
  }
}

void rg_pack_panel_range(const rg_kernels *kernels, const float *b, size_t row, size_t column, size_t k, size_t n,
                         float scale, size_t begin, size_t end, float *to) {
  for (size_t p = begin; p < end; p++) {
    const size_t first = p * kernels->nr, width = rg_pack_width(kernels, n, p);
    const size_t columns = n - first < width ? n - first : width;
    float *panel = to + rg_pack_offset(kernels, k, p);
    if (column == 1)
      pack_rows(b + first, row, k, columns, width, scale, panel);
    else
      pack_columns(b + first * column, row, column, k, columns, width, scale, panel);
  }
}
