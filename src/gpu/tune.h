/* Measures what a step of each tile takes on a device (product.c). */
#ifndef RG_GPU_TUNE_H
#define RG_GPU_TUNE_H

#include "gpu/gpu.h"

/* Fills `out` but for its size, and writes the device's file (rates.h). The device itself goes on as it is. */
rango_status rg_gpu_tune(rg_gpu_device *device, rango_gpu_tuning *out);

#endif
