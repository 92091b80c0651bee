/* NVIDIA's management library, opened at run time: a counter of millijoules since its driver was loaded. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/energy.h"

typedef struct device_handle *device;

typedef struct nvml {
  rango_meter base;
  void *library;
  bool started;
  device gpu;
  unsigned long long first;
  int (*start)(void);
  int (*stop)(void);
  int (*find)(const char *uuid, device *out);
  int (*energy)(device gpu, unsigned long long *millijoules);
  const char *(*text)(int error);
} nvml;

/* An object's pointer as a function's: POSIX grants it, C doesn't. */
static bool find_function(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

static rango_status read_nvml(rango_meter *meter, double *joules) {
  nvml *self = (nvml *)meter;
  unsigned long long now;
  const int error = self->energy(self->gpu, &now);
  RG_FAIL_IF(error != 0, RANGO_ERROR_UNSUPPORTED, "the GPU doesn't tell its energy (NVML: %s)", self->text(error));
  *joules = 1e-3 * (double)(now - self->first);
  return RANGO_OK;
}

static void free_nvml(rango_meter *meter) {
  nvml *self = (nvml *)meter;
  if (self->started) self->stop();
  if (self->library) dlclose(self->library);
  rg_free(self);
}

static rango_status open_nvml(nvml *self, const char *library, const uint8_t uuid[16]) {
  char name[48] = "GPU-";
  size_t length = strlen(name);
  for (int i = 0; i < 16; i++)
    length += (size_t)snprintf(name + length, sizeof name - length,
                               i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
  self->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  RG_FAIL_IF(!self->library, RANGO_ERROR_UNSUPPORTED, "no meter of this GPU's energy is known (no NVIDIA driver: %s)",
             dlerror());
  RG_FAIL_IF(!find_function(self->library, "nvmlInit_v2", &self->start) ||
                 !find_function(self->library, "nvmlShutdown", &self->stop) ||
                 !find_function(self->library, "nvmlDeviceGetHandleByUUID", &self->find) ||
                 !find_function(self->library, "nvmlDeviceGetTotalEnergyConsumption", &self->energy) ||
                 !find_function(self->library, "nvmlErrorString", &self->text),
             RANGO_ERROR_UNSUPPORTED, "%s is too old to tell energy", library);
  int error = self->start();
  RG_FAIL_IF(error != 0, RANGO_ERROR_UNSUPPORTED, "NVML can't be used: %s", self->text(error));
  self->started = true;
  error = self->find(name, &self->gpu);
  RG_FAIL_IF(error != 0, RANGO_ERROR_UNSUPPORTED, "no meter of this GPU's energy is known (NVML: %s)",
             self->text(error));
  error = self->energy(self->gpu, &self->first);
  RG_FAIL_IF(error != 0, RANGO_ERROR_UNSUPPORTED, "the GPU doesn't tell its energy (NVML: %s)", self->text(error));
  return RANGO_OK;
}

rango_status rg_meter_nvml(const char *library, const uint8_t uuid[16], rango_meter **out) {
  nvml *self;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *self, RG_OUT(&self)));
  self->base = (rango_meter){read_nvml, free_nvml};
  const rango_status status = open_nvml(self, library, uuid);
  if (status == RANGO_OK)
    *out = &self->base;
  else
    free_nvml(&self->base);
  return status;
}
