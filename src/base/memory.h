/* Memory: the caller's allocator, arenas, reference-counted buffers. All are NULL-safe to free. */
#ifndef RG_BASE_MEMORY_H
#define RG_BASE_MEMORY_H

#include "base/error.h"

#define RG_ALIGNMENT 64 /* a cache line, and an AVX-512 vector */

/* `bytes` uninitialised / zeroed bytes aligned to RG_ALIGNMENT; *out = NULL and RANGO_ERROR_MEMORY when there are none.
 * 0 bytes give a valid pointer. rg_free needs no size (a header in front keeps it). */
rango_status rg_alloc(size_t bytes, void **out);
rango_status rg_calloc(size_t count, size_t size, void **out); /* checks count * size */
rango_status rg_realloc(void **memory, size_t new_bytes);      /* keeps the old block on failure; *memory may be NULL */
void rg_free(void *memory);
/* Between two steps that need much: what the system's allocator keeps of freed blocks goes back. */
void rg_memory_trim(void);

/* Type-safe spelling: rg_alloc((n), RG_OUT(&pointer)). */
#define RG_OUT(pointer_to_pointer) ((void **)(pointer_to_pointer))

/* A growing list: RG_PUSH needs fields `items`, `count`, `capacity` in `list`. */
rango_status rg_list_reserve(void **items, size_t *capacity, size_t needed, size_t item_bytes);
#define RG_RESERVE(list, extra)                                                                                        \
  rg_list_reserve((void **)&(list)->items, &(list)->capacity, (list)->count + (extra), sizeof *(list)->items)

/* Bump allocator: many small objects with one lifetime. Memory is zeroed. */
typedef struct rg_arena rg_arena;
rango_status rg_arena_create(rg_arena **out);
void rg_arena_free(rg_arena *arena);
rango_status rg_arena_alloc(rg_arena *arena, size_t bytes, void **out);
rango_status rg_arena_calloc(rg_arena *arena, size_t count, size_t size, void **out);
rango_status rg_arena_strndup(rg_arena *arena, const char *text, size_t length, const char **out); /* zero-terminated */
rango_status rg_arena_printf(rg_arena *arena, const char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t rg_arena_bytes(const rg_arena *arena); /* taken from the allocator so far */

/* Memory shared by tensors: allocated, or a mapped file. Counts are atomic. */
typedef struct rg_buffer rg_buffer;
rango_status rg_buffer_create(size_t bytes, rg_buffer **out); /* uninitialised, one reference */
/* A buffer over the mapped range `data`, which `owner` (given one more reference, dropped with it) keeps alive. */
rango_status rg_buffer_slice(rg_buffer *owner, const void *data, size_t bytes, rg_buffer **out);
rg_buffer *rg_buffer_retain(rg_buffer *buffer); /* returns its argument */
void rg_buffer_release(rg_buffer *buffer);
void *rg_buffer_data(rg_buffer *buffer);
size_t rg_buffer_bytes(const rg_buffer *buffer);
/* Tells the system that a mapped file's range can be dropped from memory until it is read again; nothing else changes.
 * Call it once a weight has been packed. No effect on allocated buffers. */
void rg_buffer_forget_pages(rg_buffer *buffer, const void *data, size_t bytes);

#endif
