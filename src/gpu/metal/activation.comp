#version 450
// Translated to Metal's language without inlining, this gives product.metal the functions of shaders/activation.glsl.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"

layout(local_size_x = 1) in;
layout(binding = 1) buffer Y { vec4 y[]; };

vec4 activate_each(uint kind, float alpha, float beta, vec4 v) {
  return vec4(activate(kind, alpha, beta, v.x), activate(kind, alpha, beta, v.y), activate(kind, alpha, beta, v.z),
              activate(kind, alpha, beta, v.w));
}

void main() { y[0] = activate_each(uint(y[1].x), y[1].y, y[1].z, y[0]); }
