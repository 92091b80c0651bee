#version 450
// Two broadcast arrays of one type, compared (to bytes) or, -DARITHMETIC, combined. -DFLOAT, -DINT, -DLONG or -DBYTE
// (bool, uint8).
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#if defined(FLOAT)
#define TYPE   float
#define MEMORY STORE
#elif defined(INT)
#define TYPE   int
#define MEMORY int
#elif defined(LONG)
#define TYPE   uvec2 // low and high word
#define MEMORY uvec2
#else
#define TYPE   uint
#define MEMORY uint
#endif

#define OP_LESS             0u
#define OP_LESS_OR_EQUAL    1u
#define OP_EQUAL            2u
#define OP_GREATER_OR_EQUAL 3u
#define OP_GREATER          4u
#define OP_AND              5u
#define OP_OR               6u
#define OP_XOR              7u
#define OP_NOT              8u // of the first alone

#define OP_ADD 0u
#define OP_SUB 1u
#define OP_MUL 2u
#define OP_DIV 3u
#define OP_MIN 4u
#define OP_MAX 5u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer A { MEMORY a[]; };
layout(binding = 2) readonly buffer B { MEMORY b[]; };
#ifdef ARITHMETIC
layout(binding = 3) writeonly buffer Y { MEMORY y[]; };
#else
layout(binding = 3) writeonly buffer Y { uint y[]; };
#endif
layout(push_constant) uniform Push {
  uint count, dim0, dim1, dim2, dim3, dim4, magic0, magic1, magic2, magic3, magic4;
  uint a_mask, b_mask, op;
};
#include "broadcast.glsl"

#ifdef BYTE
#define LOAD(array, i) (array[(i) >> 2] >> (8 * ((i) & 3u)) & 255u)
#else
#define LOAD(array, i) TYPE(array[i])
#endif

#ifdef LONG
bool is_less(uvec2 l, uvec2 r) { return int(l.y) < int(r.y) || (l.y == r.y && l.x < r.x); }
#else
bool is_less(TYPE l, TYPE r) { return l < r; }
#endif

#ifdef ARITHMETIC
#ifdef LONG
uvec2 combine(uvec2 l, uvec2 r) {
  uint carry, high, low;
  uvec2 v = l;
  switch (op) {
  case OP_ADD:
    v.x = uaddCarry(l.x, r.x, carry);
    v.y = l.y + r.y + carry;
    break;
  case OP_SUB:
    v.x = usubBorrow(l.x, r.x, carry);
    v.y = l.y - r.y - carry;
    break;
  case OP_MUL:
    umulExtended(l.x, r.x, high, low);
    v = uvec2(low, high + l.x * r.y + l.y * r.x);
    break;
  case OP_MIN:
    v = is_less(r, l) ? r : l;
    break;
  case OP_MAX:
    v = is_less(l, r) ? r : l;
    break;
  }
  return v;
}
#else
int combine(int l, int r) {
  int v = l;
  switch (op) {
  case OP_ADD: v = l + r; break;
  case OP_SUB: v = l - r; break;
  case OP_MUL: v = l * r; break;
  case OP_DIV: v = r == 0 ? 0 : r == -1 ? -l : l / r; break;
  case OP_MIN: v = min(l, r); break;
  case OP_MAX: v = max(l, r); break;
  }
  return v;
}
#endif

void main() {
  const uvec4 at = FLAT_GROUP * 1024 + gl_LocalInvocationID.x + uvec4(0, 256, 512, 768);
  const uvec4 inside = min(at, uvec4(count - 1)), left = place(a_mask, inside), right = place(b_mask, inside);
  for (uint k = 0; k < 4; k++)
    if (at[k] < count) y[at[k]] = combine(LOAD(a, left[k]), LOAD(b, right[k]));
}
#else
bool holds(TYPE l, TYPE r) {
  bool v = false;
  switch (op) {
  case OP_LESS: v = is_less(l, r); break;
  case OP_LESS_OR_EQUAL: v = is_less(l, r) || l == r; break;
  case OP_EQUAL: v = l == r; break;
  case OP_GREATER_OR_EQUAL: v = is_less(r, l) || l == r; break;
  case OP_GREATER: v = is_less(r, l); break;
#ifdef BYTE
  case OP_AND: v = l != 0 && r != 0; break;
  case OP_OR: v = l != 0 || r != 0; break;
  case OP_XOR: v = (l != 0) != (r != 0); break;
  case OP_NOT: v = l == 0; break;
#endif
  }
  return v;
}

void main() {
  const uint first = FLAT_GROUP * 1024 + 4 * gl_LocalInvocationID.x;
  const uvec4 inside = min(first + uvec4(0, 1, 2, 3), uvec4(count - 1));
  const uvec4 left = place(a_mask, inside), right = place(b_mask, inside);
  uint bytes = 0;
  for (uint k = 0; k < 4; k++)
    if (holds(LOAD(a, left[k]), LOAD(b, right[k]))) bytes |= 1u << (8 * k);
  if (first < count) y[first >> 2] = bytes;
}
#endif
