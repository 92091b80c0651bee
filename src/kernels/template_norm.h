/* Normalisation: moments over rows and columns, scale and shift, layer and RMS normalisation. */

/* Sum of (x - mean)^2 over n <= SUM_BLOCK elements. */
static __attribute__((noinline)) float deviation_block(const float *x, float mean, size_t n) {
  const rg_vec centre = v_set1(mean);
  rg_vec s0 = v_set1(0.0f), s1 = s0;
  size_t i = 0;
  for (; i + VECTORS(2) <= n; i += VECTORS(2)) {
    const rg_vec a = v_sub(v_load(x + i), centre), b = v_sub(v_load(x + i + RG_LANES), centre);
    s0 = v_fma(a, a, s0);
    s1 = v_fma(b, b, s1);
  }
  for (; i < n; i += RG_LANES) {
    const rg_vec a = v_sub(load_some(x + i, n - i, centre), centre);
    s0 = v_fma(a, a, s0);
  }
  return v_sum(v_add(s0, s1));
}

static double deviation_row(const float *x, float mean, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i += SUM_BLOCK) sum += deviation_block(x + i, mean, n - i < SUM_BLOCK ? n - i : SUM_BLOCK);
  return sum;
}

static void moments(const float *x, size_t n, float *mean, float *variance) {
  *mean = (float)(reduce_row(RG_REDUCE_SUM, x, n) / (double)n);
  *variance = (float)(deviation_row(x, *mean, n) / (double)n);
}

static void column_moments(const float *x, size_t stride, size_t rows, size_t cols, float *mean, float *variance) {
  const rg_vec zero = v_set1(0.0f), share = v_set1(1.0f / (float)rows);
  reduce_strip(RG_REDUCE_SUM, x, stride, mean, rows, cols);
  for (size_t c = 0; c < cols; c += RG_LANES) {
    const size_t n = cols - c < RG_LANES ? cols - c : RG_LANES;
    const rg_vec centre = v_mul(load_some(mean + c, n, zero), share);
    rg_vec total = zero;
    for (size_t r0 = 0; r0 < rows; r0 += SUM_BLOCK) {
      const size_t r1 = rows - r0 < SUM_BLOCK ? rows : r0 + SUM_BLOCK;
      rg_vec s = zero;
      for (size_t r = r0; r < r1; r++) {
        const rg_vec a = v_sub(load_some(x + r * stride + c, n, zero), centre);
        s = v_fma(a, a, s);
      }
      total = v_add(total, s);
    }
    store_some(mean + c, centre, n);
    store_some(variance + c, v_mul(total, share), n);
  }
}

static void scale_rows(const float *x, float *y, size_t rows, size_t cols, const float *scale, const float *shift) {
  for (size_t r = 0; r < rows; r++) scale_line(scale[r], shift[r], x + r * cols, y + r * cols, cols);
}

/* y = x gamma + beta with each a vector of the row's length. */
static inline void scale_row(const float *x, float *y, size_t cols, const float *scale, const float *shift) {
  const rg_vec zero = v_set1(0.0f);
  size_t c = 0;
  for (; c + RG_LANES <= cols; c += RG_LANES)
    v_store(y + c, v_fma(v_load(x + c), v_load(scale + c), v_load(shift + c)));
  if (c < cols) {
    const size_t n = cols - c;
    const rg_vec v = load_some(x + c, n, zero);
    store_some(y + c, v_fma(v, load_some(scale + c, n, zero), load_some(shift + c, n, zero)), n);
  }
}

static void scale_columns(const float *x, float *y, size_t rows, size_t cols, const float *scale, const float *shift) {
  for (size_t r = 0; r < rows; r++) scale_row(x + r * cols, y + r * cols, cols, scale, shift);
}

static void layer_norm(const float *x, float *y, size_t rows, size_t cols, const float *gamma, const float *beta,
                       float epsilon, bool rms, float *mean, float *inverse) {
  for (size_t r = 0; r < rows; r++, x += cols, y += cols) {
    const float m = rms ? 0.0f : (float)(reduce_row(RG_REDUCE_SUM, x, cols) / (double)cols);
    const float factor = (float)(1.0 / sqrt(deviation_row(x, m, cols) / (double)cols + (double)epsilon));
    const rg_vec centre = v_set1(m), scale = v_set1(factor), one = v_set1(1.0f), zero = v_set1(0.0f);
    for (size_t c = 0; c < cols; c += RG_LANES) {
      const size_t n = cols - c < RG_LANES ? cols - c : RG_LANES;
      const rg_vec g = gamma ? load_some(gamma + c, n, one) : one, b = beta ? load_some(beta + c, n, zero) : zero;
      const rg_vec v = v_mul(v_sub(load_some(x + c, n, centre), centre), scale);
      store_some(y + c, v_fma(v, g, b), n);
    }
    if (mean) mean[r] = m;
    if (inverse) inverse[r] = factor;
  }
}
