/*
 * Transforms of Winograd's convolution (Winograd 1980; Lavin and Gray 2016, equation 11): a tile of m x m output pixels
 * of an r x r convolution of stride 1 from a window of s x s input pixels, s = m + r - 1,
 *
 *   Y = A^T [sum over channels (G w G^T) . (B^T d B)] A,
 *
 * with one matrix product over the channels for each of the window's s^2 points; for r x 1 and 1 x r the same without
 * what stands on the right, on lines of m and s pixels. Channels-last.
 *
 * The points of interpolation are 0, infinity and pairs +-a: 1 for s = 4, and for s = 6 and s = 8 those of the
 * sixteenths tried that have the least error: with 64 channels and r = 3, 9e-7 of the largest output for s = 6, 6e-6
 * for s = 8; the direct sum has 1.5e-7 (usual points 0, 1, 2 and 1/2: 4e-6 and 7e-6). r = 5: 4e-7 for s = 6, 5e-6 for s
 * = 8.
 */
#ifndef RG_KERNELS_WINOGRAD_H
#define RG_KERNELS_WINOGRAD_H

#include "kernels/kernels.h"

#define RG_WINOGRAD_SIDE_MAX 8 /* of a window */

/* Points of s = 6 and s = 8, 0 and infinity aside. */
#define RG_WINOGRAD6_A 0.75f
#define RG_WINOGRAD6_B 1.5f
#define RG_WINOGRAD8_A 0.5f
#define RG_WINOGRAD8_B 1.0f
#define RG_WINOGRAD8_C 1.75f

/* v[point][c] = (B^T d B)[point], or (B^T d)[point] of a line, for c < channels; the point (i, j) is i * side + j. */
typedef struct rg_winograd_input {
  size_t side;                             /* of the window: 4, 6 or 8 */
  bool line;                               /* rows are the pixels of a line; steps, begin and end aren't read */
  const float *rows[RG_WINOGRAD_SIDE_MAX]; /* the window's rows, at column `begin`; zeros [channels] outside */
  size_t steps[RG_WINOGRAD_SIDE_MAX];      /* floats from a row's pixel to the next; 0 for the zeros */
  size_t begin, end;                       /* columns of the window that lie inside the image */
  size_t channels;
  float *v;
  size_t v_step; /* floats from a point to the next */
} rg_winograd_input;

/* y(i, j)[c] = clip((A^T z A)(i, j) + bias[c] + residual(i, j)[c]) for i < rows, j < columns, c < channels; of a line
 * y(i, 0)[c], with A^T z. */
typedef struct rg_winograd_output {
  size_t side, m; /* m is even, at most side - 2 */
  bool line;
  const float *z; /* [points][z_step] */
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
