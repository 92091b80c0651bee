/* ScatterND without reduction: a copy of the data, in which slices are replaced. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/product.h"

/* Each of `count` indices of `depth` numbers names a slice of `bytes`. */
typedef struct scatter_state {
  size_t count, depth, bytes, total_bytes;
  int64_t dims[RANGO_MAX_RANK];   /* [depth] */
  size_t strides[RANGO_MAX_RANK]; /* [depth], in slices */
  rango_type type;
  rg_shape shape;
} scatter_state;

static rango_status slice_at(const rg_exec *exec, const scatter_state *s, const int64_t *index, size_t *out) {
  *out = 0;
  for (size_t i = 0; i < s->depth; i++) {
    const int64_t at = index[i] < 0 ? index[i] + s->dims[i] : index[i];
    if (at < 0 || at >= s->dims[i])
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "index %lld is out of range for an axis of %lld",
                          (long long)index[i], (long long)s->dims[i]);
    *out += (size_t)at * s->strides[i];
  }
  return RANGO_OK;
}

static rango_status run(rg_exec *exec) {
  const scatter_state *s = exec->state;
  const void *x = rg_exec_input(exec, 0)->data;
  const int64_t *indices = rg_exec_input(exec, 1)->data;
  const char *updates = rg_exec_input(exec, 2)->data;
  rango_tensor *y;
  size_t at;
  RG_TRY(rg_exec_output(exec, 0, s->type, &s->shape, &y));
  if (y->data != x && s->total_bytes > 0) memcpy(y->data, x, s->total_bytes);
  for (size_t i = 0; i < s->count; i++) {
    RG_TRY(slice_at(exec, s, indices + i * s->depth, &at));
    if (s->bytes == 4)
      memcpy((char *)y->data + 4 * at, updates + 4 * i, 4); /* one move */
    else
      memcpy((char *)y->data + s->bytes * at, updates + s->bytes * i, s->bytes);
  }
  return RANGO_OK;
}

static bool is_supported(const rg_prepare *prepare) {
  for (int i = 0; i < 3; i++)
    if (!prepare->inputs[i] || !rg_fact_is_concrete(prepare->inputs[i]) ||
        prepare->node->inputs[i]->layout != RG_ROW_MAJOR)
      return false;
  const rg_fact *x = prepare->inputs[0], *indices = prepare->inputs[1], *updates = prepare->inputs[2];
  if (!prepare->outputs[0] || prepare->node->outputs[0]->layout != RG_ROW_MAJOR) return false;
  if (x->type == RANGO_STRING || rango_type_bits(x->type) < 8 || indices->type != RANGO_INT64 || indices->rank < 1)
    return false;
  const int64_t depth = indices->dims[indices->rank - 1];
  if (depth < 1 || depth > x->rank || updates->rank != indices->rank - 1 + x->rank - (int)depth) return false;
  for (int i = 0; i < updates->rank; i++) {
    const int outer = indices->rank - 1;
    if (updates->dims[i] != (i < outer ? indices->dims[i] : x->dims[i - outer + (int)depth])) return false;
  }
  return strcmp(rg_node_string(prepare->node, "reduction", "none"), "none") == 0;
}

static rango_status prepare_scatter(rg_prepare *prepare) {
  if (!is_supported(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *indices = prepare->inputs[1];
  scatter_state *s;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *s, RG_OUT(&s)));
  const size_t element = rango_type_bits(x->type) / 8;
  s->depth = (size_t)indices->dims[indices->rank - 1];
  s->count = rg_cpu_count(indices, 0, indices->rank - 1);
  s->bytes = rg_cpu_count(x, (int)s->depth, x->rank) * element;
  s->total_bytes = rg_cpu_count(x, 0, x->rank) * element;
  size_t stride = 1;
  for (size_t i = s->depth; i-- > 0;) {
    s->dims[i] = x->dims[i];
    s->strides[i] = stride;
    stride *= (size_t)x->dims[i];
  }
  s->type = x->type;
  RG_TRY(rg_fact_shape(x, &s->shape));
  prepare->state = s;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{"", "ScatterND", prepare_scatter, NULL}};
RG_CPU_EXPORT(scatter, operators);
