#version 450
// A convolution with one filter a channel, channels-last: each thread four channels of a pixel, or (-DSCALAR) one.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"

#ifdef SCALAR
#define LANES 1u
#define VALUE float
#define STORED STORE
#else
#define LANES 4u
#define VALUE vec4
#define STORED STORE4
#endif

layout(local_size_x = 64) in;
layout(binding = 1) readonly buffer X { STORED x[]; };
layout(binding = 2) readonly buffer W { STORED w[]; }; // [tap][w_row]
layout(binding = 3) readonly buffer Bias { STORED bias[]; };
layout(binding = 4) readonly buffer Residual { STORED residual[]; };
layout(binding = 5) writeonly buffer Y { STORED y[]; };

layout(push_constant) uniform Push {
  uint count, channels, w_row;
  uint height, width, out_height, out_width, kernel_height, kernel_width;
  uint stride, pad, dilation; // y | x << 16
  uint flags;                 // 1: bias, 2: residual
  uint act;
  float alpha, beta;
};

void main() {
  const uint i = FLAT_GROUP * 64u + gl_LocalInvocationID.x;
  if (i >= count) return;
  const uint parts = channels / LANES, pixel = i / parts, part = i - pixel * parts;
  const uint line = pixel / out_width, ox = pixel - line * out_width, image = line / out_height;
  const uint oy = line - image * out_height;
  const int top = int(oy * (stride & 0xffffu)) - int(pad & 0xffffu), left = int(ox * (stride >> 16)) - int(pad >> 16);
  VALUE sum = VALUE(0.0);
  for (uint ky = 0u; ky < kernel_height; ky++) {
    const uint iy = uint(top + int(ky * (dilation & 0xffffu)));
    if (iy >= height) continue;
    for (uint kx = 0u; kx < kernel_width; kx++) {
      const uint ix = uint(left + int(kx * (dilation >> 16)));
      if (ix >= width) continue;
      const uint at = ((image * height + iy) * width + ix) * parts + part;
      sum = fma(VALUE(x[at]), VALUE(w[(ky * kernel_width + kx) * (w_row / LANES) + part]), sum);
    }
  }
  if ((flags & 1u) != 0u) sum += VALUE(bias[part]);
  if ((flags & 2u) != 0u) sum += VALUE(residual[i]);
#ifdef SCALAR
  y[i] = STORE(activate(act, alpha, beta, sum));
#else
  [[unroll]] for (int c = 0; c < 4; c++) sum[c] = activate(act, alpha, beta, sum[c]);
  y[i] = STORE4(sum);
#endif
}
