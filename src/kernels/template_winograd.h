/*
 * Winograd's transforms of input and output, written once over simd.h; see winograd.h. Vectors run over channels.
 *
 * With M(x) = x (x^2 - a^2)(x^2 - b^2)..., row p of B^T has the coefficients of M(x) / (x - p) (of M(x) itself for
 * infinity), row k of A^T the k-th powers of the points. Rows of +p and -p share their even and odd parts.
 */
#include "kernels/gemm.h"
#include "kernels/unroll.h"

/* even + p odd, even - p odd */
#define RG_PAIR(plus, minus, even, odd, p)                                                                             \
  do {                                                                                                                 \
    const rg_vec even_ = (even), odd_ = v_mul(v_set1(p), (odd));                                                       \
    (plus) = v_add(even_, odd_);                                                                                       \
    (minus) = v_sub(even_, odd_);                                                                                      \
  } while (0)

/* x2 + f1 x1 (+ f0 x0) */
RG_INLINE rg_vec sum2(rg_vec x1, float f1, rg_vec x2) { return v_fma(v_set1(f1), x1, x2); }
RG_INLINE rg_vec sum3(rg_vec x0, float f0, rg_vec x1, float f1, rg_vec x2) {
  return v_fma(v_set1(f0), x0, sum2(x1, f1, x2));
}

/* t = B^T d, s = 4 */
RG_INLINE void input4(const rg_vec d[4], rg_vec t[4]) {
  t[0] = v_sub(d[2], d[0]);
  t[1] = v_add(d[2], d[1]);
  t[2] = v_sub(d[2], d[1]);
  t[3] = v_sub(d[3], d[1]);
}

/* t = B^T d, s = 6 */
RG_INLINE void input6(const rg_vec d[6], rg_vec t[6]) {
  const float a = RG_WINOGRAD6_A, b = RG_WINOGRAD6_B, aa = a * a, bb = b * b;
  t[0] = sum3(d[0], aa * bb, d[2], -(aa + bb), d[4]);
  RG_PAIR(t[1], t[2], sum2(d[2], -bb, d[4]), sum2(d[1], -bb, d[3]), a);
  RG_PAIR(t[3], t[4], sum2(d[2], -aa, d[4]), sum2(d[1], -aa, d[3]), b);
  t[5] = sum3(d[1], aa * bb, d[3], -(aa + bb), d[5]);
}

/* t = B^T d, s = 8 */
RG_INLINE void input8(const rg_vec d[8], rg_vec t[8]) {
  const float a = RG_WINOGRAD8_A, b = RG_WINOGRAD8_B, c = RG_WINOGRAD8_C, aa = a * a, bb = b * b, cc = c * c;
  const float p1 = -(aa + bb + cc), p2 = aa * bb + aa * cc + bb * cc, p3 = -aa * bb * cc;
  t[0] = v_fma(v_set1(p3), d[0], sum3(d[2], p2, d[4], p1, d[6]));
  RG_PAIR(t[1], t[2], sum3(d[2], bb * cc, d[4], -(bb + cc), d[6]), sum3(d[1], bb * cc, d[3], -(bb + cc), d[5]), a);
  RG_PAIR(t[3], t[4], sum3(d[2], aa * cc, d[4], -(aa + cc), d[6]), sum3(d[1], aa * cc, d[3], -(aa + cc), d[5]), b);
  RG_PAIR(t[5], t[6], sum3(d[2], aa * bb, d[4], -(aa + bb), d[6]), sum3(d[1], aa * bb, d[3], -(aa + bb), d[5]), c);
  t[7] = v_fma(v_set1(p3), d[1], sum3(d[3], p2, d[5], p1, d[7]));
}

RG_INLINE void input_of(const size_t side, const rg_vec *d, rg_vec *t) {
  if (side == 4)
    input4(d, t);
  else if (side == 6)
    input6(d, t);
  else
    input8(d, t);
}

/* The first m rows of y = A^T z, s = 4, 6, 8; the last has infinity's point besides. */
RG_INLINE void output4(const rg_vec z[4], rg_vec y[2]) {
  y[0] = v_add(z[0], v_add(z[1], z[2]));
  y[1] = v_add(z[3], v_sub(z[1], z[2]));
}

RG_INLINE void output6(const rg_vec z[6], const size_t m, rg_vec y[4]) {
  const float a = RG_WINOGRAD6_A, b = RG_WINOGRAD6_B, aa = a * a, bb = b * b;
  const rg_vec sa = v_add(z[1], z[2]), da = v_sub(z[1], z[2]), sb = v_add(z[3], z[4]), db = v_sub(z[3], z[4]);
  y[0] = v_add(z[0], v_add(sa, sb));
  y[1] = v_fma(v_set1(a), da, v_mul(v_set1(b), db));
  if (m == 4) {
    y[2] = v_fma(v_set1(aa), sa, v_mul(v_set1(bb), sb));
    y[3] = v_fma(v_set1(aa * a), da, v_mul(v_set1(bb * b), db));
  }
  y[m - 1] = v_add(y[m - 1], z[5]);
}

/* fa x + fb y + fc z */
RG_INLINE rg_vec sum_of(rg_vec x, float fa, rg_vec y, float fb, rg_vec z, float fc) {
  return v_fma(v_set1(fa), x, v_fma(v_set1(fb), y, v_mul(v_set1(fc), z)));
}

RG_INLINE void output8(const rg_vec z[8], const size_t m, rg_vec y[6]) {
  const float a = RG_WINOGRAD8_A, b = RG_WINOGRAD8_B, c = RG_WINOGRAD8_C, aa = a * a, bb = b * b, cc = c * c;
  const rg_vec sa = v_add(z[1], z[2]), sb = v_add(z[3], z[4]), sc = v_add(z[5], z[6]);
  const rg_vec da = v_sub(z[1], z[2]), db = v_sub(z[3], z[4]), dc = v_sub(z[5], z[6]);
  y[0] = v_add(v_add(z[0], sa), v_add(sb, sc));
  y[1] = sum_of(da, a, db, b, dc, c);
  y[2] = sum_of(sa, aa, sb, bb, sc, cc);
  y[3] = sum_of(da, aa * a, db, bb * b, dc, cc * c);
  if (m == 6) {
    y[4] = sum_of(sa, aa * aa, sb, bb * bb, sc, cc * cc);
    y[5] = sum_of(da, aa * aa * a, db, bb * bb * b, dc, cc * cc * c);
  }
  y[m - 1] = v_add(y[m - 1], z[7]);
}

RG_INLINE void output_of(const size_t side, const size_t m, const rg_vec *z, rg_vec *y) {
  if (side == 4)
    output4(z, y);
  else if (side == 6)
    output6(z, m, y);
  else
    output8(z, m, y);
}

/* `lanes` channels from `c` on. */
RG_INLINE void winograd_window(const rg_winograd_input *in, size_t c, const size_t side, const bool whole,
                               size_t lanes) {
  rg_vec turned[RG_WINOGRAD_SIDE_MAX][RG_WINOGRAD_SIDE_MAX]; /* [column][row] */
  for (size_t j = 0; j < side; j++) {
    rg_vec column[RG_WINOGRAD_SIDE_MAX];
    if (j < in->begin || j >= in->end) {
      RG_UNROLL
      for (size_t i = 0; i < side; i++) turned[j][i] = v_set1(0.0f);
      continue;
    }
    RG_UNROLL
    for (size_t i = 0; i < side; i++) {
      const float *at = in->rows[i] + (j - in->begin) * in->steps[i] + c;
      column[i] = whole ? v_load(at) : v_load_n(at, lanes);
    }
    input_of(side, column, turned[j]);
  }
  float *to = in->v + c;
  for (size_t i = 0; i < side; i++) {
    rg_vec row[RG_WINOGRAD_SIDE_MAX], out[RG_WINOGRAD_SIDE_MAX];
    RG_UNROLL
    for (size_t j = 0; j < side; j++) row[j] = turned[j][i];
    input_of(side, row, out);
    RG_UNROLL
    for (size_t j = 0; j < side; j++, to += in->v_step) {
      if (whole)
        v_store(to, out[j]);
      else
        v_store_n(to, out[j], lanes);
    }
  }
}

RG_INLINE void winograd_line(const rg_winograd_input *in, size_t c, const size_t side, const bool whole, size_t lanes) {
  rg_vec pixels[RG_WINOGRAD_SIDE_MAX], out[RG_WINOGRAD_SIDE_MAX];
  RG_UNROLL
  for (size_t i = 0; i < side; i++) pixels[i] = whole ? v_load(in->rows[i] + c) : v_load_n(in->rows[i] + c, lanes);
  input_of(side, pixels, out);
  RG_UNROLL
  for (size_t i = 0; i < side; i++) {
    if (whole)
      v_store(in->v + i * in->v_step + c, out[i]);
    else
      v_store_n(in->v + i * in->v_step + c, out[i], lanes);
  }
}

RG_INLINE void winograd_windows(const rg_winograd_input *in, const size_t side) {
  const size_t whole = in->channels / RG_LANES * RG_LANES, left = in->channels - whole;
  if (in->line) {
    for (size_t c = 0; c < whole; c += RG_LANES) winograd_line(in, c, side, true, RG_LANES);
    if (left > 0) winograd_line(in, whole, side, false, left);
    return;
  }
  for (size_t c = 0; c < whole; c += RG_LANES) winograd_window(in, c, side, true, RG_LANES);
  if (left > 0) winograd_window(in, whole, side, false, left);
}

static void winograd_windows4(const rg_winograd_input *in) { winograd_windows(in, 4); }
static void winograd_windows6(const rg_winograd_input *in) { winograd_windows(in, 6); }
static void winograd_windows8(const rg_winograd_input *in) { winograd_windows(in, 8); }

void RG_KERNEL_NAME(winograd_input)(const rg_winograd_input *in) {
  if (in->side == 4)
    winograd_windows4(in);
  else if (in->side == 6)
    winograd_windows6(in);
  else
    winograd_windows8(in);
}

/* Bias, residual and bounds of what is stored `at` floats from y. */
RG_INLINE void winograd_store(const rg_winograd_output *out, rg_vec sum, rg_vec bias, size_t at, const bool whole,
                              size_t lanes) {
  sum = v_add(sum, bias);
  if (out->residual != NULL) sum = v_add(sum, whole ? v_load(out->residual + at) : v_load_n(out->residual + at, lanes));
  sum = v_min(v_set1(out->high), v_max(v_set1(out->low), sum));
  if (whole)
    v_store(out->y + at, sum);
  else
    v_store_n(out->y + at, sum, lanes);
}

/* Column `j` of the points to the rows of the tile. */
RG_INLINE void winograd_column(const rg_winograd_output *out, size_t j, size_t step, size_t c, const size_t side,
                               const size_t m, const bool whole, size_t lanes, rg_vec *y) {
  rg_vec column[RG_WINOGRAD_SIDE_MAX];
  RG_UNROLL
  for (size_t i = 0; i < side; i++) {
    const float *at = out->z + (i * step + j) * out->z_step + c;
    column[i] = whole ? v_load(at) : v_load_n(at, lanes);
  }
  output_of(side, m, column, y);
}

RG_INLINE void winograd_tile(const rg_winograd_output *out, size_t c, const size_t side, const size_t m,
                             const bool whole, size_t lanes) {
  rg_vec turned[RG_WINOGRAD_SIDE_MAX][RG_WINOGRAD_SIDE_MAX]; /* [column of the points][row of the tile] */
  const rg_vec bias = out->bias == NULL ? v_set1(0.0f) : v_load_n(out->bias + c, lanes);
  for (size_t j = 0; j < side; j++) winograd_column(out, j, side, c, side, m, whole, lanes, turned[j]);
  for (size_t i = 0; i < out->rows; i++) {
    rg_vec row[RG_WINOGRAD_SIDE_MAX], y[RG_WINOGRAD_SIDE_MAX];
    RG_UNROLL
    for (size_t j = 0; j < side; j++) row[j] = turned[j][i];
    output_of(side, m, row, y);
    RG_UNROLL
    for (size_t j = 0; j < m; j++) {
      if (j >= out->columns) break;
      winograd_store(out, y[j], bias, i * out->y_row + j * out->y_pixel + c, whole, lanes);
    }
  }
}

RG_INLINE void winograd_line_tile(const rg_winograd_output *out, size_t c, const size_t side, const size_t m,
                                  const bool whole, size_t lanes) {
  const rg_vec bias = out->bias == NULL ? v_set1(0.0f) : v_load_n(out->bias + c, lanes);
  rg_vec y[RG_WINOGRAD_SIDE_MAX];
  winograd_column(out, 0, 1, c, side, m, whole, lanes, y);
  RG_UNROLL
  for (size_t i = 0; i < m; i++) {
    if (i >= out->rows) break;
    winograd_store(out, y[i], bias, i * out->y_row + c, whole, lanes);
  }
}

RG_INLINE void winograd_tiles(const rg_winograd_output *out, const size_t side, const size_t m) {
  const size_t whole = out->channels / RG_LANES * RG_LANES, left = out->channels - whole;
  if (out->line) {
    for (size_t c = 0; c < whole; c += RG_LANES) winograd_line_tile(out, c, side, m, true, RG_LANES);
    if (left > 0) winograd_line_tile(out, whole, side, m, false, left);
    return;
  }
  for (size_t c = 0; c < whole; c += RG_LANES) winograd_tile(out, c, side, m, true, RG_LANES);
  if (left > 0) winograd_tile(out, whole, side, m, false, left);
}

static void winograd_tiles42(const rg_winograd_output *out) { winograd_tiles(out, 4, 2); }
static void winograd_tiles62(const rg_winograd_output *out) { winograd_tiles(out, 6, 2); }
static void winograd_tiles64(const rg_winograd_output *out) { winograd_tiles(out, 6, 4); }
static void winograd_tiles84(const rg_winograd_output *out) { winograd_tiles(out, 8, 4); }
static void winograd_tiles86(const rg_winograd_output *out) { winograd_tiles(out, 8, 6); }

void RG_KERNEL_NAME(winograd_output)(const rg_winograd_output *out) {
  if (out->side == 4)
    winograd_tiles42(out);
  else if (out->side == 6)
    (out->m == 2 ? winograd_tiles62 : winograd_tiles64)(out);
  else
    (out->m == 4 ? winograd_tiles84 : winograd_tiles86)(out);
}
