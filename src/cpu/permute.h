/* Moving elements from one order of axes to another, or out of a part of a tensor. */
#ifndef RG_CPU_PERMUTE_H
#define RG_CPU_PERMUTE_H

#include "cpu/cpu.h"
#include "kernels/vector.h"

/* y has axes 0 … rank-1; x's element at the same indices lies at the sum of index times step. Axes that stay neighbours
 * are one, sizes of 1 are gone. */
typedef struct rg_permute {
  const rg_vector_kernels *kernels;
  size_t element; /* bytes: 1, 2, 4, 8 or 16 */
  int rank;
  size_t dims[RANGO_MAX_RANK], x_steps[RANGO_MAX_RANK], y_steps[RANGO_MAX_RANK];
  size_t total;
  int rows,
      cols; /* axes of y: its last, and the one x has in steps of 1; equal where rows of y are copied one by one */
} rg_permute;

/* For y's dims and, by y's axes, x's strides. */
void rg_permute_make(rg_permute *permute, const rg_vector_kernels *kernels, size_t element, int rank,
                     const size_t *dims, const size_t *x_steps);
void rg_permute_run(const rg_permute *permute, rango_threads *threads, const void *x, void *y);

/* `rows` pieces of `bytes` bytes, so far apart. */
void rg_copy_rows(char *to, size_t to_step, const char *from, size_t from_step, size_t bytes, size_t rows);

#endif
