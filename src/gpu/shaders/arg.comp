#version 450
// Where the largest (or smallest) element of the middle of x [outer][axis][inner] is, as int64: the first, or the last,
// of equals. A NaN counts as best.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE x[]; };
layout(binding = 2) writeonly buffer Y { uvec2 y[]; };
layout(push_constant) uniform Push { uint rows, axis, lanes, width, along, inner, smallest, last; };
#include "rows.glsl"

shared uint places[256];

// Whether the element v at place i comes before the element w at place k.
bool beats(float v, uint i, float w, uint k) {
  const bool v_nan = is_nan(v), w_nan = is_nan(w);
  const bool equal = v == w || (v_nan && w_nan);
  if (equal) return last != 0 ? i > k : i < k;
  return v_nan || (!w_nan && (smallest != 0 ? v < w : v > w));
}

void main() {
  const uint row = FLAT_GROUP * width + row_slot(), lane = row_lane(), inside = min(row, rows - 1);
  const uint outer = inside / inner, base = outer * axis * inner + (inside - outer * inner);
  uint best = min(lane, axis - 1);
  float value = float(x[base + best * inner]);
  for (uint k = lane + lanes; k < axis; k += lanes) {
    const float v = float(x[base + k * inner]);
    if (beats(v, k, value, best)) {
      value = v;
      best = k;
    }
  }
  const uint at = lane * width + row_slot();
  partial[at] = value;
  places[at] = best;
  barrier();
  for (uint half_lanes = lanes / 2; half_lanes > 0; half_lanes /= 2) {
    const uint other = at + half_lanes * width;
    if (lane < half_lanes && beats(partial[other], places[other], partial[at], places[at])) {
      partial[at] = partial[other];
      places[at] = places[other];
    }
    barrier();
  }
  if (row < rows && lane == 0) y[row] = uvec2(places[at], 0);
}
