/* What the driver compiled, kept in a file from one process to the next: a header of ours, then the driver's bytes. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "gpu/cache.h"
#include "gpu/vulkan/vulkan.h"

#define MAGIC      UINT64_C(0x316b766f676e6172) /* "rangovk1" */
#define BYTES_MOST ((size_t)256 << 20)

typedef struct header {
  uint64_t magic;
  uint64_t shaders; /* hash of this build's: files don't grow with shaders that are gone */
  uint64_t bytes, hash;
} header;

static uint64_t hash_shaders(void) {
  uint64_t hash = RG_HASH_START;
  for (int i = 0; i < rg_gpu_shader_count; i++)
    hash = rg_hash(hash, rg_gpu_shaders[i].spirv, rg_gpu_shaders[i].spirv_bytes);
  return hash;
}

/* Whether the file is one that a device of this kind and these shaders left, whole. The driver looks at its part again,
 * but need not survive what isn't its own. */
static bool is_ours(rg_buffer *file, const VkPhysicalDeviceProperties *properties, header *head) {
  const size_t bytes = rg_buffer_bytes(file);
  const char *data = rg_buffer_data(file);
  VkPipelineCacheHeaderVersionOne driver;
  if (bytes < sizeof *head + sizeof driver || bytes > BYTES_MOST) return false;
  memcpy(head, data, sizeof *head);
  memcpy(&driver, data + sizeof *head, sizeof driver);
  return head->magic == MAGIC && head->shaders == hash_shaders() && head->bytes == bytes - sizeof *head &&
         head->hash == rg_hash(RG_HASH_START, data + sizeof *head, head->bytes) &&
         driver.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE && driver.vendorID == properties->vendorID &&
         driver.deviceID == properties->deviceID &&
         memcmp(driver.pipelineCacheUUID, properties->pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

rango_status rg_vk_cache_load(rg_vk_device *device, const VkPhysicalDeviceProperties *properties) {
  VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
  rg_buffer *file = NULL;
  header head;
  rg_gpu_cache_path(&device->base.info, "bin", device->cache_path);
  if (device->cache_path[0] && rg_file_map(device->cache_path, &file) == RANGO_OK && is_ours(file, properties, &head)) {
    info.initialDataSize = head.bytes;
    info.pInitialData = (const char *)rg_buffer_data(file) + sizeof head;
    device->cache_hash = head.hash;
  }
  const VkResult result = device->fn.vkCreatePipelineCache(device->handle, &info, NULL, &device->cache);
  rg_buffer_release(file);
  return result == VK_SUCCESS ? RANGO_OK : rg_vk_fail("vkCreatePipelineCache", result);
}

/* ---- writing ---- */

static rango_status write_file(const char *path, const void *data, size_t bytes, uint64_t hash) {
  const header head = {.magic = MAGIC, .shaders = hash_shaders(), .bytes = bytes, .hash = hash};
  rg_file_writer *writer;
  RG_TRY(rg_gpu_cache_folders(path));
  RG_TRY(rg_file_writer_create(path, &writer));
  rg_file_writer_write(writer, &head, sizeof head);
  rg_file_writer_write(writer, data, bytes);
  const rango_status status = rg_file_writer_commit(writer);
  rg_file_writer_free(writer);
  return status;
}

static rango_status save(rg_vk_device *device) {
  size_t bytes = 0;
  void *data;
  RG_VK_TRY(device->fn.vkGetPipelineCacheData, (device->handle, device->cache, &bytes, NULL));
  RG_TRY(rg_alloc(bytes, &data));
  const VkResult result = device->fn.vkGetPipelineCacheData(device->handle, device->cache, &bytes, data);
  rango_status status = result == VK_SUCCESS ? RANGO_OK : rg_vk_fail("vkGetPipelineCacheData", result);
  const uint64_t hash = status == RANGO_OK ? rg_hash(RG_HASH_START, data, bytes) : 0;
  if (status == RANGO_OK && hash != device->cache_hash && bytes + sizeof(header) <= BYTES_MOST) {
    status = write_file(device->cache_path, data, bytes, hash);
    device->cache_hash = hash;
  }
  device->compiled = false;
  rg_free(data);
  return status;
}

void rg_vk_cache_save(rg_vk_device *device) {
  if (!device->cache || !device->compiled || !device->cache_path[0]) return;
  char before[512]; /* a failure that made the caller close the device is worth more than this one */
  snprintf(before, sizeof before, "%s", rango_error_message());
  if (save(device) != RANGO_OK) {
    rg_log(RANGO_LOG_INFO, "compiled shaders are not kept: %s", rango_error_message());
    rg_error_set("%s", before);
  }
}
