/* Any CPU: vectors of 16 bytes as GCC and Clang make them of whatever there is. */
#include "kernels/gemm.h"

const rg_kernels rg_kernels_generic = {
    .isa = "generic",
    .lanes = 4,
    .mr = 4,
    .nr = 8,
    .block_bytes = 192 << 10,
    .gemm = rg_generic_gemm,
    .depthwise = rg_generic_depthwise,
    .costs = {.gflops = 8, .gbytes_cache = 20, .gbytes_ram = 8, .overhead_us = 1},
    .peak_flops = 2 * RG_PEAK_CHAINS * 4,
    .peak = rg_generic_peak,
    .read = rg_generic_read,
    .vector = &rg_vector_generic,
};
