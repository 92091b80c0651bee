/* Gather: rows of a table. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"

/* x is [outer][axis][row], y [outer][indices][row]. */
typedef struct gather_state {
  size_t outer, axis, indices, row_bytes;
  rango_type type;
  rg_shape shape;
} gather_state;

typedef struct arrays {
  const gather_state *state;
  const char *x;
  char *y;
  const rango_tensor *indices;
} arrays;

static int64_t index_at(const rango_tensor *indices, size_t i) {
  return indices->type == RANGO_INT64 ? ((const int64_t *)indices->data)[i] : ((const int32_t *)indices->data)[i];
}

static void rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const gather_state *s = a->state;
  for (size_t i = begin; i < end; i++) {
    const int64_t index = index_at(a->indices, i % s->indices);
    const size_t row = i / s->indices * s->axis + (size_t)(index < 0 ? index + (int64_t)s->axis : index);
    memcpy(a->y + i * s->row_bytes, a->x + row * s->row_bytes, s->row_bytes);
  }
}

static rango_status run(rg_exec *exec) {
  const gather_state *s = exec->state;
  rango_tensor *y;
  const arrays a = {s, rg_exec_input(exec, 0)->data, NULL, rg_exec_input(exec, 1)};
  const int64_t size = (int64_t)s->axis;
  for (size_t i = 0; i < s->indices; i++) {
    const int64_t index = index_at(a.indices, i);
    if (index < -size || index >= size)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "index %lld is out of range for an axis of %lld",
                          (long long)index, (long long)size);
  }
  RG_TRY(rg_exec_output(exec, 0, s->type, &s->shape, &y));
  arrays with_output = a;
  with_output.y = y->data;
  const size_t total = s->outer * s->indices;
  rg_cpu_parallel(exec->threads, total, 1, total * s->row_bytes / 2, rows, &with_output);
  return RANGO_OK;
}

static rango_status prepare_gather(rg_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *indices = prepare->inputs[1], *y = prepare->outputs[0];
  int axis;
  if (!x || !indices || !y || !rg_fact_is_concrete(x) || !rg_fact_is_concrete(indices) || !rg_fact_is_concrete(y))
    return RANGO_OK;
  if (x->type == RANGO_STRING || rango_type_bits(x->type) < 8) return RANGO_OK;
  if (indices->type != RANGO_INT64 && indices->type != RANGO_INT32) return RANGO_OK;
  for (int i = 0; i < 2; i++)
    if (prepare->node->inputs[i]->layout != RG_ROW_MAJOR) return RANGO_OK;
  if (prepare->node->outputs[0]->layout != RG_ROW_MAJOR || x->rank == 0) return RANGO_OK;
  if (!rg_axis(rg_node_int(prepare->node, "axis", 0), x->rank, &axis)) return RANGO_OK;
  gather_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  state->outer = rg_cpu_count(x, 0, axis);
  state->axis = (size_t)x->dims[axis];
  state->row_bytes = rg_cpu_count(x, axis + 1, x->rank) * (rango_type_bits(x->type) / 8);
  state->indices = rg_cpu_count(indices, 0, indices->rank);
  state->type = x->type;
  RG_TRY(rg_fact_shape(y, &state->shape));
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{"", "Gather", prepare_gather, NULL}};
RG_CPU_EXPORT(gather, operators);
