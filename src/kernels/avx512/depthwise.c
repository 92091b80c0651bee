/* See template_depthwise.h. */
#include "kernels/avx512/simd.h"

#include "kernels/template_depthwise.h"
