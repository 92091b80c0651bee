/* What every backend refuses, in the same words. */
#ifndef RG_GPU_CHECK_H
#define RG_GPU_CHECK_H

#include "gpu/backend.h"

/* The command's shader, numbers and parts are possible on this device. */
rango_status rg_gpu_check_command(const rg_gpu_device *device, const rg_gpu_command *command);
/* The range lies in the buffer. */
rango_status rg_gpu_check_range(const rg_gpu_buffer *buffer, size_t offset, size_t bytes);

#endif
