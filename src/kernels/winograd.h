/*
 * Transforms of Winograd's convolution (Winograd 1980; Lavin and Gray 2016, equation 11): a tile of m x m output pixels
 * of a 3 x 3 convolution of stride 1 from a window of (m + 2) x (m + 2) input pixels,
 *
 *   Y = A^T [sum over channels (G w G^T) . (B^T d B)] A,
 *
 * with one matrix product over the channels for each of the window's (m + 2)^2 points. Channels-last.
 *
 * The points of interpolation are 0, infinity and pairs +-a: 1 for m = 2, and for m = 4 and m = 6 those of the
 * sixteenths tried that have the least error: with 64 channels 9e-7 of the largest output for m = 4, 6e-6 for m = 6;
 * the direct sum has 1.5e-7 (usual points 0, 1, 2 and 1/2: 4e-6 and 7e-6).
 */
#ifndef RG_KERNELS_WINOGRAD_H
#define RG_KERNELS_WINOGRAD_H

#include "kernels/kernels.h"

#define RG_WINOGRAD_SIDE_MAX 8 /* of a window */

/* Points of m = 4 and m = 6, 0 and infinity aside. */
#define RG_WINOGRAD4_A 0.75f
#define RG_WINOGRAD4_B 1.5f
#define RG_WINOGRAD6_A 0.5f
#define RG_WINOGRAD6_B 1.0f
#define RG_WINOGRAD6_C 1.75f

/* v[point][c] = (B^T d B)[point] for c < channels; the point (i, j) is i * (m + 2) + j. */
typedef struct rg_winograd_input {
  size_t m;                                /* 2, 4 or 6 */
  const float *rows[RG_WINOGRAD_SIDE_MAX]; /* the window's rows, at column `begin`; zeros [channels] outside */
  size_t steps[RG_WINOGRAD_SIDE_MAX];      /* floats from a row's pixel to the next; 0 for the zeros */
  size_t begin, end;                       /* columns of the window that lie inside the image */
  size_t channels;
  float *v;
  size_t v_step; /* floats from a point to the next */
} rg_winograd_input;

/* y(i, j)[c] = clip((A^T z A)(i, j) + bias[c] + residual(i, j)[c]) for i < rows, j < columns, c < channels. */
typedef struct rg_winograd_output {
  size_t m;
  const float *z; /* [(m + 2)^2][z_step] */
  size_t z_step;
  size_t rows, columns; /* of the tile inside the image, 1 ... m */
  size_t channels;
  float *y;
  size_t y_row, y_pixel; /* floats */
  const float *residual; /* where y is, or NULL; may be y */
  const float *bias;     /* [channels] or NULL */
  float low, high;       /* as in rg_gemm_tile */
} rg_winograd_output;

#endif
