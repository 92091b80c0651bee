/* The vector kernels; see template_vector.h. */
#include "kernels/avx512/simd_math.h"

#define RG_VECTOR_TABLE rg_vector_avx512
#include "kernels/template_vector.h"
