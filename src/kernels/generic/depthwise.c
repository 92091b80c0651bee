/* See template_depthwise.h. */
#include "kernels/generic/simd.h"

#include "kernels/template_depthwise.h"
