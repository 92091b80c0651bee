/* rango.Attention (ops/attention.h), scores never written. */
#include "ops/attention.h"

#include <string.h>

#include "gpu/nest.h"

enum { Q, K, V, MASK, Y, VIEWS }; /* operands, and arrays of the batch's nest */

/* Of shaders/attention.comp, by the most columns that q, k and v have. */
typedef struct tile {
  int64_t width, rows;
  int shader;
} tile;
static const tile tiles[] = {
    {32, 64, RG_SHADER_attention_32}, {64, 64, RG_SHADER_attention_64}, {128, 32, RG_SHADER_attention_128}};
static const tile tiles_few[] = {{32, 8, RG_SHADER_attention_32_few}, {64, 8, RG_SHADER_attention_64_few}};
static const tile tile_any = {128, 32, RG_SHADER_attention_s};

typedef struct push {
  uint32_t rows, keys, inner, columns, flags, blocks, items;
  float scale;
  uint32_t batch, batch_steps[VIEWS][2];
  uint32_t steps[VIEWS][2]; /* of rows and columns */
  uint32_t at[3];           /* of q, k and v */
} push;
_Static_assert(sizeof(push) <= RG_GPU_PUSH_MAX * sizeof(uint32_t), "more than push constants hold");

static bool fill(const rg_attention *a, push *p) {
  const rg_attention_view *const views[VIEWS] = {&a->q, &a->k, &a->v, &a->mask, &a->y};
  rg_gpu_nest nest;
  rg_gpu_nest_begin(&nest, VIEWS);
  for (int i = 0; i < a->batch_rank; i++) {
    int64_t steps[VIEWS];
    for (int view = 0; view < VIEWS; view++) steps[view] = views[view]->strides[i];
    rg_gpu_nest_axis(&nest, a->batch[i], steps);
  }
  if (nest.rank > 2) return false;
  p->batch = (uint32_t)nest.dims[nest.rank - 1];
  for (int view = 0; view < VIEWS; view++) {
    p->batch_steps[view][0] = (uint32_t)nest.steps[view][nest.rank - 1];
    p->batch_steps[view][1] = nest.rank > 1 ? (uint32_t)nest.steps[view][0] : 0;
    for (int i = 0; i < 2; i++) p->steps[view][i] = (uint32_t)views[view]->strides[a->batch_rank + i];
    if (view <= V) p->at[view] = (uint32_t)views[view]->offset;
  }
  return true;
}

static bool is_float(const rg_gpu_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++)
    if ((i < 3 || prepare->inputs[i]) &&
        (!rg_gpu_is_float(prepare->inputs[i]) || prepare->node->inputs[i]->layout != RG_ROW_MAJOR))
      return false;
  return prepare->input_count >= 3 && rg_gpu_is_float(prepare->outputs[0]) &&
         prepare->node->outputs[0]->layout == RG_ROW_MAJOR;
}

/* Columns lie together, four of them in a vector. */
static bool is_vector(const rg_attention *a, const push *p) {
  uint32_t all = (uint32_t)(a->inner | a->columns) | p->at[Q] | p->at[K] | p->at[V];
  for (int view = 0; view < VIEWS; view++) {
    if (view == MASK) continue;
    if (p->steps[view][1] != 1) return false;
    all |= p->steps[view][0] | p->batch_steps[view][0] | p->batch_steps[view][1];
  }
  return all % 4 == 0;
}

static const tile *narrowest(const tile *from, size_t count, int64_t width) {
  for (size_t i = 0; i < count; i++)
    if (from[i].width >= width) return &from[i];
  return NULL;
}

/* NULL: too wide. */
static const tile *choose(const rg_gpu_prepare *prepare, const rg_attention *a, const push *p) {
  const int64_t width = a->inner > a->columns ? a->inner : a->columns, units = rg_gpu_units(prepare);
  if (width > tile_any.width) return NULL;
  if (!is_vector(a, p)) return &tile_any;
  const tile *most = narrowest(tiles, sizeof tiles / sizeof *tiles, width);
  const tile *few = narrowest(tiles_few, sizeof tiles_few / sizeof *tiles_few, width);
  return few && a->items * ((a->rows + most->rows - 1) / most->rows) < units ? few : most;
}

static rango_status prepare_attention(rg_gpu_prepare *prepare) {
  const rg_fact *mask = prepare->input_count > 3 ? prepare->inputs[3] : NULL;
  rg_attention a;
  push p = {0};
  if (!is_float(prepare)) return RANGO_OK;
  const char *error =
      rg_attention_read(prepare->node, prepare->inputs[0], prepare->inputs[1], prepare->inputs[2], mask, &a);
  RG_FAIL_IF(error != NULL, RANGO_ERROR_ARGUMENT, "%s: %s", rg_node_text(prepare->node), error);
  if (a.items * a.rows * a.columns == 0 || a.keys == 0 || !fill(&a, &p)) return RANGO_OK;
  const tile *chosen = choose(prepare, &a, &p);
  if (!chosen) return RANGO_OK;
  const int64_t blocks = (a.rows + chosen->rows - 1) / chosen->rows;
  p.rows = (uint32_t)a.rows;
  p.keys = (uint32_t)a.keys;
  p.inner = (uint32_t)a.inner;
  p.columns = (uint32_t)a.columns;
  p.flags = (a.causal ? 1 : 0) | (mask ? 2 : 0);
  p.blocks = (uint32_t)blocks;
  p.items = (uint32_t)a.items;
  p.scale = a.scale;
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, chosen->shader));
  for (int i = 0; i < (mask ? 4 : 3); i++) RG_TRY(rg_gpu_operand_of(prepare, i, &task->operands[i]));
  task->operands[Y] = rg_gpu_out(0);
  memcpy(task->push, &p, sizeof p);
  if (!rg_gpu_groups(prepare, task, a.items * blocks, 1)) prepare->task_count = 0;
  return RANGO_OK;
}

static const rg_gpu_operator operators[] = {{RG_PRIVATE_DOMAIN, "Attention", prepare_attention}};
RG_GPU_EXPORT(attention, operators);
