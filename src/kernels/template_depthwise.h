/*
 * Neighbouring pixels of a depthwise convolution, written once over simd.h; see rg_depthwise_line. Vectors run over
 * channels; up to RG_PIXELS pixels of a line share each load of a weight, and, where windows of three taps overlap,
 * each load of a pixel.
 */
#include "kernels/gemm.h"
#include "kernels/unroll.h"

#define RG_PIXELS 8 /* at most: chains of sums, more than an addition's latency */
#define RG_TAPS   3 /* of the windows whose pixels are shared */

RG_INLINE rg_vec load_lanes(const float *from, const bool whole, size_t lanes) {
  return whole ? v_load(from) : v_load_n(from, lanes);
}

/* acc[i] += a window's row, tap by tap. */
RG_INLINE void depthwise_row(const rg_depthwise_line *p, const float *x, const float *w, const size_t pixels,
                             const bool whole, size_t lanes, rg_vec acc[RG_PIXELS]) {
  for (size_t t = 0; t < p->taps; t++, x += p->tap_step, w += p->channels) {
    const rg_vec weight = load_lanes(w, whole, lanes);
    RG_UNROLL
    for (size_t i = 0; i < pixels; i++) acc[i] = v_fma(load_lanes(x + i * p->pixel_step, whole, lanes), weight, acc[i]);
  }
}

/* The same for three neighbouring taps of neighbouring pixels. */
RG_INLINE void depthwise_row_shared(const rg_depthwise_line *p, const float *x, const float *w, const size_t pixels,
                                    const bool whole, size_t lanes, rg_vec acc[RG_PIXELS]) {
  rg_vec weight[RG_TAPS];
  RG_UNROLL
  for (size_t t = 0; t < RG_TAPS; t++) weight[t] = load_lanes(w + t * p->channels, whole, lanes);
  RG_UNROLL
  for (size_t at = 0; at < pixels + RG_TAPS - 1; at++) {
    const rg_vec pixel = load_lanes(x + at * p->pixel_step, whole, lanes);
    RG_UNROLL
    for (size_t t = 0; t < RG_TAPS; t++)
      if (at >= t && at - t < pixels) acc[at - t] = v_fma(pixel, weight[t], acc[at - t]);
  }
}

/* `pixels` pixels from `first` on, `lanes` channels from `c` on. */
RG_INLINE void depthwise_of(const rg_depthwise_line *p, size_t first, size_t c, const size_t pixels, const bool shared,
                            const bool whole, size_t lanes) {
  const rg_vec bias = p->bias != NULL ? v_load_n(p->bias + c, lanes) : v_set1(0.0f);
  rg_vec acc[RG_PIXELS];
  RG_UNROLL
  for (size_t i = 0; i < pixels; i++) acc[i] = bias;
  for (size_t r = 0; r < p->rows; r++) {
    if (p->x[r] == NULL) continue;
    const float *x = p->x[r] + first * p->pixel_step + c, *w = p->weights + r * p->weight_row + c;
    if (shared)
      depthwise_row_shared(p, x, w, pixels, whole, lanes, acc);
    else
      depthwise_row(p, x, w, pixels, whole, lanes, acc);
  }
  RG_UNROLL
  for (size_t i = 0; i < pixels; i++) {
    const size_t at = (first + i) * p->channels + c;
    if (p->residual != NULL) acc[i] = v_add(acc[i], load_lanes(p->residual + at, whole, lanes));
    acc[i] = v_min(v_set1(p->high), v_max(v_set1(p->low), acc[i]));
    if (whole)
      v_store(p->out + at, acc[i]);
    else
      v_store_n(p->out + at, acc[i], lanes);
  }
}

/* Pixels from `first` on, all channels. */
RG_INLINE void depthwise_pixels(const rg_depthwise_line *line, size_t first, const size_t pixels, const bool shared) {
  size_t c = 0;
  for (; c + RG_LANES <= line->channels; c += RG_LANES) depthwise_of(line, first, c, pixels, shared, true, RG_LANES);
  if (c < line->channels) depthwise_of(line, first, c, pixels, shared, false, line->channels - c);
}

/* All pixels of a line; the last few are done with some before them once more, where nothing is added to what is there.
 */
RG_INLINE void depthwise_line(const rg_depthwise_line *line, const bool shared) {
  size_t i = 0;
  for (; i + 8 <= line->count; i += 8) depthwise_pixels(line, i, 8, shared);
  if (i + 4 <= line->count) {
    depthwise_pixels(line, i, 4, shared);
    i += 4;
  }
  if (i < line->count && line->count >= 4 && line->residual == NULL) {
    depthwise_pixels(line, line->count - 4, 4, shared);
    return;
  }
  for (; i < line->count; i++) depthwise_pixels(line, i, 1, false);
}

void RG_KERNEL_NAME(depthwise)(const rg_depthwise_line *line) {
  if (line->taps == RG_TAPS && line->tap_step == line->pixel_step)
    depthwise_line(line, true);
  else
    depthwise_line(line, false);
}
