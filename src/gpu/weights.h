/* Weights on a device. */
#ifndef RG_GPU_WEIGHTS_H
#define RG_GPU_WEIGHTS_H

#include "gpu/gpu.h"

rango_status rg_gpu_weights_create(rg_gpu_device *device, rg_gpu_weights **out);
void rg_gpu_weights_free(rg_gpu_weights *weights);
size_t rg_gpu_weights_bytes(rg_gpu_weights *weights);
/* The packed form of `weight` under `key`. If it isn't there, `pack` fills `bytes` zeroed bytes, which go to the
 * device. Thread-safe. */
rango_status rg_gpu_weights_get(rg_gpu_weights *weights, const rango_tensor *weight, const char *key, size_t bytes,
                                rg_gpu_pack pack, const void *argument, rg_gpu_weight **out);
/* The same, made on the device: `task`, whose operands aren't read, has the weight as it is at its first binding and
 * the form's `bytes` at its second, and writes them all. */
rango_status rg_gpu_weights_make(rg_gpu_weights *weights, const rango_tensor *weight, const char *key, size_t bytes,
                                 const rg_gpu_task *task, rg_gpu_weight **out);
rg_gpu_part rg_gpu_weight_part(const rg_gpu_weight *weight);
void rg_gpu_weight_release(rg_gpu_weight *weight);

#endif
