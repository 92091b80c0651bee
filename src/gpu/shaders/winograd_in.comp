#version 450
// Winograd's input transform (winograd.glsl): the windows of a channels-last image, zeros around it, as
// v [point][tile][4 parts]. Channels that fill up the last part are zeros.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "winograd.glsl"

#ifdef SCALAR
#define STORED STORE
#else
#define STORED STORE4
#endif

layout(local_size_x = 64) in;
layout(binding = 1) readonly buffer X { STORED x[]; };
layout(binding = 2) writeonly buffer V { vec4 v[]; };

layout(push_constant) uniform Push {
  uint first, tiles;     // the tiles of this piece of the batch
  uint parts, channels;  // parts: vectors of channels
  uint tiles_y, tiles_x; // of an image
  uint height, width;
  uint pad; // y | x << 16
};

vec4 read_x(uint pixel, uint part) {
#ifdef SCALAR
  vec4 value;
  [[unroll]] for (uint i = 0u; i < 4u; i++) {
    const uint c = part * 4u + i;
    value[i] = float(x[pixel * channels + min(c, channels - 1u)]);
    value[i] = c < channels ? value[i] : 0.0;
  }
  return value;
#else
  return vec4(x[pixel * parts + part]);
#endif
}

void main() {
  const uint i = FLAT_GROUP * 64u + gl_LocalInvocationID.x;
  if (i >= tiles * parts) return;
  const uint part = i % parts;
  const Tile tile = tile_of(first + i / parts, tiles_y, tiles_x);
  const uint top = tile.row - (pad & 0xffffu), left = tile.column - (pad >> 16); // huge where they are negative

  vec4 turned[SIDE][SIDE]; // B^T d: [column][row]
  [[unroll]] for (uint column = 0u; column < SIDE; column++) {
    vec4 d[SIDE];
    [[unroll]] for (uint row = 0u; row < SIDE; row++) {
      d[row] = vec4(0.0);
      if (top + row < height && left + column < width)
        d[row] = read_x((tile.image * height + top + row) * width + left + column, part);
    }
    transform_in(d, turned[column]);
  }
  [[unroll]] for (uint row = 0u; row < SIDE; row++) {
    vec4 line[SIDE], t[SIDE];
    [[unroll]] for (uint column = 0u; column < SIDE; column++) line[column] = turned[column][row];
    transform_in(line, t);
    [[unroll]] for (uint column = 0u; column < SIDE; column++) v[(row * SIDE + column) * tiles * parts + i] = t[column];
  }
}
