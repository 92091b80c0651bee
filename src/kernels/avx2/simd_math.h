/* What vector kernels need beside simd.h, on AVX2 with F16C. See generic/simd_math.h for what the names promise. */
#ifndef RG_KERNELS_SIMD_MATH_H
#define RG_KERNELS_SIMD_MATH_H

#include "kernels/avx2/simd.h"

typedef __m256i rg_veci;
typedef __m256 rg_mask;

static inline rg_vec v_load_part(const float *from, size_t count, rg_vec rest) {
  const __m256i mask = v_mask_(count);
  return _mm256_blendv_ps(rest, _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask));
}
static inline rg_vec v_sqrt(rg_vec x) { return _mm256_sqrt_ps(x); }
static inline rg_vec v_abs(rg_vec x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
static inline rg_vec v_neg(rg_vec x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }
static inline rg_vec v_copysign(rg_vec x, rg_vec sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(bit, x), _mm256_and_ps(bit, sign));
}
static inline rg_vec v_round(rg_vec x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline rg_vec v_floor(rg_vec x) { return _mm256_floor_ps(x); }
static inline rg_vec v_ceil(rg_vec x) { return _mm256_ceil_ps(x); }

static inline float v_largest(rg_vec x) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
static inline rg_mask v_lt(rg_vec a, rg_vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline rg_mask v_le(rg_vec a, rg_vec b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline rg_mask v_eq(rg_vec a, rg_vec b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline rg_mask v_is_nan(rg_vec x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
static inline rg_vec v_select(rg_mask m, rg_vec a, rg_vec b) { return _mm256_blendv_ps(b, a, m); }
static inline void vm_store(uint8_t *to, rg_mask m) {
  const __m256i bits = _mm256_srli_epi32(_mm256_castps_si256(m), 31);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  _mm_storel_epi64((__m128i *)to, _mm_packs_epi16(words, words));
}
static inline rg_mask vm_load(const uint8_t *from) {
  const __m256i x = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(x, _mm256_setzero_si256()));
}

static inline rg_veci vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
static inline rg_veci vi_add(rg_veci a, rg_veci b) { return _mm256_add_epi32(a, b); }
static inline rg_veci vi_sub(rg_veci a, rg_veci b) { return _mm256_sub_epi32(a, b); }
#define vi_shl(x, count) _mm256_slli_epi32((x), (count))
#define vi_sar(x, count) _mm256_srai_epi32((x), (count))
static inline rg_veci v_bits(rg_vec x) { return _mm256_castps_si256(x); }
static inline rg_vec vi_bits(rg_veci x) { return _mm256_castsi256_ps(x); }
static inline rg_veci v_to_int(rg_vec x) { return _mm256_cvtps_epi32(x); }
static inline rg_vec vi_to_float(rg_veci x) { return _mm256_cvtepi32_ps(x); }

/* Two factors, each a normal number, so that subnormal results come out right. */
static inline rg_vec v_ldexp(rg_vec x, rg_vec n) {
  const rg_veci whole = v_to_int(n), half = vi_sar(whole, 1), rest = vi_sub(whole, half), bias = vi_set1(127);
  x = v_mul(x, vi_bits(vi_shl(vi_add(half, bias), 23)));
  return v_mul(x, vi_bits(vi_shl(vi_add(rest, bias), 23)));
}

static inline rg_vec v_from_u8(const uint8_t *from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}
static inline rg_vec v_from_i8(const int8_t *from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}
static inline rg_vec v_from_i32(const int32_t *from) {
  return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)from));
}
static inline rg_vec v_from_half(const uint16_t *from) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}
static inline void v_to_half(uint16_t *to, rg_vec x) {
  _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

static inline void v_transpose_tile(const float *x, size_t ldx, float *y, size_t ldy) {
  __m256 r[8], t[8];
  for (size_t i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(x + i * ldx);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int h = 0; h < 2; h++) {
      r[i + 2 * h] = _mm256_shuffle_ps(t[i + h], t[i + 2 + h], 0x44);
      r[i + 2 * h + 1] = _mm256_shuffle_ps(t[i + h], t[i + 2 + h], 0xee);
    }
  for (size_t c = 0; c < 4; c++) {
    _mm256_storeu_ps(y + c * ldy, _mm256_permute2f128_ps(r[c], r[c + 4], 0x20));
    _mm256_storeu_ps(y + (c + 4) * ldy, _mm256_permute2f128_ps(r[c], r[c + 4], 0x31));
  }
}

#endif
