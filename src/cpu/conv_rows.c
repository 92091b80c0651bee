/* The rows of a convolution's left operand: where the window of each output pixel lies; see conv.h. */
#include <string.h>

#include "cpu/conv.h"

/* An output pixel, and where its window begins in the input, which may be outside. */
typedef struct cursor {
  size_t image;
  int64_t out[3], origin[3];
} cursor;

static cursor cursor_at(const rg_conv_geometry *g, size_t image, size_t pixel) {
  cursor at = {.image = image};
  int64_t left = (int64_t)pixel;
  for (int i = 2; i >= 0; i--) {
    at.out[i] = left % g->out[i];
    at.origin[i] = at.out[i] * g->stride[i] - g->pad[i];
    left /= g->out[i];
  }
  return at;
}

static void cursor_next(const rg_conv_geometry *g, cursor *at) {
  for (int i = 2; i >= 0; i--) {
    at->origin[i] += g->stride[i];
    if (++at->out[i] < g->out[i]) return;
    at->out[i] = 0;
    at->origin[i] = -g->pad[i];
  }
  at->image++;
}

static bool inside(int64_t at, int64_t size) { return (uint64_t)at < (uint64_t)size; }

/* pointers[tap * step]: the channels under each tap, or zeros. */
static void point_taps(const rg_conv *conv, const float *x, const int64_t origin[3], const float **pointers) {
  const rg_conv_geometry *g = &conv->geometry;
  const size_t step = conv->gemm.kernels->mr;
  for (int64_t kz = 0; kz < g->kernel[0]; kz++) {
    const int64_t z = origin[0] + kz * g->dilation[0];
    for (int64_t ky = 0; ky < g->kernel[1]; ky++) {
      const int64_t y = origin[1] + ky * g->dilation[1];
      const bool row = inside(z, g->in[0]) && inside(y, g->in[1]);
      const int64_t line = (z * g->in[1] + y) * g->in[2];
      for (int64_t kx = 0; kx < g->kernel[2]; kx++, pointers += step) {
        const int64_t at = origin[2] + kx * g->dilation[2];
        *pointers = row && inside(at, g->in[2]) ? x + (size_t)(line + at) * g->x.pixel_step : conv->zeros;
      }
    }
  }
}

/* pointers[row of the window * step]: its pixels, which lie together; at the image's border a copy in `scratch` with
 * zeros beside them. One group, not dilated along the row. */
static void point_runs(const rg_conv *conv, const float *x, const int64_t origin[3], float *scratch,
                       const float **pointers) {
  const rg_conv_geometry *g = &conv->geometry;
  const size_t step = conv->gemm.kernels->mr, channels = g->group_in, run = conv->gemm.k;
  const int64_t before = origin[2] < 0 ? -origin[2] : 0, beyond = origin[2] + g->kernel[2] - g->in[2];
  const int64_t there = g->kernel[2] - before - (beyond > 0 ? beyond : 0); /* pixels of the run inside the image */
  for (int64_t kz = 0; kz < g->kernel[0]; kz++) {
    const int64_t z = origin[0] + kz * g->dilation[0];
    for (int64_t ky = 0; ky < g->kernel[1]; ky++, pointers += step, scratch += run) {
      const int64_t y = origin[1] + ky * g->dilation[1];
      if (!inside(z, g->in[0]) || !inside(y, g->in[1]) || there <= 0) {
        *pointers = conv->zeros;
        continue;
      }
      const float *from = x + (size_t)((z * g->in[1] + y) * g->in[2] + origin[2] + before) * channels;
      *pointers = from;
      if (there == g->kernel[2]) continue;
      const size_t begin = (size_t)before * channels, count = (size_t)there * channels;
      memset(scratch, 0, begin * sizeof(float));
      memcpy(scratch + begin, from, count * sizeof(float));
      memset(scratch + begin + count, 0, (run - begin - count) * sizeof(float));
      *pointers = scratch;
    }
  }
}

/* Neighbours of a line whose windows are whole along it: their rows lie one step behind each other. pointers[s * mr] is
 * the first pixel's segment s. */
static void point_neighbours(const rg_conv *conv, size_t count, const float **pointers) {
  const size_t mr = conv->gemm.kernels->mr, step = (size_t)conv->geometry.stride[2] * conv->geometry.x.pixel_step;
  for (size_t s = 0; s < conv->gemm.segments; s++, pointers += mr) {
    const float *first = pointers[0];
    const size_t each = first == conv->zeros ? 0 : step;
    for (size_t i = 1; i < count; i++) pointers[i] = first + i * each;
  }
}

/* to[tap][group_in]. */
static void gather_window(const rg_conv_geometry *g, const float *x, const int64_t origin[3], float *to) {
  const size_t channels = g->group_in;
  for (int64_t kz = 0; kz < g->kernel[0]; kz++) {
    const int64_t z = origin[0] + kz * g->dilation[0];
    for (int64_t ky = 0; ky < g->kernel[1]; ky++) {
      const int64_t y = origin[1] + ky * g->dilation[1];
      const bool row = inside(z, g->in[0]) && inside(y, g->in[1]);
      const int64_t line = (z * g->in[1] + y) * g->in[2];
      for (int64_t kx = 0; kx < g->kernel[2]; kx++, to += channels) {
        const int64_t at = origin[2] + kx * g->dilation[2];
        const bool there = row && inside(at, g->in[2]);
        const float *from = x + (there ? (size_t)(line + at) * g->x.pixel_step : 0);
        for (size_t c = 0; c < channels; c++) to[c] = there ? from[c] : 0.0f;
      }
    }
  }
}

/* Of the pixels from `at` on, how many of its line have windows that are whole along the line; 0: it has not. */
static size_t whole_windows(const rg_conv_geometry *g, const cursor *at, size_t count) {
  const int64_t last = g->in[2] - 1 - (g->kernel[2] - 1) * g->dilation[2]; /* where a whole window may begin */
  if (at->origin[2] < 0 || at->origin[2] > last) return 0;
  const int64_t fit = (last - at->origin[2]) / g->stride[2] + 1, line = g->out[2] - at->out[2];
  const size_t most = (size_t)(fit < line ? fit : line);
  return most < count ? most : count;
}

static void cursor_skip(const rg_conv_geometry *g, cursor *at, size_t count) {
  at->out[2] += (int64_t)count - 1;
  at->origin[2] += ((int64_t)count - 1) * g->stride[2];
  cursor_next(g, at);
}

/* A 1 x 1 window: pixels are the rows of a matrix. */
static void point_pixels(const rg_conv *conv, const float *x, size_t begin, size_t count, const float **pointers) {
  const size_t step = conv->geometry.x.pixel_step;
  for (size_t i = 0; i < count; i++) pointers[i] = x + (begin + i) * step;
}

void rg_conv_rows(const void *source, size_t item, size_t begin, size_t count, float *scratch, const float **pointers) {
  const rg_conv_operands *operands = source;
  const rg_conv *conv = operands->conv;
  const rg_conv_geometry *g = &conv->geometry;
  const size_t floats = conv->gemm.pack_floats, image = conv->per_image ? item / g->groups : 0;
  const float *group = operands->x + item % g->groups * g->group_in;
  if (conv->pointwise) {
    point_pixels(conv, group + image * g->x.image_step, begin, count, pointers);
    return;
  }
  cursor at = cursor_at(g, image + begin / g->y.pixels, begin % g->y.pixels);
  for (size_t i = 0; i < count;) {
    const float *x = group + at.image * g->x.image_step;
    if (conv->mode == RG_CONV_GATHER) {
      pointers[i] = scratch + i * floats;
      gather_window(g, x, at.origin, scratch + i * floats);
      cursor_next(g, &at);
      i++;
      continue;
    }
    const size_t whole = whole_windows(g, &at, count - i), taken = whole > 0 ? whole : 1;
    if (conv->mode == RG_CONV_RUNS)
      point_runs(conv, x, at.origin, scratch + i * floats, pointers + i);
    else
      point_taps(conv, x, at.origin, pointers + i);
    point_neighbours(conv, taken, pointers + i);
    cursor_skip(g, &at, taken);
    i += taken;
  }
}
