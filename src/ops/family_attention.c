/* Attention (opset 23 on) with grouped heads, masks, cache and soft cap; RotaryEmbedding. Sums are taken in double. */
#include "ops/compute.h"

#include <math.h>
#include <string.h>

/* ---- shapes ---- */

/* Sizes of attention; each may be a symbol in inference. */
typedef struct heads {
  bool flat; /* inputs are [batch, length, heads * size] */
  int64_t batch, q_heads, kv_heads, q_length, length, past, size, v_size;
} heads;

/* heads * size of a flat input taken apart; a negative result says that it doesn't divide. */
static int64_t divided(int64_t size, int64_t count) {
  if (!rg_size_is_known(size)) return size;
  return count > 0 && size % count == 0 ? size / count : -1;
}

static const char *read_heads(const rg_node *node, int rank, const int64_t *q, const int64_t *k, const int64_t *v,
                              heads *out) {
  if (rank == 4) {
    *out = (heads){false, q[0], q[1], k[1], q[2], k[2], 0, q[3], v[3]};
    return NULL;
  }
  if (rank != 3) return "the inputs need 3 or 4 axes";
  int64_t q_heads = rg_node_int(node, "q_num_heads", 0), kv_heads = rg_node_int(node, "kv_num_heads", 0);
  *out = (heads){true, q[0], q_heads, kv_heads, q[1], k[1], 0, divided(q[2], q_heads), divided(v[2], kv_heads)};
  if (q_heads < 1 || kv_heads < 1) return "inputs of 3 axes need q_num_heads and kv_num_heads";
  return (rg_size_is_known(out->size) && out->size < 0) || (rg_size_is_known(out->v_size) && out->v_size < 0)
             ? "the last axis is no multiple of the heads"
             : NULL;
}

static rango_status infer_attention(rg_infer *infer) {
  const rg_fact *q = infer->inputs[0], *k = infer->inputs[1], *v = infer->inputs[2];
  const rango_type types[] = {q->type, k->type, v->type, q->type}; /* of the outputs */
  const rg_fact *past = infer->input_count > 4 ? infer->inputs[4] : NULL;
  if (q->rank < 0 || k->rank != q->rank || v->rank != q->rank) {
    for (int i = 0; i < infer->output_count && i < 4; i++)
      if (infer->outputs[i]) rg_fact_set(infer->outputs[i], types[i], -1, NULL);
    return RANGO_OK;
  }
  heads h;
  const char *error = read_heads(infer->node, q->rank, q->dims, k->dims, v->dims, &h);
  if (error) return rg_infer_fail(infer, "%s", error);
  int64_t total = h.length;
  if (past) total = past->rank == 4 ? rg_size_add(past->dims[2], h.length) : RG_SIZE_UNKNOWN;
  if (total == RG_SIZE_UNKNOWN) total = rg_infer_new_symbol(infer);
  int64_t width = rg_size_is_known(h.v_size) ? h.v_size * h.q_heads : rg_infer_new_symbol(infer);
  int64_t y[4] = {h.batch, h.q_heads, h.q_length, h.v_size}, flat[3] = {h.batch, h.q_length, width};
  rg_fact_set(infer->outputs[0], q->type, q->rank, h.flat ? flat : y);
  int64_t rest[3][4] = {{h.batch, h.kv_heads, total, h.size},
                        {h.batch, h.kv_heads, total, h.v_size},
                        {h.batch, h.q_heads, h.q_length, total}};
  for (int i = 1; i < infer->output_count && i < 4; i++)
    if (infer->outputs[i]) rg_fact_set(infer->outputs[i], types[i], 4, rest[i - 1]);
  return RANGO_OK;
}

static int64_t macs_attention(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  const rg_fact *q = inputs[0], *k = inputs[1], *v = inputs[2];
  heads h;
  int64_t pairs;
  if (q->rank < 0 || k->rank != q->rank || v->rank != q->rank ||
      read_heads(node, q->rank, q->dims, k->dims, v->dims, &h))
    return -1;
  int64_t sizes[] = {h.batch, h.q_heads, h.q_length, h.length, h.size, h.v_size};
  for (int i = 0; i < 6; i++)
    if (!rg_size_is_known(sizes[i])) return -1;
  if (!rg_mul_i64(h.batch * h.q_heads, h.q_length, &pairs) || !rg_mul_i64(pairs, h.length, &pairs) ||
      !rg_mul_i64(pairs, h.size + h.v_size, &pairs))
    return -1;
  return pairs;
}

/* ---- attention ---- */

typedef struct attention {
  heads h;
  const rango_tensor *q, *k, *v, *mask, *past_k, *past_v, *lengths; /* mask and later: may be NULL */
  int64_t mask_strides[4], mask_length; /* over [batch, heads, q, kv]; length of the last axis */
  double scale, softcap;
  bool causal;
  int mode; /* of the fourth output */
} attention;

/* Start of one head's row of an input. */
static int64_t row_of(const heads *h, int64_t heads_count, int64_t length, int64_t size, int64_t b, int64_t head,
                      int64_t s) {
  return h->flat ? ((b * length + s) * heads_count + head) * size : ((b * heads_count + head) * length + s) * size;
}

/* Loads row j of the keys or values, the cached ones first. */
static void load_cached(const heads *h, const rango_tensor *past, const rango_tensor *now, int64_t size, int64_t b,
                        int64_t head, int64_t j, double *row) {
  if (j < h->past)
    rg_load_row(past, ((b * h->kv_heads + head) * h->past + j) * size, 1, size, row);
  else
    rg_load_row(now, row_of(h, h->kv_heads, h->length, size, b, head, j - h->past), 1, size, row);
}

/* What is added to the score of query i and key j: 0 or the mask's value, -infinity where j must not be seen. */
static double bias_of(const attention *a, int64_t b, int64_t head, int64_t i, int64_t j) {
  int64_t seen = a->lengths ? rg_tensor_get_i64(a->lengths, b) : 0;
  int64_t offset = a->lengths ? seen - a->h.q_length : a->h.past;
  if ((a->causal && j > i + offset) || (a->lengths && j >= seen)) return -INFINITY;
  if (!a->mask) return 0;
  if (j >= a->mask_length) return -INFINITY;
  int64_t at = b * a->mask_strides[0] + head * a->mask_strides[1] + i * a->mask_strides[2] + j * a->mask_strides[3];
  double value = rg_tensor_get_double(a->mask, at);
  return a->mask->type == RANGO_BOOL ? (value != 0 ? 0 : -INFINITY) : value;
}

/* Scores of one query against all keys, as weights that sum to one (or all zero where nothing may be seen). `shown`, if
 * not NULL, gets what the fourth output asks for. */
static void weigh(const attention *a, const double *keys, const double *query, int64_t b, int64_t head, int64_t i,
                  double *weights, double *shown) {
  int64_t total = a->h.past + a->h.length;
  double largest = -INFINITY, widest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < total; j++) {
    double score = 0, bias = bias_of(a, b, head, i, j);
    for (int64_t d = 0; d < a->h.size; d++) score += query[d] * keys[j * a->h.size + d];
    score *= a->scale;
    if (shown && a->mode == 0) shown[j] = score;
    if (a->softcap > 0) score = a->softcap * tanh(score / a->softcap);
    if (shown && a->mode == 1) shown[j] = score;
    weights[j] = bias == -INFINITY ? -INFINITY : score + bias;
    if (shown && a->mode == 2) shown[j] = weights[j];
    if (weights[j] > largest) largest = weights[j];
    if (bias > widest) widest = bias;
  }
  for (int64_t j = 0; j < total; j++) sum += weights[j] = widest == -INFINITY ? 0 : exp(weights[j] - largest);
  for (int64_t j = 0; j < total && sum > 0; j++) weights[j] /= sum;
  if (shown && a->mode == 3) memcpy(shown, weights, (size_t)total * sizeof *weights);
}

static rango_status present(rg_exec *exec, int index, const heads *h, const rango_tensor *past, const rango_tensor *now,
                            int64_t size, double *row) {
  rango_tensor *out;
  rg_shape shape = {.rank = 4, .dims = {h->batch, h->kv_heads, h->past + h->length, size}};
  if (!rg_exec_wants(exec, index)) return RANGO_OK;
  RG_TRY(rg_exec_output(exec, index, now->type, &shape, &out));
  for (int64_t b = 0; out && b < h->batch; b++)
    for (int64_t head = 0; head < h->kv_heads; head++)
      for (int64_t j = 0; j < h->past + h->length; j++) {
        load_cached(h, past, now, size, b, head, j, row);
        rg_store_row(out, ((b * h->kv_heads + head) * (h->past + h->length) + j) * size, 1, size, row);
      }
  return RANGO_OK;
}

static rango_status need_cache(const rg_exec *exec, const rango_tensor *past, const heads *h, int64_t size) {
  const int64_t *d = past->shape.dims;
  if (past->shape.rank == 4 && d[0] == h->batch && d[1] == h->kv_heads && d[3] == size && rg_type_is_float(past->type))
    return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "a cache's shape doesn't fit the keys or values");
}

/* The mask's strides over [batch, heads, q, kv], its axes aligned at the right. */
static rango_status read_mask(const rg_exec *exec, attention *a) {
  a->mask = rg_exec_input(exec, 3);
  if (!a->mask) return RANGO_OK;
  const rg_shape *shape = &a->mask->shape;
  int64_t wanted[4] = {a->h.batch, a->h.q_heads, a->h.q_length, a->h.past + a->h.length}, step = 1;
  bool fits = shape->rank >= 1 && shape->rank <= 4 && (a->mask->type == RANGO_BOOL || rg_type_is_float(a->mask->type));
  memset(a->mask_strides, 0, sizeof a->mask_strides);
  for (int i = 3, from = shape->rank - 1; fits && from >= 0; i--, from--) {
    fits = i == 3 ? shape->dims[from] <= wanted[3] : shape->dims[from] == 1 || shape->dims[from] == wanted[i];
    a->mask_strides[i] = i == 3 || shape->dims[from] != 1 ? step : 0;
    step *= shape->dims[from];
  }
  if (!fits) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the mask doesn't fit the scores");
  a->mask_length = shape->dims[shape->rank - 1];
  return RANGO_OK;
}

static rango_status read_attention(rg_exec *exec, attention *a) {
  RG_TRY(rg_need_float(exec, 0, 3, &a->q));
  RG_TRY(rg_need_float(exec, 1, 3, &a->k));
  RG_TRY(rg_need_float(exec, 2, 3, &a->v));
  const rg_shape *q = &a->q->shape, *k = &a->k->shape, *v = &a->v->shape;
  if (k->rank != q->rank || v->rank != q->rank)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the inputs have different numbers of axes");
  const char *error = read_heads(exec->node, q->rank, q->dims, k->dims, v->dims, &a->h);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  heads *h = &a->h;
  rg_shape keys = {.rank = 4, .dims = {h->batch, h->kv_heads, h->length, h->size}}, values = keys;
  values.dims[3] = h->v_size;
  if (h->flat) {
    keys = (rg_shape){.rank = 3, .dims = {h->batch, h->length, h->kv_heads * h->size}};
    values = (rg_shape){.rank = 3, .dims = {h->batch, h->length, h->kv_heads * h->v_size}};
  }
  if (!rg_shape_equal(k, &keys) || !rg_shape_equal(v, &values) || h->kv_heads < 1 || h->q_heads % h->kv_heads != 0)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "queries, keys and values don't fit each other");
  a->past_k = rg_exec_input(exec, 4);
  a->past_v = rg_exec_input(exec, 5);
  if ((a->past_k != NULL) != (a->past_v != NULL))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "past_key and past_value must come together");
  if (a->past_k) {
    RG_TRY(need_cache(exec, a->past_k, h, h->size));
    RG_TRY(need_cache(exec, a->past_v, h, h->v_size));
    h->past = a->past_k->shape.dims[2];
    if (a->past_v->shape.dims[2] != h->past)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the caches' lengths differ");
  }
  a->lengths = rg_exec_input(exec, 6);
  if (a->lengths && (!rg_type_is_integer(a->lengths->type) || rg_tensor_elements(a->lengths) != h->batch || a->past_k))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "nonpad_kv_seqlen needs one length a row, and no cache");
  a->causal = rg_node_int(exec->node, "is_causal", 0) != 0;
  a->softcap = rg_node_float(exec->node, "softcap", 0);
  a->mode = (int)rg_node_int(exec->node, "qk_matmul_output_mode", 0);
  a->scale = rg_node_float(exec->node, "scale", 0);
  if (!rg_node_attr(exec->node, "scale")) a->scale = h->size > 0 ? 1 / sqrt((double)h->size) : 1;
  return read_mask(exec, a);
}

/* Room for one key and value head, and rows. */
typedef struct attention_work {
  double *keys, *values, *query, *weights, *shown, *sum;
} attention_work;

static rango_status attention_work_create(rg_exec *exec, const heads *h, attention_work *work) {
  int64_t total = h->past + h->length, keys, values;
  if (!rg_mul_i64(total, h->size, &keys) || !rg_mul_i64(total, h->v_size, &values))
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the keys are too large");
  RG_TRY(rg_scratch_array(exec, keys, sizeof(double), RG_OUT(&work->keys)));
  RG_TRY(rg_scratch_array(exec, values, sizeof(double), RG_OUT(&work->values)));
  RG_TRY(rg_scratch_array(exec, h->size > h->v_size ? h->size : h->v_size, sizeof(double), RG_OUT(&work->query)));
  RG_TRY(rg_scratch_array(exec, total, sizeof(double), RG_OUT(&work->weights)));
  RG_TRY(rg_scratch_array(exec, total, sizeof(double), RG_OUT(&work->shown)));
  return rg_scratch_array(exec, h->v_size, sizeof(double), RG_OUT(&work->sum));
}

/* All queries of one head. */
static void attend(const attention *a, const attention_work *work, int64_t b, int64_t head, rango_tensor *y,
                   rango_tensor *scores) {
  const heads *h = &a->h;
  int64_t total = h->past + h->length, kv_head = head / (h->q_heads / h->kv_heads);
  for (int64_t j = 0; j < total; j++) {
    load_cached(h, a->past_k, a->k, h->size, b, kv_head, j, work->keys + j * h->size);
    load_cached(h, a->past_v, a->v, h->v_size, b, kv_head, j, work->values + j * h->v_size);
  }
  for (int64_t i = 0; i < h->q_length; i++) {
    rg_load_row(a->q, row_of(h, h->q_heads, h->q_length, h->size, b, head, i), 1, h->size, work->query);
    weigh(a, work->keys, work->query, b, head, i, work->weights, scores ? work->shown : NULL);
    if (scores) rg_store_row(scores, ((b * h->q_heads + head) * h->q_length + i) * total, 1, total, work->shown);
    for (int64_t d = 0; d < h->v_size; d++) work->sum[d] = 0;
    for (int64_t j = 0; j < total; j++)
      for (int64_t d = 0; work->weights[j] != 0 && d < h->v_size; d++)
        work->sum[d] += work->weights[j] * work->values[j * h->v_size + d];
    if (y) rg_store_row(y, row_of(h, h->q_heads, h->q_length, h->v_size, b, head, i), 1, h->v_size, work->sum);
  }
}

static rango_status compute_attention(rg_exec *exec) {
  attention a;
  attention_work work;
  RG_TRY(read_attention(exec, &a));
  const heads *h = &a.h;
  rg_shape shape = {.rank = 4, .dims = {h->batch, h->q_heads, h->q_length, h->v_size}};
  rg_shape score_shape = {.rank = 4, .dims = {h->batch, h->q_heads, h->q_length, h->past + h->length}};
  if (h->flat) shape = (rg_shape){.rank = 3, .dims = {h->batch, h->q_length, h->q_heads * h->v_size}};
  rango_tensor *y, *scores = NULL;
  RG_TRY(rg_exec_output(exec, 0, a.q->type, &shape, &y));
  if (rg_exec_wants(exec, 3)) RG_TRY(rg_exec_output(exec, 3, a.q->type, &score_shape, &scores));
  RG_TRY(attention_work_create(exec, h, &work));
  RG_TRY(present(exec, 1, h, a.past_k, a.k, h->size, work.query));
  RG_TRY(present(exec, 2, h, a.past_v, a.v, h->v_size, work.query));
  for (int64_t b = 0; b < h->batch; b++)
    for (int64_t head = 0; head < h->q_heads; head++) attend(&a, &work, b, head, y, scores);
  return RANGO_OK;
}

/* ---- RotaryEmbedding ---- */

typedef struct rotary {
  int64_t batch, heads, length, size, turned; /* turned: the part of `size` that is rotated */
  bool flat, interleaved;
} rotary;

static rango_status read_rotary(const rg_exec *exec, const rango_tensor *x, rotary *r) {
  const int64_t *d = x->shape.dims;
  r->flat = x->shape.rank == 3;
  r->heads = r->flat ? rg_node_int(exec->node, "num_heads", 0) : d[1];
  if (x->shape.rank > 4 || (r->flat && (r->heads < 1 || d[2] % r->heads != 0)))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input needs 4 axes, or 3 and num_heads");
  r->batch = d[0];
  r->length = r->flat ? d[1] : d[2];
  r->size = r->flat ? d[2] / r->heads : d[3];
  r->turned = rg_node_int(exec->node, "rotary_embedding_dim", 0);
  if (r->turned == 0) r->turned = r->size;
  r->interleaved = rg_node_int(exec->node, "interleaved", 0) != 0;
  if (r->turned < 0 || r->turned > r->size || r->turned % 2 != 0)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "rotary_embedding_dim doesn't fit heads of %lld",
                        (long long)r->size);
  return RANGO_OK;
}

/* A cache is [positions, turned / 2] with position_ids, otherwise [batch, length, turned / 2]. */
static rango_status read_turns(rg_exec *exec, int index, const rotary *r, bool by_position, int64_t *rows,
                               double **out) {
  const rango_tensor *cache;
  RG_TRY(rg_need_float(exec, index, 2, &cache));
  const rg_shape *shape = &cache->shape;
  bool fits =
      by_position ? shape->rank == 2 : shape->rank == 3 && shape->dims[0] == r->batch && shape->dims[1] == r->length;
  if (!fits || shape->dims[shape->rank - 1] != r->turned / 2)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d doesn't fit the rotated part", index);
  *rows = rg_dims_product(shape, 0, shape->rank - 1);
  return rg_scratch_doubles(exec, cache, out);
}

static void turn(const rotary *r, const double *cosine, const double *sine, double *row) {
  int64_t half = r->turned / 2;
  for (int64_t i = 0; i < half; i++) {
    double *a = &row[r->interleaved ? 2 * i : i], *b = &row[r->interleaved ? 2 * i + 1 : half + i];
    double real = cosine[i] * *a - sine[i] * *b, imaginary = sine[i] * *a + cosine[i] * *b;
    *a = real;
    *b = imaginary;
  }
}

static rango_status compute_rotary(rg_exec *exec) {
  const rango_tensor *x;
  rotary r;
  const int64_t *positions;
  int64_t position_count, rows, sine_rows;
  double *cosine, *sine, *row = NULL;
  RG_TRY(rg_need_float(exec, 0, 3, &x));
  RG_TRY(read_rotary(exec, x, &r));
  RG_TRY(rg_exec_integers(exec, 3, &positions, &position_count));
  RG_TRY(read_turns(exec, 1, &r, positions != NULL, &rows, &cosine));
  RG_TRY(read_turns(exec, 2, &r, positions != NULL, &sine_rows, &sine));
  if (rows != sine_rows || (positions && position_count != r.batch * r.length))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the caches or the positions don't fit the input");
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, r.size, sizeof *row, RG_OUT(&row)));
  for (int64_t b = 0; b < r.batch; b++) {
    for (int64_t s = 0; s < r.length; s++) {
      int64_t at = positions ? positions[b * r.length + s] : b * r.length + s;
      if (at < 0 || at >= rows)
        return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "position %lld is out of range", (long long)at);
      for (int64_t h = 0; h < r.heads; h++) {
        int64_t start = (r.flat ? (b * r.length + s) * r.heads + h : (b * r.heads + h) * r.length + s) * r.size;
        rg_load_row(x, start, 1, r.size, row);
        turn(&r, cosine + at * (r.turned / 2), sine + at * (r.turned / 2), row);
        rg_store_row(y, start, 1, r.size, row);
      }
    }
  }
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "Attention", 23, RG_OPSET_MAX, 3, 7, 1, 4, RG_OP_FLOAT_ONLY, NULL, infer_attention, compute_attention,
     macs_attention},
    {"", "RotaryEmbedding", 23, RG_OPSET_MAX, 3, 4, 1, 1, RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first,
     compute_rotary, NULL},
};
RG_OPS_EXPORT(attention, ops);
