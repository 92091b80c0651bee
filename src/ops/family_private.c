/*
 * The fused operators of the lowered graph (docs/DESIGN.md): y = activation(linear + bias + residual), Attention
 * (ops/attention.h) and Lookup. Made by passes/lower from checked operators, and checked here again. Images may be
 * channels-last.
 */
#include "ops/attention.h"
#include "ops/compute.h"
#include "ops/twice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_SPATIAL 3

static const rg_fact *fact_of(const rg_infer *infer, int index) {
  return index < infer->input_count ? infer->inputs[index] : NULL;
}

static bool differ(int64_t a, int64_t b) { return rg_size_is_known(a) && rg_size_is_known(b) && a != b; }

static rango_status need_f32(const rg_exec *exec, int index, int min_rank, const rango_tensor **out) {
  RG_TRY(rg_need_float(exec, index, min_rank, out));
  if ((*out)->type != RANGO_FLOAT32)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input %d is of type %s", index, rango_type_name((*out)->type));
  return RANGO_OK;
}

/* y = activation(y + residual), both in the same layout. */
static rango_status finish(rg_exec *exec, int residual_input, rango_tensor *y) {
  const rango_tensor *residual;
  RG_TRY(rg_optional_like(exec, residual_input, y, &residual));
  if (residual && (!rg_shape_equal(&residual->shape, &y->shape) || residual->layout != y->layout))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the residual's shape or layout is not the output's");
  rg_activation activation = rg_activation_read(exec->node);
  float *data = y->data;
  const float *add = residual ? residual->data : NULL;
  int64_t count = rg_tensor_elements(y);
  for (int64_t i = 0; i < count; i++) data[i] = rg_activation_apply(activation, add ? data[i] + add[i] : data[i]);
  return RANGO_OK;
}

/* ---- Dense, LowRankDense ---- */

/* Rows of W as seen from the product: W is [k, n], or [n, k] when transposed. */
static int64_t dense_inner(const int64_t *w, bool trans) { return w[trans ? 1 : 0]; }
static int64_t dense_outer(const int64_t *w, bool trans) { return w[trans ? 0 : 1]; }

static rango_status infer_dense_with(rg_infer *infer, const rg_fact *w1, bool trans1, const rg_fact *w2, bool trans2) {
  const rg_fact *x = infer->inputs[0];
  if (!w1 || w1->rank != 2 || !w2 || w2->rank != 2) return rg_infer_fail(infer, "a weight has no 2 axes");
  if (x->rank < 0) {
    rg_fact_set(infer->outputs[0], x->type, -1, NULL);
    return RANGO_OK;
  }
  if (x->rank < 1 || differ(x->dims[x->rank - 1], dense_inner(w1->dims, trans1)))
    return rg_infer_fail(infer, "the input's last axis doesn't fit the weight");
  if (w1 != w2 && differ(dense_outer(w1->dims, trans1), dense_inner(w2->dims, trans2)))
    return rg_infer_fail(infer, "the two factors don't fit each other");
  int64_t dims[RANGO_MAX_RANK];
  memcpy(dims, x->dims, sizeof dims);
  dims[x->rank - 1] = dense_outer(w2->dims, trans2);
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

static rango_status infer_dense(rg_infer *infer) {
  bool trans = rg_node_int(infer->node, "trans", 0) != 0;
  return infer_dense_with(infer, fact_of(infer, 1), trans, fact_of(infer, 1), trans);
}

static rango_status infer_low_rank_dense(rg_infer *infer) {
  return infer_dense_with(infer, fact_of(infer, 1), rg_node_int(infer->node, "trans1", 0) != 0, fact_of(infer, 3),
                          rg_node_int(infer->node, "trans2", 0) != 0);
}

/* y [rows, n] = scale x [rows, k] · W + bias, with the inputs `weight` and `bias` of the node. */
static rango_status dense(rg_exec *exec, int weight_input, int bias_input, bool trans, float scale,
                          const rango_tensor *like, int64_t rows, int64_t inner, const float *x, float *y) {
  const rango_tensor *w, *bias;
  RG_TRY(need_f32(exec, weight_input, 2, &w));
  int64_t columns = dense_outer(w->shape.dims, trans);
  RG_TRY(rg_optional_vector(exec, bias_input, like, columns, &bias));
  const bool plain = scale == 1.0f;
  for (int64_t i = 0; i < rows; i++) {
    if (bias && plain)
      memcpy(y + i * columns, bias->data, (size_t)columns * sizeof *y);
    else
      memset(y + i * columns, 0, (size_t)columns * sizeof *y);
  }
  rg_product shape = {.rows = rows,
                      .inner = inner,
                      .columns = columns,
                      .a_row = inner,
                      .a_column = 1,
                      .b_row = trans ? 1 : columns,
                      .b_column = trans ? inner : 1};
  rg_product_f32(&shape, x, w->data, y);
  for (int64_t i = 0; !plain && i < rows * columns; i++)
    y[i] = scale * y[i] + (bias ? ((const float *)bias->data)[i % columns] : 0);
  return RANGO_OK;
}

/* Output size of the weight `input` when its inner size is `inner`. */
static rango_status dense_fit(const rg_exec *exec, int input, bool trans, int64_t inner, int64_t *outer) {
  const rango_tensor *w;
  RG_TRY(need_f32(exec, input, 2, &w));
  if (w->shape.rank != 2 || dense_inner(w->shape.dims, trans) != inner)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the weight of input %d doesn't fit", input);
  *outer = dense_outer(w->shape.dims, trans);
  return RANGO_OK;
}

static rango_status compute_dense(rg_exec *exec) {
  const rango_tensor *x;
  bool trans = rg_node_int(exec->node, "trans", 0) != 0;
  RG_TRY(need_f32(exec, 0, 1, &x));
  rg_shape out = x->shape;
  int64_t inner = out.dims[out.rank - 1], rows = rg_dims_product(&out, 0, out.rank - 1);
  RG_TRY(dense_fit(exec, 1, trans, inner, &out.dims[out.rank - 1]));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &out, &y));
  if (!y) return RANGO_OK;
  RG_TRY(dense(exec, 1, 2, trans, rg_node_float(exec->node, "scale", 1), x, rows, inner, x->data, y->data));
  return finish(exec, 3, y);
}

static rango_status compute_low_rank_dense(rg_exec *exec) {
  const rango_tensor *x;
  bool trans1 = rg_node_int(exec->node, "trans1", 0) != 0, trans2 = rg_node_int(exec->node, "trans2", 0) != 0;
  RG_TRY(need_f32(exec, 0, 1, &x));
  rg_shape out = x->shape;
  int64_t inner = out.dims[out.rank - 1], rows = rg_dims_product(&out, 0, out.rank - 1), rank;
  RG_TRY(dense_fit(exec, 1, trans1, inner, &rank));
  RG_TRY(dense_fit(exec, 3, trans2, rank, &out.dims[out.rank - 1]));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &out, &y));
  if (!y) return RANGO_OK;
  int64_t middle;
  float *between = NULL;
  if (!rg_mul_i64(rows, rank, &middle)) return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "too many rows");
  RG_TRY(rg_scratch_array(exec, middle, sizeof *between, RG_OUT(&between)));
  RG_TRY(dense(exec, 1, 2, trans1, 1, x, rows, inner, x->data, between));
  RG_TRY(dense(exec, 3, 4, trans2, 1, x, rows, rank, between, y->data));
  return finish(exec, 5, y);
}

static int64_t count_of(const rg_fact *fact, int begin) {
  int64_t count = 1;
  if (!fact || fact->rank < 0) return -1;
  for (int i = begin; i < fact->rank; i++)
    if (!rg_size_is_known(fact->dims[i]) || !rg_mul_i64(count, fact->dims[i], &count)) return -1;
  return count;
}

static int64_t checked_macs(int64_t a, int64_t b) {
  int64_t product;
  return a < 0 || b < 0 || !rg_mul_i64(a, b, &product) ? -1 : product;
}

/* Every weight is met once a row. */
static int64_t macs_dense(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  rg_fact rows = *inputs[0];
  if (rows.rank < 1) return -1;
  rows.rank--;
  return checked_macs(count_of(&rows, 0), count_of(inputs[1], 0));
}

static int64_t macs_low_rank_dense(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  rg_fact rows = *inputs[0];
  if (rows.rank < 1) return -1;
  rows.rank--;
  int64_t first = count_of(inputs[1], 0), second = count_of(inputs[3], 0);
  return first < 0 || second < 0 ? -1 : checked_macs(count_of(&rows, 0), first + second);
}

/* ---- Conv, LowRankConv ---- */

/* Reads attribute `name``suffix` into `values`, `fallback` where it isn't given. */
static bool read_list(const rg_node *node, const char *name, const char *suffix, size_t expected, int64_t fallback,
                      int64_t least, int64_t *values) {
  char full[32];
  size_t count;
  snprintf(full, sizeof full, "%s%s", name, suffix);
  const int64_t *given = rg_node_ints(node, full, &count);
  for (size_t i = 0; i < expected; i++) values[i] = given && i < count ? given[i] : fallback;
  for (size_t i = 0; i < expected; i++)
    if (values[i] < least) return false;
  return !given || count == expected;
}

/* The window and group of one convolution; suffix "", "1" or "2". */
static rango_status read_window(const rg_node *node, const char *suffix, int spatial, const int64_t *kernel,
                                rg_window *window, int64_t *group) {
  char name[16];
  snprintf(name, sizeof name, "group%s", suffix);
  *group = rg_node_int(node, name, 1);
  bool fits = *group >= 1;
  if (!*suffix) {
    RG_TRY(rg_window_read(node, spatial, kernel, window));
  } else {
    int64_t pads[2 * RANGO_MAX_RANK] = {0};
    memset(window, 0, sizeof *window);
    window->spatial = spatial;
    fits = fits && read_list(node, "strides", suffix, (size_t)spatial, 1, 1, window->stride) &&
           read_list(node, "dilations", suffix, (size_t)spatial, 1, 1, window->dilation) &&
           read_list(node, "pads", suffix, 2 * (size_t)spatial, 0, 0, pads);
    for (int i = 0; i < spatial; i++) {
      window->kernel[i] = kernel[i];
      window->pad_begin[i] = pads[i];
      window->pad_end[i] = pads[spatial + i];
    }
  }
  if (!fits) return rg_fail(RANGO_ERROR_FORMAT, "%s: wrong convolution attributes", rg_node_text(node));
  return RANGO_OK;
}

/* Dims of a convolution's output from x's (sizes may be symbols) and the weight's, in place. NULL, or what is wrong. */
static const char *conv_dims(rg_infer *infer, rg_window *window, int64_t group, const int64_t *w, int64_t *dims) {
  if (w[0] % group != 0 || (rg_size_is_known(dims[1]) && (dims[1] % group != 0 || dims[1] / group != w[1])))
    return "the channels don't fit the weight's";
  dims[1] = w[0];
  for (int i = 0; i < window->spatial; i++) {
    int64_t *size = &dims[2 + i], padding = window->pad_begin[i] + window->pad_end[i];
    if (rg_size_is_known(*size)) {
      *size = rg_window_output(window, i, *size);
      if (*size < 0) return "the kernel is larger than the padded input";
    } else if (window->stride[i] != 1 || padding != window->dilation[i] * (window->kernel[i] - 1)) {
      *size = rg_infer_new_symbol(infer);
    }
  }
  return NULL;
}

static rango_status infer_one_conv(rg_infer *infer, const char *suffix, int weight_input, int rank, int64_t *dims) {
  const rg_fact *w = fact_of(infer, weight_input);
  if (!w || w->rank != rank || count_of(w, 0) < 0) return rg_infer_fail(infer, "the weight's shape doesn't fit");
  rg_window window;
  int64_t group;
  RG_TRY(read_window(infer->node, suffix, rank - 2, w->dims + 2, &window, &group));
  const char *error = conv_dims(infer, &window, group, w->dims, dims);
  return error ? rg_infer_fail(infer, "%s", error) : RANGO_OK;
}

static rango_status infer_conv_with(rg_infer *infer, bool low_rank) {
  const rg_fact *x = infer->inputs[0], *w = fact_of(infer, 1);
  int64_t dims[RANGO_MAX_RANK];
  if (x->rank < 0 && w) { /* in a body whose inputs nothing is known about yet */
    rg_fact_set(infer->outputs[0], x->type, w->rank, NULL);
    return RANGO_OK;
  }
  if (x->rank < 3 || x->rank > 2 + MAX_SPATIAL) return rg_infer_fail(infer, "needs 1 to %d spatial axes", MAX_SPATIAL);
  memcpy(dims, x->dims, sizeof dims);
  RG_TRY(infer_one_conv(infer, low_rank ? "1" : "", 1, x->rank, dims));
  if (low_rank) RG_TRY(infer_one_conv(infer, "2", 3, x->rank, dims));
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

static rango_status infer_conv(rg_infer *infer) { return infer_conv_with(infer, false); }
static rango_status infer_low_rank_conv(rg_infer *infer) { return infer_conv_with(infer, true); }

static int64_t macs_conv(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  return checked_macs(count_of(inputs[1], 1), count_of(outputs[0], 0));
}

/* The first convolution's output size isn't among the facts: it follows from the input's. */
static int64_t macs_low_rank_conv(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  const rg_fact *x = inputs[0], *w = inputs[1];
  rg_window window;
  int64_t group, middle = 1;
  if (count_of(x, 0) < 0 || count_of(w, 0) < 0 || x->rank < 3 || x->rank != w->rank) return -1;
  if (read_window(node, "1", x->rank - 2, w->dims + 2, &window, &group) != RANGO_OK) return -1;
  middle = checked_macs(x->dims[0], w->dims[0]);
  for (int i = 0; i < window.spatial; i++) middle = checked_macs(middle, rg_window_output(&window, i, x->dims[2 + i]));
  int64_t first = checked_macs(count_of(w, 1), middle),
          second = checked_macs(count_of(inputs[3], 1), count_of(outputs[0], 0));
  return first < 0 || second < 0 || !rg_add_i64(first, second, &first) ? -1 : first;
}

static void layout_strides(rg_layout layout, int64_t channels, const int64_t *spatial, int64_t *strides) {
  int64_t plane = spatial[0] * spatial[1] * spatial[2], step = layout == RG_CHANNELS_LAST ? channels : 1;
  strides[0] = channels * plane;
  strides[1] = layout == RG_CHANNELS_LAST ? 1 : plane;
  strides[2] = spatial[1] * spatial[2] * step;
  strides[3] = spatial[2] * step;
  strides[4] = step;
}

/* One convolution as prepared: its shape for the loops, its weight and bias. */
typedef struct conv_step {
  rg_conv_shape shape;
  const rango_tensor *w, *bias;
} conv_step;

/* Reads one convolution of the node; *dims goes from its input's shape to its output's. */
static rango_status conv_prepare(rg_exec *exec, const char *suffix, int weight_input, const rango_tensor *like,
                                 rg_shape *dims, conv_step *step) {
  RG_TRY(need_f32(exec, weight_input, 3, &step->w));
  if (step->w->shape.rank != dims->rank || dims->rank > 2 + MAX_SPATIAL)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the weight has not the input's %d axes", dims->rank);
  rg_window window;
  const int64_t *w = step->w->shape.dims;
  rg_shape in = *dims;
  rg_conv_shape *shape = &step->shape;
  RG_TRY(read_window(exec->node, suffix, dims->rank - 2, w + 2, &window, &shape->group));
  const char *error = conv_dims(NULL, &window, shape->group, w, dims->dims);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  RG_TRY(rg_optional_vector(exec, weight_input + 1, like, w[0], &step->bias));
  shape->batch = in.dims[0];
  shape->in_channels = w[1];
  shape->out_channels = w[0] / shape->group;
  for (int i = 0; i < MAX_SPATIAL; i++) {
    int axis = i - MAX_SPATIAL + window.spatial;
    shape->in[i] = axis < 0 ? 1 : in.dims[2 + axis];
    shape->out[i] = axis < 0 ? 1 : dims->dims[2 + axis];
    shape->kernel[i] = axis < 0 ? 1 : window.kernel[axis];
    shape->stride[i] = axis < 0 ? 1 : window.stride[axis];
    shape->dilation[i] = axis < 0 ? 1 : window.dilation[axis];
    shape->pad[i] = axis < 0 ? 0 : window.pad_begin[axis];
  }
  return RANGO_OK;
}

static void conv_run(conv_step *step, rg_layout from, rg_layout to, const float *x, float *y) {
  rg_conv_shape *shape = &step->shape;
  layout_strides(from, shape->group * shape->in_channels, shape->in, shape->x_stride);
  layout_strides(to, shape->group * shape->out_channels, shape->out, shape->y_stride);
  rg_conv_f32(shape, x, step->w->data, step->bias ? step->bias->data : NULL, y);
}

static rango_status conv_output(rg_exec *exec, const rg_shape *shape, rango_tensor **y) {
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, shape, y));
  if (*y && exec->node->outputs[0]) (*y)->layout = exec->node->outputs[0]->layout;
  return RANGO_OK;
}

static rango_status compute_conv(rg_exec *exec) {
  const rango_tensor *x;
  conv_step step;
  RG_TRY(need_f32(exec, 0, 3, &x));
  rg_shape dims = x->shape;
  RG_TRY(conv_prepare(exec, "", 1, x, &dims, &step));
  rango_tensor *y;
  RG_TRY(conv_output(exec, &dims, &y));
  if (!y) return RANGO_OK;
  conv_run(&step, x->layout, y->layout, x->data, y->data);
  return finish(exec, 3, y);
}

static rango_status compute_low_rank_conv(rg_exec *exec) {
  const rango_tensor *x;
  conv_step first, second;
  RG_TRY(need_f32(exec, 0, 3, &x));
  rg_shape middle = x->shape;
  RG_TRY(conv_prepare(exec, "1", 1, x, &middle, &first));
  rg_shape out = middle;
  RG_TRY(conv_prepare(exec, "2", 3, x, &out, &second));
  rango_tensor *y;
  RG_TRY(conv_output(exec, &out, &y));
  if (!y) return RANGO_OK;
  int64_t count;
  float *between = NULL;
  RG_TRY(rg_shape_count(&middle, &count));
  RG_TRY(rg_scratch_array(exec, count, sizeof *between, RG_OUT(&between)));
  conv_run(&first, x->layout, y->layout, x->data, between);
  conv_run(&second, y->layout, y->layout, between, y->data);
  return finish(exec, 5, y);
}

/* ---- Attention ---- */

static rango_status infer_attention(rg_infer *infer) {
  const rg_fact *q = infer->inputs[0], *k = infer->inputs[1], *v = infer->inputs[2], *mask = fact_of(infer, 3);
  rg_attention attention;
  if (q->rank < 0 || k->rank < 0 || v->rank < 0 || (mask && mask->rank < 0)) {
    rg_fact_set(infer->outputs[0], q->type, -1, NULL);
    return RANGO_OK;
  }
  const char *error = rg_attention_read(infer->node, q, k, v, mask, &attention);
  if (error) return rg_infer_fail(infer, "%s", error);
  rg_fact_set(infer->outputs[0], q->type, attention.y_rank, attention.y_dims);
  return RANGO_OK;
}

static int64_t macs_attention(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  rg_attention attention;
  const rg_fact *mask = node->input_count > 3 ? inputs[3] : NULL;
  for (int i = 0; i < 4; i++)
    if ((i < 3 || mask) && count_of(inputs[i], 0) < 0) return -1;
  if (rg_attention_read(node, inputs[0], inputs[1], inputs[2], mask, &attention)) return -1;
  return checked_macs(checked_macs(checked_macs(attention.items, attention.rows), attention.keys),
                      attention.inner + attention.columns);
}

/* Weights of one query for the first `count` keys, which sum to one. */
static void weigh(const rg_attention *a, const float *query, const float *keys, const float *mask, int64_t count,
                  float *weights) {
  const int64_t *q = a->q.strides + a->batch_rank, *k = a->k.strides + a->batch_rank;
  const int64_t mask_step = a->mask.strides[a->batch_rank + 1];
  float largest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < count; j++) {
    float score = 0;
    for (int64_t d = 0; d < a->inner; d++) score += query[d * q[1]] * keys[j * k[0] + d * k[1]];
    weights[j] = a->scale * score + (mask ? mask[j * mask_step] : 0);
    if (weights[j] > largest) largest = weights[j];
  }
  for (int64_t j = 0; j < count; j++) sum += weights[j] = expf(weights[j] - largest);
  for (int64_t j = 0; j < count; j++) weights[j] /= sum;
}

/* All queries of one matrix; mask may be NULL. */
static void attend(const rg_attention *a, const float *q, const float *k, const float *v, const float *mask,
                   float *weights, float *y) {
  const int row = a->batch_rank, column = row + 1;
  for (int64_t i = 0; i < a->rows; i++) {
    const int64_t seen = a->causal && i < a->keys ? i + 1 : a->keys;
    weigh(a, q + i * a->q.strides[row], k, mask ? mask + i * a->mask.strides[row] : NULL, seen, weights);
    for (int64_t c = 0; c < a->columns; c++) {
      float sum = 0;
      for (int64_t j = 0; j < seen; j++) sum += weights[j] * v[j * a->v.strides[row] + c * a->v.strides[column]];
      y[i * a->y.strides[row] + c * a->y.strides[column]] = sum;
    }
  }
}

static rango_status compute_attention(rg_exec *exec) {
  const rango_tensor *in[3], *masking = rg_exec_input(exec, 3);
  rg_fact facts[4];
  rg_attention a;
  for (int i = 0; i < 3; i++) {
    RG_TRY(need_f32(exec, i, 2, &in[i]));
    rg_fact_set(&facts[i], RANGO_FLOAT32, in[i]->shape.rank, in[i]->shape.dims);
  }
  if (masking) {
    RG_TRY(need_f32(exec, 3, 0, &masking));
    rg_fact_set(&facts[3], RANGO_FLOAT32, masking->shape.rank, masking->shape.dims);
  }
  const char *error = rg_attention_read(exec->node, &facts[0], &facts[1], &facts[2], masking ? &facts[3] : NULL, &a);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  rg_shape shape = {.rank = a.y_rank};
  memcpy(shape.dims, a.y_dims, sizeof shape.dims);
  rango_tensor *y;
  float *weights = NULL;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &shape, &y));
  if (!y) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, a.keys, sizeof *weights, RG_OUT(&weights)));
  const float *q = in[0]->data, *k = in[1]->data, *v = in[2]->data, *mask = masking ? masking->data : NULL;
  for (int64_t i = 0; i < a.items; i++)
    attend(&a, q + rg_attention_at(&a, &a.q, i), k + rg_attention_at(&a, &a.k, i), v + rg_attention_at(&a, &a.v, i),
           mask ? mask + rg_attention_at(&a, &a.mask, i) : NULL, weights,
           (float *)y->data + rg_attention_at(&a, &a.y, i));
  return RANGO_OK;
}

/* ---- Lookup ---- */

static rango_status infer_lookup(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *table = infer->inputs[1];
  int64_t dims[RANGO_MAX_RANK];
  if (table->rank != 2 || x->rank == 0 || (x->rank > 0 && differ(x->dims[x->rank - 1], 1)))
    return rg_infer_fail(infer, "needs numbers [..., 1] and a table of rows");
  if (x->rank > 0) {
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = table->dims[1];
  }
  rg_fact_set(infer->outputs[0], table->type, x->rank, x->rank > 0 ? dims : NULL);
  return RANGO_OK;
}

/* The table's last row is for numbers that have none. */
static rango_status compute_lookup(rg_exec *exec) {
  const rango_tensor *x, *table;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  RG_TRY(need_f32(exec, 1, 2, &table));
  const int64_t n = table->shape.dims[0] - 1, columns = table->shape.dims[1], count = rg_tensor_elements(x);
  rg_shape shape = x->shape;
  if (table->shape.rank != 2 || n < 0 || shape.dims[shape.rank - 1] != 1 || !rg_type_is_integer(x->type))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "needs numbers [..., 1] and a table of rows");
  shape.dims[shape.rank - 1] = columns;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &shape, &y));
  for (int64_t i = 0; y && i < count; i++) {
    const int64_t row = rg_tensor_get_i64(x, i);
    memcpy((float *)y->data + i * columns, (const float *)table->data + (row < 0 || row > n ? n : row) * columns,
           (size_t)columns * sizeof(float));
  }
  return RANGO_OK;
}

/* ---- Activation, Layout ---- */

static rango_status compute_activation(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(need_f32(exec, 0, 0, &x));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &x->shape, &y));
  if (!y) return RANGO_OK;
  y->layout = x->layout;
  rg_activation activation = rg_activation_read(exec->node);
  int64_t count = rg_tensor_elements(x);
  for (int64_t i = 0; i < count; i++)
    ((float *)y->data)[i] = rg_activation_apply(activation, ((const float *)x->data)[i]);
  return RANGO_OK;
}

static rango_status compute_layout(rg_exec *exec) {
  const rango_tensor *x;
  RG_TRY(rg_need_tensor(exec, 0, 3, &x));
  size_t size = rango_type_bits(x->type) / 8;
  if (size == 0) return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "elements of type %s", rango_type_name(x->type));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y) return RANGO_OK;
  y->layout = rg_node_int(exec->node, "to", 0) ? RG_CHANNELS_LAST : RG_ROW_MAJOR;
  int64_t batch = x->shape.dims[0], channels = x->shape.dims[1], plane = rg_dims_product(&x->shape, 2, x->shape.rank);
  if (y->layout == x->layout) {
    memcpy(y->data, x->data, (size_t)(batch * channels * plane) * size);
    return RANGO_OK;
  }
  /* As a transpose of [rows][columns], one a batch entry. */
  int64_t rows = x->layout == RG_ROW_MAJOR ? channels : plane, columns = x->layout == RG_ROW_MAJOR ? plane : channels;
  for (int64_t n = 0; n < batch; n++) {
    const char *from = (const char *)x->data + (size_t)(n * rows * columns) * size;
    char *to = (char *)y->data + (size_t)(n * rows * columns) * size;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < columns; j++)
        memcpy(to + (size_t)(j * rows + i) * size, from + (size_t)(i * columns + j) * size, size);
  }
  return RANGO_OK;
}

#define FLAGS (RG_OP_PRIVATE | RG_OP_FLOAT_ONLY)
static const rg_op ops[] = {
    {RG_PRIVATE_DOMAIN, "Dense", 1, RG_OPSET_MAX, 2, 4, 1, 1, FLAGS, NULL, infer_dense, compute_dense, macs_dense},
    {RG_PRIVATE_DOMAIN, "Conv", 1, RG_OPSET_MAX, 2, 4, 1, 1, FLAGS, NULL, infer_conv, compute_conv, macs_conv},
    {RG_PRIVATE_DOMAIN, "LowRankDense", 1, RG_OPSET_MAX, 4, 6, 1, 1, FLAGS, NULL, infer_low_rank_dense,
     compute_low_rank_dense, macs_low_rank_dense},
    {RG_PRIVATE_DOMAIN, "LowRankConv", 1, RG_OPSET_MAX, 4, 6, 1, 1, FLAGS, NULL, infer_low_rank_conv,
     compute_low_rank_conv, macs_low_rank_conv},
    {RG_PRIVATE_DOMAIN, "Attention", 1, RG_OPSET_MAX, 3, 4, 1, 1, FLAGS, NULL, infer_attention, compute_attention,
     macs_attention},
    {RG_PRIVATE_DOMAIN, "Lookup", 1, RG_OPSET_MAX, 2, 2, 1, 1, FLAGS, NULL, infer_lookup, compute_lookup, NULL},
    {RG_PRIVATE_DOMAIN, "Activation", 1, RG_OPSET_MAX, 1, 1, 1, 1, FLAGS | RG_OP_ELEMENTWISE, NULL,
     rg_infer_same_as_first, compute_activation, NULL},
    {RG_PRIVATE_DOMAIN, "Layout", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_PRIVATE, NULL, rg_infer_same_as_first,
     compute_layout, NULL},
};
RG_OPS_EXPORT(private, ops);
