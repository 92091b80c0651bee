// Functions of one element, numbered as rg_activation_kind (ops/support.h). The language's own exp and tanh may
// overflow on the way to a finite result, and it has no erf: polynomials (minimax fits) stand where they are exact enough.
#define ACT_NONE         0u
#define ACT_RELU         1u
#define ACT_CLIP         2u
#define ACT_LEAKY_RELU   3u
#define ACT_SIGMOID      4u
#define ACT_TANH         5u
#define ACT_GELU         6u
#define ACT_GELU_TANH    7u
#define ACT_HARD_SIGMOID 8u
#define ACT_HARD_SWISH   9u
#define ACT_SILU         10u
#define ACT_ELU          11u
#define ACT_ERF          12u
#define ACT_EXP          13u
#define ACT_LOG          14u
#define ACT_SQRT         15u
#define ACT_RECIPROCAL   16u
#define ACT_SQUARE       17u
#define ACT_ABS          18u
#define ACT_NEG          19u
#define ACT_FLOOR        20u
#define ACT_CEIL         21u
#define ACT_ROUND        22u

// Where a function ends in y, it still gives NaN for NaN.
float unless_nan(float x, float y) { return is_nan(x) ? x : y; }

float erf(float x) {
  const float a = min(abs(x), 4.0), u = a * a;
  const float inner =
      a * (1.12837917 +
           u * (-0.376126271 +
                u * (0.112836002 +
                     u * (-0.0268544446 + u * (0.00518953534 + u * (-0.000802084128 + u * 7.88911953e-05))))));
  const float outer =
      1.0 -
      exp(-(0.000353708929 +
            a * (1.12704008 +
                 a * (0.638225602 +
                      a * (0.103037436 + a * (-0.0218053512 + a * (0.00293961574 - a * 0.000185574893)))))));
  const float y = a < 1.0 ? inner : outer;
  return unless_nan(x, x < 0.0 ? -y : y);
}

float tanh_exact(float x) {
  const float a = min(abs(x), 10.0), u = a * a;
  const float inner =
      a + a * u * (-0.333332993 + u * (0.133319582 + u * (-0.0537866814 + u * (0.0208053775 - u * 0.0059058606))));
  const float y = a < 0.6 ? inner : 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  return unless_nan(x, x < 0.0 ? -y : y);
}

float sigmoid(float x) { return unless_nan(x, 1.0 / (1.0 + exp(min(-x, 88.0)))); }

// exp(x) - 1
float exp_less_one(float x) {
  const float inner = x + x * x * (0.500000042 + x * (0.16666668 + x * (0.0416653174 + x * (0.0083330732 +
                                   x * (0.00139974011 + x * 0.000199928505)))));
  return abs(x) < 0.5 ? inner : exp(x) - 1.0;
}

float clip(float x, float low, float high) { return unless_nan(x, min(max(x, low), high)); }

float activate(uint kind, float alpha, float beta, float x) {
  float y = x;
  switch (kind) {
  case ACT_RELU:
    y = unless_nan(x, max(x, 0.0));
    break;
  case ACT_CLIP:
    y = clip(x, alpha, beta);
    break;
  case ACT_LEAKY_RELU:
    y = x < 0.0 ? alpha * x : x;
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
    y = x < 0.0 ? alpha * exp_less_one(x) : x;
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
