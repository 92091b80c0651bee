#version 450
// A weight in the order that products read it, [matrix][k][column], columns rounded up to vectors: zeros there. Element
// (matrix, k, column) is at matrix * matrix_step + k % channels * row + k / channels + column * column_step.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 2) writeonly buffer To { STORE to[]; };

layout(push_constant) uniform Push {
  uint count, k, columns, padded, channels;
  uint matrix_step, row, column_step;
  float scale;
};

void main() {
  const uint i = FLAT_GROUP * 64u + gl_LocalInvocationID.x;
  if (i >= count) return;
  const uint line = i / padded, column = i - line * padded, matrix = line / k, at = line - matrix * k;
  float value = 0.0;
  if (column < columns)
    value = scale * w[matrix * matrix_step + at % channels * row + at / channels + column * column_step];
  to[i] = STORE(value);
}
