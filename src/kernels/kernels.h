/*
 * Compute kernels: pure functions on arrays. No allocation, no threads, no globals, no knowledge of graphs. One table
 * an instruction set (generic, neon, avx2, avx512) with its kernels, block sizes and costs on one page each:
 * kernels/<isa>/table.c. Chosen by feature bits; RANGO_ISA forces one.
 */
#ifndef RG_KERNELS_KERNELS_H
#define RG_KERNELS_KERNELS_H

#include "ops/support.h" /* rg_activation */

/* What happens to a tile of results before it is stored: y = activation(acc + bias[column] + residual[row][column]). */
typedef struct rg_epilogue {
  const float *bias;     /* [n] or NULL */
  const float *residual; /* [m][residual_stride] or NULL; may be the output itself */
  size_t residual_stride;
  rg_activation activation;
} rg_epilogue;

typedef struct rg_kernels rg_kernels; /* kernels/table.h: kept apart so that tables can grow without touching callers */

/* The table for `isa` ("avx512", ...; NULL: $RANGO_ISA, else the best the CPU can do). RANGO_ERROR_ARGUMENT names the
 * choices when the CPU can't run it. */
rango_status rg_kernels_get(const char *isa, const rg_kernels **out);
const char *rg_kernels_isa(const rg_kernels *kernels);

#endif
