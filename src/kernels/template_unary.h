/* y = op(x): a loop over whole vectors for each operation, made by the macro; what is left over goes through a vector
 * on the stack. The operation is chosen once a call. */

#define UNARY(name, expression)                                                                                        \
  static void unary_##name(float alpha_value, float beta_value, const float *x_data, float *y_data, size_t vectors) {  \
    const rg_vec alpha = v_set1(alpha_value), beta = v_set1(beta_value);                                               \
    (void)alpha, (void)beta;                                                                                           \
    for (size_t i = 0; i < vectors; i++, x_data += RG_LANES, y_data += RG_LANES) {                                     \
      const rg_vec x = v_load(x_data);                                                                                 \
      v_store(y_data, (expression));                                                                                   \
    }                                                                                                                  \
  }

UNARY(linear, v_fma(alpha, x, beta))
UNARY(relu, v_max(v_set1(0.0f), x))
UNARY(clip, v_min(beta, v_max(alpha, x)))
UNARY(leaky_relu, v_select(v_lt(x, v_set1(0.0f)), v_mul(alpha, x), x))
UNARY(sigmoid, v_sigmoid(x))
UNARY(tanh, v_tanh(x))
UNARY(erf, v_erf(x))
UNARY(gelu, v_gelu(x))
UNARY(gelu_tanh, v_gelu_tanh(x))
UNARY(hard_sigmoid, v_hard_sigmoid(x, alpha, beta))
UNARY(hard_swish, v_mul(x, v_hard_sigmoid(x, v_set1(1.0f / 6.0f), v_set1(0.5f))))
UNARY(silu, v_silu(x))
UNARY(elu, v_elu(x, alpha))
UNARY(exp, v_exp(x))
UNARY(log, v_log(x))
UNARY(sqrt, v_sqrt(x))
UNARY(reciprocal, v_div(v_set1(1.0f), x))
UNARY(square, v_mul(x, x))
UNARY(abs, v_abs(x))
UNARY(neg, v_neg(x))
UNARY(floor, v_floor(x))
UNARY(ceil, v_ceil(x))
UNARY(round, v_round(x))

static void unary(rg_unary op, float alpha, float beta, const float *x, float *y, size_t n) {
  static void (*const functions[RG_UNARY_COUNT])(float, float, const float *, float *, size_t) = {
      [RG_UNARY_LINEAR] = unary_linear,
      [RG_UNARY_RELU] = unary_relu,
      [RG_UNARY_CLIP] = unary_clip,
      [RG_UNARY_LEAKY_RELU] = unary_leaky_relu,
      [RG_UNARY_SIGMOID] = unary_sigmoid,
      [RG_UNARY_TANH] = unary_tanh,
      [RG_UNARY_ERF] = unary_erf,
      [RG_UNARY_GELU] = unary_gelu,
      [RG_UNARY_GELU_TANH] = unary_gelu_tanh,
      [RG_UNARY_HARD_SIGMOID] = unary_hard_sigmoid,
      [RG_UNARY_HARD_SWISH] = unary_hard_swish,
      [RG_UNARY_SILU] = unary_silu,
      [RG_UNARY_ELU] = unary_elu,
      [RG_UNARY_EXP] = unary_exp,
      [RG_UNARY_LOG] = unary_log,
      [RG_UNARY_SQRT] = unary_sqrt,
      [RG_UNARY_RECIPROCAL] = unary_reciprocal,
      [RG_UNARY_SQUARE] = unary_square,
      [RG_UNARY_ABS] = unary_abs,
      [RG_UNARY_NEG] = unary_neg,
      [RG_UNARY_FLOOR] = unary_floor,
      [RG_UNARY_CEIL] = unary_ceil,
      [RG_UNARY_ROUND] = unary_round,
  };
  const size_t vectors = n / RG_LANES, rest = n % RG_LANES;
  functions[op](alpha, beta, x, y, vectors);
  if (rest == 0) return;
  float last[RG_LANES];
  v_store(last, v_load_part(x + VECTORS(vectors), rest, v_set1(0.0f)));
  functions[op](alpha, beta, last, last, 1);
  v_store_n(y + VECTORS(vectors), v_load(last), rest);
}

/* y = factor x + term, without the table. */
static inline void scale_line(float factor, float term, const float *x, float *y, size_t n) {
  const rg_vec alpha = v_set1(factor), beta = v_set1(term);
  for (size_t i = 0; i < n; i += RG_LANES) store_some(y + i, v_fma(alpha, load_zero(x + i, n - i), beta), n - i);
}
