/* Layer, RMS, batch, instance, group and Lp normalisation. */
#include <string.h>

#include "gpu/rows.h"
#include "ops/support.h"

/* Of shaders/norm.comp. */
typedef enum kind { KIND_LAYER, KIND_RMS, KIND_BATCH, KIND_L1, KIND_L2 } kind;
enum { HAS_SCALE = 1, HAS_BIAS = 2, WRITE_MEAN = 4, WRITE_INVERSE = 8 };
enum { X, SCALE, BIAS, MEAN, VARIANCE, Y, MEAN_OUT, INVERSE_OUT }; /* operands */

typedef struct push {
  rg_gpu_rows rows;
  uint32_t inner, kind, flags;
  uint32_t row_groups, outer_step, group_step, run, run_step;
  uint32_t groups, row_parameters, parameter_div, parameter_mod;
  float epsilon;
} push;

/* Rows that lie behind each other, without parameters. */
static push dense_rows(const rg_gpu_prepare *prepare, kind what, int64_t rows, int64_t axis) {
  return (push){.rows = rg_gpu_rows_make(rows, axis, true),
                .inner = 1,
                .kind = (uint32_t)what,
                .row_groups = 1,
                .outer_step = (uint32_t)axis,
                .run = (uint32_t)axis,
                .groups = 1,
                .parameter_div = 1,
                .parameter_mod = (uint32_t)axis,
                .epsilon = rg_node_float(prepare->node, "epsilon", 1e-5f)};
}

/* Input 0 to output 0; scale and bias are inputs 1 and 2 where the flags say so. */
static rango_status add_task(rg_gpu_prepare *prepare, const push *p) {
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_norm));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[X]));
  if (p->flags & HAS_SCALE) RG_TRY(rg_gpu_operand_of(prepare, 1, &task->operands[SCALE]));
  if (p->flags & HAS_BIAS) RG_TRY(rg_gpu_operand_of(prepare, 2, &task->operands[BIAS]));
  if (p->kind == KIND_BATCH) {
    RG_TRY(rg_gpu_operand_of(prepare, 3, &task->operands[MEAN]));
    RG_TRY(rg_gpu_operand_of(prepare, 4, &task->operands[VARIANCE]));
  }
  task->operands[Y] = rg_gpu_out(0);
  if (p->flags & WRITE_MEAN) task->operands[MEAN_OUT] = rg_gpu_out(1);
  if (p->flags & WRITE_INVERSE) task->operands[INVERSE_OUT] = rg_gpu_out(2);
  memcpy(task->push, p, sizeof *p);
  if (!rg_gpu_rows_groups(prepare, task, &p->rows)) prepare->task_count = 0;
  prepare->in_place = !prepare->inputs[0]->constant; /* a row is read whole before it is written */
  return RANGO_OK;
}

static int64_t elements(const rg_fact *fact) {
  uint32_t count;
  return rg_gpu_count(fact, &count) ? (int64_t)count : -1;
}

/* All of float32, not empty, input 0 and output 0 in one layout. */
static bool is_float(const rg_gpu_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++)
    if (prepare->inputs[i] && !rg_gpu_is_float(prepare->inputs[i])) return false;
  for (int i = 0; i < prepare->output_count; i++)
    if (prepare->outputs[i] && !rg_gpu_is_float(prepare->outputs[i])) return false;
  return prepare->inputs[0] && prepare->outputs[0] && elements(prepare->inputs[0]) > 0 &&
         prepare->node->inputs[0]->layout == prepare->node->outputs[0]->layout;
}

/* ---- layer norms ---- */

/* Of shaders/layer_norm.comp, for short rows: threads of a group, vectors that a thread keeps, threads of a row. */
#define GROUP_THREADS 64
#define HELD          8
#define LANES_MOST    32

static bool has_vector_rows(const push *p) {
  return p->rows.axis % 4 == 0 && p->rows.axis / 4 <= HELD * LANES_MOST && !(p->flags & (WRITE_MEAN | WRITE_INVERSE));
}

static rango_status add_vector_rows(rg_gpu_prepare *prepare, const push *p) {
  const uint32_t vectors = p->rows.axis / 4;
  uint32_t lanes = 8; /* half of what they may keep, where rows are short */
  while (lanes < LANES_MOST && lanes * HELD / 2 < vectors) lanes *= 2;
  const uint32_t words[] = {p->rows.rows, vectors, lanes, p->kind, p->flags};
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_layer_norm));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &task->operands[0]));
  RG_TRY(rg_gpu_operand_of(prepare, 1, &task->operands[1]));
  if (p->flags & HAS_BIAS) RG_TRY(rg_gpu_operand_of(prepare, 2, &task->operands[2]));
  task->operands[3] = rg_gpu_out(0);
  memcpy(task->push, words, sizeof words);
  memcpy(task->push + sizeof words / sizeof *words, &p->epsilon, sizeof p->epsilon);
  if (!rg_gpu_groups(prepare, task, p->rows.rows, GROUP_THREADS / lanes)) prepare->task_count = 0;
  prepare->in_place = !prepare->inputs[0]->constant;
  return RANGO_OK;
}

static rango_status prepare_layer(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *bias = prepare->input_count > 2 ? prepare->inputs[2] : NULL;
  int axis;
  if (!is_float(prepare) || node->inputs[0]->layout != RG_ROW_MAJOR || prepare->input_count < 2 ||
      !prepare->inputs[1] || !rg_axis(rg_node_int(node, "axis", -1), x->rank, &axis))
    return RANGO_OK;
  if (!rg_is_row(prepare->inputs[1], x, axis) || (bias && !rg_is_row(bias, x, axis))) return RANGO_OK;
  int64_t rows = 1;
  for (int i = 0; i < axis; i++) rows *= x->dims[i];
  const bool rms = rg_node_is(node, "RMSNormalization");
  push p = dense_rows(prepare, rms ? KIND_RMS : KIND_LAYER, rows, elements(x) / rows);
  p.flags = HAS_SCALE;
  if (bias) p.flags |= HAS_BIAS;
  if (prepare->output_count > 1 && prepare->outputs[1]) p.flags |= WRITE_MEAN;
  if (prepare->output_count > 2 && prepare->outputs[2]) p.flags |= WRITE_INVERSE;
  return has_vector_rows(&p) ? add_vector_rows(prepare, &p) : add_task(prepare, &p);
}

/* ---- images: batch, instance, group ---- */

/* Rows of whole channels, or with channels last: [image][position][channel]. Statistics are of one channel. */
static push channel_rows(const rg_gpu_prepare *prepare, kind what) {
  const rg_fact *x = prepare->inputs[0];
  const int64_t channels = x->dims[1], rows = x->dims[0] * channels, plane = elements(x) / rows;
  push p = dense_rows(prepare, what, rows, plane);
  if (prepare->node->inputs[0]->layout == RG_CHANNELS_LAST || plane == 1) {
    p.rows = rg_gpu_rows_make(rows, plane, false);
    p.inner = (uint32_t)channels;
  }
  p.groups = (uint32_t)channels;
  p.row_parameters = 1;
  p.parameter_div = (uint32_t)plane;
  p.flags = HAS_SCALE | HAS_BIAS;
  return p;
}

static bool has_vectors(const rg_gpu_prepare *prepare, int first, int last, int64_t size) {
  if (prepare->input_count <= last) return false;
  for (int i = first; i <= last; i++)
    if (!prepare->inputs[i] || elements(prepare->inputs[i]) != size) return false;
  return true;
}

static rango_status prepare_batch(rg_gpu_prepare *prepare) {
  if (!is_float(prepare) || prepare->inputs[0]->rank < 2 || !has_vectors(prepare, 1, 4, prepare->inputs[0]->dims[1]))
    return RANGO_OK;
  for (int i = 1; i < prepare->output_count; i++)
    if (prepare->outputs[i]) return RANGO_OK;
  const push p = channel_rows(prepare, KIND_BATCH);
  return add_task(prepare, &p);
}

static rango_status prepare_instance(rg_gpu_prepare *prepare) {
  if (!is_float(prepare) || prepare->inputs[0]->rank < 2 || !has_vectors(prepare, 1, 2, prepare->inputs[0]->dims[1]))
    return RANGO_OK;
  const push p = channel_rows(prepare, KIND_LAYER);
  return add_task(prepare, &p);
}

static rango_status prepare_group(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0];
  const int64_t groups = rg_node_int(node, "num_groups", 0);
  const bool by_group = node->version < 21; /* scale and bias */
  if (!is_float(prepare) || x->rank < 2 || groups < 1 || x->dims[1] % groups != 0) return RANGO_OK;
  const int64_t channels = x->dims[1], span = channels / groups, plane = elements(x) / x->dims[0] / channels;
  const bool last = node->inputs[0]->layout == RG_CHANNELS_LAST;
  if (!has_vectors(prepare, 1, 2, by_group ? groups : channels)) return RANGO_OK;
  push p = dense_rows(prepare, KIND_LAYER, x->dims[0] * groups, span * plane);
  if (last) {
    p.row_groups = (uint32_t)groups;
    p.outer_step = (uint32_t)(plane * channels);
    p.group_step = p.run = (uint32_t)span;
    p.run_step = (uint32_t)channels;
  }
  p.groups = (uint32_t)groups;
  p.row_parameters = by_group ? 1 : (uint32_t)span;
  p.parameter_div = by_group ? p.rows.axis : last ? 1 : (uint32_t)plane;
  p.parameter_mod = by_group ? 1 : (uint32_t)span;
  p.flags = HAS_SCALE | HAS_BIAS;
  return add_task(prepare, &p);
}

/* ---- LpNormalization ---- */

static rango_status prepare_lp(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0];
  const int64_t order = rg_node_int(node, "p", 2);
  int64_t outer, inner;
  int axis;
  if (!is_float(prepare) || node->inputs[0]->layout != RG_ROW_MAJOR || (order != 1 && order != 2) ||
      !rg_axis(rg_node_int(node, "axis", -1), x->rank, &axis))
    return RANGO_OK;
  rg_gpu_around(x, axis, &outer, &inner);
  push p = dense_rows(prepare, order == 1 ? KIND_L1 : KIND_L2, outer * inner, x->dims[axis]);
  if (inner > 1) p.rows = rg_gpu_rows_make(outer * inner, x->dims[axis], false);
  p.inner = (uint32_t)inner;
  return add_task(prepare, &p);
}

static const rg_gpu_operator operators[] = {
    {"", "LayerNormalization", prepare_layer}, {"", "RMSNormalization", prepare_layer},
    {"", "BatchNormalization", prepare_batch}, {"", "InstanceNormalization", prepare_instance},
    {"", "GroupNormalization", prepare_group}, {"", "LpNormalization", prepare_lp},
};
RG_GPU_EXPORT(norm, operators);
