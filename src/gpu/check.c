/* Commands and ranges that no backend takes. */
#include "gpu/check.h"

static rango_status check_parts(const rg_gpu_device *device, const rg_gpu_command *command) {
  for (int i = 0; i < command->part_count; i++) {
    const rg_gpu_part *part = &command->parts[i];
    RG_FAIL_IF(!part->buffer || part->offset % RG_GPU_ALIGNMENT != 0 || part->offset > part->buffer->bytes ||
                   part->bytes > part->buffer->bytes - part->offset,
               RANGO_ERROR_ARGUMENT, "part %d of a GPU command is outside its buffer or not aligned", i);
    RG_FAIL_IF(command->kind == RG_GPU_DISPATCH && part->bytes > device->info.binding_bytes, RANGO_ERROR_LIMIT,
               "part %d of a GPU command has %zu bytes: %s binds at most %zu", i, part->bytes, device->info.name,
               device->info.binding_bytes);
  }
  return RANGO_OK;
}

static rango_status check_dispatch(const rg_gpu_device *device, const rg_gpu_command *command) {
  RG_FAIL_IF(command->shader < 0 || command->shader >= rg_gpu_shader_count, RANGO_ERROR_ARGUMENT,
             "there is no shader %d", command->shader);
  const rg_gpu_shader *shader = &rg_gpu_shaders[command->shader];
  RG_FAIL_IF(command->part_count != shader->binding_count || command->push_words != shader->push_words,
             RANGO_ERROR_ARGUMENT, "the shader %s takes %d parts and %d words, not %d and %d", shader->name,
             shader->binding_count, shader->push_words, command->part_count, command->push_words);
  for (int i = 0; i < 3; i++)
    RG_FAIL_IF(command->groups[i] > device->info.group_count[i], RANGO_ERROR_LIMIT,
               "the shader %s is asked for %u groups: %s has at most %u", shader->name, command->groups[i],
               device->info.name, device->info.group_count[i]);
  return RANGO_OK;
}

rango_status rg_gpu_check_command(const rg_gpu_device *device, const rg_gpu_command *command) {
  switch (command->kind) {
  case RG_GPU_DISPATCH:
    RG_TRY(check_dispatch(device, command));
    break;
  case RG_GPU_COPY:
    RG_FAIL_IF(command->part_count != 2 || command->parts[0].bytes != command->parts[1].bytes, RANGO_ERROR_ARGUMENT,
               "a GPU copy takes two parts of one size");
    break;
  case RG_GPU_BARRIER:
  case RG_GPU_TIMESTAMP:
    return RANGO_OK;
  }
  return check_parts(device, command);
}

rango_status rg_gpu_check_range(const rg_gpu_buffer *buffer, size_t offset, size_t bytes) {
  RG_FAIL_IF(offset > buffer->bytes || bytes > buffer->bytes - offset, RANGO_ERROR_ARGUMENT,
             "%zu bytes at %zu are outside a GPU buffer of %zu bytes", bytes, offset, buffer->bytes);
  return RANGO_OK;
}
