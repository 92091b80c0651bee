/*
 * Resize (opsets 10 on) and Upsample. Every axis is resampled by itself from a table of taps (source elements and
 * weights for each output position); values are taken as double. Coordinates are computed in float32, so that ties of
 * the nearest modes fall as in ONNX Runtime.
 */
#include "ops/compute.h"

#include <math.h>
#include <string.h>

typedef enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;
typedef enum coordinate_mode {
  COORDINATE_HALF_PIXEL,
  COORDINATE_HALF_PIXEL_SYMMETRIC,
  COORDINATE_PYTORCH_HALF_PIXEL,
  COORDINATE_ALIGN_CORNERS,
  COORDINATE_ASYMMETRIC,
  COORDINATE_TF_HALF_PIXEL,
  COORDINATE_CROP
} coordinate_mode;
typedef enum nearest_mode {
  NEAREST_PREFER_FLOOR,
  NEAREST_PREFER_CEIL,
  NEAREST_FLOOR,
  NEAREST_CEIL,
  NEAREST_SIMPLE
} nearest_mode;
typedef enum aspect_policy { ASPECT_STRETCH, ASPECT_NOT_LARGER, ASPECT_NOT_SMALLER } aspect_policy;

typedef struct resize {
  resize_mode mode;
  coordinate_mode coordinate;
  nearest_mode nearest;
  aspect_policy policy;
  bool antialias, exclude_outside;
  float cubic_a, extrapolation;
  int rank;
  int64_t in[RANGO_MAX_RANK], out[RANGO_MAX_RANK];
  float scale[RANGO_MAX_RANK], start[RANGO_MAX_RANK], end[RANGO_MAX_RANK]; /* start, end: of the region of interest */
} resize;

/* ---- attributes ---- */

/* Index of a string attribute's value in `names`, -1 when it isn't there. */
static int choice(const rg_node *node, const char *attribute, const char *fallback, const char *const *names,
                  int count) {
  const char *value = rg_node_string(node, attribute, fallback);
  for (int i = 0; i < count; i++)
    if (strcmp(value, names[i]) == 0) return i;
  return -1;
}

static rango_status read_modes(const rg_node *node, resize *out) {
  static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear"};
  static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                            "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
  static const char *const nearests[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  static const char *const policies[] = {"stretch", "not_larger", "not_smaller"};
  bool old = node->version < 11 || node->op[0] == 'U';
  int mode = choice(node, "mode", "nearest", modes, 4);
  int coordinate = choice(node, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel", coordinates, 7);
  int nearest = choice(node, "nearest_mode", "round_prefer_floor", nearests, 4);
  int policy = choice(node, "keep_aspect_ratio_policy", "stretch", policies, 3);
  if (mode < 0 || coordinate < 0 || nearest < 0 || policy < 0)
    return rg_fail(RANGO_ERROR_UNSUPPORTED,
                   "%s: unknown mode among mode, coordinate_transformation_mode, nearest_mode "
                   "and keep_aspect_ratio_policy",
                   rg_node_text(node));
  memset(out, 0, sizeof *out);
  out->mode = mode == 3 ? RESIZE_LINEAR : (resize_mode)mode;
  out->coordinate = (coordinate_mode)coordinate;
  out->nearest = old ? NEAREST_SIMPLE : (nearest_mode)nearest;
  out->policy = (aspect_policy)policy;
  out->antialias = rg_node_int(node, "antialias", 0) != 0 && out->mode != RESIZE_NEAREST;
  out->exclude_outside = rg_node_int(node, "exclude_outside", 0) != 0;
  out->cubic_a = rg_node_float(node, "cubic_coeff_a", -0.75f);
  out->extrapolation = rg_node_float(node, "extrapolation_value", 0);
  return RANGO_OK;
}

static rango_status check_resize(const rg_node *node) {
  resize modes;
  return read_modes(node, &modes);
}

/* Which inputs hold what; -1: none. */
static int scales_input(const rg_node *node) {
  if (node->op[0] == 'U') return node->version < 9 ? -1 : 1;
  return node->version < 11 ? 1 : 2;
}
static int sizes_input(const rg_node *node) { return node->op[0] == 'R' && node->version >= 11 ? 3 : -1; }
static int roi_input(const rg_node *node) { return node->op[0] == 'R' && node->version >= 11 ? 1 : -1; }

/* The axes that scales, sizes and roi are about: all, or attribute `axes` (opset 18). NULL, or what is wrong. */
static const char *resized_axes(const rg_node *node, int rank, int *axes, int *count) {
  size_t given_count;
  const int64_t *given = rg_node_ints(node, "axes", &given_count);
  if (given && given_count > (size_t)rank) return "too many axes";
  *count = given ? (int)given_count : rank;
  for (int i = 0; i < *count; i++) {
    axes[i] = i;
    if (given && !rg_axis(given[i], rank, &axes[i])) return "axes is out of range";
  }
  return NULL;
}

/* ---- sizes ---- */

#define SIZE_LIMIT 1e9f

/* Output size of an axis for a scale; -1: the scale is no scale. */
static int64_t scaled_size(const resize *r, int axis, float scale) {
  float size = scale * (float)r->in[axis];
  if (r->coordinate == COORDINATE_CROP) size *= r->end[axis] - r->start[axis];
  return scale > 0 && size >= 0 && size < SIZE_LIMIT ? (int64_t)size : -1;
}

/* Sets out and scale from sizes for the axes, keeping the aspect ratio where asked to. */
static bool apply_sizes(resize *r, const int64_t *sizes, const int *axes, int count) {
  float common = 0;
  for (int i = 0; i < count; i++) {
    int64_t in = r->in[axes[i]];
    if (sizes[i] < 0 || (float)sizes[i] >= SIZE_LIMIT || in < 1) return false;
    float scale = (float)sizes[i] / (float)in;
    bool take = i == 0 || (r->policy == ASPECT_NOT_LARGER ? scale < common : scale > common);
    if (take) common = scale;
    r->scale[axes[i]] = scale;
    r->out[axes[i]] = sizes[i];
  }
  for (int i = 0; r->policy != ASPECT_STRETCH && i < count; i++) {
    r->scale[axes[i]] = common;
    r->out[axes[i]] = (int64_t)floorf(common * (float)r->in[axes[i]] + 0.5f);
  }
  return true;
}

static rango_status infer_resize(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  const rg_node *node = infer->node;
  resize r;
  int axes[RANGO_MAX_RANK], count, scales = scales_input(node), sizes = sizes_input(node);
  RG_TRY(read_modes(node, &r));
  if (x->rank < 0) {
    rg_fact_set(infer->outputs[0], x->type, -1, NULL);
    return RANGO_OK;
  }
  const char *error = resized_axes(node, x->rank, axes, &count);
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
    if (known && known_count == count && r.policy == ASPECT_STRETCH) {
      dims[axis] = known[i];
    } else if (has_scales && r.coordinate != COORDINATE_CROP) {
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
static rango_status read_sizes(rg_exec *exec, const rango_tensor *x, resize *r) {
  const rg_node *node = exec->node;
  int axes[RANGO_MAX_RANK], count, scales_at = scales_input(node), sizes_at = sizes_input(node);
  r->rank = x->shape.rank;
  const char *error = resized_axes(node, r->rank, axes, &count);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  for (int i = 0; i < r->rank; i++) {
    r->in[i] = r->out[i] = x->shape.dims[i];
    r->scale[i] = r->end[i] = 1;
  }
  const rango_tensor *roi = roi_input(node) < 0 ? NULL : rg_exec_input(exec, roi_input(node));
  if (r->coordinate == COORDINATE_CROP) {
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

/* Where output position `x` of an axis lies in the input. */
static float original(const resize *r, int axis, int64_t at) {
  float x = (float)at, scale = r->scale[axis], in = (float)r->in[axis], out = (float)r->out[axis];
  switch (r->coordinate) {
  case COORDINATE_HALF_PIXEL:
    return (x + 0.5f) / scale - 0.5f;
  case COORDINATE_HALF_PIXEL_SYMMETRIC: {
    float adjustment = out / (scale * in);
    return in / 2 * (1 - adjustment) + (x + 0.5f) / scale - 0.5f;
  }
  case COORDINATE_PYTORCH_HALF_PIXEL:
    return r->out[axis] > 1 ? (x + 0.5f) / scale - 0.5f : 0;
  case COORDINATE_ALIGN_CORNERS:
    return r->out[axis] == 1 ? 0 : x * (in - 1) / (out - 1);
  case COORDINATE_ASYMMETRIC:
    return x / scale;
  case COORDINATE_TF_HALF_PIXEL:
    return (x + 0.5f) / scale;
  case COORDINATE_CROP:
    return r->out[axis] > 1 ? r->start[axis] * (in - 1) + x * (r->end[axis] - r->start[axis]) * (in - 1) / (out - 1)
                            : 0.5f * (r->start[axis] + r->end[axis]) * (in - 1);
  }
  return 0;
}

static float nearest_index(const resize *r, int axis, float x) {
  switch (r->nearest) {
  case NEAREST_PREFER_FLOOR:
    return x == floorf(x) + 0.5f ? floorf(x) : roundf(x);
  case NEAREST_PREFER_CEIL:
    return floorf(x + 0.5f);
  case NEAREST_FLOOR:
    return floorf(x);
  case NEAREST_CEIL:
    return ceilf(x);
  case NEAREST_SIMPLE:
    return r->scale[axis] < 1 ? ceilf(x) : truncf(x);
  }
  return x;
}

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

static int64_t clamp_index(float x, int64_t size) {
  if (!(x > 0)) return 0;
  return x >= (float)size ? size - 1 : (int64_t)x < size ? (int64_t)x : size - 1;
}

/* Linear or cubic weights around x; with antialias the filter is stretched by 1/scale. Weights outside the input are
 * moved to its edge, or left out. */
static void fill_weights(const resize *r, int axis, float x, int64_t width, int64_t *index, double *weight) {
  double stretch = r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1, sum = 0;
  double support = (r->mode == RESIZE_CUBIC ? 2 : 1) / stretch;
  int64_t size = r->in[axis];
  double first = floor((double)x - support) + 1;
  for (int64_t t = 0; t < width; t++) {
    double position = first + (double)t, distance = (position - (double)x) * stretch;
    double value = r->mode == RESIZE_CUBIC ? cubic((double)r->cubic_a, distance) : fmax(0, 1 - fabs(distance));
    bool out = position < 0 || position > (double)(size - 1);
    index[t] = clamp_index((float)position, size);
    weight[t] = out && r->exclude_outside ? 0 : value;
    sum += weight[t];
  }
  bool normalise = r->exclude_outside || r->antialias;
  for (int64_t t = 0; normalise && sum != 0 && t < width; t++) weight[t] /= sum;
}

static rango_status make_taps(rg_exec *exec, const resize *r, int axis, taps *out) {
  int64_t count = r->out[axis], total;
  double stretch = r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1;
  double width = r->mode == RESIZE_NEAREST ? 1 : ceil((r->mode == RESIZE_CUBIC ? 4 : 2) / stretch) + 1;
  if (!(width < 1e7) || !rg_mul_i64(count, (int64_t)width, &total))
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "scale %g on axis %d is too small", (double)r->scale[axis], axis);
  *out = (taps){.width = (int64_t)width};
  RG_TRY(rg_scratch_array(exec, total, sizeof *out->index, RG_OUT(&out->index)));
  RG_TRY(rg_scratch_array(exec, total, sizeof *out->weight, RG_OUT(&out->weight)));
  RG_TRY(rg_scratch_array(exec, count, sizeof *out->outside, RG_OUT(&out->outside)));
  for (int64_t o = 0; o < count; o++) {
    float x = original(r, axis, o);
    out->outside[o] = r->coordinate == COORDINATE_CROP && !(x >= 0 && x <= (float)(r->in[axis] - 1));
    if (r->mode == RESIZE_NEAREST) {
      out->index[o] = clamp_index(nearest_index(r, axis, x), r->in[axis]);
      out->weight[o] = 1;
    } else {
      if (r->mode == RESIZE_LINEAR && !r->antialias) x = fminf(fmaxf(x, 0), (float)(r->in[axis] - 1));
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
static void extrapolate(const resize *r, const taps *table, double *values, int64_t before, int64_t out,
                        int64_t after) {
  for (int64_t b = 0; b < before; b++)
    for (int64_t o = 0; o < out; o++)
      for (int64_t a = 0; table->outside[o] && a < after; a++) values[(b * out + o) * after + a] = r->extrapolation;
}

static rango_status resample_axes(rg_exec *exec, const resize *r, double *values, rango_tensor *y) {
  rg_shape shape = {.rank = r->rank};
  taps tables[RANGO_MAX_RANK];
  bool used[RANGO_MAX_RANK];
  memcpy(shape.dims, r->in, sizeof shape.dims);
  for (int axis = 0; axis < r->rank; axis++) {
    used[axis] = r->coordinate == COORDINATE_CROP
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
  for (int axis = 0; axis < r->rank && r->coordinate == COORDINATE_CROP; axis++)
    if (used[axis])
      extrapolate(r, &tables[axis], values, rg_dims_product(&shape, 0, axis), r->out[axis],
                  rg_dims_product(&shape, axis + 1, shape.rank));
  rg_store_row(y, 0, 1, rg_tensor_elements(y), values);
  return RANGO_OK;
}

static rango_status compute_resize(rg_exec *exec) {
  const rango_tensor *x;
  resize r;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  RG_TRY(read_modes(exec->node, &r));
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
