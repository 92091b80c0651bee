/* x86-64 with AVX2 and FMA (Haswell, 2013, Zen, 2017, and later): 16 registers, so 12 sums, two vectors and a
 * broadcast. */
#include "kernels/gemm.h"

const rg_kernels rg_kernels_avx2 = {
    .isa = "avx2",
    .lanes = 8,
    .mr = 6,
    .nr = 16,
    .block_bytes = 192 << 10,
    .gemm = rg_avx2_gemm,
    .gemm_block = rg_avx2_gemm_block,
    .sgemm = RG_SGEMM,
    .gemm_narrow = rg_avx2_gemm_narrow,
    .narrow = 4,
    .depthwise = rg_avx2_depthwise,
    .winograd_input = rg_avx2_winograd_input,
    .winograd_output = rg_avx2_winograd_output,
    /* `rango tune` on an AMD EPYC of Zen 4 at 3.7 GHz, one thread; memory as beside other work (alone 30 to 37). */
    .costs = {.gflops = 117,
              .gflops_half = 94,
              .gflops_narrow = 117,
              .gflops_depthwise = 66,
              .gbytes_l2 = 118,
              .gbytes_cache = 100,
              .gbytes_ram = 25,
              .gbytes_transform = 22,
              .tile_ns = 5.3,
              .narrow_ns = 4,
              .pointer_ns = 2,
              .copy_ns = 10,
              .overhead_us = 0.1},
    .peak_flops = 2 * RG_PEAK_CHAINS * RG_PEAK_STEPS * 8,
    .peak = rg_avx2_peak,
    .read = rg_avx2_read,
    .vector = &rg_vector_avx2,
};
