/* Packed weights, shared by the sessions of a model. */
#include <pthread.h>
#include <string.h>

#include "cpu/cpu.h"

struct rg_packed {
  rg_packed_cache *cache;
  rg_packed *next;
  int references; /* under the cache's lock */
  const void *weight;
  rg_buffer *buffer; /* keeps the weight's address from being given to another; NULL: it lives with the model */
  char *key;
  size_t bytes;
  void *data;
};

struct rg_packed_cache {
  pthread_mutex_t lock;
  rg_packed *first;
  size_t bytes;
};

rango_status rg_packed_cache_create(rg_packed_cache **out) {
  rg_packed_cache *cache;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *cache, RG_OUT(&cache)));
  if (pthread_mutex_init(&cache->lock, NULL) != 0) {
    rg_free(cache);
    RG_FAIL(RANGO_ERROR_MEMORY, "no lock for the packed weights");
  }
  *out = cache;
  return RANGO_OK;
}

void rg_packed_cache_free(rg_packed_cache *cache) {
  if (cache == NULL) return;
  pthread_mutex_destroy(&cache->lock);
  rg_free(cache);
}

size_t rg_packed_cache_bytes(rg_packed_cache *cache) {
  pthread_mutex_lock(&cache->lock);
  const size_t bytes = cache->bytes;
  pthread_mutex_unlock(&cache->lock);
  return bytes;
}

static void packed_free(rg_packed *packed) {
  if (packed == NULL) return;
  rg_buffer_release(packed->buffer);
  rg_free(packed->key);
  rg_free(packed->data);
  rg_free(packed);
}

static rango_status packed_create(const rango_tensor *weight, const char *key, size_t bytes, rg_packed **out) {
  rango_status status = RANGO_OK;
  rg_packed *packed;
  RG_TRY(rg_calloc(1, sizeof *packed, RG_OUT(&packed)));
  packed->weight = weight->data;
  packed->bytes = bytes;
  RG_TRY_DONE(rg_alloc(strlen(key) + 1, RG_OUT(&packed->key)));
  strcpy(packed->key, key);
  RG_TRY_DONE(rg_alloc(bytes, &packed->data));
  packed->buffer = weight->buffer != NULL ? rg_buffer_retain(weight->buffer) : NULL;
  *out = packed;
done:
  if (status != RANGO_OK) packed_free(packed);
  return status;
}

static rg_packed *find(rg_packed_cache *cache, const void *weight, const char *key, size_t bytes) {
  for (rg_packed *packed = cache->first; packed != NULL; packed = packed->next)
    if (packed->weight == weight && packed->bytes == bytes && strcmp(packed->key, key) == 0) return packed;
  return NULL;
}

static rango_status get_locked(rg_packed_cache *cache, const rango_tensor *weight, const char *key, size_t bytes,
                               rango_status (*pack)(void *to, const rango_tensor *weight, const void *argument),
                               const void *argument, rg_packed **out) {
  rg_packed *packed = find(cache, weight->data, key, bytes);
  if (packed == NULL) {
    RG_TRY(packed_create(weight, key, bytes, &packed));
    const rango_status status = pack(packed->data, weight, argument);
    if (status != RANGO_OK) {
      packed_free(packed);
      return status;
    }
    packed->cache = cache;
    packed->next = cache->first;
    cache->first = packed;
    cache->bytes += bytes;
    if (weight->buffer != NULL) rg_buffer_forget_pages(weight->buffer, weight->data, weight->bytes);
  }
  packed->references++;
  *out = packed;
  return RANGO_OK;
}

rango_status rg_packed_get(rg_packed_cache *cache, const rango_tensor *weight, const char *key, size_t bytes,
                           rango_status (*pack)(void *to, const rango_tensor *weight, const void *argument),
                           const void *argument, rg_packed **out) {
  *out = NULL;
  pthread_mutex_lock(&cache->lock);
  const rango_status status = get_locked(cache, weight, key, bytes, pack, argument, out);
  pthread_mutex_unlock(&cache->lock);
  return status;
}

const void *rg_packed_data(const rg_packed *packed) { return packed->data; }

void rg_packed_release(rg_packed *packed) {
  if (packed == NULL) return;
  rg_packed_cache *cache = packed->cache;
  pthread_mutex_lock(&cache->lock);
  const bool last = --packed->references == 0;
  if (last) {
    rg_packed **link = &cache->first;
    while (*link != packed) link = &(*link)->next;
    *link = packed->next;
    cache->bytes -= packed->bytes;
  }
  pthread_mutex_unlock(&cache->lock);
  if (last) packed_free(packed);
}
