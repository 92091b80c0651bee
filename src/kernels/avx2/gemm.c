/* A tile of 6 rows; see template_gemm.h. */
#include "kernels/avx2/simd.h"

#define RG_MR             6
#define RG_PREFETCH_BYTES 8192
#define RG_PREFETCH_SUMS  2
#include "kernels/template_gemm.h"
