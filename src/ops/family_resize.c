/*
 * Resize (opsets 10 on) and Upsample. Every axis is resampled by itself from a table of taps (source elements and
 * weights for each output position); values are taken as double. Coordinates are computed in float32, so that ties of
 * the nearest modes fall as in ONNX Runtime.
 */
#include "ops/compute.h"
#include "ops/resize.h"

#include <math.h>
#include <string.h>

/* ---- attributes ---- */

static rango_status check_resize(const rg_node *node) {
  rg_resize modes;
  return rg_resize_read_modes(node, &modes);
}

/* ---- sizes ---- */

#define SIZE_LIMIT 1e9f

/* Output size of an axis for a scale; -1: the scale is no scale. */
static int64_t scaled_size(const rg_resize *r, int axis, float scale) {
  float size = scale * (float)r->in[axis];
  if (r->coordinate == RG_COORDINATE_CROP) size *= r->end[axis] - r->start[axis];
  return scale > 0 && size >= 0 && size < SIZE_LIMIT ? (int64_t)size : -1;
}

/* Sets out and scale from sizes for the axes, keeping the aspect ratio where asked to. */
static bool apply_sizes(rg_resize *r, const int64_t *sizes, const int *axes, int count) {
  float common = 0;
  for (int i = 0; i < count; i++) {
    int64_t in = r->in[axes[i]];
    if (sizes[i] < 0 || (float)sizes[i] >= SIZE_LIMIT || in < 1) return false;
    float scale = (float)sizes[i] / (float)in;
    bool take = i == 0 || (r->policy == RG_ASPECT_NOT_LARGER ? scale < common : scale > common);
    if (take) common = scale;
    r->scale[axes[i]] = scale;
    r->out[axes[i]] = sizes[i];
  }
  for (int i = 0; r->policy != RG_ASPECT_STRETCH && i < count; i++) {
    r->scale[axes[i]] = common;
    r->out[axes[i]] = (int64_t)floorf(common * (float)r->in[axes[i]] + 0.5f);
  }
  return true;
}

static rango_status infer_resize(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  const rg_node *node = infer->node;
  rg_resize r;
  int axes[RANGO_MAX_RANK], count, scales = rg_resize_scales_input(node), sizes = rg_resize_sizes_input(node);
  RG_TRY(rg_resize_read_modes(node, &r));
  if (x->rank < 0) {
    rg_fact_set(infer->outputs[0], x->type, -1, NULL);
    return RANGO_OK;
  }
  const char *error = rg_resize_axes(node, x->rank, axes, &count);
  if (error) return rg_infer_fail(infer, "%s", error);
  int64_t dims[RANGO_MAX_RANK], known_count = 0;
  memcpy(dims, x->dims, sizeof dims);
  for (int i = 0; i < count; i++) dims[axes[i]] = rg_infer_new_symbol(infer);
  const rg_fact *factors = scales >= 0 && scales < infer->input_count ? infer->inputs[scales] : NULL;
  const int64_t *known = sizes >= 0 && sizes < infer->input_count && infer->inputs[sizes]
                             ? rg_infer_known(infer, sizes, &known_count)
                             : NULL;
  const rg_attr *attribute = scales < 0 ? rg_node_attr(node, "scales") : NULL;
  bool has_scales = (attribute && attribute->kind == RG_ATTR_FLOATS && attribute->count == (size_t)count) ||
                    (factors && factors->constant && rg_tensor_elements(factors->constant) == count);
  for (int i = 0; i < count; i++) {
    int axis = axes[i];
    if (known && known_count == count && r.policy == RG_ASPECT_STRETCH) {
      dims[axis] = known[i];
    } else if (has_scales && r.coordinate != RG_COORDINATE_CROP) {
      float scale = attribute ? attribute->floats[i] : (float)rg_tensor_get_double(factors->constant, i);
      if (scale == 1) dims[axis] = x->dims[axis];
      if (scale == 1 || !rg_size_is_known(x->dims[axis])) continue;
      r.in[axis] = x->dims[axis];
      dims[axis] = scaled_size(&r, axis, scale);
      if (dims[axis] < 0) return rg_infer_fail(infer, "scale %g on axis %d", (double)scale, axis);
    }
  }
  rg_fact_set(infer->outputs[0], x->type, x->rank, dims);
  return RANGO_OK;
}

/* Reads scales, sizes and roi at run time. */
static rango_status read_sizes(rg_exec *exec, const rango_tensor *x, rg_resize *r) {
  const rg_node *node = exec->node;
  int axes[RANGO_MAX_RANK], count, scales_at = rg_resize_scales_input(node), sizes_at = rg_resize_sizes_input(node);
  r->rank = x->shape.rank;
  const char *error = rg_resize_axes(node, r->rank, axes, &count);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  for (int i = 0; i < r->rank; i++) {
    r->in[i] = r->out[i] = x->shape.dims[i];
    r->scale[i] = r->end[i] = 1;
  }
  const rango_tensor *roi = rg_resize_roi_input(node) < 0 ? NULL : rg_exec_input(exec, rg_resize_roi_input(node));
  if (r->coordinate == RG_COORDINATE_CROP) {
    if (!roi || !rg_type_is_float(roi->type) || rg_tensor_elements(roi) != 2 * count)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "roi must have %d elements", 2 * count);
    for (int i = 0; i < count; i++) {
      r->start[axes[i]] = (float)rg_tensor_get_double(roi, i);
      r->end[axes[i]] = (float)rg_tensor_get_double(roi, count + i);
    }
  }
  const int64_t *sizes = NULL;
  int64_t size_count = 0;
  if (sizes_at >= 0) RG_TRY(rg_exec_integers(exec, sizes_at, &sizes, &size_count));
  if (size_count > 0) {
    if (size_count != count || !apply_sizes(r, sizes, axes, count))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "sizes doesn't fit the input");
    return RANGO_OK;
  }
  const rango_tensor *scales = scales_at < 0 ? NULL : rg_exec_input(exec, scales_at);
  const rg_attr *attribute = scales_at < 0 ? rg_node_attr(node, "scales") : NULL;
  bool fits = attribute ? attribute->kind == RG_ATTR_FLOATS && attribute->count == (size_t)count
                        : scales && rg_type_is_float(scales->type) && rg_tensor_elements(scales) == count;
  if (!fits) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "needs %d scales", count);
  for (int i = 0; i < count; i++) {
    float scale = attribute ? attribute->floats[i] : (float)rg_tensor_get_double(scales, i);
    r->scale[axes[i]] = scale;
    r->out[axes[i]] = scaled_size(r, axes[i], scale);
    if (r->out[axes[i]] < 0)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "scale %g on axis %d", (double)scale, axes[i]);
  }
  return RANGO_OK;
}

/* ---- taps ---- */

static double cubic(double a, double distance) {
  distance = fabs(distance);
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return distance < 2 ? ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a : 0;
}

/* Taps of an axis: output o takes sum over t of weight[o][t] * input[index[o][t]]. */
typedef struct taps {
  int64_t width;
  int64_t *index; /* [out][width] */
  double *weight; /* [out][width] */
  bool *outside;  /* [out]: beyond the region that may be sampled; NULL where that can't be */
} taps;

/* Linear or cubic weights around x; with antialias the filter is stretched by 1/scale. Weights outside the input are
 * moved to its edge, or left out. */
static void fill_weights(const rg_resize *r, int axis, float x, int64_t width, int64_t *index, double *weight) {
  double stretch = r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1, sum = 0;
  double support = (r->mode == RG_RESIZE_CUBIC ? 2 : 1) / stretch;
  int64_t size = r->in[axis];
  double first = floor((double)x - support) + 1;
  for (int64_t t = 0; t < width; t++) {
    double position = first + (double)t, distance = (position - (double)x) * stretch;
    double value = r->mode == RG_RESIZE_CUBIC ? cubic((double)r->cubic_a, distance) : fmax(0, 1 - fabs(distance));
    bool out = position < 0 || position > (double)(size - 1);
    index[t] = rg_resize_clamp((float)position, size);
    weight[t] = out && r->exclude_outside ? 0 : value;
    sum += weight[t];
  }
  bool normalise = r->exclude_outside || r->antialias;
  for (int64_t t = 0; normalise && sum != 0 && t < width; t++) weight[t] /= sum;
}

static rango_status make_taps(rg_exec *exec, const rg_resize *r, int axis, taps *out) {
  int64_t count = r->out[axis], total;
  double stretch = r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1;
  double width = r->mode == RG_RESIZE_NEAREST ? 1 : ceil((r->mode == RG_RESIZE_CUBIC ? 4 : 2) / stretch) + 1;
  if (!(width < 1e7) || !rg_mul_i64(count, (int64_t)width, &total))
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "scale %g on axis %d is too small", (double)r->scale[axis], axis);
  *out = (taps){.width = (int64_t)width};
  RG_TRY(rg_scratch_array(exec, total, sizeof *out->index, RG_OUT(&out->index)));
  RG_TRY(rg_scratch_array(exec, total, sizeof *out->weight, RG_OUT(&out->weight)));
  RG_TRY(rg_scratch_array(exec, count, sizeof *out->outside, RG_OUT(&out->outside)));
  for (int64_t o = 0; o < count; o++) {
    float x = rg_resize_original(r, axis, o);
    out->outside[o] = r->coordinate == RG_COORDINATE_CROP && !(x >= 0 && x <= (float)(r->in[axis] - 1));
    if (r->mode == RG_RESIZE_NEAREST) {
      out->index[o] = rg_resize_clamp(rg_resize_nearest(r, axis, x), r->in[axis]);
      out->weight[o] = 1;
    } else {
      if (r->mode == RG_RESIZE_LINEAR && !r->antialias) x = fminf(fmaxf(x, 0), (float)(r->in[axis] - 1));
      fill_weights(r, axis, x, out->width, out->index + o * out->width, out->weight + o * out->width);
    }
  }
  return RANGO_OK;
}

/* [before][in][after] → [before][out][after]. */
static void resample(const taps *table, const double *from, double *to, int64_t before, int64_t in, int64_t out,
                     int64_t after) {
  for (int64_t b = 0; b < before; b++) {
    for (int64_t o = 0; o < out; o++) {
      double *row = to + (b * out + o) * after;
      for (int64_t a = 0; a < after; a++) row[a] = 0;
      for (int64_t t = 0; t < table->width; t++) {
        double weight = table->weight[o * table->width + t];
        const double *source = from + (b * in + table->index[o * table->width + t]) * after;
        if (weight == 0) continue;
        for (int64_t a = 0; a < after; a++) row[a] += weight * source[a];
      }
    }
  }
}

/* Positions of axis `axis` beyond the region of interest get the extrapolation value. */
static void extrapolate(const rg_resize *r, const taps *table, double *values, int64_t before, int64_t out,
                        int64_t after) {
  for (int64_t b = 0; b < before; b++)
    for (int64_t o = 0; o < out; o++)
      for (int64_t a = 0; table->outside[o] && a < after; a++) values[(b * out + o) * after + a] = r->extrapolation;
}

static rango_status resample_axes(rg_exec *exec, const rg_resize *r, double *values, rango_tensor *y) {
  rg_shape shape = {.rank = r->rank};
  taps tables[RANGO_MAX_RANK];
  bool used[RANGO_MAX_RANK];
  memcpy(shape.dims, r->in, sizeof shape.dims);
  for (int axis = 0; axis < r->rank; axis++) {
    used[axis] = r->coordinate == RG_COORDINATE_CROP
                     ? r->start[axis] != 0 || r->end[axis] != 1 || r->out[axis] != r->in[axis]
                     : r->scale[axis] != 1 || r->out[axis] != r->in[axis];
    if (!used[axis]) continue;
    RG_TRY(make_taps(exec, r, axis, &tables[axis]));
    int64_t before = rg_dims_product(&shape, 0, axis), after = rg_dims_product(&shape, axis + 1, shape.rank), count;
    double *next = NULL;
    shape.dims[axis] = r->out[axis];
    RG_TRY(rg_shape_count(&shape, &count));
    RG_TRY(rg_scratch_array(exec, count, sizeof *next, RG_OUT(&next)));
    resample(&tables[axis], values, next, before, r->in[axis], r->out[axis], after);
    values = next;
  }
  for (int axis = 0; axis < r->rank && r->coordinate == RG_COORDINATE_CROP; axis++)
    if (used[axis])
      extrapolate(r, &tables[axis], values, rg_dims_product(&shape, 0, axis), r->out[axis],
                  rg_dims_product(&shape, axis + 1, shape.rank));
  rg_store_row(y, 0, 1, rg_tensor_elements(y), values);
  return RANGO_OK;
}

static rango_status compute_resize(rg_exec *exec) {
  const rango_tensor *x;
  rg_resize r;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  RG_TRY(rg_resize_read_modes(exec->node, &r));
  RG_TRY(read_sizes(exec, x, &r));
  rg_shape shape = {.rank = r.rank};
  memcpy(shape.dims, r.out, sizeof shape.dims);
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y || rg_tensor_elements(y) == 0) return RANGO_OK;
  if (rg_tensor_elements(x) == 0) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input is empty");
  double *values;
  RG_TRY(rg_scratch_doubles(exec, x, &values));
  return resample_axes(exec, &r, values, y);
}

static const rg_op ops[] = {
    {"", "Resize", 10, RG_OPSET_MAX, 1, 4, 1, 1, RG_OP_FLOAT_ONLY, check_resize, infer_resize, compute_resize, NULL},
    {"", "Upsample", 7, 9, 1, 2, 1, 1, RG_OP_FLOAT_ONLY, check_resize, infer_resize, compute_resize, NULL},
};
RG_OPS_EXPORT(resize, ops);
