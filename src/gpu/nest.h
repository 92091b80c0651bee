/* Loops over the axes of several arrays at once, which shaders run through in flat order: axes that all arrays run
 * through alike become one, and those of size 1 vanish. */
#ifndef RG_GPU_NEST_H
#define RG_GPU_NEST_H

#include "gpu/families.h"

#define RG_GPU_NEST_AXES 6 /* that shaders take */

typedef struct rg_gpu_nest {
  int arrays, rank; /* rank >= 1 */
  int64_t dims[2 * RANGO_MAX_RANK];
  int64_t steps[RG_GPU_BINDINGS_MAX][2 * RANGO_MAX_RANK]; /* elements; 0 where an array is stretched */
} rg_gpu_nest;

void rg_gpu_nest_begin(rg_gpu_nest *nest, int arrays);
/* An axis inside those before: steps[a] elements in array a. */
void rg_gpu_nest_axis(rg_gpu_nest *nest, int64_t size, const int64_t *steps);
/* The axes of output 0 in its physical order; its arrays are these inputs of the node, broadcast to it. */
void rg_gpu_nest_broadcast(rg_gpu_nest *nest, const rg_gpu_prepare *prepare, const int *inputs, int count);
/* Elements that the loops run through. */
int64_t rg_gpu_nest_count(const rg_gpu_nest *nest);
/* As shaders get it: sizes from the innermost axis on (the sixth's isn't needed), 1 beyond the rank; and an array's
 * steps in the same order. False where there are too many axes. */
bool rg_gpu_nest_dims(const rg_gpu_nest *nest, uint32_t dims[RG_GPU_NEST_AXES - 1]);
/* Multipliers that divide by those sizes (shaders/broadcast.glsl). */
void rg_gpu_nest_magic(const uint32_t dims[RG_GPU_NEST_AXES - 1], uint32_t magic[RG_GPU_NEST_AXES - 1]);
void rg_gpu_nest_steps(const rg_gpu_nest *nest, int array, uint32_t steps[RG_GPU_NEST_AXES]);
/* How shaders/broadcast.glsl finds an array's element: bit i, the array goes along the i-th axis from the inside, and
 * is dense over those that it goes along (false where it is not); RG_GPU_DENSE: along all of them. */
#define RG_GPU_DENSE 0x40u
bool rg_gpu_nest_mask(const rg_gpu_nest *nest, int array, uint32_t *mask);

#endif
