/* MaxPool, AveragePool and LpPool over one or two spatial axes. */
#include <string.h>

#include "cpu/image.h"
#include "gpu/families.h"

/* Of shaders/pool.comp. */
typedef enum kind { KIND_MAX, KIND_AVERAGE, KIND_L1, KIND_L2 } kind;

typedef struct push {
  uint32_t count, channels, last, kind, include_pad;
  int32_t in[2], out[2], kernel[2], stride[2], dilation[2], pad[2], pad_end[2]; /* 0: height, 1: width */
} push;

static bool fill(const rg_gpu_prepare *prepare, push *p) {
  rg_pool_geometry g;
  if (!rg_pool_geometry_read(prepare->node, prepare->inputs[0], prepare->outputs[0], &g)) return false;
  for (int i = 0; i < 2; i++) {
    /* Places in a window's reach stay in 32 bits. */
    const int64_t reach = (g.out[i] - 1) * g.stride[i] + g.kernel[i] * g.dilation[i] + g.in[i];
    if (reach + g.pad[i] + g.pad_end[i] > INT32_MAX) return false;
    p->in[i] = (int32_t)g.in[i];
    p->out[i] = (int32_t)g.out[i];
    p->kernel[i] = (int32_t)g.kernel[i];
    p->stride[i] = (int32_t)g.stride[i];
    p->dilation[i] = (int32_t)g.dilation[i];
    p->pad[i] = (int32_t)g.pad[i];
    p->pad_end[i] = (int32_t)g.pad_end[i];
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
