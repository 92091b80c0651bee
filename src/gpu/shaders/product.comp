#version 450
// y = activation(x w + bias + residual): a tile of TM x TN results a group, each thread RM x RN of them in registers,
// with TM x TK of x and TK x TN of w in shared memory. x is a matrix (dense layers) or, with -DCONV, the windows of an
// image, which are gathered on the way: column k of a row is channel k % c of the window's place k / c.
//
//   A_SCALAR  x can't be read four columns at a time; otherwise they lie together, and k, c and all steps are multiples of 4
//   C_SCALAR  the same of n, w, bias, residual and y
//
//   SLICES    so many sets of threads take every SLICES-th step of k, each with tiles of its own, and add up at the end:
//             where there are few groups, more of memory's latency is waited for at once
//
//   PAIR      a layer of two factors, y = activation((x w + first_bias) w2 + bias + residual): w has at most TN columns, and
//             x w stays in shared memory. One group for each tile of rows.
//
// Group x: tile of columns. y: tile of rows. z: matrix of a batch, or group of a convolution, times `splits`: parts of k
// whose sums go to `partial` [split][z][m][n], to be added by product_sum.comp.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "activation.glsl"

#ifndef SLICES
#define SLICES 1
#endif
#define THREADS ((TM / RM) * (TN / RN)) // of a slice
#define A_UNITS ((TM / 4) * (TK / 4)) // of 4 x 4
#define B_UNITS (TK * (TN / 4))       // of 1 x 4
#define A_EACH  ((A_UNITS + THREADS - 1) / THREADS)
#define B_EACH  ((B_UNITS + THREADS - 1) / THREADS)
#define A_LINE  (TM / 4 + 1) // padded against bank conflicts
#define B_LINE  (TN / 4)

layout(local_size_x = SLICES * THREADS) in;
#ifdef A_SCALAR
layout(binding = 1) readonly buffer X { STORE x[]; };
#else
layout(binding = 1) readonly buffer X { STORE4 x[]; };
#endif
#ifdef C_SCALAR
layout(binding = 2) readonly buffer W { STORE w[]; };
layout(binding = 3) readonly buffer Bias { STORE bias[]; };
layout(binding = 4) readonly buffer Residual { STORE residual[]; };
layout(binding = 5) writeonly buffer Y { STORE y[]; };
#else
layout(binding = 2) readonly buffer W { STORE4 w[]; };
layout(binding = 3) readonly buffer Bias { STORE4 bias[]; };
layout(binding = 4) readonly buffer Residual { STORE4 residual[]; };
layout(binding = 5) writeonly buffer Y { STORE4 y[]; };
#endif
#ifdef PAIR
layout(binding = 6) readonly buffer W2 { STORE4 w2[]; };
layout(binding = 7) readonly buffer FirstBias { STORE4 first_bias[]; };
#define Y_COLUMNS n2
#else
layout(binding = 6) writeonly buffer Partial { float partial[]; };
#define Y_COLUMNS n
#endif

layout(push_constant) uniform Push {
  uint m, n, k;
  uint x_row, w_row, y_row;       // elements from row to row
  uint x_batch, w_batch, y_batch; // ... from matrix to matrix
  uint w_rows, w_columns;         // what may be read of w: k and n, rounded up where it is padded
  uint splits, split_k;           // parts of k and their size, a multiple of TK
  uint flags;                     // 1: bias, 2: residual, 4: first bias
  uint act;
  float alpha, beta;
#ifdef PAIR
  uint n2, w2_row; // of the result, and of w2
#endif
#ifdef CONV
  uint height, width, channels; // channels of one group; a pixel's step is x_row
  uint x_image, x_channel;      // elements from image to image and from channel to channel
  uint out_width, out_pixels;   // of the output's image
  uint kernel_width, stride;    // stride: y | x << 16
  uint pad, dilation;           // likewise
#endif
};

#define TILES (TK * (A_LINE + B_LINE)) // of a slice: x [k][row / 4], then w [k][column / 4]
shared vec4 tiles[SLICES * TILES];
#ifdef PAIR
shared vec4 middle[TN * A_LINE]; // x w of the tile's rows: [column][row / 4]
#endif

#ifdef CONV
// A row's window: where it begins in the image, and the image.
struct Row {
  int top, left;
  uint image; // its first element
};

Row row_of(uint row) {
  const uint image = row / out_pixels, pixel = row - image * out_pixels, oy = pixel / out_width;
  const int top = int(oy * (stride & 0xffffu)) - int(pad & 0xffffu);
  const int left = int((pixel - oy * out_width) * (stride >> 16)) - int(pad >> 16);
  return Row(row < m ? top : -0x40000000, left, image * x_image); // beyond m, no pixel of the window is in the image
}

// The first element of the window's pixel at (ky, kx); false where that lies outside.
bool pixel_of(Row row, uint ky, uint kx, out uint pixel) {
  int iy = row.top + int(ky * (dilation & 0xffffu)), ix = row.left + int(kx * (dilation >> 16));
  pixel = row.image + (uint(iy) * width + uint(ix)) * x_row;
  return uint(iy) < height && uint(ix) < width;
}
#endif

// Four columns of a row of x from k on.
#ifdef CONV
vec4 read_x(Row row, uint base, uint at, uint end) {
  vec4 value = vec4(0.0);
  uint place = at / channels, c = at - place * channels, ky = place / kernel_width, kx = place - ky * kernel_width, pixel;
#ifdef A_SCALAR
  [[unroll]] for (int i = 0; i < 4; i++) {
    if (at + i < end && pixel_of(row, ky, kx, pixel)) value[i] = float(x[base + pixel + c * x_channel]);
    if (++c == channels) {
      c = 0u;
      if (++kx == kernel_width) {
        kx = 0u;
        ky++;
      }
    }
  }
#else
  if (at < end && pixel_of(row, ky, kx, pixel)) value = vec4(x[(base + pixel + c) >> 2]);
#endif
  return value;
}
#else
vec4 read_x(uint row, uint base, uint at, uint end) {
  vec4 value = vec4(0.0);
#ifdef A_SCALAR
  [[unroll]] for (int i = 0; i < 4; i++)
    if (row < m && at + i < end) value[i] = float(x[base + row * x_row + at + i]);
#else
  if (row < m && at < end) value = vec4(x[(base + row * x_row + at) >> 2]);
#endif
  return value;
}
#endif

vec4 read_w(uint base, uint at, uint column) {
  vec4 value = vec4(0.0);
#ifdef C_SCALAR
  [[unroll]] for (int i = 0; i < 4; i++)
    if (at < w_rows && column + i < w_columns) value[i] = float(w[base + at * w_row + column + i]);
#else
  if (at < w_rows && column < w_columns) value = vec4(w[(base + at * w_row + column) >> 2]);
#endif
  return value;
}

// Four columns of a row: their sum, finished. ACTIVATE makes one of the two functions do without the long activations.
#ifdef C_SCALAR
#define WRITE_Y(name, ACTIVATE)                                                                                        \
  void name(uint base, uint row, uint column, vec4 value) {                                                            \
    for (uint i = 0u; i < 4u && column + i < Y_COLUMNS; i++) {                                                                 \
      float v = value[i];                                                                                              \
      if ((flags & 1u) != 0u) v += float(bias[base % y_row + column + i]);                                             \
      if ((flags & 2u) != 0u) v += float(residual[base + row * y_row + column + i]);                                   \
      y[base + row * y_row + column + i] = STORE(ACTIVATE(vec4(v)).x);                                                 \
    }                                                                                                                  \
  }
#else
#define WRITE_Y(name, ACTIVATE)                                                                                        \
  void name(uint base, uint row, uint column, vec4 value) {                                                            \
    if (column < Y_COLUMNS) {                                                                                                  \
      const uint at = (base + row * y_row + column) >> 2;                                                              \
      if ((flags & 1u) != 0u) value += vec4(bias[(base % y_row + column) >> 2]);                                       \
      if ((flags & 2u) != 0u) value += vec4(residual[at]);                                                             \
      y[at] = STORE4(ACTIVATE(value));                                                                                 \
    }                                                                                                                  \
  }
#endif
vec4 relu_or_none(vec4 v) { return act == ACT_RELU ? mix(v, vec4(0.0), lessThan(v, vec4(0.0))) : v; }
vec4 any_activation(vec4 v) { return activate(act, alpha, beta, v); }
#if SLICES > 1
WRITE_Y(write_y, any_activation)
#else
WRITE_Y(write_y, relu_or_none)
WRITE_Y(write_y_by, any_activation)
#endif

#ifndef PAIR
void write_part(uint split, uint matrix, uint row, uint column, vec4 value) {
  const uint to = ((split * (gl_NumWorkGroups.z / splits) + matrix) * m + row) * n + column;
  [[unroll]] for (int c = 0; c < 4; c++)
    if (column + c < n) partial[to + c] = value[c];
}
#endif

void main() {
  const uint slice = gl_LocalInvocationID.x / THREADS, t = gl_LocalInvocationID.x - slice * THREADS;
  const uint as = slice * TILES, bs = as + TK * A_LINE;
  const uint first_column = gl_WorkGroupID.x * TN, first_row = gl_WorkGroupID.y * TM;
  const uint matrix = gl_WorkGroupID.z / splits, split = gl_WorkGroupID.z - matrix * splits;
  const uint begin = split * split_k, end = min(k, begin + split_k);
  const uint x_base = matrix * x_batch, w_base = matrix * w_batch;

  // Which parts of the tiles this thread brings: two neighbours in k for a group of rows, so that whole sectors of memory
  // are read and shared memory is written without conflicts.
  uint a_k[A_EACH], a_rows[A_EACH];
#ifdef CONV
  Row rows[A_EACH][4];
#endif
  [[unroll]] for (int i = 0; i < A_EACH; i++) {
    const uint unit = t + i * THREADS, pair = unit >> 1;
    a_rows[i] = pair % (TM / 4);
    a_k[i] = ((pair / (TM / 4)) << 1 | (unit & 1u)) << 2;
#ifdef CONV
    [[unroll]] for (int j = 0; j < 4; j++) rows[i][j] = row_of(first_row + a_rows[i] * 4 + j);
#endif
  }

  vec4 sums[RM][RN / 4];
  [[unroll]] for (int i = 0; i < RM; i++)
    [[unroll]] for (int j = 0; j < RN / 4; j++) sums[i][j] = vec4(0.0);

  // Threads of eight neighbours by four, so that a row of them reads few banks. The rows of a thread lie RM / 4 groups
  // apart, its columns likewise.
  const uint columns = TN / RN;
#if TM / RM >= 4
  const uint tx = (t / 32u % (columns / 8u)) * 8u + t % 8u, ty = t / (32u * (columns / 8u)) * 4u + t % 32u / 8u;
#else
  const uint tx = t % columns, ty = t / columns;
#endif

  vec4 a_next[A_EACH][4], b_next[B_EACH];
#ifdef CONV
#define ROW_OF_X(i, j) rows[i][j]
#else
#define ROW_OF_X(i, j) (first_row + a_rows[i] * 4 + j)
#endif
#define READ_X(from)                                                                                                   \
  [[unroll]] for (int i = 0; i < A_EACH; i++)                                                                          \
    if (A_UNITS % THREADS == 0 || t + i * THREADS < A_UNITS)                                                           \
      [[unroll]] for (int j = 0; j < 4; j++) a_next[i][j] = read_x(ROW_OF_X(i, j), x_base, (from) + a_k[i], end);
#define READ_W(from)                                                                                                   \
  [[unroll]] for (int i = 0; i < B_EACH; i++) {                                                                        \
    const uint unit = t + i * THREADS;                                                                                 \
    if (B_UNITS % THREADS == 0 || unit < B_UNITS)                                                                      \
      b_next[i] = read_w(w_base, (from) + unit / (TN / 4), first_column + unit % (TN / 4) * 4);                        \
  }

// TK columns of x with as many rows of w, unrolled so far that loads of shared memory run ahead. X: four rows of x.
#define ADD_STEP(X)                                                                                                    \
  for (uint four = 0u; four < TK; four += 4u)                                                                          \
    [[unroll]] for (uint s = 0u; s < 4u; s++) {                                                                        \
      vec4 a[RM / 4], b[RN / 4];                                                                                       \
      [[unroll]] for (int i = 0; i < RM / 4; i++) a[i] = X;                                                            \
      [[unroll]] for (int j = 0; j < RN / 4; j++) b[j] = tiles[bs + (four + s) * B_LINE + j * (TN / RN) + tx];         \
      [[unroll]] for (int i = 0; i < RM; i++)                                                                          \
        [[unroll]] for (int j = 0; j < RN / 4; j++) sums[i][j] = fma(vec4(a[i / 4][i % 4]), b[j], sums[i][j]);         \
    }
#define WRITE_W                                                                                                        \
  [[unroll]] for (int i = 0; i < B_EACH; i++) {                                                                        \
    const uint unit = t + i * THREADS;                                                                                 \
    if (B_UNITS % THREADS == 0 || unit < B_UNITS) tiles[bs + unit] = b_next[i];                                        \
  }

  READ_X(begin + slice * TK)
  READ_W(begin + slice * TK)
  for (uint at = begin; at < end; at += SLICES * TK) {
    [[unroll]] for (int i = 0; i < A_EACH; i++)
      if (A_UNITS % THREADS == 0 || t + i * THREADS < A_UNITS)
        [[unroll]] for (int j = 0; j < 4; j++)
            tiles[as + (a_k[i] + j) * A_LINE + a_rows[i]] = vec4(a_next[i][0][j], a_next[i][1][j], a_next[i][2][j], a_next[i][3][j]);
    WRITE_W
    barrier();
    // Unconditionally: beyond the end nothing counts, and behind a branch fewer loads would run ahead.
    READ_X(at + (SLICES + slice) * TK)
    READ_W(at + (SLICES + slice) * TK)
    ADD_STEP(tiles[as + (four + s) * A_LINE + i * (TM / RM) + ty])
    barrier();
  }

#if SLICES > 1
  // All slices' sums, [slice][row][column / 4]; then each thread finishes one vector of the tile.
  [[unroll]] for (int i = 0; i < RM; i++)
    [[unroll]] for (int j = 0; j < RN / 4; j++)
      tiles[(slice * TM + (i / 4 * (TM / RM) + ty) * 4 + i % 4) * (TN / 4) + j * (TN / RN) + tx] = sums[i][j];
  barrier();
  const uint one = gl_LocalInvocationID.x, row = first_row + one / (TN / 4), column = first_column + one % (TN / 4) * 4;
  vec4 sum = tiles[one];
  [[unroll]] for (uint other = 1u; other < SLICES; other++) sum += tiles[other * (TM * TN / 4) + one];
  if (row >= m) return;
  if (splits > 1u) {
    write_part(split, matrix, row, column, sum);
  } else {
    write_y(matrix * y_batch, row, column, sum);
  }
#else
#define ROW(i) (first_row + ((i) / 4 * (TM / RM) + ty) * 4 + (i) % 4)
// A thread's results from a tile that begins at `column`. The long activations go through a loop, whose array lies in memory, the
// sums in registers.
#define WRITE_TILE(column)                                                                                             \
  if (act <= ACT_RELU) {                                                                                               \
    [[unroll]] for (int i = 0; i < RM; i++)                                                                            \
      [[unroll]] for (int j = 0; j < RN / 4; j++)                                                                      \
        if (ROW(i) < m) write_y(matrix * y_batch, ROW(i), (column) + (j * (TN / RN) + tx) * 4, sums[i][j]);            \
  } else {                                                                                                             \
    vec4 results[RM * RN / 4];                                                                                         \
    [[unroll]] for (int i = 0; i < RM; i++)                                                                            \
      [[unroll]] for (int j = 0; j < RN / 4; j++) results[i * (RN / 4) + j] = sums[i][j];                              \
    for (uint i = 0u; i < RM; i++)                                                                                     \
      for (uint j = 0u; j < RN / 4; j++)                                                                               \
        if (ROW(i) < m)                                                                                                \
          write_y_by(matrix * y_batch, ROW(i), (column) + (j * (TN / RN) + tx) * 4, results[i * (RN / 4) + j]);        \
  }

#ifdef PAIR
  const vec4 before = (flags & 4u) != 0u && tx * 4u < n ? vec4(first_bias[tx]) : vec4(0.0);
  [[unroll]] for (int i = 0; i < RM / 4; i++)
    [[unroll]] for (int c = 0; c < 4; c++)
      middle[(tx * 4 + c) * A_LINE + i * (TM / RM) + ty] =
          vec4(sums[4 * i][0][c], sums[4 * i + 1][0][c], sums[4 * i + 2][0][c], sums[4 * i + 3][0][c]) + before[c];
  for (uint column = 0u; column < n2; column += TN) {
    [[unroll]] for (int i = 0; i < RM; i++) sums[i][0] = vec4(0.0);
    for (uint at = 0u; at < n; at += TK) {
      [[unroll]] for (int i = 0; i < B_EACH; i++) {
        const uint unit = t + i * THREADS, row = at + unit / (TN / 4), from = column + unit % (TN / 4) * 4;
        b_next[i] = vec4(0.0);
        if (unit < B_UNITS && row < n && from < w2_row) b_next[i] = vec4(w2[(row * w2_row + from) >> 2]);
      }
      barrier(); // `middle` is whole; the last step's tile has been read
      WRITE_W
      barrier();
      ADD_STEP(middle[(at + four + s) * A_LINE + i * (TM / RM) + ty])
    }
    WRITE_TILE(column)
  }
#else
  if (splits > 1u) {
    [[unroll]] for (int i = 0; i < RM; i++)
      [[unroll]] for (int j = 0; j < RN / 4; j++)
        if (ROW(i) < m) write_part(split, matrix, ROW(i), first_column + (j * (TN / RN) + tx) * 4, sums[i][j]);
  } else {
    WRITE_TILE(first_column)
  }
#endif
#endif
}
