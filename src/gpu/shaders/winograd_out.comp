#version 450
// Winograd's output transform (winograd.glsl): y = activation(A^T z A + bias + residual) from z [point][tile][4 parts],
// channels-last.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"
#include "winograd.glsl"

#ifdef SCALAR
#define STORED STORE
#else
#define STORED STORE4
#endif

layout(local_size_x = 64) in;
layout(binding = 1) readonly buffer Z { vec4 z[]; };
layout(binding = 2) readonly buffer Bias { STORED bias[]; };
layout(binding = 3) readonly buffer Residual { STORED residual[]; };
layout(binding = 4) writeonly buffer Y { STORED y[]; };

layout(push_constant) uniform Push {
  uint first, tiles;     // the tiles of this piece of the batch
  uint parts, channels;  // parts: vectors of channels
  uint tiles_y, tiles_x; // of an image
  uint height, width;
  uint flags; // 1: bias, 2: residual
  uint act;
  float alpha, beta;
};

// Four channels of a pixel of the tile, finished. ACTIVATE: as in product.comp, one of two does without the long
// activations.
#ifdef SCALAR
void write_y_by(Tile tile, uint row, uint column, uint part, vec4 value) {
  if (tile.row + row >= height || tile.column + column >= width) return;
  const uint at = ((tile.image * height + tile.row + row) * width + tile.column + column) * channels;
  for (uint i = 0u, c = part * 4u; i < 4u && c < channels; i++, c++) {
    float v = value[i];
    if ((flags & 1u) != 0u) v += float(bias[c]);
    if ((flags & 2u) != 0u) v += float(residual[at + c]);
    y[at + c] = STORE(activate(act, alpha, beta, v));
  }
}
#else
vec4 relu_or_none(vec4 v) { return act == ACT_RELU ? mix(v, vec4(0.0), lessThan(v, vec4(0.0))) : v; }
vec4 any_activation(vec4 v) { return activate(act, alpha, beta, v); }
#define WRITE_Y(name, ACTIVATE)                                                                                        \
  void name(Tile tile, uint row, uint column, uint part, vec4 value) {                                                 \
    if (tile.row + row >= height || tile.column + column >= width) return;                                             \
    const uint at = ((tile.image * height + tile.row + row) * width + tile.column + column) * parts + part;            \
    if ((flags & 1u) != 0u) value += vec4(bias[part]);                                                                 \
    if ((flags & 2u) != 0u) value += vec4(residual[at]);                                                               \
    y[at] = STORE4(ACTIVATE(value));                                                                                   \
  }
WRITE_Y(write_y, relu_or_none)
WRITE_Y(write_y_by, any_activation)
#endif

void main() {
  const uint i = FLAT_GROUP * 64u + gl_LocalInvocationID.x;
  if (i >= tiles * parts) return;
  const uint part = i % parts;
  const Tile tile = tile_of(first + i / parts, tiles_y, tiles_x);

  vec4 turned[SIDE][TILE]; // A^T z: [column][row]
  [[unroll]] for (uint column = 0u; column < SIDE; column++) {
    vec4 points[SIDE];
    [[unroll]] for (uint row = 0u; row < SIDE; row++) points[row] = z[(row * SIDE + column) * tiles * parts + i];
    transform_out(points, turned[column]);
  }
  vec4 pixels[TILE][TILE];
  [[unroll]] for (uint row = 0u; row < TILE; row++) {
    vec4 line[SIDE];
    [[unroll]] for (uint column = 0u; column < SIDE; column++) line[column] = turned[column][row];
    transform_out(line, pixels[row]);
  }
#ifndef SCALAR
  if (act <= ACT_RELU) {
    [[unroll]] for (uint row = 0u; row < TILE; row++)
      [[unroll]] for (uint column = 0u; column < TILE; column++) write_y(tile, row, column, part, pixels[row][column]);
    return;
  }
#endif
  vec4 results[TILE * TILE]; // what is written by a loop lies in memory
  [[unroll]] for (uint row = 0u; row < TILE; row++)
    [[unroll]] for (uint column = 0u; column < TILE; column++) results[row * TILE + column] = pixels[row][column];
  for (uint at = 0u; at < TILE * TILE; at++) write_y_by(tile, at / TILE, at % TILE, part, results[at]);
}
