/* One vector of 8 floats: AVX2 and FMA. See generic/simd.h for what the names promise. */
#ifndef RG_KERNELS_SIMD_H
#define RG_KERNELS_SIMD_H

#include <immintrin.h>

#include "kernels/table.h"

typedef __m256 rg_vec;
#define RG_LANES             8
#define RG_KERNEL_NAME(name) rg_avx2_##name

static inline __m256i v_mask_(size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(count < 8 ? count : 8)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline rg_vec v_load(const float *from) { return _mm256_loadu_ps(from); }
static inline void v_store(float *to, rg_vec v) { _mm256_storeu_ps(to, v); }
static inline rg_vec v_load_n(const float *from, size_t count) { return _mm256_maskload_ps(from, v_mask_(count)); }
static inline void v_store_n(float *to, rg_vec v, size_t count) { _mm256_maskstore_ps(to, v_mask_(count), v); }
static inline rg_vec v_set1(float x) { return _mm256_set1_ps(x); }
static inline rg_vec v_fma(rg_vec a, rg_vec b, rg_vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline rg_vec v_add(rg_vec a, rg_vec b) { return _mm256_add_ps(a, b); }
static inline rg_vec v_sub(rg_vec a, rg_vec b) { return _mm256_sub_ps(a, b); }
static inline rg_vec v_mul(rg_vec a, rg_vec b) { return _mm256_mul_ps(a, b); }
static inline rg_vec v_div(rg_vec a, rg_vec b) { return _mm256_div_ps(a, b); }
static inline rg_vec v_max(rg_vec bound, rg_vec x) { return _mm256_max_ps(bound, x); }
static inline rg_vec v_min(rg_vec bound, rg_vec x) { return _mm256_min_ps(bound, x); }
static inline float v_sum(rg_vec v) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

#endif
