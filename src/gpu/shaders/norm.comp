#version 450
// Normalisations of rows: y = (x - mean) / deviation * scale + bias. Where neighbouring elements of a row lie beside
// each other (inner 1), row r begins at r / row_groups * outer_step + r % row_groups * group_step, and consists of runs
// of `run` elements that lie run_step apart; else x is [outer][axis][inner]. Scale and bias of row r's element k are at
// r % groups * row_parameters + k / parameter_div % parameter_mod.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define KIND_LAYER 0u // mean and variance of the row
#define KIND_RMS   1u
#define KIND_BATCH 2u // mean and variance are given
#define KIND_L1    3u
#define KIND_L2    4u

#define HAS_SCALE     1u
#define HAS_BIAS      2u
#define WRITE_MEAN    4u
#define WRITE_INVERSE 8u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE x[]; };
layout(binding = 2) readonly buffer S { STORE scale[]; };
layout(binding = 3) readonly buffer B { STORE bias[]; };
layout(binding = 4) readonly buffer M { STORE mean_given[]; };
layout(binding = 5) readonly buffer V { STORE variance_given[]; };
layout(binding = 6) writeonly buffer Y { STORE y[]; };
layout(binding = 7) writeonly buffer M1 { STORE mean_out[]; };
layout(binding = 8) writeonly buffer I1 { STORE inverse_out[]; };
layout(push_constant) uniform Push {
  uint rows, axis, lanes, width, along, inner, kind, flags;
  uint row_groups, outer_step, group_step, run, run_step;
  uint groups, row_parameters, parameter_div, parameter_mod;
  float epsilon;
};
#include "rows.glsl"

#define HELD 4 // elements that a thread keeps; more are read again

uint place(uint base, uint k) {
  if (inner != 1) return base + k * inner;
  if (run == axis) return base + k;
  const uint outer = k / run;
  return base + outer * run_step + (k - outer * run);
}

float elements[HELD];
bool held;

void load(uint base) {
  held = axis <= HELD * lanes;
  if (!held) return;
  [[unroll]] for (uint j = 0; j < HELD; j++) {
    const uint k = row_lane() + j * lanes;
    elements[j] = k < axis ? float(x[place(base, k)]) : 0.0;
  }
}

float part_of(uint what, float v) { return what == 0 ? v : what == 1 ? v * v : abs(v); }

// The sum of the elements, kind 0; of their squared distances from `middle`, 1; of their sizes, 2.
float total(uint base, uint what, float middle) {
  float sum = 0.0;
  if (held) {
    [[unroll]] for (uint j = 0; j < HELD; j++)
      if (row_lane() + j * lanes < axis) sum += part_of(what, elements[j] - middle);
  } else {
    for (uint k = row_lane(); k < axis; k += lanes) sum += part_of(what, float(x[place(base, k)]) - middle);
  }
  return over_lanes(REDUCE_ADD, sum);
}

void write(uint base, uint first, uint k, float v) {
  const bool dense = parameter_div == 1 && parameter_mod == axis;
  const uint p = first + (dense ? k : k / parameter_div % parameter_mod);
  if ((flags & HAS_SCALE) != 0) v *= float(scale[p]);
  if ((flags & HAS_BIAS) != 0) v += float(bias[p]);
  y[place(base, k)] = STORE(v);
}

void main() {
  const uint row = FLAT_GROUP * width + row_slot(), r = min(row, rows - 1), lane = row_lane();
  const uint base = inner != 1 ? r / inner * axis * inner + r % inner
                               : r / row_groups * outer_step + r % row_groups * group_step;
  const uint first = r % groups * row_parameters;
  float mean = 0.0, inverse = 1.0;
  load(base);
  if (kind == KIND_BATCH) {
    mean = float(mean_given[first]);
    inverse = 1.0 / sqrt(float(variance_given[first]) + epsilon);
  } else if (kind == KIND_L1) {
    inverse = total(base, 2, 0.0);
  } else {
    if (kind == KIND_LAYER) mean = total(base, 0, 0.0) / float(axis);
    const float squares = total(base, 1, mean);
    inverse = kind == KIND_L2 ? sqrt(squares) : 1.0 / sqrt(squares / float(axis) + epsilon);
  }
  if (kind >= KIND_L1) inverse = inverse == 0.0 ? 0.0 : 1.0 / inverse;
  if (row >= rows) return;
  if (lane == 0 && (flags & WRITE_MEAN) != 0) mean_out[row] = STORE(mean);
  if (lane == 0 && (flags & WRITE_INVERSE) != 0) inverse_out[row] = STORE(inverse);
  if (held) {
    [[unroll]] for (uint j = 0; j < HELD; j++)
      if (lane + j * lanes < axis) write(base, first, lane + j * lanes, (elements[j] - mean) * inverse);
  } else {
    for (uint k = lane; k < axis; k += lanes) write(base, first, k, (float(x[place(base, k)]) - mean) * inverse);
  }
}
