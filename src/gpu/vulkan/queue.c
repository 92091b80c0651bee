/* Command buffers, submitted and waited for. */
#include <time.h>

#include "gpu/vulkan/vulkan.h"

#define HUNG_NS UINT64_C(600000000000) /* no list runs as long, on a device in software either */
#define SPIN_NS 2000000                /* before the thread sleeps: waking up costs more than a small network takes */

rango_status rg_vk_commands_create(rg_vk_device *device, VkCommandPoolCreateFlags flags, rg_vk_commands *out) {
  const VkCommandPoolCreateInfo pool = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .flags = flags, .queueFamilyIndex = device->family};
  RG_VK_TRY(device->fn.vkCreateCommandPool, (device->handle, &pool, NULL, &out->pool));
  const VkCommandBufferAllocateInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = out->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
  RG_VK_TRY(device->fn.vkAllocateCommandBuffers, (device->handle, &buffer, &out->buffer));
  const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  RG_VK_TRY(device->fn.vkCreateFence, (device->handle, &fence, NULL, &out->fence));
  return RANGO_OK;
}

void rg_vk_commands_free(rg_vk_device *device, rg_vk_commands *commands) {
  if (atomic_load(&device->hung)) return;
  device->fn.vkDestroyFence(device->handle, commands->fence, NULL);
  device->fn.vkDestroyCommandPool(device->handle, commands->pool, NULL);
  *commands = (rg_vk_commands){0};
}

rango_status rg_vk_submit(rg_vk_device *device, const rg_vk_commands *commands) {
  const VkSubmitInfo submit = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands->buffer};
  RG_FAIL_IF(atomic_load(&device->hung), RANGO_ERROR_DEVICE, "%s hangs", device->base.info.name);
  RG_VK_TRY(device->fn.vkResetFences, (device->handle, 1, &commands->fence));
  pthread_mutex_lock(&device->queue_lock);
  const VkResult result = device->fn.vkQueueSubmit(device->queue, 1, &submit, commands->fence);
  pthread_mutex_unlock(&device->queue_lock);
  return result == VK_SUCCESS ? RANGO_OK : rg_vk_fail("vkQueueSubmit", result);
}

int64_t rg_vk_now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Looks for a while, as that answers soonest, then sleeps. A software device needs the core that looking takes. */
rango_status rg_vk_wait(rg_vk_device *device, const rg_vk_commands *commands) {
  VkResult result = VK_NOT_READY;
  if (!device->base.info.software) {
    const int64_t end = rg_vk_now_ns() + SPIN_NS;
    do result = device->fn.vkGetFenceStatus(device->handle, commands->fence);
    while (result == VK_NOT_READY && rg_vk_now_ns() < end);
  }
  if (result == VK_NOT_READY)
    result = device->fn.vkWaitForFences(device->handle, 1, &commands->fence, VK_TRUE, HUNG_NS);
  if (result == VK_TIMEOUT) atomic_store(&device->hung, true);
  return result == VK_SUCCESS ? RANGO_OK : rg_vk_fail("vkWaitForFences", result);
}

void rg_vk_barrier(rg_vk_device *device, VkCommandBuffer commands, bool host) {
  const VkPipelineStageFlags work = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  const VkAccessFlags writes = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                      reads = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT;
  const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                   .srcAccessMask = writes,
                                   .dstAccessMask = reads | writes | (host ? VK_ACCESS_HOST_READ_BIT : 0)};
  device->fn.vkCmdPipelineBarrier(commands, work, work | (host ? VK_PIPELINE_STAGE_HOST_BIT : 0), 0, 1, &barrier, 0,
                                  NULL, 0, NULL);
}
