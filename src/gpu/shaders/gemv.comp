#version 450
// y = activation(x w + bias + residual) for up to four rows of x: 32 threads a column of w, which lies [column][k / 4], so
// that the weights are read once, in order, and nothing has to be added up afterwards.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"

#define ROWS 4u
#define LANES 32u
#define COLUMNS 4u // of a group
#define AHEAD 4u   // weights a thread asks for before it uses the first

layout(local_size_x = LANES * COLUMNS) in;
layout(binding = 1) readonly buffer X { STORE x[]; };
layout(binding = 2) readonly buffer W { STORE4 w[]; };
layout(binding = 3) readonly buffer Bias { STORE bias[]; };
layout(binding = 4) readonly buffer Residual { STORE residual[]; };
layout(binding = 5) writeonly buffer Y { STORE y[]; };

layout(push_constant) uniform Push {
  uint m, n, k;
  uint x_row, w_row, y_row; // elements; w_row is k rounded up to 4
  uint flags;               // 1: bias, 2: residual
  uint act;
  float alpha, beta;
};

shared vec4 parts[COLUMNS * LANES]; // of ROWS sums

vec4 read_x(uint row, uint at) {
  const uint from = row * x_row + at;
  vec4 value = vec4(0.0);
  if (at + 3u < k) {
    value = vec4(x[from], x[from + 1u], x[from + 2u], x[from + 3u]);
  } else {
    for (uint i = 0u; at + i < k; i++) value[i] = float(x[from + i]);
  }
  return value;
}

void main() {
  const uint t = gl_LocalInvocationID.x, lane = t % LANES, column = FLAT_GROUP * COLUMNS + t / LANES;
  const uint steps = column < n ? w_row / 4u : 0u;
  vec4 sums = vec4(0.0);
  for (uint at = lane; at < steps; at += AHEAD * LANES) {
    vec4 weights[AHEAD];
    [[unroll]] for (uint i = 0u; i < AHEAD; i++)
      weights[i] = at + i * LANES < steps ? vec4(w[column * (w_row / 4u) + at + i * LANES]) : vec4(0.0);
    [[unroll]] for (uint i = 0u; i < AHEAD; i++) {
      const uint from = (at + i * LANES) * 4u;
      if (from >= k) continue;
      sums.x += dot(weights[i], read_x(0u, from));
      if (m > 1u) sums.y += dot(weights[i], read_x(1u, from));
      if (m > 2u) sums.z += dot(weights[i], read_x(2u, from));
      if (m > 3u) sums.w += dot(weights[i], read_x(3u, from));
    }
  }
  parts[t] = sums;
  barrier();
  for (uint half_way = LANES / 2u; half_way > 0u; half_way /= 2u) {
    if (lane < half_way) parts[t] += parts[t + half_way];
    barrier();
  }
  if (lane >= m || column >= n) return;
  float value = parts[t - lane][lane];
  if ((flags & 1u) != 0u) value += float(bias[column]);
  if ((flags & 2u) != 0u) value += float(residual[lane * y_row + column]);
  y[lane * y_row + column] = STORE(activate(act, alpha, beta, value));
}
