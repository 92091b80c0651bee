/* Recurrent steps: a vector times a matrix, and the gates. */

/* `vectors` vectors of columns in registers down all k; `tail` lanes of the last are there. */
static inline void gemv_strip(const float *x, const float *w, size_t ldw, const float *c, float *y, size_t k,
                              const size_t vectors, const size_t tail) {
  rg_vec sum[8];
  for (size_t v = 0; v < vectors; v++) sum[v] = v_load_n(c + VECTORS(v), v + 1 < vectors ? RG_LANES : tail);
  for (size_t i = 0; i < k; i++, w += ldw) {
    const rg_vec xi = v_set1(x[i]);
    for (size_t v = 0; v + 1 < vectors; v++) sum[v] = v_fma(xi, v_load(w + VECTORS(v)), sum[v]);
    const float *last = w + VECTORS(vectors - 1);
    sum[vectors - 1] = v_fma(xi, tail == RG_LANES ? v_load(last) : v_load_n(last, tail), sum[vectors - 1]);
  }
  for (size_t v = 0; v < vectors; v++) v_store_n(y + VECTORS(v), sum[v], v + 1 < vectors ? RG_LANES : tail);
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
    rg_vec i = v_load_n(gates + j, n), o = v_load_n(gates + hidden + j, n), f = v_load_n(gates + 2 * hidden + j, n);
    rg_vec c = v_load_n(cell + j, n);
    if (p != NULL) {
      i = v_fma(v_load_n(p + j, n), c, i);
      f = v_fma(v_load_n(p + 2 * hidden + j, n), c, f);
    }
    const rg_vec candidate = v_tanh(v_load_n(gates + 3 * hidden + j, n));
    c = v_fma(v_sigmoid(f), c, v_mul(v_sigmoid(i), candidate));
    if (p != NULL) o = v_fma(v_load_n(p + hidden + j, n), c, o);
    v_store_n(cell + j, c, n);
    v_store_n(h + j, v_mul(v_sigmoid(o), v_tanh(c)), n);
  }
}

static void gru_reset(const float *gates, const float *other, float *out, size_t hidden) {
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    v_store_n(out + j, v_mul(v_sigmoid(v_load_n(gates + hidden + j, n)), v_load_n(other + j, n)), n);
  }
}

static void gru_update(const float *gates, const float *candidate, float *h, size_t hidden) {
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    const rg_vec z = v_sigmoid(v_load_n(gates + j, n)), t = v_tanh(v_load_n(candidate + j, n));
    v_store_n(h + j, v_fma(z, v_sub(v_load_n(h + j, n), t), t), n); /* (1 - z) t + z h */
  }
}
