/* Conv and ConvTranspose, 1 to 3 spatial axes. */
#include "ops/compute.h"
#include "ops/twice.h"

#include <string.h>

#define MAX_SPATIAL 3

/* Outputs o in [*begin, *end) for which o * stride + offset lies in [0, in). */
static void inside(int64_t offset, int64_t stride, int64_t in, int64_t out, int64_t *begin, int64_t *end) {
  *begin = offset >= 0 ? 0 : (-offset - 1) / stride + 1;
  *end = offset >= in ? 0 : (in - 1 - offset) / stride + 1;
  if (*end > out) *end = out;
  if (*end < *begin) *end = *begin;
}

#define T          float
#define NAME(name) name##_f32
#include "ops/conv_loops.h"
#undef T
#undef NAME
#define T          double
#define NAME(name) name##_f64
#include "ops/conv_loops.h"
#undef T
#undef NAME

void rg_conv_f32(const rg_conv_shape *shape, const float *x, const float *w, const float *bias, float *y) {
  conv_f32(shape, x, w, bias, y);
}

static rango_status check_conv(const rg_node *node) {
  if (rg_node_int(node, "group", 1) < 1)
    return rg_fail(RANGO_ERROR_FORMAT, "%s: group must be positive", rg_node_text(node));
  return RANGO_OK;
}

/* A known size that contradicts another. */
static bool differ(int64_t a, int64_t b) { return rg_size_is_known(a) && rg_size_is_known(b) && a != b; }

/* What is wrong with the channels of x [N, C, ...], w and bias; NULL: nothing. Sizes may be symbols. */
static const char *channel_error(int64_t group, int64_t x_channels, int64_t in_per_group, int64_t out_channels) {
  if (rg_size_is_known(out_channels) && out_channels % group != 0)
    return "the output channels are no multiple of group";
  if (rg_size_is_known(x_channels) && x_channels % group != 0) return "the input channels are no multiple of group";
  if (rg_size_is_known(x_channels) && differ(x_channels / group, in_per_group))
    return "the input's channels don't fit the weight's";
  return NULL;
}

/* Kernel sizes of a weight's fact, or NULL while one is unknown. */
static const int64_t *known_kernel(const rg_fact *w, int spatial) {
  if (w->rank != spatial + 2) return NULL;
  for (int i = 0; i < spatial; i++)
    if (!rg_size_is_known(w->dims[2 + i])) return NULL;
  return w->dims + 2;
}

/* Size of an axis after a window; a stride of 1 with "same" padding keeps symbols. Negative: doesn't fit. */
static int64_t window_size(rg_infer *infer, rg_window *window, int axis, int64_t size) {
  if (rg_size_is_known(size)) return rg_window_output(window, axis, size);
  bool same = window->same_upper || window->same_lower ||
              window->pad_begin[axis] + window->pad_end[axis] == window->dilation[axis] * (window->kernel[axis] - 1);
  return window->stride[axis] == 1 && same ? size : rg_infer_new_symbol(infer);
}

/* Facts of x and w with ranks that fit each other; *spatial -1 when neither rank is known. */
static rango_status conv_ranks(rg_infer *infer, int *spatial) {
  const rg_fact *x = infer->inputs[0], *w = infer->inputs[1];
  if (!x || !w) return rg_infer_fail(infer, "an input is missing");
  if (x->rank >= 0 && w->rank >= 0 && x->rank != w->rank)
    return rg_infer_fail(infer, "the input has %d axes and the weight %d", x->rank, w->rank);
  int rank = x->rank >= 0 ? x->rank : w->rank;
  if (rank >= 0 && (rank < 3 || rank > 2 + MAX_SPATIAL))
    return rg_infer_fail(infer, "%d axes: 1 to %d spatial axes are supported", rank, MAX_SPATIAL);
  *spatial = rank < 0 ? -1 : rank - 2;
  return RANGO_OK;
}

static rango_status infer_conv(rg_infer *infer) {
  int spatial;
  RG_TRY(conv_ranks(infer, &spatial));
  const rg_fact *x = infer->inputs[0], *w = infer->inputs[1];
  if (spatial < 0) {
    rg_fact_set(infer->outputs[0], x->type, -1, NULL);
    return RANGO_OK;
  }
  int64_t dims[RANGO_MAX_RANK];
  for (int i = 0; i < spatial + 2; i++) dims[i] = rg_infer_new_symbol(infer);
  if (x->rank > 0) dims[0] = x->dims[0];
  if (w->rank > 0) {
    dims[1] = w->dims[0];
    const char *error = channel_error(rg_node_int(infer->node, "group", 1), x->rank > 0 ? x->dims[1] : RG_SIZE_UNKNOWN,
                                      w->dims[1], w->dims[0]);
    if (error) return rg_infer_fail(infer, "%s", error);
  }
  const int64_t *kernel = known_kernel(w, spatial);
  if (x->rank > 0 && (kernel || rg_node_attr(infer->node, "kernel_shape"))) {
    rg_window window;
    RG_TRY(rg_window_read(infer->node, spatial, kernel, &window));
    for (int i = 0; i < spatial; i++) {
      dims[2 + i] = window_size(infer, &window, i, x->dims[2 + i]);
      if (rg_size_is_known(dims[2 + i]) && dims[2 + i] < 0)
        return rg_infer_fail(infer, "the kernel is larger than the padded input on spatial axis %d", i);
    }
  }
  rg_fact_set(infer->outputs[0], x->type, spatial + 2, dims);
  return RANGO_OK;
}

/* Output elements of one channel or input elements, times the multiplications of each. */
static int64_t fact_product(const rg_fact *fact, int begin) {
  int64_t product = 1;
  for (int i = begin; i < fact->rank; i++)
    if (!rg_size_is_known(fact->dims[i]) || !rg_mul_i64(product, fact->dims[i], &product)) return -1;
  return fact->rank < 0 ? -1 : product;
}

static int64_t macs_conv(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  int64_t taps = fact_product(inputs[1], 1), elements = fact_product(outputs[0], 0), macs;
  return taps < 0 || elements < 0 || !rg_mul_i64(taps, elements, &macs) ? -1 : macs;
}

/* Every input element meets every weight of its channel. */
static int64_t macs_conv_transpose(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  int64_t taps = fact_product(inputs[1], 1), elements = fact_product(inputs[0], 0), macs;
  return taps < 0 || elements < 0 || !rg_mul_i64(taps, elements, &macs) ? -1 : macs;
}

static void dense_strides(int64_t channels, const int64_t *spatial, int64_t *strides) {
  strides[4] = 1;
  strides[3] = spatial[2];
  strides[2] = spatial[2] * spatial[1];
  strides[1] = strides[2] * spatial[0];
  strides[0] = strides[1] * channels;
}

/* Axis i of `spatial` axes as one of three: missing ones come first, with size 1. */
static void set_axis(rg_conv_shape *shape, const rg_window *window, int i, int64_t in, int64_t out) {
  int at = i + MAX_SPATIAL - window->spatial;
  shape->in[at] = in;
  shape->out[at] = out;
  shape->kernel[at] = window->kernel[i];
  shape->stride[at] = window->stride[i];
  shape->dilation[at] = window->dilation[i];
  shape->pad[at] = window->pad_begin[i];
}

static void set_missing_axes(rg_conv_shape *shape, int spatial) {
  for (int at = 0; at < MAX_SPATIAL - spatial; at++) {
    shape->in[at] = shape->out[at] = shape->kernel[at] = shape->stride[at] = shape->dilation[at] = 1;
    shape->pad[at] = 0;
  }
}

static rango_status conv_inputs(rg_exec *exec, const rango_tensor **x, const rango_tensor **w, rg_window *window) {
  RG_TRY(rg_need_float(exec, 0, 3, x));
  RG_TRY(rg_optional_like(exec, 1, *x, w));
  int rank = (*x)->shape.rank;
  if (!*w || (*w)->shape.rank != rank)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the weight must have the input's %d axes", rank);
  if (rank > 2 + MAX_SPATIAL)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "%d axes: 1 to %d spatial axes are supported", rank,
                        MAX_SPATIAL);
  return rg_window_read(exec->node, rank - 2, (*w)->shape.dims + 2, window);
}

static rango_status compute_conv(rg_exec *exec) {
  const rango_tensor *x, *w, *bias;
  rg_window window;
  RG_TRY(conv_inputs(exec, &x, &w, &window));
  int64_t group = rg_node_int(exec->node, "group", 1), channels = w->shape.dims[0];
  const char *error = channel_error(group, x->shape.dims[1], w->shape.dims[1], channels);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  RG_TRY(rg_optional_vector(exec, 2, x, channels, &bias));

  rg_shape out = {.rank = x->shape.rank, .dims = {x->shape.dims[0], channels}};
  rg_conv_shape shape = {
      .batch = out.dims[0], .group = group, .in_channels = w->shape.dims[1], .out_channels = channels / group};
  set_missing_axes(&shape, window.spatial);
  for (int i = 0; i < window.spatial; i++) {
    out.dims[2 + i] = rg_window_output(&window, i, x->shape.dims[2 + i]);
    if (out.dims[2 + i] < 0)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the kernel is larger than the padded input on spatial axis %d",
                          i);
    set_axis(&shape, &window, i, x->shape.dims[2 + i], out.dims[2 + i]);
  }
  dense_strides(x->shape.dims[1], shape.in, shape.x_stride);
  dense_strides(channels, shape.out, shape.y_stride);
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &out, &y));
  if (!y) return RANGO_OK;
  if (x->type == RANGO_FLOAT32)
    conv_f32(&shape, x->data, w->data, bias ? bias->data : NULL, y->data);
  else
    conv_f64(&shape, x->data, w->data, bias ? bias->data : NULL, y->data);
  return RANGO_OK;
}

/* ---- ConvTranspose ---- */

/* Output size of an axis, and its pads where output_shape or auto_pad leave them open. False: overflow or no size. */
static bool transpose_size(const rg_node *node, rg_window *window, int axis, int64_t in, int64_t *out) {
  size_t count, adjust_count;
  const int64_t *wanted = rg_node_ints(node, "output_shape", &count);
  const int64_t *adjust = rg_node_ints(node, "output_padding", &adjust_count);
  int64_t reach, size, extra = adjust && (size_t)axis < adjust_count ? adjust[axis] : 0;
  if (in < 1 || !rg_mul_i64(in - 1, window->stride[axis], &size) ||
      !rg_mul_i64(window->kernel[axis] - 1, window->dilation[axis], &reach) || !rg_add_i64(size, reach + 1, &size) ||
      !rg_add_i64(size, extra, &size))
    return false;
  bool automatic = window->same_upper || window->same_lower;
  if (!wanted && !automatic) {
    *out = size - window->pad_begin[axis] - window->pad_end[axis];
    return *out >= 0;
  }
  /* The whole shape may be given, or its spatial part. */
  int64_t target;
  if (!rg_mul_i64(in, window->stride[axis], &target)) return false;
  if (wanted && (count == (size_t)window->spatial || count == (size_t)window->spatial + 2))
    target = wanted[count - (size_t)window->spatial + (size_t)axis];
  else if (wanted)
    return false;
  int64_t total = size > target ? size - target : 0;
  window->pad_begin[axis] = window->same_upper ? total / 2 : total - total / 2;
  window->pad_end[axis] = total - window->pad_begin[axis];
  *out = wanted ? target : size - total;
  return target >= 0;
}

static rango_status infer_conv_transpose(rg_infer *infer) {
  int spatial;
  RG_TRY(conv_ranks(infer, &spatial));
  const rg_fact *x = infer->inputs[0], *w = infer->inputs[1];
  if (spatial < 0) {
    rg_fact_set(infer->outputs[0], x->type, -1, NULL);
    return RANGO_OK;
  }
  int64_t dims[RANGO_MAX_RANK], group = rg_node_int(infer->node, "group", 1);
  for (int i = 0; i < spatial + 2; i++) dims[i] = rg_infer_new_symbol(infer);
  if (x->rank > 0) dims[0] = x->dims[0];
  if (w->rank > 0) {
    if (rg_size_is_known(w->dims[1]) && !rg_mul_i64(w->dims[1], group, &dims[1]))
      return rg_infer_fail(infer, "too many output channels");
    if (x->rank > 0 && differ(x->dims[1], w->dims[0]))
      return rg_infer_fail(infer, "the input's channels don't fit the weight's");
  }
  const int64_t *kernel = known_kernel(w, spatial);
  if (x->rank > 0 && (kernel || rg_node_attr(infer->node, "kernel_shape"))) {
    rg_window window;
    RG_TRY(rg_window_read(infer->node, spatial, kernel, &window));
    for (int i = 0; i < spatial; i++)
      if (rg_size_is_known(x->dims[2 + i]) && !transpose_size(infer->node, &window, i, x->dims[2 + i], &dims[2 + i]))
        return rg_infer_fail(infer, "spatial axis %d has no valid output size", i);
  }
  rg_fact_set(infer->outputs[0], x->type, spatial + 2, dims);
  return RANGO_OK;
}

static rango_status compute_conv_transpose(rg_exec *exec) {
  const rango_tensor *x, *w, *bias;
  rg_window window;
  RG_TRY(conv_inputs(exec, &x, &w, &window));
  int64_t group = rg_node_int(exec->node, "group", 1), channels;
  if (x->shape.dims[1] != w->shape.dims[0] || x->shape.dims[1] % group != 0 ||
      !rg_mul_i64(group, w->shape.dims[1], &channels))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input's channels don't fit the weight's");
  RG_TRY(rg_optional_vector(exec, 2, x, channels, &bias));

  /* The convolution that this transposes goes from our output to our input. */
  rg_shape out = {.rank = x->shape.rank, .dims = {x->shape.dims[0], channels}};
  rg_conv_shape shape = {
      .batch = out.dims[0], .group = group, .in_channels = w->shape.dims[1], .out_channels = x->shape.dims[1] / group};
  set_missing_axes(&shape, window.spatial);
  for (int i = 0; i < window.spatial; i++) {
    if (!transpose_size(exec->node, &window, i, x->shape.dims[2 + i], &out.dims[2 + i]))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "spatial axis %d has no valid output size", i);
    set_axis(&shape, &window, i, out.dims[2 + i], x->shape.dims[2 + i]);
  }
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &out, &y));
  if (!y) return RANGO_OK;
  if (x->type == RANGO_FLOAT32)
    conv_transpose_f32(&shape, x->data, w->data, bias ? bias->data : NULL, y->data);
  else
    conv_transpose_f64(&shape, x->data, w->data, bias ? bias->data : NULL, y->data);
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "Conv", 1, RG_OPSET_MAX, 2, 3, 1, 1, RG_OP_FLOAT_ONLY, check_conv, infer_conv, compute_conv, macs_conv},
    {"", "ConvTranspose", 1, RG_OPSET_MAX, 2, 3, 1, 1, RG_OP_FLOAT_ONLY, check_conv, infer_conv_transpose,
     compute_conv_transpose, macs_conv_transpose},
};
RG_OPS_EXPORT(conv, ops);
