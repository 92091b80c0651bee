/* Metal: buffers. Memory that the CPU sees is shared with it, never copied behind the scenes; a graphics card's own is
 * private and reached through a shared one. */
#include <string.h>

#include "base/checked.h"
#include "gpu/check.h"
#include "gpu/metal/metal.h"

#define WORD 4 /* copies on the device are of whole words */

static id<MTLBuffer> new_shared(rg_metal_device *device, size_t bytes) {
  return [device->device newBufferWithLength:bytes options:MTLResourceStorageModeShared];
}

rango_status rg_metal_buffer_create(rg_gpu_device *base, rg_gpu_memory memory, size_t bytes, rg_gpu_buffer **out) {
  rg_metal_device *device = (rg_metal_device *)base;
  const bool shared = memory != RG_GPU_LOCAL || base->info.unified;
  *out = NULL;
  RG_FAIL_IF(bytes > base->info.binding_bytes - WORD, RANGO_ERROR_MEMORY,
             "Metal: a buffer of %zu bytes; this device takes %zu", bytes, base->info.binding_bytes);
  rg_metal_buffer *buffer;
  RG_TRY(rg_calloc(1, sizeof *buffer, RG_OUT(&buffer)));
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  const size_t length = rg_round_up(bytes ? bytes : 1, WORD);
  buffer->buffer = shared ? new_shared(device, length)
                          : [device->device newBufferWithLength:length options:MTLResourceStorageModePrivate];
  [pool release];
  if (!buffer->buffer) {
    rg_free(buffer);
    RG_FAIL(RANGO_ERROR_MEMORY, "Metal: newBufferWithLength: no memory for %zu bytes", bytes);
  }
  buffer->base.bytes = bytes;
  buffer->base.mapped = shared ? [buffer->buffer contents] : NULL;
  *out = &buffer->base;
  return RANGO_OK;
}

void rg_metal_buffer_free(rg_gpu_device *device, rg_gpu_buffer *base) {
  if (!base) return;
  [((rg_metal_buffer *)base)->buffer release];
  rg_free(base);
}

/* ---- to and from private memory ---- */

static rango_status copy(rg_metal_device *device, id<MTLBuffer> from, size_t from_offset, id<MTLBuffer> to,
                         size_t to_offset, size_t bytes) {
  id<MTLCommandBuffer> commands = [device->queue commandBuffer];
  id<MTLBlitCommandEncoder> encoder = [commands blitCommandEncoder];
  [encoder copyFromBuffer:from sourceOffset:from_offset toBuffer:to destinationOffset:to_offset size:bytes];
  [encoder endEncoding];
  [commands commit];
  return rg_metal_wait(commands);
}

/* Whole words around the range come into a shared buffer; where `from` is given, the range in it is replaced and the
 * words go back; else the range goes to `to`. */
static rango_status stage(rg_metal_device *device, rg_metal_buffer *buffer, size_t offset, const void *from, void *to,
                          size_t bytes) {
  const size_t first = offset / WORD * WORD, words = rg_round_up(offset + bytes, WORD) - first;
  const bool whole = first == offset && words == bytes;
  id<MTLBuffer> staging = new_shared(device, words);
  RG_FAIL_IF(!staging, RANGO_ERROR_MEMORY, "Metal: newBufferWithLength: no memory for %zu bytes", words);
  rango_status status = RANGO_OK;
  if (to || !whole) RG_TRY_DONE(copy(device, buffer->buffer, first, staging, 0, words));
  char *range = (char *)[staging contents] + (offset - first);
  if (to) memcpy(to, range, bytes);
  if (from) {
    memcpy(range, from, bytes);
    RG_TRY_DONE(copy(device, staging, 0, buffer->buffer, first, words));
  }
done:
  [staging release];
  return status;
}

static rango_status transfer(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, const void *from, void *to,
                             size_t bytes) {
  RG_TRY(rg_gpu_check_range(buffer, offset, bytes));
  if (bytes == 0) return RANGO_OK;
  if (buffer->mapped) {
    char *range = (char *)buffer->mapped + offset;
    if (from) memcpy(range, from, bytes);
    if (to) memcpy(to, range, bytes);
    return RANGO_OK;
  }
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  const rango_status status = stage((rg_metal_device *)device, (rg_metal_buffer *)buffer, offset, from, to, bytes);
  [pool release];
  return status;
}

rango_status rg_metal_buffer_write(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, const void *from,
                                   size_t bytes) {
  return transfer(device, buffer, offset, from, NULL, bytes);
}

rango_status rg_metal_buffer_read(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, void *to, size_t bytes) {
  return transfer(device, buffer, offset, NULL, to, bytes);
}
