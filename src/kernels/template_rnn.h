/* Recurrent steps: a few rows times a matrix, and the gates. */
#include "kernels/unroll.h"

/* Vectors of columns that go down all k together: their sums, one for each row, stay in registers. */
#if RG_LANES == 16 || defined(__aarch64__)
#define ROW_SUMS 16
#else
#define ROW_SUMS 8
#endif

/* `vectors` vectors of columns from `column` on; `tail` lanes of the last are there. */
RG_INLINE void row_product_strip(const rg_row_product *p, size_t column, const size_t rows, const size_t vectors,
                                 const size_t tail) {
  rg_vec sum[ROW_SUMS];
  RG_UNROLL
  for (size_t s = 0; s < rows * vectors; s++) {
    const float *c = p->c ? p->c + s / vectors * p->c_row + column + VECTORS(s % vectors) : NULL;
    sum[s] = c ? load_zero(c, s % vectors + 1 < vectors ? RG_LANES : tail) : v_set1(0.0f);
  }
  const float *w = p->w + column;
  for (size_t q = 0; q < p->k; q++, w += p->w_row) {
    rg_vec x[RG_ROW_PRODUCT_MAX];
    RG_UNROLL
    for (size_t i = 0; i < rows; i++) x[i] = v_set1(p->x[i * p->x_row + q]);
    rg_vec line[ROW_SUMS];
    RG_UNROLL
    for (size_t v = 0; v < vectors; v++) {
      line[v] = v + 1 < vectors ? v_load(w + VECTORS(v)) : load_zero(w + VECTORS(v), tail);
      if (rows > 1) RG_KEEP(line[v]);
    }
    RG_UNROLL
    for (size_t s = 0; s < rows * vectors; s++) sum[s] = v_fma(x[s / vectors], line[s % vectors], sum[s]);
  }
  RG_UNROLL
  for (size_t s = 0; s < rows * vectors; s++)
    store_some(p->y + s / vectors * p->y_row + column + VECTORS(s % vectors), sum[s],
               s % vectors + 1 < vectors ? RG_LANES : tail);
}

/* Strips of `most` vectors, then single ones. */
#define ROW_PRODUCT(rows, most)                                                                                        \
  static void row_product_##rows(const rg_row_product *p) {                                                            \
    size_t j = 0;                                                                                                      \
    for (; j + VECTORS(most) <= p->n; j += VECTORS(most)) row_product_strip(p, j, rows, most, RG_LANES);               \
    for (; j + RG_LANES <= p->n; j += RG_LANES) row_product_strip(p, j, rows, 1, RG_LANES);                            \
    if (j < p->n) row_product_strip(p, j, rows, 1, p->n - j);                                                          \
  }
ROW_PRODUCT(1, 8)
ROW_PRODUCT(2, ROW_SUMS / 2)
ROW_PRODUCT(3, ROW_SUMS / 4)
ROW_PRODUCT(4, ROW_SUMS / 4)

static void row_product(const rg_row_product *p) {
  static void (*const functions[RG_ROW_PRODUCT_MAX])(const rg_row_product *) = {row_product_1, row_product_2,
                                                                                row_product_3, row_product_4};
  functions[p->rows - 1](p);
}

/* 1 / sigmoid(x). */
static inline rg_vec v_sigmoid_inverse(rg_vec x) { return v_one_plus_exp2(v_mul(v_set1(-LOG2_E), x)); }

/* sigmoid(gate) tanh(x), by one division. */
static inline rg_vec v_gated_tanh(rg_vec gate, rg_vec x) {
  const rg_vec t = v_tanh_part(x);
  return v_div(v_copysign(t, x), v_mul(v_sigmoid_inverse(gate), v_add(t, v_set1(2.0f))));
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
    c = v_add(v_div(c, v_sigmoid_inverse(f)), v_gated_tanh(i, load_zero(gates + 3 * hidden + j, n)));
    if (p != NULL) o = v_fma(load_zero(p + hidden + j, n), c, o);
    store_some(cell + j, c, n);
    store_some(h + j, v_gated_tanh(o, c), n);
  }
}

static void gru_reset(const float *gates, const float *other, float *out, size_t hidden) {
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    store_some(out + j, v_div(load_zero(other + j, n), v_sigmoid_inverse(load_zero(gates + hidden + j, n))), n);
  }
}

static void gru_update(const float *gates, const float *candidate, float *h, size_t hidden) {
  for (size_t j = 0; j < hidden; j += RG_LANES) {
    const size_t n = hidden - j < RG_LANES ? hidden - j : RG_LANES;
    const rg_vec z = v_sigmoid(load_zero(gates + j, n)), t = v_tanh(load_zero(candidate + j, n));
    store_some(h + j, v_fma(z, v_sub(load_zero(h + j, n), t), t), n); /* (1 - z) t + z h */
  }
}
