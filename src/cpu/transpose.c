/* Transpose and rango.Layout. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/nest.h"
#include "cpu/permute.h"

typedef struct transpose_state {
  rg_permute permute;
  rango_type type;
  rg_shape shape;
} transpose_state;

static rango_status run(rg_exec *exec) {
  const transpose_state *state = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, state->type, &state->shape, &y));
  rg_permute_run(&state->permute, exec->threads, rg_exec_input(exec, 0)->data, y->data);
  return RANGO_OK;
}

/* y's axes in physical order, outermost first; axes[i] is the axis of x that each is. */
static rango_status finish(rg_prepare *prepare, const int *axes, const size_t *x_strides) {
  const rg_fact *x = prepare->inputs[0];
  size_t dims[RANGO_MAX_RANK], steps[RANGO_MAX_RANK];
  for (int i = 0; i < x->rank; i++) {
    dims[i] = (size_t)x->dims[axes[i]];
    steps[i] = x_strides[axes[i]];
  }
  transpose_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  rg_permute_make(&state->permute, prepare->kernels->vector, rango_type_bits(x->type) / 8, x->rank, dims, steps);
  state->type = x->type;
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static bool is_movable(const rg_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  return x && y && rg_fact_is_concrete(x) && rg_fact_is_concrete(y) && x->type != RANGO_STRING &&
         rango_type_bits(x->type) >= 8;
}

static rango_status prepare_transpose(rg_prepare *prepare) {
  if (!is_movable(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0];
  size_t count, strides[RANGO_MAX_RANK];
  const int64_t *order = rg_node_ints(prepare->node, "perm", &count);
  int axes[RANGO_MAX_RANK], places[RANGO_MAX_RANK];
  if (order && count != (size_t)x->rank) return RANGO_OK;
  rg_physical_axes(x->rank, prepare->node->outputs[0]->layout, places);
  for (int i = 0; i < x->rank; i++)
    if (!rg_axis(order ? order[places[i]] : x->rank - 1 - places[i], x->rank, &axes[i])) return RANGO_OK;
  rg_physical_strides(x->rank, x->dims, prepare->node->inputs[0]->layout, strides);
  return finish(prepare, axes, strides);
}

static rango_status prepare_layout(rg_prepare *prepare) {
  if (!is_movable(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0];
  int axes[RANGO_MAX_RANK];
  size_t strides[RANGO_MAX_RANK];
  rg_physical_axes(x->rank, prepare->node->outputs[0]->layout, axes);
  rg_physical_strides(x->rank, x->dims, prepare->node->inputs[0]->layout, strides);
  return finish(prepare, axes, strides);
}

static const rg_cpu_operator operators[] = {
    {"", "Transpose", prepare_transpose, NULL},
    {RG_PRIVATE_DOMAIN, "Layout", prepare_layout, NULL},
};
RG_CPU_EXPORT(transpose, operators);
