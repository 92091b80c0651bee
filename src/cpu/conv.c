/* rango.Conv and Conv; see conv.h. */
#include "cpu/conv.h"

#include <string.h>

#include "base/checked.h"
#include "base/threads.h"
#include "cpu/families.h"
#include "cpu/winograd.h"

static void item_of(const void *source, size_t item, rg_gemm_item *out) {
  const rg_conv_operands *operands = source;
  const rg_conv *conv = operands->conv;
  const rg_conv_geometry *g = &conv->geometry;
  const size_t group = item % g->groups, image = item / g->groups; /* image 0 where all are one product */
  const size_t channel = group * g->group_out;
  out->first_row = operands->first_row;
  out->b = operands->b + group * conv->right.matrix_floats;
  out->c = operands->y + image * g->y.image_step + channel * g->y.channel_step;
  out->bias = operands->bias != NULL ? operands->bias + channel : NULL;
  out->residual = operands->residual == NULL
                      ? NULL
                      : operands->residual + image * conv->residual.image_step + channel * conv->residual.channel_step;
}

rg_gemm_args rg_conv_args(const rg_conv_operands *operands, rg_activation activation) {
  const rg_conv *conv = operands->conv;
  return (rg_gemm_args){.source = operands,
                        .rows = rg_conv_rows,
                        .item = item_of,
                        .c_row = conv->geometry.y.pixel_step,
                        .c_column = conv->geometry.y.channel_step,
                        .residual_row = conv->residual.pixel_step,
                        .residual_column = conv->residual.channel_step,
                        .activation = activation};
}

rango_status rg_conv_run(rg_exec *exec, const float *from, rg_conv_operands *operands, rg_activation activation,
                         void *scratch) {
  const rg_conv *conv = operands->conv;
  if (conv->winograd != NULL) {
    operands->x = from;
    rg_winograd_run(conv->winograd, operands, activation, exec->threads, scratch);
    return RANGO_OK;
  }
  RG_TRY(rg_conv_input(conv, exec, from, &operands->x));
  RG_TRY(rg_right_get(&conv->right, exec, &operands->b));
  const rg_gemm_args args = rg_conv_args(operands, activation);
  rg_gemm_run(&conv->gemm, &args, exec->threads, scratch);
  return RANGO_OK;
}

/* ---- preparing ---- */

/* How windows become rows, and what of the product's plan follows from it. */
static rango_status plan(rg_prepare *prepare, rg_conv *conv) {
  const rg_conv_geometry *g = &conv->geometry;
  const bool apart = g->groups > 1 || g->dilation[2] > 1; /* taps of a window's row don't lie together */
  const bool few = g->group_in < (apart ? RG_CONV_VERY_FEW_CHANNELS : RG_CONV_FEW_CHANNELS) && !conv->pointwise;
  size_t segments = 1, k = g->taps * g->group_in, pack_floats = 0;
  float *zeros;
  if (few && apart) {
    conv->mode = RG_CONV_GATHER;
    pack_floats = k;
  } else if (few) {
    conv->mode = RG_CONV_RUNS;
    pack_floats = k;
    segments = (size_t)(g->kernel[0] * g->kernel[1]);
    k = (size_t)g->kernel[2] * g->group_in;
  } else {
    conv->mode = RG_CONV_TAPS;
    segments = g->taps;
    k = g->group_in;
  }
  RG_TRY(rg_arena_calloc(prepare->arena, k, sizeof *zeros, RG_OUT(&zeros)));
  conv->zeros = zeros;
  rg_gemm_plan(&conv->gemm, prepare->kernels, prepare->threads, (conv->per_image ? g->batch : 1) * g->groups,
               (conv->per_image ? 1 : g->batch) * g->y.pixels, g->group_out, segments, k, pack_floats);
  return rg_gemm_scratch_bytes(&conv->gemm, &conv->scratch);
}

/* How many groups to multiply as one, the blocks of its matrix's diagonal: a group of few outputs takes no less time
 * than half a register tile, and few inputs are short runs. (An infinity then makes NaN of its neighbours, as
 * Winograd's transforms do.) */
static size_t groups_merged(const rg_prepare *prepare, const rg_conv_geometry *g, int weight) {
  if (g->groups == 1 || g->group_in > RG_CONV_MERGED_INPUTS || prepare->inputs[weight]->constant == NULL) return 1;
  size_t merged = prepare->kernels->nr / 2 / g->group_out;
  while (merged > 1 && (g->groups % merged != 0 || merged * g->group_in > RG_CONV_MERGED_INPUTS)) merged--;
  return merged > 0 ? merged : 1;
}

rango_status rg_conv_prepare(rg_prepare *prepare, const rg_conv_parts *parts, rg_conv *conv) {
  rg_conv_geometry *g = &conv->geometry;
  *conv = (rg_conv){0};
  RG_TRY(rg_winograd_prepare(prepare, parts, &conv->winograd));
  if (conv->winograd != NULL) {
    conv->scratch = rg_winograd_scratch_bytes(conv->winograd);
    return RANGO_OK;
  }
  RG_TRY(rg_conv_geometry_read(prepare->node, parts->suffix, parts->x, prepare->inputs[parts->weight], parts->y, g));
  g->x = rg_image_of(parts->x, RG_CHANNELS_LAST);
  g->y = rg_image_of(parts->y, parts->y_layout);
  conv->residual = rg_image_of(parts->y, parts->residual_layout);
  const size_t merged = groups_merged(prepare, g, parts->weight);
  g->groups /= merged;
  g->group_in *= merged;
  g->group_out *= merged;
  conv->pointwise = rg_conv_is_pointwise(g);
  RG_TRY(rg_conv_stage_prepare(prepare, parts->x_layout, conv));
  conv->per_image = parts->y_layout != RG_CHANNELS_LAST || parts->residual_layout != RG_CHANNELS_LAST;
  /* W is [groups * group_out][group_in][taps]. */
  conv->right = (rg_right){.kernels = prepare->kernels,
                           .input = parts->weight,
                           .matrices = g->groups,
                           .taps = g->taps,
                           .k = g->group_in,
                           .n = g->group_out,
                           .merged = merged,
                           .matrix_step = g->group_out * g->group_in * g->taps,
                           .tap_step = 1,
                           .row = g->taps,
                           .column = g->group_in * g->taps,
                           .scale = 1.0f};
  RG_TRY(rg_right_prepare(&conv->right, prepare));
  return plan(prepare, conv);
}

bool rg_conv_is_supported(const rg_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++) {
    const rg_fact *fact = prepare->inputs[i];
    if (fact != NULL && (!rg_fact_is_concrete(fact) || fact->type != RANGO_FLOAT32)) return false;
  }
  if (prepare->inputs[0] == NULL || prepare->outputs[0] == NULL || !rg_fact_is_concrete(prepare->outputs[0]))
    return false;
  return prepare->inputs[0]->rank >= 3 && prepare->inputs[0]->rank <= 5;
}

/* ---- the operators ---- */

typedef struct conv_state {
  rg_conv conv;
  rg_shape shape;
  rg_layout layout; /* of the output */
  bool bias, residual;
  rg_activation activation;
} conv_state;

static rango_status run(rg_exec *exec) {
  const conv_state *state = exec->state;
  rg_conv_operands operands = {.conv = &state->conv};
  rango_tensor *y;
  void *scratch;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  RG_TRY(rg_exec_scratch(exec, state->conv.scratch, &scratch));
  y->layout = state->layout;
  operands.y = y->data;
  if (state->bias) operands.bias = rg_exec_input(exec, 2)->data;
  if (state->residual) operands.residual = rg_exec_input(exec, 3)->data;
  return rg_conv_run(exec, rg_exec_input(exec, 0)->data, &operands, state->activation, scratch);
}

static rango_status prepare_conv(rg_prepare *prepare) {
  if (!rg_conv_is_supported(prepare)) return RANGO_OK;
  const rg_node *node = prepare->node;
  const bool residual = prepare->input_count > 3 && prepare->inputs[3] != NULL;
  const rg_conv_parts parts = {.suffix = "",
                               .x = prepare->inputs[0],
                               .y = prepare->outputs[0],
                               .x_layout = node->inputs[0]->layout,
                               .y_layout = node->outputs[0]->layout,
                               .residual_layout = residual ? node->inputs[3]->layout : node->outputs[0]->layout,
                               .weight = 1};
  RG_TRY(rg_depthwise_prepare(prepare, &parts, residual));
  if (prepare->run != NULL) return RANGO_OK;
  conv_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_conv_prepare(prepare, &parts, &state->conv));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->layout = parts.y_layout;
  state->bias = prepare->input_count > 2 && prepare->inputs[2] != NULL;
  state->residual = residual;
  state->activation = rg_activation_read(node);
  prepare->scratch_bytes += rg_round_up(state->conv.scratch, RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

rg_layout_support rg_conv_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = rg_facts_of(facts, node->inputs[0]);
  return x != NULL && x->type == RANGO_FLOAT32 && x->rank >= 3 && x->rank <= 5 ? RG_LAYOUT_LAST : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "Conv", prepare_conv, rg_conv_layout},
    {"", "Conv", prepare_conv, rg_conv_layout},
};
RG_CPU_EXPORT(conv, operators);
