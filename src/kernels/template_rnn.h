/* Recurrent steps: a vector times a matrix, and the gates. */

/* `vectors` vectors of columns in registers down all k; `tail` lanes of the last are there. */
static inline void gemv_strip(const float *x, const float *w, size_t ldw, const float *c, float *y, size_t k,
                              const size_t vectors, const size_t tail) {
  rg_vec sum[8];
  for (size_t v = 0; v < vectors; v++) sum[v] = load_zero(c + VECTORS(v), v + 1 < vectors ? RG_LANES : tail);
  for (size_t i = 0; i < k; i++, w += ldw) {
    const rg_vec xi = v_set1(x[i]);
    for (size_t v = 0; v + 1 < vectors; v++) sum[v] = v_fma(xi, v_load(w + VECTORS(v)), sum[v]);
    const float *last = w + VECTORS(vectors - 1);
    sum[vectors - 1] = v_fma(xi, load_zero(last, tail), sum[vectors - 1]);
  }
  for (size_t v = 0; v < vectors; v++) store_some(y + VECTORS(v), sum[v], v + 1 < vectors ? RG_LANES : tail);
}

static void gemv(const float *x, const float *w, size_t ldw, const float *c, float *y, size_t k, size_t n) {
  size_t j = 0;
  for (; j + VECTORS(8) <= n; j += VECTORS(8)) gemv_strip(x, w + j, ldw, c + j, y + j, k, 8, RG_LANES);
  for (; j + VECTORS(4) <= n; j += VECTORS(4)) gemv_strip(x, w + j, ldw, c + j, y + j, k, 4, RG_LANES);
  for (; j + RG_LANES <= n; j += RG_LANES) gemv_strip(x, w + j, ldw, c + j, y + j, k, 1, RG_LANES);
  if (j < n) gemv_strip(x, w + j, ldw, c + j, y + j, k, 1, n - j);
}

static void lstm_step(const float *gates, const float *peepholes, float *cell, float *h, size_t hidden) {
  const float *p = peepholes;
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    rg_vec i = load_zero(gates + j, n), o = load_zero(gates + hidden + j, n), f = load_zero(gates + 2 * hidden + j, n);
    rg_vec c = load_zero(cell + j, n);
    if (p != NULL) {
      i = v_fma(load_zero(p + j, n), c, i);
      f = v_fma(load_zero(p + 2 * hidden + j, n), c, f);
    }
    const rg_vec candidate = v_tanh(load_zero(gates + 3 * hidden + j, n));
    c = v_fma(v_sigmoid(f), c, v_mul(v_sigmoid(i), candidate));
    if (p != NULL) o = v_fma(load_zero(p + hidden + j, n), c, o);
    store_some(cell + j, c, n);
    store_some(h + j, v_mul(v_sigmoid(o), v_tanh(c)), n);
  }
}

static void gru_reset(const float *gates, const float *other, float *out, size_t hidden) {
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    store_some(out + j, v_mul(v_sigmoid(load_zero(gates + hidden + j, n)), load_zero(other + j, n)), n);
  }
}

static void gru_update(const float *gates, const float *candidate, float *h, size_t hidden) {
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    const rg_vec z = v_sigmoid(load_zero(gates + j, n)), t = v_tanh(load_zero(candidate + j, n));
    store_some(h + j, v_fma(z, v_sub(load_zero(h + j, n), t), t), n); /* (1 - z) t + z h */
  }
}
