/* The right operand of a node's matrix products: constant weights packed once into the model's cache, others packed
 * into scratch at every run. */
#ifndef RG_CPU_RIGHT_H
#define RG_CPU_RIGHT_H

#include "cpu/gemm.h"

/* `matrices` operands of taps * k rows and n columns. Element (matrix, tap, q, j) lies at
 * matrix * matrix_step + tap_order[tap] * tap_step + q * row + j * column of the tensor. */
typedef struct rg_right {
  const rg_kernels *kernels;
  int input; /* which input of the node */
  size_t matrices, taps, k, n;
  size_t matrix_step, tap_step, row, column;
  const size_t *tap_order; /* [taps], following from the other fields of the node; NULL: 0, 1, ... */
  float scale;
  size_t merged; /* over 1: a matrix has that many of a convolution's groups as blocks on its diagonal; the tensor,
                    which must be constant, is [matrices * n][k / merged][taps] */
  bool unpacked; /* left where it lies, for rg_product_run alone (product.h) */
  size_t matrix_floats;  /* of one packed */
  const float *constant; /* packed already, or NULL */
} rg_right;

/* Operand `input` of a node as one matrix: k x n as its two axes say, or n x k when `transposed`; unpacked, scale 1. */
rg_right rg_right_matrix(const rg_prepare *prepare, int input, bool transposed);
/* After all fields above matrix_floats are set: packs a constant input, or adds the scratch that packing will take;
 * neither where `unpacked`. */
rango_status rg_right_prepare(rg_right *right, rg_prepare *prepare);
/* The operands, packed or not, `matrix_floats` apart. */
rango_status rg_right_get(const rg_right *right, rg_exec *exec, const float **out);

#endif
