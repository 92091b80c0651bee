/* Comparisons and logic, Where, and the arithmetic of integers. */
#include <string.h>

#include "gpu/element.h"
#include "gpu/elementwise.h"
#include "gpu/nest.h"

typedef struct push {
  uint32_t count, dims[RG_GPU_NEST_AXES - 1], magic[RG_GPU_NEST_AXES - 1], values[3];
} push;

/* The first `inputs` inputs, broadcast to output 0: operands, and their masks in values[0 … inputs - 1]. */
static rango_status add_task(rg_gpu_prepare *prepare, int shader, int inputs, push *p) {
  static const int which[] = {0, 1, 2};
  rg_gpu_nest nest;
  if (!rg_gpu_count(prepare->outputs[0], &p->count) || p->count == 0) return RANGO_OK;
  rg_gpu_nest_broadcast(&nest, prepare, which, inputs);
  if (!rg_gpu_nest_dims(&nest, p->dims)) return RANGO_OK;
  rg_gpu_nest_magic(p->dims, p->magic);
  for (int i = 0; i < inputs; i++)
    if (!rg_gpu_nest_mask(&nest, i, &p->values[i])) return RANGO_OK;
  rg_gpu_task *task = rg_gpu_add(prepare, shader);
  for (int i = 0; i < inputs; i++) RG_TRY(rg_gpu_operand_of(prepare, i, &task->operands[i]));
  task->operands[rg_gpu_shaders[shader].binding_count - 1] = rg_gpu_out(0);
  memcpy(task->push, p, sizeof *p);
  if (!rg_gpu_groups(prepare, task, p->count, 1024)) prepare->task_count = 0;
  return RANGO_OK;
}

/* The type of the first `count` inputs from `first` on, where they are alike. */
static rango_type common_type(const rg_gpu_prepare *prepare, int first, int count) {
  if (prepare->input_count < first + count || !prepare->outputs[0]) return RANGO_UNDEFINED;
  for (int i = first; i < first + count; i++)
    if (!prepare->inputs[i] || prepare->inputs[i]->type != prepare->inputs[first]->type) return RANGO_UNDEFINED;
  return prepare->inputs[first]->type;
}

/* ---- arithmetic ---- */

rango_status rg_gpu_prepare_integers(rg_gpu_prepare *prepare) {
  static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Min", "Max"}; /* numbered as in compare.comp */
  const rango_type type = common_type(prepare, 0, 2);
  const bool is_long = type == RANGO_INT64;
  push p = {0};
  if ((type != RANGO_INT32 && !is_long) || prepare->input_count != 2 || prepare->node->version < 7) return RANGO_OK;
  for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
    if (rg_node_is(prepare->node, names[i])) p.values[2] = i;
  if (is_long && rg_node_is(prepare->node, "Div")) return RANGO_OK;
  return add_task(prepare, is_long ? RG_SHADER_arithmetic_long : RG_SHADER_arithmetic_int, 2, &p);
}

/* ---- comparisons and logic ---- */

static rango_status prepare_compare(rg_gpu_prepare *prepare) {
  static const char *const names[] = {"Less", "LessOrEqual", "Equal", "GreaterOrEqual", "Greater", "And",
                                      "Or",   "Xor",         "Not"}; /* numbered as in compare.comp */
  const int inputs = rg_node_is(prepare->node, "Not") ? 1 : 2;
  const rango_type type = common_type(prepare, 0, inputs);
  int shader;
  push p = {0};
  if (prepare->node->version < 7 && inputs == 2) return RANGO_OK;
  if (type == RANGO_FLOAT32)
    shader = rg_gpu_variant(prepare, RG_SHADER_compare_float);
  else if (type == RANGO_INT32)
    shader = RG_SHADER_compare_int;
  else if (type == RANGO_INT64)
    shader = RG_SHADER_compare_long;
  else if (type == RANGO_BOOL || type == RANGO_UINT8)
    shader = RG_SHADER_compare_byte;
  else
    return RANGO_OK;
  for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
    if (rg_node_is(prepare->node, names[i])) p.values[2] = i;
  return add_task(prepare, shader, inputs, &p);
}

/* ---- Where ---- */

static rango_status prepare_where(rg_gpu_prepare *prepare) {
  static const int shaders[RG_GPU_ELEMENTS] = {[RG_GPU_WORD] = RG_SHADER_where_word,
                                               [RG_GPU_PAIR] = RG_SHADER_where_pair,
                                               [RG_GPU_HALF] = RG_SHADER_where_half,
                                               [RG_GPU_BYTE] = RG_SHADER_where_byte};
  const rango_type type = common_type(prepare, 1, 2);
  rg_gpu_element element;
  push p = {0};
  if (type == RANGO_UNDEFINED || common_type(prepare, 0, 1) != RANGO_BOOL ||
      !rg_gpu_element_of(prepare, type, &element))
    return RANGO_OK;
  return add_task(prepare, shaders[element], 3, &p);
}

static const rg_gpu_operator operators[] = {
    {"", "Equal", prepare_compare},
    {"", "Less", prepare_compare},
    {"", "LessOrEqual", prepare_compare},
    {"", "Greater", prepare_compare},
    {"", "GreaterOrEqual", prepare_compare},
    {"", "And", prepare_compare},
    {"", "Or", prepare_compare},
    {"", "Xor", prepare_compare},
    {"", "Not", prepare_compare},
    {"", "Where", prepare_where},
};
RG_GPU_EXPORT(compare, operators);
