#version 450
// One of two broadcast arrays' elements, as a third array's byte says.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "element.glsl"

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer C { uint condition[]; };
layout(binding = 2) readonly buffer A { MEMORY a[]; };
layout(binding = 3) readonly buffer B { MEMORY b[]; };
layout(binding = 4) writeonly buffer Y { MEMORY y[]; };
layout(push_constant) uniform Push {
  uint count, dim0, dim1, dim2, dim3, dim4, magic0, magic1, magic2, magic3, magic4;
  uint c_mask, a_mask, b_mask;
};
#include "broadcast.glsl"

void main() {
  const uvec4 at = AT_ONCE, inside = min(at, uvec4(count - 1));
  const uvec4 c = place(c_mask, inside), left = place(a_mask, inside), right = place(b_mask, inside);
  ELEMENT values[4];
  for (uint k = 0; k < 4; k++) {
    const bool first = (condition[c[k] >> 2] >> (8 * (c[k] & 3u)) & 255u) != 0;
    values[k] = first ? LOAD_ELEMENT(a, left[k]) : LOAD_ELEMENT(b, right[k]);
  }
  STORE_ELEMENTS(y, values);
}
