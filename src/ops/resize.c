#include "ops/resize.h"

#include "ops/support.h"

#include <math.h>
#include <string.h>

/* Index of a string attribute's value in `names`, -1 when it isn't there. */
static int choice(const rg_node *node, const char *attribute, const char *fallback, const char *const *names,
                  int count) {
  const char *value = rg_node_string(node, attribute, fallback);
  for (int i = 0; i < count; i++)
    if (strcmp(value, names[i]) == 0) return i;
  return -1;
}

rango_status rg_resize_read_modes(const rg_node *node, rg_resize *out) {
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
                   "%s: unknown mode among mode, coordinate_transformation_mode, rg_nearest_mode "
                   "and keep_aspect_ratio_policy",
                   rg_node_text(node));
  memset(out, 0, sizeof *out);
  out->mode = mode == 3 ? RG_RESIZE_LINEAR : (rg_resize_mode)mode;
  out->coordinate = (rg_coordinate_mode)coordinate;
  out->nearest = old ? RG_NEAREST_SIMPLE : (rg_nearest_mode)nearest;
  out->policy = (rg_aspect_policy)policy;
  out->antialias = rg_node_int(node, "antialias", 0) != 0 && out->mode != RG_RESIZE_NEAREST;
  out->exclude_outside = rg_node_int(node, "exclude_outside", 0) != 0;
  out->cubic_a = rg_node_float(node, "cubic_coeff_a", -0.75f);
  out->extrapolation = rg_node_float(node, "extrapolation_value", 0);
  return RANGO_OK;
}

int rg_resize_scales_input(const rg_node *node) {
  if (node->op[0] == 'U') return node->version < 9 ? -1 : 1;
  return node->version < 11 ? 1 : 2;
}
int rg_resize_sizes_input(const rg_node *node) { return node->op[0] == 'R' && node->version >= 11 ? 3 : -1; }
int rg_resize_roi_input(const rg_node *node) { return node->op[0] == 'R' && node->version >= 11 ? 1 : -1; }

const char *rg_resize_axes(const rg_node *node, int rank, int *axes, int *count) {
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

float rg_resize_original(const rg_resize *r, int axis, int64_t at) {
  float x = (float)at, scale = r->scale[axis], in = (float)r->in[axis], out = (float)r->out[axis];
  switch (r->coordinate) {
  case RG_COORDINATE_HALF_PIXEL:
    return (x + 0.5f) / scale - 0.5f;
  case RG_COORDINATE_HALF_PIXEL_SYMMETRIC: {
    float adjustment = out / (scale * in);
    return in / 2 * (1 - adjustment) + (x + 0.5f) / scale - 0.5f;
  }
  case RG_COORDINATE_PYTORCH_HALF_PIXEL:
    return r->out[axis] > 1 ? (x + 0.5f) / scale - 0.5f : 0;
  case RG_COORDINATE_ALIGN_CORNERS:
    return r->out[axis] == 1 ? 0 : x * (in - 1) / (out - 1);
  case RG_COORDINATE_ASYMMETRIC:
    return x / scale;
  case RG_COORDINATE_TF_HALF_PIXEL:
    return (x + 0.5f) / scale;
  case RG_COORDINATE_CROP:
    return r->out[axis] > 1 ? r->start[axis] * (in - 1) + x * (r->end[axis] - r->start[axis]) * (in - 1) / (out - 1)
                            : 0.5f * (r->start[axis] + r->end[axis]) * (in - 1);
  }
  return 0;
}

float rg_resize_nearest(const rg_resize *r, int axis, float x) {
  switch (r->nearest) {
  case RG_NEAREST_PREFER_FLOOR:
    return x == floorf(x) + 0.5f ? floorf(x) : roundf(x);
  case RG_NEAREST_PREFER_CEIL:
    return floorf(x + 0.5f);
  case RG_NEAREST_FLOOR:
    return floorf(x);
  case RG_NEAREST_CEIL:
    return ceilf(x);
  case RG_NEAREST_SIMPLE:
    return r->scale[axis] < 1 ? ceilf(x) : truncf(x);
  }
  return x;
}

int64_t rg_resize_clamp(float x, int64_t size) {
  if (!(x > 0)) return 0;
  return x >= (float)size ? size - 1 : (int64_t)x < size ? (int64_t)x : size - 1;
}

/* ---- images ---- */

/* The scales where they can be known: constant, or following from sizes (an empty tensor is as good as none). */
static bool read_scales(const rg_node *node, const rg_fact *x, const rg_fact *y, const rango_tensor *scales,
                        const rg_fact *sizes, rg_resize *r) {
  int axes[RANGO_MAX_RANK], count;
  if (rg_resize_axes(node, x->rank, axes, &count)) return false;
  if (sizes && (sizes->rank != 1 || !rg_size_is_known(sizes->dims[0]))) return false;
  for (int i = 0; i < x->rank; i++) {
    r->in[i] = x->dims[i];
    r->out[i] = y->dims[i];
    r->scale[i] = 1;
  }
  const bool by_sizes = sizes && sizes->dims[0] > 0;
  const rg_attr *attribute = rg_resize_scales_input(node) < 0 ? rg_node_attr(node, "scales") : NULL;
  if (attribute
          ? attribute->kind != RG_ATTR_FLOATS || attribute->count != (size_t)count
          : !by_sizes && (!scales || scales->type != RANGO_FLOAT32 || scales->bytes != (size_t)count * sizeof(float)))
    return false;
  for (int i = 0; i < count; i++) {
    const int axis = axes[i];
    if (r->in[axis] == 0) return false;
    r->scale[axis] = attribute  ? attribute->floats[i]
                     : by_sizes ? (float)r->out[axis] / (float)r->in[axis]
                                : ((const float *)scales->data)[i];
  }
  return true;
}

bool rg_resize_image(const rg_node *node, const rg_fact *x, const rg_fact *y, const rango_tensor *scales,
                     const rg_fact *sizes, rg_resize *out) {
  if (rg_resize_read_modes(node, out) != RANGO_OK) return false;
  if (x->type != RANGO_FLOAT32 || (x->rank != 3 && x->rank != 4) || out->mode == RG_RESIZE_CUBIC || out->antialias ||
      out->exclude_outside || out->coordinate == RG_COORDINATE_CROP || out->policy != RG_ASPECT_STRETCH)
    return false;
  out->rank = x->rank;
  if (!read_scales(node, x, y, scales, sizes, out)) return false;
  for (int axis = 0; axis < 2; axis++)
    if (out->scale[axis] != 1 || out->in[axis] != out->out[axis]) return false;
  return true;
}

rg_resize_tap rg_resize_tap_of(const rg_resize *r, int axis, int64_t at) {
  const int64_t in = r->in[axis];
  if (r->scale[axis] == 1 && in == r->out[axis]) return (rg_resize_tap){at, at, 0};
  float x = rg_resize_original(r, axis, at);
  if (r->mode == RG_RESIZE_NEAREST) {
    const int64_t nearest = rg_resize_clamp(rg_resize_nearest(r, axis, x), in);
    return (rg_resize_tap){nearest, nearest, 0};
  }
  x = fminf(fmaxf(x, 0), (float)(in - 1));
  const int64_t low = rg_resize_clamp(floorf(x), in);
  return (rg_resize_tap){low, low + 1 < in ? low + 1 : low, x - floorf(x)};
}
