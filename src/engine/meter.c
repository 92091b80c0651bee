/* Which meter tells a device's energy. */
#include "base/energy.h"
#include "engine/session.h"

static rango_status cpu_meter(rango_meter **out) {
#ifdef __APPLE__
  return rg_meter_powermetrics(RG_POWERMETRICS, false, out);
#else
  return rg_meter_rapl(RG_RAPL_FOLDER, out);
#endif
}

static rango_status vulkan_meter(int gpu, rango_meter **out) {
  const rg_gpu_library *library;
  rg_gpu_info info;
  RG_TRY(rg_gpu_library_find(&library));
  const rg_gpu_backend *backend = library->backend("vulkan");
  RG_FAIL_IF(!backend, RANGO_ERROR_DEVICE, "this build of Rango has no vulkan");
  RG_TRY(backend->describe(gpu, &info));
  return info.software ? cpu_meter(out) : rg_meter_nvml(RG_NVML_LIBRARY, info.uuid, out);
}

rango_status rango_meter_create(rango_device device, int gpu, rango_meter **out) {
  RG_FAIL_IF(out == NULL, RANGO_ERROR_ARGUMENT, "rango_meter_create: out is NULL");
  *out = NULL;
  switch (device) {
  case RANGO_DEVICE_CPU:
  case RANGO_DEVICE_REFERENCE:
    return cpu_meter(out);
  case RANGO_DEVICE_VULKAN:
    return vulkan_meter(gpu, out);
  case RANGO_DEVICE_METAL:
    return rg_meter_powermetrics(RG_POWERMETRICS, true, out);
  }
  RG_FAIL(RANGO_ERROR_ARGUMENT, "rango_meter_create: there is no device %d", (int)device);
}

rango_status rango_meter_read(rango_meter *meter, double *joules) {
  RG_FAIL_IF(meter == NULL || joules == NULL, RANGO_ERROR_ARGUMENT, "rango_meter_read: NULL");
  return meter->read(meter, joules);
}

void rango_meter_free(rango_meter *meter) {
  if (meter) meter->free(meter);
}
