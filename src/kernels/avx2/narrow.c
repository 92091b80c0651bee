/* See template_narrow.h: 12 sums, three rows and a column. */
#include "kernels/avx2/simd.h"

/* The sums of four vectors. */
static inline __m128 v_sum4(rg_vec a, rg_vec b, rg_vec c, rg_vec d) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d)); /* in each half: a, b, c, d */
  return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
}

#define RG_MR          6
#define RG_NARROW_ROWS 3
#include "kernels/template_narrow.h"
