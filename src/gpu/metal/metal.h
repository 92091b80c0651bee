/*
 * Metal (macOS 11 and later). Objective-C of the plainest kind: retain and release by hand, an NSAutoreleasePool in
 * each function that the table holds, no blocks and no literals, so that gcc builds it too and the tests run it against
 * an emulated device.
 */
#ifndef RG_GPU_METAL_H
#define RG_GPU_METAL_H

#import <Foundation/Foundation.h>
#import <Metal/Metal.h>
#include <pthread.h>

#include "gpu/backend.h"

typedef struct rg_metal_device {
  rg_gpu_device base;
  id<MTLDevice> device;
  id<MTLCommandQueue> queue;
  bool simdgroup_matrices;
  pthread_mutex_t lock;
  id<MTLComputePipelineState> *pipelines; /* [rg_gpu_shader_count], nil until asked for; under the lock */
} rg_metal_device;

typedef struct rg_metal_buffer {
  rg_gpu_buffer base;
  id<MTLBuffer> buffer;
} rg_metal_buffer;

/* Sets the thread's message: the call that failed and what Metal says of it. */
rango_status rg_metal_fail(const char *call, NSError *error);
/* Waits for a committed command buffer. */
rango_status rg_metal_wait(id<MTLCommandBuffer> commands);

/* The shader's pipeline state, made when first asked for; the device keeps it. */
rango_status rg_metal_pipeline(rg_metal_device *device, int shader, id<MTLComputePipelineState> *out);

rango_status rg_metal_buffer_create(rg_gpu_device *device, rg_gpu_memory memory, size_t bytes, rg_gpu_buffer **out);
void rg_metal_buffer_free(rg_gpu_device *device, rg_gpu_buffer *buffer);
rango_status rg_metal_buffer_write(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, const void *from,
                                   size_t bytes);
rango_status rg_metal_buffer_read(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, void *to, size_t bytes);

rango_status rg_metal_list_create(rg_gpu_device *device, const rg_gpu_command *commands, size_t count,
                                  rg_gpu_list **out);
void rg_metal_list_free(rg_gpu_device *device, rg_gpu_list *list);
rango_status rg_metal_list_run(rg_gpu_device *device, rg_gpu_list *list);
rango_status rg_metal_list_times(rg_gpu_device *device, rg_gpu_list *list, double *milliseconds, size_t count);

#endif
