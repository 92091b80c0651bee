/* U = G w G^T for each pair of channels, packed for the matrix product of each point; see winograd.h. */
#include <string.h>

#include "cpu/winograd.h"

#define R_MAX   5
#define COLUMNS 32 /* output channels transformed side by side: at least every table's nr */

typedef struct points {
  double squares[3]; /* of the pairs of points +-p */
  double values[3];
  double norms[3]; /* product of the distances from +p to the other points */
  double zero;     /* the same for 0 */
  size_t pairs;
  bool bordered; /* see rg_winograd_needs */
} points;

static points points_of(size_t side, bool bordered) {
  static const double values[][3] = {
      {1.0}, {RG_WINOGRAD6_A, RG_WINOGRAD6_B}, {RG_WINOGRAD8_A, RG_WINOGRAD8_B, RG_WINOGRAD8_C}};
  points p = {.pairs = side / 2 - 1, .bordered = bordered};
  memcpy(p.values, values[p.pairs - 1], sizeof p.values);
  p.zero = 1.0;
  for (size_t i = 0; i < p.pairs; i++) {
    p.squares[i] = p.values[i] * p.values[i];
    p.zero *= -p.squares[i];
  }
  for (size_t i = 0; i < p.pairs; i++) {
    p.norms[i] = 2.0 * p.squares[i]; /* p - 0 and p + p */
    for (size_t j = 0; j < p.pairs; j++)
      if (j != i) p.norms[i] *= p.squares[i] - p.squares[j];
  }
  return p;
}

typedef double row[COLUMNS]; /* one for each output channel */

/* u[point] = G w for `columns` channels: row p of G is (1, p, p^2, ...) / norm, the last (0, ..., 0, 1). */
static void transform(const points *p, size_t r, row *const w[R_MAX], row *const u[RG_WINOGRAD_SIDE_MAX],
                      size_t columns) {
  static const row none;
  const double by_zero = 1.0 / p->zero;
  /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): r is 3 or 5 */
  const double *w0 = *w[0], *w1 = *w[1], *w2 = *w[2], *w3 = r > 3 ? *w[3] : none, *w4 = r > 3 ? *w[4] : none;
  if (p->bordered) {
    double *zero = *u[0], *one = *u[1], *last = *u[2 * p->pairs + 1];
    for (size_t j = 0; j < columns; j++) {
      zero[j] = w2[j] - w1[j];
      one[j] = w1[j];
      last[j] = w1[j] - w0[j];
    }
    return;
  }
  double *restrict first = *u[0];
  for (size_t j = 0; j < columns; j++) first[j] = by_zero * w0[j];
  for (size_t i = 0; i < p->pairs; i++) {
    const double square = p->squares[i], by_norm = 1.0 / p->norms[i], value = p->values[i] * by_norm;
    double *restrict plus = *u[1 + 2 * i], *restrict minus = *u[2 + 2 * i];
    for (size_t j = 0; j < columns; j++) {
      const double even = by_norm * (w0[j] + square * (w2[j] + square * w4[j]));
      const double odd = value * (w1[j] + square * w3[j]);
      plus[j] = even + odd;
      minus[j] = even - odd;
    }
  }
  memcpy(*u[2 * p->pairs + 1], *w[r - 1], columns * sizeof(double));
}

/* One input channel, `columns` output channels: taps[r * r] to u[side * side]. */
static void transform_taps(const points *p, size_t r, row taps[R_MAX * R_MAX],
                           row u[RG_WINOGRAD_SIDE_MAX * RG_WINOGRAD_SIDE_MAX], size_t columns) {
  const size_t side = 2 * p->pairs + 2;
  row half[RG_WINOGRAD_SIDE_MAX][R_MAX]; /* G w */
  row *from[R_MAX], *to[RG_WINOGRAD_SIDE_MAX];
  for (size_t x = 0; x < r; x++) {
    for (size_t k = 0; k < r; k++) from[k] = &taps[k * r + x];
    for (size_t i = 0; i < side; i++) to[i] = &half[i][x];
    transform(p, r, from, to, columns);
  }
  for (size_t i = 0; i < side; i++) {
    for (size_t k = 0; k < r; k++) from[k] = &half[i][k];
    for (size_t j = 0; j < side; j++) to[j] = &u[i * side + j];
    transform(p, r, from, to, columns);
  }
}

/* The same of a line: taps[r] to u[side]. */
static void transform_line(const points *p, size_t r, row taps[R_MAX * R_MAX],
                           row u[RG_WINOGRAD_SIDE_MAX * RG_WINOGRAD_SIDE_MAX], size_t columns) {
  row *from[R_MAX], *to[RG_WINOGRAD_SIDE_MAX];
  for (size_t k = 0; k < r; k++) from[k] = &taps[k];
  for (size_t i = 0; i < 2 * p->pairs + 2; i++) to[i] = &u[i];
  transform(p, r, from, to, columns);
}

rango_status rg_winograd_pack(void *to, const rango_tensor *weight, const void *argument) {
  const rg_winograd_weights *self = argument;
  const size_t r = self->r, side = self->m + r - 1, kernel = self->line ? r : r * r;
  const points p = points_of(side, self->bordered);
  const size_t count = self->line ? side : side * side, nr = self->kernels->nr,
               panels = rg_pack_panels(self->kernels, self->out);
  const char *from = weight->data;
  row taps[R_MAX * R_MAX], u[RG_WINOGRAD_SIDE_MAX * RG_WINOGRAD_SIDE_MAX];
  for (size_t panel = 0; panel < panels; panel++) {
    const size_t first = panel * nr, width = rg_pack_width(self->kernels, self->out, panel);
    const size_t columns = self->out - first < width ? self->out - first : width;
    float *at = (float *)to + self->matrices * rg_pack_offset(self->kernels, self->in, panel);
    for (size_t c = 0; c < self->in; c++, at += width) {
      for (size_t j = 0; j < columns; j++) {
        float w[R_MAX * R_MAX];
        const size_t bytes = kernel * sizeof *w;
        memcpy(w, from + ((first + j) * self->in + c) * bytes, bytes);
        for (size_t t = 0; t < kernel; t++) taps[t][j] = (double)w[t];
      }
      (self->line ? transform_line : transform_taps)(&p, r, taps, u, columns);
      float *matrix = at;
      for (size_t i = 0; i < count; i++) {
        if (!rg_winograd_needs(self->bordered, i)) continue;
        for (size_t j = 0; j < columns; j++) matrix[j] = (float)u[i][j];
        for (size_t j = columns; j < width; j++) matrix[j] = 0.0f;
        matrix += self->in * width;
      }
    }
  }
  return RANGO_OK;
}
