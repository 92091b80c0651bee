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
//   BUFFERS   tiles that a slice has in shared memory: of two, one is filled while the other is read
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
#ifndef BUFFERS
#define BUFFERS 2
#endif
#define THREADS ((TM / RM) * (TN / RN)) // of a slice
#define A_EACH (TM * TK / 4 / THREADS) // vectors of x, and of w, that a thread brings: four columns of a row
#define B_EACH (TN * TK / 4 / THREADS)
#define A_DOWN (THREADS / (TK / 4)) // rows from one to the next
#define B_DOWN (THREADS / (TN / 4))
#define A_LINE (TM / 4 + 1) // padded against bank conflicts
#define B_LINE (TN / 4)

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
  uint w_columns;                 // what may be read of a row of w: n, rounded up where it is padded
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

#define TILES (TK * (A_LINE + B_LINE)) // of a step: x [k][row / 4], then w [k][column / 4]
#define PART_ROWS (TM * 4 / RM) // of results, which pass through the same memory at the end
#define PART_LINE (TN / RN)
#define PART      (PART_ROWS * PART_LINE)
#if PART > BUFFERS * TILES
#error "results don't fit in the tiles' memory"
#endif
shared vec4 tiles[SLICES * BUFFERS * TILES];
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
  return Row(top, left, image * x_image);
}

// The first element of the window's pixel at (ky, kx); false where that lies outside.
bool pixel_of(Row row, uint ky, uint kx, out uint pixel) {
  int iy = row.top + int(ky * (dilation & 0xffffu)), ix = row.left + int(kx * (dilation >> 16));
  pixel = row.image + (uint(iy) * width + uint(ix)) * x_row;
  return uint(iy) < height && uint(ix) < width;
}
#endif

// Four columns of a row of x from column `at` on.
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
    if (at + i < end) value[i] = float(x[base + row * x_row + at + i]);
#else
  if (at < end) value = vec4(x[(base + row * x_row + at) >> 2]);
#endif
  return value;
}
#endif

// Four columns of a row of w; with vectors, `column` is inside.
vec4 read_w(uint base, uint at, uint column, uint end) {
  vec4 value = vec4(0.0);
#ifdef C_SCALAR
  [[unroll]] for (int i = 0; i < 4; i++)
    if (at < end && column + i < w_columns) value[i] = float(w[base + at * w_row + column + i]);
#else
  if (at < end) value = vec4(w[(base + at * w_row + column) >> 2]);
#endif
  return value;
}

// Four columns of a row of the result from element `at` of y on, finished.
void write_y(uint at, uint column, uint bias_at, vec4 value) {
#ifdef C_SCALAR
  for (uint i = 0u; i < 4u && column + i < Y_COLUMNS; i++) {
    float v = value[i];
    if ((flags & 1u) != 0u) v += float(bias[bias_at + i]);
    if ((flags & 2u) != 0u) v += float(residual[at + i]);
    y[at + i] = STORE(activate(act, alpha, beta, vec4(v)).x);
  }
#else
  if (column >= Y_COLUMNS) return;
  if ((flags & 1u) != 0u) value += vec4(bias[bias_at >> 2]);
  if ((flags & 2u) != 0u) value += vec4(residual[at >> 2]);
  y[at >> 2] = STORE4(activate(act, alpha, beta, value));
#endif
}

#ifndef PAIR
void write_part(uint split, uint matrix, uint row, uint column, vec4 value) {
  const uint to = ((split * (gl_NumWorkGroups.z / splits) + matrix) * m + row) * n + column;
  [[unroll]] for (int c = 0; c < 4; c++)
    if (column + c < n) partial[to + c] = value[c];
}
#endif

// Vector v of the tile in shared memory, columns `column` to `column` + 3 of row `row`: of the result or of a part of it.
void finish(uint v, uint matrix, uint split, uint row, uint column) {
  vec4 sum = tiles[v];
  [[unroll]] for (uint other = 1u; other < SLICES; other++) sum += tiles[other * PART + v];
  if (row >= m) return;
#ifndef PAIR
  if (splits > 1u) {
    write_part(split, matrix, row, column, sum);
    return;
  }
#endif
  write_y(matrix * y_batch + row * y_row + column, column, matrix * y_batch % y_row + column, sum);
}

void main() {
  const uint slice = gl_LocalInvocationID.x / THREADS, t = gl_LocalInvocationID.x - slice * THREADS;
  const uint own = slice * BUFFERS * TILES; // the slice's tiles
  const uint first_column = gl_WorkGroupID.x * TN, first_row = gl_WorkGroupID.y * TM;
  const uint matrix = gl_WorkGroupID.z / splits, split = gl_WorkGroupID.z - matrix * splits;
  const uint begin = split * split_k, end = min(k, begin + split_k);
  const uint x_base = matrix * x_batch, w_base = matrix * w_batch;

  // Which vectors of the tiles this thread brings. Rows beyond m and columns beyond n are never written: any will do.
  const uint a_k = t % (TK / 4) * 4, a_row = t / (TK / 4);
  const uint b_k = t / (TN / 4), b_column = first_column + t % (TN / 4) * 4;
#ifdef C_SCALAR
#define COLUMN_OF_W b_column
#else
#define COLUMN_OF_W min(b_column, w_columns - 4)
#endif
#ifdef CONV
  Row rows[A_EACH];
#else
  uint rows[A_EACH];
#define row_of(row) (row)
#endif
  [[unroll]] for (int i = 0; i < A_EACH; i++) rows[i] = row_of(min(first_row + a_row + i * A_DOWN, m - 1));

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

  vec4 a_next[A_EACH], b_next[B_EACH];
// Beyond the end nothing counts. Behind a branch around it all, fewer loads would run ahead.
#define READ(from)                                                                                                     \
  [[unroll]] for (int i = 0; i < A_EACH; i++) a_next[i] = read_x(rows[i], x_base, (from) + a_k, end);                  \
  [[unroll]] for (int i = 0; i < B_EACH; i++) b_next[i] = read_w(w_base, (from) + b_k + i * B_DOWN, COLUMN_OF_W, end);
#define WRITE_W(to)                                                                                                    \
  [[unroll]] for (int i = 0; i < B_EACH; i++) tiles[(to) + TK * A_LINE + t + i * THREADS] = b_next[i];
#define WRITE(to)                                                                                                      \
  [[unroll]] for (int i = 0; i < A_EACH; i++)                                                                          \
    [[unroll]] for (int j = 0; j < 4; j++)                                                                             \
        tiles[(to) + (a_k + j) * A_LINE + (a_row + i * A_DOWN) / 4][(a_row + i * A_DOWN) % 4] = a_next[i][j];          \
  WRITE_W(to)

// TK columns of x with as many rows of w, unrolled so far that loads of shared memory run ahead. X: four rows of x.
#define ADD_STEP(from, X)                                                                                              \
  for (uint four = 0u; four < TK; four += 4u)                                                                          \
    [[unroll]] for (uint s = 0u; s < 4u; s++) {                                                                        \
      vec4 a[RM / 4], b[RN / 4];                                                                                       \
      [[unroll]] for (int i = 0; i < RM / 4; i++) a[i] = X;                                                            \
      [[unroll]] for (int j = 0; j < RN / 4; j++)                                                                      \
        b[j] = tiles[(from) + TK * A_LINE + (four + s) * B_LINE + j * (TN / RN) + tx];                                 \
      [[unroll]] for (int i = 0; i < RM; i++)                                                                          \
        [[unroll]] for (int j = 0; j < RN / 4; j++) sums[i][j] = fma(vec4(a[i / 4][i % 4]), b[j], sums[i][j]);         \
    }
#define ADD_TILES(from) ADD_STEP(from, tiles[(from) + (four + s) * A_LINE + i * (TM / RM) + ty])

  const uint step = SLICES * TK, first = begin + slice * TK;
  READ(first)
#if BUFFERS == 1
  for (uint at = 0u; begin + at < end; at += step) {
    WRITE(own)
    barrier();
    READ(first + at + step)
    ADD_TILES(own)
    barrier();
  }
#else
  WRITE(own)
  barrier();
  for (uint at = 0u; begin + at < end; at += 2u * step) { // two steps, so that either tile's place is a constant
    READ(first + at + step)
    ADD_TILES(own)
    WRITE(own + TILES)
    barrier();
    READ(first + at + 2u * step)
    ADD_TILES(own + TILES)
    WRITE(own)
    barrier();
  }
#endif

// The threads' sums through shared memory, 4 x 4 of each at a time, [slice][row][column / 4], so that long runs are written
// and activations need no registers while the sums do; a tile that begins at `column`.
#define PUT(i, j)                                                                                                      \
  [[unroll]] for (int r = 0; r < 4; r++)                                                                               \
      tiles[slice * PART + (ty * 4 + r) * PART_LINE + tx] = sums[(i) * 4 + r][j];
#define FINISH(i, j, column)                                                                                           \
  for (uint v = gl_LocalInvocationID.x; v < PART; v += SLICES * THREADS)                                               \
    finish(v, matrix, split, first_row + (i) * PART_ROWS + v / PART_LINE, (column) + ((j) * PART_LINE + v % PART_LINE) * 4);
#if RM == 8 && RN == 8
// The code four times: a loop, in which all sums live longer, was an eighth slower.
#define WRITE_PART(i, j, column) barrier(); PUT(i, j) barrier(); FINISH(i, j, column)
#define WRITE_TILE(column)                                                                                             \
  WRITE_PART(0, 0, column) WRITE_PART(0, 1, column) WRITE_PART(1, 0, column) WRITE_PART(1, 1, column)
#else
// Which sums is asked for by constants: a number that isn't one would put them all into memory.
#define WRITE_TILE(column)                                                                                             \
  for (uint part = 0u; part < RM / 4; part++) {                                                                        \
    barrier();                                                                                                         \
    [[unroll]] for (int i = 0; i < RM / 4; i++)                                                                        \
      if (part == i) PUT(i, 0)                                                                                         \
    barrier();                                                                                                         \
    FINISH(part, 0, column)                                                                                            \
  }
#endif

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
        const uint row = at + b_k + i * B_DOWN, from = column + t % (TN / 4) * 4;
        b_next[i] = row < n && from < w2_row ? vec4(w2[(row * w2_row + from) >> 2]) : vec4(0.0);
      }
      barrier(); // `middle` is whole; the last step's tile has been read
      WRITE_W(0)
      barrier();
      ADD_STEP(0, middle[(at + four + s) * A_LINE + i * (TM / RM) + ty])
    }
    WRITE_TILE(column)
  }
#else
  WRITE_TILE(first_column)
#endif
}
