#version 450
// rango.Attention: y = softmax(scale q kT + mask) v. A group makes ROWS rows of one matrix; keys and values come by in
// tiles of KEYS, and what has been summed up so far is scaled whenever a larger score comes (Milakov and Gimelshein,
// 2018; Dao et al., FlashAttention, 2022). Each thread makes EACH rows x KEYS/8 scores, then EACH rows x WIDTH/8
// columns.
//
// -DWIDTH: the most columns of q, k, v. -DROWS, -DKEYS, -DEACH. All operands are strided; a batch is up to two axes.
// -DSCALAR: any steps; otherwise columns lie together, and their counts and all steps are multiples of four.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#define ACROSS   8             // threads along keys and columns
#define DOWN     (ROWS / EACH) // along rows: a thread's are DOWN apart
#define THREADS  (ACROSS * DOWN)
#define SCORES   (KEYS / ACROSS)
#define LINE     (WIDTH / 4)
#define VECTORS  (WIDTH / 32) // of a thread's columns
#define PART     (KEYS * LINE / THREADS) // vectors of a tile that a thread brings
#define CAUSAL   1u
#define MASKED   2u

layout(local_size_x = THREADS) in;
#ifdef SCALAR
#define ELEMENT STORE
#else
#define ELEMENT STORE4
#endif
layout(binding = 1) readonly buffer Q { ELEMENT q[]; };
layout(binding = 2) readonly buffer K { ELEMENT k[]; };
layout(binding = 3) readonly buffer V { ELEMENT v[]; };
layout(binding = 4) readonly buffer M { STORE mask[]; };
layout(binding = 5) writeonly buffer Y { ELEMENT y[]; };
layout(push_constant) uniform Push {
  uint rows, keys, inner, columns, flags, blocks, items; // blocks of ROWS rows of each item
  float scale;
  uint batch;                            // of the inner one of the batch's axes
  uint q0, q1, k0, k1, v0, v1, m0, m1, y0, y1; // steps on them
  uint q_row, q_column, k_row, k_column, v_row, v_column, m_row, m_column, y_row, y_column;
  uint q_at, k_at, v_at;
};

// Columns d to d + 3 of the row that begins at `at`; zeros beyond the last.
#ifdef SCALAR
#define READER(name, array)                                                                                            \
  vec4 name(uint at, uint column_step, uint d, uint count) {                                                           \
    vec4 value = vec4(0.0);                                                                                            \
    [[unroll]] for (int i = 0; i < 4; i++)                                                                             \
      if (d + i < count) value[i] = float(array[at + (d + i) * column_step]);                                          \
    return value;                                                                                                      \
  }
#else
#define READER(name, array)                                                                                            \
  vec4 name(uint at, uint column_step, uint d, uint count) {                                                           \
    return d < count ? vec4(array[(at + d) >> 2]) : vec4(0.0);                                                         \
  }
#endif
READER(read_q, q)
READER(read_k, k)
READER(read_v, v)

// The vectors of a row change places by the row's number, so that threads that read neighbouring rows meet different
// banks of memory.
#define PLACE(row, vector)  ((vector) ^ ((row) & 7u))
#define WEIGHT(row, vector) ((vector) ^ ((row) & (KEYS / 4 < 8 ? KEYS / 4 - 1 : 7)))
shared vec4 queries[ROWS][LINE];
shared vec4 tile[KEYS][LINE];        // keys, then values
shared vec4 weights[ROWS][KEYS / 4]; // before, the first two vectors are eight threads' parts of a row's maximum

vec4 ahead[PART]; // a tile on its way from one memory to the other, so that nobody waits for it

void fetch_keys(uint first, uint base) {
  [[unroll]] for (uint p = 0; p < PART; p++) {
    const uint n = gl_LocalInvocationID.x + p * THREADS, r = first + n / LINE;
    ahead[p] = r < keys ? read_k(base + r * k_row, k_column, n % LINE * 4, inner) : vec4(0.0);
  }
}

void fetch_values(uint first, uint base) {
  [[unroll]] for (uint p = 0; p < PART; p++) {
    const uint n = gl_LocalInvocationID.x + p * THREADS, r = first + n / LINE;
    ahead[p] = r < keys ? read_v(base + r * v_row, v_column, n % LINE * 4, columns) : vec4(0.0);
  }
}

void put_tile() {
  [[unroll]] for (uint p = 0; p < PART; p++) {
    const uint n = gl_LocalInvocationID.x + p * THREADS, r = n / LINE;
    tile[r][PLACE(r, n % LINE)] = ahead[p];
  }
}

void load_queries(uint first, uint base) {
  for (uint n = gl_LocalInvocationID.x; n < ROWS * LINE; n += THREADS) {
    const uint r = n / LINE;
    const vec4 value = first + r < rows ? read_q(base + (first + r) * q_row, q_column, n % LINE * 4, inner) : vec4(0.0);
    queries[r][PLACE(r, n % LINE)] = scale * value;
  }
}

void main() {
  const float lowest = uintBitsToFloat(0xff7fffffu), none = uintBitsToFloat(0xff800000u);
  const uint group = FLAT_GROUP;
  if (group >= items * blocks) return;
  const uint item = group / blocks, first = (group - item * blocks) * ROWS;
  const uint outer = item / batch, i = item - outer * batch;
  const uint across = gl_LocalInvocationID.x % ACROSS, down = gl_LocalInvocationID.x / ACROSS;
  const uint q_base = q_at + i * q0 + outer * q1, k_base = k_at + i * k0 + outer * k1;
  const uint v_base = v_at + i * v0 + outer * v1, m_base = i * m0 + outer * m1, y_base = i * y0 + outer * y1;
  const uint vectors = (inner + 3) / 4, end = (flags & CAUSAL) != 0 ? min(keys, first + ROWS) : keys;

  float most[EACH], sum[EACH];
  vec4 result[EACH][VECTORS];
  [[unroll]] for (uint r = 0; r < EACH; r++) {
    most[r] = lowest;
    sum[r] = 0.0;
    [[unroll]] for (uint c = 0; c < VECTORS; c++) result[r][c] = vec4(0);
  }
  load_queries(first, q_base);
  fetch_keys(0, k_base);

  for (uint begin = 0; begin < end; begin += KEYS) {
    barrier();
    put_tile();
    barrier();
    fetch_values(begin, v_base);

    float score[EACH][SCORES];
    [[unroll]] for (uint r = 0; r < EACH; r++)
      [[unroll]] for (uint s = 0; s < SCORES; s++) score[r][s] = 0.0;
    for (uint d = 0; d < vectors; d += 4)
      [[unroll]] for (uint e = 0; e < 4; e++) {
        vec4 b[SCORES];
        [[unroll]] for (uint s = 0; s < SCORES; s++) b[s] = tile[across + ACROSS * s][PLACE(across, d + e)];
        [[unroll]] for (uint r = 0; r < EACH; r++) {
          const vec4 a = queries[down + DOWN * r][PLACE(down + DOWN * r, d + e)];
          [[unroll]] for (uint s = 0; s < SCORES; s++)
            score[r][s] = fma(a.x, b[s].x, fma(a.y, b[s].y, fma(a.z, b[s].z, fma(a.w, b[s].w, score[r][s]))));
        }
      }
    [[unroll]] for (uint r = 0; r < EACH; r++) {
      const uint row = min(first + down + DOWN * r, rows - 1);
      float largest = lowest;
      [[unroll]] for (uint s = 0; s < SCORES; s++) {
        const uint key = begin + across + ACROSS * s;
        const bool seen = key < keys && ((flags & CAUSAL) == 0 || key <= row);
        if (seen && (flags & MASKED) != 0) score[r][s] += float(mask[m_base + row * m_row + key * m_column]);
        if (!seen) score[r][s] = none;
        largest = max(largest, score[r][s]);
      }
      weights[down + DOWN * r][across >> 2][across & 3u] = largest;
    }
    barrier();

    put_tile();
    fetch_keys(begin + KEYS, k_base); // none beyond the last
    [[unroll]] for (uint r = 0; r < EACH; r++) {
      const vec4 parts = max(weights[down + DOWN * r][0], weights[down + DOWN * r][1]);
      const float largest = max(most[r], max(max(parts.x, parts.y), max(parts.z, parts.w)));
      const float shrunk = exp(most[r] - largest);
      most[r] = largest;
      sum[r] *= shrunk;
      [[unroll]] for (uint s = 0; s < SCORES; s++) {
        score[r][s] = exp(score[r][s] - largest);
        sum[r] += score[r][s];
      }
      [[unroll]] for (uint c = 0; c < VECTORS; c++) result[r][c] *= shrunk;
    }
    barrier();
    [[unroll]] for (uint r = 0; r < EACH; r++)
      [[unroll]] for (uint s = 0; s < SCORES; s++) {
        const uint key = across + ACROSS * s;
        weights[down + DOWN * r][WEIGHT(down + DOWN * r, key >> 2)][key & 3u] = score[r][s];
      }
    barrier();

    for (uint key = 0; key < KEYS / 4; key++) {
      vec4 b[4][VECTORS];
      [[unroll]] for (uint e = 0; e < 4; e++)
        [[unroll]] for (uint c = 0; c < VECTORS; c++)
          b[e][c] = tile[4 * key + e][PLACE(4 * key + e, across) + ACROSS * c];
      [[unroll]] for (uint r = 0; r < EACH; r++) {
        const vec4 a = weights[down + DOWN * r][WEIGHT(down + DOWN * r, key)];
        [[unroll]] for (uint c = 0; c < VECTORS; c++)
          result[r][c] = fma(vec4(a.x), b[0][c],
                             fma(vec4(a.y), b[1][c], fma(vec4(a.z), b[2][c], fma(vec4(a.w), b[3][c], result[r][c]))));
      }
    }
  }

  barrier();
  [[unroll]] for (uint r = 0; r < EACH; r++) weights[down + DOWN * r][across >> 2][across & 3u] = sum[r];
  barrier();
  [[unroll]] for (uint r = 0; r < EACH; r++) {
    const uint row = first + down + DOWN * r;
    const vec4 sums = weights[down + DOWN * r][0] + weights[down + DOWN * r][1];
    const float inverse = 1.0 / ((sums.x + sums.y) + (sums.z + sums.w));
    [[unroll]] for (uint c = 0; c < VECTORS; c++) {
      const uint column = 4 * (across + ACROSS * c);
#ifdef SCALAR
      [[unroll]] for (uint e = 0; e < 4; e++)
        if (row < rows && column + e < columns)
          y[y_base + row * y_row + (column + e) * y_column] = STORE(result[r][c][e] * inverse);
#else
      if (row < rows && column < columns) y[(y_base + row * y_row + column) >> 2] = STORE4(result[r][c] * inverse);
#endif
    }
  }
}
