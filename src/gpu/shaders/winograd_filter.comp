#version 450
// Winograd's transform of weights (winograd.glsl): u [point][padded_in][padded_out] = G w G^T of w [outputs][inputs][3][3],
// zeros where channels are padded.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "winograd.glsl"

layout(local_size_x = 64) in;
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 2) writeonly buffer U { float u[]; };

layout(push_constant) uniform Push {
  uint inputs, outputs, padded_in, padded_out;
};

void main() {
  const uint i = FLAT_GROUP * 64u + gl_LocalInvocationID.x, count = padded_in * padded_out;
  if (i >= count) return;
  const uint from = i / padded_out, to = i % padded_out;
  const bool there = from < inputs && to < outputs;
  float turned[3][SIDE]; // G w: [column][row]
  [[unroll]] for (uint column = 0u; column < 3u; column++) {
    vec3 taps = vec3(0.0);
    if (there)
      [[unroll]] for (uint row = 0u; row < 3u; row++) taps[row] = w[(to * inputs + from) * 9u + row * 3u + column];
    transform_filter(taps, turned[column]);
  }
  [[unroll]] for (uint row = 0u; row < SIDE; row++) {
    float line[SIDE];
    transform_filter(vec3(turned[0][row], turned[1][row], turned[2][row]), line);
    [[unroll]] for (uint column = 0u; column < SIDE; column++) u[(row * SIDE + column) * count + i] = line[column];
  }
}
