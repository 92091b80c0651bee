/* For tests: with RANGO_VALIDATE=1 Vulkan's validation layer, where it is installed, watches every call, and whatever
 * it says is an error. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gpu/vulkan/vulkan.h"

static atomic_int said; /* 0: nothing, 1: being written, 2: `message` holds the first */
static char message[1024];

bool rg_vk_wants_validation(void) {
  const char *value = getenv("RANGO_VALIDATE");
  return value && strcmp(value, "1") == 0;
}

static VKAPI_ATTR VkBool32 VKAPI_CALL hear(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                           VkDebugUtilsMessageTypeFlagsEXT types,
                                           const VkDebugUtilsMessengerCallbackDataEXT *data, void *unused) {
  int nothing = 0;
  if (atomic_compare_exchange_strong(&said, &nothing, 1)) {
    strncpy(message, data->pMessage ? data->pMessage : "(no text)", sizeof message - 1);
    atomic_store(&said, 2);
  }
  rg_log(RANGO_LOG_WARNING, "Vulkan's validation layer: %s", data->pMessage ? data->pMessage : "(no text)");
  return VK_FALSE;
}

void rg_vk_watch(VkInstance instance, PFN_vkGetInstanceProcAddr find) {
  const PFN_vkCreateDebugUtilsMessengerEXT create =
      (PFN_vkCreateDebugUtilsMessengerEXT)find(instance, "vkCreateDebugUtilsMessengerEXT");
  const VkDebugUtilsMessengerCreateInfoEXT info = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
                                                   .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                                                                      VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
                                                   .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                                                                  VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
                                                   .pfnUserCallback = hear};
  VkDebugUtilsMessengerEXT messenger; /* lives as long as the instance */
  if (create) create(instance, &info, NULL, &messenger);
}

rango_status rg_vk_validated(void) {
  RG_FAIL_IF(atomic_load(&said) == 2, RANGO_ERROR_DEVICE, "Vulkan's validation layer: %s", message);
  return RANGO_OK;
}
