/* Any CPU: vectors of 16 bytes as GCC and Clang make them of whatever there is. */
#include "kernels/gemm.h"

const rg_kernels rg_kernels_generic = {
    .isa = "generic",
    .lanes = 4,
    .mr = 4,
    .nr = 8,
    .block_bytes = 192 << 10,
    .gemm = rg_generic_gemm,
    .gemm_block = rg_generic_gemm_block,
    .sgemm = RG_SGEMM,
    .depthwise = rg_generic_depthwise,
    .winograd_input = rg_generic_winograd_input,
    .winograd_output = rg_generic_winograd_output,
    /* `rango tune` on an AMD EPYC of Zen 4 at 3.7 GHz, one thread; memory as beside other work (alone 30 to 37). */
    .costs = {.gflops = 39,
              .gflops_half = 30,
              .gflops_narrow = 30,
              .gflops_depthwise = 24,
              .gbytes_l2 = 105,
              .gbytes_cache = 98,
              .gbytes_ram = 25,
              .gbytes_transform = 8,
              .tile_ns = 10,
              .narrow_ns = 10,
              .pointer_ns = 2.8,
              .copy_ns = 16,
              .overhead_us = 0.1},
    .peak_flops = 2 * RG_PEAK_CHAINS * RG_PEAK_STEPS * 4,
    .peak = rg_generic_peak,
    .read = rg_generic_read,
    .vector = &rg_vector_generic,
};
