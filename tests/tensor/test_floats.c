/* Small floats, exhaustively: every code against the closed form of its format, and rounding at, just under and just
 * over every midpoint between neighbours. */
#include <math.h>

#include "support/check.h"
#include "tensor/float8.h"

/* What a format is, by its bits: sign, exponent, mantissa. */
typedef struct layout {
  int exponent, mantissa, bias;
} layout;

static double closed_form(layout l, unsigned code) {
  unsigned sign = code >> (l.exponent + l.mantissa) & 1, e = code >> l.mantissa & ((1u << l.exponent) - 1);
  double fraction = (code & ((1u << l.mantissa) - 1)) / (double)(1 << l.mantissa);
  double value = e ? (1 + fraction) * pow(2, (int)e - l.bias) : fraction * pow(2, 1 - l.bias);
  return sign ? -value : value;
}

static const layout half = {5, 10, 15}, bfloat = {8, 7, 127};

/* Codes 0 ... last of a format are its finite non-negative numbers in order: rounding goes to the nearer neighbour, at
 * the midpoint to the even code. */
static void check_rounding(layout l, unsigned last, unsigned sign_bit, unsigned (*narrow)(float value)) {
  for (unsigned code = 0; code < last; code++) {
    double low = closed_form(l, code), high = closed_form(l, code + 1);
    float middle = (float)((low + high) / 2);
    assert_true(middle == (low + high) / 2);
    unsigned even = code & 1 ? code + 1 : code;
    assert_int_equal(narrow(middle), even);
    assert_int_equal(narrow(nextafterf(middle, 0)), code);
    assert_int_equal(narrow(nextafterf(middle, INFINITY)), code + 1);
    if (even || sign_bit) assert_int_equal(narrow(-nextafterf(middle, INFINITY)), (code + 1) | sign_bit);
    assert_int_equal(narrow((float)low), code);
  }
}

static unsigned narrow_half(float value) { return rg_float_to_half(value); }
static unsigned narrow_bfloat16(float value) { return rg_float_to_bfloat16(value); }

static void test_half(void **state) {
  for (unsigned code = 0; code < 65536; code++) {
    float value = rg_half_to_float((uint16_t)code);
    if ((code & 0x7c00) != 0x7c00) {
      assert_true(value == closed_form(half, code) && !signbit(value) == !(code & 0x8000));
      assert_int_equal(rg_float_to_half(value), code);
    } else if (code & 0x3ff) {
      assert_true(isnan(value) && isnan(rg_half_to_float(rg_float_to_half(value))));
    } else {
      assert_true(value == (code & 0x8000 ? -INFINITY : INFINITY));
      assert_int_equal(rg_float_to_half(value), code);
    }
  }
  check_rounding(half, 0x7bff, 0x8000, narrow_half);
  assert_int_equal(rg_float_to_half(65519.996f), 0x7bff);
  assert_int_equal(rg_float_to_half(65520), 0x7c00); /* halfway to 2^16: over */
  assert_int_equal(rg_float_to_half(1e10f), 0x7c00);
  assert_int_equal(rg_float_to_half(1e-20f), 0);
  assert_int_equal(rg_float_to_half(-1e-20f), 0x8000);
}

static void test_bfloat16(void **state) {
  for (unsigned code = 0; code < 65536; code++) {
    float value = rg_bfloat16_to_float((uint16_t)code);
    if ((code & 0x7f80) != 0x7f80)
      assert_true(value == closed_form(bfloat, code));
    else
      assert_true(code & 0x7f ? isnan(value) : isinf(value));
    if (isnan(value))
      assert_true(isnan(rg_bfloat16_to_float(rg_float_to_bfloat16(value))));
    else
      assert_int_equal(rg_float_to_bfloat16(value), code);
  }
  check_rounding(bfloat, 0x7f7f, 0x8000, narrow_bfloat16);
  assert_int_equal(rg_float_to_bfloat16(3.4e38f), 0x7f80);
  /* NaN whose payload is in the low bits only must not become infinity. */
  uint32_t bits = 0x7f800001;
  float nan_value;
  memcpy(&nan_value, &bits, 4);
  assert_true(isnan(rg_bfloat16_to_float(rg_float_to_bfloat16(nan_value))));
}

static void test_arrays(void **state) {
  uint16_t codes[1000], back[1000];
  float values[1000];
  const rango_type kinds[] = {RANGO_FLOAT16, RANGO_BFLOAT16};
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < 1000; i++) codes[i] = (uint16_t)(i * 31);
    rg_widen(kinds[k], codes, values, 1000);
    for (int i = 0; i < 1000; i++)
      assert_true(values[i] == (k ? rg_bfloat16_to_float(codes[i]) : rg_half_to_float(codes[i])));
    rg_narrow(kinds[k], values, back, 1000);
    assert_memory_equal(back, codes, sizeof codes);
  }
}

typedef struct float8 {
  rango_type type;
  layout bits;
  unsigned last; /* code of the largest finite number */
  bool infinity, one_zero;
  float largest; /* as published */
} float8;

static const float8 formats[] = {
    {RANGO_FLOAT8E4M3FN, {4, 3, 7}, 0x7e, false, false, 448},
    {RANGO_FLOAT8E4M3FNUZ, {4, 3, 8}, 0x7f, false, true, 240},
    {RANGO_FLOAT8E5M2, {5, 2, 15}, 0x7b, true, false, 57344},
    {RANGO_FLOAT8E5M2FNUZ, {5, 2, 16}, 0x7f, false, true, 57344},
};

static rango_type narrowed;
static unsigned narrow_float8(float value) { return rg_float_to_float8(narrowed, value, true); }

static void check_float8_codes(const float8 *f) {
  for (unsigned code = 0; code < 256; code++) {
    float value = rg_float8_to_float(f->type, (uint8_t)code);
    unsigned magnitude = code & 0x7f;
    bool nan_code = f->one_zero ? code == 0x80 : magnitude > f->last && !(f->infinity && magnitude == 0x7c);
    if (nan_code)
      assert_true(isnan(value));
    else if (magnitude > f->last)
      assert_true(isinf(value));
    else
      assert_true(value == closed_form(f->bits, code));
    if (!nan_code) assert_int_equal(rg_float_to_float8(f->type, value, false), code);
  }
}

static void test_float8(void **state) {
  for (size_t i = 0; i < 4; i++) {
    const float8 *f = &formats[i];
    check_float8_codes(f);
    narrowed = f->type;
    check_rounding(f->bits, f->last, 0x80, narrow_float8);
    assert_true(rg_float8_to_float(f->type, (uint8_t)f->last) == f->largest);
    unsigned nan_code = f->one_zero ? 0x80 : 0x7f;
    assert_int_equal(rg_float_to_float8(f->type, NAN, true), nan_code);
    assert_int_equal(rg_float_to_float8(f->type, 1e30f, true), f->last);
    assert_int_equal(rg_float_to_float8(f->type, -1e30f, true), f->last | 0x80);
    assert_int_equal(rg_float_to_float8(f->type, 1e30f, false), f->infinity ? 0x7c : nan_code);
    assert_int_equal(rg_float_to_float8(f->type, -0.0f, false), f->one_zero ? 0 : 0x80);
  }
}

static void test_scale_and_float4(void **state) {
  for (unsigned code = 0; code < 255; code++) {
    float value = rg_float8_to_float(RANGO_FLOAT8E8M0, (uint8_t)code);
    assert_true(value == pow(2, (int)code - 127));
    assert_int_equal(rg_float_to_float8(RANGO_FLOAT8E8M0, value, true), code);
  }
  assert_true(isnan(rg_float8_to_float(RANGO_FLOAT8E8M0, 255)));
  static const float values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (unsigned code = 0; code < 16; code++) {
    float value = rg_float4_to_float((uint8_t)code);
    assert_true(value == (code & 8 ? -values[code & 7] : values[code & 7]));
    assert_int_equal(rg_float_to_float4(value), code);
  }
  assert_int_equal(rg_float_to_float4(100), 7);
  assert_int_equal(rg_float_to_float4(-INFINITY), 15);
  assert_int_equal(rg_float_to_float4(5), 6); /* between 4 and 6: even */
  assert_int_equal(rg_float_to_float4(2.5f), 4);
  assert_int_equal(rg_float_to_float4(0.25f), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_half),   cmocka_unit_test(test_bfloat16),         cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_float8), cmocka_unit_test(test_scale_and_float4),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
