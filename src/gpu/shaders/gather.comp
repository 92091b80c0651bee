#version 450
// y, dense over up to six axes, takes x[steps of x + the index found at the steps of the indices * axis_step]. An index
// counts from the end where it is negative; one that is out of range is held within it, or, `fallback`, is the last.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "element.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { MEMORY x[]; };
layout(binding = 2) readonly buffer I { uint indices[]; };
layout(binding = 3) writeonly buffer Y { MEMORY y[]; };
layout(push_constant) uniform Push {
  uint count, dim0, dim1, dim2, dim3, dim4, rank; // the innermost first
  int axis;
  uint axis_step, wide, fallback; // wide: int64
  uint x0, x1, x2, x3, x4, x5;
  uint i0, i1, i2, i3, i4, i5;
};

#define AXIS(number, size, x_step, i_step)           \
  if (rank >= number) {                              \
    const uint outer = rank == number ? 0 : rest / size; \
    from += (rest - outer * size) * x_step;          \
    which += (rest - outer * size) * i_step;         \
    rest = outer;                                    \
  }

uint index_at(uint i) {
  const int low = int(indices[wide != 0 ? 2 * i : i]), high = wide != 0 ? int(indices[2 * i + 1]) : low >> 31;
  const bool fits = high == low >> 31; // in 32 bits
  if (fallback != 0) return uint(fits && low >= 0 && low < axis ? low : axis - 1);
  if (!fits) return high < 0 ? 0 : uint(axis - 1);
  return uint(clamp(low < 0 ? low + axis : low, 0, axis - 1));
}

ELEMENT element(uint i) {
  uint rest = i, from = 0, which = 0;
  AXIS(1, dim0, x0, i0)
  AXIS(2, dim1, x1, i1)
  AXIS(3, dim2, x2, i2)
  AXIS(4, dim3, x3, i3)
  AXIS(5, dim4, x4, i4)
  AXIS(6, 1, x5, i5)
  from += index_at(which) * axis_step;
  return LOAD_ELEMENT(x, from);
}

void main() {
  const uvec4 at = AT_ONCE;
  if (at[0] >= count) return;
  ELEMENT values[4];
  for (uint k = 0; k < 4; k++) values[k] = element(min(at[k], count - 1));
  STORE_ELEMENTS(y, values);
}
