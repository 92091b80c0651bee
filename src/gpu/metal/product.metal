// The twin of shaders/product.comp for GPUs that multiply 8 x 8 matrices by SIMD group (Apple7 and later), by hand: the same
// arguments, tiles and group sizes, so that either stands for the other. The build puts the variant's definitions in
// front, and translated functions (activation.comp) where they are included.
//
// Each SIMD group holds SIMD_M x SIMD_N results in matrices; x and w pass through threadgroup memory as they lie, DEPTH
// columns and rows at a time, and at the end the results pass through it eight rows at a time, to be finished and
// written by vectors.
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;

#ifdef HALF
typedef half4 store4;
#else
typedef float4 store4;
#endif

#include "functions"

#ifndef SLICES
#define SLICES 1
#endif
#define THREADS (SLICES * (TM / RM) * (TN / RN))
#define DEPTH   (SLICES * TK > 16 ? SLICES * TK : 16) // columns of x and rows of w at a time
#define A_QUADS (DEPTH / 4)   // of a row
#define B_QUADS (TN / 4)
#define A_EACH  (TM * A_QUADS / THREADS)
#define B_EACH  (DEPTH * B_QUADS / THREADS)
#define A_LINE  (A_QUADS + 1) // padded against bank conflicts
#define B_LINE  (B_QUADS + 1)
#define B_FIRST (TM * A_LINE) // where w's tile lies in the threadgroup's memory
#if TM >= 64
#define SIMD_ROWS 2 // SIMD groups above one another
#elif TM >= 32
#define SIMD_ROWS (THREADS / 64)
#else
#define SIMD_ROWS 1
#endif
#define SIMD_COLUMNS (THREADS / 32 / SIMD_ROWS)
#define SIMD_M       (TM / SIMD_ROWS)
#define SIMD_N       (TN / SIMD_COLUMNS)
#define STRIP_QUADS  (SIMD_N / 4)
#define UNROLL_ALL   _Pragma("clang loop unroll(full)")

static_assert(TM * A_QUADS % THREADS == 0 && DEPTH * B_QUADS % THREADS == 0, "every thread brings as much of the tiles");
static_assert(SIMD_M % 8 == 0 && SIMD_N % 8 == 0 && DEPTH % 8 == 0, "SIMD groups hold whole matrices");
static_assert(SIMD_ROWS * SIMD_M == TM && SIMD_COLUMNS * SIMD_N == TN, "SIMD groups share all results");
static_assert(THREADS / 32 * 8 * STRIP_QUADS <= TM * A_LINE + DEPTH * B_LINE, "strips fit in the tiles' memory");

struct Push {
    uint m, n, k;
    uint x_row, w_row, y_row;
    uint x_batch, w_batch, y_batch;
    uint w_columns;
    uint splits, split_k;
    uint flags;
    uint act;
    float alpha, beta;
#ifdef CONV
    uint height, width, channels;
    uint x_image, x_channel;
    uint out_width, out_pixels;
    uint kernel_width, stride;
    uint pad, dilation;
#endif
};

#ifdef CONV
struct Row {
    int top, left;
    uint image;
};

inline Row row_of(constant Push& p, uint row) {
    Row out = {-0x40000000, 0, 0u};
    if (row >= p.m) return out;
    const uint image = row / p.out_pixels, pixel = row - image * p.out_pixels;
    const uint oy = pixel / p.out_width, ox = pixel - oy * p.out_width;
    out.top = int(oy * (p.stride & 0xffffu)) - int(p.pad & 0xffffu);
    out.left = int(ox * (p.stride >> 16)) - int(p.pad >> 16);
    out.image = image * p.x_image;
    return out;
}

inline float4 read_x(constant Push& p, const device store4* x, Row row, uint base, uint at, uint end) {
    const uint place = at / p.channels, c = at - place * p.channels;
    const uint ky = place / p.kernel_width, kx = place - ky * p.kernel_width;
    const int iy = row.top + int(ky * (p.dilation & 0xffffu)), ix = row.left + int(kx * (p.dilation >> 16));
    if (at >= end || uint(iy) >= p.height || uint(ix) >= p.width) return float4(0.0);
    return float4(x[(base + row.image + (uint(iy) * p.width + uint(ix)) * p.x_row + c) >> 2]);
}
#else
inline float4 read_x(constant Push& p, const device store4* x, uint row, uint base, uint at, uint end) {
    if (row >= p.m || at >= end) return float4(0.0);
    return float4(x[(base + row * p.x_row + at) >> 2]);
}
#endif

inline float4 read_w(constant Push& p, const device store4* w, uint base, uint at, uint column, uint end) {
    if (at >= end || column >= p.w_columns) return float4(0.0);
    return float4(w[(base + at * p.w_row + column) >> 2]);
}

inline float4 activate4(constant Push& p, float4 v) {
    const uint kind = p.act; // in the address space that translated functions take
    const float alpha = p.alpha, beta = p.beta;
    if (kind == 0u) return v;
    return activate_each(kind, alpha, beta, v);
}

[[max_total_threads_per_threadgroup(THREADS)]]
kernel void main0(constant Push& p [[buffer(0)]], const device store4* x [[buffer(1)]],
                  const device store4* w [[buffer(2)]], const device store4* bias [[buffer(3)]],
                  const device store4* residual [[buffer(4)]], device store4* y [[buffer(5)]],
                  device float* partial [[buffer(6)]], uint3 group [[threadgroup_position_in_grid]],
                  uint3 groups [[threadgroups_per_grid]], uint t [[thread_index_in_threadgroup]],
                  uint lane [[thread_index_in_simdgroup]], uint simd [[simdgroup_index_in_threadgroup]]) {
    threadgroup float4 tiles[TM * A_LINE + DEPTH * B_LINE];
    const uint first_column = group.x * TN, first_row = group.y * TM;
    const uint matrix_index = group.z / p.splits, split = group.z - matrix_index * p.splits;
    const uint begin = split * p.split_k, end = min(p.k, begin + p.split_k);
    const uint x_base = matrix_index * p.x_batch, w_base = matrix_index * p.w_batch;
    const uint simd_row = simd / SIMD_COLUMNS * SIMD_M, simd_column = simd % SIMD_COLUMNS * SIMD_N;

#ifdef CONV
    Row rows[A_EACH];
    UNROLL_ALL
    for (uint i = 0; i < A_EACH; i++) rows[i] = row_of(p, first_row + (t + i * THREADS) / A_QUADS);
#define ROW(i) rows[i]
#else
#define ROW(i) (first_row + (t + (i) * THREADS) / A_QUADS)
#endif

    simdgroup_float8x8 sums[SIMD_M / 8][SIMD_N / 8];
    UNROLL_ALL
    for (uint i = 0; i < SIMD_M / 8; i++)
        UNROLL_ALL
        for (uint j = 0; j < SIMD_N / 8; j++) sums[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0);

    for (uint at = begin; at < end; at += DEPTH) {
        UNROLL_ALL
        for (uint i = 0; i < A_EACH; i++) {
            const uint unit = t + i * THREADS, quad = unit % A_QUADS;
            tiles[unit / A_QUADS * A_LINE + quad] = read_x(p, x, ROW(i), x_base, at + quad * 4, end);
        }
        UNROLL_ALL
        for (uint i = 0; i < B_EACH; i++) {
            const uint unit = t + i * THREADS, quad = unit % B_QUADS, row = unit / B_QUADS;
            tiles[B_FIRST + row * B_LINE + quad] = read_w(p, w, w_base, at + row, first_column + quad * 4, end);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint s = 0; s < DEPTH; s += 8) {
            simdgroup_float8x8 a[SIMD_M / 8], b[SIMD_N / 8];
            UNROLL_ALL
            for (uint i = 0; i < SIMD_M / 8; i++)
                simdgroup_load(a[i], (const threadgroup float*)(tiles + (simd_row + i * 8) * A_LINE + s / 4), A_LINE * 4);
            UNROLL_ALL
            for (uint j = 0; j < SIMD_N / 8; j++)
                simdgroup_load(b[j], (const threadgroup float*)(tiles + B_FIRST + s * B_LINE + simd_column / 4 + j * 2),
                               B_LINE * 4);
            UNROLL_ALL
            for (uint i = 0; i < SIMD_M / 8; i++)
                UNROLL_ALL
                for (uint j = 0; j < SIMD_N / 8; j++) simdgroup_multiply_accumulate(sums[i][j], a[i], b[j], sums[i][j]);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }

    // Eight rows of the SIMD group's results at a time; each has its own strip of memory.
    const uint strip = simd * 8 * STRIP_QUADS, y_base = matrix_index * p.y_batch;
    UNROLL_ALL
    for (uint i = 0; i < SIMD_M / 8; i++) {
        UNROLL_ALL
        for (uint j = 0; j < SIMD_N / 8; j++)
            simdgroup_store(sums[i][j], (threadgroup float*)(tiles + strip + j * 2), SIMD_N);
        simdgroup_barrier(mem_flags::mem_threadgroup);
        for (uint unit = lane; unit < 8 * STRIP_QUADS; unit += 32) {
            const uint row = first_row + simd_row + i * 8 + unit / STRIP_QUADS;
            const uint column = first_column + simd_column + unit % STRIP_QUADS * 4;
            if (row >= p.m || column >= p.n) continue;
            float4 value = tiles[strip + unit];
            if (p.splits == 1u) {
                if ((p.flags & 1u) != 0u) value += float4(bias[(y_base % p.y_row + column) >> 2]);
                const uint to = (y_base + row * p.y_row + column) >> 2;
                if ((p.flags & 2u) != 0u) value += float4(residual[to]);
                y[to] = store4(activate4(p, value));
            } else {
                const uint to = ((split * (groups.z / p.splits) + matrix_index) * p.m + row) * p.n + column;
                for (uint c = 0; c < 4; c++) partial[to + c] = value[c];
            }
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
    }
}
