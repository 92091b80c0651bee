/* A tile of 4 rows; see template_gemm.h. */
#include "kernels/generic/simd.h"

#define RG_MR 4
#include "kernels/template_gemm.h"
