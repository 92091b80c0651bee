/* A tile of 8 rows; see template_gemm.h. */
#include "kernels/avx512/simd.h"

#define RG_MR             8
#define RG_PREFETCH_BYTES 16384
#define RG_PREFETCH_SUMS  1
#include "kernels/template_gemm.h"
