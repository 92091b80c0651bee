/* What the files of the Vulkan backend share. */
#ifndef RG_GPU_VULKAN_VULKAN_H
#define RG_GPU_VULKAN_VULKAN_H

#include <pthread.h>
#include <stdatomic.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "gpu/cache.h"

/* ---- the loader's functions: found at run time, so that nothing links Vulkan ---- */

#define RG_VK_GLOBAL_FUNCTIONS(F)                                                                                      \
  F(vkCreateInstance)                                                                                                  \
  F(vkEnumerateInstanceVersion)                                                                                        \
  F(vkEnumerateInstanceLayerProperties)

#define RG_VK_INSTANCE_FUNCTIONS(F)                                                                                    \
  F(vkDestroyInstance)                                                                                                 \
  F(vkCreateDevice)                                                                                                    \
  F(vkEnumerateDeviceExtensionProperties)                                                                              \
  F(vkEnumeratePhysicalDevices)                                                                                        \
  F(vkGetDeviceProcAddr)                                                                                               \
  F(vkGetPhysicalDeviceFeatures2)                                                                                      \
  F(vkGetPhysicalDeviceMemoryProperties)                                                                               \
  F(vkGetPhysicalDeviceProperties)                                                                                     \
  F(vkGetPhysicalDeviceProperties2)                                                                                    \
  F(vkGetPhysicalDeviceQueueFamilyProperties)

#define RG_VK_DEVICE_FUNCTIONS(F)                                                                                      \
  F(vkAllocateCommandBuffers)                                                                                          \
  F(vkAllocateDescriptorSets)                                                                                          \
  F(vkAllocateMemory)                                                                                                  \
  F(vkBeginCommandBuffer)                                                                                              \
  F(vkBindBufferMemory)                                                                                                \
  F(vkCmdBindDescriptorSets)                                                                                           \
  F(vkCmdBindPipeline)                                                                                                 \
  F(vkCmdCopyBuffer)                                                                                                   \
  F(vkCmdDispatch)                                                                                                     \
  F(vkCmdPipelineBarrier)                                                                                              \
  F(vkCmdPushConstants)                                                                                                \
  F(vkCmdResetQueryPool)                                                                                               \
  F(vkCmdWriteTimestamp)                                                                                               \
  F(vkCreateBuffer)                                                                                                    \
  F(vkCreateCommandPool)                                                                                               \
  F(vkCreateComputePipelines)                                                                                          \
  F(vkCreateDescriptorPool)                                                                                            \
  F(vkCreateDescriptorSetLayout)                                                                                       \
  F(vkCreateFence)                                                                                                     \
  F(vkCreatePipelineCache)                                                                                             \
  F(vkCreatePipelineLayout)                                                                                            \
  F(vkCreateQueryPool)                                                                                                 \
  F(vkCreateShaderModule)                                                                                              \
  F(vkDestroyBuffer)                                                                                                   \
  F(vkDestroyCommandPool)                                                                                              \
  F(vkDestroyDescriptorPool)                                                                                           \
  F(vkDestroyDescriptorSetLayout)                                                                                      \
  F(vkDestroyDevice)                                                                                                   \
  F(vkDestroyFence)                                                                                                    \
  F(vkDestroyPipeline)                                                                                                 \
  F(vkDestroyPipelineCache)                                                                                            \
  F(vkDestroyPipelineLayout)                                                                                           \
  F(vkDestroyQueryPool)                                                                                                \
  F(vkDestroyShaderModule)                                                                                             \
  F(vkEndCommandBuffer)                                                                                                \
  F(vkFreeMemory)                                                                                                      \
  F(vkGetBufferMemoryRequirements)                                                                                     \
  F(vkGetDeviceQueue)                                                                                                  \
  F(vkGetFenceStatus)                                                                                                  \
  F(vkGetPipelineCacheData)                                                                                            \
  F(vkGetQueryPoolResults)                                                                                             \
  F(vkMapMemory)                                                                                                       \
  F(vkQueueSubmit)                                                                                                     \
  F(vkResetFences)                                                                                                     \
  F(vkUpdateDescriptorSets)                                                                                            \
  F(vkWaitForFences)

#define RG_VK_MEMBER(function) PFN_##function function;
typedef struct rg_vk_instance_functions {
  RG_VK_INSTANCE_FUNCTIONS(RG_VK_MEMBER)
} rg_vk_instance_functions;
typedef struct rg_vk_device_functions {
  RG_VK_DEVICE_FUNCTIONS(RG_VK_MEMBER)
} rg_vk_device_functions;
#undef RG_VK_MEMBER

/* ---- the process's one instance (loader.c) ---- */

typedef struct rg_vk_physical {
  VkPhysicalDevice handle;
  uint32_t family; /* of the queue: computes */
  VkPhysicalDeviceProperties properties;
} rg_vk_physical;

typedef struct rg_vk_instance {
  rg_vk_instance_functions fn;
  VkInstance handle;
  uint32_t version;
  bool validates;            /* messages of the validation layer are errors */
  rg_vk_physical *physicals; /* real GPUs first, software last */
  int count;
} rg_vk_instance;

/* Made by the first call, never destroyed. *out stays NULL where there is no Vulkan 1.1. */
rango_status rg_vk_instance_get(const rg_vk_instance **out);
/* Fails for good once the validation layer has said something. */
rango_status rg_vk_validated(void);
void rg_vk_watch(VkInstance instance, PFN_vkGetInstanceProcAddr find); /* makes messages be heard (validate.c) */
bool rg_vk_wants_validation(void);                                     /* RANGO_VALIDATE=1 */

/* The message names call and error. Out of memory is RANGO_ERROR_MEMORY, all else RANGO_ERROR_DEVICE. */
rango_status rg_vk_fail(const char *call, VkResult result);
#define RG_VK_TRY(call, arguments)                                                                                     \
  do {                                                                                                                 \
    const VkResult rg_vk_result_ = (call)arguments;                                                                    \
    if (rg_vk_result_ != VK_SUCCESS) return rg_vk_fail(#call, rg_vk_result_);                                          \
  } while (0)

/* ---- devices ---- */

typedef struct rg_vk_buffer rg_vk_buffer;
typedef struct rg_vk_block rg_vk_block;
typedef struct rg_vk_staging rg_vk_staging;

typedef struct rg_vk_pipeline {
  VkPipeline handle; /* NULL: not made yet */
  VkPipelineLayout layout;
} rg_vk_pipeline;

typedef struct rg_vk_device {
  rg_gpu_device base;
  const rg_vk_instance *instance;
  rg_vk_device_functions fn;
  VkDevice handle;
  uint32_t family;
  VkPhysicalDeviceLimits limits;
  uint64_t timestamp_mask; /* bits that count */
  atomic_bool hung;        /* it may still use what it was given: nothing is freed any more */

  pthread_mutex_t queue_lock;
  VkQueue queue;

  pthread_mutex_t memory_lock;
  VkPhysicalDeviceMemoryProperties memory;
  size_t allocation_bytes; /* largest */
  rg_vk_block *blocks;     /* that small buffers share */

  pthread_mutex_t staging_lock;
  rg_vk_staging *staging; /* NULL until it is needed */

  pthread_mutex_t pipeline_lock;
  VkPipelineCache cache;
  uint64_t cache_hash; /* of what the file holds; 0: nothing */
  char cache_path[RG_GPU_CACHE_PATH];
  bool compiled;                                              /* since the cache was loaded or saved */
  VkDescriptorSetLayout set_layouts[RG_GPU_BINDINGS_MAX + 1]; /* by number of bindings */
  rg_vk_pipeline *pipelines;                                  /* [rg_gpu_shader_count] */
} rg_vk_device;

extern const rg_gpu_backend rg_gpu_vulkan; /* device.c */
static inline rg_vk_device *rg_vk(rg_gpu_device *device) { return (rg_vk_device *)device; }

/* describe.c */
rango_status rg_vk_describe(const rg_vk_instance *instance, int index, rg_gpu_info *out);
bool rg_vk_has_extension(const VkExtensionProperties *extensions, uint32_t count, const char *name);
rango_status rg_vk_extensions(const rg_vk_instance *instance, VkPhysicalDevice physical, VkExtensionProperties **out,
                              uint32_t *count); /* free *out */
bool rg_vk_is_unified(const rg_vk_instance *instance, const rg_vk_physical *physical);
size_t rg_vk_allocation_bytes(const rg_vk_instance *instance, const rg_vk_physical *physical);

/* ---- buffers (buffer.c), and copies between them and the CPU's memory (staging.c) ---- */

struct rg_vk_buffer {
  rg_gpu_buffer base;
  VkBuffer handle;
  VkDeviceSize whole;    /* base.bytes, rounded up */
  VkDeviceMemory memory; /* of its own */
  rg_vk_block *block;    /* or shared */
};

rango_status rg_vk_buffer_create(rg_gpu_device *device, rg_gpu_memory memory, size_t bytes, rg_gpu_buffer **out);
void rg_vk_buffer_free(rg_gpu_device *device, rg_gpu_buffer *buffer);
rango_status rg_vk_buffer_write(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, const void *from,
                                size_t bytes);
rango_status rg_vk_buffer_read(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, void *to, size_t bytes);
void rg_vk_staging_free(rg_vk_device *device);

/* ---- pipelines (pipeline.c), and the file that keeps what the driver compiled (cache.c) ---- */

/* Makes those of the wanted shaders that aren't there, side by side. `wanted` [rg_gpu_shader_count]. */
rango_status rg_vk_pipelines_make(rg_vk_device *device, const bool *wanted);
void rg_vk_pipelines_free(rg_vk_device *device);
rango_status rg_vk_cache_load(rg_vk_device *device, const VkPhysicalDeviceProperties *properties);
void rg_vk_cache_save(rg_vk_device *device); /* what can't be written isn't: the next start is slower, no more */

/* ---- lists (list.c), and the queue (queue.c) ---- */

rango_status rg_vk_list_create(rg_gpu_device *device, const rg_gpu_command *commands, size_t count, rg_gpu_list **out);
void rg_vk_list_free(rg_gpu_device *device, rg_gpu_list *list);
rango_status rg_vk_list_run(rg_gpu_device *device, rg_gpu_list *list);
rango_status rg_vk_list_times(rg_gpu_device *device, rg_gpu_list *list, double *milliseconds, size_t count);

/* Of a thread's own: one command buffer and a fence. */
typedef struct rg_vk_commands {
  VkCommandPool pool;
  VkCommandBuffer buffer;
  VkFence fence;
} rg_vk_commands;

rango_status rg_vk_commands_create(rg_vk_device *device, VkCommandPoolCreateFlags flags, rg_vk_commands *out);
void rg_vk_commands_free(rg_vk_device *device, rg_vk_commands *commands);
rango_status rg_vk_submit(rg_vk_device *device, const rg_vk_commands *commands);
rango_status rg_vk_wait(rg_vk_device *device, const rg_vk_commands *commands);
int64_t rg_vk_now_ns(void);
/* What comes later, in this command buffer or the queue's next, and where `host` the CPU, sees what came before. */
void rg_vk_barrier(rg_vk_device *device, VkCommandBuffer commands, bool host);

#endif
