/* See template_winograd.h. */
#include "kernels/avx512/simd.h"

#include "kernels/template_winograd.h"
