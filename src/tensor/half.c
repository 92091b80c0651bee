/* float16 and bfloat16 (IEEE 754 binary16, and float32 without its low half). Without branches on the value where it
 * counts, so that the loops over arrays vectorise. */
#include <string.h>

#include "tensor/tensor.h"

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline float widen_half(uint16_t half) {
  uint32_t magnitude = half & 0x7fffu, sign = (uint32_t)(half & 0x8000u) << 16;
  /* The bits moved to float32's places are 2^112 too small, subnormal ones included. */
  uint32_t scaled = bits_of(float_of(magnitude << 13) * 0x1p112f);
  uint32_t special = 0x7f800000u | (magnitude & 0x3ffu) << 13;
  return float_of(sign | (magnitude >= 0x7c00u ? special : scaled));
}

static inline uint16_t narrow_half(float value) {
  uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
  uint32_t normal = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1)) >> 13;
  /* Adding 0.5 puts float32's last place at 2^-24, a subnormal half's unit: the addition rounds. */
  uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
  uint32_t result = magnitude < (113u << 23) ? subnormal : normal;
  if (magnitude >= 143u << 23) result = 0x7c00u;                              /* 2^16 and above */
  if (magnitude > 0x7f800000u) result = 0x7e00u | (magnitude >> 13 & 0x3ffu); /* NaN, made quiet */
  return (uint16_t)(sign | result);
}

static inline float widen_bfloat16(uint16_t value) { return float_of((uint32_t)value << 16); }

static inline uint16_t narrow_bfloat16(float value) {
  uint32_t bits = bits_of(value);
  uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded);
}

float rg_half_to_float(uint16_t half) { return widen_half(half); }
uint16_t rg_float_to_half(float value) { return narrow_half(value); }
float rg_bfloat16_to_float(uint16_t value) { return widen_bfloat16(value); }
uint16_t rg_float_to_bfloat16(float value) { return narrow_bfloat16(value); }

void rg_widen(rango_type type, const uint16_t *from, float *to, size_t count) {
  if (type == RANGO_BFLOAT16)
    for (size_t i = 0; i < count; i++) to[i] = widen_bfloat16(from[i]);
  else
    for (size_t i = 0; i < count; i++) to[i] = widen_half(from[i]);
}

void rg_narrow(rango_type type, const float *from, uint16_t *to, size_t count) {
  if (type == RANGO_BFLOAT16)
    for (size_t i = 0; i < count; i++) to[i] = narrow_bfloat16(from[i]);
  else
    for (size_t i = 0; i < count; i++) to[i] = narrow_half(from[i]);
}
