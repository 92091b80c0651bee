#version 450
// rango.Attention: y = softmax(scale q kT + mask) v. A group makes ROWS rows of one matrix; keys and values come by in
// tiles of KEYS, and what has been summed up so far is scaled whenever a larger score comes (Milakov and Gimelshein, 2018;
// Dao et al., FlashAttention, 2022). Each thread makes 4 rows x KEYS/8 scores, then 4 rows x WIDTH/8 columns.
//
// -DWIDTH: the most columns of q, k, v. -DROWS, -DKEYS. All operands are strided; a batch is up to two axes.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define ACROSS   8           // threads along keys and columns
#define DOWN     (ROWS / 4)  // along rows: a thread's are DOWN apart
#define THREADS  (ACROSS * DOWN)
#define SCORES   (KEYS / ACROSS)
#define VECTORS  (WIDTH / 32) // of a thread's columns
#define CAUSAL   1u
#define MASKED   2u

layout(local_size_x = THREADS) in;
layout(binding = 1) readonly buffer Q { STORE q[]; };
layout(binding = 2) readonly buffer K { STORE k[]; };
layout(binding = 3) readonly buffer V { STORE v[]; };
layout(binding = 4) readonly buffer M { STORE mask[]; };
layout(binding = 5) writeonly buffer Y { STORE y[]; };
layout(push_constant) uniform Push {
  uint rows, keys, inner, columns, flags, blocks, items; // blocks of ROWS rows of each item
  float scale;
  uint batch;                            // of the inner one of the batch's axes
  uint q0, q1, k0, k1, v0, v1, m0, m1, y0, y1; // steps on them
  uint q_row, q_column, k_row, k_column, v_row, v_column, m_row, m_column, y_row, y_column;
  uint q_at, k_at, v_at;
};

// Rows are padded by a vector, so that threads that read neighbouring rows meet different banks.
shared vec4 queries[ROWS][WIDTH / 4 + 1];
shared vec4 tile[KEYS][WIDTH / 4 + 1]; // keys, then values
shared vec4 weights[ROWS][KEYS / 4 + 1];
shared vec4 partial[ROWS][ACROSS / 4];

void load_queries(uint first, uint base) {
  for (uint n = gl_LocalInvocationID.x; n < ROWS * WIDTH; n += THREADS) {
    const uint r = n / WIDTH, d = n % WIDTH;
    const bool inside = first + r < rows && d < inner;
    queries[r][d >> 2][d & 3u] = inside ? scale * float(q[base + (first + r) * q_row + d * q_column]) : 0.0;
  }
}

void load_keys(uint first, uint base) {
  for (uint n = gl_LocalInvocationID.x; n < KEYS * WIDTH; n += THREADS) {
    const uint r = n / WIDTH, d = n % WIDTH;
    const bool inside = first + r < keys && d < inner;
    tile[r][d >> 2][d & 3u] = inside ? float(k[base + (first + r) * k_row + d * k_column]) : 0.0;
  }
}

void load_values(uint first, uint base) {
  for (uint n = gl_LocalInvocationID.x; n < KEYS * WIDTH; n += THREADS) {
    const uint r = n / WIDTH, d = n % WIDTH;
    const bool inside = first + r < keys && d < columns;
    tile[r][d >> 2][d & 3u] = inside ? float(v[base + (first + r) * v_row + d * v_column]) : 0.0;
  }
}

void main() {
  const float lowest = uintBitsToFloat(0xff7fffffu), none = uintBitsToFloat(0xff800000u);
  const uint group = FLAT_GROUP;
  if (group >= items * blocks) return;
  const uint item = group / blocks, first = (group - item * blocks) * ROWS, outer = item / batch, i = item - outer * batch;
  const uint across = gl_LocalInvocationID.x % ACROSS, down = gl_LocalInvocationID.x / ACROSS;
  const uint q_base = q_at + i * q0 + outer * q1, k_base = k_at + i * k0 + outer * k1;
  const uint v_base = v_at + i * v0 + outer * v1, m_base = i * m0 + outer * m1, y_base = i * y0 + outer * y1;
  const uint vectors = (inner + 3) / 4, end = (flags & CAUSAL) != 0 ? min(keys, first + ROWS) : keys;

  float most[4], sum[4];
  vec4 result[4][VECTORS];
  [[unroll]] for (uint r = 0; r < 4; r++) {
    most[r] = lowest;
    sum[r] = 0.0;
    [[unroll]] for (uint c = 0; c < VECTORS; c++) result[r][c] = vec4(0);
  }
  load_queries(first, q_base);

  for (uint begin = 0; begin < end; begin += KEYS) {
    barrier();
    load_keys(begin, k_base);
    barrier();

    float score[4][SCORES];
    [[unroll]] for (uint r = 0; r < 4; r++)
      [[unroll]] for (uint s = 0; s < SCORES; s++) score[r][s] = 0.0;
    for (uint d = 0; d < vectors; d++) {
      vec4 a[4];
      [[unroll]] for (uint r = 0; r < 4; r++) a[r] = queries[down + DOWN * r][d];
      [[unroll]] for (uint s = 0; s < SCORES; s++) {
        const vec4 b = tile[across + ACROSS * s][d];
        [[unroll]] for (uint r = 0; r < 4; r++)
          score[r][s] = fma(a[r].x, b.x, fma(a[r].y, b.y, fma(a[r].z, b.z, fma(a[r].w, b.w, score[r][s]))));
      }
    }
    [[unroll]] for (uint r = 0; r < 4; r++) {
      const uint row = min(first + down + DOWN * r, rows - 1);
      float largest = lowest;
      [[unroll]] for (uint s = 0; s < SCORES; s++) {
        const uint key = begin + across + ACROSS * s;
        const bool seen = key < keys && ((flags & CAUSAL) == 0 || key <= row);
        if (seen && (flags & MASKED) != 0) score[r][s] += float(mask[m_base + row * m_row + key * m_column]);
        if (!seen) score[r][s] = none;
        largest = max(largest, score[r][s]);
      }
      partial[down + DOWN * r][across >> 2][across & 3u] = largest;
    }
    barrier();

    load_values(begin, v_base);
    float shrunk[4];
    [[unroll]] for (uint r = 0; r < 4; r++) {
      vec4 both = partial[down + DOWN * r][0];
      both = max(both, partial[down + DOWN * r][1]);
      const float largest = max(most[r], max(max(both.x, both.y), max(both.z, both.w)));
      shrunk[r] = exp(most[r] - largest);
      most[r] = largest;
      sum[r] *= shrunk[r];
      [[unroll]] for (uint s = 0; s < SCORES; s++) {
        const uint key = across + ACROSS * s;
        const float weight = exp(score[r][s] - largest);
        sum[r] += weight;
        weights[down + DOWN * r][key >> 2][key & 3u] = weight;
      }
      [[unroll]] for (uint c = 0; c < VECTORS; c++) result[r][c] *= shrunk[r];
    }
    barrier();

    for (uint key = 0; key < KEYS / 4; key++) {
      vec4 a[4];
      [[unroll]] for (uint r = 0; r < 4; r++) a[r] = weights[down + DOWN * r][key];
      [[unroll]] for (uint c = 0; c < VECTORS; c++)
        [[unroll]] for (uint e = 0; e < 4; e++) {
          const vec4 b = tile[4 * key + e][across + ACROSS * c];
          [[unroll]] for (uint r = 0; r < 4; r++) result[r][c] = fma(vec4(a[r][e]), b, result[r][c]);
        }
    }
  }

  barrier();
  [[unroll]] for (uint r = 0; r < 4; r++) partial[down + DOWN * r][across >> 2][across & 3u] = sum[r];
  barrier();
  [[unroll]] for (uint r = 0; r < 4; r++) {
    const uint row = first + down + DOWN * r;
    const vec4 sums = partial[down + DOWN * r][0] + partial[down + DOWN * r][1];
    const float inverse = 1.0 / ((sums.x + sums.y) + (sums.z + sums.w));
    [[unroll]] for (uint c = 0; c < VECTORS; c++)
      [[unroll]] for (uint e = 0; e < 4; e++) {
        const uint column = 4 * (across + ACROSS * c) + e;
        if (row < rows && column < columns)
          y[y_base + row * y_row + column * y_column] = STORE(result[r][c][e] * inverse);
      }
  }
}
