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

/* Packs in memory of the CPU, unless the device's own can be written. */
static rango_status fill(rg_gpu_device *device, rg_gpu_buffer *buffer, const rango_tensor *tensor, rg_gpu_pack pack,
                         const void *argument) {
  if (buffer->mapped) {
    memset(buffer->mapped, 0, buffer->bytes);
    return pack(buffer->mapped, tensor, argument);
  }
  void *packed;
  RG_TRY(rg_calloc(buffer->bytes, 1, &packed));
  rango_status status = pack(packed, tensor, argument);
  if (status == RANGO_OK) status = device->backend->buffer_write(device, buffer, 0, packed, buffer->bytes);
  rg_free(packed);
  return status;
}

static rango_status weight_create(rg_gpu_weights *owner, const rango_tensor *tensor, const char *key, size_t bytes,
                                  rg_gpu_pack pack, const void *argument, rg_gpu_weight **out) {
  rg_gpu_device *device = owner->device;
  rg_gpu_weight *weight;
  RG_FAIL_IF(strlen(key) >= sizeof weight->key, RANGO_ERROR_INTERNAL, "the weight's key '%s' is too long", key);
  RG_TRY(rg_calloc(1, sizeof *weight, RG_OUT(&weight)));
  *weight = (rg_gpu_weight){.owner = owner, .weight = tensor->data, .bytes = bytes};
  strcpy(weight->key, key);
  rango_status status =
      device->backend->buffer_create(device, RG_GPU_LOCAL, rg_round_up(bytes ? bytes : 1, 16), &weight->buffer);
  if (status == RANGO_OK) status = fill(device, weight->buffer, tensor, pack, argument);
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
                               rg_gpu_pack pack, const void *argument, rg_gpu_weight **out) {
  rg_gpu_weight *weight = weights->first;
  while (weight && (weight->weight != tensor->data || weight->bytes != bytes || strcmp(weight->key, key) != 0))
    weight = weight->next;
  if (!weight) {
    RG_TRY(weight_create(weights, tensor, key, bytes, pack, argument, &weight));
    weight->next = weights->first;
    weights->first = weight;
    weights->bytes += bytes;
  }
  weight->references++;
  *out = weight;
  return RANGO_OK;
}

rango_status rg_gpu_weights_get(rg_gpu_weights *weights, const rango_tensor *weight, const char *key, size_t bytes,
                                rg_gpu_pack pack, const void *argument, rg_gpu_weight **out) {
  pthread_mutex_lock(&weights->lock);
  const rango_status status = get_locked(weights, weight, key, bytes, pack, argument, out);
  pthread_mutex_unlock(&weights->lock);
  return status;
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
