/* One vector of 4 floats: AArch64's Advanced SIMD. See generic/simd.h for what the names promise. */
#ifndef RG_KERNELS_SIMD_H
#define RG_KERNELS_SIMD_H

#include <arm_neon.h>
#include <string.h>

#include "kernels/table.h"

typedef float32x4_t rg_vec;
#define RG_LANES             4
#define RG_KERNEL_NAME(name) rg_neon_##name

static inline rg_vec v_load(const float *from) { return vld1q_f32(from); }
static inline void v_store(float *to, rg_vec v) { vst1q_f32(to, v); }
static inline rg_vec v_load_n(const float *from, size_t count) {
  if (count >= 4) return vld1q_f32(from);
  float lanes[4] = {0};
  for (size_t i = 0; i < count; i++) lanes[i] = from[i];
  return vld1q_f32(lanes);
}
static inline void v_store_n(float *to, rg_vec v, size_t count) {
  if (count >= 4) {
    vst1q_f32(to, v);
    return;
  }
  if (count > 0) vst1q_lane_f32(to, v, 0);
  if (count > 1) vst1q_lane_f32(to + 1, v, 1);
  if (count > 2) vst1q_lane_f32(to + 2, v, 2);
}
static inline rg_vec v_set1(float x) { return vdupq_n_f32(x); }
static inline rg_vec v_fma(rg_vec a, rg_vec b, rg_vec c) { return vfmaq_f32(c, a, b); }
static inline rg_vec v_add(rg_vec a, rg_vec b) { return vaddq_f32(a, b); }
static inline rg_vec v_sub(rg_vec a, rg_vec b) { return vsubq_f32(a, b); }
static inline rg_vec v_mul(rg_vec a, rg_vec b) { return vmulq_f32(a, b); }
static inline rg_vec v_div(rg_vec a, rg_vec b) { return vdivq_f32(a, b); }
static inline rg_vec v_max(rg_vec bound, rg_vec x) { return vmaxq_f32(bound, x); }
static inline rg_vec v_min(rg_vec bound, rg_vec x) { return vminq_f32(bound, x); }
static inline float v_sum(rg_vec v) { return vaddvq_f32(v); }

#endif
