#version 450
// y = a + b: the smallest shader, which the backends' own tests run.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(binding = 1) readonly buffer A { STORE a[]; };
layout(binding = 2) readonly buffer B { STORE b[]; };
layout(binding = 3) writeonly buffer Y { STORE y[]; };
layout(push_constant) uniform Push { uint count; };

void main() {
  uint i = FLAT_GROUP * 64 + gl_LocalInvocationID.x;
  if (i < count) y[i] = STORE(float(a[i]) + float(b[i]));
}
