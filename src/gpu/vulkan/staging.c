/* Copies between buffers and the CPU's memory. What the CPU can't see goes through two halves of a staging buffer: the
 * device copies one while the CPU copies the other. */
#include <string.h>

#include "base/checked.h"
#include "gpu/check.h"
#include "gpu/vulkan/vulkan.h"

#define HALF_BYTES ((size_t)4 << 20)

struct rg_vk_staging {
  rg_gpu_buffer *halves[2];
  rg_vk_commands commands[2];
  bool running[2];
};

void rg_vk_staging_free(rg_vk_device *device) {
  if (!device->staging) return;
  for (int i = 0; i < 2; i++) {
    rg_vk_commands_free(device, &device->staging->commands[i]);
    rg_vk_buffer_free(&device->base, device->staging->halves[i]);
  }
  rg_free(device->staging);
  device->staging = NULL;
}

static rango_status fill_staging(rg_vk_device *device) {
  for (int i = 0; i < 2; i++) {
    RG_TRY(rg_vk_buffer_create(&device->base, RG_GPU_DOWNLOAD, HALF_BYTES, &device->staging->halves[i]));
    RG_TRY(
        rg_vk_commands_create(device, VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, &device->staging->commands[i]));
  }
  return RANGO_OK;
}

static rango_status need_staging(rg_vk_device *device) {
  if (device->staging) return RANGO_OK;
  RG_TRY(rg_calloc(1, sizeof *device->staging, RG_OUT(&device->staging)));
  const rango_status status = fill_staging(device);
  if (status != RANGO_OK) rg_vk_staging_free(device);
  return status;
}

static rango_status start_copy(rg_vk_device *device, int half, const rg_vk_buffer *from, size_t from_offset,
                               const rg_vk_buffer *to, size_t to_offset, size_t bytes) {
  rg_vk_staging *staging = device->staging;
  const VkCommandBuffer commands = staging->commands[half].buffer;
  const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                          .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
  const VkBufferCopy copy = {from_offset, to_offset, bytes};
  RG_VK_TRY(device->fn.vkBeginCommandBuffer, (commands, &begin));
  device->fn.vkCmdCopyBuffer(commands, from->handle, to->handle, 1, &copy);
  rg_vk_barrier(device, commands, true);
  RG_VK_TRY(device->fn.vkEndCommandBuffer, (commands));
  RG_TRY(rg_vk_submit(device, &staging->commands[half]));
  staging->running[half] = true;
  return RANGO_OK;
}

static rango_status finish_copy(rg_vk_device *device, int half) {
  if (!device->staging->running[half]) return RANGO_OK;
  device->staging->running[half] = false;
  return rg_vk_wait(device, &device->staging->commands[half]);
}

/* Nothing may run when the staging buffer goes to the next one, even after a failure. */
static rango_status finish_both(rg_vk_device *device, rango_status status) {
  for (int half = 0; half < 2; half++) {
    const rango_status finished = finish_copy(device, half);
    if (status == RANGO_OK) status = finished;
  }
  return status;
}

static rango_status write_pieces(rg_vk_device *device, const rg_vk_buffer *to, size_t offset, const char *from,
                                 size_t bytes) {
  int half = 0;
  for (size_t at = 0; at < bytes; at += HALF_BYTES, half ^= 1) {
    const size_t piece = rg_min_size(bytes - at, HALF_BYTES);
    const rg_vk_buffer *middle = (const rg_vk_buffer *)device->staging->halves[half];
    RG_TRY(finish_copy(device, half));
    memcpy(middle->base.mapped, from + at, piece);
    RG_TRY(start_copy(device, half, middle, 0, to, offset + at, piece));
  }
  return RANGO_OK;
}

static rango_status read_pieces(rg_vk_device *device, const rg_vk_buffer *from, size_t offset, char *to, size_t bytes) {
  size_t started = 0, ready = 0;
  while (ready < bytes) {
    for (; started < bytes && started < ready + 2 * HALF_BYTES; started += HALF_BYTES) {
      const int half = (int)(started / HALF_BYTES % 2);
      RG_TRY(start_copy(device, half, from, offset + started, (const rg_vk_buffer *)device->staging->halves[half], 0,
                        rg_min_size(bytes - started, HALF_BYTES)));
    }
    const int half = (int)(ready / HALF_BYTES % 2);
    RG_TRY(finish_copy(device, half));
    memcpy(to + ready, device->staging->halves[half]->mapped, rg_min_size(bytes - ready, HALF_BYTES));
    ready += HALF_BYTES;
  }
  return RANGO_OK;
}

rango_status rg_vk_buffer_write(rg_gpu_device *base, rg_gpu_buffer *buffer, size_t offset, const void *from,
                                size_t bytes) {
  rg_vk_device *device = rg_vk(base);
  RG_TRY(rg_gpu_check_range(buffer, offset, bytes));
  if (bytes == 0) return RANGO_OK;
  if (buffer->mapped) {
    memcpy((char *)buffer->mapped + offset, from, bytes);
    return RANGO_OK;
  }
  pthread_mutex_lock(&device->staging_lock);
  rango_status status = need_staging(device);
  if (status == RANGO_OK)
    status = finish_both(device, write_pieces(device, (rg_vk_buffer *)buffer, offset, from, bytes));
  pthread_mutex_unlock(&device->staging_lock);
  return status;
}

rango_status rg_vk_buffer_read(rg_gpu_device *base, rg_gpu_buffer *buffer, size_t offset, void *to, size_t bytes) {
  rg_vk_device *device = rg_vk(base);
  RG_TRY(rg_gpu_check_range(buffer, offset, bytes));
  if (bytes == 0) return RANGO_OK;
  if (buffer->mapped) {
    memcpy(to, (const char *)buffer->mapped + offset, bytes);
    return RANGO_OK;
  }
  pthread_mutex_lock(&device->staging_lock);
  rango_status status = need_staging(device);
  if (status == RANGO_OK) status = finish_both(device, read_pieces(device, (rg_vk_buffer *)buffer, offset, to, bytes));
  pthread_mutex_unlock(&device->staging_lock);
  return status;
}
