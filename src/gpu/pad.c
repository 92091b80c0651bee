/* Pad: a constant, or elements from inside. */
#include <string.h>

#include "gpu/element.h"
#include "gpu/move.h"
#include "gpu/nest.h"

#define AXES RG_GPU_NEST_AXES

typedef struct push {
  uint32_t count, dims[AXES - 1], rank, mode, has_value;
  int32_t in[AXES], begin[AXES];
} push;

static const char *const modes[] = {"constant", "reflect", "edge", "wrap"}; /* numbered as in pad.comp */

/* Pads before each axis; false where they aren't known. */
static bool read_pads(const rg_gpu_prepare *prepare, int64_t *begin) {
  const rg_node *node = prepare->node;
  const bool old = node->version < 11;
  const int rank = prepare->inputs[0]->rank;
  int64_t pads[RG_GPU_MOVE_AXES], axes[RG_GPU_MOVE_AXES];
  int count, axis_count;
  if (!rg_gpu_integers(prepare,
                       node->version == 1 ? "paddings"
                       : old              ? "pads"
                                          : NULL,
                       old ? -1 : 1, pads, &count) ||
      !rg_gpu_integers(prepare, NULL, old ? -1 : 3, axes, &axis_count))
    return false;
  const int entries = axis_count < 0 ? rank : axis_count;
  if (count != 2 * entries) return false;
  for (int i = 0; i < rank; i++) begin[i] = 0;
  for (int i = 0; i < entries; i++) {
    int axis;
    if (!rg_axis(axis_count < 0 ? i : axes[i], rank, &axis)) return false;
    begin[axis] = pads[i];
  }
  return true;
}

/* Axes from the innermost on; one that is left as it is joins the next one outside. */
static bool fill_axes(const rg_gpu_prepare *prepare, const int64_t *begin, push *p) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  int places[RANGO_MAX_RANK], rank = 0;
  bool open = false; /* whether the last axis is left as it is */
  int64_t dims[RANGO_MAX_RANK], in[RANGO_MAX_RANK], first[RANGO_MAX_RANK];
  rg_physical_axes(x->rank, prepare->node->inputs[0]->layout, places);
  for (int i = x->rank - 1; i >= 0; i--) {
    const int axis = places[i];
    const bool plain = begin[axis] == 0 && x->dims[axis] == y->dims[axis];
    const int64_t inner = open ? in[rank - 1] : 1;
    if (!open || (!plain && p->mode != 0)) {
      dims[rank] = y->dims[axis];
      in[rank] = x->dims[axis];
      first[rank++] = begin[axis];
    } else {
      dims[rank - 1] = y->dims[axis] * inner;
      in[rank - 1] = x->dims[axis] * inner;
      first[rank - 1] = begin[axis] * inner;
    }
    open = plain;
  }
  if (rank > AXES) return false;
  p->rank = (uint32_t)rank;
  for (int i = 0; i < AXES; i++) {
    if (i < AXES - 1) p->dims[i] = i < rank ? (uint32_t)dims[i] : 1;
    p->in[i] = i < rank ? (int32_t)in[i] : 1;
    p->begin[i] = i < rank ? (int32_t)first[i] : 0;
  }
  return true;
}

static bool fits(const int64_t *begin, int rank) {
  for (int i = 0; i < rank; i++)
    if (begin[i] > INT32_MAX / 2 || begin[i] < -INT32_MAX / 2) return false;
  return true;
}

static rango_status prepare_pad(rg_gpu_prepare *prepare) {
  static const int shaders[RG_GPU_ELEMENTS] = {[RG_GPU_WORD] = RG_SHADER_pad_word,
                                               [RG_GPU_PAIR] = RG_SHADER_pad_pair,
                                               [RG_GPU_HALF] = RG_SHADER_pad_half,
                                               [RG_GPU_BYTE] = RG_SHADER_pad_byte};
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const bool has_value = prepare->input_count > 2 && prepare->inputs[2];
  int64_t begin[RANGO_MAX_RANK];
  uint32_t from;
  rg_gpu_element element;
  push p = {.mode = sizeof modes / sizeof *modes, .has_value = has_value};
  for (uint32_t i = 0; i < sizeof modes / sizeof *modes; i++)
    if (strcmp(rg_node_string(node, "mode", "constant"), modes[i]) == 0) p.mode = i;
  if (!x || !y || x->type != y->type || node->inputs[0]->layout != node->outputs[0]->layout ||
      (has_value && prepare->inputs[2]->type != x->type) || p.mode == sizeof modes / sizeof *modes)
    return RANGO_OK;
  if (node->version < 11 && rg_node_float(node, "value", 0) != 0) return RANGO_OK;
  if (!rg_gpu_count(y, &p.count) || p.count == 0 || !rg_gpu_count(x, &from) || from == 0) return RANGO_OK;
  if (!rg_gpu_element_of(prepare, x->type, &element) || !read_pads(prepare, begin) || !fits(begin, x->rank) ||
      !fill_axes(prepare, begin, &p))
    return RANGO_OK;
  rg_gpu_task *task = rg_gpu_add(prepare, shaders[element]);
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  if (has_value) RG_TRY(rg_gpu_operand_of(prepare, 2, &task->operands[1]));
  task->operands[2] = rg_gpu_out(0);
  memcpy(task->push, &p, sizeof p);
  if (!rg_gpu_groups(prepare, task, p.count, 1024)) prepare->task_count = 0;
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {{"", "Pad", prepare_pad}};
RG_GPU_EXPORT(pad, operators);
