/* Walking several strided arrays of one shape together, row by row, and rows of any integer type. */
#ifndef RG_OPS_WALK_H
#define RG_OPS_WALK_H

#include "ops/support.h"

#define RG_WALK_MAX 4 /* arrays walked together */

/* After rg_walk_next said true: row [count] of array k begins at element offset[k] and goes on in steps of step[k].
 * Axes that are contiguous in every array are merged, so rows are as long as can be. */
typedef struct rg_walk {
  int64_t count, step[RG_WALK_MAX], offset[RG_WALK_MAX];
  int arrays, rank; /* rank: of the axes above the row */
  bool started, empty;
  int64_t dims[RANGO_MAX_RANK], index[RANGO_MAX_RANK], strides[RG_WALK_MAX][RANGO_MAX_RANK];
} rg_walk;

/* strides[k] are array k's, in elements, one an axis of `shape`; 0 where it is stretched. */
void rg_walk_start(rg_walk *walk, const rg_shape *shape, int arrays, const int64_t *const *strides);
bool rg_walk_next(rg_walk *walk);

/* row[i] = element start + i * step of an array of integers or bools, and back (the low bits are kept; bool: not 0).
 * uint64 goes through int64 bit by bit. */
void rg_load_integers(rango_type type, const void *data, int64_t start, int64_t step, int64_t count, int64_t *row);
void rg_store_integers(rango_type type, void *data, int64_t start, int64_t step, int64_t count, const int64_t *row);

/* Copies the elements of a shape between arrays of different strides. `size`: bytes an element, 1, 2, 4, 8 or 16. */
void rg_copy_strided(const rg_shape *shape, size_t size, const void *from, const int64_t *from_strides, void *to,
                     const int64_t *to_strides);
/* Bytes of an element that rg_copy_strided takes; 0 for strings and types under 8 bits. */
static inline size_t rg_element_bytes(rango_type type) { return rango_type_bits(type) / 8; }

#define RG_ROW_MAX 256 /* elements that are converted at a time */

#endif
