#include <metal_stdlib>

using namespace metal;

// Each group of 64 turns its part of the array around. `fault` 1: without the barrier that this needs; 2: half of the
// threads don't come to it.
kernel void main0(constant uint& fault [[buffer(0)]], const device float* a [[buffer(1)]], device float* y [[buffer(2)]], uint group [[threadgroup_position_in_grid]], uint thread_index [[thread_index_in_threadgroup]])
{
    threadgroup float tile[64];
    tile[thread_index] = a[group * 64u + thread_index];
    if (fault == 0u || (fault == 2u && thread_index < 32u))
    {
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    y[group * 64u + thread_index] = tile[63u - thread_index];
}
