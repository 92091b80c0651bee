/* The vector kernels; see template_vector.h. */
#include "kernels/neon/simd_math.h"

#define RG_VECTOR_TABLE rg_vector_neon
#include "kernels/template_vector.h"
