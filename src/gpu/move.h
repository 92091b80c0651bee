/* Copies between strided arrays, and what operators that move elements need to know beforehand. */
#ifndef RG_GPU_MOVE_H
#define RG_GPU_MOVE_H

#include "gpu/families.h"
#include "ops/support.h"

#define RG_GPU_MOVE_AXES (2 * RANGO_MAX_RANK)

/* An axis of a copy: its size, and the steps of both sides in elements. Those of x may be 0 or negative. */
typedef struct rg_gpu_axis {
  int64_t size, x, y;
} rg_gpu_axis;

/* A task that copies x to y, beginning at these elements; none where nothing is to be copied. False where no shader
 * does it. */
bool rg_gpu_add_move(rg_gpu_prepare *prepare, rango_type type, const rg_gpu_axis *axes, int count, rg_gpu_operand x,
                     rg_gpu_operand y, int64_t x_at, int64_t y_at);

/* Integers of an attribute (NULL: none) or else of a small input that is known beforehand: `values` has room for
 * RG_GPU_MOVE_AXES; *count -1 when absent. False when they are known at run time alone. */
bool rg_gpu_integers(const rg_gpu_prepare *prepare, const char *attribute, int input, int64_t *values, int *count);

/* Element strides of input or output `index`, by logical axis. */
void rg_gpu_input_strides(const rg_gpu_prepare *prepare, int index, int64_t *strides);
void rg_gpu_output_strides(const rg_gpu_prepare *prepare, int index, int64_t *strides);

#endif
