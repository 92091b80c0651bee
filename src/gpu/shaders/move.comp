#version 450
// y[y_at + steps] = x[x_at + steps] over up to six axes, sizes and steps from the innermost axis on. Bytes: y's
// innermost axis and all its steps but that of 1 are multiples of 4.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "element.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { MEMORY x[]; };
layout(binding = 2) writeonly buffer Y { MEMORY y[]; };
layout(push_constant) uniform Push {
  uint count, dim0, dim1, dim2, dim3, dim4;
  uint rank, x_at, y_at;
  uint x0, x1, x2, x3, x4, x5;
  uint y0, y1, y2, y3, y4, y5;
};

#define AXIS(number, size, x_step, y_step)    \
  if (rank > number) {                        \
    const uvec4 outer = rest / size;          \
    const uvec4 index = rest - outer * size;  \
    from += index * x_step;                   \
    to += index * y_step;                     \
    rest = outer;                             \
  }

void main() {
  const uvec4 at = AT_ONCE;
  if (at[0] >= count) return;
  uvec4 rest = min(at, uvec4(count - 1)), from = uvec4(x_at), to = uvec4(y_at);
  AXIS(1u, dim0, x0, y0)
  AXIS(2u, dim1, x1, y1)
  AXIS(3u, dim2, x2, y2)
  AXIS(4u, dim3, x3, y3)
  AXIS(5u, dim4, x4, y4)
  // What is left is the outermost axis's index.
  const uint x_last = rank == 1 ? x0 : rank == 2 ? x1 : rank == 3 ? x2 : rank == 4 ? x3 : rank == 5 ? x4 : x5;
  const uint y_last = rank == 1 ? y0 : rank == 2 ? y1 : rank == 3 ? y2 : rank == 4 ? y3 : rank == 5 ? y4 : y5;
  from += rest * x_last;
  to += rest * y_last;
#ifdef BYTE
  uint word = 0;
  for (uint k = 0; k < 4; k++) word |= LOAD_ELEMENT(x, from[k]) << (8 * k);
  y[to[0] >> 2] = word;
#else
  for (uint k = 0; k < 4; k++)
    if (at[k] < count) y[to[k]] = MEMORY(LOAD_ELEMENT(x, from[k]));
#endif
}
