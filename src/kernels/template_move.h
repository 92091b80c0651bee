/* Pooling, weighted sums of rows, conversions. */

static inline void pool_window(const rg_pool_row *s, bool maximum, const float *x, float *y) {
  const rg_vec start = v_set1(maximum ? -__builtin_inff() : 0.0f), scale = v_set1(s->scale);
  for (size_t c = 0; c < s->channels; c += RG_LANES) {
    const size_t n = s->channels - c < RG_LANES ? s->channels - c : RG_LANES;
    rg_vec v = start;
    for (size_t i = 0; i < s->kernel_h; i++)
      for (size_t j = 0; j < s->kernel_w; j++) {
        const float *at = x + i * s->row + j * s->col + c;
        const rg_vec next = load_some(at, n, start);
        v = reduce_step(maximum ? RG_REDUCE_MAX : RG_REDUCE_SUM, v, next);
      }
    store_some(y + c, maximum ? v : v_mul(v, scale), n);
  }
}

static void pool_row(const rg_pool_row *s, const float *x, float *y, size_t count) {
  if (s->maximum)
    for (size_t i = 0; i < count; i++) pool_window(s, true, x + i * s->step, y + i * s->channels);
  else
    for (size_t i = 0; i < count; i++) pool_window(s, false, x + i * s->step, y + i * s->channels);
}

static void blend(const float *const *x, const float *weight, size_t count, float *y, size_t n) {
  for (size_t i = 0; i < n; i += RG_LANES) {
    const size_t lanes = n - i < RG_LANES ? n - i : RG_LANES;
    rg_vec sum = v_set1(0.0f);
    for (size_t k = 0; k < count; k++) sum = v_fma(v_set1(weight[k]), load_zero(x[k] + i, lanes), sum);
    store_some(y + i, sum, lanes);
  }
}

/* The last elements go through a vector of zeros, so that nothing beyond the array is read. */
#define CONVERT(name, type)                                                                                            \
  static void name(const type *x, float *y, size_t n) {                                                                \
    size_t i = 0;                                                                                                      \
    for (; i + RG_LANES <= n; i += RG_LANES) v_store(y + i, v_##name(x + i));                                          \
    if (i < n) {                                                                                                       \
      type tail[RG_LANES] = {0};                                                                                       \
      memcpy(tail, x + i, (n - i) * sizeof *x);                                                                        \
      store_some(y + i, v_##name(tail), n - i);                                                                        \
    }                                                                                                                  \
  }
CONVERT(from_u8, uint8_t)
CONVERT(from_i8, int8_t)
CONVERT(from_i32, int32_t)
CONVERT(from_half, uint16_t)

static void to_half(const float *x, uint16_t *y, size_t n) {
  size_t i = 0;
  for (; i + RG_LANES <= n; i += RG_LANES) v_to_half(y + i, v_load(x + i));
  if (i < n) {
    uint16_t tail[RG_LANES];
    v_to_half(tail, load_some(x + i, n - i, v_set1(0.0f)));
    memcpy(y + i, tail, (n - i) * sizeof *y);
  }
}
