#version 450
// A dense array within a dense larger one (or smaller, where `begin` is negative), over up to six axes, the innermost
// first: elements outside are a constant, or come from inside.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "element.glsl"

#define MODE_CONSTANT 0u
#define MODE_REFLECT  1u
#define MODE_EDGE     2u
#define MODE_WRAP     3u

layout(local_size_x = 256) in;
layout(binding = 1) readonly buffer X { MEMORY x[]; };
layout(binding = 2) readonly buffer V { MEMORY value[]; };
layout(binding = 3) writeonly buffer Y { MEMORY y[]; };
layout(push_constant) uniform Push {
  uint count, dim0, dim1, dim2, dim3, dim4; // of y
  uint rank, mode, has_value;
  int in0, in1, in2, in3, in4, in5; // sizes of x
  int begin0, begin1, begin2, begin3, begin4, begin5;
};

// i modulo size: the language's % takes no negative numbers.
int wrapped(int i, int size) { return i >= 0 ? i % size : size - 1 - (-1 - i) % size; }

// Where an axis's index comes from; -1: nowhere.
int source(int i, int size) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
  case MODE_EDGE:
    return i < 0 ? 0 : size - 1;
  case MODE_WRAP:
    return wrapped(i, size);
  case MODE_REFLECT: {
    const int period = size > 1 ? 2 * (size - 1) : 1, at = wrapped(i, period);
    return at < size ? at : period - at;
  }
  }
  return -1;
}

#define AXIS(number, size, in_size, begin)                                   \
  if (rank >= number) {                                                      \
    const uint outer = rank == number ? 0 : rest / size;                     \
    const int index = source(int(rest - outer * size) - begin, in_size);     \
    inside = inside && index >= 0;                                           \
    from += uint(index) * stride;                                            \
    stride *= uint(in_size);                                                 \
    rest = outer;                                                            \
  }

ELEMENT element(uint i) {
  uint rest = i, from = 0, stride = 1;
  bool inside = true;
  AXIS(1, dim0, in0, begin0)
  AXIS(2, dim1, in1, begin1)
  AXIS(3, dim2, in2, begin2)
  AXIS(4, dim3, in3, begin3)
  AXIS(5, dim4, in4, begin4)
  AXIS(6, 1, in5, begin5)
  if (inside) return LOAD_ELEMENT(x, from);
  return has_value != 0 ? LOAD_ELEMENT(value, 0) : ELEMENT(0);
}

void main() {
  const uvec4 at = AT_ONCE;
  if (at[0] >= count) return;
  ELEMENT values[4];
  for (uint k = 0; k < 4; k++) values[k] = element(min(at[k], count - 1));
  STORE_ELEMENTS(y, values);
}
