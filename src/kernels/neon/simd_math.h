/* What vector kernels need beside simd.h, on AArch64. See generic/simd_math.h for what the names promise. */
#ifndef RG_KERNELS_SIMD_MATH_H
#define RG_KERNELS_SIMD_MATH_H

#include "kernels/neon/simd.h"

typedef int32x4_t rg_veci;
typedef uint32x4_t rg_mask;

static inline rg_vec v_load_part(const float *from, size_t count, rg_vec rest) {
  if (count >= 4) return vld1q_f32(from);
  if (count > 0) rest = vld1q_lane_f32(from, rest, 0);
  if (count > 1) rest = vld1q_lane_f32(from + 1, rest, 1);
  if (count > 2) rest = vld1q_lane_f32(from + 2, rest, 2);
  return rest;
}
static inline rg_vec v_sqrt(rg_vec x) { return vsqrtq_f32(x); }
static inline rg_vec v_abs(rg_vec x) { return vabsq_f32(x); }
static inline rg_vec v_neg(rg_vec x) { return vnegq_f32(x); }
static inline rg_vec v_copysign(rg_vec x, rg_vec sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, x); }
static inline rg_vec v_round(rg_vec x) { return vrndnq_f32(x); }
static inline rg_vec v_floor(rg_vec x) { return vrndmq_f32(x); }
static inline rg_vec v_ceil(rg_vec x) { return vrndpq_f32(x); }

static inline float v_largest(rg_vec x) { return vmaxvq_f32(x); }
static inline rg_mask v_lt(rg_vec a, rg_vec b) { return vcltq_f32(a, b); }
static inline rg_mask v_le(rg_vec a, rg_vec b) { return vcleq_f32(a, b); }
static inline rg_mask v_eq(rg_vec a, rg_vec b) { return vceqq_f32(a, b); }
static inline rg_mask v_is_nan(rg_vec x) { return vmvnq_u32(vceqq_f32(x, x)); }
static inline rg_vec v_select(rg_mask m, rg_vec a, rg_vec b) { return vbslq_f32(m, a, b); }
static inline void vm_store(uint8_t *to, rg_mask m) {
  const uint16x4_t words = vmovn_u32(vshrq_n_u32(m, 31));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
  memcpy(to, &four, 4);
}
static inline uint16x8_t v_bytes_(const void *from) { /* 4 bytes as 16-bit words in the low half */
  uint32_t four;
  memcpy(&four, from, 4);
  return vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
}
static inline rg_mask vm_load(const uint8_t *from) {
  const uint32x4_t wide = vmovl_u16(vget_low_u16(v_bytes_(from)));
  return vtstq_u32(wide, wide);
}

static inline rg_veci vi_set1(int32_t x) { return vdupq_n_s32(x); }
static inline rg_veci vi_add(rg_veci a, rg_veci b) { return vaddq_s32(a, b); }
static inline rg_veci vi_sub(rg_veci a, rg_veci b) { return vsubq_s32(a, b); }
#define vi_shl(x, count) vshlq_n_s32((x), (count))
#define vi_sar(x, count) vshrq_n_s32((x), (count))
static inline rg_veci v_bits(rg_vec x) { return vreinterpretq_s32_f32(x); }
static inline rg_vec vi_bits(rg_veci x) { return vreinterpretq_f32_s32(x); }
static inline rg_veci v_to_int(rg_vec x) { return vcvtnq_s32_f32(x); }
static inline rg_vec vi_to_float(rg_veci x) { return vcvtq_f32_s32(x); }

/* Two factors, each a normal number, so that subnormal results come out right. */
static inline rg_vec v_ldexp(rg_vec x, rg_vec n) {
  const rg_veci whole = v_to_int(n), half = vi_sar(whole, 1), rest = vi_sub(whole, half), bias = vi_set1(127);
  x = v_mul(x, vi_bits(vi_shl(vi_add(half, bias), 23)));
  return v_mul(x, vi_bits(vi_shl(vi_add(rest, bias), 23)));
}

static inline rg_vec v_from_u8(const uint8_t *from) { return vcvtq_f32_u32(vmovl_u16(vget_low_u16(v_bytes_(from)))); }
static inline rg_vec v_from_i8(const int8_t *from) {
  int32_t four;
  memcpy(&four, from, 4);
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four))))));
}
static inline rg_vec v_from_i32(const int32_t *from) { return vcvtq_f32_s32(vld1q_s32(from)); }
static inline rg_vec v_from_half(const uint16_t *from) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from))); }
static inline void v_to_half(uint16_t *to, rg_vec x) { vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(x))); }

static inline void v_transpose_tile(const float *x, size_t ldx, float *y, size_t ldy) {
  const float32x4x2_t a = vtrnq_f32(vld1q_f32(x), vld1q_f32(x + ldx));
  const float32x4x2_t b = vtrnq_f32(vld1q_f32(x + 2 * ldx), vld1q_f32(x + 3 * ldx));
  vst1q_f32(y, vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0])));
  vst1q_f32(y + ldy, vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1])));
  vst1q_f32(y + 2 * ldy, vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0])));
  vst1q_f32(y + 3 * ldy, vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1])));
}

#endif
