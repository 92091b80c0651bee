/* Vulkan's loader, opened when a GPU is first asked for, and the process's one instance. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/vulkan/vulkan.h"

#define DEVICES_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rg_vk_instance the_instance; /* under the lock until tried */
static bool tried;

#define DECLARE(function) static PFN_##function function;
RG_VK_GLOBAL_FUNCTIONS(DECLARE)
#undef DECLARE

/* ---- functions ---- */

static PFN_vkGetInstanceProcAddr open_loader(void) {
  const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
  void *library = NULL;
  for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL); /* stays open: drivers may have threads in it */
  PFN_vkGetInstanceProcAddr find = NULL;
  void *symbol = library ? dlsym(library, "vkGetInstanceProcAddr") : NULL;
  memcpy(&find, &symbol, sizeof find); /* an object's pointer as a function's: POSIX grants it, C doesn't */
  return find;
}

static bool find_global(PFN_vkGetInstanceProcAddr find) {
#define FIND(function)                                                                                                 \
  if (!(function = (PFN_##function)find(NULL, #function))) return false;
  RG_VK_GLOBAL_FUNCTIONS(FIND)
#undef FIND
  return true;
}

static bool find_functions(PFN_vkGetInstanceProcAddr find, rg_vk_instance *instance) {
#define FIND(function)                                                                                                 \
  if (!(instance->fn.function = (PFN_##function)find(instance->handle, #function))) return false;
  RG_VK_INSTANCE_FUNCTIONS(FIND)
#undef FIND
  return true;
}

/* ---- errors ---- */

static const char *result_name(VkResult result) {
  switch (result) {
#define NAME(result)                                                                                                   \
  case result:                                                                                                         \
    return #result;
    NAME(VK_NOT_READY)
    NAME(VK_TIMEOUT)
    NAME(VK_INCOMPLETE)
    NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
    NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    NAME(VK_ERROR_INITIALIZATION_FAILED)
    NAME(VK_ERROR_DEVICE_LOST)
    NAME(VK_ERROR_MEMORY_MAP_FAILED)
    NAME(VK_ERROR_LAYER_NOT_PRESENT)
    NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
    NAME(VK_ERROR_FEATURE_NOT_PRESENT)
    NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
    NAME(VK_ERROR_TOO_MANY_OBJECTS)
    NAME(VK_ERROR_FRAGMENTED_POOL)
    NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
    NAME(VK_ERROR_INVALID_SHADER_NV)
#undef NAME
  default:
    return "an unknown error";
  }
}

rango_status rg_vk_fail(const char *call, VkResult result) {
  const char *dot = strrchr(call, '.'), *name = dot ? dot + 1 : call; /* "device->fn.vkX" is "vkX" */
  const bool memory = result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
  RG_FAIL(memory ? RANGO_ERROR_MEMORY : RANGO_ERROR_DEVICE, "Vulkan: %s gave %s (%d)", name, result_name(result),
          (int)result);
}

/* ---- the instance ---- */

static bool has_layer(const char *name) {
  VkLayerProperties layers[64];
  uint32_t count = sizeof layers / sizeof *layers;
  const VkResult result = vkEnumerateInstanceLayerProperties(&count, layers);
  if (result != VK_SUCCESS && result != VK_INCOMPLETE) return false;
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(layers[i].layerName, name) == 0) return true;
  return false;
}

/* *handle stays NULL where no driver is there. */
static rango_status create_instance(rg_vk_instance *instance) {
  static const char *const layer = "VK_LAYER_KHRONOS_validation", *const extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
  RG_VK_TRY(vkEnumerateInstanceVersion, (&instance->version));
  if (instance->version < VK_API_VERSION_1_1) return RANGO_OK;
  instance->version = instance->version < VK_API_VERSION_1_2 ? VK_API_VERSION_1_1 : VK_API_VERSION_1_2;
  instance->validates = rg_vk_wants_validation() && has_layer(layer);
  const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                         .pApplicationName = "rango",
                                         .pEngineName = "rango",
                                         .apiVersion = instance->version};
  const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                     .pApplicationInfo = &application,
                                     .enabledLayerCount = instance->validates,
                                     .ppEnabledLayerNames = &layer,
                                     .enabledExtensionCount = instance->validates,
                                     .ppEnabledExtensionNames = &extension};
  const VkResult result = vkCreateInstance(&info, NULL, &instance->handle);
  if (result == VK_SUCCESS) return RANGO_OK;
  instance->handle = NULL;
  return result == VK_ERROR_INCOMPATIBLE_DRIVER ? RANGO_OK : rg_vk_fail("vkCreateInstance", result);
}

/* ---- its devices ---- */

/* A family that computes; best one that does nothing else, which graphics don't hold up. */
static bool find_family(const rg_vk_instance *instance, VkPhysicalDevice physical, uint32_t *out) {
  VkQueueFamilyProperties families[32];
  uint32_t count = sizeof families / sizeof *families;
  instance->fn.vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
  bool found = false;
  for (uint32_t i = 0; i < count; i++) {
    if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0) continue;
    const bool alone = !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT);
    if (!found || alone) *out = i;
    found = true;
    if (alone) break;
  }
  return found;
}

static int order_of(const rg_vk_physical *physical) {
  switch (physical->properties.deviceType) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 0;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 1;
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    return 3;
  default:
    return 2;
  }
}

static rango_status list_devices(rg_vk_instance *instance) {
  VkPhysicalDevice handles[DEVICES_MAX];
  uint32_t count = DEVICES_MAX;
  const VkResult result = instance->fn.vkEnumeratePhysicalDevices(instance->handle, &count, handles);
  if (result != VK_SUCCESS && result != VK_INCOMPLETE) return rg_vk_fail("vkEnumeratePhysicalDevices", result);
  RG_TRY(rg_calloc(count, sizeof *instance->physicals, RG_OUT(&instance->physicals)));
  for (uint32_t i = 0; i < count; i++) {
    rg_vk_physical physical = {.handle = handles[i]};
    instance->fn.vkGetPhysicalDeviceProperties(handles[i], &physical.properties);
    if (physical.properties.apiVersion < VK_API_VERSION_1_1 || !find_family(instance, handles[i], &physical.family) ||
        physical.properties.limits.maxPerStageDescriptorStorageBuffers < RG_GPU_BINDINGS_MAX)
      continue;
    int at = instance->count++;
    for (; at > 0 && order_of(&instance->physicals[at - 1]) > order_of(&physical); at--)
      instance->physicals[at] = instance->physicals[at - 1];
    instance->physicals[at] = physical;
  }
  return RANGO_OK;
}

static rango_status start(rg_vk_instance *instance) {
  const PFN_vkGetInstanceProcAddr find = open_loader();
  if (!find || !find_global(find)) return RANGO_OK;
  RG_TRY(create_instance(instance));
  if (!instance->handle) return RANGO_OK;
  RG_FAIL_IF(!find_functions(find, instance), RANGO_ERROR_DEVICE, "Vulkan: the loader lacks functions of version 1.1");
  if (instance->validates) rg_vk_watch(instance->handle, find);
  return list_devices(instance);
}

rango_status rg_vk_instance_get(const rg_vk_instance **out) {
  rango_status status = RANGO_OK;
  pthread_mutex_lock(&lock);
  if (!tried) {
    rg_vk_instance made = {0};
    status = start(&made);
    if (status == RANGO_OK) {
      the_instance = made;
      tried = true;
    } else {
      if (made.handle && made.fn.vkDestroyInstance) made.fn.vkDestroyInstance(made.handle, NULL);
      rg_free(made.physicals);
    }
  }
  *out = tried && the_instance.handle ? &the_instance : NULL;
  pthread_mutex_unlock(&lock);
  return status;
}
