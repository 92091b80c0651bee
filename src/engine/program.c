/* What a model keeps for its sessions: one program a device kind and the packed weights, freed with the model. */
#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"

#define PROGRAM_KINDS 2  /* RANGO_DEVICE_CPU, which GPUs share, and RANGO_DEVICE_REFERENCE */
#define DEVICES_MAX   16 /* that one model is used on at a time */

/* A model's weights on one device. */
typedef struct device_weights {
  const rg_gpu_library *library;
  rg_gpu_device *device;
  rg_gpu_weights *weights;
  int references;
} device_weights;

typedef struct rg_runtime {
  pthread_mutex_t lock; /* guards programs[]: a finished one is never changed */
  rg_program programs[PROGRAM_KINDS];
  rg_packed_cache *packed;
  device_weights devices[DEVICES_MAX];
} rg_runtime;

static void runtime_free(void *memory) {
  rg_runtime *runtime = memory;
  if (!runtime) return;
  for (int i = 0; i < PROGRAM_KINDS; i++) rg_model_release(runtime->programs[i].model);
  rg_packed_cache_free(runtime->packed);
  pthread_mutex_destroy(&runtime->lock);
  rg_free(runtime);
}

static rango_status runtime_create(rg_runtime **out) {
  rg_runtime *runtime;
  RG_TRY(rg_calloc(1, sizeof *runtime, RG_OUT(&runtime)));
  rango_status status = rg_packed_cache_create(&runtime->packed);
  if (status != RANGO_OK) {
    rg_free(runtime);
    return status;
  }
  pthread_mutex_init(&runtime->lock, NULL);
  *out = runtime;
  return RANGO_OK;
}

/* The model's runtime, made by whichever thread comes first. A model is constant to its users; this slot is the one
 * part that its sessions share and change, atomically. */
static rango_status runtime_get(const rango_model *model, rg_runtime **out) {
  rango_model *shared = (rango_model *)model;
  rg_runtime *runtime = atomic_load(&shared->runtime);
  if (!runtime) {
    RG_TRY(runtime_create(&runtime));
    void *expected = NULL;
    if (atomic_compare_exchange_strong(&shared->runtime, &expected, runtime)) {
      shared->runtime_free = runtime_free; /* read only when the last reference goes */
    } else {
      runtime_free(runtime);
      runtime = expected;
    }
  }
  *out = runtime;
  return RANGO_OK;
}

/* Initializers that old files list among the inputs are constants, not inputs. */
static void drop_constant_inputs(rg_graph *graph) {
  size_t kept = 0;
  for (size_t i = 0; i < graph->inputs.count; i++) {
    rg_value *value = graph->inputs.items[i];
    if (value->constant)
      value->is_input = false;
    else
      graph->inputs.items[kept++] = value;
  }
  graph->inputs.count = kept;
}

/* Weights that are packed before they are used stay where they are in the file, at whatever address. */
static bool is_packed_only(const rg_value *value) {
  for (size_t i = 0; i < value->uses.count; i++) {
    const rg_use *use = &value->uses.items[i];
    bool packed = rg_node_is(use->node, "MatMul") || rg_node_is(use->node, "Gemm") ||
                  (rg_node_is(use->node, "Conv") && rg_node_int(use->node, "group", 1) == 1);
    if (!packed || use->index != 1) return false;
  }
  return value->output_uses == 0;
}

static rango_status program_make(const rango_model *model, rango_device device, rango_model **out) {
  rango_model *copy = NULL;
  RG_TRY(rg_model_copy(model, &copy));
  rango_status status;
  RG_TRY_DONE(rg_model_align_constants(copy, device == RANGO_DEVICE_CPU ? is_packed_only : NULL));
  RG_TRY_DONE(rg_ops_resolve(copy, false));
  drop_constant_inputs(copy->graph);
  RG_TRY_DONE(rg_passes_canonical(copy));
  RG_TRY_DONE(rg_ops_resolve(copy, true));
  if (device == RANGO_DEVICE_CPU) {
    RG_TRY_DONE(rg_passes_lower(copy));
    RG_TRY_DONE(rg_ops_resolve(copy, true));
  }
  *out = copy;
  return RANGO_OK;
done:
  rg_model_release(copy);
  return status;
}

rango_status rg_program_get(const rango_model *model, rango_device device, const rg_program **out) {
  rg_runtime *runtime;
  if (device != RANGO_DEVICE_REFERENCE) device = RANGO_DEVICE_CPU;
  RG_TRY(runtime_get(model, &runtime));
  rg_program *program = &runtime->programs[device];
  rango_status status = RANGO_OK;
  pthread_mutex_lock(&runtime->lock);
  if (!program->model) status = program_make(model, device, &program->model);
  pthread_mutex_unlock(&runtime->lock);
  if (status == RANGO_OK) *out = program;
  return status;
}

rango_status rg_program_packed(const rango_model *model, rg_packed_cache **out) {
  rg_runtime *runtime;
  RG_TRY(runtime_get(model, &runtime));
  *out = runtime->packed;
  return RANGO_OK;
}

static rango_status open_weights(rg_runtime *runtime, const rg_gpu_library *library, rg_gpu_device *device,
                                 rg_gpu_weights **out) {
  device_weights *room = NULL;
  for (int i = 0; i < DEVICES_MAX; i++) {
    device_weights *entry = &runtime->devices[i];
    if (entry->references > 0 && entry->device == device) {
      entry->references++;
      *out = entry->weights;
      return RANGO_OK;
    }
    if (entry->references == 0 && !room) room = entry;
  }
  RG_FAIL_IF(!room, RANGO_ERROR_LIMIT, "the model is in use on %d GPUs", DEVICES_MAX);
  RG_TRY(library->weights_create(device, out));
  *room = (device_weights){library, device, *out, 1};
  return RANGO_OK;
}

rango_status rg_program_weights_open(const rango_model *model, const rg_gpu_library *library, rg_gpu_device *device,
                                     rg_gpu_weights **out) {
  rg_runtime *runtime;
  RG_TRY(runtime_get(model, &runtime));
  pthread_mutex_lock(&runtime->lock);
  const rango_status status = open_weights(runtime, library, device, out);
  pthread_mutex_unlock(&runtime->lock);
  return status;
}

void rg_program_weights_close(const rango_model *model, rg_gpu_weights *weights) {
  rg_runtime *runtime = atomic_load(&((rango_model *)model)->runtime);
  pthread_mutex_lock(&runtime->lock);
  for (int i = 0; i < DEVICES_MAX; i++) {
    device_weights *entry = &runtime->devices[i];
    if (entry->references > 0 && entry->weights == weights && --entry->references == 0)
      entry->library->weights_free(weights);
  }
  pthread_mutex_unlock(&runtime->lock);
}
