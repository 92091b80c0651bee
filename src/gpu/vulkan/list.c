/* Lists: one command buffer each, recorded once and submitted as often as it is run. */
#include <string.h>

#include "base/checked.h"
#include "gpu/check.h"
#include "gpu/vulkan/vulkan.h"

struct rg_gpu_list {
  rg_vk_commands commands;
  VkDescriptorPool sets;
  VkQueryPool times;
  uint32_t time_count;
  bool ran;
};

/* ---- recording ---- */

/* A set of descriptors with the command's parts, bound. */
static rango_status bind_parts(rg_vk_device *device, rg_gpu_list *list, const rg_gpu_command *command) {
  VkDescriptorSet set;
  const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                            .descriptorPool = list->sets,
                                            .descriptorSetCount = 1,
                                            .pSetLayouts = &device->set_layouts[command->part_count]};
  RG_VK_TRY(device->fn.vkAllocateDescriptorSets, (device->handle, &info, &set));
  VkDescriptorBufferInfo buffers[RG_GPU_BINDINGS_MAX];
  VkWriteDescriptorSet writes[RG_GPU_BINDINGS_MAX];
  for (int i = 0; i < command->part_count; i++) {
    const rg_gpu_part *part = &command->parts[i];
    const rg_vk_buffer *buffer = (const rg_vk_buffer *)part->buffer;
    /* To the end of the last word or vector: parts are padded. */
    const size_t range = rg_min_size(rg_round_up(part->bytes ? part->bytes : 1, 16), buffer->whole - part->offset);
    buffers[i] = (VkDescriptorBufferInfo){buffer->handle, part->offset, range};
    writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                       .dstSet = set,
                                       .dstBinding = (uint32_t)i + 1,
                                       .descriptorCount = 1,
                                       .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                       .pBufferInfo = &buffers[i]};
  }
  device->fn.vkUpdateDescriptorSets(device->handle, (uint32_t)command->part_count, writes, 0, NULL);
  device->fn.vkCmdBindDescriptorSets(list->commands.buffer, VK_PIPELINE_BIND_POINT_COMPUTE,
                                     device->pipelines[command->shader].layout, 0, 1, &set, 0, NULL);
  return RANGO_OK;
}

static rango_status record_dispatch(rg_vk_device *device, rg_gpu_list *list, const rg_gpu_command *command) {
  const rg_vk_pipeline *pipeline = &device->pipelines[command->shader];
  const VkCommandBuffer commands = list->commands.buffer;
  device->fn.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->handle);
  if (command->part_count > 0) RG_TRY(bind_parts(device, list, command));
  if (command->push_words > 0)
    device->fn.vkCmdPushConstants(commands, pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                  (uint32_t)command->push_words * sizeof *command->push, command->push);
  device->fn.vkCmdDispatch(commands, command->groups[0], command->groups[1], command->groups[2]);
  return RANGO_OK;
}

static void record_copy(rg_vk_device *device, VkCommandBuffer commands, const rg_gpu_command *command) {
  const rg_gpu_part *from = &command->parts[0], *to = &command->parts[1];
  const VkBufferCopy copy = {from->offset, to->offset, from->bytes};
  if (copy.size > 0)
    device->fn.vkCmdCopyBuffer(commands, ((rg_vk_buffer *)from->buffer)->handle, ((rg_vk_buffer *)to->buffer)->handle,
                               1, &copy);
}

static rango_status record(rg_vk_device *device, rg_gpu_list *list, const rg_gpu_command *commands, size_t count) {
  const VkCommandBuffer buffer = list->commands.buffer;
  const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  RG_VK_TRY(device->fn.vkBeginCommandBuffer, (buffer, &begin));
  if (list->times) device->fn.vkCmdResetQueryPool(buffer, list->times, 0, list->time_count);
  uint32_t time = 0;
  for (size_t i = 0; i < count; i++) switch (commands[i].kind) {
    case RG_GPU_DISPATCH:
      RG_TRY(record_dispatch(device, list, &commands[i]));
      break;
    case RG_GPU_COPY:
      record_copy(device, buffer, &commands[i]);
      break;
    case RG_GPU_BARRIER:
      rg_vk_barrier(device, buffer, false);
      break;
    case RG_GPU_TIMESTAMP:
      if (list->times)
        device->fn.vkCmdWriteTimestamp(buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, list->times, time++);
      break;
    }
  rg_vk_barrier(device, buffer, true);
  RG_VK_TRY(device->fn.vkEndCommandBuffer, (buffer));
  return RANGO_OK;
}

/* ---- making ---- */

static rango_status make_pipelines(rg_vk_device *device, const rg_gpu_command *commands, size_t count) {
  bool *wanted;
  RG_TRY(rg_calloc((size_t)rg_gpu_shader_count, sizeof *wanted, RG_OUT(&wanted)));
  for (size_t i = 0; i < count; i++)
    if (commands[i].kind == RG_GPU_DISPATCH) wanted[commands[i].shader] = true;
  const rango_status status = rg_vk_pipelines_make(device, wanted);
  rg_free(wanted);
  return status;
}

static rango_status make_pools(rg_vk_device *device, rg_gpu_list *list, const rg_gpu_command *commands, size_t count) {
  uint32_t sets = 0, descriptors = 0;
  for (size_t i = 0; i < count; i++) {
    if (commands[i].kind == RG_GPU_TIMESTAMP) list->time_count++;
    if (commands[i].kind != RG_GPU_DISPATCH || commands[i].part_count == 0) continue;
    sets++;
    descriptors += (uint32_t)commands[i].part_count;
  }
  if (sets > 0) {
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, descriptors};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = sets,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    RG_VK_TRY(device->fn.vkCreateDescriptorPool, (device->handle, &info, NULL, &list->sets));
  }
  if (list->time_count > 0 && device->base.info.timestamps) {
    const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                        .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                        .queryCount = list->time_count};
    RG_VK_TRY(device->fn.vkCreateQueryPool, (device->handle, &info, NULL, &list->times));
  }
  return RANGO_OK;
}

static rango_status fill_list(rg_vk_device *device, rg_gpu_list *list, const rg_gpu_command *commands, size_t count) {
  for (size_t i = 0; i < count; i++) RG_TRY(rg_gpu_check_command(&device->base, &commands[i]));
  RG_TRY(make_pipelines(device, commands, count));
  RG_TRY(make_pools(device, list, commands, count));
  RG_TRY(rg_vk_commands_create(device, 0, &list->commands));
  RG_TRY(record(device, list, commands, count));
  return rg_vk_validated();
}

rango_status rg_vk_list_create(rg_gpu_device *base, const rg_gpu_command *commands, size_t count, rg_gpu_list **out) {
  rg_gpu_list *list;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *list, RG_OUT(&list)));
  const rango_status status = fill_list(rg_vk(base), list, commands, count);
  if (status != RANGO_OK) {
    rg_vk_list_free(base, list);
    return status;
  }
  *out = list;
  return RANGO_OK;
}

void rg_vk_list_free(rg_gpu_device *base, rg_gpu_list *list) {
  rg_vk_device *device = rg_vk(base);
  if (!list || atomic_load(&device->hung)) return;
  rg_vk_commands_free(device, &list->commands);
  device->fn.vkDestroyDescriptorPool(device->handle, list->sets, NULL);
  device->fn.vkDestroyQueryPool(device->handle, list->times, NULL);
  rg_free(list);
}

/* ---- running ---- */

rango_status rg_vk_list_run(rg_gpu_device *base, rg_gpu_list *list) {
  rg_vk_device *device = rg_vk(base);
  RG_TRY(rg_vk_submit(device, &list->commands));
  RG_TRY(rg_vk_wait(device, &list->commands));
  list->ran = true;
  return rg_vk_validated();
}

rango_status rg_vk_list_times(rg_gpu_device *base, rg_gpu_list *list, double *milliseconds, size_t count) {
  rg_vk_device *device = rg_vk(base);
  RG_FAIL_IF(count != list->time_count, RANGO_ERROR_ARGUMENT, "the list has %u timestamps, not %zu", list->time_count,
             count);
  RG_FAIL_IF(!list->times || !list->ran, RANGO_ERROR_DEVICE, "%s",
             list->ran ? "the device has no timestamps" : "the list has not run");
  uint64_t *ticks;
  RG_TRY(rg_calloc(count, sizeof *ticks, RG_OUT(&ticks)));
  const VkResult result =
      device->fn.vkGetQueryPoolResults(device->handle, list->times, 0, list->time_count, count * sizeof *ticks, ticks,
                                       sizeof *ticks, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
  for (size_t i = 0; i < count; i++)
    milliseconds[i] =
        (double)((ticks[i] - ticks[0]) & device->timestamp_mask) * (double)device->limits.timestampPeriod / 1e6;
  rg_free(ticks);
  return result == VK_SUCCESS ? RANGO_OK : rg_vk_fail("vkGetQueryPoolResults", result);
}
