/* Elementary functions against double precision, over the whole range of float32. Prints the largest errors. */
#include "vector_test.h"

#define COUNT 300000

typedef struct function {
  rg_unary op;
  const char *name;
  float alpha, beta;
  double (*truth)(double x);
  double bound; /* in ulps; or, where `absolute`, as a multiple of |x| */
  bool absolute;
} function;

static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
static double gelu_of(double x) { return isinf(x) ? (x > 0 ? x : NAN) : 0.5 * x * erfc(-x / sqrt(2)); }
static double gelu_tanh_of(double x) {
  const double inner = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  return isinf(x) ? (x > 0 ? x : NAN) : x * sigmoid_of(2 * inner);
}
static double silu_of(double x) { return isinf(x) ? (x > 0 ? x : NAN) : x * sigmoid_of(x); }
static double elu_of(double x) { return x < 0 ? 0.5 * expm1(x) : x; }
static double reciprocal_of(double x) { return 1 / x; }
static double hard_sigmoid_of(double x) { return isnan(x) ? x : fmax(0, fmin(1, 0.2f * x + 0.5)); }
static double hard_swish_of(double x) {
  return isinf(x) ? (x > 0 ? x : NAN) : isnan(x) ? x : x * fmax(0, fmin(1, x * (1.0f / 6.0f) + 0.5));
}
static double relu_of(double x) { return x < 0 ? 0 : x; }
static double clip_of(double x) { return x < -1.5 ? -1.5 : x > 2.5 ? 2.5 : x; }
static double leaky_of(double x) { return x < 0 ? (double)0.1f * x : x; }
static double linear_of(double x) { return 3 * x + 0.25; }
static double square_of(double x) { return x * x; }
static double neg_of(double x) { return -x; }

/* The bounds that kernels/vector.h states. */
static const function functions[] = {
    {RG_UNARY_EXP, "exp", 0, 0, exp, 2, false},
    {RG_UNARY_LOG, "log", 0, 0, log, 2, false},
    {RG_UNARY_SIGMOID, "sigmoid", 0, 0, sigmoid_of, 4, false},
    {RG_UNARY_TANH, "tanh", 0, 0, tanh, 4, false},
    {RG_UNARY_ERF, "erf", 0, 0, erf, 6, false},
    {RG_UNARY_SILU, "silu", 0, 0, silu_of, 3e-7, true},
    {RG_UNARY_ELU, "elu", 0.5f, 0, elu_of, 4, false},
    {RG_UNARY_GELU, "gelu", 0, 0, gelu_of, 3e-7, true},
    {RG_UNARY_GELU_TANH, "gelu_tanh", 0, 0, gelu_tanh_of, 4e-7, true},
    {RG_UNARY_HARD_SIGMOID, "hard_sigmoid", 0.2f, 0.5f, hard_sigmoid_of, 2e-7, true},
    {RG_UNARY_HARD_SWISH, "hard_swish", 0, 0, hard_swish_of, 2e-7, true},
    {RG_UNARY_LINEAR, "linear", 3, 0.25f, linear_of, 4e-7, true},
    {RG_UNARY_RELU, "relu", 0, 0, relu_of, 0, false},
    {RG_UNARY_CLIP, "clip", -1.5f, 2.5f, clip_of, 0, false},
    {RG_UNARY_LEAKY_RELU, "leaky_relu", 0.1f, 0, leaky_of, 0.5, false},
    {RG_UNARY_SQRT, "sqrt", 0, 0, sqrt, 0.5, false},
    {RG_UNARY_RECIPROCAL, "reciprocal", 0, 0, reciprocal_of, 0.5, false},
    {RG_UNARY_SQUARE, "square", 0, 0, square_of, 0.5, false},
    {RG_UNARY_ABS, "abs", 0, 0, fabs, 0, false},
    {RG_UNARY_NEG, "neg", 0, 0, neg_of, 0, false},
    {RG_UNARY_FLOOR, "floor", 0, 0, floor, 0, false},
    {RG_UNARY_CEIL, "ceil", 0, 0, ceil, 0, false},
    {RG_UNARY_ROUND, "round", 0, 0, rint, 0, false},
};

/* Special values, every 28 631st bit pattern of float32, and random values where networks' are. */
static void fill(float *x, size_t n) {
  static const float special[] = {0.0f,    -0.0f,   INFINITY,   -INFINITY,  NAN,     1.0f,     -1.0f,
                                  0.5f,    1.5f,    2.5f,       -2.5f,      88.7f,   88.73f,   -87.4f,
                                  -103.9f, -104.0f, 1e-45f,     -1e-45f,    1e-38f,  3.93f,    -3.93f,
                                  9.0f,    9.3f,    8388607.5f, 8388609.0f, 3.4e38f, -3.4e38f, 1.17549435e-38f};
  rg_random random;
  rg_random_seed(&random, 7);
  uint32_t bits = 0;
  for (size_t i = 0; i < n; i++, bits += 28631) {
    if (i < sizeof special / sizeof *special)
      x[i] = special[i];
    else if (i < n / 2)
      memcpy(&x[i], &bits, sizeof bits);
    else
      x[i] = uniform(&random, -20, 20) * (float)rg_random_uniform(&random);
  }
}

static double error_of(const function *f, float x, float y) {
  const double truth = f->truth((double)x), error = ulps(y, truth);
  if (!f->absolute || !isfinite(error) || error <= 1) return f->absolute && error <= 1 ? 0 : error;
  const bool times_x = f->op == RG_UNARY_GELU || f->op == RG_UNARY_GELU_TANH || f->op == RG_UNARY_SILU;
  return fabs((double)y - truth) / fmax(fabs((double)x), times_x ? 1e-30 : 1);
}

static void check_functions(const rg_vector_kernels *kernels, const char *isa) {
  float *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y);
  fill(x, COUNT);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    const function *f = &functions[i];
    kernels->unary(f->op, f->alpha, f->beta, x, y, COUNT);
    double worst = 0;
    size_t at = 0;
    for (size_t j = 0; j < COUNT; j++) {
      const double error = error_of(f, x[j], y[j]);
      if (!(error <= worst)) worst = error, at = j;
    }
    printf("%-8s %-12s %-10.3g at %.9g\n", isa, f->name, worst, (double)x[at]);
    if (!(worst <= f->bound))
      fail_msg("%s %s(%.9g) = %.9g, expected %.9g", isa, f->name, (double)x[at], (double)y[at],
               f->truth((double)x[at]));
  }
  free(x);
  free(y);
}

static void test_functions(void **state) { for_each_isa(check_functions); }

/* Any length, in place and not, and nothing written outside. */
static void check_tails(const rg_vector_kernels *kernels, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 3);
  for (size_t n = 0; n < 70; n++) {
    guarded x = guarded_random(&random, n, -4, 4), y = guarded_new(n, 1);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
      const function *f = &functions[i];
      kernels->unary(f->op, f->alpha, f->beta, x.data, y.data, n);
      for (size_t j = 0; j < n; j++) assert_close(y.data[j], f->truth((double)x.data[j]), 1e-6, f->name, j);
    }
    kernels->unary(RG_UNARY_NEG, 0, 0, x.data, y.data, n);
    kernels->unary(RG_UNARY_NEG, 0, 0, x.data, x.data, n);
    assert_memory_equal(x.data, y.data, n * sizeof(float));
    guarded_free(&x);
    guarded_free(&y);
  }
}

static void test_tails(void **state) { for_each_isa(check_tails); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_functions), cmocka_unit_test(test_tails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
