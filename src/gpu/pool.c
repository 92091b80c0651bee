/* MaxPool, AveragePool and LpPool over one or two spatial axes. */
#include <string.h>

#include "gpu/families.h"
#include "ops/support.h"

/* Of shaders/pool.comp. */
typedef enum kind { KIND_MAX, KIND_AVERAGE, KIND_L1, KIND_L2 } kind;

typedef struct push {
  uint32_t count, channels, last, kind, include_pad;
  int32_t in[2], out[2], kernel[2], stride[2], dilation[2], pad[2], pad_end[2]; /* 0: height, 1: width */
} push;

static bool fill(const rg_gpu_prepare *prepare, push *p) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const int spatial = x->rank - 2;
  rg_window window;
  if (rg_window_read(prepare->node, spatial, NULL, &window) != RANGO_OK) return false;
  for (int i = 0; i < 2; i++) {
    const int axis = i - 2 + spatial;
    p->in[i] = p->out[i] = p->kernel[i] = p->stride[i] = p->dilation[i] = 1;
    if (axis < 0) continue;
    const int64_t in = x->dims[2 + axis], out = rg_window_output(&window, axis, in);
    /* Places in a window's reach stay in 32 bits. */
    const int64_t reach = (out - 1) * window.stride[axis] + window.kernel[axis] * window.dilation[axis] + in;
    if (out != y->dims[2 + axis] || reach + window.pad_begin[axis] + window.pad_end[axis] > INT32_MAX) return false;
    p->in[i] = (int32_t)in;
    p->out[i] = (int32_t)out;
    p->kernel[i] = (int32_t)window.kernel[axis];
    p->stride[i] = (int32_t)window.stride[axis];
    p->dilation[i] = (int32_t)window.dilation[axis];
    p->pad[i] = (int32_t)window.pad_begin[axis];
    p->pad_end[i] = (int32_t)window.pad_end[axis];
  }
  return true;
}

static rango_status prepare_pool(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const int64_t norm = node->version < 2 ? 0 : rg_node_int(node, "p", 2);
  uint32_t count;
  if (!rg_gpu_is_float(x) || !rg_gpu_is_float(y) || (prepare->output_count > 1 && prepare->outputs[1]) || x->rank < 3 ||
      x->rank > 4 || node->inputs[0]->layout != node->outputs[0]->layout || !rg_gpu_count(x, &count) || count == 0)
    return RANGO_OK;
  push p = {.channels = (uint32_t)x->dims[1],
            .last = node->inputs[0]->layout == RG_CHANNELS_LAST,
            .include_pad = rg_node_int(node, "count_include_pad", 0) != 0};
  if (rg_node_is(node, "LpPool") && norm != 1 && norm != 2) return RANGO_OK;
  const kind what = rg_node_is(node, "MaxPool")       ? KIND_MAX
                    : rg_node_is(node, "AveragePool") ? KIND_AVERAGE
                    : norm == 1                       ? KIND_L1
                                                      : KIND_L2;
  p.kind = (uint32_t)what;
  if (!rg_gpu_count(y, &p.count) || p.count == 0 || !fill(prepare, &p)) return RANGO_OK;
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_pool));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  task->operands[1] = rg_gpu_out(0);
  memcpy(task->push, &p, sizeof p);
  if (!rg_gpu_groups(prepare, task, p.count, 256)) prepare->task_count = 0;
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {
    {"", "MaxPool", prepare_pool}, {"", "AveragePool", prepare_pool}, {"", "LpPool", prepare_pool}};
RG_GPU_EXPORT(pool, operators);
