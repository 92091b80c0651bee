/* Adjoints of reductions of axes, and of Softmax. */
#include "adjoint/backward.h"

/* Axes from the attribute (old opsets) or an input; none: all, or none of them. False: not known. */
static bool read_axes(const rg_node *node, const rg_facts *facts, int64_t *axes, int *count) {
  const rg_value *input = node->input_count > 1 ? node->inputs[1] : NULL;
  const int rank = facts->items[node->inputs[0]->id].rank;
  size_t listed = 0;
  const int64_t *items = rg_node_ints(node, "axes", &listed);
  *count = 0;
  if (input && !rg_known_ints(facts, input, axes, count)) return false;
  for (; !input && *count < rank && (size_t)*count < listed; ++*count) axes[*count] = items[*count];
  for (int i = 0; i < *count; i++) {
    int axis;
    if (!rg_axis(axes[i], rank, &axis)) return false;
    axes[i] = axis;
  }
  if (*count > 0 || rg_node_int(node, "noop_with_empty_axes", 0)) return true;
  for (; *count < rank; ++*count) axes[*count] = *count;
  return true;
}

static bool supports_axes(const rg_node *node, const rg_facts *facts, const bool *needed) {
  int64_t axes[RANGO_MAX_RANK];
  int count;
  return read_axes(node, facts, axes, &count);
}

/* Sums and means stretch by a constant: the axes must be of known size. */
static bool supports_sum(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rg_fact *x = &facts->items[node->inputs[0]->id];
  int64_t axes[RANGO_MAX_RANK];
  int count;
  if (!read_axes(node, facts, axes, &count)) return false;
  for (int i = 0; i < count; i++)
    if (!rg_size_is_known(x->dims[axes[i]])) return false;
  return true;
}

/* A value of the output's shape with the reduced axes back, as axes of 1. */
static rg_value *kept(rg_backward *b, rg_value *value, const int64_t *axes, int count) {
  return rg_node_int(b->node, "keepdims", 1) ? value : rg_back_squeeze(b, "Unsqueeze", value, axes, count);
}

/* g back over the axes, times `factor`: a product with a constant that is as long as they are. */
static rg_value *stretched(rg_backward *b, rg_value *g, const int64_t *axes, int count, double factor) {
  const rg_fact *x = rg_back_fact(b, rg_back_input(b, 0));
  int64_t dims[RANGO_MAX_RANK];
  for (int i = 0; i < x->rank; i++) dims[i] = 1;
  for (int i = 0; i < count; i++) dims[axes[i]] = x->dims[axes[i]];
  return rg_back_mul(b, g, rg_back_filled(b, x->rank, dims, factor));
}

static void reduce(rg_backward *b, rg_value *g, bool mean) {
  const rg_fact *x = rg_back_fact(b, rg_back_input(b, 0));
  int64_t axes[RANGO_MAX_RANK], size = 1;
  int count;
  (void)read_axes(b->node, b->facts, axes, &count);
  for (int i = 0; i < count; i++) size *= x->dims[axes[i]];
  rg_back_give(b, 0, stretched(b, kept(b, g, axes, count), axes, count, mean ? 1.0 / (double)size : 1));
}

static void reduce_sum(rg_backward *b, rg_value *g) { reduce(b, g, false); }
static void reduce_mean(rg_backward *b, rg_value *g) { reduce(b, g, true); }

static void reduce_log_sum(rg_backward *b, rg_value *g) {
  reduce(b, rg_back_div(b, g, rg_back_op(b, "Exp", 1, b->node->outputs[0])), false);
}

/* Functions of x, and of g and y stretched over the axes. */
typedef struct reduction {
  rg_value *x, *g, *y;
  int64_t axes[RANGO_MAX_RANK];
  int count;
} reduction;

static reduction read_reduction(rg_backward *b, rg_value *g) {
  reduction r = {.x = rg_back_input(b, 0)};
  (void)read_axes(b->node, b->facts, r.axes, &r.count);
  r.g = kept(b, g, r.axes, r.count);
  r.y = kept(b, b->node->outputs[0], r.axes, r.count);
  return r;
}

static void reduce_sum_square(rg_backward *b, rg_value *g) {
  reduction r = read_reduction(b, g);
  rg_back_give(b, 0, rg_back_mul(b, rg_back_scale(b, r.x, 2), r.g));
}

static void reduce_l1(rg_backward *b, rg_value *g) {
  reduction r = read_reduction(b, g);
  rg_back_give(b, 0, rg_back_mul(b, rg_back_op(b, "Sign", 1, r.x), r.g));
}

static void reduce_l2(rg_backward *b, rg_value *g) {
  reduction r = read_reduction(b, g);
  rg_back_give(b, 0, rg_back_mul(b, r.x, rg_back_div(b, r.g, r.y)));
}

static void reduce_log_sum_exp(rg_backward *b, rg_value *g) {
  reduction r = read_reduction(b, g);
  rg_back_give(b, 0, rg_back_mul(b, rg_back_op(b, "Exp", 1, rg_back_sub(b, r.x, r.y)), r.g));
}

/* Minimum and maximum: shared by the elements that reach it. */
static void share_out(rg_backward *b, const reduction *r) {
  rg_value *reaches = rg_back_op(b, "Cast", 1, rg_back_op(b, "Equal", 2, r->x, r->y));
  rg_back_set_int(b, reaches, "to", b->type);
  rg_value *number = rg_back_reduce(b, "ReduceSum", reaches, r->axes, r->count, true);
  rg_back_give(b, 0, rg_back_mul(b, reaches, rg_back_div(b, r->g, number)));
}

static void reduce_extremum(rg_backward *b, rg_value *g) {
  reduction r = read_reduction(b, g);
  share_out(b, &r);
}

/* ---- global pools: over all axes but the first two ---- */

static int spatial_axes(const rg_backward *b, int64_t *axes) {
  int count = 0;
  for (int i = 2; i < rg_back_rank(b, 0); i++) axes[count++] = i;
  return count;
}

static void global_average(rg_backward *b, rg_value *g) {
  const rg_fact *x = rg_back_fact(b, rg_back_input(b, 0));
  int64_t axes[RANGO_MAX_RANK], size = 1;
  int count = spatial_axes(b, axes);
  for (int i = 0; i < count; i++) size *= x->dims[axes[i]];
  rg_back_give(b, 0, stretched(b, g, axes, count, 1.0 / (double)size));
}

static bool supports_global_average(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rg_fact *x = &facts->items[node->inputs[0]->id];
  for (int i = 2; i < x->rank; i++)
    if (!rg_size_is_known(x->dims[i])) return false;
  return true;
}

static void global_max(rg_backward *b, rg_value *g) {
  reduction r = {.x = rg_back_input(b, 0), .g = g, .y = b->node->outputs[0]};
  r.count = spatial_axes(b, r.axes);
  share_out(b, &r);
}

/* ---- Softmax ---- */

/* Before opset 13 it is over all axes from `axis` on. */
static int softmax_axes(const rg_backward *b, int64_t *axes) {
  int rank = rg_back_rank(b, 0), axis = 0, count = 0;
  bool old = b->node->version < 13;
  (void)rg_axis(rg_node_int(b->node, "axis", old ? 1 : -1), rank, &axis);
  for (int i = axis; i < (old ? rank : axis + 1); i++) axes[count++] = i;
  return count;
}

/* y (g - sum of g y) */
static void softmax(rg_backward *b, rg_value *g) {
  int64_t axes[RANGO_MAX_RANK];
  int count = softmax_axes(b, axes);
  rg_value *y = b->node->outputs[0];
  rg_value *sum = rg_back_reduce(b, "ReduceSum", rg_back_mul(b, g, y), axes, count, true);
  rg_back_give(b, 0, rg_back_mul(b, y, rg_back_sub(b, g, sum)));
}

/* g - e^y sum of g */
static void log_softmax(rg_backward *b, rg_value *g) {
  int64_t axes[RANGO_MAX_RANK];
  int count = softmax_axes(b, axes);
  rg_value *sum = rg_back_reduce(b, "ReduceSum", g, axes, count, true);
  rg_value *share = rg_back_mul(b, rg_back_op(b, "Exp", 1, b->node->outputs[0]), sum);
  rg_back_give(b, 0, rg_back_sub(b, g, share));
}

static const rg_adjoint_rule rules[] = {
    {"ReduceSum", reduce_sum, supports_sum},
    {"ReduceMean", reduce_mean, supports_sum},
    {"ReduceLogSum", reduce_log_sum, supports_sum},
    {"ReduceSumSquare", reduce_sum_square, supports_axes},
    {"ReduceL1", reduce_l1, supports_axes},
    {"ReduceL2", reduce_l2, supports_axes},
    {"ReduceLogSumExp", reduce_log_sum_exp, supports_axes},
    {"ReduceMax", reduce_extremum, supports_axes},
    {"ReduceMin", reduce_extremum, supports_axes},
    {"GlobalAveragePool", global_average, supports_global_average},
    {"GlobalMaxPool", global_max, NULL},
    {"Softmax", softmax, NULL},
    {"LogSoftmax", log_softmax, NULL},
};
RG_ADJOINT_EXPORT(reduce, rules);
