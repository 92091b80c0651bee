#version 450
// Images resized by the nearest element or linearly, a thread an output. Tables say for every row and column which two
// it is made of, and the second one's share (its bits): three words an output place.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { STORE image[]; };
layout(binding = 2) readonly buffer H { uint height[]; };
layout(binding = 3) readonly buffer W { uint width[]; };
layout(binding = 4) writeonly buffer Y { STORE result[]; };
layout(push_constant) uniform Push { uint count, channels, last, in_y, in_x, out_y, out_x; };

void main() {
  const uint i = FLAT_GROUP * 256 + gl_LocalInvocationID.x;
  if (i >= count) return;
  uint rest = i, channel = 0;
  if (last != 0) {
    channel = rest % channels;
    rest /= channels;
  }
  const uint x = rest % out_x * 3;
  rest /= out_x;
  const uint y = rest % out_y * 3;
  rest /= out_y;
  const uint step = last != 0 ? channels : 1, base = rest * in_y * in_x * step + channel;
  const uint top = base + height[y] * in_x * step, bottom = base + height[y + 1] * in_x * step;
  const uint left = width[x] * step, right = width[x + 1] * step;
  const float v = uintBitsToFloat(height[y + 2]), u = uintBitsToFloat(width[x + 2]);
  float sum = float(image[top + left]);
  if (u != 0.0) sum = (1.0 - u) * sum + u * float(image[top + right]);
  if (v != 0.0) {
    float below = float(image[bottom + left]);
    if (u != 0.0) below = (1.0 - u) * below + u * float(image[bottom + right]);
    sum = (1.0 - v) * sum + v * below;
  }
  result[i] = STORE(sum);
}
