/* The GPUs of this machine, one after another. */
#ifndef TESTS_GPU_DEVICES_H
#define TESTS_GPU_DEVICES_H

#include "gpu/gpu.h"
#include "gpu/shader_ids.h"
#include "support/check.h"

static const char *const backend_names[] = {"vulkan", "metal"};

/* Calls `test` with each device, open; skips where there is none. */
static inline void each_device(void (*test)(rg_gpu_device *device)) {
  int total = 0;
  for (size_t b = 0; b < sizeof backend_names / sizeof *backend_names; b++) {
    const rg_gpu_backend *backend = rg_gpu_library_get()->backend(backend_names[b]);
    int count = 0;
    if (backend) check_ok(backend->count(&count));
    for (int i = 0; i < count; i++) {
      rg_gpu_device *device;
      check_ok(backend->open(i, &device));
      test(device);
      backend->close(device);
    }
    total += count;
  }
  if (total > 0) return;
  printf("SKIP: no GPU here\n");
  skip();
}

static inline rg_gpu_buffer *make_buffer(rg_gpu_device *device, rg_gpu_memory memory, size_t bytes) {
  rg_gpu_buffer *buffer;
  check_ok(device->backend->buffer_create(device, memory, bytes, &buffer));
  return buffer;
}

static inline void write_buffer(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, const void *from,
                                size_t bytes) {
  check_ok(device->backend->buffer_write(device, buffer, offset, from, bytes));
}

static inline void read_buffer(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, void *to, size_t bytes) {
  check_ok(device->backend->buffer_read(device, buffer, offset, to, bytes));
}

static inline rg_gpu_part part_of(rg_gpu_buffer *buffer) { return (rg_gpu_part){buffer, 0, buffer->bytes}; }

#endif
