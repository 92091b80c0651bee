#version 450
// Layer and RMS normalisation of rows whose elements lie together: y = (x - mean) / deviation * scale + bias, by vectors of
// four. `lanes` threads of a group share a row and keep it, up to HELD vectors each.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define KIND_LAYER 0u // as norm.comp's
#define HAS_BIAS   2u
#define THREADS    64u
#define HELD       8u

layout(local_size_x = THREADS) in;
layout(binding = 1) readonly buffer X { STORE4 x[]; };
layout(binding = 2) readonly buffer S { STORE4 scale[]; };
layout(binding = 3) readonly buffer B { STORE4 bias[]; };
layout(binding = 4) writeonly buffer Y { STORE4 y[]; };
layout(push_constant) uniform Push {
  uint rows, vectors, lanes, kind, flags; // lanes: a power of two from 4 on
  float epsilon;
};

shared vec4 parts[2][THREADS / 4];

// The sum of all elements that the row's threads hold parts of.
float over_lanes(uint which, vec4 part) {
  const uint t = gl_LocalInvocationID.x, first = t / lanes * (lanes / 4u);
  parts[which][t >> 2][t & 3u] = (part.x + part.y) + (part.z + part.w);
  barrier();
  vec4 sum = parts[which][first];
  for (uint i = 1u; i < lanes / 4u; i++) sum += parts[which][first + i];
  return (sum.x + sum.y) + (sum.z + sum.w);
}

void main() {
  const uint t = gl_LocalInvocationID.x, lane = t % lanes;
  const uint row = FLAT_GROUP * (THREADS / lanes) + t / lanes, base = min(row, rows - 1u) * vectors;
  const float count = float(vectors * 4u);
  vec4 held[HELD], sum = vec4(0.0), squares = vec4(0.0);
  [[unroll]] for (uint j = 0u; j < HELD; j++) {
    const uint k = lane + j * lanes;
    held[j] = k < vectors ? vec4(x[base + k]) : vec4(0.0);
    sum += held[j];
  }
  const float mean = kind == KIND_LAYER ? over_lanes(0u, sum) / count : 0.0;
  [[unroll]] for (uint j = 0u; j < HELD; j++) {
    held[j] -= mean;
    if (lane + j * lanes < vectors) squares = fma(held[j], held[j], squares);
  }
  const float inverse = 1.0 / sqrt(over_lanes(1u, squares) / count + epsilon);
  if (row >= rows) return;
  [[unroll]] for (uint j = 0u; j < HELD; j++) {
    const uint k = lane + j * lanes;
    if (k >= vectors) continue;
    vec4 value = held[j] * inverse * vec4(scale[k]);
    if ((flags & HAS_BIAS) != 0u) value += vec4(bias[k]);
    y[base + k] = STORE4(value);
  }
}
