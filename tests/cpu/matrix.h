/* The truth about matrix products: sums in double precision. */
#ifndef TESTS_CPU_MATRIX_H
#define TESTS_CPU_MATRIX_H

#include <stddef.h>

/* c[m][n] = a[m][k] * b[k][n], element (i, j) at i * row + j * column. */
typedef struct matrix {
  const float *data;
  size_t row, column;
} matrix;

static inline void multiply(const matrix *a, const matrix *b, size_t m, size_t n, size_t k, double scale, double *c) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      double sum = 0.0;
      for (size_t q = 0; q < k; q++)
        sum += (double)a->data[i * a->row + q * a->column] * (double)b->data[q * b->row + j * b->column];
      c[i * n + j] = scale * sum;
    }
}

#endif
