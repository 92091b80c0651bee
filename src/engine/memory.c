/* Planning a plan's arena, and the pool of blocks for sizes that only running tells. */
#include "engine/memory.h"

#include <stdlib.h>

#include "base/checked.h"

/* ---- planned ---- */

static int compare_size(const void *a, const void *b) {
  const rg_block *x = *(const rg_block *const *)a, *y = *(const rg_block *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x < y ? -1 : x > y; /* repeatable: qsort is not stable */
}

/* The lowest offset where `block` fits beside placed[], which is ordered by offset. */
static rango_status lowest_offset(rg_block *const *placed, size_t count, rg_block *block) {
  size_t offset = 0;
  for (size_t i = 0; i < count; i++) {
    const rg_block *other = placed[i];
    if (other->last < block->first || other->first > block->last) continue;
    size_t end;
    if (rg_add_size(offset, block->bytes, &end) && end <= other->offset) break;
    size_t after = rg_round_up(other->offset + other->bytes, RG_ALIGNMENT);
    if (after > offset) offset = after;
  }
  size_t end;
  RG_FAIL_IF(!rg_add_size(offset, block->bytes, &end) || end > SIZE_MAX / 2, RANGO_ERROR_LIMIT,
             "activations need more memory than can be addressed");
  block->offset = offset;
  return RANGO_OK;
}

rango_status rg_memory_plan(rg_block *blocks, size_t count, size_t *total) {
  *total = 0;
  if (count == 0) return RANGO_OK;
  rg_block **order; /* [count] by size, then [count] placed by offset */
  RG_TRY(rg_calloc(count, 2 * sizeof *order, RG_OUT(&order)));
  rg_block **placed = order + count;
  for (size_t i = 0; i < count; i++) order[i] = &blocks[i];
  qsort(order, count, sizeof *order, compare_size);
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < count; i++) {
    rg_block *block = order[i];
    RG_TRY_DONE(lowest_offset(placed, i, block));
    size_t at = i;
    for (; at > 0 && placed[at - 1]->offset > block->offset; at--) placed[at] = placed[at - 1];
    placed[at] = block;
    if (block->offset + block->bytes > *total) *total = block->offset + block->bytes;
  }
  *total = rg_round_up(*total, RG_ALIGNMENT);
done:
  rg_free(order);
  return status;
}

/* ---- as needed ---- */

struct rg_pool_block {
  rg_pool_block *next;
  void *data;
  size_t bytes;
  int references;
  bool used; /* in this run */
};

struct rg_pool {
  rg_pool_block *first;
};

rango_status rg_pool_create(rg_pool **out) { return rg_calloc(1, sizeof **out, RG_OUT(out)); }

static void block_free(rg_pool_block *block) {
  rg_free(block->data);
  rg_free(block);
}

void rg_pool_free(rg_pool *pool) {
  if (!pool) return;
  while (pool->first) {
    rg_pool_block *block = pool->first;
    pool->first = block->next;
    block_free(block);
  }
  rg_free(pool);
}

/* A free block is taken while at most half of it would be wasted: the smallest such. */
static rg_pool_block *find_free(rg_pool *pool, size_t bytes) {
  rg_pool_block *best = NULL;
  for (rg_pool_block *block = pool->first; block; block = block->next)
    if (block->references == 0 && block->bytes >= bytes && block->bytes / 2 <= bytes &&
        (!best || block->bytes < best->bytes))
      best = block;
  return best;
}

rango_status rg_pool_take(rg_pool *pool, size_t bytes, rg_pool_block **out) {
  if (bytes < RG_ALIGNMENT) bytes = RG_ALIGNMENT;
  rg_pool_block *block = find_free(pool, bytes);
  if (!block) {
    RG_TRY(rg_calloc(1, sizeof *block, RG_OUT(&block)));
    rango_status status = rg_alloc(bytes, &block->data);
    if (status != RANGO_OK) {
      rg_free(block);
      return status;
    }
    block->bytes = bytes;
    block->next = pool->first;
    pool->first = block;
  }
  block->references = 1;
  block->used = true;
  *out = block;
  return RANGO_OK;
}

void *rg_pool_data(const rg_pool_block *block) { return block->data; }

rg_pool_block *rg_pool_retain(rg_pool_block *block) {
  block->references++;
  return block;
}

void rg_pool_release(rg_pool_block *block) {
  if (block) block->references--;
}

void rg_pool_trim(rg_pool *pool) {
  rg_pool_block **link = &pool->first;
  while (*link) {
    rg_pool_block *block = *link;
    if (block->references == 0 && !block->used) {
      *link = block->next;
      block_free(block);
    } else {
      block->used = false;
      link = &block->next;
    }
  }
}
