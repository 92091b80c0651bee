#include <metal_stdlib>

using namespace metal;

// Wants more threadgroup memory than there is.
kernel void main0(device float* y [[buffer(1)]], uint thread_index [[thread_index_in_threadgroup]])
{
    threadgroup float tile[8193];
    tile[thread_index] = 1.0;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    y[thread_index] = tile[thread_index];
}
