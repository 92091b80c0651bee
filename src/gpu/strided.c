/* See move.h. */
#include "gpu/move.h"

#include <string.h>

#include "gpu/nest.h"

#define X 0 /* arrays of a nest */
#define Y 1

/* A copy whose elements have been made as wide as they can be. */
typedef struct copy {
  rg_gpu_nest nest;
  int64_t x_at, y_at;
  size_t bytes; /* of an element */
} copy;

/* Two elements as one, where both sides lie so. */
static bool widen(copy *c) {
  rg_gpu_nest *nest = &c->nest;
  const int last = nest->rank - 1;
  if (c->bytes == 16 || nest->steps[X][last] != 1 || nest->steps[Y][last] != 1 || nest->dims[last] % 2 != 0 ||
      c->x_at % 2 != 0 || c->y_at % 2 != 0)
    return false;
  for (int i = 0; i < last; i++)
    if (nest->steps[X][i] % 2 != 0 || nest->steps[Y][i] % 2 != 0) return false;
  for (int i = 0; i < last; i++) {
    nest->steps[X][i] /= 2;
    nest->steps[Y][i] /= 2;
  }
  nest->dims[last] /= 2;
  c->x_at /= 2;
  c->y_at /= 2;
  c->bytes *= 2;
  return true;
}

/* y's axes in the order of its memory, merged. */
static void collect(copy *c, const rg_gpu_axis *axes, int count) {
  rg_gpu_axis sorted[RG_GPU_MOVE_AXES];
  for (int i = 0; i < count; i++) {
    int at = i;
    for (; at > 0 && sorted[at - 1].y < axes[i].y; at--) sorted[at] = sorted[at - 1];
    sorted[at] = axes[i];
  }
  rg_gpu_nest_begin(&c->nest, 2);
  for (int i = 0; i < count; i++)
    rg_gpu_nest_axis(&c->nest, sorted[i].size, (const int64_t[]){[X] = sorted[i].x, [Y] = sorted[i].y});
  if (rg_gpu_nest_count(&c->nest) == 1) c->nest.steps[X][0] = c->nest.steps[Y][0] = 1;
}

/* Whether threads that write words of four bytes never share one. */
static bool whole_words(const copy *c) {
  const rg_gpu_nest *nest = &c->nest;
  uint32_t mask;
  if (c->y_at % 4 != 0) return false;
  if (rg_gpu_nest_mask(nest, Y, &mask) && mask == RG_GPU_DENSE) return true;
  for (int i = 0; i < nest->rank - 1; i++)
    if (nest->steps[Y][i] % 4 != 0) return false;
  return nest->steps[Y][nest->rank - 1] == 1 && nest->dims[nest->rank - 1] % 4 == 0;
}

static bool add_plain(rg_gpu_prepare *prepare, const copy *c, rg_gpu_operand x, rg_gpu_operand y) {
  struct {
    uint32_t count, dims[RG_GPU_NEST_AXES - 1], rank, x_at, y_at, x_steps[RG_GPU_NEST_AXES], y_steps[RG_GPU_NEST_AXES];
  } push = {.count = (uint32_t)rg_gpu_nest_count(&c->nest),
            .rank = (uint32_t)c->nest.rank,
            .x_at = (uint32_t)c->x_at,
            .y_at = (uint32_t)c->y_at};
  const int shader = c->bytes == 16  ? RG_SHADER_move_quad
                     : c->bytes == 8 ? RG_SHADER_move_pair
                     : c->bytes == 4 ? RG_SHADER_move_word
                     : c->bytes == 2 ? RG_SHADER_move_half
                                     : RG_SHADER_move_byte;
  if (c->bytes == 1 && !whole_words(c)) return false;
  if ((c->bytes == 2 && !prepare->device->info.half) || !rg_gpu_nest_dims(&c->nest, push.dims)) return false;
  rg_gpu_nest_steps(&c->nest, X, push.x_steps);
  rg_gpu_nest_steps(&c->nest, Y, push.y_steps);
  rg_gpu_task *task = rg_gpu_add(prepare, shader);
  task->operands[0] = x;
  task->operands[1] = y;
  memcpy(task->push, &push, sizeof push);
  return rg_gpu_groups(prepare, task, push.count, 1024);
}

/* ---- by tiles, where x's and y's innermost axes differ ---- */

#define TILE       32
#define WORTH_TILE 8 /* sizes from which tiles are full enough */

/* The axis that x runs along, -1 where tiles are no help. */
static int tile_columns(const copy *c) {
  const rg_gpu_nest *nest = &c->nest;
  const int last = nest->rank - 1;
  const bool element = c->bytes == 4 || (c->bytes == 2);
  if (!element || nest->rank > RG_GPU_NEST_AXES || nest->steps[Y][last] != 1 || nest->dims[last] < WORTH_TILE)
    return -1;
  if (nest->steps[X][last] == 1 || c->y_at != 0) return -1;
  for (int i = 0; i < last; i++)
    if (nest->steps[X][i] == 1 && nest->dims[i] >= WORTH_TILE) return i;
  return -1;
}

static bool add_tiles(rg_gpu_prepare *prepare, const copy *c, int columns, rg_gpu_operand x, rg_gpu_operand y) {
  const rg_gpu_nest *nest = &c->nest;
  const int last = nest->rank - 1;
  struct {
    uint32_t tiles, rows, columns, x_row, y_column, row_tiles, column_tiles, x_at, dims[3], x_steps[4], y_steps[4];
  } push = {.rows = (uint32_t)nest->dims[last],
            .columns = (uint32_t)nest->dims[columns],
            .x_row = (uint32_t)nest->steps[X][last],
            .y_column = (uint32_t)nest->steps[Y][columns],
            .x_at = (uint32_t)c->x_at,
            .dims = {1, 1, 1}};
  int64_t tiles = 1;
  int around = 0;
  for (int i = last - 1; i >= 0; i--) {
    if (i == columns) continue;
    if (around < 3) push.dims[around] = (uint32_t)nest->dims[i];
    push.x_steps[around] = (uint32_t)nest->steps[X][i];
    push.y_steps[around++] = (uint32_t)nest->steps[Y][i];
    tiles *= nest->dims[i];
  }
  push.row_tiles = (push.rows + TILE - 1) / TILE;
  push.column_tiles = (push.columns + TILE - 1) / TILE;
  tiles *= (int64_t)push.row_tiles * push.column_tiles;
  push.tiles = (uint32_t)tiles;
  if (c->bytes == 2 && !prepare->device->info.half) return false;
  rg_gpu_task *task = rg_gpu_add(prepare, c->bytes == 2 ? RG_SHADER_transpose_half : RG_SHADER_transpose_word);
  task->operands[0] = x;
  task->operands[1] = y;
  memcpy(task->push, &push, sizeof push);
  return rg_gpu_groups(prepare, task, tiles, 1);
}

bool rg_gpu_add_move(rg_gpu_prepare *prepare, rango_type type, const rg_gpu_axis *axes, int count, rg_gpu_operand x,
                     rg_gpu_operand y, int64_t x_at, int64_t y_at) {
  copy c = {.x_at = x_at, .y_at = y_at};
  if (rango_type_bits(type) < 8 || prepare->task_count == RG_GPU_TASKS_MAX) return false;
  c.bytes = rg_gpu_bytes(prepare, type, 1);
  collect(&c, axes, count);
  if (rg_gpu_nest_count(&c.nest) == 0) return true;
  const int columns = tile_columns(&c);
  if (columns >= 0) return add_tiles(prepare, &c, columns, x, y);
  while (widen(&c)) continue;
  return add_plain(prepare, &c, x, y);
}

/* ---- what is known beforehand ---- */

bool rg_gpu_integers(const rg_gpu_prepare *prepare, const char *attribute, int input, int64_t *values, int *count) {
  size_t listed = 0;
  const int64_t *from = attribute ? rg_node_ints(prepare->node, attribute, &listed) : NULL;
  const rg_fact *fact = input >= 0 && input < prepare->input_count ? prepare->inputs[input] : NULL;
  const rango_tensor *constant = fact ? fact->constant : NULL;
  uint32_t elements = 0;
  *count = -1;
  if (!from && !fact) return true;
  if (!from && !rg_gpu_count(fact, &elements)) return false;
  if (!from && !constant && elements > 0) {
    from = fact->known;
    if (!from || fact->known_count != elements) return false;
  }
  *count = (int)(listed ? listed : elements);
  if (*count > RG_GPU_MOVE_AXES) return false;
  for (int i = 0; i < *count; i++) {
    values[i] = from ? from[i] : rg_tensor_get_i64(constant, i);
    if (!rg_size_is_known(values[i])) return false;
  }
  return true;
}

static void strides_of(const rg_fact *fact, rg_layout layout, int64_t *strides) {
  size_t sizes[RANGO_MAX_RANK];
  rg_physical_strides(fact->rank, fact->dims, layout, sizes);
  for (int i = 0; i < fact->rank; i++) strides[i] = (int64_t)sizes[i];
}

void rg_gpu_input_strides(const rg_gpu_prepare *prepare, int index, int64_t *strides) {
  strides_of(prepare->inputs[index], prepare->node->inputs[index]->layout, strides);
}

void rg_gpu_output_strides(const rg_gpu_prepare *prepare, int index, int64_t *strides) {
  strides_of(prepare->outputs[index], prepare->node->outputs[index]->layout, strides);
}
