/* See template_winograd.h. */
#include "kernels/avx2/simd.h"

#include "kernels/template_winograd.h"
