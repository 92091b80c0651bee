/* Resize and Upsample of images by the nearest element or linearly. Where each output row and column takes from is put
 * in tables when the node is prepared, as the CPU does: ties fall alike. */
#include "ops/resize.h"

#include <stdio.h>
#include <string.h>

#include "gpu/families.h"

/* Tables belong to no tensor: this stands for one, and their key says all that they depend on. */
static const char nobody;
static const rango_tensor no_tensor = {.data = (void *)&nobody};

typedef struct table {
  const rg_resize *resize;
  int axis; /* -1: one place that stays */
} table;

/* Three words an output place: low, high, and part's bits. */
static rango_status pack_table(void *to, const rango_tensor *weight, const void *argument) {
  const table *t = argument;
  uint32_t *words = to;
  for (int64_t o = 0; t->axis >= 0 && o < t->resize->out[t->axis]; o++, words += 3) {
    const rg_resize_tap tap = rg_resize_tap_of(t->resize, t->axis, o);
    words[0] = (uint32_t)tap.low;
    words[1] = (uint32_t)tap.high;
    memcpy(&words[2], &tap.part, sizeof tap.part);
  }
  return RANGO_OK;
}

static rango_status bind_table(rg_gpu_prepare *prepare, const rg_resize *r, int axis, rg_gpu_operand *out) {
  const table t = {r, axis};
  char key[64] = "resize";
  uint32_t scale;
  if (axis < 0) return rg_gpu_weight_get(prepare, &no_tensor, key, 3 * sizeof(uint32_t), pack_table, &t, out);
  memcpy(&scale, &r->scale[axis], sizeof scale);
  snprintf(key, sizeof key, "resize %d %d %d %x %lld %lld", (int)r->mode, (int)r->coordinate, (int)r->nearest, scale,
           (long long)r->in[axis], (long long)r->out[axis]);
  const size_t bytes = (size_t)r->out[axis] * 3 * sizeof(uint32_t);
  return rg_gpu_weight_get(prepare, &no_tensor, key, bytes, pack_table, &t, out);
}

static const rg_fact *input_of(const rg_gpu_prepare *prepare, int index) {
  return index >= 0 && index < prepare->input_count ? prepare->inputs[index] : NULL;
}

static rango_status prepare_resize(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const rg_fact *scales = input_of(prepare, rg_resize_scales_input(node));
  rg_resize r;
  uint32_t count;
  if (!x || !y || node->inputs[0]->layout != node->outputs[0]->layout || !rg_gpu_count(y, &count) || count == 0 ||
      !rg_resize_image(node, x, y, scales ? scales->constant : NULL, input_of(prepare, rg_resize_sizes_input(node)),
                       &r))
    return RANGO_OK;
  const int height = x->rank == 4 ? 2 : -1, width = x->rank - 1;
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_resize));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  RG_TRY(bind_table(prepare, &r, height, &task->operands[1]));
  RG_TRY(bind_table(prepare, &r, width, &task->operands[2]));
  task->operands[3] = rg_gpu_out(0);
  const uint32_t push[] = {count,
                           (uint32_t)x->dims[1],
                           node->inputs[0]->layout == RG_CHANNELS_LAST,
                           height < 0 ? 1 : (uint32_t)r.in[height],
                           (uint32_t)r.in[width],
                           height < 0 ? 1 : (uint32_t)r.out[height],
                           (uint32_t)r.out[width]};
  memcpy(task->push, push, sizeof push);
  if (!rg_gpu_groups(prepare, task, count, 256)) prepare->task_count = 0;
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {{"", "Resize", prepare_resize}, {"", "Upsample", prepare_resize}};
RG_GPU_EXPORT(resize, operators);
