/* x86-64 with AVX-512 F, BW, DQ, VL (Skylake-X, 2017, Zen 4, 2022, and later): 32 registers. */
#include "kernels/gemm.h"

const rg_kernels rg_kernels_avx512 = {
    .isa = "avx512",
    .lanes = 16,
    .mr = 8,
    .nr = 32,
    .block_bytes = 192 << 10,
    .gemm = rg_avx512_gemm,
    .gemm_block = rg_avx512_gemm_block,
    .gemm_narrow = rg_avx512_gemm_narrow,
    .narrow = 8,
    .depthwise = rg_avx512_depthwise,
    .winograd_input = rg_avx512_winograd_input,
    .winograd_output = rg_avx512_winograd_output,
    .costs = {.gflops = 105,
              .gflops_half = 100,
              .gflops_row = 40,
              .gflops_depthwise = 25,
              .gbytes_cache = 40,
              .gbytes_ram = 25,
              .gbytes_transform = 28,
              .overhead_us = 0.5},
    .peak_flops = 2 * RG_PEAK_CHAINS * RG_PEAK_STEPS * 16,
    .peak = rg_avx512_peak,
    .read = rg_avx512_read,
    .vector = &rg_vector_avx512,
};
