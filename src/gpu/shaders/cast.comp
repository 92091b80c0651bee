#version 450
// Conversions among float32, float16, int32, int64, uint8, int8 and bool, all read and written as words: four elements
// a thread. Floats become integers by truncation, held to the type's range, NaN 0; integers' low bits are kept.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define FLOAT 0u
#define HALF_ 1u
#define INT   2u
#define LONG  3u
#define BYTE  4u
#define SBYTE 5u
#define BOOL  6u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { uint x[]; };
layout(binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { uint count, from, to; };

// 64 bits: low and high word.
uvec2 negated(uvec2 v) { return uvec2(~v.x + 1u, ~v.y + (v.x == 0u ? 1u : 0u)); }
uvec2 widened(int v) { return uvec2(v, v >> 31); }

float float_of(uvec2 v) {
  const bool negative = int(v.y) < 0;
  const uvec2 size = negative ? negated(v) : v;
  const float f = float(size.y) * 4294967296.0 + float(size.x);
  return negative ? -f : f;
}

uvec2 long_of(float f) {
  if (f >= 9223372036854775808.0) return uvec2(0xffffffffu, 0x7fffffffu);
  if (f <= -9223372036854775808.0) return uvec2(0u, 0x80000000u);
  if (!(f == f)) return uvec2(0);
  const float size = floor(abs(f)), high = floor(size / 4294967296.0);
  const uvec2 v = uvec2(uint(size - high * 4294967296.0), uint(high));
  return f < 0.0 ? negated(v) : v;
}

// NaN is neither.
int held(float f, float low, float high) {
  return f >= high ? int(high - 1.0) : f <= low ? int(low) : f == f ? int(f) : 0;
}

uint int_of(float f) { return f >= 2147483648.0 ? 0x7fffffffu : uint(held(f, -2147483648.0, 2147483648.0)); }

float read_float(uint i) {
  if (from == FLOAT) return uintBitsToFloat(x[i]);
  const vec2 pair = unpackHalf2x16(x[i >> 1]);
  return (i & 1u) == 0 ? pair.x : pair.y;
}

uvec2 read_integer(uint i) {
  if (from == INT) return widened(int(x[i]));
  if (from == LONG) return uvec2(x[2 * i], x[2 * i + 1]);
  const uint byte = x[i >> 2] >> (8 * (i & 3u)) & 255u;
  return from == SBYTE ? widened(int(byte << 24) >> 24) : uvec2(byte, 0);
}

// An element as the words that it takes, or their low bits.
uvec2 convert_float(float f) {
  switch (to) {
  case INT: return uvec2(int_of(f), 0);
  case LONG: return long_of(f);
  case BYTE: return uvec2(held(f, 0.0, 256.0), 0);
  case SBYTE: return uvec2(held(f, -128.0, 128.0) & 255, 0);
  case BOOL: return uvec2(f != 0.0 ? 1 : 0, 0);
  }
  return uvec2(floatBitsToUint(f), 0);
}

uvec2 convert_integer(uvec2 v) {
  switch (to) {
  case BYTE:
  case SBYTE: return uvec2(v.x & 255u, 0);
  case BOOL: return uvec2((v.x | v.y) != 0 ? 1 : 0, 0);
  case INT:
  case LONG: return v;
  }
  return uvec2(floatBitsToUint(float_of(v)), 0);
}

void main() {
  const uint first = 4 * (FLAT_GROUP * 256 + gl_LocalInvocationID.x);
  if (first >= count) return;
  uvec2 v[4];
  for (uint k = 0; k < 4; k++) {
    const uint i = min(first + k, count - 1);
    v[k] = from <= HALF_ ? convert_float(read_float(i)) : convert_integer(read_integer(i));
  }
  if (to >= BYTE) {
    y[first >> 2] = v[0].x | v[1].x << 8 | v[2].x << 16 | v[3].x << 24;
  } else if (to == HALF_) {
    y[first >> 1] = packHalf2x16(uintBitsToFloat(uvec2(v[0].x, v[1].x)));
    if (first + 2 < count) y[(first >> 1) + 1] = packHalf2x16(uintBitsToFloat(uvec2(v[2].x, v[3].x)));
  } else {
    for (uint k = 0; k < 4 && first + k < count; k++) {
      if (to == LONG) y[2 * (first + k) + 1] = v[k].y;
      y[to == LONG ? 2 * (first + k) : first + k] = v[k].x;
    }
  }
}
