/* Bump allocator over chunks that double from 4 KiB to 1 MiB; what is larger than a chunk gets one of its own. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

#define CHUNK_MIN       ((size_t)4 << 10)
#define CHUNK_MAX       ((size_t)1 << 20)
#define ARENA_ALIGNMENT 16

typedef struct chunk {
  struct chunk *previous;
  size_t used, bytes; /* of the memory behind the header */
} chunk;

struct rg_arena {
  chunk *last;
  size_t total, next_bytes;
};

/* The chunk's memory begins at the header's size rounded up. */
static char *chunk_memory(chunk *chunk_) { return (char *)chunk_ + rg_round_up(sizeof(chunk), ARENA_ALIGNMENT); }

rango_status rg_arena_create(rg_arena **out) {
  RG_TRY(rg_calloc(1, sizeof **out, RG_OUT(out)));
  (*out)->next_bytes = CHUNK_MIN;
  (*out)->total = sizeof **out;
  return RANGO_OK;
}

void rg_arena_free(rg_arena *arena) {
  if (!arena) return;
  for (chunk *c = arena->last; c;) {
    chunk *previous = c->previous;
    rg_free(c);
    c = previous;
  }
  rg_free(arena);
}

static rango_status add_chunk(rg_arena *arena, size_t bytes, chunk **out) {
  size_t total;
  RG_FAIL_IF(!rg_add_size(bytes, rg_round_up(sizeof(chunk), ARENA_ALIGNMENT), &total), RANGO_ERROR_MEMORY,
             "out of memory: %zu bytes were needed", bytes);
  RG_TRY(rg_alloc(total, RG_OUT(out)));
  **out = (chunk){.bytes = bytes};
  arena->total += total;
  return RANGO_OK;
}

/* Zeroes what is handed out, no more: pages that nothing is put on never become resident. */
static void *take(chunk *from, size_t bytes) {
  void *memory = chunk_memory(from) + from->used;
  from->used += bytes;
  return memset(memory, 0, bytes);
}

rango_status rg_arena_alloc(rg_arena *arena, size_t bytes, void **out) {
  *out = NULL;
  RG_FAIL_IF(bytes > PTRDIFF_MAX - ARENA_ALIGNMENT, RANGO_ERROR_MEMORY, "out of memory: %zu bytes were needed", bytes);
  bytes = rg_round_up(bytes ? bytes : 1, ARENA_ALIGNMENT);
  chunk *last = arena->last;
  if (last && last->bytes - last->used >= bytes) {
    *out = take(last, bytes);
    return RANGO_OK;
  }
  chunk *fresh;
  if (last && bytes > arena->next_bytes / 4) { /* a chunk of its own, behind the one that is being filled */
    RG_TRY(add_chunk(arena, bytes, &fresh));
    fresh->previous = last->previous;
    last->previous = fresh;
  } else {
    RG_TRY(add_chunk(arena, bytes > arena->next_bytes ? bytes : arena->next_bytes, &fresh));
    fresh->previous = last;
    arena->last = fresh;
    if (arena->next_bytes < CHUNK_MAX) arena->next_bytes *= 2;
  }
  *out = take(fresh, bytes);
  return RANGO_OK;
}

rango_status rg_arena_calloc(rg_arena *arena, size_t count, size_t size, void **out) {
  size_t bytes;
  *out = NULL;
  RG_FAIL_IF(!rg_mul_size(count, size, &bytes), RANGO_ERROR_MEMORY, "out of memory: %zu times %zu bytes were needed",
             count, size);
  return rg_arena_alloc(arena, bytes, out);
}

rango_status rg_arena_strndup(rg_arena *arena, const char *text, size_t length, const char **out) {
  char *copy;
  size_t bytes;
  *out = NULL;
  RG_FAIL_IF(!rg_add_size(length, 1, &bytes), RANGO_ERROR_MEMORY, "out of memory: %zu bytes were needed", length);
  RG_TRY(rg_arena_alloc(arena, bytes, RG_OUT(&copy)));
  if (length) memcpy(copy, text, length);
  *out = copy;
  return RANGO_OK;
}

rango_status rg_arena_printf(rg_arena *arena, const char **out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  *out = NULL;
  RG_FAIL_IF(length < 0, RANGO_ERROR_INTERNAL, "a text could not be formatted");
  char *text;
  RG_TRY(rg_arena_alloc(arena, (size_t)length + 1, RG_OUT(&text)));
  va_start(arguments, format);
  vsnprintf(text, (size_t)length + 1, format, arguments);
  va_end(arguments);
  *out = text;
  return RANGO_OK;
}

size_t rg_arena_bytes(const rg_arena *arena) { return arena ? arena->total : 0; }
