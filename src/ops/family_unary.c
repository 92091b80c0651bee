/* Functions of one element: arithmetic, rounding, exponentials, trigonometry, activations. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>
#include <tgmath.h>

typedef struct parameters {
  float alpha, beta;
} parameters;

typedef void (*map_f32)(const parameters *p, const float *x, float *y, int64_t count);
typedef void (*map_f64)(const parameters *p, const double *x, double *y, int64_t count);
typedef int64_t (*map_i64)(int64_t x, bool is_unsigned);

/* Defines name_f32 and name_f64: y = expression, in x and T, the element type; P(alpha) is a parameter as T. */
#define P(field) ((T)p->field)
#define MAP_OF(function, type, expression)                                                                             \
  static void function(const parameters *p, const type *restrict from, type *restrict to, int64_t count) {             \
    typedef type T;                                                                                                    \
    (void)p;                                                                                                           \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      T x = from[i];                                                                                                   \
      to[i] = (T)(expression);                                                                                         \
    }                                                                                                                  \
  }
#define MAP(name, expression)                                                                                          \
  MAP_OF(name##_f32, float, expression)                                                                                \
  MAP_OF(name##_f64, double, expression)

static rango_status map_integers(const rango_tensor *x, map_i64 map, rango_tensor *y, int64_t count) {
  int64_t row[RG_ROW_MAX];
  bool is_unsigned =
      x->type == RANGO_UINT64 || x->type == RANGO_UINT32 || x->type == RANGO_UINT16 || x->type == RANGO_UINT8;
  for (int64_t start = 0; start < count; start += RG_ROW_MAX) {
    int64_t part = count - start < RG_ROW_MAX ? count - start : RG_ROW_MAX;
    rg_load_integers(x->type, x->data, start, 1, part, row);
    for (int64_t i = 0; i < part; i++) row[i] = map(row[i], is_unsigned);
    rg_store_integers(y->type, y->data, start, 1, part, row);
  }
  return RANGO_OK;
}

static rango_status map_tensor(rg_exec *exec, const parameters *p, map_f32 f32, map_f64 f64, map_i64 i64) {
  const rango_tensor *x;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  int64_t count = rg_tensor_elements(x);
  if (x->type == RANGO_FLOAT32)
    f32(p, x->data, y->data, count);
  else if (x->type == RANGO_FLOAT64)
    f64(p, x->data, y->data, count);
  else if (i64 && rg_type_is_integer(x->type) && rango_type_bits(x->type) >= 8)
    return map_integers(x, i64, y, count);
  else
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input of type %s", rango_type_name(x->type));
  return RANGO_OK;
}

/* An operator without attributes; with alpha and beta and their defaults; and one that takes integers too. */
#define PLAIN(name, expression)                                                                                        \
  MAP(name, expression)                                                                                                \
  static rango_status compute_##name(rg_exec *exec) { return map_tensor(exec, NULL, name##_f32, name##_f64, NULL); }
#define WITH_INTEGERS(name, expression, integer)                                                                       \
  MAP(name, expression)                                                                                                \
  static int64_t name##_i64(int64_t x, bool is_unsigned) { return (integer); }                                         \
  static rango_status compute_##name(rg_exec *exec) {                                                                  \
    return map_tensor(exec, NULL, name##_f32, name##_f64, name##_i64);                                                 \
  }
#define WITH_PARAMETERS(name, a, default_a, b, default_b, expression)                                                  \
  MAP(name, expression)                                                                                                \
  static rango_status compute_##name(rg_exec *exec) {                                                                  \
    parameters p = {rg_node_float(exec->node, a, default_a), rg_node_float(exec->node, b, default_b)};                 \
    return map_tensor(exec, &p, name##_f32, name##_f64, NULL);                                                         \
  }

WITH_INTEGERS(abs, fabs(x), x < 0 && !is_unsigned ? (int64_t)(0 - (uint64_t)x) : x)
WITH_INTEGERS(neg, -x, ((void)is_unsigned, (int64_t)(0 - (uint64_t)x)))
WITH_INTEGERS(sign, x > 0 ? 1 : x < 0 ? -1 : x, x == 0 ? 0 : x > 0 || is_unsigned ? 1 : -1)
WITH_INTEGERS(relu, x < 0 ? 0 : x, x < 0 && !is_unsigned ? 0 : x)

PLAIN(ceil, ceil(x))
PLAIN(floor, floor(x))
PLAIN(round, rint(x))
PLAIN(sqrt, sqrt(x))
PLAIN(exp, exp(x))
PLAIN(log, log(x))
PLAIN(reciprocal, 1 / x)
PLAIN(erf, erf(x))
PLAIN(sin, sin(x))
PLAIN(cos, cos(x))
PLAIN(tan, tan(x))
PLAIN(asin, asin(x))
PLAIN(acos, acos(x))
PLAIN(atan, atan(x))
PLAIN(sinh, sinh(x))
PLAIN(cosh, cosh(x))
PLAIN(asinh, asinh(x))
PLAIN(acosh, acosh(x))
PLAIN(atanh, atanh(x))
PLAIN(tanh, tanh(x))
PLAIN(sigmoid, 1 / (1 + exp(-x)))
PLAIN(softsign, x / (1 + fabs(x)))
/* log(1 + e^x) without overflow. */
#define SOFTPLUS(x) (log1p(exp(-fabs(x))) + ((x) > 0 ? (x) : 0))
PLAIN(softplus, isnan(x) ? x : SOFTPLUS(x))
PLAIN(mish, x *tanh(SOFTPLUS(x)))

/* Between 0 and 1; NaN stays. */
#define UNIT(x) ((x) < 0 ? 0 : (x) > 1 ? 1 : (x))
PLAIN(hard_swish, x *UNIT(x / 6 + (T)0.5))
WITH_PARAMETERS(hard_sigmoid, "alpha", 0.2f, "beta", 0.5f, UNIT(P(alpha) * x + P(beta)))
WITH_PARAMETERS(leaky_relu, "alpha", 0.01f, "", 0, x < 0 ? P(alpha) * x : x)
WITH_PARAMETERS(thresholded_relu, "alpha", 1, "", 0, x > P(alpha) ? x : 0)
WITH_PARAMETERS(elu, "alpha", 1, "", 0, x < 0 ? P(alpha) * expm1(x) : x)
WITH_PARAMETERS(celu, "alpha", 1, "", 0, x < 0 ? P(alpha) * expm1(x / P(alpha)) : x)
#define SELU(x) (P(beta) * ((x) > 0 ? (x) : P(alpha) * expm1(x)))
WITH_PARAMETERS(selu_1, "alpha", 1.6732f, "gamma", 1.0507f, SELU(x))
WITH_PARAMETERS(selu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f, SELU(x))
WITH_PARAMETERS(swish, "alpha", 1, "", 0, x / (1 + exp(-P(alpha) * x)))
WITH_PARAMETERS(shrink, "lambd", 0.5f, "bias", 0, x<-P(alpha) ? x + P(beta) : x> P(alpha) ? x - P(beta) : 0)

MAP(gelu, (T)0.5 * x * (1 + erf(x * (T)0.70710678118654752440)))
MAP(gelu_tanh, (T)0.5 * x * (1 + tanh((T)0.79788456080286535588 * (x + (T)0.044715 * x * x * x))))

static bool wants_tanh(const rg_node *node) { return strcmp(rg_node_string(node, "approximate", "none"), "tanh") == 0; }

static rango_status check_gelu(const rg_node *node) {
  const char *mode = rg_node_string(node, "approximate", "none");
  if (strcmp(mode, "none") == 0 || strcmp(mode, "tanh") == 0) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute approximate is '%s', expected none or tanh", rg_node_text(node), mode);
}

static rango_status compute_gelu(rg_exec *exec) {
  return wants_tanh(exec->node) ? map_tensor(exec, NULL, gelu_tanh_f32, gelu_tanh_f64, NULL)
                                : map_tensor(exec, NULL, gelu_f32, gelu_f64, NULL);
}

/* ---- tests and bits ---- */

static rango_status infer_bool(rg_infer *infer) {
  rg_fact_set(infer->outputs[0], RANGO_BOOL, infer->inputs[0]->rank, infer->inputs[0]->dims);
  return RANGO_OK;
}

/* y = test(x), x taken as double: float16 and float8 too. */
static rango_status test_elements(rg_exec *exec, bool (*test)(double x, const parameters *p), const parameters *p) {
  const rango_tensor *x;
  rango_tensor *y;
  double row[RG_ROW_MAX];
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  RG_TRY(rg_exec_output(exec, 0, RANGO_BOOL, &x->shape, &y));
  int64_t count = y ? rg_tensor_elements(x) : 0;
  for (int64_t start = 0; start < count; start += RG_ROW_MAX) {
    int64_t part = count - start < RG_ROW_MAX ? count - start : RG_ROW_MAX;
    rg_load_row(x, start, 1, part, row);
    for (int64_t i = 0; i < part; i++) ((uint8_t *)y->data)[start + i] = test(row[i], p);
  }
  return RANGO_OK;
}

static bool test_nan(double x, const parameters *p) {
  (void)p;
  return isnan(x);
}
static bool test_infinity(double x, const parameters *p) { return isinf(x) && (x > 0 ? p->alpha != 0 : p->beta != 0); }

static rango_status compute_is_nan(rg_exec *exec) { return test_elements(exec, test_nan, NULL); }

static rango_status compute_is_inf(rg_exec *exec) {
  parameters p = {rg_node_int(exec->node, "detect_positive", 1) != 0,
                  rg_node_int(exec->node, "detect_negative", 1) != 0};
  return test_elements(exec, test_infinity, &p);
}

static int64_t not_i64(int64_t x, bool is_unsigned) {
  (void)is_unsigned;
  return x == 0;
}
static int64_t bitwise_not_i64(int64_t x, bool is_unsigned) {
  (void)is_unsigned;
  return ~x;
}

static rango_status compute_not(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  if (x->type != RANGO_BOOL)
    return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "input of type %s, expected bool", rango_type_name(x->type));
  RG_TRY(rg_exec_output(exec, 0, RANGO_BOOL, &x->shape, &y));
  return y ? map_integers(x, not_i64, y, rg_tensor_elements(x)) : RANGO_OK;
}

static rango_status compute_bitwise_not(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  if (!rg_type_is_integer(x->type) || rango_type_bits(x->type) < 8)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input of type %s", rango_type_name(x->type));
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  return y ? map_integers(x, bitwise_not_i64, y, rg_tensor_elements(x)) : RANGO_OK;
}

#define FLOAT_FLAGS (RG_OP_ELEMENTWISE | RG_OP_FLOAT_ONLY)
#define ENTRY(name, since, compute)                                                                                    \
  { "", name, since, RG_OPSET_MAX, 1, 1, 1, 1, FLOAT_FLAGS, NULL, rg_infer_same_as_first, compute, NULL }

static const rg_op ops[] = {
    ENTRY("Abs", 1, compute_abs),
    ENTRY("Acos", 7, compute_acos),
    ENTRY("Acosh", 9, compute_acosh),
    ENTRY("Asin", 7, compute_asin),
    ENTRY("Asinh", 9, compute_asinh),
    ENTRY("Atan", 7, compute_atan),
    ENTRY("Atanh", 9, compute_atanh),
    ENTRY("Ceil", 1, compute_ceil),
    ENTRY("Celu", 12, compute_celu),
    ENTRY("Cos", 7, compute_cos),
    ENTRY("Cosh", 9, compute_cosh),
    ENTRY("Elu", 1, compute_elu),
    ENTRY("Erf", 9, compute_erf),
    ENTRY("Exp", 1, compute_exp),
    ENTRY("Floor", 1, compute_floor),
    ENTRY("HardSigmoid", 1, compute_hard_sigmoid),
    ENTRY("HardSwish", 14, compute_hard_swish),
    ENTRY("LeakyRelu", 1, compute_leaky_relu),
    ENTRY("Log", 1, compute_log),
    ENTRY("Mish", 18, compute_mish),
    ENTRY("Neg", 1, compute_neg),
    ENTRY("Reciprocal", 1, compute_reciprocal),
    ENTRY("Relu", 1, compute_relu),
    ENTRY("Round", 11, compute_round),
    ENTRY("Selu", 6, compute_selu),
    ENTRY("Shrink", 9, compute_shrink),
    ENTRY("Sigmoid", 1, compute_sigmoid),
    ENTRY("Sign", 9, compute_sign),
    ENTRY("Sin", 7, compute_sin),
    ENTRY("Sinh", 9, compute_sinh),
    ENTRY("Softplus", 1, compute_softplus),
    ENTRY("Softsign", 1, compute_softsign),
    ENTRY("Sqrt", 1, compute_sqrt),
    ENTRY("Swish", 24, compute_swish),
    ENTRY("Tan", 7, compute_tan),
    ENTRY("Tanh", 1, compute_tanh),
    ENTRY("ThresholdedRelu", 10, compute_thresholded_relu),
    {"", "Selu", 1, 5, 1, 1, 1, 1, FLOAT_FLAGS, NULL, rg_infer_same_as_first, compute_selu_1, NULL},
    {"", "Gelu", 20, RG_OPSET_MAX, 1, 1, 1, 1, FLOAT_FLAGS, check_gelu, rg_infer_same_as_first, compute_gelu, NULL},
    {"", "BitwiseNot", 18, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_ELEMENTWISE, NULL, rg_infer_same_as_first,
     compute_bitwise_not, NULL},
    {"", "IsInf", 10, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_ELEMENTWISE, NULL, infer_bool, compute_is_inf, NULL},
    {"", "IsNaN", 9, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_ELEMENTWISE, NULL, infer_bool, compute_is_nan, NULL},
    {"", "Not", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_ELEMENTWISE, NULL, infer_bool, compute_not, NULL},
};

RG_OPS_EXPORT(unary, ops);
