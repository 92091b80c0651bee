/* Reading by indices: Gather, GatherElements, rango.Lookup. */
#include <string.h>

#include "gpu/move.h"
#include "gpu/nest.h"

#define X       0 /* arrays of a nest: the data's and the indices' steps; the result is dense */
#define INDICES 1

typedef struct gather {
  rg_gpu_nest nest;
  int64_t axis, axis_step;
  int x, indices; /* inputs */
  bool fallback;  /* indices out of range mean the last one */
} gather;

static bool is_index(const rg_fact *fact) { return fact && (fact->type == RANGO_INT64 || fact->type == RANGO_INT32); }

/* Constant indices out of range are the CPU's to complain of. */
static bool in_range(const gather *g, const rg_fact *indices) {
  if (!indices->constant || g->fallback) return true;
  const int64_t count = rg_gpu_nest_count(&g->nest) > 0 ? rango_tensor_count(indices->constant) : 0;
  for (int64_t i = 0; i < count; i++) {
    const int64_t index = rg_tensor_get_i64(indices->constant, i);
    if (index < -g->axis || index >= g->axis) return false;
  }
  return true;
}

/* Two elements as one, where they are always read together. */
static bool widen(gather *g) {
  rg_gpu_nest *nest = &g->nest;
  const int last = nest->rank - 1;
  if (nest->steps[X][last] != 1 || nest->steps[INDICES][last] != 0 || nest->dims[last] % 2 != 0 || g->axis_step % 2)
    return false;
  for (int i = 0; i < last; i++)
    if (nest->steps[X][i] % 2 != 0) return false;
  for (int i = 0; i < last; i++) nest->steps[X][i] /= 2;
  nest->dims[last] /= 2;
  g->axis_step /= 2;
  return true;
}

static rango_status add_gather(rg_gpu_prepare *prepare, gather *g) {
  const rg_fact *x = prepare->inputs[g->x], *indices = prepare->inputs[g->indices];
  size_t bytes = rg_gpu_bytes(prepare, x->type, 1);
  if (rango_type_bits(x->type) < 8 || bytes > 8 || rg_gpu_nest_count(&g->nest) == 0 || g->axis == 0 ||
      !in_range(g, indices))
    return RANGO_OK;
  while (bytes < 16 && widen(g)) bytes *= 2;
  struct {
    uint32_t count, dims[RG_GPU_NEST_AXES - 1], rank;
    int32_t axis;
    uint32_t axis_step, wide, fallback, x_steps[RG_GPU_NEST_AXES], index_steps[RG_GPU_NEST_AXES];
  } push = {.count = (uint32_t)rg_gpu_nest_count(&g->nest),
            .rank = (uint32_t)g->nest.rank,
            .axis = (int32_t)g->axis,
            .axis_step = (uint32_t)g->axis_step,
            .wide = indices->type == RANGO_INT64,
            .fallback = g->fallback};
  const int shader = bytes == 16  ? RG_SHADER_gather_quad
                     : bytes == 8 ? RG_SHADER_gather_pair
                     : bytes == 4 ? RG_SHADER_gather_word
                     : bytes == 2 ? RG_SHADER_gather_half
                                  : RG_SHADER_gather_byte;
  if ((bytes == 2 && !prepare->device->info.half) || !rg_gpu_nest_dims(&g->nest, push.dims)) return RANGO_OK;
  rg_gpu_nest_steps(&g->nest, X, push.x_steps);
  rg_gpu_nest_steps(&g->nest, INDICES, push.index_steps);
  rg_gpu_task *task = rg_gpu_add(prepare, shader);
  RG_TRY(rg_gpu_operand_of(prepare, g->x, &task->operands[0]));
  RG_TRY(rg_gpu_operand_of(prepare, g->indices, &task->operands[1]));
  task->operands[2] = rg_gpu_out(0);
  memcpy(task->push, &push, sizeof push);
  if (!rg_gpu_groups(prepare, task, push.count, 1024)) prepare->task_count = 0;
  return RANGO_OK;
}

static bool is_row_major(const rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  return prepare->input_count > 1 && prepare->inputs[0] && prepare->inputs[1] && prepare->outputs[0] &&
         node->inputs[0]->layout == RG_ROW_MAJOR && node->inputs[1]->layout == RG_ROW_MAJOR &&
         node->outputs[0]->layout == RG_ROW_MAJOR;
}

/* y [outer][indices][row] of x [outer][axis][row]. */
static void add_axes(gather *g, int64_t outer, int64_t indices, int64_t row) {
  rg_gpu_nest_begin(&g->nest, 2);
  rg_gpu_nest_axis(&g->nest, outer, (const int64_t[]){[X] = g->axis * row, [INDICES] = 0});
  rg_gpu_nest_axis(&g->nest, indices, (const int64_t[]){[X] = 0, [INDICES] = 1});
  rg_gpu_nest_axis(&g->nest, row, (const int64_t[]){[X] = 1, [INDICES] = 0});
  g->axis_step = row;
}

static rango_status prepare_gather(rg_gpu_prepare *prepare) {
  int axis;
  uint32_t count;
  int64_t outer = 1, row = 1;
  if (!is_row_major(prepare) || !is_index(prepare->inputs[1])) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0];
  if (!rg_axis(rg_node_int(prepare->node, "axis", 0), x->rank, &axis) || !rg_gpu_count(prepare->inputs[1], &count))
    return RANGO_OK;
  for (int i = 0; i < axis; i++) outer *= x->dims[i];
  for (int i = axis + 1; i < x->rank; i++) row *= x->dims[i];
  gather g = {.axis = x->dims[axis], .x = 0, .indices = 1};
  add_axes(&g, outer, count, row);
  return add_gather(prepare, &g);
}

static rango_status prepare_gather_elements(rg_gpu_prepare *prepare) {
  int axis;
  int64_t x_strides[RANGO_MAX_RANK], index_strides[RANGO_MAX_RANK];
  if (!is_row_major(prepare) || !is_index(prepare->inputs[1])) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *indices = prepare->inputs[1];
  if (x->rank != indices->rank || !rg_axis(rg_node_int(prepare->node, "axis", 0), x->rank, &axis)) return RANGO_OK;
  rg_gpu_input_strides(prepare, 0, x_strides);
  rg_gpu_input_strides(prepare, 1, index_strides);
  gather g = {.axis = x->dims[axis], .axis_step = x_strides[axis], .x = 0, .indices = 1};
  rg_gpu_nest_begin(&g.nest, 2);
  for (int i = 0; i < x->rank; i++) {
    if (i != axis && indices->dims[i] > x->dims[i]) return RANGO_OK;
    rg_gpu_nest_axis(&g.nest, indices->dims[i],
                     (const int64_t[]){[X] = i == axis ? 0 : x_strides[i], [INDICES] = index_strides[i]});
  }
  return add_gather(prepare, &g);
}

/* The table's last row is for numbers that have none. */
static rango_status prepare_lookup(rg_gpu_prepare *prepare) {
  uint32_t count;
  if (!is_row_major(prepare) || !is_index(prepare->inputs[0]) || !rg_gpu_is_float(prepare->inputs[1]) ||
      prepare->inputs[1]->rank != 2 || !rg_gpu_count(prepare->inputs[0], &count))
    return RANGO_OK;
  const rg_fact *table = prepare->inputs[1];
  gather g = {.axis = table->dims[0], .x = 1, .indices = 0, .fallback = true};
  add_axes(&g, 1, count, table->dims[1]);
  return add_gather(prepare, &g);
}

static const rg_gpu_operator operators[] = {
    {"", "Gather", prepare_gather},
    {"", "GatherElements", prepare_gather_elements},
    {RG_PRIVATE_DOMAIN, "Lookup", prepare_lookup},
};
RG_GPU_EXPORT(gather, operators);
