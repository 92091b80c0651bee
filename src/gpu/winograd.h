/* 3 x 3 convolutions of stride 1 by Winograd's method (kernels/winograd.h): the windows' transform, a product for each
 * point of a window over the tiles of the output, and the transform back. Multiply-adds are a 2.25th (tiles of 2 x 2
 * pixels) or a quarter (4 x 4); the price is memory's traffic, and weights 16/9 or 4 times as large. */
#ifndef RG_GPU_WINOGRAD_H
#define RG_GPU_WINOGRAD_H

#include "gpu/product.h"

/* Whether the method applies: one group, both images channels-last. */
bool rg_gpu_winograd_applies(const rg_conv_geometry *geometry);

/* The side of the tiles, 2 or 4, by which a convolution that it applies to takes less than `*cost`, and what it takes
 * then (as rg_gpu_product_cost); 0: none does. */
int64_t rg_gpu_winograd_choose(const rg_gpu_prepare *prepare, const rg_conv_geometry *geometry, double *cost);

/* Adds the tasks for tiles of that side. The input `weight` is the node's constant; of `finish` x, bias, residual, y
 * and activation are read. Adds none where sizes are beyond what shaders count. */
rango_status rg_gpu_winograd_add(rg_gpu_prepare *prepare, int weight, const rg_conv_geometry *geometry, int64_t tile,
                                 const rg_gpu_product *finish);

#endif
