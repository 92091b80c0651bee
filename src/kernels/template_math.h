/*
 * Elementary functions on vectors. Range reduction as in Cody and Waite, Software Manual for the Elementary Functions
 * (1980); polynomial and rational coefficients fitted for these intervals by Lawson's reweighted least squares on the
 * relative error, in double precision, then rounded to float32.
 */

#define LN2_HIGH 0.693359375f /* 9 bits: n * LN2_HIGH is exact */
#define LN2_LOW  -2.12194440e-4f
#define LOG2_E   1.44269504f

/* exp(r) - 1 = r + r^2 q(r) for |r| <= ln(2) / 2. */
static inline rg_vec v_expm1_reduced(rg_vec r) {
  rg_vec q = v_set1(1.388248638e-3f);
  q = v_fma(q, r, v_set1(8.366691880e-3f));
  q = v_fma(q, r, v_set1(4.166720435e-2f));
  q = v_fma(q, r, v_set1(1.666654199e-1f));
  q = v_fma(q, r, v_set1(4.999999702e-1f));
  return v_fma(q, v_mul(r, r), r);
}

static inline rg_vec v_reduce(rg_vec x, rg_vec n) { return v_fma(n, v_set1(-LN2_LOW), v_fma(n, v_set1(-LN2_HIGH), x)); }

/* NaN goes through everything. */
static inline rg_vec v_exp(rg_vec x) {
  const rg_vec bounded = v_max(v_set1(-105.0f), v_min(v_set1(90.0f), x)); /* beyond: 0 and infinity all the same */
  const rg_vec n = v_round(v_mul(bounded, v_set1(LOG2_E)));
  return v_ldexp(v_add(v_set1(1.0f), v_expm1_reduced(v_reduce(bounded, n))), n);
}

/* exp(x) - 1 for -87 <= x <= 87: 2^n (exp(r) - 1) + (2^n - 1). */
static inline rg_vec v_expm1(rg_vec x) {
  const rg_vec n = v_round(v_mul(x, v_set1(LOG2_E)));
  const rg_vec power = vi_bits(vi_shl(vi_add(v_to_int(n), vi_set1(127)), 23));
  return v_fma(power, v_expm1_reduced(v_reduce(x, n)), v_sub(power, v_set1(1.0f)));
}

/* x = 2^e m with m in [sqrt(1/2), sqrt(2)); log(1 + f) = f - f^2/2 + f^3 p(f). */
static inline rg_vec v_log(rg_vec x) {
  const rg_mask small = v_lt(x, v_set1(1.17549435e-38f)); /* subnormal: made normal first */
  const rg_vec scaled = v_select(small, v_mul(x, v_set1(8388608.0f)), x);
  const rg_veci offset = vi_sub(v_bits(scaled), vi_set1(0x3f3504f3)); /* sqrt(1/2) */
  const rg_veci exponent = vi_sar(offset, 23);
  const rg_vec f = v_sub(vi_bits(vi_sub(v_bits(scaled), vi_shl(exponent, 23))), v_set1(1.0f));
  const rg_vec e = v_sub(vi_to_float(exponent), v_select(small, v_set1(23.0f), v_set1(0.0f)));
  rg_vec p = v_set1(-7.634429634e-2f);
  p = v_fma(p, f, v_set1(1.276154965e-1f));
  p = v_fma(p, f, v_set1(-1.316019446e-1f));
  p = v_fma(p, f, v_set1(1.420176178e-1f));
  p = v_fma(p, f, v_set1(-1.662335694e-1f));
  p = v_fma(p, f, v_set1(2.000122666e-1f));
  p = v_fma(p, f, v_set1(-2.500082254e-1f));
  p = v_fma(p, f, v_set1(3.333333135e-1f));
  const rg_vec f2 = v_mul(f, f);
  rg_vec tail = v_fma(v_mul(p, f2), f, v_mul(e, v_set1(LN2_LOW)));
  tail = v_fma(f2, v_set1(-0.5f), tail);
  rg_vec y = v_add(v_fma(e, v_set1(LN2_HIGH), f), tail);
  const rg_vec infinity = v_set1(__builtin_inff());
  y = v_select(v_eq(x, infinity), infinity, y);
  y = v_select(v_eq(x, v_set1(0.0f)), v_neg(infinity), y);
  y = v_select(v_lt(x, v_set1(0.0f)), v_set1(__builtin_nanf("")), y);
  return v_select(v_is_nan(x), x, y);
}

/* t = exp(2|x|) - 1: tanh|x| = t / (t + 2). Above 9.2 the result rounds to 1. */
static inline rg_vec v_tanh_part(rg_vec x) { return v_expm1(v_min(v_set1(18.4f), v_mul(v_set1(2.0f), v_abs(x)))); }

static inline rg_vec v_tanh(rg_vec x) {
  const rg_vec t = v_tanh_part(x);
  const rg_vec y = v_copysign(v_div(t, v_add(t, v_set1(2.0f))), x);
  return v_select(v_is_nan(x), x, y);
}

/* With e = exp(-|x|): 1 / (1 + e), or e / (1 + e) for x < 0, so that small results keep their digits. */
static inline rg_vec v_sigmoid(rg_vec x) {
  const rg_vec e = v_exp(v_neg(v_abs(x))), one = v_set1(1.0f);
  return v_div(v_select(v_lt(x, v_set1(0.0f)), e, one), v_add(one, e));
}

/* erf(x) = x p(x^2) / q(x^2) up to |x| = 3.93, where it rounds to 1. */
static inline rg_vec v_erf(rg_vec x) {
  const rg_vec bounded = v_max(v_set1(-3.93f), v_min(v_set1(3.93f), x));
  const rg_vec s = v_mul(bounded, bounded);
  rg_vec p = v_set1(2.041968628e-6f), q = v_set1(3.800388004e-5f);
  p = v_fma(p, s, v_set1(2.848052827e-4f));
  q = v_fma(q, s, v_set1(1.165188500e-3f));
  p = v_fma(p, s, v_set1(3.779519117e-3f));
  q = v_fma(q, s, v_set1(1.499725785e-2f));
  p = v_fma(p, s, v_set1(5.279000103e-2f));
  q = v_fma(q, s, v_set1(1.142567024e-1f));
  p = v_fma(p, s, v_set1(1.907819211e-1f));
  q = v_fma(q, s, v_set1(5.024088025e-1f));
  p = v_fma(p, s, v_set1(1.128379107e+0f));
  q = v_fma(q, s, v_set1(1.0f));
  const rg_vec y = v_div(v_mul(bounded, p), q), one = v_set1(1.0f);
  return v_max(v_neg(one), v_min(one, y));
}

/* x (1 + erf(x / sqrt 2)) / 2: the quotient of v_erf, with the factors of sqrt(1/2) in its coefficients. */
static inline rg_vec v_gelu(rg_vec x) {
  const rg_vec bounded = v_max(v_set1(-5.5578593f), v_min(v_set1(5.5578593f), x)), half = v_mul(v_set1(0.5f), x);
  const rg_vec s = v_mul(bounded, bounded);
  rg_vec p = v_set1(4.512155824e-8f), q = v_set1(1.187621251e-6f);
  p = v_fma(p, s, v_set1(1.258673417e-5f));
  q = v_fma(q, s, v_set1(7.282428125e-5f));
  p = v_fma(p, s, v_set1(3.340654497e-4f));
  q = v_fma(q, s, v_set1(1.874657231e-3f));
  p = v_fma(p, s, v_set1(9.332041927e-3f));
  q = v_fma(q, s, v_set1(2.856417560e-2f));
  p = v_fma(p, s, v_set1(6.745159507e-2f));
  q = v_fma(q, s, v_set1(2.512044012e-1f));
  p = v_fma(p, s, v_set1(7.978845183e-1f));
  q = v_fma(q, s, v_set1(1.0f));
  return v_fma(half, v_div(v_mul(bounded, p), q), half);
}

/* 2^w for |w| <= 200: 2^n 2^r with |r| <= 1/2, the latter within 9.2e-8. */
static inline rg_vec v_exp2(rg_vec w) {
  const rg_vec n = v_round(w), r = v_sub(w, n);
  rg_vec q = v_set1(1.326472732e-3f);
  q = v_fma(q, r, v_set1(9.671512752e-3f));
  q = v_fma(q, r, v_set1(5.550733744e-2f));
  q = v_fma(q, r, v_set1(2.402224208e-1f));
  q = v_fma(q, r, v_set1(6.931469776e-1f));
  return v_ldexp(v_fma(q, r, v_set1(1.0f)), n);
}

/* exp(x) for x <= 0 as a share of a sum whose largest term is 1: off by 1e-7 + 6e-8 |x| of itself; 0 below -105. */
static inline rg_vec v_exp_share(rg_vec x) { return v_exp2(v_max(v_set1(-152.0f), v_mul(x, v_set1(LOG2_E)))); }

/* 1 + 2^w. What is divided by it can't tell 2^130 (infinity) or 2^-126 from more or less. */
static inline rg_vec v_one_plus_exp2(rg_vec w) {
  return v_add(v_set1(1.0f), v_exp2(v_max(v_set1(-126.0f), v_min(v_set1(130.0f), w))));
}

static inline rg_vec v_silu(rg_vec x) { return v_div(x, v_one_plus_exp2(v_mul(v_set1(-LOG2_E), x))); }

/* (1 + tanh(u)) / 2 = sigmoid(2u) = 1 / (1 + 2^w) with w = -2 log2(e) sqrt(2 / pi) (x + 0.044715 x^3). */
static inline rg_vec v_gelu_tanh(rg_vec x) {
  const rg_vec w = v_mul(x, v_fma(v_mul(x, x), v_set1(-0.102943240f), v_set1(-2.302208198f)));
  return v_div(x, v_one_plus_exp2(w));
}

static inline rg_vec v_hard_sigmoid(rg_vec x, rg_vec alpha, rg_vec beta) {
  return v_max(v_set1(0.0f), v_min(v_set1(1.0f), v_fma(alpha, x, beta)));
}

static inline rg_vec v_elu(rg_vec x, rg_vec alpha) {
  const rg_mask negative = v_lt(x, v_set1(0.0f));
  return v_select(negative, v_mul(alpha, v_expm1(v_max(v_set1(-87.0f), v_min(v_set1(0.0f), x)))), x);
}
