/* See template_winograd.h. */
#include "kernels/neon/simd.h"

#include "kernels/template_winograd.h"
