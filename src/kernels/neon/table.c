/* AArch64, Advanced SIMD: 32 registers; 16 sums, two vectors and eight elements of the left operand. */
#include "kernels/gemm.h"

const rg_kernels rg_kernels_neon = {
    .isa = "neon",
    .lanes = 4,
    .mr = 8,
    .nr = 8,
    .block_bytes = 192 << 10,
    .gemm = rg_neon_gemm,
    .gemm_block = rg_neon_gemm_block,
    .sgemm = RG_SGEMM,
    .depthwise = rg_neon_depthwise,
    .winograd_input = rg_neon_winograd_input,
    .winograd_output = rg_neon_winograd_output,
    /* Estimates: not measured on hardware. */
    .costs = {.gflops = 30,
              .gflops_half = 25,
              .gflops_narrow = 25,
              .gflops_depthwise = 6,
              .gbytes_l2 = 25,
              .gbytes_cache = 20,
              .gbytes_ram = 8,
              .gbytes_transform = 8,
              .tile_ns = 4,
              .narrow_ns = 4,
              .pointer_ns = 1.5,
              .copy_ns = 15,
              .overhead_us = 0.5},
    .peak_flops = 2 * RG_PEAK_CHAINS * RG_PEAK_STEPS * 4,
    .peak = rg_neon_peak,
    .read = rg_neon_read,
    .vector = &rg_vector_neon,
};
