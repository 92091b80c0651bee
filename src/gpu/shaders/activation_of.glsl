// Functions of VALUEs (activation.glsl): PICK(c, a, b) is a where c, else b.

// Where a function ends in y, it still gives NaN for NaN.
VALUE unless_nan(VALUE x, VALUE y) { return PICK(NAN(x), x, y); }

VALUE with_sign_of(VALUE x, VALUE y) { return PICK(LESS(x, 0.0), -y, y); }

VALUE erf(VALUE x) {
  const VALUE a = min(abs(x), 4.0), u = a * a;
  const VALUE inner =
      a * (1.12837917 +
           u * (-0.376126271 +
                u * (0.112836002 +
                     u * (-0.0268544446 + u * (0.00518953534 + u * (-0.000802084128 + u * 7.88911953e-05))))));
  const VALUE outer =
      1.0 -
      exp(-(0.000353708929 +
            a * (1.12704008 +
                 a * (0.638225602 +
                      a * (0.103037436 + a * (-0.0218053512 + a * (0.00293961574 - a * 0.000185574893)))))));
  return unless_nan(x, with_sign_of(x, PICK(LESS(a, 1.0), inner, outer)));
}

VALUE tanh_exact(VALUE x) {
  const VALUE a = min(abs(x), 10.0), u = a * a;
  const VALUE inner =
      a + a * u * (-0.333332993 + u * (0.133319582 + u * (-0.0537866814 + u * (0.0208053775 - u * 0.0059058606))));
  const VALUE outer = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  return unless_nan(x, with_sign_of(x, PICK(LESS(a, 0.6), inner, outer)));
}

VALUE sigmoid(VALUE x) { return unless_nan(x, 1.0 / (1.0 + exp(min(-x, 88.0)))); }

// exp(x) - 1
VALUE exp_less_one(VALUE x) {
  const VALUE inner = x + x * x * (0.500000042 + x * (0.16666668 + x * (0.0416653174 + x * (0.0083330732 +
                                   x * (0.00139974011 + x * 0.000199928505)))));
  return PICK(LESS(abs(x), 0.5), inner, exp(x) - 1.0);
}

VALUE clip(VALUE x, float low, float high) { return unless_nan(x, min(max(x, low), high)); }

VALUE activate(uint kind, float alpha, float beta, VALUE x) {
  VALUE y = x;
  switch (kind) {
  case ACT_RELU:
    y = unless_nan(x, max(x, 0.0));
    break;
  case ACT_CLIP:
    y = clip(x, alpha, beta);
    break;
  case ACT_LEAKY_RELU:
    y = PICK(LESS(x, 0.0), alpha * x, x);
    break;
  case ACT_SIGMOID:
    y = sigmoid(x);
    break;
  case ACT_TANH:
    y = tanh_exact(x);
    break;
  case ACT_GELU:
    y = 0.5 * x * (1.0 + erf(x * 0.70710678));
    break;
  case ACT_GELU_TANH:
    y = 0.5 * x * (1.0 + tanh_exact(0.79788456 * (x + 0.044715 * x * x * x)));
    break;
  case ACT_HARD_SIGMOID:
    y = clip(alpha * x + beta, 0.0, 1.0);
    break;
  case ACT_HARD_SWISH:
    y = x * clip(x / 6.0 + 0.5, 0.0, 1.0);
    break;
  case ACT_SILU:
    y = x * sigmoid(x);
    break;
  case ACT_ELU:
    y = PICK(LESS(x, 0.0), alpha * exp_less_one(x), x);
    break;
  case ACT_ERF:
    y = erf(x);
    break;
  case ACT_EXP:
    y = exp(x);
    break;
  case ACT_LOG:
    y = log(x);
    break;
  case ACT_SQRT:
    y = sqrt(x);
    break;
  case ACT_RECIPROCAL:
    y = 1.0 / x;
    break;
  case ACT_SQUARE:
    y = x * x;
    break;
  case ACT_ABS:
    y = abs(x);
    break;
  case ACT_NEG:
    y = -x;
    break;
  case ACT_FLOOR:
    y = floor(x);
    break;
  case ACT_CEIL:
    y = ceil(x);
    break;
  case ACT_ROUND:
    y = roundEven(x);
    break;
  }
  return y;
}
