/* Open devices, shared by the process; and the table that librango takes. */
#include <pthread.h>
#include <string.h>

#include "gpu/families.h"
#include "gpu/rates.h"
#include "gpu/record.h"
#include "gpu/tune.h"
#include "gpu/weights.h"

#ifdef RANGO_VULKAN
extern const rg_gpu_backend rg_gpu_vulkan;
#endif
#ifdef RANGO_METAL
extern const rg_gpu_backend rg_gpu_metal;
#endif

#define DEVICES_MAX 64 /* open at a time */

static const rg_gpu_backend *const backends[] = {
#ifdef RANGO_METAL
    &rg_gpu_metal,
#endif
#ifdef RANGO_VULKAN
    &rg_gpu_vulkan,
#endif
    NULL};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  rg_gpu_device *device;
  int references;
} opened[DEVICES_MAX]; /* under the lock */

static const rg_gpu_backend *find_backend(const char *name) {
  for (size_t i = 0; backends[i]; i++)
    if (strcmp(backends[i]->name, name) == 0) return backends[i];
  return NULL;
}

static rango_status open_locked(const rg_gpu_backend *backend, int index, rg_gpu_device **out) {
  int room = -1;
  for (int i = 0; i < DEVICES_MAX; i++) {
    rg_gpu_device *device = opened[i].device;
    if (!device && room < 0) room = i;
    if (!device || device->backend != backend || device->index != index) continue;
    opened[i].references++;
    *out = device;
    return RANGO_OK;
  }
  RG_FAIL_IF(room < 0, RANGO_ERROR_LIMIT, "more than %d GPUs are open", DEVICES_MAX);
  int count;
  RG_TRY(backend->count(&count));
  RG_FAIL_IF(count == 0, RANGO_ERROR_DEVICE, "there is no %s device on this machine: run on the CPU", backend->name);
  RG_FAIL_IF(index < 0 || index >= count, RANGO_ERROR_DEVICE,
             "there is no device %s:%d: this machine has %s:0 to %s:%d", backend->name, index, backend->name,
             backend->name, count - 1);
  RG_TRY(backend->open(index, out));
  (*out)->tuned = rg_gpu_rates_read(&(*out)->info, (*out)->rates);
  opened[room].device = *out;
  opened[room].references = 1;
  return RANGO_OK;
}

static rango_status open_device(const char *name, int index, rg_gpu_device **out) {
  const rg_gpu_backend *backend = find_backend(name);
  RG_FAIL_IF(!backend, RANGO_ERROR_DEVICE, "this build of Rango has no %s: run on the CPU", name);
  pthread_mutex_lock(&lock);
  const rango_status status = open_locked(backend, index, out);
  pthread_mutex_unlock(&lock);
  return status;
}

static void close_device(rg_gpu_device *device) {
  if (!device) return;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < DEVICES_MAX; i++)
    if (opened[i].device == device && --opened[i].references == 0) {
      device->backend->close(device);
      opened[i].device = NULL;
    }
  pthread_mutex_unlock(&lock);
}

static rango_status tune_device(const char *name, int index, rango_gpu_tuning *out) {
  rg_gpu_device *device;
  RG_TRY(open_device(name, index, &device));
  const rango_status status = rg_gpu_tune(device, out);
  close_device(device);
  return status;
}

static bool is_tuned(const rg_gpu_info *info) {
  rg_gpu_rate rates[RG_GPU_TILES];
  return rg_gpu_rates_read(info, rates);
}

const rg_gpu_library *rg_gpu_library_get(void) {
  static const rg_gpu_library library = {.version = RG_GPU_LIBRARY_VERSION,
                                         .backend = find_backend,
                                         .open = open_device,
                                         .close = close_device,
                                         .tune = tune_device,
                                         .is_tuned = is_tuned,
                                         .weights_create = rg_gpu_weights_create,
                                         .weights_free = rg_gpu_weights_free,
                                         .weights_bytes = rg_gpu_weights_bytes,
                                         .weight_release = rg_gpu_weight_release,
                                         .prepare = rg_gpu_prepare_node,
                                         .record_task = rg_gpu_record_task,
                                         .record_copy = rg_gpu_record_copy,
                                         .record_timestamp = rg_gpu_record_timestamp,
                                         .recorder_clear = rg_gpu_recorder_clear};
  return &library;
}
