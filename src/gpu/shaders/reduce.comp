#version 450
// Reductions: an element of y for each place on the axes that are kept, over all places on those that are not; up to
// three of either, merged.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define KIND_SUM         0u
#define KIND_MEAN        1u
#define KIND_MAX         2u
#define KIND_MIN         3u
#define KIND_PROD        4u
#define KIND_L1          5u
#define KIND_L2          6u
#define KIND_SUM_SQUARE  7u
#define KIND_LOG_SUM     8u
#define KIND_LOG_SUM_EXP 9u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE x[]; };
layout(binding = 2) writeonly buffer Y { STORE y[]; };
layout(push_constant) uniform Push {
  uint rows, axis, lanes, width, along, kind;
  uint kept_dim0, kept_dim1, kept_step0, kept_step1, kept_step2;                // the innermost first
  uint reduced_dim0, reduced_dim1, reduced_step0, reduced_step1, reduced_step2; // the same
};
#include "rows.glsl"

uint place(uint i, uint dim0, uint dim1, uint step0, uint step1, uint step2) {
  const uint outer = i / dim0, outermost = outer / dim1;
  return (i - outer * dim0) * step0 + (outer - outermost * dim1) * step1 + outermost * step2;
}

float element(uint base, uint k) {
  if (axis == reduced_dim0) return float(x[base + k * reduced_step0]);
  return float(x[base + place(k, reduced_dim0, reduced_dim1, reduced_step0, reduced_step1, reduced_step2)]);
}

float mapped(float v, float shift) {
  switch (kind) {
  case KIND_L1: v = abs(v); break;
  case KIND_L2:
  case KIND_SUM_SQUARE: v = v * v; break;
  case KIND_LOG_SUM_EXP: v = exp(v - shift); break;
  }
  return v;
}

float finished(float v, float shift) {
  switch (kind) {
  case KIND_MEAN: v = v / float(axis); break;
  case KIND_L2: v = sqrt(v); break;
  case KIND_LOG_SUM: v = log(v); break;
  case KIND_LOG_SUM_EXP: v = log(v) + shift; break;
  }
  return v;
}

float over_row(uint how, uint base, float start, float shift) {
  float sum = start;
  for (uint k = row_lane(); k < axis; k += lanes) sum = combine(how, sum, mapped(element(base, k), shift));
  return over_lanes(how, sum);
}

void main() {
  const float infinity = uintBitsToFloat(0x7f800000u);
  const uint row = FLAT_GROUP * width + row_slot();
  const uint base = place(min(row, rows - 1), kept_dim0, kept_dim1, kept_step0, kept_step1, kept_step2);
  float shift = 0.0;
  if (kind == KIND_LOG_SUM_EXP) {
    float most = -infinity;
    for (uint k = row_lane(); k < axis; k += lanes) most = max(most, element(base, k));
    shift = over_lanes(REDUCE_MAX, most);
    if (abs(shift) == infinity) shift = 0.0;
  }
  uint how = REDUCE_ADD;
  float start = 0.0;
  switch (kind) {
  case KIND_MAX:
    how = REDUCE_MAX;
    start = -infinity;
    break;
  case KIND_MIN:
    how = REDUCE_MIN;
    start = infinity;
    break;
  case KIND_PROD:
    how = REDUCE_MULTIPLY;
    start = 1.0;
    break;
  }
  const float sum = over_row(how, base, start, shift);
  if (row < rows && row_lane() == 0) y[row] = STORE(finished(sum, shift));
}
