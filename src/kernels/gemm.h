/* What each instruction set's gemm.c, depthwise.c and winograd.c define; used by its table.c alone. */
#ifndef RG_KERNELS_GEMM_H
#define RG_KERNELS_GEMM_H

#include "kernels/table.h"

#define RG_GEMM_KERNELS(isa)                                                                                           \
  void rg_##isa##_gemm(const rg_gemm_tile *tile);                                                                      \
  void rg_##isa##_gemm_narrow(const rg_gemm_block *block);                                                             \
  void rg_##isa##_gemm_block(const rg_gemm_block *block);                                                              \
  void rg_##isa##_depthwise(const rg_depthwise_line *line);                                                            \
  void rg_##isa##_winograd_input(const rg_winograd_input *in);                                                         \
  void rg_##isa##_winograd_output(const rg_winograd_output *out);                                                      \
  float rg_##isa##_peak(size_t iterations);                                                                            \
  float rg_##isa##_read(const float *x, size_t count);
RG_GEMM_KERNELS(generic)
RG_GEMM_KERNELS(avx2)
RG_GEMM_KERNELS(avx512)
RG_GEMM_KERNELS(neon)
#undef RG_GEMM_KERNELS

/* Of `peak`: independent chains, more than latency times units of any CPU known, and steps of each in an iteration. */
#define RG_PEAK_CHAINS 12
#define RG_PEAK_STEPS  4

#endif
