/* GridSample: an image of any number of spatial axes read at given positions. */
#include "ops/compute.h"

#include <math.h>
#include <string.h>

#define MAX_TAPS 4

typedef enum grid_mode { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC } grid_mode;
typedef enum grid_padding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION } grid_padding;

typedef struct grid {
  grid_mode mode;
  grid_padding padding;
  bool align;
  int spatial;
  int64_t size[RANGO_MAX_RANK]; /* of the image */
} grid;

static bool read_grid(const rg_node *node, grid *out) {
  const char *mode = rg_node_string(node, "mode", "linear"), *padding = rg_node_string(node, "padding_mode", "zeros");
  memset(out, 0, sizeof *out);
  out->align = rg_node_int(node, "align_corners", 0) != 0;
  out->mode = strcmp(mode, "nearest") == 0                                 ? GRID_NEAREST
              : strcmp(mode, "cubic") == 0 || strcmp(mode, "bicubic") == 0 ? GRID_CUBIC
                                                                           : GRID_LINEAR;
  out->padding = strcmp(padding, "border") == 0       ? GRID_BORDER
                 : strcmp(padding, "reflection") == 0 ? GRID_REFLECTION
                                                      : GRID_ZEROS;
  return (out->mode != GRID_LINEAR || strcmp(mode, "linear") == 0 || strcmp(mode, "bilinear") == 0) &&
         (out->padding != GRID_ZEROS || strcmp(padding, "zeros") == 0);
}

static rango_status check_grid(const rg_node *node) {
  grid modes;
  if (!read_grid(node, &modes))
    return rg_fail(RANGO_ERROR_FORMAT, "%s: unknown mode or padding_mode", rg_node_text(node));
  return RANGO_OK;
}

static rango_status infer_grid(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0], *at = infer->inputs[1];
  int64_t dims[RANGO_MAX_RANK];
  if (x->rank >= 0 && at->rank >= 0 && (x->rank != at->rank || x->rank < 3))
    return rg_infer_fail(infer, "the input has %d axes and the grid %d", x->rank, at->rank);
  bool known = x->rank >= 0 && at->rank >= 0;
  for (int i = 0; known && i < x->rank; i++) dims[i] = i < 2 ? x->dims[i] : at->dims[i - 1];
  rg_fact_set(infer->outputs[0], x->type, known ? x->rank : -1, dims);
  return RANGO_OK;
}

/* Folds x back into [low, high] as a mirror at each end would. */
static double reflect(double x, double low, double high) {
  double range = high - low;
  if (range <= 0) return low;
  double beyond = fmod(fabs(x - low), 2 * range);
  return low + (beyond > range ? 2 * range - beyond : beyond);
}

/* Taps of one axis for the normalised position n: indices (-1: reads zero) and weights; returns how many. */
static int axis_taps(const grid *g, int axis, double n, int64_t *index, double *weight) {
  double size = (double)g->size[axis], low = g->align ? 0 : -0.5, high = g->align ? size - 1 : size - 0.5;
  double x = g->align ? (n + 1) / 2 * (size - 1) : ((n + 1) * size - 1) / 2;
  if (!isfinite(x)) x = low;
  if (g->mode == GRID_NEAREST) x = nearbyint(x);
  if (g->padding == GRID_BORDER && g->mode != GRID_CUBIC) x = fmin(fmax(x, 0), size - 1);
  if (g->padding == GRID_REFLECTION && g->mode != GRID_CUBIC && (x < low || x > high)) x = reflect(x, low, high);
  int count = g->mode == GRID_NEAREST ? 1 : g->mode == GRID_LINEAR ? 2 : 4;
  double first = floor(x) - (g->mode == GRID_CUBIC), part = x - floor(x), a = -0.75;
  for (int t = 0; t < count; t++) {
    double position = g->mode == GRID_NEAREST ? x : first + t, d = fabs(position - x);
    if (g->padding == GRID_BORDER) position = fmin(fmax(position, 0), size - 1);
    if (g->padding == GRID_REFLECTION && (position < low || position > high)) position = reflect(position, low, high);
    index[t] = position > -1 && position < size ? (int64_t)position : -1;
    if (g->mode == GRID_NEAREST) weight[t] = 1;
    if (g->mode == GRID_LINEAR) weight[t] = t == 0 ? 1 - part : part;
    if (g->mode == GRID_CUBIC)
      weight[t] = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  }
  return count;
}

/* Sum over all combinations of the axes' taps. */
static double sample(const grid *g, const double *plane, const int *counts, int64_t (*index)[MAX_TAPS],
                     double (*weight)[MAX_TAPS]) {
  int at[RANGO_MAX_RANK] = {0};
  double sum = 0;
  for (;;) {
    int64_t offset = 0;
    double product = 1;
    for (int i = 0; i < g->spatial; i++) {
      if (index[i][at[i]] < 0) product = 0;
      offset = offset * g->size[i] + index[i][at[i]];
      product *= weight[i][at[i]];
    }
    if (product != 0) sum += product * plane[offset];
    int axis = g->spatial - 1;
    while (axis >= 0 && ++at[axis] == counts[axis]) at[axis--] = 0;
    if (axis < 0) return sum;
  }
}

static rango_status compute_grid(rg_exec *exec) {
  const rango_tensor *x, *positions;
  grid g;
  RG_TRY(rg_need_tensor(exec, 0, 3, &x));
  RG_TRY(rg_need_float(exec, 1, 3, &positions));
  int rank = x->shape.rank;
  if (!read_grid(exec->node, &g) || positions->shape.rank != rank || positions->shape.dims[0] != x->shape.dims[0] ||
      positions->shape.dims[rank - 1] != rank - 2)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the grid doesn't fit the input");
  g.spatial = rank - 2;
  rg_shape shape = x->shape;
  for (int i = 0; i < g.spatial; i++) {
    g.size[i] = x->shape.dims[2 + i];
    shape.dims[2 + i] = positions->shape.dims[1 + i];
  }
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y || rg_tensor_elements(y) == 0) return RANGO_OK;
  if (rg_tensor_elements(x) == 0) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input is empty");
  double *image, *at;
  RG_TRY(rg_scratch_doubles(exec, x, &image));
  RG_TRY(rg_scratch_doubles(exec, positions, &at));
  int64_t channels = shape.dims[1], plane = rg_dims_product(&x->shape, 2, rank),
          count = rg_dims_product(&shape, 2, rank);
  for (int64_t n = 0; n < shape.dims[0]; n++) {
    for (int64_t p = 0; p < count; p++) {
      int64_t index[RANGO_MAX_RANK][MAX_TAPS];
      double weight[RANGO_MAX_RANK][MAX_TAPS];
      int counts[RANGO_MAX_RANK] = {0};
      /* The grid names the last axis first. */
      for (int i = 0; i < g.spatial; i++)
        counts[i] = axis_taps(&g, i, at[(n * count + p) * g.spatial + g.spatial - 1 - i], index[i], weight[i]);
      for (int64_t c = 0; c < channels; c++) {
        double value = sample(&g, image + (n * channels + c) * plane, counts, index, weight);
        rg_store_row(y, (n * channels + c) * count + p, 1, 1, &value);
      }
    }
  }
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "GridSample", 16, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_FLOAT_ONLY, check_grid, infer_grid, compute_grid, NULL},
};
RG_OPS_EXPORT(grid, ops);
