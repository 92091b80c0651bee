/* An allocator that counts blocks and refuses the n-th: for finding leaks, and what happens when memory runs out. */
#ifndef TESTS_SUPPORT_MEMORY_H
#define TESTS_SUPPORT_MEMORY_H

#include <stdatomic.h>
#include <stdlib.h>

#include "rango.h"

typedef struct counting_allocator {
  atomic_long blocks, bytes; /* held now */
  atomic_long taken;         /* allocations so far */
  long refuse;               /* the first allocation (from 0) that is refused, and all after it; -1: none */
} counting_allocator;

static inline void *counting_allocate(void *user, size_t bytes, size_t alignment) {
  counting_allocator *counting = user;
  long number = atomic_fetch_add(&counting->taken, 1);
  void *memory = NULL;
  if (counting->refuse >= 0 && number >= counting->refuse) return NULL;
  if (posix_memalign(&memory, alignment, bytes) != 0) return NULL;
  atomic_fetch_add(&counting->blocks, 1);
  atomic_fetch_add(&counting->bytes, (long)bytes);
  return memory;
}

static inline void counting_release(void *user, void *memory, size_t bytes) {
  counting_allocator *counting = user;
  atomic_fetch_sub(&counting->blocks, 1);
  atomic_fetch_sub(&counting->bytes, (long)bytes);
  free(memory);
}

static inline void counting_start(counting_allocator *counting, long refuse) {
  *counting = (counting_allocator){.refuse = refuse};
  rango_set_allocator(&(rango_allocator){sizeof(rango_allocator), counting, counting_allocate, counting_release});
}

static inline void counting_stop(void) { rango_set_allocator(NULL); }

/* Calls `work` with the first, second, ... allocation refused until it needs no more. Every failure must be
 * RANGO_ERROR_MEMORY and leave no block behind; so must success. Returns the failures seen, or -1. `work` frees what it
 * makes. */
static inline long fail_every_allocation(rango_status (*work)(void *argument), void *argument, long limit) {
  for (long n = 0; n < limit; n++) {
    counting_allocator counting;
    counting_start(&counting, n);
    rango_status status = work(argument);
    counting_stop();
    if (counting.blocks != 0 || counting.bytes != 0) return -1;
    if (status == RANGO_OK) return n;
    if (status != RANGO_ERROR_MEMORY) return -1;
  }
  return -1;
}

#endif
