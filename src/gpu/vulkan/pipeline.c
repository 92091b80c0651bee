/* Pipelines: one a shader, made when a list first needs it and kept with the device. */
#include "base/cpu_cores.h"
#include "base/threads.h"
#include "gpu/vulkan/vulkan.h"

#define THREADS_MOST 16
#define SAVE_NS      100000000 /* what took so long is kept at once: not every process closes its devices */

/* ---- layouts ---- */

static rango_status make_set_layout(rg_vk_device *device, int bindings) {
  if (device->set_layouts[bindings]) return RANGO_OK;
  VkDescriptorSetLayoutBinding items[RG_GPU_BINDINGS_MAX];
  for (int i = 0; i < bindings; i++)
    items[i] = (VkDescriptorSetLayoutBinding){.binding = (uint32_t)i + 1,
                                              .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                              .descriptorCount = 1,
                                              .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  const VkDescriptorSetLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                .bindingCount = (uint32_t)bindings,
                                                .pBindings = items};
  RG_VK_TRY(device->fn.vkCreateDescriptorSetLayout, (device->handle, &info, NULL, &device->set_layouts[bindings]));
  return RANGO_OK;
}

static rango_status make_layout(rg_vk_device *device, int shader) {
  const rg_gpu_shader *source = &rg_gpu_shaders[shader];
  RG_TRY(make_set_layout(device, source->binding_count));
  const VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                    .size = (uint32_t)source->push_words * sizeof(uint32_t)};
  const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                           .setLayoutCount = 1,
                                           .pSetLayouts = &device->set_layouts[source->binding_count],
                                           .pushConstantRangeCount = push.size > 0,
                                           .pPushConstantRanges = &push};
  RG_VK_TRY(device->fn.vkCreatePipelineLayout, (device->handle, &info, NULL, &device->pipelines[shader].layout));
  return RANGO_OK;
}

/* ---- pipelines ---- */

static rango_status check_limits(const rg_vk_device *device, const rg_gpu_shader *shader) {
  const rg_gpu_info *info = &device->base.info;
  bool fits = shader->shared_bytes <= info->shared_bytes &&
              shader->threads[0] * shader->threads[1] * shader->threads[2] <= info->group_threads;
  for (int i = 0; i < 3; i++) fits = fits && shader->threads[i] <= device->limits.maxComputeWorkGroupSize[i];
  RG_FAIL_IF(!fits, RANGO_ERROR_DEVICE,
             "the shader %s takes groups of %u x %u x %u threads with %u shared bytes: too much for %s", shader->name,
             shader->threads[0], shader->threads[1], shader->threads[2], shader->shared_bytes, info->name);
  return RANGO_OK;
}

static VkResult compile(rg_vk_device *device, int shader) {
  const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                .codeSize = rg_gpu_shaders[shader].spirv_bytes,
                                                .pCode = rg_gpu_shaders[shader].spirv};
  VkShaderModule module;
  VkResult result = device->fn.vkCreateShaderModule(device->handle, &module_info, NULL, &module);
  if (result != VK_SUCCESS) return result;
  const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                            .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                      .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                      .module = module,
                                                      .pName = "main"},
                                            .layout = device->pipelines[shader].layout};
  VkPipeline made = NULL; /* published when it is whole */
  result = device->fn.vkCreateComputePipelines(device->handle, device->cache, 1, &info, NULL, &made);
  device->fn.vkDestroyShaderModule(device->handle, module, NULL);
  if (result == VK_SUCCESS) device->pipelines[shader].handle = made;
  return result;
}

typedef struct work {
  rg_vk_device *device;
  int *shaders;      /* [count] */
  VkResult *results; /* [count] */
  size_t count;
} work;

static void compile_one(void *argument, size_t i) {
  work *all = argument;
  all->results[i] = compile(all->device, all->shaders[i]);
}

static rango_status compile_all(work *all) {
  rango_threads *pool = NULL;
  const int cores = rg_cpu_cores();
  size_t threads = cores < THREADS_MOST ? (size_t)cores : THREADS_MOST;
  if (threads > all->count) threads = all->count;
  if (threads > 1) RG_TRY(rango_threads_create((int)threads, &pool));
  rg_threads_run(pool, compile_one, all, all->count);
  rango_threads_free(pool);
  for (size_t i = 0; i < all->count; i++)
    if (all->results[i] != VK_SUCCESS)
      return rg_fail_context(rg_vk_fail("vkCreateComputePipelines", all->results[i]), "shader %s",
                             rg_gpu_shaders[all->shaders[i]].name);
  return RANGO_OK;
}

static rango_status make_missing(rg_vk_device *device, const bool *wanted) {
  work all = {.device = device};
  rango_status status = RANGO_OK;
  RG_TRY_DONE(rg_calloc((size_t)rg_gpu_shader_count, sizeof *all.shaders, RG_OUT(&all.shaders)));
  RG_TRY_DONE(rg_calloc((size_t)rg_gpu_shader_count, sizeof *all.results, RG_OUT(&all.results)));
  for (int i = 0; i < rg_gpu_shader_count; i++) {
    if (!wanted[i] || device->pipelines[i].handle) continue;
    RG_TRY_DONE(check_limits(device, &rg_gpu_shaders[i]));
    if (!device->pipelines[i].layout) RG_TRY_DONE(make_layout(device, i));
    all.shaders[all.count++] = i;
  }
  if (all.count == 0) goto done;
  const int64_t start = rg_vk_now_ns();
  RG_TRY_DONE(compile_all(&all));
  device->compiled = true;
  if (rg_vk_now_ns() - start > SAVE_NS) rg_vk_cache_save(device);
done:
  rg_free(all.shaders);
  rg_free(all.results);
  return status;
}

rango_status rg_vk_pipelines_make(rg_vk_device *device, const bool *wanted) {
  pthread_mutex_lock(&device->pipeline_lock);
  const rango_status status = make_missing(device, wanted);
  pthread_mutex_unlock(&device->pipeline_lock);
  return status;
}

void rg_vk_pipelines_free(rg_vk_device *device) {
  for (int i = 0; i < rg_gpu_shader_count; i++) {
    device->fn.vkDestroyPipeline(device->handle, device->pipelines[i].handle, NULL);
    device->fn.vkDestroyPipelineLayout(device->handle, device->pipelines[i].layout, NULL);
  }
  for (int i = 0; i <= RG_GPU_BINDINGS_MAX; i++)
    device->fn.vkDestroyDescriptorSetLayout(device->handle, device->set_layouts[i], NULL);
  device->fn.vkDestroyPipelineCache(device->handle, device->cache, NULL);
}
