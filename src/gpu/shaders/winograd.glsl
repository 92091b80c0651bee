// Winograd's method for 3 x 3 convolutions (Winograd 1980; Lavin and Gray 2016, equation 11): TILE x TILE pixels, TILE 2 or
// 4, of a window of SIDE x SIDE. The points of interpolation are the CPU's (kernels/winograd.h): 0, infinity, and +-1 or
// +-3/4, +-3/2. The images' shaders take four channels of a tile a thread. What lies between them is float32 in any
// storage, and its channels are padded to whole vectors.
#define SIDE (TILE + 2)

// Which of an image's tiles.
struct Tile {
  uint image;
  uint row, column; // of its first pixel
};

Tile tile_of(uint index, uint tiles_y, uint tiles_x) {
  const uint line = index / tiles_x, image = line / tiles_y;
  return Tile(image, (line - image * tiles_y) * TILE, (index - line * tiles_x) * TILE);
}

#if TILE == 4
const float A1 = 0.75, A2 = A1 * A1, A3 = A2 * A1, B1 = 1.5, B2 = B1 * B1, B3 = B2 * B1;

// G w
void transform_filter(vec3 w, out float u[SIDE]) {
  const float n0 = A2 * B2, na = 2.0 * A2 * (A2 - B2), nb = 2.0 * B2 * (B2 - A2);
  u[0] = w[0] / n0;
  u[1] = (w[0] + A1 * w[1] + A2 * w[2]) / na;
  u[2] = (w[0] - A1 * w[1] + A2 * w[2]) / na;
  u[3] = (w[0] + B1 * w[1] + B2 * w[2]) / nb;
  u[4] = (w[0] - B1 * w[1] + B2 * w[2]) / nb;
  u[5] = w[2];
}

// B^T d
void transform_in(vec4 d[SIDE], out vec4 t[SIDE]) {
  const vec4 even_a = d[4] - B2 * d[2], odd_a = A1 * (d[3] - B2 * d[1]);
  const vec4 even_b = d[4] - A2 * d[2], odd_b = B1 * (d[3] - A2 * d[1]);
  t[0] = A2 * B2 * d[0] - (A2 + B2) * d[2] + d[4];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = A2 * B2 * d[1] - (A2 + B2) * d[3] + d[5];
}

// A^T z
void transform_out(vec4 z[SIDE], out vec4 y[TILE]) {
  const vec4 even_a = z[1] + z[2], odd_a = z[1] - z[2], even_b = z[3] + z[4], odd_b = z[3] - z[4];
  y[0] = z[0] + even_a + even_b;
  y[1] = A1 * odd_a + B1 * odd_b;
  y[2] = A2 * even_a + B2 * even_b;
  y[3] = A3 * odd_a + B3 * odd_b + z[5];
}
#else
void transform_filter(vec3 w, out float u[SIDE]) {
  u[0] = -w[0];
  u[1] = 0.5 * (w[0] + w[1] + w[2]);
  u[2] = 0.5 * (w[0] - w[1] + w[2]);
  u[3] = w[2];
}

void transform_in(vec4 d[SIDE], out vec4 t[SIDE]) {
  t[0] = d[2] - d[0];
  t[1] = d[2] + d[1];
  t[2] = d[2] - d[1];
  t[3] = d[3] - d[1];
}

void transform_out(vec4 z[SIDE], out vec4 y[TILE]) {
  y[0] = z[0] + z[1] + z[2];
  y[1] = z[1] - z[2] + z[3];
}
#endif
