#version 450
// Softmax and its logarithm over the middle of x [outer][axis][inner]: the largest element and the sum are found in one
// pass, the sum being scaled whenever a larger element comes.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE x[]; };
layout(binding = 2) writeonly buffer Y { STORE y[]; };
layout(push_constant) uniform Push { uint rows, axis, lanes, width, along, inner, logarithm; };
#include "rows.glsl"

#define HELD 8 // elements that a thread keeps; more are read twice

// The largest element and the sum of e^(element - largest) so far.
vec2 with(vec2 so_far, float v) {
  return v > so_far.x ? vec2(v, so_far.y * exp(so_far.x - v) + 1.0) : vec2(so_far.x, so_far.y + exp(v - so_far.x));
}

float result(float v, float shift, float total) { return logarithm != 0 ? v - shift : exp(v - shift) / total; }

void main() {
  const uint row = FLAT_GROUP * width + row_slot(), lane = row_lane(), inside = min(row, rows - 1);
  const uint outer = inside / inner, base = outer * axis * inner + (inside - outer * inner);
  const bool held = axis <= HELD * lanes;
  float elements[HELD];
  vec2 so_far = vec2(uintBitsToFloat(0xff7fffffu), 0.0); // finite: the difference of two infinities is none
  if (held) {
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      const uint k = lane + j * lanes;
      elements[j] = k < axis ? float(x[base + k * inner]) : 0.0;
    }
    [[unroll]] for (uint j = 0; j < HELD; j++)
      if (lane + j * lanes < axis) so_far = with(so_far, elements[j]);
  } else {
    for (uint k = lane; k < axis; k += lanes) so_far = with(so_far, float(x[base + k * inner]));
  }
  const float largest = over_lanes(REDUCE_MAX, so_far.x);
  const float total = over_lanes(REDUCE_ADD, so_far.y * exp(so_far.x - largest));
  const float shift = logarithm != 0 ? largest + log(total) : largest;
  if (row >= rows) return;
  if (held) {
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      const uint k = lane + j * lanes;
      if (k < axis) y[base + k * inner] = STORE(result(elements[j], shift, total));
    }
  } else {
    for (uint k = lane; k < axis; k += lanes) {
      const uint at = base + k * inner;
      y[at] = STORE(result(float(x[at]), shift, total));
    }
  }
}
