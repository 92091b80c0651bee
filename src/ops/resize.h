/* Resize: attributes and coordinates, which the operator and the CPU backend's kernel share. Coordinates are computed
 * in float32, so that ties of the nearest modes fall as in ONNX Runtime. */
#ifndef RG_OPS_RESIZE_H
#define RG_OPS_RESIZE_H

#include "ops/op.h"

typedef enum rg_resize_mode { RG_RESIZE_NEAREST, RG_RESIZE_LINEAR, RG_RESIZE_CUBIC } rg_resize_mode;
typedef enum rg_coordinate_mode {
  RG_COORDINATE_HALF_PIXEL,
  RG_COORDINATE_HALF_PIXEL_SYMMETRIC,
  RG_COORDINATE_PYTORCH_HALF_PIXEL,
  RG_COORDINATE_ALIGN_CORNERS,
  RG_COORDINATE_ASYMMETRIC,
  RG_COORDINATE_TF_HALF_PIXEL,
  RG_COORDINATE_CROP
} rg_coordinate_mode;
typedef enum rg_nearest_mode {
  RG_NEAREST_PREFER_FLOOR,
  RG_NEAREST_PREFER_CEIL,
  RG_NEAREST_FLOOR,
  RG_NEAREST_CEIL,
  RG_NEAREST_SIMPLE
} rg_nearest_mode;
typedef enum rg_aspect_policy { RG_ASPECT_STRETCH, RG_ASPECT_NOT_LARGER, RG_ASPECT_NOT_SMALLER } rg_aspect_policy;

typedef struct rg_resize {
  rg_resize_mode mode;
  rg_coordinate_mode coordinate;
  rg_nearest_mode nearest;
  rg_aspect_policy policy;
  bool antialias, exclude_outside;
  float cubic_a, extrapolation;
  int rank;
  int64_t in[RANGO_MAX_RANK], out[RANGO_MAX_RANK];
  float scale[RANGO_MAX_RANK], start[RANGO_MAX_RANK], end[RANGO_MAX_RANK]; /* start, end: of the region of interest */
} rg_resize;

/* Fills what the attributes say, everything else 0. RANGO_ERROR_UNSUPPORTED on a mode that isn't ONNX's. */
rango_status rg_resize_read_modes(const rg_node *node, rg_resize *out);
/* Which inputs hold what; -1: none. */
int rg_resize_scales_input(const rg_node *node);
int rg_resize_sizes_input(const rg_node *node);
int rg_resize_roi_input(const rg_node *node);
/* The axes that scales, sizes and roi are about: all, or attribute `axes` (opset 18). NULL, or what is wrong. */
const char *rg_resize_axes(const rg_node *node, int rank, int *axes, int *count);

/* Where output position `at` of an axis lies in the input; in, out, scale, start and end of the axis are set. */
float rg_resize_original(const rg_resize *r, int axis, int64_t at);
/* The element taken for it by the nearest modes, before clamping; and clamping, to [0, size). */
float rg_resize_nearest(const rg_resize *r, int axis, float x);
int64_t rg_resize_clamp(float x, int64_t size);

/* What the backends' kernels do: float32 images [N, C, ...] of one or two spatial axes, nearest or linear, by scales
 * that are known beforehand (`scales`: the constant, or NULL; `sizes` may be NULL). False where it is none; else *out
 * is full. */
bool rg_resize_image(const rg_node *node, const rg_fact *x, const rg_fact *y, const rango_tensor *scales,
                     const rg_fact *sizes, rg_resize *out);
/* Output position `at` of an axis takes (1 - part) of element low and part of element high. */
typedef struct rg_resize_tap {
  int64_t low, high;
  float part;
} rg_resize_tap;
rg_resize_tap rg_resize_tap_of(const rg_resize *r, int axis, int64_t at);

#endif
