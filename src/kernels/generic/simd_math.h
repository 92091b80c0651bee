/*
 * What vector kernels need beside simd.h: integers, comparisons, rounding, conversions. Here for any CPU; the same
 * names are in each folder's simd_math.h.
 *
 *   rg_veci, rg_mask     RG_LANES 32-bit integers, and a comparison's result
 *   v_load_part(p, n, rest)   the first n lanes from memory, the others from `rest`
 *   v_round, v_floor, v_ceil  to an integer value; round is to nearest, ties to even
 *   v_to_int             nearest integer of |x| < 2^31
 *   v_bits, vi_bits      the same bits as integers, as floats
 *   v_select(m, a, b)    m ? a : b
 *   vm_store, vm_load    RG_LANES bytes 0 or 1; any byte but 0 loads as true
 *   vi_shl, vi_sar       shift left; right, keeping the sign; by a constant
 *   v_ldexp(x, n)        x 2^n for whole |n| <= 250, rounded once; NaN where x is NaN
 *   v_largest(x)         of the lanes; a NaN may be lost
 *   v_from_half, v_to_half    RG_LANES float16 values as bits, rounded to nearest even
 *   v_transpose_tile     y[j][i] = x[i][j] for i, j < RG_LANES
 */
#ifndef RG_KERNELS_SIMD_MATH_H
#define RG_KERNELS_SIMD_MATH_H

#include "kernels/generic/simd.h"

typedef uint32_t rg_vecu __attribute__((vector_size(16)));
typedef rg_veci rg_mask; /* all bits of a lane set, or none */

static inline rg_vec v_load_part(const float *from, size_t count, rg_vec rest) {
  memcpy(&rest, from, (count < RG_LANES ? count : RG_LANES) * sizeof(float));
  return rest;
}
static inline rg_veci vi_set1(int32_t x) { return (rg_veci){x, x, x, x}; }
static inline rg_veci v_bits(rg_vec x) { return (rg_veci)x; }
static inline rg_vec vi_bits(rg_veci x) { return (rg_vec)x; }
static inline float v_largest(rg_vec x) {
  const float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
  return a > b ? a : b;
}
static inline rg_mask v_lt(rg_vec a, rg_vec b) { return a < b; }
static inline rg_mask v_le(rg_vec a, rg_vec b) { return a <= b; }
static inline rg_mask v_eq(rg_vec a, rg_vec b) { return a == b; }
static inline rg_vec v_select(rg_mask m, rg_vec a, rg_vec b) { return v_select_(m, a, b); }

static inline rg_vec v_sqrt(rg_vec x) { return (rg_vec){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])}; }
static inline rg_vec v_abs(rg_vec x) { return (rg_vec)((rg_veci)x & vi_set1(0x7fffffff)); }
static inline rg_mask v_is_nan(rg_vec x) { return v_bits(v_abs(x)) > vi_set1(0x7f800000); }
static inline rg_vec v_neg(rg_vec x) { return -x; }
static inline rg_vec v_copysign(rg_vec x, rg_vec sign) { return v_select_(vi_set1(INT32_MIN), sign, x); }
/* Adding 2^23 rounds in the addition; larger values are integers already. */
static inline rg_vec v_round(rg_vec x) {
  const rg_vec shift = v_set1(8388608.0f), size = v_abs(x);
  const rg_vec rounded = (size + shift) - shift;
  return v_select_(size < shift, v_copysign(rounded, x), x);
}
static inline rg_vec v_floor(rg_vec x) { return (rg_vec){floorf(x[0]), floorf(x[1]), floorf(x[2]), floorf(x[3])}; }
static inline rg_vec v_ceil(rg_vec x) { return (rg_vec){ceilf(x[0]), ceilf(x[1]), ceilf(x[2]), ceilf(x[3])}; }
static inline rg_veci v_to_int(rg_vec x) { return __builtin_convertvector(v_round(x), rg_veci); }
static inline rg_vec vi_to_float(rg_veci x) { return __builtin_convertvector(x, rg_vec); }

static inline void vm_store(uint8_t *to, rg_mask m) {
  for (int i = 0; i < RG_LANES; i++) to[i] = m[i] != 0;
}
static inline rg_mask vm_load(const uint8_t *from) {
  return (rg_mask){-(from[0] != 0), -(from[1] != 0), -(from[2] != 0), -(from[3] != 0)};
}
static inline rg_veci vi_add(rg_veci a, rg_veci b) { return (rg_veci)((rg_vecu)a + (rg_vecu)b); }
static inline rg_veci vi_sub(rg_veci a, rg_veci b) { return (rg_veci)((rg_vecu)a - (rg_vecu)b); }
#define vi_shl(x, count) ((rg_veci)((rg_vecu)(x) << (count)))
#define vi_sar(x, count) ((x) >> (count))

/* Two factors, each a normal number, so that subnormal results come out right. */
static inline rg_vec v_ldexp(rg_vec x, rg_vec n) {
  const rg_veci whole = v_to_int(n), half = vi_sar(whole, 1), rest = vi_sub(whole, half), bias = vi_set1(127);
  x = v_mul(x, vi_bits(vi_shl(vi_add(half, bias), 23)));
  return v_mul(x, vi_bits(vi_shl(vi_add(rest, bias), 23)));
}

static inline rg_vec v_from_u8(const uint8_t *from) { return (rg_vec){from[0], from[1], from[2], from[3]}; }
static inline rg_vec v_from_i8(const int8_t *from) { return (rg_vec){from[0], from[1], from[2], from[3]}; }
static inline rg_vec v_from_i32(const int32_t *from) {
  rg_veci x;
  memcpy(&x, from, sizeof x);
  return vi_to_float(x);
}
static inline rg_vec v_from_half(const uint16_t *from) {
  return (rg_vec){rg_half_to_float(from[0]), rg_half_to_float(from[1]), rg_half_to_float(from[2]),
                  rg_half_to_float(from[3])};
}
static inline void v_to_half(uint16_t *to, rg_vec x) {
  for (int i = 0; i < RG_LANES; i++) to[i] = rg_float_to_half(x[i]);
}

static inline void v_transpose_tile(const float *x, size_t ldx, float *y, size_t ldy) {
  for (size_t i = 0; i < RG_LANES; i++)
    for (size_t j = 0; j < RG_LANES; j++) y[j * ldy + i] = x[i * ldx + j];
}

#endif
