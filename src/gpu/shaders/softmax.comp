#version 450
// Softmax and its logarithm over the middle of x [outer][axis][inner]. Short rows are kept in registers; of longer ones
// the largest element and the sum are found in one pass, the sum being scaled whenever a larger element comes.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE x[]; };
layout(binding = 2) writeonly buffer Y { STORE y[]; };
layout(push_constant) uniform Push { uint rows, axis, lanes, width, along, inner, logarithm; };
#include "rows.glsl"

#define HELD 4 // elements that a thread keeps

void main() {
  const uint row = FLAT_GROUP * width + row_slot(), lane = row_lane(), inside = min(row, rows - 1);
  const uint outer = inside / inner, base = outer * axis * inner + (inside - outer * inner);
  const float lowest = uintBitsToFloat(0xff7fffffu); // finite: the difference of two infinities is none
  float most = lowest, sum = 0.0;
  if (axis <= HELD * lanes) {
    float elements[HELD], weights[HELD];
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      const uint k = lane + j * lanes;
      elements[j] = k < axis ? float(x[base + k * inner]) : lowest;
      most = max(most, elements[j]);
    }
    most = over_lanes(REDUCE_MAX, most);
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      weights[j] = exp(elements[j] - most);
      if (lane + j * lanes < axis) sum += weights[j];
    }
    sum = over_lanes(REDUCE_ADD, sum);
    const float shift = most + log(sum);
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      const uint k = lane + j * lanes;
      if (row < rows && k < axis) y[base + k * inner] = STORE(logarithm != 0 ? elements[j] - shift : weights[j] / sum);
    }
    return;
  }
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
  sum = over_lanes(REDUCE_ADD, sum * exp(most - largest));
  const float shift = largest + log(sum);
  for (uint k = lane; row < rows && k < axis; k += lanes) {
    const uint at = base + k * inner;
    const float v = float(x[at]);
    y[at] = STORE(logarithm != 0 ? v - shift : exp(v - largest) / sum);
  }
}
