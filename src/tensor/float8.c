/* 8- and 4-bit floats. E4M3FN and E5M2: Micikevicius et al. 2022. The FNUZ forms (one zero, one NaN, exponent bias one
 * larger): Noune et al. 2022. E2M1 and the scale format E8M0: OCP Microscaling Formats 1.0, 2023. */
#include "tensor/float8.h"

#include <math.h>

typedef struct format {
  int mantissa, bias; /* bits, and what the exponent is off by */
  uint8_t largest;    /* code of the largest finite number */
  uint8_t infinity;   /* 0: there is none */
  uint8_t nan;
  bool one_zero; /* FNUZ: 0x80 is the only NaN */
} format;

static const format *format_of(rango_type type) {
  static const format e4m3fn = {3, 7, 0x7e, 0, 0x7f, false}, e4m3fnuz = {3, 8, 0x7f, 0, 0x80, true};
  static const format e5m2 = {2, 15, 0x7b, 0x7c, 0x7f, false}, e5m2fnuz = {2, 16, 0x7f, 0, 0x80, true};
  switch ((int)type) {
  case RANGO_FLOAT8E4M3FNUZ:
    return &e4m3fnuz;
  case RANGO_FLOAT8E5M2:
    return &e5m2;
  case RANGO_FLOAT8E5M2FNUZ:
    return &e5m2fnuz;
  default:
    return &e4m3fn;
  }
}

static float magnitude_of(const format *f, unsigned code) {
  int exponent = (int)(code >> f->mantissa), fraction = (int)(code & ((1u << f->mantissa) - 1));
  if (exponent == 0) return ldexpf((float)fraction, 1 - f->bias - f->mantissa);
  return ldexpf((float)(fraction | 1 << f->mantissa), exponent - f->bias - f->mantissa);
}

float rg_float8_to_float(rango_type type, uint8_t value) {
  if (type == RANGO_FLOAT8E8M0) return value == 0xff ? NAN : ldexpf(1, (int)value - 127);
  const format *f = format_of(type);
  unsigned code = value & 0x7fu;
  if (f->one_zero ? value == f->nan : code > f->largest && code != f->infinity) return NAN;
  float magnitude = f->infinity && code == f->infinity ? INFINITY : magnitude_of(f, code);
  return value & 0x80u ? -magnitude : magnitude;
}

/* Scales are powers of two: rounded to the nearest in the exponent's sense of the mantissa (1.5 and above go up). */
static uint8_t narrow_e8m0(float value, bool saturate) {
  if (isnan(value)) return 0xff;
  int exponent;
  float mantissa = frexpf(fabsf(value), &exponent); /* [0.5, 1) */
  if (isinf(value)) return saturate ? 0xfe : 0xff;
  if (value == 0) return 0;
  int code = exponent - 1 + 127 + (mantissa >= 0.75f);
  if (code > 0xfe) return saturate ? 0xfe : 0xff;
  return (uint8_t)(code < 0 ? 0 : code);
}

/* Codes of magnitudes count up with their value, so the nearest one is found by rounding in units of the last place. */
static unsigned round_magnitude(int mantissa_bits, int bias, float magnitude) {
  int exponent;
  if (magnitude == 0) return 0;
  frexpf(magnitude, &exponent); /* magnitude in [2^(exponent-1), 2^exponent) */
  int unit = exponent - 1 - mantissa_bits, least = 1 - bias - mantissa_bits;
  if (unit < least) unit = least;
  float steps = rintf(ldexpf(magnitude, -unit)); /* exact scaling; nearest even. 2^mantissa_bits carries by itself */
  int base = unit - least;                       /* exponents above the subnormal range */
  return (unsigned)steps + ((unsigned)base << mantissa_bits);
}

uint8_t rg_float_to_float8(rango_type type, float value, bool saturate) {
  if (type == RANGO_FLOAT8E8M0) return narrow_e8m0(value, saturate);
  const format *f = format_of(type);
  if (isnan(value)) return (uint8_t)(f->one_zero ? f->nan : f->nan | (signbit(value) ? 0x80u : 0u));
  unsigned sign = signbit(value) ? 0x80u : 0;
  float magnitude = fabsf(value);
  bool over = magnitude >= 0x1p20f; /* far over all of them; keeps the count of steps small */
  unsigned code = over ? 0 : round_magnitude(f->mantissa, f->bias, magnitude);
  over |= code > f->largest;
  if (over && saturate) return (uint8_t)(sign | f->largest);
  if (over) return (uint8_t)(f->one_zero ? f->nan : sign | (f->infinity ? f->infinity : f->nan));
  return (uint8_t)(f->one_zero && code == 0 ? 0 : sign | code);
}

float rg_float4_to_float(uint8_t code) {
  static const float magnitudes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  return code & 8u ? -magnitudes[code & 7u] : magnitudes[code & 7u];
}

uint8_t rg_float_to_float4(float value) {
  unsigned sign = signbit(value) ? 8u : 0;
  float magnitude = isnan(value) ? 0 : fabsf(value);
  unsigned code = magnitude >= 6 ? 7 : round_magnitude(1, 1, magnitude);
  return (uint8_t)(sign | code);
}
