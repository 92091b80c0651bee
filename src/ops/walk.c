#include "ops/walk.h"

#include <string.h>

static bool can_merge(const rg_walk *walk, int outer, int64_t inner_size, const int64_t *inner_strides) {
  for (int k = 0; k < walk->arrays; k++)
    if (walk->strides[k][outer] != (int64_t)((uint64_t)inner_strides[k] * (uint64_t)inner_size)) return false;
  return true;
}

void rg_walk_start(rg_walk *walk, const rg_shape *shape, int arrays, const int64_t *const *strides) {
  memset(walk, 0, sizeof *walk);
  walk->arrays = arrays;
  int rank = 0;
  for (int i = 0; i < shape->rank; i++) {
    int64_t size = shape->dims[i], inner[RG_WALK_MAX];
    if (size == 0) walk->empty = true;
    if (size == 1) continue;
    for (int k = 0; k < arrays; k++) inner[k] = strides[k][i];
    if (rank > 0 && !walk->empty && can_merge(walk, rank - 1, size, inner))
      walk->dims[rank - 1] *= size;
    else
      walk->dims[rank++] = size;
    for (int k = 0; k < arrays; k++) walk->strides[k][rank - 1] = inner[k];
  }
  walk->count = 1;
  if (rank == 0) return;
  walk->rank = rank - 1;
  walk->count = walk->dims[rank - 1];
  for (int k = 0; k < arrays; k++) walk->step[k] = walk->strides[k][rank - 1];
}

bool rg_walk_next(rg_walk *walk) {
  if (!walk->started) {
    walk->started = true;
    return !walk->empty;
  }
  for (int i = walk->rank - 1; i >= 0; i--) {
    bool carry = ++walk->index[i] == walk->dims[i];
    for (int k = 0; k < walk->arrays; k++)
      walk->offset[k] += carry ? -walk->strides[k][i] * (walk->dims[i] - 1) : walk->strides[k][i];
    if (!carry) return true;
    walk->index[i] = 0;
  }
  return false;
}

#define LOAD(T)                                                                                                        \
  for (int64_t i = 0; i < count; i++) row[i] = (int64_t)((const T *)data)[start + i * step];                           \
  break

void rg_load_integers(rango_type type, const void *data, int64_t start, int64_t step, int64_t count, int64_t *row) {
  switch (type) {
  case RANGO_BOOL:
  case RANGO_UINT8:
    LOAD(uint8_t);
  case RANGO_INT8:
    LOAD(int8_t);
  case RANGO_UINT16:
    LOAD(uint16_t);
  case RANGO_INT16:
    LOAD(int16_t);
  case RANGO_UINT32:
    LOAD(uint32_t);
  case RANGO_INT32:
    LOAD(int32_t);
  case RANGO_UINT64:
    LOAD(uint64_t);
  default:
    LOAD(int64_t);
  }
}

#define STORE(T)                                                                                                       \
  for (int64_t i = 0; i < count; i++) ((T *)data)[start + i * step] = (T)(uint64_t)row[i];                             \
  break

void rg_store_integers(rango_type type, void *data, int64_t start, int64_t step, int64_t count, const int64_t *row) {
  switch (type) {
  case RANGO_BOOL:
    for (int64_t i = 0; i < count; i++) ((uint8_t *)data)[start + i * step] = row[i] != 0;
    break;
  case RANGO_UINT8:
  case RANGO_INT8:
    STORE(uint8_t);
  case RANGO_UINT16:
  case RANGO_INT16:
    STORE(uint16_t);
  case RANGO_UINT32:
  case RANGO_INT32:
    STORE(uint32_t);
  default:
    STORE(uint64_t);
  }
}

typedef struct pair {
  uint64_t low, high;
} pair;

#define COPY(T)                                                                                                        \
  for (int64_t i = 0; i < count; i++) ((T *)to)[i * to_step] = ((const T *)from)[i * from_step];                       \
  break

static void copy_row(size_t size, const void *from, int64_t from_step, void *to, int64_t to_step, int64_t count) {
  if (from_step == 1 && to_step == 1) {
    memcpy(to, from, (size_t)count * size);
    return;
  }
  switch (size) {
  case 1:
    COPY(uint8_t);
  case 2:
    COPY(uint16_t);
  case 4:
    COPY(uint32_t);
  case 8:
    COPY(uint64_t);
  default:
    COPY(pair);
  }
}

void rg_copy_strided(const rg_shape *shape, size_t size, const void *from, const int64_t *from_strides, void *to,
                     const int64_t *to_strides) {
  rg_walk walk;
  rg_walk_start(&walk, shape, 2, (const int64_t *const[]){from_strides, to_strides});
  while (rg_walk_next(&walk))
    copy_row(size, (const char *)from + walk.offset[0] * (int64_t)size, walk.step[0],
             (char *)to + walk.offset[1] * (int64_t)size, walk.step[1], walk.count);
}
