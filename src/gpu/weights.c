/* Packed weights on a device, shared by the sessions of a model. */
#include "gpu/weights.h"

#include <pthread.h>
#include <string.h>

#include "base/checked.h"

struct rg_gpu_weight {
  rg_gpu_weights *owner;
  rg_gpu_weight *next;
  int references; /* under the owner's lock */
  const void *weight;
  rg_buffer *keeper; /* keeps the weight's address from being given to another; NULL: it lives with the model */
  size_t bytes;
  rg_gpu_buffer *buffer;
  char key[64];
};

struct rg_gpu_weights {
  pthread_mutex_t lock;
  rg_gpu_device *device;
  rg_gpu_weight *first;
  size_t bytes;
};

rango_status rg_gpu_weights_create(rg_gpu_device *device, rg_gpu_weights **out) {
  rg_gpu_weights *weights;
  RG_TRY(rg_calloc(1, sizeof *weights, RG_OUT(&weights)));
  weights->device = device;
  pthread_mutex_init(&weights->lock, NULL);
  *out = weights;
  return RANGO_OK;
}

void rg_gpu_weights_free(rg_gpu_weights *weights) {
  if (!weights) return;
  pthread_mutex_destroy(&weights->lock);
  rg_free(weights);
}

size_t rg_gpu_weights_bytes(rg_gpu_weights *weights) {
  pthread_mutex_lock(&weights->lock);
  const size_t bytes = weights->bytes;
  pthread_mutex_unlock(&weights->lock);
  return bytes;
}

static void weight_free(rg_gpu_device *device, rg_gpu_weight *weight) {
  if (!weight) return;
  device->backend->buffer_free(device, weight->buffer);
  rg_buffer_release(weight->keeper);
  rg_free(weight);
}

/* How a form is made: by `pack` on the CPU, or by the task's shader. */
typedef struct making {
  rg_gpu_pack pack; /* NULL: by the shader */
  const void *argument;
  const rg_gpu_task *task;
} making;

/* Packs in memory of the CPU, unless the device's own can be written. */
static rango_status fill(rg_gpu_device *device, rg_gpu_buffer *buffer, const rango_tensor *tensor, const making *how) {
  if (buffer->mapped) {
    memset(buffer->mapped, 0, buffer->bytes);
    return how->pack(buffer->mapped, tensor, how->argument);
  }
  void *packed;
  RG_TRY(rg_calloc(buffer->bytes, 1, &packed));
  rango_status status = how->pack(packed, tensor, how->argument);
  if (status == RANGO_OK) status = device->backend->buffer_write(device, buffer, 0, packed, buffer->bytes);
  rg_free(packed);
  return status;
}

/* Runs the task once. What runs later on the device sees what it wrote. */
static rango_status run_once(rg_gpu_device *device, const rg_gpu_task *task, rg_gpu_buffer *const parts[2]) {
  const rg_gpu_backend *backend = device->backend;
  rg_gpu_command commands[] = {{.kind = RG_GPU_DISPATCH,
                                .shader = task->shader,
                                .part_count = 2,
                                .push_words = rg_gpu_shaders[task->shader].push_words},
                               {.kind = RG_GPU_BARRIER}};
  rg_gpu_list *list;
  memcpy(commands[0].groups, task->groups, sizeof task->groups);
  memcpy(commands[0].push, task->push, sizeof task->push);
  for (int i = 0; i < 2; i++) commands[0].parts[i] = (rg_gpu_part){.buffer = parts[i], .bytes = parts[i]->bytes};
  RG_TRY(backend->list_create(device, commands, 2, &list));
  const rango_status status = backend->list_run(device, list);
  backend->list_free(device, list);
  return status;
}

static rango_status fill_by_shader(rg_gpu_device *device, rg_gpu_buffer *buffer, const rango_tensor *tensor,
                                   const rg_gpu_task *task) {
  const rg_gpu_backend *backend = device->backend;
  rg_gpu_buffer *plain;
  RG_TRY(backend->buffer_create(device, RG_GPU_LOCAL, rg_round_up(tensor->bytes, 16), &plain));
  rango_status status = backend->buffer_write(device, plain, 0, tensor->data, tensor->bytes);
  if (status == RANGO_OK) status = run_once(device, task, (rg_gpu_buffer *[]){plain, buffer});
  backend->buffer_free(device, plain);
  return status;
}

static rango_status weight_create(rg_gpu_weights *owner, const rango_tensor *tensor, const char *key, size_t bytes,
                                  const making *how, rg_gpu_weight **out) {
  rg_gpu_device *device = owner->device;
  rg_gpu_weight *weight;
  RG_FAIL_IF(strlen(key) >= sizeof weight->key, RANGO_ERROR_INTERNAL, "the weight's key '%s' is too long", key);
  RG_TRY(rg_calloc(1, sizeof *weight, RG_OUT(&weight)));
  *weight = (rg_gpu_weight){.owner = owner, .weight = tensor->data, .bytes = bytes};
  strcpy(weight->key, key);
  rango_status status =
      device->backend->buffer_create(device, RG_GPU_LOCAL, rg_round_up(bytes ? bytes : 1, 16), &weight->buffer);
  if (status == RANGO_OK)
    status = how->pack ? fill(device, weight->buffer, tensor, how)
                       : fill_by_shader(device, weight->buffer, tensor, how->task);
  if (status != RANGO_OK) {
    weight_free(device, weight);
    return status;
  }
  weight->keeper = tensor->buffer ? rg_buffer_retain(tensor->buffer) : NULL;
  if (tensor->buffer) rg_buffer_forget_pages(tensor->buffer, tensor->data, tensor->bytes);
  *out = weight;
  return RANGO_OK;
}

static rango_status get_locked(rg_gpu_weights *weights, const rango_tensor *tensor, const char *key, size_t bytes,
                               const making *how, rg_gpu_weight **out) {
  rg_gpu_weight *weight = weights->first;
  while (weight && (weight->weight != tensor->data || weight->bytes != bytes || strcmp(weight->key, key) != 0))
    weight = weight->next;
  if (!weight) {
    RG_TRY(weight_create(weights, tensor, key, bytes, how, &weight));
    weight->next = weights->first;
    weights->first = weight;
    weights->bytes += bytes;
  }
  weight->references++;
  *out = weight;
  return RANGO_OK;
}

static rango_status get(rg_gpu_weights *weights, const rango_tensor *weight, const char *key, size_t bytes,
                        const making *how, rg_gpu_weight **out) {
  pthread_mutex_lock(&weights->lock);
  const rango_status status = get_locked(weights, weight, key, bytes, how, out);
  pthread_mutex_unlock(&weights->lock);
  return status;
}

rango_status rg_gpu_weights_get(rg_gpu_weights *weights, const rango_tensor *weight, const char *key, size_t bytes,
                                rg_gpu_pack pack, const void *argument, rg_gpu_weight **out) {
  return get(weights, weight, key, bytes, &(making){.pack = pack, .argument = argument}, out);
}

rango_status rg_gpu_weights_make(rg_gpu_weights *weights, const rango_tensor *weight, const char *key, size_t bytes,
                                 const rg_gpu_task *task, rg_gpu_weight **out) {
  return get(weights, weight, key, bytes, &(making){.task = task}, out);
}

rg_gpu_part rg_gpu_weight_part(const rg_gpu_weight *weight) {
  return (rg_gpu_part){.buffer = weight->buffer, .bytes = weight->buffer->bytes};
}

void rg_gpu_weight_release(rg_gpu_weight *weight) {
  if (!weight) return;
  rg_gpu_weights *owner = weight->owner;
  pthread_mutex_lock(&owner->lock);
  const bool last = --weight->references == 0;
  if (last) {
    rg_gpu_weight **link = &owner->first;
    while (*link != weight) link = &(*link)->next;
    *link = weight->next;
    owner->bytes -= weight->bytes;
  }
  pthread_mutex_unlock(&owner->lock);
  if (last) weight_free(owner->device, weight);
}
