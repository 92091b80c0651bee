/* Buffers and the memory under them. Small ones of the device's memory share blocks: drivers bound the number of
 * allocations, and each takes long. */
#include <stdlib.h>

#include "base/checked.h"
#include "gpu/vulkan/vulkan.h"

#define SMALL_BYTES ((VkDeviceSize)1 << 20)
#define BLOCK_BYTES ((VkDeviceSize)16 << 20)

#define LOCAL   VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
#define VISIBLE (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
#define CACHED  VK_MEMORY_PROPERTY_HOST_CACHED_BIT

/* Filled from its beginning; starts anew when none of its buffers is left. */
struct rg_vk_block {
  rg_vk_block *next;
  VkDeviceMemory memory;
  char *mapped;
  VkDeviceSize bytes, used;
  int buffers;
};

/* ---- allocating ---- */

/* What a purpose wants of memory, best first. The last is what every device has. */
static const VkMemoryPropertyFlags local[] = {LOCAL, 0}, unified[] = {LOCAL | VISIBLE | CACHED, LOCAL, 0},
                                   upload[] = {LOCAL | VISIBLE, VISIBLE, VISIBLE},
                                   download[] = {VISIBLE | CACHED, VISIBLE};
#define WISHES(array) *count = sizeof(array) / sizeof *(array), (array)

static const VkMemoryPropertyFlags *wishes_of(const rg_vk_device *device, rg_gpu_memory purpose, size_t *count) {
  switch (purpose) {
  case RG_GPU_UPLOAD:
    return WISHES(upload);
  case RG_GPU_DOWNLOAD:
    return WISHES(download);
  case RG_GPU_LOCAL:
    break;
  }
  return device->base.info.unified ? (WISHES(unified)) : (WISHES(local));
}

static rango_status allocate(rg_vk_device *device, rg_gpu_memory purpose, uint32_t types, VkDeviceSize bytes,
                             VkDeviceMemory *memory, void **mapped) {
  size_t count;
  const VkMemoryPropertyFlags *wishes = wishes_of(device, purpose, &count);
  VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
  for (size_t w = 0; w < count; w++)
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++) {
      const VkMemoryPropertyFlags flags = device->memory.memoryTypes[i].propertyFlags;
      const VkMemoryHeap *heap = &device->memory.memoryHeaps[device->memory.memoryTypes[i].heapIndex];
      if (!(types >> i & 1) || (flags & wishes[w]) != wishes[w] || bytes > heap->size) continue;
      const VkMemoryAllocateInfo info = {
          .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = bytes, .memoryTypeIndex = i};
      result = device->fn.vkAllocateMemory(device->handle, &info, NULL, memory);
      if (result != VK_SUCCESS) continue;
      if (!(wishes[w] & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)) return RANGO_OK;
      result = device->fn.vkMapMemory(device->handle, *memory, 0, VK_WHOLE_SIZE, 0, mapped);
      if (result == VK_SUCCESS) return RANGO_OK;
      device->fn.vkFreeMemory(device->handle, *memory, NULL);
      *memory = NULL;
    }
  RG_FAIL(result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY ? RANGO_ERROR_MEMORY
                                                                                           : RANGO_ERROR_DEVICE,
          "%s has no %llu bytes left (vkAllocateMemory, error %d)", device->base.info.name, (unsigned long long)bytes,
          (int)result);
}

/* Under the memory's lock. */
static rango_status take_from_block(rg_vk_device *device, rg_vk_buffer *buffer, const VkMemoryRequirements *needs,
                                    VkDeviceSize *offset) {
  const VkDeviceSize alignment = needs->alignment > RG_GPU_ALIGNMENT ? needs->alignment : RG_GPU_ALIGNMENT;
  rg_vk_block *block = device->blocks;
  for (; block; block = block->next)
    if (rg_round_up(block->used, alignment) + needs->size <= block->bytes) break;
  if (!block) {
    RG_TRY(rg_calloc(1, sizeof *block, RG_OUT(&block)));
    block->bytes = BLOCK_BYTES;
    const rango_status status =
        allocate(device, RG_GPU_LOCAL, needs->memoryTypeBits, BLOCK_BYTES, &block->memory, RG_OUT(&block->mapped));
    if (status != RANGO_OK) {
      rg_free(block);
      return status;
    }
    block->next = device->blocks;
    device->blocks = block;
  }
  *offset = rg_round_up(block->used, alignment);
  block->used = *offset + needs->size;
  block->buffers++;
  buffer->block = block;
  buffer->base.mapped = block->mapped ? block->mapped + *offset : NULL;
  return RANGO_OK;
}

static void give_to_block(rg_vk_device *device, rg_vk_block *block) {
  pthread_mutex_lock(&device->memory_lock);
  if (--block->buffers == 0) {
    rg_vk_block **at = &device->blocks;
    while (*at != block) at = &(*at)->next;
    *at = block->next;
    device->fn.vkFreeMemory(device->handle, block->memory, NULL);
    rg_free(block);
  }
  pthread_mutex_unlock(&device->memory_lock);
}

/* ---- buffers ---- */

static rango_status give_memory(rg_vk_device *device, rg_vk_buffer *buffer, rg_gpu_memory purpose) {
  VkMemoryRequirements needs;
  device->fn.vkGetBufferMemoryRequirements(device->handle, buffer->handle, &needs);
  VkDeviceSize offset = 0;
  if (purpose == RG_GPU_LOCAL && needs.size <= SMALL_BYTES) {
    pthread_mutex_lock(&device->memory_lock);
    const rango_status status = take_from_block(device, buffer, &needs, &offset);
    pthread_mutex_unlock(&device->memory_lock);
    RG_TRY(status);
  } else {
    RG_FAIL_IF(needs.size > device->allocation_bytes, RANGO_ERROR_MEMORY,
               "a GPU buffer of %zu bytes is over the %zu that %s allocates at once", buffer->base.bytes,
               device->allocation_bytes, device->base.info.name);
    RG_TRY(allocate(device, purpose, needs.memoryTypeBits, needs.size, &buffer->memory, &buffer->base.mapped));
  }
  RG_VK_TRY(device->fn.vkBindBufferMemory,
            (device->handle, buffer->handle, buffer->block ? buffer->block->memory : buffer->memory, offset));
  return RANGO_OK;
}

static rango_status fill_buffer(rg_vk_device *device, rg_vk_buffer *buffer, rg_gpu_memory purpose) {
  const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                   .size = buffer->whole,
                                   .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                            VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                   .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
  RG_VK_TRY(device->fn.vkCreateBuffer, (device->handle, &info, NULL, &buffer->handle));
  return give_memory(device, buffer, purpose);
}

rango_status rg_vk_buffer_create(rg_gpu_device *base, rg_gpu_memory memory, size_t bytes, rg_gpu_buffer **out) {
  rg_vk_device *device = rg_vk(base);
  *out = NULL;
  RG_FAIL_IF(bytes > device->allocation_bytes - RG_GPU_ALIGNMENT, RANGO_ERROR_MEMORY,
             "a GPU buffer of %zu bytes is over the %zu that %s allocates at once", bytes, device->allocation_bytes,
             base->info.name);
  rg_vk_buffer *buffer;
  RG_TRY(rg_calloc(1, sizeof *buffer, RG_OUT(&buffer)));
  buffer->base.bytes = bytes;
  buffer->whole = rg_round_up(bytes ? bytes : 1, RG_GPU_ALIGNMENT); /* shaders read whole words and vectors */
  const rango_status status = fill_buffer(device, buffer, memory);
  if (status != RANGO_OK) {
    rg_vk_buffer_free(base, &buffer->base);
    return status;
  }
  *out = &buffer->base;
  return RANGO_OK;
}

void rg_vk_buffer_free(rg_gpu_device *base, rg_gpu_buffer *freed) {
  rg_vk_device *device = rg_vk(base);
  rg_vk_buffer *buffer = (rg_vk_buffer *)freed;
  if (!buffer || atomic_load(&device->hung)) return;
  device->fn.vkDestroyBuffer(device->handle, buffer->handle, NULL);
  if (buffer->block) give_to_block(device, buffer->block);
  device->fn.vkFreeMemory(device->handle, buffer->memory, NULL);
  rg_free(buffer);
}
