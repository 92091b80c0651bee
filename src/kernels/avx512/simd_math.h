/* What vector kernels need beside simd.h, on AVX-512. See generic/simd_math.h for what the names promise. */
#ifndef RG_KERNELS_SIMD_MATH_H
#define RG_KERNELS_SIMD_MATH_H

#include "kernels/avx512/simd.h"

typedef __m512i rg_veci;
typedef __mmask16 rg_mask;

static inline rg_vec v_load_part(const float *from, size_t count, rg_vec rest) {
  return _mm512_mask_loadu_ps(rest, v_mask_(count), from);
}
static inline rg_vec v_sqrt(rg_vec x) { return _mm512_sqrt_ps(x); }
static inline rg_vec v_abs(rg_vec x) { return _mm512_abs_ps(x); }
static inline rg_vec v_neg(rg_vec x) { return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f)); }
static inline rg_vec v_copysign(rg_vec x, rg_vec sign) {
  const __m512 bit = _mm512_set1_ps(-0.0f);
  return _mm512_or_ps(_mm512_andnot_ps(bit, x), _mm512_and_ps(bit, sign));
}
static inline rg_vec v_round(rg_vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline rg_vec v_floor(rg_vec x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
static inline rg_vec v_ceil(rg_vec x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }

static inline float v_largest(rg_vec x) { return _mm512_reduce_max_ps(x); }
static inline rg_mask v_lt(rg_vec a, rg_vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline rg_mask v_le(rg_vec a, rg_vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
static inline rg_mask v_eq(rg_vec a, rg_vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline rg_mask v_is_nan(rg_vec x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
static inline rg_vec v_select(rg_mask m, rg_vec a, rg_vec b) { return _mm512_mask_blend_ps(m, b, a); }
static inline void vm_store(uint8_t *to, rg_mask m) { _mm_storeu_si128((__m128i *)to, _mm_maskz_set1_epi8(m, 1)); }
static inline rg_mask vm_load(const uint8_t *from) {
  const __m128i x = _mm_loadu_si128((const __m128i *)from);
  return _mm_test_epi8_mask(x, x);
}

static inline rg_veci vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
static inline rg_veci vi_add(rg_veci a, rg_veci b) { return _mm512_add_epi32(a, b); }
static inline rg_veci vi_sub(rg_veci a, rg_veci b) { return _mm512_sub_epi32(a, b); }
#define vi_shl(x, count) _mm512_slli_epi32((x), (count))
#define vi_sar(x, count) _mm512_srai_epi32((x), (count))
static inline rg_veci v_bits(rg_vec x) { return _mm512_castps_si512(x); }
static inline rg_vec vi_bits(rg_veci x) { return _mm512_castsi512_ps(x); }
static inline rg_veci v_to_int(rg_vec x) { return _mm512_cvtps_epi32(x); }
static inline rg_vec vi_to_float(rg_veci x) { return _mm512_cvtepi32_ps(x); }

static inline rg_vec v_ldexp(rg_vec x, rg_vec n) { return _mm512_scalef_ps(x, n); }

static inline rg_vec v_from_u8(const uint8_t *from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from)));
}
static inline rg_vec v_from_i8(const int8_t *from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}
static inline rg_vec v_from_i32(const int32_t *from) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(from)); }
static inline rg_vec v_from_half(const uint16_t *from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}
static inline void v_to_half(uint16_t *to, rg_vec x) {
  _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

static inline void v_transpose_tile(const float *x, size_t ldx, float *y, size_t ldy) {
  __m512 r[16], t[16];
  for (size_t i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(x + i * ldx);
  for (int i = 0; i < 16; i += 2) { /* pairs of floats within 128-bit lanes */
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int h = 0; h < 2; h++) { /* r[i + c]: column 4q + c of rows i … i + 3 in 128-bit lane q */
      const __m512d a = _mm512_castps_pd(t[i + h]), b = _mm512_castps_pd(t[i + 2 + h]);
      r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  for (size_t c = 0; c < 4; c++) { /* the 4 x 4 transpose of 128-bit lanes */
    const __m512 a = _mm512_shuffle_f32x4(r[c], r[c + 4], 0x44), b = _mm512_shuffle_f32x4(r[c], r[c + 4], 0xee);
    const __m512 d = _mm512_shuffle_f32x4(r[c + 8], r[c + 12], 0x44),
                 e = _mm512_shuffle_f32x4(r[c + 8], r[c + 12], 0xee);
    _mm512_storeu_ps(y + c * ldy, _mm512_shuffle_f32x4(a, d, 0x88));
    _mm512_storeu_ps(y + (c + 4) * ldy, _mm512_shuffle_f32x4(a, d, 0xdd));
    _mm512_storeu_ps(y + (c + 8) * ldy, _mm512_shuffle_f32x4(b, e, 0x88));
    _mm512_storeu_ps(y + (c + 12) * ldy, _mm512_shuffle_f32x4(b, e, 0xdd));
  }
}

#endif
