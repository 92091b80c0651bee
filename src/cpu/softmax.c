/* Softmax and LogSoftmax, over the last axis as rows, over others as columns. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

/* x is [outer][axis][inner]. */
typedef struct softmax_state {
  const rg_vector_kernels *kernels;
  rg_shape shape;
  size_t outer, axis, inner;
  bool logarithm;
} softmax_state;

typedef struct arrays {
  const softmax_state *state;
  const float *x;
  float *y;
} arrays;

static void rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const softmax_state *s = a->state;
  const size_t at = begin * s->axis;
  s->kernels->softmax_rows(a->x + at, a->y + at, end - begin, s->axis, s->logarithm);
}

static void columns(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const softmax_state *s = a->state;
  for (size_t i = begin; i < end; i++) {
    const size_t at = i * s->axis * s->inner;
    s->kernels->softmax_columns(a->x + at, a->y + at, s->inner, s->axis, s->inner, s->logarithm);
  }
}

static rango_status run(rg_exec *exec) {
  const softmax_state *s = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  const arrays a = {s, rg_exec_input(exec, 0)->data, y->data};
  rg_cpu_parallel(exec->threads, s->outer, 1, 8 * s->outer * s->axis * s->inner, s->inner == 1 ? rows : columns, &a);
  return RANGO_OK;
}

/* Until opset 12 the axes from `axis` on were taken as one. */
static rango_status prepare_softmax(rg_prepare *prepare) {
  if (!rg_cpu_is_plain(prepare)) return RANGO_OK;
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0];
  const bool flattened = node->version < 13;
  int axis;
  if (x->rank == 0 || !rg_axis(rg_node_int(node, "axis", flattened ? 1 : -1), x->rank, &axis)) return RANGO_OK;
  softmax_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->kernels = prepare->kernels->vector;
  state->outer = rg_cpu_count(x, 0, axis);
  state->axis = flattened ? rg_cpu_count(x, axis, x->rank) : (size_t)x->dims[axis];
  state->inner = flattened ? 1 : rg_cpu_count(x, axis + 1, x->rank);
  state->logarithm = strcmp(node->op, "LogSoftmax") == 0;
  prepare->state = state;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {
    {"", "Softmax", prepare_softmax, NULL},
    {"", "LogSoftmax", prepare_softmax, NULL},
};
RG_CPU_EXPORT(softmax, operators);
