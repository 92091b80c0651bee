/* Arithmetic of two or more broadcast inputs. Integers wrap around; a division by zero gives 0. */
#include "ops/binary.h"

#include <math.h>
#include <string.h>

/* name_f32 and name_f64 from one expression in a and b; name_i64 and name_u64 from another. Each is a row. */
#define FLOAT_ROWS(name, expression_f32, expression_f64)                                                               \
  RG_BINARY_ROW(name##_f32, float, float, expression_f32)                                                              \
  RG_BINARY_ROW(name##_f64, double, double, expression_f64)
#define INTEGER_ROWS(name, expression_i64, expression_u64)                                                             \
  RG_BINARY_ROW(name##_i64, int64_t, int64_t, expression_i64)                                                          \
  RG_BINARY_ROW(name##_u64, uint64_t, uint64_t, expression_u64)
#define COMPUTE(name)                                                                                                  \
  static rango_status compute_##name(rg_exec *exec) {                                                                  \
    static const rg_binary op = {name##_f32, name##_f64, name##_i64, name##_u64, false, false};                        \
    return rg_binary_compute(exec, &op, NULL);                                                                         \
  }

#define WRAP(a, operator, b) ((int64_t)((uint64_t)(a) operator(uint64_t)(b)))

FLOAT_ROWS(add, a + b, a + b)
INTEGER_ROWS(add, WRAP(a, +, b), a + b)
COMPUTE(add)
FLOAT_ROWS(sub, a - b, a - b)
INTEGER_ROWS(sub, WRAP(a, -, b), a - b)
COMPUTE(sub)
FLOAT_ROWS(mul, (a) * (b), (a) * (b))
INTEGER_ROWS(mul, WRAP(a, *, b), (a) * (b))
COMPUTE(mul)
FLOAT_ROWS(div, a / b, a / b)
INTEGER_ROWS(div, b == 0 ? 0 : b == -1 ? WRAP(0, -, a) : a / b, b == 0 ? 0 : a / b)
COMPUTE(div)
/* A NaN on either side is the result. */
FLOAT_ROWS(min, a < b || a != a ? a : b, a < b || a != a ? a : b)
INTEGER_ROWS(min, a < b ? a : b, a < b ? a : b)
COMPUTE(min)
FLOAT_ROWS(max, a > b || a != a ? a : b, a > b || a != a ? a : b)
INTEGER_ROWS(max, a > b ? a : b, a > b ? a : b)
COMPUTE(max)
FLOAT_ROWS(prelu, a < 0 ? a * b : a, a < 0 ? a * b : a)
INTEGER_ROWS(prelu, a < 0 ? WRAP(a, *, b) : a, ((void)b, a))
COMPUTE(prelu)

/* ---- Mean ---- */

static rango_status compute_mean(rg_exec *exec) {
  static const rg_binary op = {.f32 = add_f32, .f64 = add_f64};
  rango_tensor *y;
  RG_TRY(rg_binary_compute(exec, &op, &y));
  int64_t count = y ? rg_tensor_elements(y) : 0;
  for (int64_t i = 0; i < count && y->type == RANGO_FLOAT32; i++) ((float *)y->data)[i] /= (float)exec->input_count;
  for (int64_t i = 0; i < count && y->type == RANGO_FLOAT64; i++) ((double *)y->data)[i] /= exec->input_count;
  return RANGO_OK;
}

/* ---- Mod: the divisor's sign, or with fmod the dividend's ---- */

static float floor_mod_float(float a, float b) {
  float rest = fmodf(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
static double floor_mod_double(double a, double b) {
  double rest = fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
static int64_t rest_integer(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static int64_t floor_mod_integer(int64_t a, int64_t b) {
  int64_t rest = rest_integer(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

FLOAT_ROWS(floor_mod, floor_mod_float(a, b), floor_mod_double(a, b))
INTEGER_ROWS(floor_mod, floor_mod_integer(a, b), b == 0 ? 0 : a % b)
COMPUTE(floor_mod)
FLOAT_ROWS(rest, fmodf(a, b), fmod(a, b))
INTEGER_ROWS(rest, rest_integer(a, b), b == 0 ? 0 : a % b)
COMPUTE(rest)

static rango_status compute_mod(rg_exec *exec) {
  return rg_node_int(exec->node, "fmod", 0) != 0 ? compute_rest(exec) : compute_floor_mod(exec);
}

/* ---- Pow ---- */

/* Negative exponents truncate towards zero. */
static uint64_t power_unsigned(uint64_t base, uint64_t exponent) {
  uint64_t result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}
static int64_t power_integer(int64_t base, int64_t exponent) {
  if (exponent >= 0) return (int64_t)power_unsigned((uint64_t)base, (uint64_t)exponent);
  if (base == 1) return 1;
  return base == -1 ? (exponent & 1 ? -1 : 1) : 0;
}

RG_BINARY_ROW(power_f32, float, float, powf(a, b))
RG_BINARY_ROW(square_f32, float, float, ((void)b, (a) * (a)))
RG_BINARY_ROW(pow_f64, double, double, pow(a, b))
INTEGER_ROWS(pow, power_integer(a, b), power_unsigned(a, b))

/* Squares are by far the most frequent powers. */
static void pow_f32(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y, int64_t count) {
  bool is_square = b_step == 0 && *(const float *)b == 2;
  (is_square ? square_f32 : power_f32)(a, a_step, b, b_step, y, count);
}
COMPUTE(pow)

static void store_power(rango_tensor *y, int64_t at, int64_t count, const double *row) {
  if (rg_type_is_float(y->type))
    rg_store_row(y, at, 1, count, row);
  else /* as a conversion to an integer, truncated */
    for (int64_t i = 0; i < count; i++) rg_tensor_set_double(y, at + i, trunc(row[i]));
}

/* Base and exponent of different types: computed as double. */
static rango_status compute_mixed_pow(rg_exec *exec, const rango_tensor *a, const rango_tensor *b) {
  double row_a[RG_ROW_MAX], row_b[RG_ROW_MAX];
  int64_t strides_a[RANGO_MAX_RANK], strides_b[RANGO_MAX_RANK], strides_y[RANGO_MAX_RANK];
  rg_shape shape;
  rango_tensor *y;
  if (!rg_broadcast_shape(&a->shape, &b->shape, &shape))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the inputs' shapes can't be broadcast together");
  RG_TRY(rg_exec_output(exec, 0, a->type, &shape, &y));
  if (!y) return RANGO_OK;
  rg_broadcast_strides(&a->shape, &shape, strides_a);
  rg_broadcast_strides(&b->shape, &shape, strides_b);
  rg_row_major_strides(&shape, strides_y);
  rg_walk walk;
  rg_walk_start(&walk, &shape, 3, (const int64_t *const[]){strides_a, strides_b, strides_y});
  while (rg_walk_next(&walk))
    for (int64_t start = 0; start < walk.count; start += RG_ROW_MAX) {
      int64_t part = walk.count - start < RG_ROW_MAX ? walk.count - start : RG_ROW_MAX;
      rg_load_row(a, walk.offset[0] + start * walk.step[0], walk.step[0], part, row_a);
      rg_load_row(b, walk.offset[1] + start * walk.step[1], walk.step[1], part, row_b);
      for (int64_t i = 0; i < part; i++) row_a[i] = pow(row_a[i], row_b[i]);
      store_power(y, walk.offset[2] + start, part, row_a);
    }
  return RANGO_OK;
}

static rango_status compute_power(rg_exec *exec) {
  const rango_tensor *a, *b;
  RG_TRY(rg_need_tensor(exec, 0, 0, &a));
  RG_TRY(rg_need_tensor(exec, 1, 0, &b));
  return a->type == b->type ? compute_pow(exec) : compute_mixed_pow(exec, a, b);
}

/* ---- bits ---- */

#define BITS(name, expression)                                                                                         \
  INTEGER_ROWS(name, expression, expression)                                                                           \
  static rango_status compute_##name(rg_exec *exec) {                                                                  \
    static const rg_binary op = {.i64 = name##_i64, .u64 = name##_u64};                                                \
    return rg_binary_compute(exec, &op, NULL);                                                                         \
  }
BITS(bit_and, (a) & (b))
BITS(bit_or, a | b)
BITS(bit_xor, a ^ b)

/* Shifts by the width or more leave nothing. Narrower types are cut when they are stored. */
#define IN_RANGE(b) ((uint64_t)(b) < 64)
INTEGER_ROWS(shift_left, IN_RANGE(b) ? (int64_t)((uint64_t)a << b) : 0, IN_RANGE(b) ? a << b : 0)
INTEGER_ROWS(shift_right, IN_RANGE(b) ? a >> b : 0, IN_RANGE(b) ? a >> b : 0)

static rango_status compute_shift(rg_exec *exec) {
  static const rg_binary left = {.i64 = shift_left_i64, .u64 = shift_left_u64};
  static const rg_binary right = {.i64 = shift_right_i64, .u64 = shift_right_u64};
  bool is_left = strcmp(rg_node_string(exec->node, "direction", ""), "LEFT") == 0;
  return rg_binary_compute(exec, is_left ? &left : &right, NULL);
}

static rango_status check_shift(const rg_node *node) {
  const char *direction = rg_node_string(node, "direction", "");
  if (strcmp(direction, "LEFT") == 0 || strcmp(direction, "RIGHT") == 0) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute direction is '%s', expected LEFT or RIGHT", rg_node_text(node), direction);
}

/* ---- shapes, and small known values: sizes being computed ---- */

static bool both_known(int64_t a, int64_t b) { return rg_size_is_known(a) && rg_size_is_known(b); }
/* Symbols stand for sizes: never negative. */
static bool at_most(int64_t a, int64_t b) { return both_known(a, b) ? a <= b : a == 0 && rg_size_is_symbol(b); }

static int64_t known_sub(int64_t a, int64_t b) {
  if (a == b && a != RG_SIZE_UNKNOWN) return 0;
  if (b == 0) return a;
  return both_known(a, b) ? rg_size_add(a, -b) : RG_SIZE_UNKNOWN;
}
static int64_t known_div(int64_t a, int64_t b) {
  if (b == 1) return a;
  return both_known(a, b) && b != 0 ? a / b : RG_SIZE_UNKNOWN;
}
static int64_t known_mod(int64_t a, int64_t b) { return both_known(a, b) && a >= 0 && b > 0 ? a % b : RG_SIZE_UNKNOWN; }
static int64_t known_min(int64_t a, int64_t b) {
  if (a == b || at_most(a, b)) return a;
  return at_most(b, a) ? b : RG_SIZE_UNKNOWN;
}
static int64_t known_max(int64_t a, int64_t b) {
  if (a == b || at_most(b, a)) return a;
  return at_most(a, b) ? b : RG_SIZE_UNKNOWN;
}

#define INFER(name, known)                                                                                             \
  static rango_status infer_##name(rg_infer *infer) { return rg_binary_infer(infer, RANGO_UNDEFINED, known); }
INFER(add, rg_size_add)
INFER(sub, known_sub)
INFER(mul, rg_size_mul)
INFER(div, known_div)
INFER(mod, known_mod)
INFER(min, known_min)
INFER(max, known_max)
INFER(plain, NULL)

#define FLAGS (RG_OP_ELEMENTWISE | RG_OP_FLOAT_ONLY)
#define ENTRY(name, since, max, infer, compute)                                                                        \
  { "", name, since, RG_OPSET_MAX, (max) < 0 ? 1 : 2, max, 1, 1, FLAGS, NULL, infer, compute, NULL }

static const rg_op ops[] = {
    ENTRY("Add", 1, 2, infer_add, compute_add),
    ENTRY("Sub", 1, 2, infer_sub, compute_sub),
    ENTRY("Mul", 1, 2, infer_mul, compute_mul),
    ENTRY("Div", 1, 2, infer_div, compute_div),
    ENTRY("Mod", 10, 2, infer_mod, compute_mod),
    ENTRY("Pow", 1, 2, infer_plain, compute_power),
    ENTRY("PRelu", 1, 2, infer_plain, compute_prelu),
    ENTRY("Min", 1, -1, infer_min, compute_min),
    ENTRY("Max", 1, -1, infer_max, compute_max),
    ENTRY("Sum", 1, -1, infer_plain, compute_add),
    ENTRY("Mean", 1, -1, infer_plain, compute_mean),
    ENTRY("BitwiseAnd", 18, 2, infer_plain, compute_bit_and),
    ENTRY("BitwiseOr", 18, 2, infer_plain, compute_bit_or),
    ENTRY("BitwiseXor", 18, 2, infer_plain, compute_bit_xor),
    {"", "BitShift", 11, RG_OPSET_MAX, 2, 2, 1, 1, FLAGS, check_shift, infer_plain, compute_shift, NULL},
};

RG_OPS_EXPORT(arithmetic, ops);
