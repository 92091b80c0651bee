/* Geometry of convolutions, with one to three spatial axes written as depth, height, width, and of pools; where pixels
 * lie. */
#ifndef RG_CPU_IMAGE_H
#define RG_CPU_IMAGE_H

#include "cpu/cpu.h"

/* Element (image, pixel, channel) of a tensor lies at image * image_step + pixel * pixel_step + channel * channel_step.
 */
typedef struct rg_image {
  size_t channels, pixels;
  size_t image_step, pixel_step, channel_step;
} rg_image;

typedef struct rg_conv_geometry {
  size_t batch, groups;
  size_t group_in, group_out;                                       /* channels of a group */
  size_t taps;                                                      /* of the window */
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3]; /* pad: at the beginning */
  rg_image x, y;
} rg_conv_geometry;

rg_image rg_image_of(const rg_fact *fact, rg_layout layout);
/* Reads a convolution's attributes, named with `suffix` ("" or "1", "2" for the halves of a pair), for an input, a
 * weight and an output of known shapes. */
rango_status rg_conv_geometry_read(const rg_node *node, const char *suffix, const rg_fact *x, const rg_fact *w,
                                   const rg_fact *y, rg_conv_geometry *out);
/* What lies between the halves of a pair: the first's output. */
rango_status rg_conv_middle(const rg_node *node, const rg_fact *x, const rg_fact *w1, rg_fact *out);
/* A pool's over one or two spatial axes. Index 0: height, 1 for one axis alone; 1: width. */
typedef struct rg_pool_geometry {
  int64_t in[2], out[2], kernel[2], stride[2], dilation[2], pad[2], pad_end[2];
} rg_pool_geometry;
/* False where the attributes can't be read, or don't give the output's sizes. */
bool rg_pool_geometry_read(const rg_node *node, const rg_fact *x, const rg_fact *y, rg_pool_geometry *out);
/* One pixel for one pixel, in the same order. */
bool rg_conv_is_pointwise(const rg_conv_geometry *geometry);

#endif
