/* See template_narrow.h: 16 sums, four rows and a column. */
#include "kernels/avx512/simd.h"

/* The sums of four vectors. */
static inline __m128 v_sum4(rg_vec a, rg_vec b, rg_vec c, rg_vec d) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512d x = _mm512_castps_pd(ab), y = _mm512_castps_pd(cd);
  const __m512 quads = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                                     _mm512_castpd_ps(_mm512_unpackhi_pd(x, y))); /* in each of four: a, b, c, d */
  const __m256 pairs = _mm256_add_ps(_mm512_castps512_ps256(quads), _mm512_extractf32x8_ps(quads, 1));
  return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
}

#define RG_MR          8
#define RG_NARROW_ROWS 4
#include "kernels/template_narrow.h"
