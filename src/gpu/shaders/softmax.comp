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

void main() {
  const uint row = FLAT_GROUP * width + row_slot(), lane = row_lane(), inside = min(row, rows - 1);
  const uint outer = inside / inner, base = outer * axis * inner + (inside - outer * inner);
  float most = uintBitsToFloat(0xff7fffffu), sum = 0.0; // finite: the difference of two infinities is none
  for (uint k = lane; k < axis; k += lanes) {
    const float v = float(x[base + k * inner]);
    if (v > most) {
      sum = sum * exp(most - v) + 1.0;
      most = v;
    } else {
      sum += exp(v - most);
    }
  }
  const float largest = over_lanes(REDUCE_MAX, most);
  const float total = over_lanes(REDUCE_ADD, sum * exp(most - largest));
  const float shift = logarithm != 0 ? largest + log(total) : largest;
  if (row >= rows) return;
  for (uint k = lane; k < axis; k += lanes) {
    const uint at = base + k * inner;
    const float v = float(x[at]) - shift;
    y[at] = STORE(logarithm != 0 ? v : exp(v) / total);
  }
}
