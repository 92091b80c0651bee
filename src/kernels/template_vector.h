/*
 * All vector kernels of one instruction set, written once over simd.h and simd_math.h. A folder's vector.c includes its
 * simd_math.h, names the table (RG_VECTOR_TABLE) and includes this file.
 */
#include <math.h>
#include <string.h>

#include "kernels/vector.h"

#define VECTORS(count) ((size_t)(count)*RG_LANES) /* elements */

/* In loops that end with part of a vector: whole ones are spared the mask, which costs much on some CPUs. */
static inline rg_vec load_some(const float *from, size_t count, rg_vec rest) {
  return count >= RG_LANES ? v_load(from) : v_load_part(from, count, rest);
}
static inline rg_vec load_zero(const float *from, size_t count) { return load_some(from, count, v_set1(0.0f)); }
static inline void store_some(float *to, rg_vec v, size_t count) {
  if (count >= RG_LANES)
    v_store(to, v);
  else
    v_store_n(to, v, count);
}

#include "kernels/template_math.h"

#include "kernels/template_unary.h"

#include "kernels/template_binary.h"

#include "kernels/template_chain.h"

#include "kernels/template_transpose.h"

#include "kernels/template_reduce.h"

#include "kernels/template_norm.h"

#include "kernels/template_move.h"

#include "kernels/template_rnn.h"

const rg_vector_kernels RG_VECTOR_TABLE = {
    .unary = unary,
    .binary = binary,
    .chain = chain,
    .compare = compare,
    .where = where,
    .reduce_rows = reduce_rows,
    .reduce_columns = reduce_columns,
    .softmax_rows = softmax_rows,
    .softmax_columns = softmax_columns,
    .attention_weights = attention_weights,
    .layer_norm = layer_norm,
    .moments = moments,
    .column_moments = column_moments,
    .scale_rows = scale_rows,
    .scale_columns = scale_columns,
    .transpose = transpose,
    .pool_row = pool_row,
    .blend = blend,
    .from_u8 = from_u8,
    .from_i8 = from_i8,
    .from_i32 = from_i32,
    .from_half = from_half,
    .to_half = to_half,
    .row_product = row_product,
    .lstm_step = lstm_step,
    .gru_reset = gru_reset,
    .gru_update = gru_update,
};
