/* Metal: from a shader's source to its pipeline state, once a device. */
#include "gpu/metal/metal.h"

static rango_status make_library(rg_metal_device *device, const rg_gpu_shader *shader, id<MTLLibrary> *out) {
  const bool matrices = device->simdgroup_matrices && shader->msl_matrices;
  MTLCompileOptions *options = [[[MTLCompileOptions alloc] init] autorelease];
  [options setLanguageVersion:matrices ? MTLLanguageVersion2_3 : MTLLanguageVersion2_2];
  [options setFastMathEnabled:NO]; /* NaN and infinity pass as on the CPU, functions are the precise ones */
  NSString *source = [NSString stringWithUTF8String:matrices ? shader->msl_matrices : shader->msl];
  NSError *error = nil;
  *out = [device->device newLibraryWithSource:source options:options error:&error];
  return *out ? RANGO_OK : rg_metal_fail("newLibraryWithSource", error);
}

static rango_status make_pipeline(rg_metal_device *device, const rg_gpu_shader *shader,
                                  id<MTLComputePipelineState> *out) {
  id<MTLLibrary> library;
  NSError *error = nil;
  RG_TRY(make_library(device, shader, &library));
  id<MTLFunction> function = [library newFunctionWithName:@"main0"];
  [library release];
  RG_FAIL_IF(!function, RANGO_ERROR_DEVICE, "Metal: newFunctionWithName gave none");
  id<MTLComputePipelineState> pipeline = [device->device newComputePipelineStateWithFunction:function error:&error];
  [function release];
  if (!pipeline) return rg_metal_fail("newComputePipelineState", error);
  const size_t threads = (size_t)shader->threads[0] * shader->threads[1] * shader->threads[2];
  const size_t most = [pipeline maxTotalThreadsPerThreadgroup];
  if (threads > most) {
    [pipeline release];
    RG_FAIL(RANGO_ERROR_DEVICE, "Metal: groups have %zu threads, this device takes %zu", threads, most);
  }
  *out = pipeline;
  return RANGO_OK;
}

rango_status rg_metal_pipeline(rg_metal_device *device, int shader, id<MTLComputePipelineState> *out) {
  rango_status status = RANGO_OK;
  pthread_mutex_lock(&device->lock);
  id<MTLComputePipelineState> *kept = &device->pipelines[shader];
  if (!*kept) status = make_pipeline(device, &rg_gpu_shaders[shader], kept);
  *out = *kept;
  pthread_mutex_unlock(&device->lock);
  return status == RANGO_OK ? status : rg_fail_context(status, "shader %s", rg_gpu_shaders[shader].name);
}
