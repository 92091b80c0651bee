/* Softmax and LogSoftmax over any axis. */
#include <string.h>

#include "gpu/rows.h"
#include "ops/support.h"

/* Until opset 12 the axes from `axis` on were taken as one. */
static rango_status prepare_softmax(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0];
  const bool flattened = node->version < 13;
  int64_t outer, inner;
  int axis;
  if (!rg_gpu_is_float(x) || !rg_gpu_is_float(prepare->outputs[0]) || x->rank == 0 ||
      node->inputs[0]->layout != RG_ROW_MAJOR || node->outputs[0]->layout != RG_ROW_MAJOR ||
      !rg_axis(rg_node_int(node, "axis", flattened ? 1 : -1), x->rank, &axis))
    return RANGO_OK;
  rg_gpu_around(x, axis, &outer, &inner);
  int64_t size = x->dims[axis];
  if (flattened) {
    size *= inner;
    inner = 1;
  }
  if (outer * size * inner == 0) return RANGO_OK;
  struct {
    rg_gpu_rows rows;
    uint32_t inner, logarithm;
  } p = {rg_gpu_rows_make(outer * inner, size, inner == 1), (uint32_t)inner, rg_node_is(node, "LogSoftmax")};
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_softmax));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  task->operands[1] = rg_gpu_out(0);
  memcpy(task->push, &p, sizeof p);
  if (!rg_gpu_rows_groups(prepare, task, &p.rows)) prepare->task_count = 0;
  prepare->in_place = !x->constant; /* a row is read whole before it is written, by the same threads */
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {{"", "Softmax", prepare_softmax}, {"", "LogSoftmax", prepare_softmax}};
RG_GPU_EXPORT(softmax, operators);
