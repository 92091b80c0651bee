/* Reductions over any axes, global pools among them; ArgMax and ArgMin. */
#include <string.h>

#include "gpu/move.h"
#include "gpu/nest.h"
#include "gpu/rows.h"

#define AXES 3 /* kept, and reduced, after merging */

/* Numbered as in shaders/reduce.comp. */
typedef enum kind {
  KIND_SUM,
  KIND_MEAN,
  KIND_MAX,
  KIND_MIN,
  KIND_PROD,
  KIND_L1,
  KIND_L2,
  KIND_SUM_SQUARE,
  KIND_LOG_SUM,
  KIND_LOG_SUM_EXP
} kind;

typedef struct push {
  rg_gpu_rows rows;
  uint32_t kind;
  uint32_t kept_dims[AXES - 1], kept_steps[AXES], reduced_dims[AXES - 1], reduced_steps[AXES];
} push;

/* Axes from the innermost on; false where there are more than AXES. */
static bool write_axes(const rg_gpu_nest *nest, uint32_t *dims, uint32_t *steps) {
  if (nest->rank > AXES) return false;
  for (int i = 0; i < AXES; i++) {
    const int axis = nest->rank - 1 - i;
    if (i < AXES - 1) dims[i] = axis >= 0 ? (uint32_t)nest->dims[axis] : 1;
    steps[i] = axis >= 0 ? (uint32_t)nest->steps[0][axis] : 0;
  }
  return true;
}

/* Kept axes in the order of the result, reduced ones in that of x's memory. */
static bool fill(const rg_gpu_prepare *prepare, const bool *reduced, bool keep, push *p) {
  const rg_fact *x = prepare->inputs[0];
  const rg_layout to = prepare->node->outputs[0]->layout;
  int places[RANGO_MAX_RANK];
  int64_t strides[RANGO_MAX_RANK];
  rg_gpu_nest kept, over;
  if (!keep && to != RG_ROW_MAJOR) return false;
  rg_gpu_input_strides(prepare, 0, strides);
  rg_gpu_nest_begin(&kept, 1);
  rg_gpu_nest_begin(&over, 1);
  rg_physical_axes(x->rank, to, places);
  for (int i = 0; i < x->rank; i++)
    if (!reduced[places[i]]) rg_gpu_nest_axis(&kept, x->dims[places[i]], &strides[places[i]]);
  rg_physical_axes(x->rank, prepare->node->inputs[0]->layout, places);
  for (int i = 0; i < x->rank; i++)
    if (reduced[places[i]]) rg_gpu_nest_axis(&over, x->dims[places[i]], &strides[places[i]]);
  const int64_t rows = rg_gpu_nest_count(&kept), axis = rg_gpu_nest_count(&over);
  if (rows == 0 || axis == 0) return false;
  p->rows = rg_gpu_rows_make(rows, axis, over.steps[0][over.rank - 1] == 1);
  return write_axes(&kept, p->kept_dims, p->kept_steps) && write_axes(&over, p->reduced_dims, p->reduced_steps);
}

static rango_status add_reduction(rg_gpu_prepare *prepare, const bool *reduced, bool keep, kind what) {
  push p = {.kind = (uint32_t)what};
  if (!fill(prepare, reduced, keep, &p)) return RANGO_OK;
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_reduce));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  task->operands[1] = rg_gpu_out(0);
  memcpy(task->push, &p, sizeof p);
  if (!rg_gpu_rows_groups(prepare, task, &p.rows)) prepare->task_count = 0;
  return RANGO_OK;
}

static bool is_float(const rg_gpu_prepare *prepare) {
  return rg_gpu_is_float(prepare->inputs[0]) && rg_gpu_is_float(prepare->outputs[0]);
}

static rango_status prepare_reduce(rg_gpu_prepare *prepare) {
  static const char *const names[] = {"ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
                                      "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};
  const rg_node *node = prepare->node;
  int64_t axes[RG_GPU_MOVE_AXES];
  int count, axis;
  bool reduced[RANGO_MAX_RANK];
  uint32_t what = 0;
  if (!is_float(prepare) || !rg_gpu_integers(prepare, "axes", 1, axes, &count)) return RANGO_OK;
  const bool all = count <= 0 && rg_node_int(node, "noop_with_empty_axes", 0) == 0;
  for (int i = 0; i < prepare->inputs[0]->rank; i++) reduced[i] = all;
  for (int i = 0; i < count; i++) {
    if (!rg_axis(axes[i], prepare->inputs[0]->rank, &axis)) return RANGO_OK;
    reduced[axis] = true;
  }
  for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
    if (rg_node_is(node, names[i])) what = i;
  return add_reduction(prepare, reduced, rg_node_int(node, "keepdims", 1) != 0, (kind)what);
}

static rango_status prepare_global(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  bool reduced[RANGO_MAX_RANK];
  kind what = KIND_MEAN;
  if (!is_float(prepare)) return RANGO_OK;
  for (int i = 0; i < prepare->inputs[0]->rank; i++) reduced[i] = i >= 2;
  if (rg_node_is(node, "GlobalMaxPool")) what = KIND_MAX;
  if (rg_node_is(node, "GlobalLpPool")) {
    const int64_t p = node->version < 2 ? 0 : rg_node_int(node, "p", 2);
    if (p != 1 && p != 2) return RANGO_OK;
    what = p == 1 ? KIND_L1 : KIND_L2;
  }
  return add_reduction(prepare, reduced, true, what);
}

/* ---- ArgMax, ArgMin ---- */

static rango_status prepare_arg(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0];
  int64_t outer, inner;
  int axis;
  if (!rg_gpu_is_float(x) || !prepare->outputs[0] || node->inputs[0]->layout != RG_ROW_MAJOR ||
      node->outputs[0]->layout != RG_ROW_MAJOR || !rg_axis(rg_node_int(node, "axis", 0), x->rank, &axis))
    return RANGO_OK;
  rg_gpu_around(x, axis, &outer, &inner);
  if (outer * inner == 0 || x->dims[axis] == 0) return RANGO_OK;
  struct {
    rg_gpu_rows rows;
    uint32_t inner, smallest, last;
  } p = {rg_gpu_rows_make(outer * inner, x->dims[axis], inner == 1), (uint32_t)inner, rg_node_is(node, "ArgMin"),
         rg_node_int(node, "select_last_index", 0) != 0};
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_arg));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  task->operands[1] = rg_gpu_out(0);
  memcpy(task->push, &p, sizeof p);
  if (!rg_gpu_rows_groups(prepare, task, &p.rows)) prepare->task_count = 0;
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {
    {"", "ReduceSum", prepare_reduce},
    {"", "ReduceMean", prepare_reduce},
    {"", "ReduceMax", prepare_reduce},
    {"", "ReduceMin", prepare_reduce},
    {"", "ReduceProd", prepare_reduce},
    {"", "ReduceL1", prepare_reduce},
    {"", "ReduceL2", prepare_reduce},
    {"", "ReduceSumSquare", prepare_reduce},
    {"", "ReduceLogSum", prepare_reduce},
    {"", "ReduceLogSumExp", prepare_reduce},
    {"", "GlobalAveragePool", prepare_global},
    {"", "GlobalMaxPool", prepare_global},
    {"", "GlobalLpPool", prepare_global},
    {"", "ArgMax", prepare_arg},
    {"", "ArgMin", prepare_arg},
};
RG_GPU_EXPORT(reduce, operators);
