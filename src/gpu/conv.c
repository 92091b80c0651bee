/* Convolutions: products over the windows of channels-last images, gathered on the way. */
#include <string.h>

#include "gpu/conv.h"
#include "gpu/winograd.h"

enum { X, W1, B1, W2, B2 }; /* inputs of a pair; a single convolution's residual is input 3, a pair's input 5 */

static bool is_supported(const rg_gpu_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++)
    if (prepare->inputs[i] && !rg_gpu_is_float(prepare->inputs[i])) return false;
  const rg_fact *x = prepare->inputs[X];
  return x && rg_gpu_is_float(prepare->outputs[0]) && (x->rank == 3 || x->rank == 4);
}

/* Elements of channels lie together. */
static bool is_last(const rg_image *image) { return image->channel_step == 1 || image->pixels == 1; }

static bool fits(const rg_conv_geometry *g) {
  bool small = g->in[0] == 1 && g->kernel[0] == 1 && g->out[0] == 1;
  for (int i = 1; i < 3; i++) small = small && g->stride[i] < 65536 && g->pad[i] < 32768 && g->dilation[i] < 32768;
  return small;
}

/* The product of a convolution of `x` (steps in g->x) to channels-last `g->y`, whose operands the caller binds, and how
 * its weight lies. */
static rg_gpu_right describe(const rg_conv_geometry *g, rg_gpu_product *out) {
  const int64_t inputs = (int64_t)g->group_in, outputs = (int64_t)g->group_out, taps = (int64_t)g->taps;
  const rg_gpu_right right = {.matrices = (int64_t)g->groups,
                              .taps = taps,
                              .k = taps * inputs,
                              .n = outputs,
                              .matrix_step = outputs * inputs * taps,
                              .row = taps,
                              .column = inputs * taps,
                              .scale = 1.0f};
  const bool pointwise = rg_conv_is_pointwise(g) && g->x.channel_step == 1;
  rg_gpu_right_shape(&right, out);
  out->conv = pointwise ? NULL : g;
  out->matrices = (int64_t)g->groups;
  out->m = (int64_t)(g->batch * g->y.pixels);
  out->x_row = (int64_t)g->x.pixel_step;
  out->y_row = (int64_t)(g->groups * g->group_out);
  out->x_matrix = (int64_t)(g->group_in * g->x.channel_step);
  out->y_matrix = outputs;
  return right;
}

static rango_status take_conv(rg_gpu_prepare *prepare, int weight, const rg_conv_geometry *g, rg_gpu_product *out) {
  const rg_gpu_right right = describe(g, out);
  return rg_gpu_right_get(prepare, weight, &right, out);
}

/* The side of Winograd's tiles, or 0: the product over windows, which `direct` describes. *cost: of what it is. */
static int64_t tile_of(const rg_gpu_prepare *prepare, const rg_conv_geometry *g, rg_gpu_conv_form form,
                       const rg_gpu_product *direct, double *cost) {
  *cost = rg_gpu_product_cost(prepare, direct);
  if (form == RG_GPU_CONV_DIRECT || !rg_gpu_winograd_applies(g)) return 0;
  return form == RG_GPU_CONV_FASTEST ? rg_gpu_winograd_choose(prepare, g, cost) : (int64_t)form;
}

/* One convolution, described, whose operands but for the weight are bound. */
static rango_status add_conv(rg_gpu_prepare *prepare, int weight, const rg_conv_geometry *g, int64_t tile,
                             rg_gpu_product *product) {
  const int before = prepare->task_count;
  if (tile > 0) RG_TRY(rg_gpu_winograd_add(prepare, weight, g, tile, product));
  if (prepare->task_count > before) return RANGO_OK;
  RG_TRY(take_conv(prepare, weight, g, product));
  return rg_gpu_product_add(prepare, product);
}

static bool is_constant(const rg_gpu_prepare *prepare, int input) {
  return input < prepare->input_count && prepare->inputs[input] && prepare->inputs[input]->constant;
}

/* A value that isn't there, or lies channels-last (or as if it did). */
static bool residual_fits(const rg_gpu_prepare *prepare, int input) {
  if (input >= prepare->input_count || !prepare->inputs[input]) return true;
  const rg_image image = rg_image_of(prepare->inputs[input], prepare->node->inputs[input]->layout);
  return is_last(&image);
}

/* One filter for each channel, [tap][channel]. */
static rango_status add_depthwise(rg_gpu_prepare *prepare, int weight, const rg_conv_geometry *g, rg_gpu_product *p) {
  const int64_t channels = (int64_t)g->groups, taps = (int64_t)g->taps;
  const rg_gpu_right right = {
      .matrices = 1, .taps = 1, .k = taps, .n = channels, .row = 1, .column = taps, .scale = 1.0f};
  RG_TRY(rg_gpu_right_get(prepare, weight, &right, p));
  const bool vector = channels % 4 == 0;
  const int64_t count = (int64_t)(g->batch * g->y.pixels) * (vector ? channels / 4 : channels);
  const uint32_t push[] = {(uint32_t)count,
                           (uint32_t)channels,
                           (uint32_t)p->w_row,
                           (uint32_t)g->in[1],
                           (uint32_t)g->in[2],
                           (uint32_t)g->out[1],
                           (uint32_t)g->out[2],
                           (uint32_t)g->kernel[1],
                           (uint32_t)g->kernel[2],
                           (uint32_t)(g->stride[1] | g->stride[2] << 16),
                           (uint32_t)(g->pad[1] | g->pad[2] << 16),
                           (uint32_t)(g->dilation[1] | g->dilation[2] << 16),
                           rg_gpu_product_flags(p),
                           (uint32_t)p->activation.kind,
                           0,
                           0};
  rg_gpu_task *task =
      rg_gpu_add(prepare, rg_gpu_variant(prepare, vector ? RG_SHADER_depthwise : RG_SHADER_depthwise_s));
  const rg_gpu_operand operands[] = {p->x, p->w, p->bias, p->residual, p->y};
  memcpy(task->operands, operands, sizeof operands);
  memcpy(task->push, push, sizeof push);
  memcpy(task->push + 14, &p->activation.alpha, sizeof(float));
  memcpy(task->push + 15, &p->activation.beta, sizeof(float));
  if (!rg_gpu_groups(prepare, task, count, 64)) prepare->task_count = 0;
  return RANGO_OK;
}

static rango_status prepare_single(rg_gpu_prepare *prepare, rg_gpu_conv_form form) {
  const rg_node *node = prepare->node;
  const int residual = strcmp(node->domain, RG_PRIVATE_DOMAIN) == 0 ? 3 : prepare->input_count;
  rg_conv_geometry geometry;
  if (!is_supported(prepare) || !is_constant(prepare, W1) || !residual_fits(prepare, residual)) return RANGO_OK;
  RG_TRY(rg_conv_geometry_read(node, "", prepare->inputs[X], prepare->inputs[W1], prepare->outputs[0], &geometry));
  geometry.x = rg_image_of(prepare->inputs[X], node->inputs[X]->layout);
  geometry.y = rg_image_of(prepare->outputs[0], node->outputs[0]->layout);
  if (!fits(&geometry) || !is_last(&geometry.y)) return RANGO_OK;
  rg_gpu_product product = {.y = rg_gpu_out(0)};
  if (residual == 3) product.activation = rg_activation_read(node);
  RG_TRY(rg_gpu_operand_of(prepare, X, &product.x));
  RG_TRY(rg_gpu_optional(prepare, B1, &product.bias));
  RG_TRY(rg_gpu_optional(prepare, residual, &product.residual));
  if (geometry.groups > 1 && geometry.group_in == 1 && geometry.group_out == 1 && is_last(&geometry.x))
    return add_depthwise(prepare, W1, &geometry, &product);
  double cost;
  describe(&geometry, &product);
  return add_conv(prepare, W1, &geometry, tile_of(prepare, &geometry, form, &product, &cost), &product);
}

/* One of a pair. */
typedef struct factor {
  rg_conv_geometry geometry;
  rg_gpu_product product;
  int64_t tile; /* as of tile_of */
  double cost;
} factor;

/* One after the other; what lies between goes through scratch. */
static rango_status add_factors(rg_gpu_prepare *prepare, factor *first, factor *second) {
  rg_gpu_product *a = &first->product, *b = &second->product;
  a->y = rg_gpu_scratch(prepare, rg_gpu_bytes(prepare, RANGO_FLOAT32, a->matrices * a->m * a->n), true);
  b->x = a->y;
  b->x.written = false;
  RG_TRY(add_conv(prepare, W1, &first->geometry, first->tile, a));
  const int tasks = prepare->task_count;
  if (tasks == 0) return RANGO_OK;
  RG_TRY(add_conv(prepare, W2, &second->geometry, second->tile, b));
  if (prepare->task_count == tasks) prepare->task_count = 0;
  return RANGO_OK;
}

/* A layer whose weight is two factors; what lies between is channels-last. */
static rango_status prepare_pair(rg_gpu_prepare *prepare, rg_gpu_conv_form form) {
  const rg_node *node = prepare->node;
  factor first = {0}, second = {.product = {.y = rg_gpu_out(0), .activation = rg_activation_read(node)}};
  rg_conv_geometry *g1 = &first.geometry, *g2 = &second.geometry;
  rg_fact middle;
  if (!is_supported(prepare) || !is_constant(prepare, W1) || !is_constant(prepare, W2) || !residual_fits(prepare, 5))
    return RANGO_OK;
  RG_TRY(rg_conv_middle(node, prepare->inputs[X], prepare->inputs[W1], &middle));
  RG_TRY(rg_conv_geometry_read(node, "1", prepare->inputs[X], prepare->inputs[W1], &middle, g1));
  RG_TRY(rg_conv_geometry_read(node, "2", &middle, prepare->inputs[W2], prepare->outputs[0], g2));
  g1->x = rg_image_of(prepare->inputs[X], node->inputs[X]->layout);
  g1->y = g2->x = rg_image_of(&middle, RG_CHANNELS_LAST);
  g2->y = rg_image_of(prepare->outputs[0], node->outputs[0]->layout);
  if (!fits(g1) || !fits(g2) || !is_last(&g2->y)) return RANGO_OK;
  describe(g1, &first.product);
  describe(g2, &second.product);
  first.tile = tile_of(prepare, g1, form, &first.product, &first.cost);
  second.tile = tile_of(prepare, g2, form, &second.product, &second.cost);
  if (form == RG_GPU_CONV_FASTEST &&
      rg_gpu_pair_cost(prepare, &first.product, &second.product) <= first.cost + second.cost)
    first.tile = second.tile = 0;
  RG_TRY(rg_gpu_operand_of(prepare, X, &first.product.x));
  RG_TRY(rg_gpu_optional(prepare, B1, &first.product.bias));
  RG_TRY(rg_gpu_optional(prepare, B2, &second.product.bias));
  RG_TRY(rg_gpu_optional(prepare, 5, &second.product.residual));
  if (first.tile > 0 || second.tile > 0) return add_factors(prepare, &first, &second);
  RG_TRY(take_conv(prepare, W1, g1, &first.product));
  RG_TRY(take_conv(prepare, W2, g2, &second.product));
  return rg_gpu_pair_add(prepare, &first.product, &second.product);
}

rango_status rg_gpu_conv_prepare(rg_gpu_prepare *prepare, rg_gpu_conv_form form) {
  return (strcmp(prepare->node->op, "Conv") == 0 ? prepare_single : prepare_pair)(prepare, form);
}

static rango_status prepare_fastest(rg_gpu_prepare *prepare) {
  return rg_gpu_conv_prepare(prepare, RG_GPU_CONV_FASTEST);
}

static const rg_gpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "Conv", prepare_fastest},
    {RG_PRIVATE_DOMAIN, "LowRankConv", prepare_fastest},
    {"", "Conv", prepare_fastest},
};
RG_GPU_EXPORT(conv, operators);
