/* Memory while running: where a plan's blocks lie in its arena, and blocks whose size is known only when they are
 * needed. */
#ifndef RG_ENGINE_MEMORY_H
#define RG_ENGINE_MEMORY_H

#include "base/memory.h"

/* ---- planned ---- */

/* Memory that steps first … last (inclusive) need. */
typedef struct rg_block {
  size_t bytes;
  int first, last;
  size_t offset; /* result: a multiple of RG_ALIGNMENT */
} rg_block;

/* Places blocks so that no two that live at a common step overlap; *total is the arena's size. Greedy by size: the
 * largest first, each at the lowest free offset that the blocks already placed leave (Pisarchyk and Lee, 2020). */
rango_status rg_memory_plan(rg_block *blocks, size_t count, size_t *total);

/* ---- as needed ---- */

/* Blocks kept for reuse. One session's, so one thread's. */
typedef struct rg_pool rg_pool;
typedef struct rg_pool_block rg_pool_block;

rango_status rg_pool_create(rg_pool **out);
void rg_pool_free(rg_pool *pool); /* blocks in use too */
/* A block of at least `bytes` bytes, with one reference. */
rango_status rg_pool_take(rg_pool *pool, size_t bytes, rg_pool_block **out);
void *rg_pool_data(const rg_pool_block *block);
rg_pool_block *rg_pool_retain(rg_pool_block *block);
void rg_pool_release(rg_pool_block *block); /* NULL is allowed */
/* Ends a run: gives back what the run did not use. */
void rg_pool_trim(rg_pool *pool);

#endif
