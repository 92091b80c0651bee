/* How convolutions are done: by their cost, but for tests and measurements. */
#ifndef RG_GPU_CONV_H
#define RG_GPU_CONV_H

#include "gpu/families.h"

typedef enum rg_gpu_conv_form {
  RG_GPU_CONV_FASTEST = -1, /* whichever is taken to be */
  RG_GPU_CONV_DIRECT = 0,
  RG_GPU_CONV_TILES_2 = 2, /* by Winograd's method, with tiles of 2 x 2 or 4 x 4 pixels where it applies */
  RG_GPU_CONV_TILES_4 = 4
} rg_gpu_conv_form;

/* Prepares a Conv, of this domain or ONNX's, or a LowRankConv, both of whose factors take the form. */
rango_status rg_gpu_conv_prepare(rg_gpu_prepare *prepare, rg_gpu_conv_form form);

#endif
