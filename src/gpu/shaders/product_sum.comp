#version 450
// Adds the parts of a product whose k was split (product.comp), and finishes it: y = activation(sum + bias + residual).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"

layout(local_size_x = 128) in;
layout(binding = 1) readonly buffer Partial { float partial[]; };
layout(binding = 2) readonly buffer Bias { STORE bias[]; };
layout(binding = 3) readonly buffer Residual { STORE residual[]; };
layout(binding = 4) writeonly buffer Y { STORE y[]; };

layout(push_constant) uniform Push {
  uint count, n, rows; // results, columns, rows of a matrix
  uint y_row, y_batch; // as in product.comp
  uint splits;
  uint flags;
  uint act;
  float alpha, beta;
};

void main() {
  const uint i = FLAT_GROUP * 128u + gl_LocalInvocationID.x;
  if (i >= count) return;
  float sum = 0.0;
  for (uint s = 0u; s < splits; s++) sum += partial[s * count + i];
  const uint line = i / n, column = i - line * n, matrix = line / rows, base = matrix * y_batch;
  const uint at = base + (line - matrix * rows) * y_row + column;
  if ((flags & 1u) != 0u) sum += float(bias[base % y_row + column]);
  if ((flags & 2u) != 0u) sum += float(residual[at]);
  y[at] = STORE(activate(act, alpha, beta, sum));
}
