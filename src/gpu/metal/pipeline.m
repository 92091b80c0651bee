/* Metal: from a shader's source to its pipeline state, once a device. */
#include "base/log.h"
#include "gpu/metal/metal.h"

/* nil: the build made none, or this system doesn't take it. */
static id<MTLLibrary> new_prebuilt(rg_metal_device *device, const rg_gpu_msl *msl) {
  if (!msl->library) return nil;
  dispatch_data_t data = dispatch_data_create(msl->library, msl->library_bytes, NULL, DISPATCH_DATA_DESTRUCTOR_DEFAULT);
  NSError *error = nil;
  id<MTLLibrary> library = [device->device newLibraryWithData:data error:&error];
  dispatch_release(data);
  return library;
}

static rango_status make_function(rg_metal_device *device, const rg_gpu_msl *msl, MTLLanguageVersion version,
                                  id<MTLFunction> *out) {
  NSError *error = nil;
  id<MTLLibrary> library = new_prebuilt(device, msl);
  if (!library) {
    MTLCompileOptions *options = [[[MTLCompileOptions alloc] init] autorelease];
    [options setLanguageVersion:version];
    [options setFastMathEnabled:NO]; /* NaN and infinity pass as on the CPU, functions are the precise ones */
    NSString *text = [NSString stringWithUTF8String:msl->source];
    library = [device->device newLibraryWithSource:text options:options error:&error];
  }
  if (!library) return rg_metal_fail("newLibraryWithSource", error);
  *out = [library newFunctionWithName:@"main0"];
  [library release];
  RG_FAIL_IF(!*out, RANGO_ERROR_DEVICE, "Metal: newFunctionWithName gave none");
  return RANGO_OK;
}

static rango_status make_pipeline(rg_metal_device *device, const rg_gpu_shader *shader, const rg_gpu_msl *msl,
                                  MTLLanguageVersion version, id<MTLComputePipelineState> *out) {
  id<MTLFunction> function = nil;
  NSError *error = nil;
  RG_TRY(make_function(device, msl, version, &function));
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

/* The shader's twin where the device can run it, else the shader as it was translated. */
static rango_status make_best(rg_metal_device *device, const rg_gpu_shader *shader, id<MTLComputePipelineState> *out) {
  if (device->simdgroup_matrices && shader->msl_matrices.source) {
    if (make_pipeline(device, shader, &shader->msl_matrices, MTLLanguageVersion2_3, out) == RANGO_OK) return RANGO_OK;
    rg_log(RANGO_LOG_WARNING, "shader %s runs without SIMD-group matrices: %s", shader->name, rango_error_message());
  }
  return make_pipeline(device, shader, &shader->msl, MTLLanguageVersion2_2, out);
}

rango_status rg_metal_pipeline(rg_metal_device *device, int shader, id<MTLComputePipelineState> *out) {
  rango_status status = RANGO_OK;
  pthread_mutex_lock(&device->lock);
  id<MTLComputePipelineState> *kept = &device->pipelines[shader];
  if (!*kept) status = make_best(device, &rg_gpu_shaders[shader], kept);
  *out = *kept;
  pthread_mutex_unlock(&device->lock);
  return status == RANGO_OK ? status : rg_fail_context(status, "shader %s", rg_gpu_shaders[shader].name);
}
