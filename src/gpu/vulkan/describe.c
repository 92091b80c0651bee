/* What a device is and can. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "gpu/vulkan/vulkan.h"

bool rg_vk_has_extension(const VkExtensionProperties *extensions, uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(extensions[i].extensionName, name) == 0) return true;
  return false;
}

rango_status rg_vk_extensions(const rg_vk_instance *instance, VkPhysicalDevice physical, VkExtensionProperties **out,
                              uint32_t *count) {
  *out = NULL;
  *count = 0;
  RG_VK_TRY(instance->fn.vkEnumerateDeviceExtensionProperties, (physical, NULL, count, NULL));
  RG_TRY(rg_calloc(*count, sizeof **out, RG_OUT(out)));
  const VkResult result = instance->fn.vkEnumerateDeviceExtensionProperties(physical, NULL, count, *out);
  if (result == VK_SUCCESS) return RANGO_OK;
  rg_free(*out);
  *out = NULL;
  *count = 0;
  return rg_vk_fail("vkEnumerateDeviceExtensionProperties", result);
}

/* Multiprocessors or compute units: each maker has an extension of its own. */
static uint32_t units_of(const rg_vk_instance *instance, VkPhysicalDevice physical,
                         const VkExtensionProperties *extensions, uint32_t count) {
  VkPhysicalDeviceShaderSMBuiltinsPropertiesNV nvidia = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
  VkPhysicalDeviceShaderCorePropertiesAMD amd = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD};
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  if (rg_vk_has_extension(extensions, count, VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME))
    properties.pNext = &nvidia;
  else if (rg_vk_has_extension(extensions, count, VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME))
    properties.pNext = &amd;
  else
    return 0;
  instance->fn.vkGetPhysicalDeviceProperties2(physical, &properties);
  return properties.pNext == &nvidia
             ? nvidia.shaderSMCount
             : amd.shaderEngineCount * amd.shaderArraysPerEngineCount * amd.computeUnitsPerShaderArray;
}

/* Needs Vulkan 1.2 or the extension; without either only the version is known. */
static void describe_driver(const rg_vk_instance *instance, const rg_vk_physical *physical,
                            const VkExtensionProperties *extensions, uint32_t count, rg_gpu_info *out) {
  const uint32_t version = physical->properties.driverVersion;
  VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
  if (physical->properties.apiVersion >= VK_API_VERSION_1_2 ||
      rg_vk_has_extension(extensions, count, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
    instance->fn.vkGetPhysicalDeviceProperties2(physical->handle, &properties);
  if (driver.driverName[0])
    snprintf(out->driver, sizeof out->driver, "%.127s %.127s", driver.driverName, driver.driverInfo);
  else
    snprintf(out->driver, sizeof out->driver, "version %#x", version);
}

/* Half storage takes 16-bit elements in buffers and the arithmetic that converts them. */
static bool has_half(const rg_vk_instance *instance, const rg_vk_physical *physical,
                     const VkExtensionProperties *extensions, uint32_t count) {
  if (physical->properties.apiVersion < VK_API_VERSION_1_2 &&
      !rg_vk_has_extension(extensions, count, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME))
    return false;
  VkPhysicalDeviceShaderFloat16Int8Features arithmetic = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
  VkPhysicalDevice16BitStorageFeatures storage = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
                                                  .pNext = &arithmetic};
  VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &storage};
  instance->fn.vkGetPhysicalDeviceFeatures2(physical->handle, &features);
  return storage.storageBuffer16BitAccess && arithmetic.shaderFloat16;
}

/* One memory, and the CPU's caches hold it: a test that validates copies like a device with memory of its own, so that
 * a machine with a software device alone tests that too. */
bool rg_vk_is_unified(const rg_vk_instance *instance, const rg_vk_physical *physical) {
  const VkMemoryPropertyFlags all = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                    VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  const VkPhysicalDeviceType type = physical->properties.deviceType;
  if (instance->validates || (type != VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU && type != VK_PHYSICAL_DEVICE_TYPE_CPU))
    return false;
  VkPhysicalDeviceMemoryProperties memory;
  instance->fn.vkGetPhysicalDeviceMemoryProperties(physical->handle, &memory);
  for (uint32_t i = 0; i < memory.memoryTypeCount; i++)
    if ((memory.memoryTypes[i].propertyFlags & all) == all) return true;
  return false;
}

size_t rg_vk_allocation_bytes(const rg_vk_instance *instance, const rg_vk_physical *physical) {
  VkPhysicalDeviceMaintenance3Properties maintenance = {.sType =
                                                            VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                            .pNext = &maintenance};
  instance->fn.vkGetPhysicalDeviceProperties2(physical->handle, &properties);
  return maintenance.maxMemoryAllocationSize < SIZE_MAX ? (size_t)maintenance.maxMemoryAllocationSize : SIZE_MAX;
}

/* Bytes of the largest memory that is the device's own. */
static size_t memory_bytes(const rg_vk_instance *instance, VkPhysicalDevice physical) {
  VkPhysicalDeviceMemoryProperties memory;
  instance->fn.vkGetPhysicalDeviceMemoryProperties(physical, &memory);
  VkDeviceSize most = 0;
  for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
    if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && memory.memoryHeaps[i].size > most)
      most = memory.memoryHeaps[i].size;
  return (size_t)most;
}

static void set_uuid(const rg_vk_instance *instance, VkPhysicalDevice physical, rg_gpu_info *out) {
  VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
  instance->fn.vkGetPhysicalDeviceProperties2(physical, &properties);
  memcpy(out->uuid, id.deviceUUID, sizeof out->uuid);
}

static void set_cache_name(const VkPhysicalDeviceProperties *properties, rg_gpu_info *out) {
  char uuid[2 * VK_UUID_SIZE + 1];
  for (size_t i = 0; i < VK_UUID_SIZE; i++) snprintf(uuid + 2 * i, 3, "%02x", properties->pipelineCacheUUID[i]);
  snprintf(out->cache_name, sizeof out->cache_name, "vulkan-%s-%08x", uuid, properties->driverVersion);
}

static uint32_t timestamp_bits(const rg_vk_instance *instance, const rg_vk_physical *physical) {
  VkQueueFamilyProperties families[32];
  uint32_t count = sizeof families / sizeof *families;
  instance->fn.vkGetPhysicalDeviceQueueFamilyProperties(physical->handle, &count, families);
  return physical->family < count ? families[physical->family].timestampValidBits : 0;
}

rango_status rg_vk_describe(const rg_vk_instance *instance, int index, rg_gpu_info *out) {
  const rg_vk_physical *physical = &instance->physicals[index];
  const VkPhysicalDeviceLimits *limits = &physical->properties.limits;
  VkExtensionProperties *extensions;
  uint32_t count;
  RG_TRY(rg_vk_extensions(instance, physical->handle, &extensions, &count));
  *out = (rg_gpu_info){.software = physical->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
                       .unified = rg_vk_is_unified(instance, physical),
                       .half = has_half(instance, physical, extensions, count),
                       .memory_bytes = memory_bytes(instance, physical->handle),
                       .binding_bytes =
                           rg_min_size(limits->maxStorageBufferRange, rg_vk_allocation_bytes(instance, physical)),
                       .group_threads = limits->maxComputeWorkGroupInvocations,
                       .shared_bytes = limits->maxComputeSharedMemorySize,
                       .units = units_of(instance, physical->handle, extensions, count),
                       .timestamps = timestamp_bits(instance, physical) > 0};
  memcpy(out->group_count, limits->maxComputeWorkGroupCount, sizeof out->group_count);
  snprintf(out->name, sizeof out->name, "%s", physical->properties.deviceName);
  describe_driver(instance, physical, extensions, count, out);
  set_uuid(instance, physical->handle, out);
  set_cache_name(&physical->properties, out);
  rg_free(extensions);
  return RANGO_OK;
}
