/* See template_winograd.h. */
#include "kernels/generic/simd.h"

#include "kernels/template_winograd.h"
