/* Metal: devices, and the backend's table. */
#include <string.h>

#include "base/hash.h"
#include "gpu/metal/metal.h"

extern const rg_gpu_backend rg_gpu_metal;

rango_status rg_metal_fail(const char *call, NSError *error) {
  const char *text = error ? [[error localizedDescription] UTF8String] : NULL;
  RG_FAIL(RANGO_ERROR_DEVICE, "Metal: %s: %s", call, text ? text : "no reason given");
}

rango_status rg_metal_wait(id<MTLCommandBuffer> commands) {
  [commands waitUntilCompleted];
  return [commands status] == MTLCommandBufferStatusCompleted ? RANGO_OK
                                                              : rg_metal_fail("MTLCommandBuffer", [commands error]);
}

/* The caller releases it. */
static NSArray *copy_devices(void) {
#if defined(TARGET_OS_IPHONE) && TARGET_OS_IPHONE
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  NSArray *devices = device ? [[NSArray alloc] initWithObjects:device, nil] : [[NSArray alloc] init];
  [device release];
  return devices;
#else
  return MTLCopyAllDevices();
#endif
}

/* The caller releases it; nil: there are not that many. */
static id<MTLDevice> copy_device(int index) {
  NSArray *devices = copy_devices();
  id<MTLDevice> device =
      index >= 0 && (NSUInteger)index < [devices count] ? [[devices objectAtIndex:(NSUInteger)index] retain] : nil;
  [devices release];
  return device;
}

static rango_status count_devices(int *out) {
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  NSArray *devices = copy_devices();
  *out = (int)[devices count];
  [devices release];
  [pool release];
  return RANGO_OK;
}

static void copy_text(char *to, size_t room, NSString *text) {
  const char *from = text ? [text UTF8String] : NULL;
  snprintf(to, room, "%s", from ? from : "");
}

static void fill_info(id<MTLDevice> device, rg_gpu_info *out) {
  *out = (rg_gpu_info){.unified = [device hasUnifiedMemory],
                       .half = true,
                       .memory_bytes = (size_t)[device recommendedMaxWorkingSetSize],
                       .binding_bytes = [device maxBufferLength],
                       .group_count = {INT32_MAX, INT32_MAX, INT32_MAX}, /* Metal names no bound */
                       .group_threads = (uint32_t)[device maxThreadsPerThreadgroup].width,
                       .shared_bytes = (uint32_t)[device maxThreadgroupMemoryLength],
                       .timestamps = true};
  copy_text(out->name, sizeof out->name, [device name]);
  copy_text(out->driver, sizeof out->driver,
            [@"Metal, system " stringByAppendingString:[[NSProcessInfo processInfo] operatingSystemVersionString]]);
  const uint64_t hash = rg_hash(rg_hash(RG_HASH_START, out->name, strlen(out->name)), out->driver, strlen(out->driver));
  snprintf(out->cache_name, sizeof out->cache_name, "metal-%016llx", (unsigned long long)hash);
}

static rango_status describe_device(int index, rg_gpu_info *out) {
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  id<MTLDevice> device = copy_device(index);
  rango_status status = RANGO_OK;
  if (device)
    fill_info(device, out);
  else
    status = rg_fail(RANGO_ERROR_DEVICE, "Metal: there is no device %d", index);
  [device release];
  [pool release];
  return status;
}

/* ---- open and close ---- */

static void close_device(rg_gpu_device *base) {
  if (!base) return;
  rg_metal_device *device = (rg_metal_device *)base;
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  for (int i = 0; device->pipelines && i < rg_gpu_shader_count; i++) [device->pipelines[i] release];
  [device->queue release];
  [device->device release];
  pthread_mutex_destroy(&device->lock);
  rg_free(device->pipelines);
  rg_free(device);
  [pool release];
}

static rango_status fill_device(rg_metal_device *device, int index) {
  device->device = copy_device(index);
  RG_FAIL_IF(!device->device, RANGO_ERROR_DEVICE, "Metal: there is no device %d", index);
  fill_info(device->device, &device->base.info);
  device->simdgroup_matrices = [device->device supportsFamily:MTLGPUFamilyApple7];
  device->queue = [device->device newCommandQueue];
  RG_FAIL_IF(!device->queue, RANGO_ERROR_DEVICE, "Metal: newCommandQueue gave none");
  return rg_calloc((size_t)rg_gpu_shader_count, sizeof(id), RG_OUT(&device->pipelines));
}

static rango_status open_device(int index, rg_gpu_device **out) {
  rg_metal_device *device;
  RG_TRY(rg_calloc(1, sizeof *device, RG_OUT(&device)));
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  device->base = (rg_gpu_device){.backend = &rg_gpu_metal, .index = index};
  pthread_mutex_init(&device->lock, NULL);
  const rango_status status = fill_device(device, index);
  if (status == RANGO_OK)
    *out = &device->base;
  else
    close_device(&device->base);
  [pool release];
  return status;
}

const rg_gpu_backend rg_gpu_metal = {.name = "metal",
                                     .count = count_devices,
                                     .describe = describe_device,
                                     .open = open_device,
                                     .close = close_device,
                                     .buffer_create = rg_metal_buffer_create,
                                     .buffer_free = rg_metal_buffer_free,
                                     .buffer_write = rg_metal_buffer_write,
                                     .buffer_read = rg_metal_buffer_read,
                                     .list_create = rg_metal_list_create,
                                     .list_free = rg_metal_list_free,
                                     .list_run = rg_metal_list_run,
                                     .list_times = rg_metal_list_times};
