/* One vector of 16 floats: AVX-512 F, BW, DQ, VL. See generic/simd.h for what the names promise. */
#ifndef RG_KERNELS_SIMD_H
#define RG_KERNELS_SIMD_H

#include <immintrin.h>

#include "kernels/table.h"

typedef __m512 rg_vec;
#define RG_LANES             16
#define RG_KERNEL_NAME(name) rg_avx512_##name

static inline __mmask16 v_mask_(size_t count) { return (__mmask16)(count < 16 ? (1u << count) - 1 : 0xffffu); }
static inline rg_vec v_load(const float *from) { return _mm512_loadu_ps(from); }
static inline void v_store(float *to, rg_vec v) { _mm512_storeu_ps(to, v); }
static inline rg_vec v_load_n(const float *from, size_t count) { return _mm512_maskz_loadu_ps(v_mask_(count), from); }
static inline void v_store_n(float *to, rg_vec v, size_t count) { _mm512_mask_storeu_ps(to, v_mask_(count), v); }
static inline rg_vec v_set1(float x) { return _mm512_set1_ps(x); }
static inline rg_vec v_fma(rg_vec a, rg_vec b, rg_vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline rg_vec v_add(rg_vec a, rg_vec b) { return _mm512_add_ps(a, b); }
static inline rg_vec v_sub(rg_vec a, rg_vec b) { return _mm512_sub_ps(a, b); }
static inline rg_vec v_mul(rg_vec a, rg_vec b) { return _mm512_mul_ps(a, b); }
static inline rg_vec v_div(rg_vec a, rg_vec b) { return _mm512_div_ps(a, b); }
static inline rg_vec v_max(rg_vec bound, rg_vec x) { return _mm512_max_ps(bound, x); }
static inline rg_vec v_min(rg_vec bound, rg_vec x) { return _mm512_min_ps(bound, x); }
static inline float v_sum(rg_vec v) { return _mm512_reduce_add_ps(v); }

#endif
