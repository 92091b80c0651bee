/* ScatterND without reduction: a copy of the data, in which slices are replaced. Where constant indices follow each
 * other, slices are replaced by runs. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/product.h"

/* Slices at, at + 1, ... */
typedef struct scatter_run {
  size_t at, count;
} scatter_run;

/* Each of `count` indices of `depth` numbers names a slice of `bytes`. */
typedef struct scatter_state {
  size_t count, depth, bytes, total_bytes;
  int64_t dims[RANGO_MAX_RANK];   /* [depth] */
  size_t strides[RANGO_MAX_RANK]; /* [depth], in slices */
  scatter_run *runs;              /* [run_count], or NULL: the indices come with each run */
  size_t run_count;
  rango_type type;
  rg_shape shape;
} scatter_state;

/* The slice that an index names. The axis that it is out of range for, or depth. */
static size_t slice_at(const scatter_state *s, const int64_t *index, size_t *out) {
  *out = 0;
  for (size_t i = 0; i < s->depth; i++) {
    const int64_t at = index[i] < 0 ? index[i] + s->dims[i] : index[i];
    if (at < 0 || at >= s->dims[i]) return i;
    *out += (size_t)at * s->strides[i];
  }
  return s->depth;
}

static rango_status replace_slices(const rg_exec *exec, const scatter_state *s, const int64_t *index,
                                   const char *updates, char *y) {
  for (size_t i = 0; i < s->count; i++, index += s->depth) {
    size_t at;
    const size_t axis = slice_at(s, index, &at);
    if (axis < s->depth)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "index %lld is out of range for an axis of %lld",
                          (long long)index[axis], (long long)s->dims[axis]);
    if (s->bytes == 4)
      memcpy(y + 4 * at, updates + 4 * i, 4); /* one move */
    else
      memcpy(y + s->bytes * at, updates + s->bytes * i, s->bytes);
  }
  return RANGO_OK;
}

static void replace_runs(const scatter_state *s, const char *updates, char *y) {
  for (size_t i = 0; i < s->run_count; i++) {
    const size_t bytes = s->runs[i].count * s->bytes;
    memcpy(y + s->runs[i].at * s->bytes, updates, bytes);
    updates += bytes;
  }
}

static rango_status run(rg_exec *exec) {
  const scatter_state *s = exec->state;
  const void *x = rg_exec_input(exec, 0)->data;
  const char *updates = rg_exec_input(exec, 2)->data;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, s->type, &s->shape, &y));
  if (y->data != x && s->total_bytes > 0) memcpy(y->data, x, s->total_bytes);
  if (!s->runs) return replace_slices(exec, s, rg_exec_input(exec, 1)->data, updates, y->data);
  replace_runs(s, updates, y->data);
  return RANGO_OK;
}

/* Runs of constant indices: counted where `runs` is NULL. False where an index is wrong, which running will say. */
static bool find_runs(const scatter_state *s, const int64_t *index, scatter_run *runs, size_t *count) {
  size_t next = SIZE_MAX;
  *count = 0;
  for (size_t i = 0; i < s->count; i++, index += s->depth) {
    size_t at;
    if (slice_at(s, index, &at) < s->depth) return false;
    if (at != next) {
      if (runs) runs[*count] = (scatter_run){at, 0};
      ++*count;
    }
    if (runs) runs[*count - 1].count++;
    next = at + 1;
  }
  return true;
}

static rango_status prepare_runs(rg_prepare *prepare, scatter_state *s) {
  const rango_tensor *indices = prepare->inputs[1]->constant;
  if (!indices || !find_runs(s, indices->data, NULL, &s->run_count) || s->run_count > s->count / 2) return RANGO_OK;
  RG_TRY(rg_arena_calloc(prepare->arena, s->run_count, sizeof *s->runs, RG_OUT(&s->runs)));
  find_runs(s, indices->data, s->runs, &s->run_count);
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
  RG_TRY(prepare_runs(prepare, s));
  prepare->state = s;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{"", "ScatterND", prepare_scatter, NULL}};
RG_CPU_EXPORT(scatter, operators);
