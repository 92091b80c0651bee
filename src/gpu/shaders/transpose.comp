#version 450
// Matrices turned by way of shared memory, so that both sides are touched along their innermost axes: x is read along
// its axis of step 1 (`columns`), y written along its own (`rows`). The axes around them are up to four.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "element.glsl"

#define TILE 32

layout(local_size_x = TILE, local_size_y = 8) in;
layout(binding = 1) readonly buffer X { MEMORY x[]; };
layout(binding = 2) writeonly buffer Y { MEMORY y[]; };
layout(push_constant) uniform Push {
  uint tiles; // of all matrices
  uint rows, columns, x_row, y_column, row_tiles, column_tiles, x_at;
  uint dim0, dim1, dim2; // around, the innermost first
  uint x0, x1, x2, x3;
  uint y0, y1, y2, y3;
};

shared ELEMENT tile[TILE][TILE + 1];

void main() {
  const uint group = FLAT_GROUP;
  if (group >= tiles) return;
  uint rest = group / column_tiles;
  const uint column = (group - rest * column_tiles) * TILE;
  uint matrix = rest / row_tiles;
  const uint row = (rest - matrix * row_tiles) * TILE;
  const uint i0 = matrix % dim0, r0 = matrix / dim0, i1 = r0 % dim1, r1 = r0 / dim1, i2 = r1 % dim2, i3 = r1 / dim2;
  const uint from = x_at + i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3, to = i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3;
  const uint across = gl_LocalInvocationID.x;
  for (uint down = gl_LocalInvocationID.y; down < TILE; down += 8)
    if (row + down < rows && column + across < columns)
      tile[down][across] = ELEMENT(x[from + (row + down) * x_row + column + across]);
  barrier();
  for (uint down = gl_LocalInvocationID.y; down < TILE; down += 8)
    if (row + across < rows && column + down < columns)
      y[to + (column + down) * y_column + row + across] = MEMORY(tile[across][down]);
}
