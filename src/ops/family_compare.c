/* Comparisons and logic of two broadcast inputs. */
#include "ops/binary.h"

#include <string.h>

#define COMPARISON(name, operator)                                                                                     \
  RG_BINARY_ROW(name##_f32, float, uint8_t, a operator b)                                                              \
  RG_BINARY_ROW(name##_f64, double, uint8_t, a operator b)                                                             \
  RG_BINARY_ROW(name##_i64, int64_t, uint8_t, a operator b)                                                            \
  RG_BINARY_ROW(name##_u64, uint64_t, uint8_t, a operator b)                                                           \
  static const rg_binary name##_op = {name##_f32, name##_f64, name##_i64, name##_u64, true, true};
#define COMPUTE(name)                                                                                                  \
  static rango_status compute_##name(rg_exec *exec) { return rg_binary_compute(exec, &name##_op, NULL); }

COMPARISON(less, <)
COMPUTE(less)
COMPARISON(less_or_equal, <=)
COMPUTE(less_or_equal)
COMPARISON(greater, >)
COMPUTE(greater)
COMPARISON(greater_or_equal, >=)
COMPUTE(greater_or_equal)
COMPARISON(equal, ==)

#define LOGIC(name, operator)                                                                                          \
  RG_BINARY_ROW(name##_row, int64_t, uint8_t, (a != 0) operator(b != 0))                                               \
  static const rg_binary name##_op = {.i64 = name##_row, .is_predicate = true, .takes_bool = true};                    \
  COMPUTE(name)
LOGIC(and, &&)
LOGIC(or, ||)
LOGIC(xor, !=)

static bool same_string(const rango_tensor *a, int64_t i, const rango_tensor *b, int64_t k) {
  return a->lengths[i] == b->lengths[k] &&
         memcmp(((const char *const *)a->data)[i], ((const char *const *)b->data)[k], a->lengths[i]) == 0;
}

static rango_status compute_equal_strings(rg_exec *exec, const rango_tensor *a, const rango_tensor *b) {
  int64_t strides_a[RANGO_MAX_RANK], strides_b[RANGO_MAX_RANK], strides_y[RANGO_MAX_RANK];
  rg_shape shape;
  rango_tensor *y;
  if (!rg_broadcast_shape(&a->shape, &b->shape, &shape))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the inputs' shapes can't be broadcast together");
  RG_TRY(rg_exec_output(exec, 0, RANGO_BOOL, &shape, &y));
  if (!y) return RANGO_OK;
  rg_broadcast_strides(&a->shape, &shape, strides_a);
  rg_broadcast_strides(&b->shape, &shape, strides_b);
  rg_row_major_strides(&shape, strides_y);
  rg_walk walk;
  rg_walk_start(&walk, &shape, 3, (const int64_t *const[]){strides_a, strides_b, strides_y});
  while (rg_walk_next(&walk))
    for (int64_t i = 0; i < walk.count; i++)
      ((uint8_t *)y->data)[walk.offset[2] + i] =
          same_string(a, walk.offset[0] + i * walk.step[0], b, walk.offset[1] + i * walk.step[1]);
  return RANGO_OK;
}

static rango_status compute_equal(rg_exec *exec) {
  const rango_tensor *a = rg_exec_input(exec, 0), *b = rg_exec_input(exec, 1);
  bool strings = a && b && a->type == RANGO_STRING && b->type == RANGO_STRING;
  return strings ? compute_equal_strings(exec, a, b) : rg_binary_compute(exec, &equal_op, NULL);
}

/* ---- small known values. Symbols stand for sizes: never negative ---- */

static bool is_negative(int64_t a) { return rg_size_is_known(a) && a < 0; }

/* -1, 0 or 1 as a is below, at or above b; 2: can't say. */
static int order(int64_t a, int64_t b) {
  if (rg_size_is_known(a) && rg_size_is_known(b)) return (a > b) - (a < b);
  if (a == b && rg_size_is_symbol(a)) return 0;
  if (is_negative(a) && rg_size_is_symbol(b)) return -1;
  return rg_size_is_symbol(a) && is_negative(b) ? 1 : 2;
}

#define KNOWN(name, test)                                                                                              \
  static int64_t known_##name(int64_t a, int64_t b) {                                                                  \
    int sign = order(a, b);                                                                                            \
    return sign == 2 ? RG_SIZE_UNKNOWN : (sign test 0);                                                                \
  }                                                                                                                    \
  static rango_status infer_##name(rg_infer *infer) { return rg_binary_infer(infer, RANGO_BOOL, known_##name); }
KNOWN(equal, ==)
KNOWN(less, <)
KNOWN(less_or_equal, <=)
KNOWN(greater, >)
KNOWN(greater_or_equal, >=)

#define KNOWN_LOGIC(name, operator)                                                                                    \
  static int64_t known_##name(int64_t a, int64_t b) {                                                                  \
    return rg_size_is_known(a) && rg_size_is_known(b) ? (a != 0) operator(b != 0) : RG_SIZE_UNKNOWN;                   \
  }                                                                                                                    \
  static rango_status infer_##name(rg_infer *infer) { return rg_binary_infer(infer, RANGO_BOOL, known_##name); }
KNOWN_LOGIC(and, &&)
KNOWN_LOGIC(or, ||)
KNOWN_LOGIC(xor, !=)

#define ENTRY(name, since, flags, function)                                                                            \
  {                                                                                                                    \
    "", name, since, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_ELEMENTWISE | (flags), NULL, infer_##function,                    \
        compute_##function, NULL                                                                                       \
  }

static const rg_op ops[] = {
    ENTRY("And", 1, 0, and),
    ENTRY("Equal", 1, RG_OP_FLOAT_ONLY, equal),
    ENTRY("Greater", 1, RG_OP_FLOAT_ONLY, greater),
    ENTRY("GreaterOrEqual", 12, RG_OP_FLOAT_ONLY, greater_or_equal),
    ENTRY("Less", 1, RG_OP_FLOAT_ONLY, less),
    ENTRY("LessOrEqual", 12, RG_OP_FLOAT_ONLY, less_or_equal),
    ENTRY("Or", 1, 0, or),
    ENTRY("Xor", 1, 0, xor),
};

RG_OPS_EXPORT(compare, ops);
