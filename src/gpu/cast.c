/* Cast among the types that networks' inputs and outputs have. */
#include "gpu/families.h"

/* Of shaders/cast.comp. */
typedef enum cast_type { CAST_FLOAT, CAST_HALF, CAST_INT, CAST_LONG, CAST_BYTE, CAST_SBYTE, CAST_BOOL } cast_type;

static bool type_of(const rg_gpu_prepare *prepare, rango_type type, cast_type *out) {
  static const struct {
    rango_type type;
    cast_type kind;
  } table[] = {{RANGO_FLOAT32, CAST_FLOAT}, {RANGO_FLOAT16, CAST_HALF}, {RANGO_INT32, CAST_INT},
               {RANGO_INT64, CAST_LONG},    {RANGO_UINT8, CAST_BYTE},   {RANGO_INT8, CAST_SBYTE},
               {RANGO_BOOL, CAST_BOOL}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (table[i].type != type) continue;
    *out = prepare->half && type == RANGO_FLOAT32 ? CAST_HALF : table[i].kind;
    return true;
  }
  return false;
}

static rango_status prepare_cast(rg_gpu_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  cast_type from, to;
  uint32_t count;
  if (!x || !y || !type_of(prepare, x->type, &from) || !type_of(prepare, y->type, &to)) return RANGO_OK;
  if (prepare->node->inputs[0]->layout != prepare->node->outputs[0]->layout || !rg_gpu_count(y, &count) || count == 0)
    return RANGO_OK;
  rg_gpu_task *task = rg_gpu_add(prepare, RG_SHADER_cast);
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  task->operands[1] = rg_gpu_out(0);
  task->push[0] = count;
  task->push[1] = (uint32_t)from;
  task->push[2] = (uint32_t)to;
  if (!rg_gpu_groups(prepare, task, count, 1024)) prepare->task_count = 0;
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {{"", "Cast", prepare_cast}, {"", "CastLike", prepare_cast}};
RG_GPU_EXPORT(cast, operators);
