/* Layer, RMS, batch, instance and group normalisation. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

typedef struct norm_state {
  const rg_vector_kernels *kernels;
  rg_shape shape;
  float epsilon;
  /* layer norms: x [rows][cols] */
  size_t rows, cols;
  bool rms;
  rg_shape reduced; /* of the optional outputs */
  /* the others: x [batch][channels][plane], or with channels last */
  size_t batch, channels, plane, groups;
  bool last, by_group; /* scale and bias are by group, not channel */
} norm_state;

typedef struct arrays {
  const norm_state *state;
  const float *x, *scale, *bias, *means, *variances;
  float *y, *mean, *inverse;
  float *factors; /* [batch][2][channels]: scale and shift */
} arrays;

/* Float32 everywhere, and input 0 and output 0 in one layout. */
static bool is_float(const rg_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++)
    if (prepare->inputs[i] && (prepare->inputs[i]->type != RANGO_FLOAT32 || !rg_fact_is_concrete(prepare->inputs[i])))
      return false;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  return x && y && rg_fact_is_concrete(y) && x->rank > 0 && rg_cpu_count(x, 0, x->rank) > 0 &&
         prepare->node->inputs[0]->layout == prepare->node->outputs[0]->layout;
}

/* ---- layer norms ---- */

static void layer_rows(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const norm_state *s = a->state;
  s->kernels->layer_norm(a->x + begin * s->cols, a->y + begin * s->cols, end - begin, s->cols, a->scale, a->bias,
                         s->epsilon, s->rms, a->mean ? a->mean + begin : NULL, a->inverse ? a->inverse + begin : NULL);
}

static rango_status run_layer(rg_exec *exec) {
  const norm_state *s = exec->state;
  rango_tensor *y, *mean, *inverse;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  RG_TRY(rg_exec_output(exec, 1, RANGO_FLOAT32, &s->reduced, &mean));
  RG_TRY(rg_exec_output(exec, 2, RANGO_FLOAT32, &s->reduced, &inverse));
  const rango_tensor *bias = rg_exec_input(exec, 2);
  const arrays a = {.state = s,
                    .x = rg_exec_input(exec, 0)->data,
                    .scale = rg_exec_input(exec, 1)->data,
                    .bias = bias ? bias->data : NULL,
                    .y = y->data,
                    .mean = mean ? mean->data : NULL,
                    .inverse = inverse ? inverse->data : NULL};
  rg_cpu_parallel(exec->threads, s->rows, 1, 4 * s->rows * s->cols, layer_rows, &a);
  return RANGO_OK;
}

static rango_status prepare_layer(rg_prepare *prepare) {
  if (!is_float(prepare) || !rg_cpu_is_plain(prepare) || !prepare->inputs[1]) return RANGO_OK;
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *bias = prepare->input_count > 2 ? prepare->inputs[2] : NULL;
  int axis;
  if (!rg_axis(rg_node_int(node, "axis", -1), x->rank, &axis)) return RANGO_OK;
  if (!rg_is_row(prepare->inputs[1], x, axis) || (bias && !rg_is_row(bias, x, axis))) return RANGO_OK;
  for (int i = 1; i < prepare->output_count; i++)
    if (prepare->outputs[i] && prepare->outputs[i]->type != RANGO_FLOAT32) return RANGO_OK;
  norm_state *state;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(x, &state->shape));
  state->reduced = state->shape;
  for (int i = axis; i < x->rank; i++) state->reduced.dims[i] = 1;
  state->kernels = prepare->kernels->vector;
  state->epsilon = rg_node_float(node, "epsilon", 1e-5f);
  state->rows = rg_cpu_count(x, 0, axis);
  state->cols = rg_cpu_count(x, axis, x->rank);
  state->rms = strcmp(node->op, "RMSNormalization") == 0;
  prepare->state = state;
  prepare->run = run_layer;
  prepare->in_place = true;
  return RANGO_OK;
}

/* ---- scale and shift by channel, which the others end with ---- */

static void factors_of(const arrays *a, size_t image, float **scale, float **shift) {
  *scale = a->factors + image * 2 * a->state->channels;
  *shift = *scale + a->state->channels;
}

/* y = x scale + shift for images begin … end-1. */
static void scale_images(const arrays *a, size_t image, size_t factors) {
  const norm_state *s = a->state;
  const size_t at = image * s->channels * s->plane;
  float *scale, *shift;
  factors_of(a, factors, &scale, &shift);
  if (s->last)
    s->kernels->scale_columns(a->x + at, a->y + at, s->plane, s->channels, scale, shift);
  else
    s->kernels->scale_rows(a->x + at, a->y + at, s->channels, s->plane, scale, shift);
}

static rango_status prepare_channels(rg_prepare *prepare, size_t factors, norm_state **out) {
  const rg_fact *x = prepare->inputs[0];
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof **out, RG_OUT(out)));
  norm_state *state = *out;
  RG_TRY(rg_fact_shape(x, &state->shape));
  state->kernels = prepare->kernels->vector;
  state->epsilon = rg_node_float(prepare->node, "epsilon", 1e-5f);
  state->batch = (size_t)x->dims[0];
  state->channels = (size_t)x->dims[1];
  state->plane = rg_cpu_count(x, 2, x->rank);
  state->groups = state->channels;
  /* With one position a channel the order is that of channels-last. */
  state->last = prepare->node->inputs[0]->layout == RG_CHANNELS_LAST || state->plane == 1;
  prepare->scratch_bytes = rg_round_up(factors * 2 * state->channels * sizeof(float), RG_ALIGNMENT);
  prepare->state = state;
  prepare->in_place = true;
  return RANGO_OK;
}

static rango_status collect(rg_exec *exec, size_t factors, arrays *out) {
  const norm_state *s = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  *out = (arrays){.state = s,
                  .x = rg_exec_input(exec, 0)->data,
                  .scale = rg_exec_input(exec, 1)->data,
                  .bias = rg_exec_input(exec, 2)->data,
                  .y = y->data};
  return rg_exec_scratch(exec, factors * 2 * s->channels * sizeof(float), RG_OUT(&out->factors));
}

/* ---- BatchNormalization ---- */

static void batch_images(const void *argument, size_t begin, size_t end) {
  for (size_t i = begin; i < end; i++) scale_images(argument, i, 0);
}

static rango_status run_batch(rg_exec *exec) {
  const norm_state *s = exec->state;
  arrays a;
  RG_TRY(collect(exec, 1, &a));
  const float *mean = rg_exec_input(exec, 3)->data, *variance = rg_exec_input(exec, 4)->data;
  float *scale, *shift;
  factors_of(&a, 0, &scale, &shift);
  for (size_t c = 0; c < s->channels; c++) {
    scale[c] = (float)(a.scale[c] / sqrt((double)variance[c] + (double)s->epsilon));
    shift[c] = a.bias[c] - mean[c] * scale[c];
  }
  rg_cpu_parallel(exec->threads, s->batch, 1, 2 * s->batch * s->channels * s->plane, batch_images, &a);
  return RANGO_OK;
}

static rango_status prepare_batch(rg_prepare *prepare) {
  if (!is_float(prepare) || prepare->input_count < 5 || prepare->inputs[0]->rank < 2) return RANGO_OK;
  for (int i = 1; i < 5; i++)
    if (!prepare->inputs[i] ||
        rg_cpu_count(prepare->inputs[i], 0, prepare->inputs[i]->rank) != (size_t)prepare->inputs[0]->dims[1])
      return RANGO_OK;
  norm_state *state;
  RG_TRY(prepare_channels(prepare, 1, &state));
  prepare->run = run_batch;
  return RANGO_OK;
}

/* ---- InstanceNormalization, GroupNormalization ---- */

/* From a group's mean and variance to its channels' scale and shift. */
static void group_factors(const arrays *a, size_t group, double mean, double variance, float *scale, float *shift) {
  const norm_state *s = a->state;
  const size_t span = s->channels / s->groups;
  const double inverse = 1 / sqrt(variance + (double)s->epsilon);
  for (size_t c = group * span; c < (group + 1) * span; c++) {
    const size_t at = s->by_group ? group : c;
    scale[c] = (float)(a->scale[at] * inverse);
    shift[c] = (float)(a->bias[at] - mean * (double)scale[c]);
  }
}

static void rows_moments(const arrays *a, size_t image, float *scale, float *shift) {
  const norm_state *s = a->state;
  const size_t count = s->channels / s->groups * s->plane;
  for (size_t g = 0; g < s->groups; g++) {
    float mean, variance;
    s->kernels->moments(a->x + (image * s->groups + g) * count, count, &mean, &variance);
    group_factors(a, g, (double)mean, (double)variance, scale, shift);
  }
}

/* Channels' moments, then those of groups of channels: the variance within and between them. */
static void columns_moments(const arrays *a, size_t image, float *scale, float *shift) {
  const norm_state *s = a->state;
  const size_t span = s->channels / s->groups;
  s->kernels->column_moments(a->x + image * s->channels * s->plane, s->channels, s->plane, s->channels, scale, shift);
  for (size_t g = 0; g < s->groups; g++) {
    const float *means = scale + g * span, *variances = shift + g * span;
    double mean = 0, variance = 0;
    for (size_t c = 0; c < span; c++) mean += (double)means[c];
    mean /= (double)span;
    for (size_t c = 0; c < span; c++)
      variance += (double)variances[c] + ((double)means[c] - mean) * ((double)means[c] - mean);
    group_factors(a, g, mean, variance / (double)span, scale, shift);
  }
}

static void group_images(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  for (size_t i = begin; i < end; i++) {
    float *scale, *shift;
    factors_of(a, i, &scale, &shift);
    if (a->state->last)
      columns_moments(a, i, scale, shift);
    else
      rows_moments(a, i, scale, shift);
    scale_images(a, i, i);
  }
}

static rango_status run_group(rg_exec *exec) {
  const norm_state *s = exec->state;
  arrays a;
  RG_TRY(collect(exec, s->batch, &a));
  rg_cpu_parallel(exec->threads, s->batch, 1, 5 * s->batch * s->channels * s->plane, group_images, &a);
  return RANGO_OK;
}

static rango_status prepare_group(rg_prepare *prepare) {
  if (!is_float(prepare) || prepare->input_count < 3 || !prepare->inputs[1] || !prepare->inputs[2]) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0];
  const bool instance = strcmp(prepare->node->op, "InstanceNormalization") == 0;
  const int64_t groups = instance ? (x->rank < 2 ? 0 : x->dims[1]) : rg_node_int(prepare->node, "num_groups", 0);
  if (x->rank < 2 || groups < 1 || x->dims[1] % groups != 0) return RANGO_OK;
  const bool by_group = !instance && prepare->node->version < 21;
  for (int i = 1; i < 3; i++)
    if (rg_cpu_count(prepare->inputs[i], 0, prepare->inputs[i]->rank) != (size_t)(by_group ? groups : x->dims[1]))
      return RANGO_OK;
  norm_state *state;
  RG_TRY(prepare_channels(prepare, (size_t)x->dims[0], &state));
  state->groups = (size_t)groups;
  state->by_group = by_group;
  prepare->run = run_group;
  return RANGO_OK;
}

static rg_layout_support image_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  return x && x->type == RANGO_FLOAT32 && x->rank >= 3 ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {"", "LayerNormalization", prepare_layer, NULL},         {"", "RMSNormalization", prepare_layer, NULL},
    {"", "BatchNormalization", prepare_batch, image_layout}, {"", "InstanceNormalization", prepare_group, image_layout},
    {"", "GroupNormalization", prepare_group, image_layout},
};
RG_CPU_EXPORT(norm, operators);
