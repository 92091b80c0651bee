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

bool rg_pack_is_narrow(const rg_kernels *kernels, size_t k, size_t n) {
  const size_t left = n % kernels->nr;
  /* Adding up the lanes of four columns takes as long as what 32 elements of k save; measured on Zen 4. */
  return left > 0 && left <= kernels->narrow && k >= 32 * ((left + 3) / 4);
}

/* Weights in a mapped file may lie at any address. */
static inline float load(const float *from) {
  float value;
  memcpy(&value, from, sizeof value);
  return value;
}

static inline bool is_aligned(const float *from) { return (uintptr_t)from % _Alignof(float) == 0; }

/* Columns lie together: rows are copied. */
static void pack_rows(const rg_pack_view *view, const float *b, size_t columns, size_t width, float *to) {
  const bool plain = view->scale == 1.0f;
  for (size_t q = 0; q < view->k; q++, to += width) {
    const float *from = b + q * view->row;
    if (plain) memcpy(to, from, columns * sizeof *to);
    for (size_t j = 0; !plain && j < columns; j++) to[j] = view->scale * load(from + j);
    for (size_t j = columns; j < width; j++) to[j] = 0.0f;
  }
}

/* Columns are dense: a transposition. */
static void pack_transposed(const rg_vector_kernels *vector, const rg_pack_view *view, const float *b, size_t columns,
                            size_t width, float *to) {
  vector->transpose(b, view->column, to, width, columns, view->k);
  for (size_t q = 0; columns < width && q < view->k; q++)
    memset(to + q * width + columns, 0, (width - columns) * sizeof *to);
  if (view->scale != 1.0f) vector->unary(RG_UNARY_LINEAR, view->scale, 0.0f, to, to, view->k * width);
}

/* Any strides, in pieces of k that stay in the cache while the panel's columns are read one after the other. */
static void pack_columns(const rg_pack_view *view, const float *b, size_t columns, size_t width, float *to) {
  const size_t piece = 64;
  for (size_t begin = 0; begin < view->k; begin += piece) {
    const size_t end = begin + piece < view->k ? begin + piece : view->k;
    for (size_t j = 0; j < columns; j++) {
      const float *from = b + j * view->column;
      for (size_t q = begin; q < end; q++) to[q * width + j] = view->scale * load(from + q * view->row);
    }
    for (size_t q = begin; q < end; q++)
      for (size_t j = columns; j < width; j++) to[q * width + j] = 0.0f;
  }
}

/* to[column][total], from row `at` on. */
static void pack_narrow(const rg_pack_view *view, const float *b, size_t columns, float *to) {
  for (size_t j = 0; j < columns; j++, b += view->column, to += view->total)
    for (size_t q = 0; q < view->k; q++) to[view->at + q] = view->scale * load(b + q * view->row);
}

void rg_pack_panel_range(const rg_kernels *kernels, const rg_pack_view *view, size_t begin, size_t end, float *to) {
  for (size_t p = begin; p < end; p++) {
    const size_t first = p * kernels->nr, width = rg_pack_width(kernels, view->n, p);
    const size_t columns = view->n - first < width ? view->n - first : width;
    float *panel = to + rg_pack_offset(kernels, view->total, p) + view->at * width;
    const float *b = view->b + first * view->column;
    if (view->narrow && p + 1 == rg_pack_panels(kernels, view->n))
      pack_narrow(view, b, columns, panel - view->at * width);
    else if (view->column == 1)
      pack_rows(view, b, columns, width, panel);
    else if (view->row == 1 && view->column >= view->k && is_aligned(b))
      pack_transposed(kernels->vector, view, b, columns, width, panel);
    else
      pack_columns(view, b, columns, width, panel);
  }
}
