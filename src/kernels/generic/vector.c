/* The vector kernels; see template_vector.h. */
#include "kernels/generic/simd_math.h"

#define RG_VECTOR_TABLE rg_vector_generic
#include "kernels/template_vector.h"
