/*
 * Loops that several families share. Like the families themselves they are compiled twice, and each build's families
 * call their own: in the scalar build the names below end in _scalar. Defined in family_matmul.c and family_conv.c.
 */
#ifndef RG_OPS_TWICE_H
#define RG_OPS_TWICE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef RG_OPS_SCALAR
#define rg_product_f32 rg_product_f32_scalar
#define rg_product_f64 rg_product_f64_scalar
#define rg_conv_f32    rg_conv_f32_scalar
#endif

/* c[i][j] += sum over p of a(i, p) * b(p, j), p ascending. a(i, p) = a[i * a_row + p * a_column], b likewise; c is
 * dense [rows][columns]. */
typedef struct rg_product {
  int64_t rows, inner, columns;
  int64_t a_row, a_column, b_row, b_column;
} rg_product;

void rg_product_f32(const rg_product *shape, const float *a, const float *b, float *c);
void rg_product_f64(const rg_product *shape, const double *a, const double *b, double *c);

/* A convolution; axes that the operator lacks have size 1. Strides are in elements, for axes n, c, d, h, w. */
typedef struct rg_conv_shape {
  int64_t batch, group;
  int64_t in_channels, out_channels; /* of one group */
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
  int64_t x_stride[5], y_stride[5];
} rg_conv_shape;

/* y = conv(x, w) + bias; w is dense [group * out_channels][in_channels][kernel...], bias [group * out_channels] or
 * NULL. */
void rg_conv_f32(const rg_conv_shape *shape, const float *x, const float *w, const float *bias, float *y);

#endif
