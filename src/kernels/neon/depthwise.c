/* See template_depthwise.h. */
#include "kernels/neon/simd.h"

#include "kernels/template_depthwise.h"
