#include "gpu/nest.h"

void rg_gpu_nest_begin(rg_gpu_nest *nest, int arrays) {
  *nest = (rg_gpu_nest){.arrays = arrays, .rank = 1, .dims = {1}};
}

/* Whether an axis inside the last one continues it in every array. */
static bool continues(const rg_gpu_nest *nest, int64_t size, const int64_t *steps) {
  for (int a = 0; a < nest->arrays; a++)
    if (nest->steps[a][nest->rank - 1] != steps[a] * size) return false;
  return true;
}

void rg_gpu_nest_axis(rg_gpu_nest *nest, int64_t size, const int64_t *steps) {
  if (size == 1) return;
  const bool first = nest->rank == 1 && nest->dims[0] == 1;
  if (!first && !continues(nest, size, steps)) nest->dims[nest->rank++] = 1;
  nest->dims[nest->rank - 1] *= size;
  for (int a = 0; a < nest->arrays; a++) nest->steps[a][nest->rank - 1] = steps[a];
}

void rg_gpu_nest_broadcast(rg_gpu_nest *nest, const rg_gpu_prepare *prepare, const int *inputs, int count) {
  const rg_fact *out = prepare->outputs[0];
  size_t strides[RG_GPU_BINDINGS_MAX][RANGO_MAX_RANK] = {{0}};
  int axes[RANGO_MAX_RANK] = {0};
  rg_gpu_nest_begin(nest, count);
  for (int a = 0; a < count; a++) {
    const rg_fact *in = prepare->inputs[inputs[a]];
    rg_physical_strides(in->rank, in->dims, prepare->node->inputs[inputs[a]]->layout, strides[a]);
  }
  rg_physical_axes(out->rank, prepare->node->outputs[0]->layout, axes);
  for (int i = 0; i < out->rank; i++) {
    int64_t steps[RG_GPU_BINDINGS_MAX] = {0};
    for (int a = 0; a < count; a++) {
      const rg_fact *in = prepare->inputs[inputs[a]];
      const int own = axes[i] - (out->rank - in->rank);
      if (own >= 0 && in->dims[own] != 1) steps[a] = (int64_t)strides[a][own];
    }
    rg_gpu_nest_axis(nest, out->dims[axes[i]], steps);
  }
}

int64_t rg_gpu_nest_count(const rg_gpu_nest *nest) {
  int64_t count = 1;
  for (int i = 0; i < nest->rank; i++) count *= nest->dims[i];
  return count;
}

bool rg_gpu_nest_dims(const rg_gpu_nest *nest, uint32_t dims[RG_GPU_NEST_AXES - 1]) {
  if (nest->rank > RG_GPU_NEST_AXES) return false;
  for (int i = 0; i < RG_GPU_NEST_AXES - 1; i++)
    dims[i] = i < nest->rank ? (uint32_t)nest->dims[nest->rank - 1 - i] : 1;
  return true;
}

void rg_gpu_nest_magic(const uint32_t dims[RG_GPU_NEST_AXES - 1], uint32_t magic[RG_GPU_NEST_AXES - 1]) {
  for (int i = 0; i < RG_GPU_NEST_AXES - 1; i++) {
    int bits = 0;
    while (((uint64_t)1 << bits) < dims[i]) bits++;
    magic[i] = dims[i] > 0 ? (uint32_t)(((uint64_t)1 << (31 + bits)) / dims[i] + 1) : 0;
  }
}

void rg_gpu_nest_steps(const rg_gpu_nest *nest, int array, uint32_t steps[RG_GPU_NEST_AXES]) {
  for (int i = 0; i < RG_GPU_NEST_AXES; i++)
    steps[i] = i < nest->rank ? (uint32_t)nest->steps[array][nest->rank - 1 - i] : 0;
}

bool rg_gpu_nest_mask(const rg_gpu_nest *nest, int array, uint32_t *mask) {
  int64_t dense = 1;
  *mask = 0;
  for (int i = 0; i < nest->rank; i++) {
    const int axis = nest->rank - 1 - i;
    const int64_t step = nest->steps[array][axis];
    if (step != 0 && step != dense) return false;
    if (step != 0) *mask |= 1u << i;
    if (step != 0) dense *= nest->dims[axis];
  }
  if (*mask == (1u << nest->rank) - 1) *mask = RG_GPU_DENSE;
  return true;
}
