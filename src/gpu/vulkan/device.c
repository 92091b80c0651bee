/* Devices opened and closed, and the backend's table. */
#include <string.h>

#include "gpu/vulkan/vulkan.h"

static rango_status count_devices(int *out) {
  const rg_vk_instance *instance;
  RG_TRY(rg_vk_instance_get(&instance));
  *out = instance ? instance->count : 0;
  return RANGO_OK;
}

static rango_status find_device(int index, const rg_vk_instance **out) {
  RG_TRY(rg_vk_instance_get(out));
  RG_FAIL_IF(!*out || index < 0 || index >= (*out)->count, RANGO_ERROR_DEVICE, "there is no device vulkan:%d", index);
  return RANGO_OK;
}

static rango_status describe_device(int index, rg_gpu_info *out) {
  const rg_vk_instance *instance;
  RG_TRY(find_device(index, &instance));
  return rg_vk_describe(instance, index, out);
}

/* ---- opening ---- */

static rango_status find_functions(rg_vk_device *device) {
#define FIND(function)                                                                                                 \
  device->fn.function = (PFN_##function)device->instance->fn.vkGetDeviceProcAddr(device->handle, #function);           \
  RG_FAIL_IF(!device->fn.function, RANGO_ERROR_DEVICE, "Vulkan: the driver lacks " #function);
  RG_VK_DEVICE_FUNCTIONS(FIND)
#undef FIND
  return RANGO_OK;
}

static rango_status create_handle(rg_vk_device *device, const rg_vk_physical *physical) {
  const float priority = 1;
  const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                         .queueFamilyIndex = physical->family,
                                         .queueCount = 1,
                                         .pQueuePriorities = &priority};
  VkPhysicalDeviceShaderFloat16Int8Features arithmetic = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, .shaderFloat16 = VK_TRUE};
  VkPhysicalDevice16BitStorageFeatures storage = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
                                                  .pNext = &arithmetic,
                                                  .storageBuffer16BitAccess = VK_TRUE};
  /* In Vulkan 1.2 itself, before in an extension. */
  const char *const extension = VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
  const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                   .pNext = device->base.info.half ? &storage : NULL,
                                   .queueCreateInfoCount = 1,
                                   .pQueueCreateInfos = &queue,
                                   .enabledExtensionCount =
                                       device->base.info.half && physical->properties.apiVersion < VK_API_VERSION_1_2,
                                   .ppEnabledExtensionNames = &extension};
  RG_VK_TRY(device->instance->fn.vkCreateDevice, (physical->handle, &info, NULL, &device->handle));
  return RANGO_OK;
}

static void set_limits(rg_vk_device *device, const rg_vk_physical *physical) {
  const rg_vk_instance *instance = device->instance;
  VkQueueFamilyProperties families[32];
  uint32_t count = sizeof families / sizeof *families;
  instance->fn.vkGetPhysicalDeviceQueueFamilyProperties(physical->handle, &count, families);
  const uint32_t bits = families[physical->family].timestampValidBits;
  device->timestamp_mask = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
  device->family = physical->family;
  device->limits = physical->properties.limits;
  device->allocation_bytes = rg_vk_allocation_bytes(instance, physical);
  instance->fn.vkGetPhysicalDeviceMemoryProperties(physical->handle, &device->memory);
}

static void close_device(rg_gpu_device *base) {
  rg_vk_device *device = rg_vk(base);
  if (atomic_load(&device->hung)) return;
  if (device->handle && device->fn.vkDestroyDevice) {
    rg_vk_staging_free(device);
    rg_vk_cache_save(device);
    rg_vk_pipelines_free(device);
    device->fn.vkDestroyDevice(device->handle, NULL);
  }
  pthread_mutex_destroy(&device->queue_lock);
  pthread_mutex_destroy(&device->memory_lock);
  pthread_mutex_destroy(&device->staging_lock);
  pthread_mutex_destroy(&device->pipeline_lock);
  rg_free(device->pipelines);
  rg_free(device);
}

static rango_status set_up(rg_vk_device *device, int index) {
  const rg_vk_physical *physical = &device->instance->physicals[index];
  RG_TRY(rg_vk_describe(device->instance, index, &device->base.info));
  set_limits(device, physical);
  RG_TRY(rg_calloc((size_t)rg_gpu_shader_count, sizeof *device->pipelines, RG_OUT(&device->pipelines)));
  RG_TRY(create_handle(device, physical));
  RG_TRY(find_functions(device));
  device->fn.vkGetDeviceQueue(device->handle, device->family, 0, &device->queue);
  return rg_vk_cache_load(device, &physical->properties);
}

static rango_status open_device(int index, rg_gpu_device **out) {
  const rg_vk_instance *instance;
  *out = NULL;
  RG_TRY(find_device(index, &instance));
  RG_TRY(rg_vk_validated());
  rg_vk_device *device;
  RG_TRY(rg_calloc(1, sizeof *device, RG_OUT(&device)));
  device->base.backend = &rg_gpu_vulkan;
  device->base.index = index;
  device->instance = instance;
  pthread_mutex_init(&device->queue_lock, NULL);
  pthread_mutex_init(&device->memory_lock, NULL);
  pthread_mutex_init(&device->staging_lock, NULL);
  pthread_mutex_init(&device->pipeline_lock, NULL);
  const rango_status status = set_up(device, index);
  if (status != RANGO_OK) {
    close_device(&device->base);
    return status;
  }
  *out = &device->base;
  return RANGO_OK;
}

const rg_gpu_backend rg_gpu_vulkan = {.name = "vulkan",
                                      .count = count_devices,
                                      .describe = describe_device,
                                      .open = open_device,
                                      .close = close_device,
                                      .buffer_create = rg_vk_buffer_create,
                                      .buffer_free = rg_vk_buffer_free,
                                      .buffer_write = rg_vk_buffer_write,
                                      .buffer_read = rg_vk_buffer_read,
                                      .list_create = rg_vk_list_create,
                                      .list_free = rg_vk_list_free,
                                      .list_run = rg_vk_list_run,
                                      .list_times = rg_vk_list_times};
