/* Cast and CastLike. Floats to integers: truncated, saturated, NaN is 0. Integers to narrower ones: the low bits. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The attribute `to`: a number, before opset 6 a name. */
static rango_type target_type(const rg_node *node) {
  static const char *const names[] = {"UNDEFINED", "FLOAT",  "UINT8", "INT8",    "UINT16", "INT16",  "INT32",
                                      "INT64",     "STRING", "BOOL",  "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
  int64_t to = rg_node_int(node, "to", 0);
  const char *name = rg_node_string(node, "to", "");
  for (size_t i = 0; name[0] && i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) to = (int64_t)i;
  bool castable = to > 0 && to < RANGO_TYPE_COUNT && to != RANGO_COMPLEX64 && to != RANGO_COMPLEX128;
  return castable ? (rango_type)to : RANGO_UNDEFINED;
}

static rango_status check_cast(const rg_node *node) {
  if (target_type(node) != RANGO_UNDEFINED) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_UNSUPPORTED, "%s: attribute to is missing, or no type that can be cast to", rg_node_text(node));
}

/* ---- infer ---- */

static bool follows(rango_type type) { return type == RANGO_INT64 || type == RANGO_INT32 || type == RANGO_BOOL; }

static int64_t cast_known(int64_t value, rango_type to) {
  if (!rg_size_is_known(value)) return to == RANGO_BOOL ? RG_SIZE_UNKNOWN : value;
  if (to == RANGO_BOOL) return value != 0;
  return to == RANGO_INT32 ? (int32_t)(uint32_t)(uint64_t)value : value;
}

static rango_status infer_to(rg_infer *infer, rango_type to) {
  const rg_fact *x = infer->inputs[0];
  int64_t count, values[RG_KNOWN_MAX];
  rg_fact_set(infer->outputs[0], to, x->rank, x->dims);
  const int64_t *known = follows(x->type) && follows(to) ? rg_infer_known(infer, 0, &count) : NULL;
  if (!known) return RANGO_OK;
  for (int64_t i = 0; i < count; i++) values[i] = cast_known(known[i], to);
  return rg_infer_set_known(infer, 0, values, count);
}

static rango_status infer_cast(rg_infer *infer) { return infer_to(infer, target_type(infer->node)); }
static rango_status infer_cast_like(rg_infer *infer) { return infer_to(infer, infer->inputs[1]->type); }

/* ---- numbers to numbers ---- */

/* float64 [-2^63, 2^64) covers every integer type. */
static int64_t saturate(double value, double low, double high) {
  if (!(value == value)) return 0;
  if (value <= low) return (int64_t)low;
  if (value >= high) return high >= 9223372036854775808.0 ? INT64_MAX : (int64_t)high;
  return (int64_t)value;
}

static uint64_t saturate_u64(double value) {
  if (!(value > 0)) return 0;
  return value >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)value;
}

static void integer_limits(rango_type type, double *low, double *high) {
  int bits = (int)rango_type_bits(type);
  bool is_unsigned = type == RANGO_UINT8 || type == RANGO_UINT16 || type == RANGO_UINT32;
  *low = is_unsigned ? 0 : -ldexp(1, bits - 1);
  *high = is_unsigned ? ldexp(1, bits) - 1 : bits == 64 ? ldexp(1, 63) : ldexp(1, bits - 1) - 1;
}

static bool is_wide_integer(rango_type type) { return rg_type_is_integer(type) && rg_element_bytes(type) > 0; }
static bool is_float8(rango_type type) {
  return (type >= RANGO_FLOAT8E4M3FN && type <= RANGO_FLOAT8E5M2FNUZ) || type == RANGO_FLOAT8E8M0;
}

static void store_integers(rango_tensor *y, int64_t start, int64_t count, const int64_t *row, bool is_u64,
                           bool saturates);

/* FLOAT8E8M0 holds powers of two: the attribute round_mode says which of the two around a number is taken. */
static double to_power_of_two(const char *mode, double value) {
  int exponent;
  double fraction = frexp(value, &exponent); /* value = fraction 2^exponent, fraction in [0.5, 1) */
  if (!(value > 0) || isinf(value) || fraction == 0.5 || strcmp(mode, "nearest") == 0) return value;
  return ldexp(1, strcmp(mode, "down") == 0 ? exponent - 1 : exponent);
}

/* y[start ...] = row of float64. */
static void store_doubles(rango_tensor *y, int64_t start, int64_t count, double *row, bool saturates) {
  int64_t integers[RG_ROW_MAX];
  double low, high;
  if (y->type == RANGO_BOOL) {
    for (int64_t i = 0; i < count; i++) ((uint8_t *)y->data)[start + i] = row[i] != 0;
  } else if (y->type == RANGO_UINT64) {
    for (int64_t i = 0; i < count; i++) ((uint64_t *)y->data)[start + i] = saturate_u64(row[i]);
  } else if (is_wide_integer(y->type)) {
    integer_limits(y->type, &low, &high);
    for (int64_t i = 0; i < count; i++) integers[i] = saturate(row[i], low, high);
    rg_store_integers(y->type, y->data, start, 1, count, integers);
  } else if (rg_type_is_integer(y->type)) { /* 4 and 2 bits: the low bits, as from wider integers */
    for (int64_t i = 0; i < count; i++) integers[i] = saturate(trunc(row[i]), -0x1p63, 0x1p63);
    store_integers(y, start, count, integers, false, saturates);
  } else if (is_float8(y->type)) {
    for (int64_t i = 0; i < count; i++)
      ((uint8_t *)y->data)[start + i] = rg_float_to_float8(y->type, (float)row[i], saturates);
  } else {
    rg_store_row(y, start, 1, count, row);
  }
}

/* y[start ...] = row of int64 (or uint64), to an integer or float32 without a detour over float64's 53 bits. */
static void store_integers(rango_tensor *y, int64_t start, int64_t count, const int64_t *row, bool is_u64,
                           bool saturates) {
  double doubles[RG_ROW_MAX];
  if (is_wide_integer(y->type) || y->type == RANGO_BOOL) {
    rg_store_integers(y->type, y->data, start, 1, count, row);
  } else if (y->type == RANGO_FLOAT32) {
    float *to = (float *)y->data + start;
    for (int64_t i = 0; i < count; i++) to[i] = is_u64 ? (float)(uint64_t)row[i] : (float)row[i];
  } else if (rg_type_is_integer(y->type)) { /* 4 and 2 bits */
    int shift = 64 - (int)rango_type_bits(y->type);
    bool is_signed = y->type == RANGO_INT4 || y->type == RANGO_INT2;
    for (int64_t i = 0; i < count; i++) {
      uint64_t high_bits = (uint64_t)row[i] << shift;
      rg_tensor_set_double(y, start + i,
                           is_signed ? (double)((int64_t)high_bits >> shift) : (double)(high_bits >> shift));
    }
  } else {
    for (int64_t i = 0; i < count; i++) doubles[i] = is_u64 ? (double)(uint64_t)row[i] : (double)row[i];
    store_doubles(y, start, count, doubles, saturates);
  }
}

static void cast_numbers(const rg_node *node, const rango_tensor *x, rango_tensor *y, int64_t count) {
  double doubles[RG_ROW_MAX];
  int64_t integers[RG_ROW_MAX];
  bool from_integers = is_wide_integer(x->type) || x->type == RANGO_BOOL;
  bool saturates = rg_node_int(node, "saturate", 1) != 0;
  const char *mode = rg_node_string(node, "round_mode", "up");
  for (int64_t start = 0; start < count; start += RG_ROW_MAX) {
    int64_t part = count - start < RG_ROW_MAX ? count - start : RG_ROW_MAX;
    if (from_integers) {
      rg_load_integers(x->type, x->data, start, 1, part, integers);
      store_integers(y, start, part, integers, x->type == RANGO_UINT64, saturates);
    } else {
      rg_load_row(x, start, 1, part, doubles);
      for (int64_t i = 0; i < part && y->type == RANGO_FLOAT8E8M0; i++) doubles[i] = to_power_of_two(mode, doubles[i]);
      store_doubles(y, start, part, doubles, saturates);
    }
  }
}

/* ---- strings ---- */

/* The whole text is a number as C writes it, "inf" and "nan" included. */
static bool parse_number(const char *text, size_t length, double *out) {
  char *end;
  *out = strtod(text, &end);
  while (*end == ' ') end++;
  return length > 0 && end == text + length;
}

static rango_status cast_from_strings(rg_exec *exec, const rango_tensor *x, rango_tensor *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const char *text = ((const char *const *)x->data)[i];
    char *end;
    double value;
    if (is_wide_integer(y->type)) {
      bool is_u64 = y->type == RANGO_UINT64;
      int64_t integer = is_u64 ? (int64_t)strtoull(text, &end, 10) : strtoll(text, &end, 10);
      if (end != text && end == text + x->lengths[i]) {
        store_integers(y, i, 1, &integer, is_u64, true);
        continue;
      }
    }
    if (!parse_number(text, x->lengths[i], &value))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the string '%.40s' is no number", text);
    store_doubles(y, i, 1, &value, true);
  }
  return RANGO_OK;
}

#define NUMBER_TEXT 32

/* The shortest decimal that reads back as the same number of the given type. */
static void print_float(rango_type type, double value, char *text) {
  if (value != value || isinf(value)) {
    snprintf(text, NUMBER_TEXT, "%s", value != value ? "NaN" : value > 0 ? "INF" : "-INF");
    return;
  }
  for (int digits = 1; digits <= DBL_DECIMAL_DIG; digits++) {
    snprintf(text, NUMBER_TEXT, "%.*g", digits, value);
    double back = strtod(text, NULL);
    bool same = type == RANGO_FLOAT64   ? back == value
                : type == RANGO_FLOAT32 ? (float)back == (float)value
                : type == RANGO_FLOAT16 ? rg_float_to_half((float)back) == rg_float_to_half((float)value)
                                        : rg_float_to_bfloat16((float)back) == rg_float_to_bfloat16((float)value);
    if (same) return;
  }
}

static void print_number(const rango_tensor *x, int64_t i, char *text) {
  if (x->type == RANGO_BOOL)
    snprintf(text, NUMBER_TEXT, "%s", rg_tensor_get_i64(x, i) ? "True" : "False");
  else if (x->type == RANGO_UINT64)
    snprintf(text, NUMBER_TEXT, "%llu", (unsigned long long)((const uint64_t *)x->data)[i]);
  else if (rg_type_is_integer(x->type))
    snprintf(text, NUMBER_TEXT, "%lld", (long long)rg_tensor_get_i64(x, i));
  else
    print_float(x->type, rg_tensor_get_double(x, i), text);
}

static rango_status cast_to_strings(rg_exec *exec, const rango_tensor *x, int64_t count) {
  char *texts;
  rg_string *strings;
  rg_val *out;
  RG_TRY(rg_scratch_array(exec, count, NUMBER_TEXT, RG_OUT(&texts)));
  RG_TRY(rg_scratch_array(exec, count, sizeof *strings, RG_OUT(&strings)));
  for (int64_t i = 0; i < count; i++) {
    print_number(x, i, texts + i * NUMBER_TEXT);
    strings[i] = (rg_string){texts + i * NUMBER_TEXT, strlen(texts + i * NUMBER_TEXT)};
  }
  RG_TRY(rg_exec_output_val(exec, 0, &out));
  if (!out) return RANGO_OK;
  out->kind = RG_KIND_TENSOR;
  return rg_tensor_init_strings(&out->tensor, &x->shape, strings);
}

static rango_status copy_strings(rg_exec *exec) {
  rg_val *out;
  RG_TRY(rg_exec_output_val(exec, 0, &out));
  return out ? rg_val_view(out, exec->inputs[0]) : RANGO_OK;
}

/* ---- compute ---- */

static rango_status compute_to(rg_exec *exec, rango_type to) {
  const rango_tensor *x = rg_exec_input(exec, 0);
  rango_tensor *y;
  int64_t count;
  if (!x) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 is missing or no tensor");
  if (x->type == RANGO_COMPLEX64 || x->type == RANGO_COMPLEX128 || to == RANGO_COMPLEX64 || to == RANGO_COMPLEX128)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "from %s to %s", rango_type_name(x->type), rango_type_name(to));
  RG_TRY(rg_shape_count(&x->shape, &count));
  if (to == RANGO_STRING) return x->type == RANGO_STRING ? copy_strings(exec) : cast_to_strings(exec, x, count);
  RG_TRY(rg_exec_output(exec, 0, to, &x->shape, &y));
  if (!y) return RANGO_OK;
  if (x->type == RANGO_STRING) return cast_from_strings(exec, x, y, count);
  if (x->type == to)
    memcpy(y->data, x->data, x->bytes);
  else
    cast_numbers(exec->node, x, y, count);
  return RANGO_OK;
}

static rango_status compute_cast(rg_exec *exec) { return compute_to(exec, target_type(exec->node)); }

static rango_status compute_cast_like(rg_exec *exec) {
  const rango_tensor *like = rg_exec_input(exec, 1);
  if (!like) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 1 is missing or no tensor");
  return compute_to(exec, like->type);
}

/* ---- BitCast: the same bits as another type of the same width ---- */

static rango_status infer_bit_cast(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  rg_fact_set(infer->outputs[0], target_type(infer->node), x->rank, x->dims);
  return RANGO_OK;
}

static rango_status compute_bit_cast(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  rango_type to = target_type(exec->node);
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  if (rango_type_bits(x->type) != rango_type_bits(to))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s and %s differ in width", rango_type_name(x->type),
                        rango_type_name(to));
  RG_TRY(rg_exec_output(exec, 0, to, &x->shape, &y));
  if (y && x->bytes > 0) memcpy(y->data, x->data, x->bytes);
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "BitCast", 26, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_ELEMENTWISE, check_cast, infer_bit_cast, compute_bit_cast,
     NULL},
    {"", "Cast", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_ELEMENTWISE, check_cast, infer_cast, compute_cast, NULL},
    {"", "CastLike", 15, RG_OPSET_MAX, 2, 2, 1, 1, 0, NULL, infer_cast_like, compute_cast_like, NULL},
};

RG_OPS_EXPORT(cast, ops);
