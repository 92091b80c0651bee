/*
 * The one matrix product of the CPU backend: c = activation(a * b + bias + residual), for dense layers, convolutions
 * and batched products. Rows of `a` come through a callback as pointers (kernels/table.h: rg_gemm_tile), b is packed
 * (kernels/pack.h). The work is divided among threads by items, rows and panels of columns; never along k, so that an
 * element is always summed by one thread in one order.
 */
#ifndef RG_CPU_GEMM_H
#define RG_CPU_GEMM_H

#include "cpu/cpu.h"
#include "kernels/pack.h"

/* One product of several that differ in their operands alone (groups of a convolution, matrices of a batch). */
typedef struct rg_gemm_item {
  const float *b;        /* packed, segments * k rows */
  float *c;              /* element (i, j) at c[(i - first_row) * c_row + j * c_column] */
  const float *bias;     /* [n] or NULL */
  const float *residual; /* or NULL: at residual[(i - first_row) * residual_row + ...]; may be c */
  size_t first_row;      /* the row that c and residual begin with */
} rg_gemm_item;

typedef struct rg_gemm_args {
  const void *source;
  /* Points pointers[s * mr + i] at the `k` elements of segment s of row begin + i, for i < count <= mr. `scratch` has
   * pack_floats for each row to gather elements in, where the plan asked for it. */
  void (*rows)(const void *source, size_t item, size_t begin, size_t count, float *scratch, const float **pointers);
  void (*item)(const void *source, size_t item, rg_gemm_item *out);
  size_t c_row, c_column, residual_row, residual_column;
  rg_activation activation;
} rg_gemm_args;

/* How a product of known sizes is cut up. */
typedef struct rg_gemm {
  const rg_kernels *kernels;
  size_t items, m, n, segments, k;
  size_t pack_floats;     /* of a row */
  size_t b_rows, b_first; /* b is rows [b_first, b_first + segments * k) of a packed operand of b_rows */
  size_t panels;
  size_t tile_rows, block_rows; /* rows of a register tile, rows whose left operand stays in the cache */
  size_t row_parts, panel_parts, tasks;
  size_t task_bytes; /* scratch of a task */
} rg_gemm;

/* Sets b to a packed operand of its own; a caller may change b_rows and b_first afterwards. */
void rg_gemm_plan(rg_gemm *gemm, const rg_kernels *kernels, int threads, size_t items, size_t m, size_t n,
                  size_t segments, size_t k, size_t pack_floats);
/* RANGO_ERROR_LIMIT where the sizes overflow. */
rango_status rg_gemm_scratch_bytes(const rg_gemm *gemm, size_t *out);
/* `scratch`: rg_gemm_scratch_bytes. */
void rg_gemm_run(const rg_gemm *gemm, const rg_gemm_args *args, rango_threads *threads, void *scratch);
/* Rows [begin, end) of an item in the caller's thread, all columns. `scratch`: task_bytes. */
void rg_gemm_run_rows(const rg_gemm *gemm, const rg_gemm_args *args, size_t item, size_t begin, size_t end,
                      void *scratch);

/* c [rows][n] = a [rows][k] times the first k of a packed operand's b_rows rows, in the caller's thread and one call of
 * the kernel. `pointers`: room for mr a register tile. */
typedef struct rg_gemm_small {
  const float *a, *b;
  float *c;
  size_t a_row, c_row, b_rows;
  size_t rows, n, k;
} rg_gemm_small;
void rg_gemm_run_small(const rg_kernels *kernels, const rg_gemm_small *product, const float **pointers);

/* An activation as bounds that the kernel applies and, where that isn't all, a function applied to the tile afterwards.
 */
typedef struct rg_finish {
  float low, high;
  bool after;
  rg_unary_call call;
} rg_finish;
rg_finish rg_finish_of(rg_activation activation);

#endif
