#version 450
// Windows over one or two spatial axes (y and x; a missing y is 1), a thread an output. Images may be channels-last.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define KIND_MAX     0u
#define KIND_AVERAGE 1u
#define KIND_L1      2u
#define KIND_L2      3u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE image[]; };
layout(binding = 2) writeonly buffer Y { STORE result[]; };
layout(push_constant) uniform Push {
  uint count, channels, last, kind, include_pad;
  int in_y, in_x, out_y, out_x, kernel_y, kernel_x, stride_y, stride_x;
  int dilation_y, dilation_x, pad_y, pad_x, pad_end_y, pad_end_x;
};

// Taps of a window beginning at `start` that are in [low, high).
ivec2 taps(int start, int kernel, int dilation, int low, int high) {
  const int first = start >= low ? 0 : (low - start + dilation - 1) / dilation;
  const int end = start >= high ? 0 : min((high - start + dilation - 1) / dilation, kernel);
  return ivec2(first, max(first, end));
}

float taken(float sum, float v) {
  switch (kind) {
  case KIND_MAX: sum = larger(sum, v); break;
  case KIND_AVERAGE: sum += v; break;
  case KIND_L1: sum += abs(v); break;
  case KIND_L2: sum += v * v; break;
  }
  return sum;
}

void main() {
  const uint i = FLAT_GROUP * 256 + gl_LocalInvocationID.x;
  if (i >= count) return;
  uint rest = i, channel = 0;
  if (last != 0) {
    channel = rest % channels;
    rest /= channels;
  }
  const int x = int(rest % uint(out_x));
  rest /= uint(out_x);
  const int y = int(rest % uint(out_y));
  rest /= uint(out_y);
  // Image and channel, or image alone.
  const uint base = last != 0 ? rest * uint(in_y * in_x) * channels + channel : rest * uint(in_y * in_x);
  const uint step = last != 0 ? channels : 1;
  const int start_y = y * stride_y - pad_y, start_x = x * stride_x - pad_x;
  const ivec2 rows = taps(start_y, kernel_y, dilation_y, 0, in_y);
  const ivec2 columns = taps(start_x, kernel_x, dilation_x, 0, in_x);
  float sum = kind == KIND_MAX ? uintBitsToFloat(0xff800000u) : 0.0;
  for (int row = rows.x; row < rows.y; row++) {
    const uint line = base + uint((start_y + row * dilation_y) * in_x + start_x) * step;
    for (int column = columns.x; column < columns.y; column++)
      sum = taken(sum, float(image[line + uint(column * dilation_x) * step]));
  }
  if (kind == KIND_AVERAGE) {
    ivec2 high = rows, wide = columns;
    if (include_pad != 0) {
      high = taps(start_y, kernel_y, dilation_y, -pad_y, in_y + pad_end_y);
      wide = taps(start_x, kernel_x, dilation_x, -pad_x, in_x + pad_end_x);
    }
    const int counted = (high.y - high.x) * (wide.y - wide.x);
    sum = counted > 0 ? sum / float(counted) : 0.0;
  }
  if (kind == KIND_L2) sum = sqrt(sum);
  result[i] = STORE(sum);
}
