/* This machine's GPUs, as rango_gpu_get_info tells them. */
#include <stdio.h>
#include <string.h>

#include "engine/session.h"

static rango_status find_backend(rango_device kind, const rg_gpu_library **library, const rg_gpu_backend **out) {
  RG_FAIL_IF(kind != RANGO_DEVICE_VULKAN && kind != RANGO_DEVICE_METAL, RANGO_ERROR_ARGUMENT,
             "device %d is no kind of GPU", (int)kind);
  const char *name = kind == RANGO_DEVICE_METAL ? "metal" : "vulkan";
  RG_TRY(rg_gpu_library_find(library));
  *out = (*library)->backend(name);
  RG_FAIL_IF(!*out, RANGO_ERROR_DEVICE, "this build of Rango has no %s", name);
  return RANGO_OK;
}

rango_status rango_gpu_count(rango_device kind, int *out) {
  RG_FAIL_IF(out == NULL, RANGO_ERROR_ARGUMENT, "rango_gpu_count: out is NULL");
  const rg_gpu_library *library;
  const rg_gpu_backend *backend;
  *out = 0;
  RG_TRY(find_backend(kind, &library, &backend));
  return backend->count(out);
}

rango_status rango_gpu_get_info(rango_device kind, int index, rango_gpu_info *out) {
  RG_FAIL_IF(out == NULL, RANGO_ERROR_ARGUMENT, "rango_gpu_get_info: out is NULL");
  RG_FAIL_IF(out->struct_size < sizeof *out, RANGO_ERROR_ARGUMENT,
             "rango_gpu_get_info: struct_size is %zu; set it to sizeof(rango_gpu_info)", out->struct_size);
  const rg_gpu_library *library;
  const rg_gpu_backend *backend;
  int count;
  RG_TRY(find_backend(kind, &library, &backend));
  RG_TRY(backend->count(&count));
  RG_FAIL_IF(index < 0 || index >= count, RANGO_ERROR_ARGUMENT, "there is no device %s:%d, but %d in all",
             backend->name, index, count);
  rg_gpu_info info = {0};
  RG_TRY(backend->describe(index, &info));
  const size_t struct_size = out->struct_size;
  *out = (rango_gpu_info){.struct_size = struct_size,
                          .software = info.software,
                          .unified = info.unified,
                          .half = info.half,
                          .timestamps = info.timestamps,
                          .tuned = library->is_tuned(&info),
                          .memory_bytes = info.memory_bytes,
                          .binding_bytes = info.binding_bytes,
                          .group_threads = info.group_threads,
                          .shared_bytes = info.shared_bytes,
                          .units = info.units};
  memcpy(out->group_count, info.group_count, sizeof out->group_count);
  snprintf(out->name, sizeof out->name, "%s", info.name);
  snprintf(out->driver, sizeof out->driver, "%s", info.driver);
  return RANGO_OK;
}

rango_status rango_gpu_tune(rango_device kind, int index, rango_gpu_tuning *out) {
  RG_FAIL_IF(out == NULL, RANGO_ERROR_ARGUMENT, "rango_gpu_tune: out is NULL");
  RG_FAIL_IF(out->struct_size < sizeof *out, RANGO_ERROR_ARGUMENT,
             "rango_gpu_tune: struct_size is %zu; set it to sizeof(rango_gpu_tuning)", out->struct_size);
  const rg_gpu_library *library;
  const rg_gpu_backend *backend;
  RG_TRY(find_backend(kind, &library, &backend));
  return library->tune(backend->name, index, out);
}
