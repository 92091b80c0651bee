/* Matrix products and convolutions as tasks: which tile runs them, and in how many parts. */
#ifndef RG_GPU_PRODUCT_H
#define RG_GPU_PRODUCT_H

#include "cpu/image.h"
#include "gpu/families.h"

/* y = activation(x w + bias + residual) for `matrices` matrices: x [m][k], w [k][n], y [m][n]. Steps in elements. */
typedef struct rg_gpu_product {
  const rg_conv_geometry *conv; /* NULL: x is a matrix. Otherwise its rows are the windows of an image */
  int64_t matrices, m, n, k;
  int64_t x_row, y_row, w_row;
  int64_t x_matrix, w_matrix, y_matrix;
  int64_t w_columns;                      /* n, or more where w is padded */
  bool by_columns;                        /* w lies [n][k rounded up to 4]: for few rows (rg_gpu_right_get_few) */
  rg_gpu_operand x, w, bias, residual, y; /* bias, residual: RG_GPU_NONE where there is none */
  rg_activation activation;
} rg_gpu_product;

/* Adds one task, or two where k is split. Adds none where the sizes are beyond what shaders count. */
rango_status rg_gpu_product_add(rg_gpu_prepare *prepare, const rg_gpu_product *product);

/* Microseconds that it takes, to compare with other ways; infinite where sizes are beyond what shaders count. The
 * operands don't matter. */
double rg_gpu_product_cost(const rg_gpu_prepare *prepare, const rg_gpu_product *product);

/* What products are made of: a group computes rows x columns results, `depth` columns of x a step. */
typedef struct rg_gpu_tile {
  int shader;
  int64_t rows, columns, depth;
  bool pair;        /* of two products in one */
  rg_gpu_rate rate; /* built in: measured on one GPU */
} rg_gpu_tile;
rg_gpu_tile rg_gpu_tile_get(int index); /* 0 ... RG_GPU_TILES - 1 */

/* For measuring: one task of the tile alone, on grid[0] x grid[1] groups, y [rows * grid[0]][columns * grid[1]] = x w
 * of k columns; a pair, with grid[1] 1, multiplies that by the first rows of w again. x, w: inputs 0 and 1, y: output
 * 0. */
rango_status rg_gpu_tile_add(rg_gpu_prepare *prepare, int index, const int64_t grid[2], int64_t k);

/* For shaders: 1, there is a bias; 2, a residual. */
uint32_t rg_gpu_product_flags(const rg_gpu_product *product);

/* Two products of which the second's x is the first's y: `first->y`, `second->x` are the function's to choose. */
rango_status rg_gpu_pair_add(rg_gpu_prepare *prepare, const rg_gpu_product *first, const rg_gpu_product *second);
double rg_gpu_pair_cost(const rg_gpu_prepare *prepare, const rg_gpu_product *first, const rg_gpu_product *second);

/* The constant input `input` as w [matrices][k][n rounded up to 4], and product->w_... to fit. Element (matrix, k, n)
 * of the weight is at matrix * matrix_step + k * row + n * column; with `taps` > 1, k is tap * channels + channel and
 * lies at channel * row + tap. */
typedef struct rg_gpu_right {
  int64_t matrices, taps, k, n;
  int64_t matrix_step, row, column;
  float scale;
} rg_gpu_right;
rango_status rg_gpu_right_get(rg_gpu_prepare *prepare, int input, const rg_gpu_right *right, rg_gpu_product *product);
/* What it makes of `product`, but for the weight itself. */
void rg_gpu_right_shape(const rg_gpu_right *right, rg_gpu_product *product);

/* The same turned round, for at most RG_GPU_FEW_ROWS rows of x: each column of w is read by the threads that sum it up.
 */
#define RG_GPU_FEW_ROWS 4
rango_status rg_gpu_right_get_few(rg_gpu_prepare *prepare, int input, const rg_gpu_right *right,
                                  rg_gpu_product *product);

/* Binds input `input` where the node has it, or leaves the operand RG_GPU_NONE. */
rango_status rg_gpu_optional(rg_gpu_prepare *prepare, int input, rg_gpu_operand *out);

#endif
