/* See template_depthwise.h. */
#include "kernels/avx2/simd.h"

#include "kernels/template_depthwise.h"
