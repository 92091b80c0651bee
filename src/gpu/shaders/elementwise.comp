#version 450
// A list of steps over up to seven arrays that are broadcast to the result; four elements a thread.
//
// A step is 16 bits: its operation (6), operands a (4) and b (5), and whether its result is kept (1). Operands: 0 to 6
// an array, 7 the result of the step before, 8 to 15 a kept result, in the order of keeping, 16 to 25 a number.
// Functions of a alone take alpha and beta from the numbers at b, unless it is 0.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"

#define OP_SOFTPLUS 23u
#define OP_BINARY   32u
#define OP_ADD      32u
#define OP_SUB      33u
#define OP_MUL      34u
#define OP_DIV      35u
#define OP_MIN      36u
#define OP_MAX      37u
#define OP_PRELU    38u
#define OP_POW      39u
#define OP_SUB_FROM 40u
#define OP_DIV_INTO 41u
#define OP_POW_OF   42u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X0 { STORE x0[]; };
layout(binding = 2) readonly buffer X1 { STORE x1[]; };
layout(binding = 3) readonly buffer X2 { STORE x2[]; };
layout(binding = 4) readonly buffer X3 { STORE x3[]; };
layout(binding = 5) readonly buffer X4 { STORE x4[]; };
layout(binding = 6) readonly buffer X5 { STORE x5[]; };
layout(binding = 7) readonly buffer X6 { STORE x6[]; };
layout(binding = 8) writeonly buffer Y { STORE y[]; };
layout(push_constant) uniform Push {
  uint count, dim0, dim1, dim2, dim3, dim4, magic0, magic1, magic2, magic3, magic4;
  uint masks0, masks1; // a byte an array
  uint step_count;
  uint code0, code1, code2, code3, code4, code5, code6, code7; // two steps each
  float n0, n1, n2, n3, n4, n5, n6, n7, n8, n9;
};
#include "broadcast.glsl"

uint code_of(uint pair) {
  uint code = code7;
  switch (pair) {
  case 0: code = code0; break;
  case 1: code = code1; break;
  case 2: code = code2; break;
  case 3: code = code3; break;
  case 4: code = code4; break;
  case 5: code = code5; break;
  case 6: code = code6; break;
  }
  return code;
}

// Operand `i`, from 16 on.
float number(uint i) {
  float n = 0.0;
  switch (i) {
  case 16: n = n0; break;
  case 17: n = n1; break;
  case 18: n = n2; break;
  case 19: n = n3; break;
  case 20: n = n4; break;
  case 21: n = n5; break;
  case 22: n = n6; break;
  case 23: n = n7; break;
  case 24: n = n8; break;
  case 25: n = n9; break;
  }
  return n;
}

#define LOAD(array) vec4(array[at[0]], array[at[1]], array[at[2]], array[at[3]])

vec4 load(uint array, uvec4 i) {
  const uint mask = (array < 4 ? masks0 >> (8 * array) : masks1 >> (8 * array - 32)) & 255u;
  const uvec4 at = place(mask, i);
  vec4 values = vec4(0);
  switch (array) {
  case 0: values = LOAD(x0); break;
  case 1: values = LOAD(x1); break;
  case 2: values = LOAD(x2); break;
  case 3: values = LOAD(x3); break;
  case 4: values = LOAD(x4); break;
  case 5: values = LOAD(x5); break;
  case 6: values = LOAD(x6); break;
  }
  return values;
}

vec4 softplus(vec4 x) { return unless_nan(x, max(x, 0.0) + log(1.0 + exp(-abs(x)))); }

vec4 function(uint op, uint parameters, vec4 x) {
  const float alpha = parameters != 0 ? number(parameters) : 0.0, beta = parameters != 0 ? number(parameters + 1) : 0.0;
  return op == OP_SOFTPLUS ? softplus(x) : activate(op, alpha, beta, x);
}

// The language's pow knows no negative base.
float power(float x, float e) {
  const float infinity = uintBitsToFloat(0x7f800000u), none = uintBitsToFloat(0x7fc00000u);
  if (e == 0.0 || x == 1.0) return 1.0;
  if (is_nan(x) || is_nan(e)) return none;
  const bool whole = floor(e) == e, odd = whole && floor(e * 0.5) * 2.0 != e;
  const float size = x == 0.0 ? (e > 0.0 ? 0.0 : infinity) : exp2(e * log2(abs(x)));
  return x < 0.0 ? (whole ? (odd ? -size : size) : none) : size;
}

vec4 powers(vec4 x, vec4 e) {
  vec4 y;
  for (uint k = 0; k < 4; k++) y[k] = power(x[k], e[k]);
  return y;
}

vec4 apply(uint op, vec4 a, vec4 b) {
  vec4 y = a;
  switch (op) {
  case OP_ADD: y = a + b; break;
  case OP_SUB: y = a - b; break;
  case OP_MUL: y = a * b; break;
  case OP_DIV: y = a / b; break;
  case OP_MIN: y = smaller(a, b); break;
  case OP_MAX: y = larger(a, b); break;
  case OP_PRELU: y = mix(a, a * b, lessThan(a, vec4(0.0))); break;
  case OP_POW: y = powers(a, b); break;
  case OP_SUB_FROM: y = b - a; break;
  case OP_DIV_INTO: y = b / a; break;
  case OP_POW_OF: y = powers(b, a); break;
  }
  return y;
}

void main() {
  const uint first = FLAT_GROUP * 1024 + gl_LocalInvocationID.x;
  if (first >= count) return;
  const uvec4 at = first + uvec4(0, 256, 512, 768), inside = min(at, uvec4(count - 1));
  vec4 result = vec4(0), kept[8];
  uint kept_count = 0;
  for (uint i = 0; i < step_count; i++) {
    const uint code = code_of(i >> 1) >> (16 * (i & 1u)), op = code & 63u, b = code >> 10 & 31u;
    vec4 left = result, right = result;
    for (uint side = 0; side < (op < OP_BINARY ? 1 : 2); side++) {
      const uint from = side == 0 ? code >> 6 & 15u : b;
      vec4 operand = result;
      if (from < 7)
        operand = load(from, inside);
      else if (from >= 16)
        operand = vec4(number(from));
      else if (from > 7)
        operand = kept[from - 8];
      if (side == 0)
        left = operand;
      else
        right = operand;
    }
    result = op < OP_BINARY ? function(op, b, left) : apply(op, left, right);
    if ((code & 0x8000u) != 0) kept[kept_count++] = result;
  }
  y[at.x] = STORE(result.x);
  if (at.y < count) y[at.y] = STORE(result.y);
  if (at.z < count) y[at.z] = STORE(result.z);
  if (at.w < count) y[at.w] = STORE(result.w);
}
