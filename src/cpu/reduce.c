/* ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceSumSquare, ReduceL1, ReduceL2, and the global pools, which are
 * reductions over the spatial axes. */
#include <string.h>

#include "base/checked.h"
#include "cpu/families.h"
#include "cpu/nest.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

/* In physical order x is [outer][axis][inner], reduced over `axis`. */
typedef struct reduce_state {
  const rg_vector_kernels *kernels;
  rg_reduce op;
  bool root;   /* of the sum: L2 */
  float scale; /* of the result: 1/n of a mean */
  size_t outer, axis, inner;
  rg_shape shape;
} reduce_state;

typedef struct arrays {
  const reduce_state *state;
  const float *x;
  float *y;
} arrays;

static void finish(const reduce_state *s, float *y, size_t n) {
  if (s->scale != 1.0f) s->kernels->unary(RG_UNARY_LINEAR, s->scale, 0, y, y, n);
  if (s->root) s->kernels->unary(RG_UNARY_SQRT, 0, 0, y, y, n);
}

static void rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const reduce_state *s = a->state;
  s->kernels->reduce_rows(s->op, a->x + begin * s->axis, a->y + begin, end - begin, s->axis);
  finish(s, a->y + begin, end - begin);
}

static void slices(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const reduce_state *s = a->state;
  for (size_t i = begin; i < end; i++)
    s->kernels->reduce_columns(s->op, a->x + i * s->axis * s->inner, s->inner, a->y + i * s->inner, s->axis, s->inner);
  finish(s, a->y + begin * s->inner, (end - begin) * s->inner);
}

static void columns(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const reduce_state *s = a->state;
  s->kernels->reduce_columns(s->op, a->x + begin, s->inner, a->y + begin, s->axis, end - begin);
  finish(s, a->y + begin, end - begin);
}

static rango_status run(rg_exec *exec) {
  const reduce_state *s = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  const arrays a = {s, rg_exec_input(exec, 0)->data, y->data};
  const size_t work = 2 * s->outer * s->axis * s->inner;
  if (s->inner == 1)
    rg_cpu_parallel(exec->threads, s->outer, 1, work, rows, &a);
  else if (s->outer == 1)
    rg_cpu_parallel(exec->threads, s->inner, 64, work, columns, &a);
  else
    rg_cpu_parallel(exec->threads, s->outer, 1, work, slices, &a);
  return RANGO_OK;
}

/* Puts the axes in physical order and merges neighbours; false unless they come to [outer][axis][inner]. */
static bool merge(const rg_fact *x, rg_layout layout, const bool *reduced, reduce_state *state) {
  int axes[RANGO_MAX_RANK];
  rg_physical_axes(x->rank, layout, axes);
  state->outer = state->axis = state->inner = 1;
  int stage = 0; /* 0: before the reduced axes, 1: in them, 2: behind */
  for (int i = 0; i < x->rank; i++) {
    const size_t size = (size_t)x->dims[axes[i]];
    if (size == 0) return false;
    if (size == 1) continue;
    const bool here = reduced[axes[i]];
    if (here && stage == 0) stage = 1;
    if (!here && stage == 1) stage = 2;
    if (here && stage == 2) return false;
    *(stage == 0 ? &state->outer : stage == 1 ? &state->axis : &state->inner) *= size;
  }
  return true;
}

/* Which axes are reduced; false when that isn't known yet. */
static bool reduced_axes(const rg_prepare *prepare, int rank, bool *reduced) {
  const int64_t *axes = NULL;
  size_t count = 0;
  if (prepare->input_count > 1 && prepare->inputs[1]) {
    const rg_fact *fact = prepare->inputs[1];
    if (fact->constant && fact->constant->type == RANGO_INT64) {
      axes = fact->constant->data;
      count = fact->constant->bytes / sizeof *axes;
    } else {
      axes = fact->known;
      count = (size_t)fact->known_count;
      for (size_t i = 0; axes && i < count; i++)
        if (!rg_size_is_known(axes[i])) return false;
    }
    if (!axes && rg_cpu_count(fact, 0, fact->rank) > 0) return false;
  } else {
    axes = rg_node_ints(prepare->node, "axes", &count);
  }
  if (!axes) count = 0;
  if (count == 0 && rg_node_int(prepare->node, "noop_with_empty_axes", 0)) return false;
  for (int i = 0; i < rank; i++) reduced[i] = count == 0;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!rg_axis(axes[i], rank, &axis)) return false;
    reduced[axis] = true;
  }
  return true;
}

static rango_status finish_prepare(rg_prepare *prepare, const bool *reduced, rg_reduce op, bool mean, bool root) {
  const rg_fact *x = prepare->inputs[0];
  reduce_state state = {.kernels = prepare->kernels->vector, .op = op, .root = root}, *kept;
  if (!merge(x, prepare->node->inputs[0]->layout, reduced, &state)) return RANGO_OK;
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state.shape));
  state.scale = mean ? 1.0f / (float)state.axis : 1.0f;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *kept, RG_OUT(&kept)));
  *kept = state;
  prepare->state = kept;
  prepare->run = run;
  return RANGO_OK;
}

static bool is_float(const rg_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  return x && y && x->type == RANGO_FLOAT32 && rg_fact_is_concrete(x) && rg_fact_is_concrete(y);
}

static rango_status prepare_reduce(rg_prepare *prepare) {
  static const struct {
    const char *name;
    rg_reduce op;
    bool mean, root;
  } names[] = {{"ReduceSum", RG_REDUCE_SUM, false, false},
               {"ReduceMean", RG_REDUCE_SUM, true, false},
               {"ReduceMax", RG_REDUCE_MAX, false, false},
               {"ReduceMin", RG_REDUCE_MIN, false, false},
               {"ReduceSumSquare", RG_REDUCE_SUM_SQUARE, false, false},
               {"ReduceL1", RG_REDUCE_SUM_ABS, false, false},
               {"ReduceL2", RG_REDUCE_SUM_SQUARE, false, true}};
  bool reduced[RANGO_MAX_RANK];
  if (!is_float(prepare) || !reduced_axes(prepare, prepare->inputs[0]->rank, reduced)) return RANGO_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].name, prepare->node->op) == 0)
      return finish_prepare(prepare, reduced, names[i].op, names[i].mean, names[i].root);
  return RANGO_OK;
}

static rango_status prepare_global(rg_prepare *prepare) {
  if (!is_float(prepare)) return RANGO_OK;
  const bool maximum = strcmp(prepare->node->op, "GlobalMaxPool") == 0;
  bool reduced[RANGO_MAX_RANK];
  for (int i = 0; i < prepare->inputs[0]->rank; i++) reduced[i] = i >= 2;
  return finish_prepare(prepare, reduced, maximum ? RG_REDUCE_MAX : RG_REDUCE_SUM, !maximum, false);
}

/* ---- layouts ---- */

static rg_layout_support global_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  return x && x->type == RANGO_FLOAT32 && x->rank >= 3 ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

/* Over exactly the spatial axes, sizes kept, the result's order is the same in both layouts. */
static rg_layout_support reduce_layout(const rg_node *node, const rg_facts *facts) {
  if (global_layout(node, facts) != RG_LAYOUT_ANY || !rg_node_int(node, "keepdims", 1)) return RG_LAYOUT_NONE;
  const rg_fact *x = rg_facts_of(facts, node->inputs[0]);
  size_t count = 0;
  const int64_t *axes = rg_node_ints(node, "axes", &count);
  const rango_tensor *constant = node->input_count > 1 && node->inputs[1] ? rg_value_constant(node->inputs[1]) : NULL;
  if (constant && constant->type == RANGO_INT64) {
    axes = constant->data;
    count = constant->bytes / sizeof *axes;
  }
  if (!axes || count != (size_t)(x->rank - 2)) return RG_LAYOUT_NONE;
  bool seen[RANGO_MAX_RANK] = {false};
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!rg_axis(axes[i], x->rank, &axis) || axis < 2 || seen[axis]) return RG_LAYOUT_NONE;
    seen[axis] = true;
  }
  for (int i = 2; i < x->rank; i++)
    if (!rg_size_is_known(x->dims[i]) || x->dims[i] == 0) return RG_LAYOUT_NONE;
  return RG_LAYOUT_ANY;
}

static const rg_cpu_operator operators[] = {
    {"", "ReduceSum", prepare_reduce, reduce_layout},       {"", "ReduceMean", prepare_reduce, reduce_layout},
    {"", "ReduceMax", prepare_reduce, reduce_layout},       {"", "ReduceMin", prepare_reduce, reduce_layout},
    {"", "ReduceSumSquare", prepare_reduce, reduce_layout}, {"", "ReduceL1", prepare_reduce, reduce_layout},
    {"", "ReduceL2", prepare_reduce, reduce_layout},        {"", "GlobalAveragePool", prepare_global, global_layout},
    {"", "GlobalMaxPool", prepare_global, global_layout},
};
RG_CPU_EXPORT(reduce, operators);
