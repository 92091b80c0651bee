/* Geometry of convolution and pooling windows. */
#include "ops/support.h"

#include <string.h>

#define EXTENT_MAX ((int64_t)1 << 30) /* of every window number: products of two stay in 63 bits */

/* A list attribute of one number an axis; `out` keeps its defaults when the attribute is absent. */
static rango_status read_list(const rg_node *node, const char *name, int expected, int64_t least, int64_t *out) {
  size_t count;
  const int64_t *values = rg_node_ints(node, name, &count);
  if (!values) return RANGO_OK;
  if (count != (size_t)expected)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute %s has %zu entries, expected %d", rg_node_text(node), name, count,
            expected);
  for (int i = 0; i < expected; i++) {
    if (values[i] < least || values[i] > EXTENT_MAX)
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute %s has the entry %lld, which is out of range", rg_node_text(node),
              name, (long long)values[i]);
    out[i] = values[i];
  }
  return RANGO_OK;
}

static rango_status read_kernel(const rg_node *node, const int64_t *kernel, rg_window *out) {
  for (int i = 0; i < out->spatial; i++) out->kernel[i] = kernel ? kernel[i] : RG_SIZE_UNKNOWN;
  RG_TRY(read_list(node, "kernel_shape", out->spatial, 1, out->kernel));
  for (int i = 0; i < out->spatial; i++) {
    if (kernel && rg_size_is_known(kernel[i]) && kernel[i] != out->kernel[i])
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute kernel_shape says %lld on axis %d, the weight %lld",
              rg_node_text(node), (long long)out->kernel[i], i, (long long)kernel[i]);
    if (!rg_size_is_known(out->kernel[i]))
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute kernel_shape is missing", rg_node_text(node));
    if (out->kernel[i] < 1 || out->kernel[i] > EXTENT_MAX)
      RG_FAIL(RANGO_ERROR_FORMAT, "%s: a kernel of size %lld on axis %d", rg_node_text(node), (long long)out->kernel[i],
              i);
  }
  return RANGO_OK;
}

rango_status rg_window_read(const rg_node *node, int spatial, const int64_t *kernel, rg_window *out) {
  int64_t pads[2 * RANGO_MAX_RANK] = {0};
  memset(out, 0, sizeof *out);
  if (spatial < 1 || spatial > RANGO_MAX_RANK - 2)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: %d spatial axes", rg_node_text(node), spatial);
  out->spatial = spatial;
  for (int i = 0; i < spatial; i++) out->stride[i] = out->dilation[i] = 1;
  RG_TRY(read_kernel(node, kernel, out));
  RG_TRY(read_list(node, "strides", spatial, 1, out->stride));
  RG_TRY(read_list(node, "dilations", spatial, 1, out->dilation));
  const char *mode = rg_node_string(node, "auto_pad", "NOTSET");
  out->same_upper = strcmp(mode, "SAME_UPPER") == 0;
  out->same_lower = strcmp(mode, "SAME_LOWER") == 0;
  if (strcmp(mode, "NOTSET") == 0 || mode[0] == '\0')
    RG_TRY(read_list(node, "pads", 2 * spatial, 0, pads));
  else if (!out->same_upper && !out->same_lower && strcmp(mode, "VALID") != 0)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: auto_pad '%s' is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER",
            rg_node_text(node), mode);
  for (int i = 0; i < spatial; i++) {
    out->pad_begin[i] = pads[i];
    out->pad_end[i] = pads[spatial + i];
  }
  out->ceil = rg_node_int(node, "ceil_mode", 0) != 0;
  return RANGO_OK;
}

int64_t rg_window_output(rg_window *window, int axis, int64_t size) {
  int64_t stride = window->stride[axis];
  int64_t extent = (window->kernel[axis] - 1) * window->dilation[axis] + 1;
  if (size < 0 || size > INT64_MAX / 4) return -1;
  if (window->same_upper || window->same_lower) {
    int64_t output = size / stride + (size % stride != 0);
    int64_t pad = output > 0 ? (output - 1) * stride + extent - size : 0;
    if (pad < 0) pad = 0;
    window->pad_begin[axis] = window->same_upper ? pad / 2 : pad - pad / 2;
    window->pad_end[axis] = pad - window->pad_begin[axis];
    return output;
  }
  int64_t room = size + window->pad_begin[axis] + window->pad_end[axis] - extent;
  if (room < 0) return -1;
  int64_t output = room / stride + 1;
  /* With ceil_mode the last window may hang over the end, but must begin within the input or its padding before. */
  if (window->ceil && room % stride != 0 && output * stride < size + window->pad_begin[axis]) output++;
  return output;
}
