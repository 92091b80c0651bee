/* How a group's threads share rows (shaders/rows.glsl). */
#ifndef RG_GPU_ROWS_H
#define RG_GPU_ROWS_H

#include "gpu/families.h"

/* `rows` rows of `axis` elements; `along`: a row's elements lie beside each other. */
typedef struct rg_gpu_rows {
  uint32_t rows, axis, lanes, width, along;
} rg_gpu_rows;

rg_gpu_rows rg_gpu_rows_make(int64_t rows, int64_t axis, bool along);
/* Groups for all rows; false where there are too many. */
bool rg_gpu_rows_groups(const rg_gpu_prepare *prepare, rg_gpu_task *task, const rg_gpu_rows *rows);

/* [outer][axis][inner] of a fact around an axis, row-major. */
void rg_gpu_around(const rg_fact *fact, int axis, int64_t *outer, int64_t *inner);

#endif
