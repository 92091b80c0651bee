/*
 * rango.Attention: y = softmax(scale q kᵀ + mask) v, for batches of matrices that are read and written where they lie.
 *
 * Inputs q, k, v and perhaps a mask, which is broadcast over [batch..., row, key]. Attributes:
 *
 *   q_axes, k_axes, v_axes   the input's axes that are [batch..., row, column] of its matrices; none: as they come
 *   q_pick, k_pick, v_pick   [axis, index]: an axis that is left out of them, and the place on it that is read
 *   axes                     axis i of y is axis axes[i] of [batch..., row, column]; none: as they come
 *   scale                    1
 *   causal                   1: row i sees keys 0 … i alone
 *
 * q is [batch..., rows, inner], k [batch..., keys, inner], v [batch..., keys, columns]; batches are broadcast.
 */
#ifndef RG_OPS_ATTENTION_H
#define RG_OPS_ATTENTION_H

#include "ops/support.h"

/* Where an operand's matrices lie: element strides over the axes [batch..., row, column], 0 where it is broadcast. */
typedef struct rg_attention_view {
  int64_t offset, strides[RANGO_MAX_RANK];
} rg_attention_view;

typedef struct rg_attention {
  int batch_rank;
  int64_t batch[RANGO_MAX_RANK];
  int64_t rows, keys, inner, columns; /* sizes: numbers or symbols */
  int y_rank;
  int64_t y_dims[RANGO_MAX_RANK];
  float scale;
  bool causal;
  /* Only where all sizes are numbers: */
  int64_t items; /* product of batch */
  rg_attention_view q, k, v, mask, y;
} rg_attention;

/* For the node's inputs (mask may be NULL), whose ranks are known. NULL, or what is wrong. */
const char *rg_attention_read(const rg_node *node, const rg_fact *q, const rg_fact *k, const rg_fact *v,
                              const rg_fact *mask, rg_attention *out);
/* The first element of an operand's matrix. */
int64_t rg_attention_at(const rg_attention *attention, const rg_attention_view *view, int64_t item);

#endif
