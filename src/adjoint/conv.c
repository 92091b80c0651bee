/* Adjoints of convolutions. Y[n, m, o] = sum over c, k of W[m, c, k] X[n, c, s o + d k - p]  (stride s, dilation d,
 * padding p, on every axis). */
#include "adjoint/backward.h"

typedef struct convolution {
  rg_window window; /* its pads are known */
  int spatial;
  int64_t group;
  const rg_fact *x, *w, *y; /* x: the image that the window runs over, y: what it makes */
} convolution;

static bool all_known(const int64_t *dims, int begin, int end) {
  for (int i = begin; i < end; i++)
    if (!rg_size_is_known(dims[i])) return false;
  return true;
}

/* Automatic padding is worked out from the image's size. */
static bool read(const rg_node *node, const rg_fact *x, const rg_fact *w, const rg_fact *y, convolution *out) {
  *out = (convolution){.spatial = w->rank - 2, .group = rg_node_int(node, "group", 1), .x = x, .w = w, .y = y};
  if (!all_known(w->dims, 0, w->rank) || rg_window_read(node, out->spatial, w->dims + 2, &out->window) != RANGO_OK)
    return false;
  if (!out->window.same_upper && !out->window.same_lower) return true;
  if (!all_known(x->dims, 2, x->rank)) return false;
  for (int i = 0; i < out->spatial; i++) (void)rg_window_output(&out->window, i, x->dims[2 + i]);
  return true;
}

static bool read_conv(const rg_node *node, const rg_facts *facts, convolution *out) {
  const rg_fact *items = facts->items;
  return read(node, &items[node->inputs[0]->id], &items[node->inputs[1]->id], &items[node->outputs[0]->id], out);
}

static void set_window(rg_backward *b, rg_value *value, const int64_t *strides, const int64_t *dilations,
                       const int64_t *begin, const int64_t *end, int spatial) {
  int64_t pads[2 * RANGO_MAX_RANK];
  for (int i = 0; i < spatial; i++) {
    pads[i] = begin[i];
    pads[spatial + i] = end[i];
  }
  rg_back_set_ints(b, value, "strides", strides, spatial);
  rg_back_set_ints(b, value, "dilations", dilations, spatial);
  rg_back_set_ints(b, value, "pads", pads, 2 * spatial);
}

/* ---- the data's gradient: dX[n, c, i] = sum over m, k of W[m, c, k] g[n, m, (i + p - d k) / s] ---- */

static int64_t tap_count(const convolution *c) {
  int64_t taps = 1;
  for (int i = 0; i < c->spatial; i++) taps *= c->window.kernel[i];
  return taps;
}

/* W as [C, M / group, k...], taps in reverse: inside of every group the channels change places. */
static rg_value *flipped(rg_backward *b, const convolution *c, rg_value *w) {
  static const int64_t taps_first[] = {3, 0, 2, 1}, taps_last[] = {1, 2, 3, 0};
  static const int64_t last = -1, end = INT64_MIN, first_axis = 0, step = -1;
  const int64_t *dims = c->w->dims, taps = tap_count(c);
  int64_t merged[RANGO_MAX_RANK] = {c->group * dims[1], dims[0] / c->group};
  for (int i = 0; i < c->spatial; i++) merged[2 + i] = dims[2 + i];
  w = rg_back_reshape(b, w, (const int64_t[]){c->group, dims[0] / c->group, dims[1], taps}, 4);
  w = rg_back_transpose(b, w, taps_first, 4);
  w = rg_back_slice(b, w, &last, &end, &first_axis, &step, 1);
  return rg_back_reshape(b, rg_back_transpose(b, w, taps_last, 4), merged, c->spatial + 2);
}

/* With stride 1 it is a convolution with the flipped kernel, padded by what the kernel reaches over the padding. */
static rg_value *by_conv(rg_backward *b, const convolution *c, rg_value *w, rg_value *g) {
  int64_t begin[RANGO_MAX_RANK], end[RANGO_MAX_RANK];
  for (int i = 0; i < c->spatial; i++) {
    int64_t reach = c->window.dilation[i] * (c->window.kernel[i] - 1);
    begin[i] = reach - c->window.pad_begin[i];
    end[i] = reach - c->window.pad_end[i];
  }
  rg_value *out = rg_back_op(b, "Conv", 2, g, flipped(b, c, w));
  rg_back_set_int(b, out, "group", c->group);
  set_window(b, out, c->window.stride, c->window.dilation, begin, end, c->spatial);
  return out;
}

/* A kernel that is fed anew at every run would have to be flipped at every run. */
static bool is_conv(const convolution *c, const rg_value *w) {
  if (!rg_value_constant(w)) return false;
  for (int i = 0; i < c->spatial; i++) {
    int64_t reach = c->window.dilation[i] * (c->window.kernel[i] - 1);
    if (c->window.stride[i] != 1 || c->window.pad_begin[i] > reach || c->window.pad_end[i] > reach) return false;
  }
  return true;
}

/* Otherwise ConvTranspose, which is this very sum. What the windows don't reach at the end of an axis (less than a
 * stride) is output padding; where the size isn't known, all of a stride is made and what is too much cut off. */
static rg_value *by_transpose(rg_backward *b, const convolution *c, rg_value *x, rg_value *w, rg_value *g) {
  const rg_window *window = &c->window;
  int64_t rest[RANGO_MAX_RANK], zeros[RANGO_MAX_RANK] = {0}, axes[RANGO_MAX_RANK];
  bool known = all_known(c->x->dims, 2, c->x->rank) && all_known(c->y->dims, 2, c->y->rank);
  for (int i = 0; i < c->spatial; i++) {
    int64_t reach = window->dilation[i] * (window->kernel[i] - 1) + 1 - window->pad_begin[i] - window->pad_end[i];
    rest[i] = known ? c->x->dims[2 + i] - (c->y->dims[2 + i] - 1) * window->stride[i] - reach : window->stride[i] - 1;
    axes[i] = 2 + i;
  }
  rg_value *out = rg_back_op(b, "ConvTranspose", 2, g, w);
  rg_back_set_int(b, out, "group", c->group);
  rg_back_set_ints(b, out, "output_padding", rest, c->spatial);
  set_window(b, out, window->stride, window->dilation, window->pad_begin, window->pad_end, c->spatial);
  if (known) return out;
  int64_t two = 2, all = INT64_MAX, first = 0;
  rg_value *sizes = rg_back_slice(b, rg_back_shape(b, x), &two, &all, &first, &(int64_t){1}, 1);
  return rg_back_op(b, "Slice", 4, out, rg_back_ints(b, zeros, c->spatial), sizes, rg_back_ints(b, axes, c->spatial));
}

/* ---- the kernel's gradient: dW[m, c, k] = sum over n, o of g[n, m, o] X[n, c, s o + d k - p] ---- */

/* [N, group * C, ...] as [C, group * N, ...] */
static rg_value *channels_first(rg_backward *b, const convolution *c, rg_value *x, const rg_fact *fact) {
  int rank = c->spatial + 2;
  int64_t perm[RANGO_MAX_RANK + 1], apart[RANGO_MAX_RANK + 1], merged[RANGO_MAX_RANK];
  for (int i = 0; i <= rank; i++) perm[i] = i;
  perm[0] = 1;
  perm[1] = 0;
  if (c->group == 1) return rg_back_transpose(b, x, perm, rank);
  /* [N, group, C, ...] → [C, group, N, ...]; 0 keeps a size, -1 is the one that is left */
  apart[0] = 0;
  apart[1] = c->group;
  apart[2] = merged[0] = fact->dims[1] / c->group;
  merged[1] = -1;
  for (int i = 2; i < rank; i++) apart[i + 1] = merged[i] = fact->dims[i];
  perm[0] = 2;
  perm[1] = 1;
  perm[2] = 0;
  x = rg_back_transpose(b, rg_back_reshape(b, x, apart, rank + 1), perm, rank + 1);
  return rg_back_reshape(b, x, merged, rank);
}

/* The same sum as a convolution of X by g, batch and channels exchanged: o runs over the kernel, so stride and dilation
 * change places. Windows that start beyond the last tap are cut off. */
static rg_value *kernel_gradient(rg_backward *b, const convolution *c, rg_value *x, rg_value *g) {
  int rank = c->spatial + 2;
  int64_t perm[RANGO_MAX_RANK], zeros[RANGO_MAX_RANK] = {0}, axes[RANGO_MAX_RANK], ones[RANGO_MAX_RANK];
  for (int i = 0; i < rank; i++) {
    perm[i] = i;
    axes[i] = 2 + i;
    ones[i] = 1;
  }
  perm[0] = 1;
  perm[1] = 0;
  rg_value *out = rg_back_op(b, "Conv", 2, channels_first(b, c, x, c->x), rg_back_transpose(b, g, perm, rank));
  rg_back_set_int(b, out, "group", c->group);
  set_window(b, out, c->window.dilation, c->window.stride, c->window.pad_begin, c->window.pad_end, c->spatial);
  out = rg_back_slice(b, out, zeros, c->w->dims + 2, axes, ones, c->spatial);
  return rg_back_transpose(b, out, perm, rank);
}

#define TAPS_MAX 49

/* Without groups it is faster as one product for each tap: dW[:, :, k] = g X_k^T, where rows are channels, columns all
 * output positions of all images, and X_k what the tap k sees of them. */
static bool is_by_taps(const convolution *c) {
  return c->group == 1 && tap_count(c) <= TAPS_MAX && all_known(c->x->dims, 1, c->x->rank) &&
         all_known(c->y->dims, 1, c->y->rank);
}

/* X [N, C, ...] as [C, N, ...], padded. */
static rg_value *padded_channels(rg_backward *b, const convolution *c, rg_value *x) {
  int64_t pads[2 * RANGO_MAX_RANK] = {0};
  int rank = c->spatial + 2;
  bool any = false;
  x = channels_first(b, c, x, c->x);
  for (int i = 0; i < c->spatial; i++) {
    pads[2 + i] = c->window.pad_begin[i];
    pads[rank + 2 + i] = c->window.pad_end[i];
    any |= pads[2 + i] || pads[rank + 2 + i];
  }
  return any ? rg_back_op(b, "Pad", 2, x, rg_back_ints(b, pads, 2 * rank)) : x;
}

/* What a tap sees of the padded image, as rows of channels. */
static rg_value *seen_by(rg_backward *b, const convolution *c, rg_value *padded, int64_t tap) {
  int64_t begin[RANGO_MAX_RANK], end[RANGO_MAX_RANK], axes[RANGO_MAX_RANK];
  for (int i = c->spatial - 1; i >= 0; i--) {
    begin[i] = tap % c->window.kernel[i] * c->window.dilation[i];
    end[i] = begin[i] + (c->y->dims[2 + i] - 1) * c->window.stride[i] + 1;
    axes[i] = 2 + i;
    tap /= c->window.kernel[i];
  }
  rg_value *seen = rg_back_slice(b, padded, begin, end, axes, c->window.stride, c->spatial);
  return rg_back_reshape(b, seen, (const int64_t[]){c->x->dims[1], -1}, 2);
}

static rg_value *kernel_by_taps(rg_backward *b, const convolution *c, rg_value *x, rg_value *g) {
  const int64_t out = c->w->dims[0], in = c->w->dims[1], taps = tap_count(c);
  rg_value *padded = padded_channels(b, c, x), *all = NULL;
  rg_value *rows = rg_back_reshape(b, channels_first(b, c, g, c->y), (const int64_t[]){out, -1}, 2);
  for (int64_t tap = 0; tap < taps; tap++) {
    rg_value *product = rg_back_op(b, "Gemm", 2, rows, seen_by(b, c, padded, tap));
    rg_back_set_int(b, product, "transB", 1);
    all = rg_back_append(b, all, rg_back_reshape(b, product, (const int64_t[]){1, out, in}, 3), 0);
  }
  all = rg_back_transpose(b, all, (const int64_t[]){1, 2, 0}, 3);
  return rg_back_reshape(b, all, c->w->dims, c->spatial + 2);
}

static void give_kernel(rg_backward *b, const convolution *c, rg_value *x, rg_value *g) {
  if (!rg_back_wants(b, 1)) return;
  rg_back_give(b, 1, is_by_taps(c) ? kernel_by_taps(b, c, x, g) : kernel_gradient(b, c, x, g));
}

/* With groups the images are taken apart, for which their sizes must be known. */
static bool supports_kernel(const convolution *c) {
  return c->group == 1 || (all_known(c->x->dims, 1, c->x->rank) && all_known(c->y->dims, 1, c->y->rank));
}

/* ---- the operators ---- */

static void give_bias(rg_backward *b, rg_value *g, int spatial) {
  if (rg_back_wants(b, 2)) rg_back_give(b, 2, rg_back_channel_sum(b, g, spatial + 2));
}

static void conv(rg_backward *b, rg_value *g) {
  convolution c;
  rg_value *x = rg_back_input(b, 0), *w = rg_back_input(b, 1);
  (void)read_conv(b->node, b->facts, &c); /* supports_conv saw that it can be read */
  if (rg_back_wants(b, 0)) rg_back_give(b, 0, is_conv(&c, w) ? by_conv(b, &c, w, g) : by_transpose(b, &c, x, w, g));
  give_kernel(b, &c, x, g);
  give_bias(b, g, c.spatial);
}

static bool supports_conv(const rg_node *node, const rg_facts *facts, const bool *needed) {
  convolution c;
  return read_conv(node, facts, &c) && (!needed[node->inputs[1]->id] || supports_kernel(&c));
}

/* ---- ConvTranspose: the adjoint of a convolution of its output, so that the two change places ---- */

static bool read_transposed(const rg_node *node, const rg_facts *facts, convolution *out) {
  const rg_fact *items = facts->items;
  return read(node, &items[node->outputs[0]->id], &items[node->inputs[1]->id], &items[node->inputs[0]->id], out);
}

static void conv_transpose(rg_backward *b, rg_value *g) {
  convolution c;
  rg_value *x = rg_back_input(b, 0);
  (void)read_transposed(b->node, b->facts, &c);
  if (rg_back_wants(b, 0)) {
    rg_value *out = rg_back_op(b, "Conv", 2, g, rg_back_input(b, 1));
    rg_back_set_int(b, out, "group", c.group);
    set_window(b, out, c.window.stride, c.window.dilation, c.window.pad_begin, c.window.pad_end, c.spatial);
    rg_back_give(b, 0, out);
  }
  give_kernel(b, &c, g, x);
  give_bias(b, g, c.spatial);
}

/* Pads must be given, and output padding be less than a stride, so that the convolution makes x's size. */
static bool supports_transposed(const rg_node *node, const rg_facts *facts, const bool *needed) {
  convolution c;
  size_t count;
  const int64_t *rest = rg_node_ints(node, "output_padding", &count);
  if (rg_node_attr(node, "output_shape") || !read_transposed(node, facts, &c) || c.window.same_upper ||
      c.window.same_lower)
    return false;
  for (size_t i = 0; rest && i < count && i < (size_t)c.spatial; i++)
    if (rest[i] >= c.window.stride[i]) return false;
  return !needed[node->inputs[1]->id] || supports_kernel(&c);
}

static const rg_adjoint_rule rules[] = {
    {"Conv", conv, supports_conv},
    {"ConvTranspose", conv_transpose, supports_transposed},
};
RG_ADJOINT_EXPORT(conv, rules);
