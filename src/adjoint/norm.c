/* Adjoints of normalisation. */
#include "adjoint/backward.h"

/* x in its normal form over some axes: z = (x - mean) / sqrt(variance + epsilon), or without the mean. */
typedef struct normal {
  int64_t axes[RANGO_MAX_RANK];
  int count;
  bool centred;
  rg_value *inverse, *z;
} normal;

static double epsilon_of(const rg_backward *b) { return (double)rg_node_float(b->node, "epsilon", 1e-5f); }

static rg_value *mean_of(rg_backward *b, const normal *n, rg_value *x) {
  return rg_back_reduce(b, "ReduceMean", x, n->axes, n->count, true);
}

/* 1 / sqrt(variance + epsilon) */
static rg_value *inverse_deviation(rg_backward *b, rg_value *variance) {
  return rg_back_op(b, "Reciprocal", 1, rg_back_op(b, "Sqrt", 1, rg_back_shift(b, variance, epsilon_of(b))));
}

static void normalise(rg_backward *b, rg_value *x, normal *n) {
  rg_value *rest = n->centred ? rg_back_sub(b, x, mean_of(b, n, x)) : x;
  n->inverse = inverse_deviation(b, mean_of(b, n, rg_back_mul(b, rest, rest)));
  n->z = rg_back_mul(b, rest, n->inverse);
}

/* From the gradient of z to that of x: (g - mean of g - z mean of (g z)) / sqrt(variance + epsilon) */
static rg_value *unnormalise(rg_backward *b, const normal *n, rg_value *g) {
  rg_value *slope = mean_of(b, n, rg_back_mul(b, g, n->z));
  rg_value *rest = n->centred ? rg_back_sub(b, g, mean_of(b, n, g)) : g;
  return rg_back_mul(b, rg_back_sub(b, rest, rg_back_mul(b, n->z, slope)), n->inverse);
}

/* ---- LayerNormalization, RMSNormalization: y = z scale + bias, over all axes from `axis` on ---- */

/* LayerNormalization itself hands out mean and inverse deviation, of the type that it computes in. */
static void normalise_by_node(rg_backward *b, rg_value *x, normal *n) {
  rg_value *y = b->node->outputs[0];
  while (b->status == RANGO_OK && y->producer->output_count < 3) (void)rg_back_more(b, y);
  if (b->status != RANGO_OK) return;
  b->node = y->producer;
  n->inverse = b->node->outputs[2];
  n->z = rg_back_mul(b, rg_back_sub(b, x, b->node->outputs[1]), n->inverse);
}

static void over_last_axes(rg_backward *b, rg_value *g, bool centred) {
  normal n = {.centred = centred};
  int rank = rg_back_rank(b, 0), axis = 0;
  bool by_node = centred && b->node->output_count == 1 && rg_node_int(b->node, "stash_type", 1) == (int64_t)b->type;
  (void)rg_axis(rg_node_int(b->node, "axis", -1), rank, &axis);
  for (int i = axis; i < rank; i++) n.axes[n.count++] = i;
  if ((rg_back_wants(b, 0) || rg_back_wants(b, 1)) && by_node)
    normalise_by_node(b, rg_back_input(b, 0), &n);
  else if (rg_back_wants(b, 0) || rg_back_wants(b, 1))
    normalise(b, rg_back_input(b, 0), &n);
  if (rg_back_wants(b, 0)) rg_back_give(b, 0, unnormalise(b, &n, rg_back_mul(b, g, rg_back_input(b, 1))));
  if (rg_back_wants(b, 1)) rg_back_give_broadcast(b, 1, rg_back_mul(b, g, n.z));
  rg_back_give_broadcast(b, 2, g);
}

static void layer(rg_backward *b, rg_value *g) { over_last_axes(b, g, true); }
static void root_mean_square(rg_backward *b, rg_value *g) { over_last_axes(b, g, false); }

/* Further outputs (mean, deviation) have no adjoint. */
static bool supports_one_output(const rg_node *node, const rg_facts *facts, const bool *needed) {
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i] && rg_value_is_used(node->outputs[i])) return false;
  return true;
}

/* ---- by channel: axis 1 ---- */

/* A value [channels] in the shape [channels, 1, ...] that broadcasts over x. */
static rg_value *by_channel(rg_backward *b, rg_value *value) {
  int64_t axes[RANGO_MAX_RANK];
  int count = 0;
  for (int i = 1; i < rg_back_rank(b, 0) - 1; i++) axes[count++] = i;
  return rg_back_squeeze(b, "Unsqueeze", value, axes, count);
}

static rg_value *channel_sum(rg_backward *b, rg_value *value) {
  return rg_back_channel_sum(b, value, rg_back_rank(b, 0));
}

/* In inference: y = scale (x - mean) / sqrt(variance + epsilon) + bias, all of them given. */
static void batch(rg_backward *b, rg_value *g) {
  rg_value *scale = rg_back_input(b, 1), *inverse = inverse_deviation(b, rg_back_input(b, 4));
  rg_value *factor = rg_back_mul(b, scale, inverse), *sum = NULL, *slope = NULL;
  if (rg_back_wants(b, 0)) rg_back_give(b, 0, rg_back_mul(b, g, by_channel(b, factor)));
  if (rg_back_wants(b, 2) || rg_back_wants(b, 3)) sum = channel_sum(b, g);
  if (rg_back_wants(b, 1) || rg_back_wants(b, 4)) {
    rg_value *rest = rg_back_sub(b, rg_back_input(b, 0), by_channel(b, rg_back_input(b, 3)));
    slope = rg_back_mul(b, channel_sum(b, rg_back_mul(b, g, rest)), inverse);
  }
  rg_back_give(b, 1, slope);
  rg_back_give(b, 2, sum);
  if (rg_back_wants(b, 3)) rg_back_give(b, 3, rg_back_op(b, "Neg", 1, rg_back_mul(b, sum, factor)));
  if (rg_back_wants(b, 4)) {
    rg_value *square = rg_back_mul(b, rg_back_mul(b, slope, factor), inverse);
    rg_back_give(b, 4, rg_back_scale(b, square, -0.5));
  }
}

static bool supports_batch(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rango_type type = facts->items[node->inputs[0]->id].type;
  for (int i = 1; i < node->input_count; i++)
    if (facts->items[node->inputs[i]->id].type != type) return false;
  return !rg_node_int(node, "training_mode", 0) && supports_one_output(node, facts, needed);
}

/* y = z scale + bias, where z is normal over `n`'s axes of x taken as [N, groups, the rest]. */
static void over_groups(rg_backward *b, rg_value *g, int64_t groups, rg_value *scale) {
  const int64_t dims[] = {0, groups, -1};
  rg_value *x = rg_back_input(b, 0);
  normal n = {.axes = {2}, .count = 1, .centred = true};
  if (rg_back_wants(b, 0) || rg_back_wants(b, 1)) normalise(b, rg_back_reshape(b, x, dims, 3), &n);
  if (rg_back_wants(b, 0)) {
    rg_value *inner = rg_back_reshape(b, rg_back_mul(b, g, by_channel(b, scale)), dims, 3);
    rg_back_give(b, 0, rg_back_reshape_like(b, unnormalise(b, &n, inner), x));
  }
  if (rg_back_wants(b, 1)) rg_back_give(b, 1, channel_sum(b, rg_back_mul(b, g, rg_back_reshape_like(b, n.z, x))));
  if (rg_back_wants(b, 2)) rg_back_give(b, 2, channel_sum(b, g));
}

static void instance(rg_backward *b, rg_value *g) {
  over_groups(b, g, rg_back_fact(b, rg_back_input(b, 0))->dims[1], rg_back_input(b, 1));
}

static bool supports_instance(const rg_node *node, const rg_facts *facts, const bool *needed) {
  return rg_size_is_known(facts->items[node->inputs[0]->id].dims[1]);
}

/* Before opset 21 scale and bias are by group. */
static void group(rg_backward *b, rg_value *g) {
  const int64_t groups = rg_node_int(b->node, "num_groups", 1), flat = -1;
  rg_value *scale = rg_back_input(b, 1);
  if (b->node->version < 21) {
    const int64_t members[] = {1, rg_back_fact(b, rg_back_input(b, 0))->dims[1] / groups}, last = -1;
    scale = rg_back_mul(b, rg_back_squeeze(b, "Unsqueeze", scale, &last, 1), rg_back_filled(b, 2, members, 1));
    scale = rg_back_reshape(b, scale, &flat, 1);
  }
  over_groups(b, g, groups, scale);
}

static bool supports_group(const rg_node *node, const rg_facts *facts, const bool *needed) {
  bool by_group = node->version < 21;
  return rg_size_is_known(facts->items[node->inputs[0]->id].dims[1]) &&
         !(by_group && (needed[node->inputs[1]->id] || needed[node->inputs[2]->id]));
}

/* ---- LRN: y = x s^-beta, s = bias + alpha / size times the sum of x^2 over a window of channels ---- */

/* The sum over the window, or over its mirror image: the channels whose windows an element is in. */
static rg_value *window_sum(rg_backward *b, rg_value *value, bool mirrored) {
  const int64_t size = rg_node_int(b->node, "size", 1), before = (size - 1) / 2, behind = size - 1 - before;
  const int64_t first = mirrored ? behind : before, last = mirrored ? before : behind;
  const int64_t rows[] = {0, 1, rg_back_fact(b, rg_back_input(b, 0))->dims[1], -1};
  rg_value *mean = rg_back_op(b, "AveragePool", 1, rg_back_reshape(b, value, rows, 4));
  rg_back_set_ints(b, mean, "kernel_shape", (const int64_t[]){size, 1}, 2);
  rg_back_set_ints(b, mean, "pads", (const int64_t[]){first, 0, last, 0}, 4);
  rg_back_set_int(b, mean, "count_include_pad", 1);
  return rg_back_reshape_like(b, rg_back_scale(b, mean, (double)size), rg_back_input(b, 0));
}

/* g s^-beta - 2 alpha beta / size x times the sum of g x s^(-beta-1) over the windows that x is in */
static void local_response(rg_backward *b, rg_value *g) {
  const double alpha = (double)rg_node_float(b->node, "alpha", 1e-4f),
               beta = (double)rg_node_float(b->node, "beta", 0.75f);
  const double share = alpha / (double)rg_node_int(b->node, "size", 1);
  rg_value *x = rg_back_input(b, 0), *sum = window_sum(b, rg_back_mul(b, x, x), false);
  rg_value *s = rg_back_shift(b, rg_back_scale(b, sum, share), (double)rg_node_float(b->node, "bias", 1));
  rg_value *direct = rg_back_mul(b, g, rg_back_op(b, "Pow", 2, s, rg_back_scalar(b, -beta)));
  rg_value *others = window_sum(b, rg_back_div(b, rg_back_mul(b, direct, x), s), true);
  rg_back_give(b, 0, rg_back_sub(b, direct, rg_back_mul(b, rg_back_scale(b, x, 2 * share * beta), others)));
}

static const rg_adjoint_rule rules[] = {
    {"LayerNormalization", layer, supports_one_output}, {"RMSNormalization", root_mean_square, NULL},
    {"BatchNormalization", batch, supports_batch},      {"InstanceNormalization", instance, supports_instance},
    {"GroupNormalization", group, supports_group},      {"LRN", local_response, supports_instance},
};
RG_ADJOINT_EXPORT(norm, rules);
