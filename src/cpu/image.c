/* See image.h. */
#include "cpu/image.h"

#include <stdio.h>

#include "base/checked.h"

rg_image rg_image_of(const rg_fact *fact, rg_layout layout) {
  rg_image image = {.channels = (size_t)fact->dims[1], .pixels = 1};
  for (int i = 2; i < fact->rank; i++) image.pixels *= (size_t)fact->dims[i];
  const bool last = layout == RG_CHANNELS_LAST;
  image.image_step = image.channels * image.pixels;
  image.pixel_step = last ? image.channels : 1;
  image.channel_step = last ? 1 : image.pixels;
  return image;
}

/* The attributes of one half of a pair: lists named with a suffix, pads always given as numbers. */
static rango_status read_suffixed(const rg_node *node, const char *suffix, int spatial, const int64_t *kernel,
                                  rg_window *window) {
  static const char *const names[] = {"strides", "dilations", "pads"};
  const int64_t *lists[3];
  for (int i = 0; i < 3; i++) {
    char name[24];
    size_t count;
    snprintf(name, sizeof name, "%s%s", names[i], suffix);
    lists[i] = rg_node_ints(node, name, &count);
    RG_FAIL_IF(lists[i] != NULL && count != (size_t)spatial * (i == 2 ? 2 : 1), RANGO_ERROR_FORMAT,
               "%s: attribute '%s' has %zu elements", rg_node_text(node), name, count);
  }
  *window = (rg_window){.spatial = spatial};
  for (int i = 0; i < spatial; i++) {
    window->kernel[i] = kernel[i];
    window->stride[i] = lists[0] != NULL ? lists[0][i] : 1;
    window->dilation[i] = lists[1] != NULL ? lists[1][i] : 1;
    window->pad_begin[i] = lists[2] != NULL ? lists[2][i] : 0;
  }
  return RANGO_OK;
}

rango_status rg_conv_geometry_read(const rg_node *node, const char *suffix, const rg_fact *x, const rg_fact *w,
                                   const rg_fact *y, rg_conv_geometry *out) {
  const int spatial = x->rank - 2;
  rg_window window;
  char name[16];
  if (suffix[0] == '\0')
    RG_TRY(rg_window_read(node, spatial, w->dims + 2, &window));
  else
    RG_TRY(read_suffixed(node, suffix, spatial, w->dims + 2, &window));
  snprintf(name, sizeof name, "group%s", suffix);
  *out = (rg_conv_geometry){.batch = (size_t)x->dims[0], .groups = (size_t)rg_node_int(node, name, 1), .taps = 1};
  out->group_in = (size_t)x->dims[1] / out->groups;
  out->group_out = (size_t)y->dims[1] / out->groups;
  for (int i = 0; i < 3; i++) {
    const int axis = i - (3 - spatial); /* leading axes that aren't there have one pixel */
    out->in[i] = out->out[i] = out->kernel[i] = out->stride[i] = out->dilation[i] = 1;
    if (axis < 0) continue;
    if (suffix[0] == '\0') rg_window_output(&window, axis, x->dims[2 + axis]); /* settles pads of auto_pad */
    out->in[i] = x->dims[2 + axis];
    out->out[i] = y->dims[2 + axis];
    out->kernel[i] = w->dims[2 + axis];
    out->stride[i] = window.stride[axis];
    out->dilation[i] = window.dilation[axis];
    out->pad[i] = window.pad_begin[axis];
    out->taps *= (size_t)out->kernel[i];
  }
  return RANGO_OK;
}

rango_status rg_conv_middle(const rg_node *node, const rg_fact *x, const rg_fact *w1, rg_fact *out) {
  const int spatial = x->rank - 2;
  size_t strides, dilations, pads;
  const int64_t *stride = rg_node_ints(node, "strides1", &strides);
  const int64_t *dilation = rg_node_ints(node, "dilations1", &dilations);
  const int64_t *pad = rg_node_ints(node, "pads1", &pads);
  *out = *x;
  out->constant = NULL;
  out->dims[1] = w1->dims[0];
  for (int i = 0; i < spatial; i++) {
    const int64_t d = dilation != NULL && (size_t)i < dilations ? dilation[i] : 1;
    const int64_t s = stride != NULL && (size_t)i < strides ? stride[i] : 1;
    const int64_t p = pad != NULL && (size_t)spatial + (size_t)i < pads ? pad[i] + pad[spatial + i] : 0;
    int64_t reach;
    RG_FAIL_IF(!rg_mul_i64(d, w1->dims[2 + i] - 1, &reach) || s < 1, RANGO_ERROR_LIMIT,
               "%s: stride or dilation out of range", rg_node_text(node));
    out->dims[2 + i] = (x->dims[2 + i] + p - reach - 1) / s + 1;
  }
  return RANGO_OK;
}

bool rg_conv_is_pointwise(const rg_conv_geometry *geometry) {
  for (int i = 0; i < 3; i++)
    if (geometry->kernel[i] != 1 || geometry->stride[i] != 1 || geometry->pad[i] != 0 ||
        geometry->in[i] != geometry->out[i])
      return false;
  return true;
}

bool rg_pool_geometry_read(const rg_node *node, const rg_fact *x, const rg_fact *y, rg_pool_geometry *out) {
  const int spatial = x->rank - 2;
  rg_window window;
  if (rg_window_read(node, spatial, NULL, &window) != RANGO_OK) return false;
  *out = (rg_pool_geometry){.in = {1}, .out = {1}, .kernel = {1}, .stride = {1}, .dilation = {1}};
  for (int axis = 0; axis < spatial; axis++) {
    const int i = axis + 2 - spatial;
    out->in[i] = x->dims[2 + axis];
    out->out[i] = rg_window_output(&window, axis, out->in[i]);
    out->kernel[i] = window.kernel[axis];
    out->stride[i] = window.stride[axis];
    out->dilation[i] = window.dilation[axis];
    out->pad[i] = window.pad_begin[axis];
    out->pad_end[i] = window.pad_end[axis];
    if (out->out[i] != y->dims[2 + axis]) return false;
  }
  return true;
}
