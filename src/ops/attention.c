/* See attention.h. */
#include "ops/attention.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

/* An operand's matrices before they are broadcast. */
typedef struct operand {
  int rank; /* axes [batch..., row, column] */
  int64_t dims[RANGO_MAX_RANK], strides[RANGO_MAX_RANK];
  int64_t offset;
  bool concrete;
} operand;

/* Element strides of a tensor; only numbers where all sizes are. */
static bool strides_of(int rank, const int64_t *dims, int64_t *strides) {
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; i--) {
    strides[i] = stride;
    if (!rg_size_is_known(dims[i]) || !rg_mul_i64(stride, dims[i], &stride)) return false;
  }
  return true;
}

static bool read_operand(const rg_node *node, const char *name, const rg_fact *fact, operand *out) {
  char attribute[16];
  size_t count, pair;
  int64_t strides[RANGO_MAX_RANK];
  bool used[RANGO_MAX_RANK] = {false};
  snprintf(attribute, sizeof attribute, "%s_axes", name);
  const int64_t *axes = rg_node_ints(node, attribute, &count);
  snprintf(attribute, sizeof attribute, "%s_pick", name);
  const int64_t *pick = rg_node_ints(node, attribute, &pair);
  memset(out, 0, sizeof *out);
  out->rank = fact->rank - (pick != NULL);
  if (out->rank < 2 || (pick && (pair != 2 || !axes)) || (axes && count != (size_t)out->rank)) return false;
  out->concrete = strides_of(fact->rank, fact->dims, strides);
  for (int i = 0; i <= out->rank; i++) {
    const bool picked = i == out->rank;
    if (picked && !pick) continue;
    const int64_t axis = picked ? pick[0] : axes ? axes[i] : i;
    if (axis < 0 || axis >= fact->rank || used[axis]) return false;
    used[axis] = true;
    if (!picked) {
      out->dims[i] = fact->dims[axis];
      out->strides[i] = strides[axis];
    } else if (out->concrete) {
      if (pick[1] < 0 || pick[1] >= fact->dims[axis]) return false;
      out->offset = pick[1] * strides[axis];
    }
  }
  return true;
}

/* The batches of q, k, v and mask, broadcast. */
static bool broadcast_batches(const operand *const *operands, int count, rg_attention *out) {
  out->batch_rank = 0;
  for (int i = 0; i < count; i++) {
    if (!operands[i]) continue;
    const int rank = operands[i]->rank > 2 ? operands[i]->rank - 2 : 0;
    if (!rg_broadcast_dims(out->batch_rank, out->batch, rank, operands[i]->dims, &out->batch_rank, out->batch))
      return false;
  }
  return out->batch_rank + 2 <= RANGO_MAX_RANK;
}

/* Strides over [batch..., row, column] of an operand that may have fewer axes, or axes of size 1. */
static void place(const operand *from, int rank, rg_attention_view *view) {
  memset(view, 0, sizeof *view);
  view->offset = from->offset;
  for (int i = 0; i < from->rank; i++)
    if (from->dims[i] != 1) view->strides[rank - from->rank + i] = from->strides[i];
}

/* y's sizes, and its strides over [batch..., row, column]. */
static bool read_result(const rg_node *node, rg_attention *out, bool concrete) {
  size_t count;
  const int64_t *axes = rg_node_ints(node, "axes", &count);
  const int rank = out->y_rank = out->batch_rank + 2;
  int64_t dims[RANGO_MAX_RANK], strides[RANGO_MAX_RANK];
  bool used[RANGO_MAX_RANK] = {false};
  memcpy(dims, out->batch, sizeof dims);
  dims[rank - 2] = out->rows;
  dims[rank - 1] = out->columns;
  if (axes && count != (size_t)rank) return false;
  for (int i = 0; i < rank; i++) {
    const int64_t axis = axes ? axes[i] : i;
    if (axis < 0 || axis >= rank || used[axis]) return false;
    used[axis] = true;
    out->y_dims[i] = dims[axis];
  }
  if (!concrete) return true;
  if (!strides_of(rank, out->y_dims, strides)) return false;
  memset(&out->y, 0, sizeof out->y);
  for (int i = 0; i < rank; i++) out->y.strides[axes ? axes[i] : i] = strides[i];
  out->items = 1;
  for (int i = 0; i < out->batch_rank; i++)
    if (!rg_mul_i64(out->items, out->batch[i], &out->items)) return false;
  return true;
}

const char *rg_attention_read(const rg_node *node, const rg_fact *q_fact, const rg_fact *k_fact, const rg_fact *v_fact,
                              const rg_fact *mask_fact, rg_attention *out) {
  operand q, k, v, mask = {0};
  if (!read_operand(node, "q", q_fact, &q) || !read_operand(node, "k", k_fact, &k) ||
      !read_operand(node, "v", v_fact, &v))
    return "an operand's axes don't fit it";
  bool concrete = q.concrete && k.concrete && v.concrete;
  out->rows = q.dims[q.rank - 2];
  out->inner = q.dims[q.rank - 1];
  out->keys = k.dims[k.rank - 2];
  out->columns = v.dims[v.rank - 1];
  if (mask_fact) {
    mask.rank = mask_fact->rank;
    memcpy(mask.dims, mask_fact->dims, sizeof mask.dims);
    mask.concrete = strides_of(mask.rank, mask.dims, mask.strides);
    concrete = concrete && mask.concrete;
    if ((mask.rank > 0 && !rg_broadcast_size(out->keys, mask.dims[mask.rank - 1], &out->keys)) ||
        (mask.rank > 1 && !rg_broadcast_size(out->rows, mask.dims[mask.rank - 2], &out->rows)))
      return "the mask doesn't fit the scores";
  }
  int64_t inner, keys;
  if (!rg_broadcast_size(out->inner, k.dims[k.rank - 1], &inner) || (concrete && k.dims[k.rank - 1] != out->inner))
    return "queries and keys don't fit each other";
  if (!rg_broadcast_size(out->keys, v.dims[v.rank - 2], &keys) || (concrete && v.dims[v.rank - 2] != out->keys))
    return "keys and values don't fit each other";
  const operand *const operands[] = {&q, &k, &v, mask_fact ? &mask : NULL};
  if (!broadcast_batches(operands, 4, out)) return "the batches don't fit each other";
  out->scale = rg_node_float(node, "scale", 1.0f);
  out->causal = rg_node_int(node, "causal", 0) != 0;
  if (!read_result(node, out, concrete)) return "the result's axes don't fit it";
  if (!concrete) return NULL;
  const int rank = out->batch_rank + 2;
  place(&q, rank, &out->q);
  place(&k, rank, &out->k);
  place(&v, rank, &out->v);
  place(&mask, rank, &out->mask);
  return NULL;
}

int64_t rg_attention_at(const rg_attention *attention, const rg_attention_view *view, int64_t item) {
  int64_t at = view->offset;
  for (int axis = attention->batch_rank - 1; axis >= 0; axis--) {
    at += item % attention->batch[axis] * view->strides[axis];
    item /= attention->batch[axis];
  }
  return at;
}
