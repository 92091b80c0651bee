/* Products of matrices that lie in tensors: what dense layers, Gemm, MatMul and low-rank pairs share. */
#ifndef RG_CPU_PRODUCT_H
#define RG_CPU_PRODUCT_H

#include "cpu/right.h"

/* All inputs that are there and output 0 are float32 with known shapes, in row-major order. */
bool rg_cpu_is_plain(const rg_prepare *prepare);
/* Product of dims [begin, end) of a fact with a concrete shape (checked when the tensor was made). */
size_t rg_cpu_count(const rg_fact *fact, int begin, int end);

/* The operands of rg_gemm_run: element (i, q) of item's left operand is a[a_items[item] + i * a_row + q * a_column]. */
typedef struct rg_product {
  const float *a;
  size_t a_row, a_column, k;
  const size_t *a_items;    /* offsets, or NULL: 0 */
  const float *b;           /* packed, or */
  const rg_right *unpacked; /* lying as this says (rg_product_takes_sgemm) */
  const size_t *b_items;    /* offsets, or NULL: 0 */
  float *c;                 /* [items][m][n] */
  size_t c_item;
  const float *bias;     /* [n] or NULL */
  const float *residual; /* like c, or NULL */
  size_t first_row;      /* that c and residual begin with */
} rg_product;

/* What right->unpacked has to be for a product of `m` rows by `right`: whether the kernel table has an sgemm and the
 * product is one for it, large and with elements that can be read where they lie. */
bool rg_product_takes_sgemm(const rg_prepare *prepare, const rg_right *right, size_t m);

/* Runs a plan made with segments 1 and, where a_column isn't 1, pack_floats k. */
void rg_product_run(const rg_gemm *gemm, const rg_product *product, rg_activation activation, rango_threads *threads,
                    void *scratch);
/* The callbacks and strides behind it, for rg_gemm_run_rows. */
rg_gemm_args rg_product_args(const rg_gemm *gemm, const rg_product *product, rg_activation activation);

#endif
