/* Matrix product for one element type: included with T and NAME defined (family_matmul.c). No guard. */

/* Up to four rows of c, a block of columns: b's elements are read once for the four. */
static void NAME(rows_by_columns)(const rg_product *shape, const T *a, const T *b, T *c, int64_t rows, int64_t begin,
                                  int64_t end) {
  for (int64_t p = 0; p < shape->inner; p++) {
    const T *b_row = b + p * shape->b_row;
    for (int64_t i = 0; i < rows; i++) {
      T factor = a[i * shape->a_row + p * shape->a_column];
      T *c_row = c + i * shape->columns;
      if (shape->b_column == 1) {
        for (int64_t j = begin; j < end; j++) c_row[j] += factor * b_row[j];
      } else {
        for (int64_t j = begin; j < end; j++) c_row[j] += factor * b_row[j * shape->b_column];
      }
    }
  }
}

/* b is stored column by column: four dot products at a time, so that additions needn't wait for each other. */
static void NAME(row_by_dots)(const rg_product *shape, const T *a, const T *b, T *c) {
  int64_t j = 0;
  for (; j + 4 <= shape->columns; j += 4) {
    const T *b0 = b + j * shape->b_column, *b1 = b0 + shape->b_column, *b2 = b1 + shape->b_column,
            *b3 = b2 + shape->b_column;
    T sum0 = c[j], sum1 = c[j + 1], sum2 = c[j + 2], sum3 = c[j + 3];
    for (int64_t p = 0; p < shape->inner; p++) {
      T factor = a[p * shape->a_column];
      sum0 += factor * b0[p];
      sum1 += factor * b1[p];
      sum2 += factor * b2[p];
      sum3 += factor * b3[p];
    }
    c[j] = sum0;
    c[j + 1] = sum1;
    c[j + 2] = sum2;
    c[j + 3] = sum3;
  }
  for (; j < shape->columns; j++) {
    const T *column = b + j * shape->b_column;
    T sum = c[j];
    for (int64_t p = 0; p < shape->inner; p++) sum += a[p * shape->a_column] * column[p];
    c[j] = sum;
  }
}

static void NAME(product)(const rg_product *shape, const T *a, const T *b, T *c) {
  const int64_t block = 512; /* columns: four rows of c stay in the first cache */
  if (shape->b_row == 1 && shape->b_column != 1) {
    for (int64_t i = 0; i < shape->rows; i++) NAME(row_by_dots)(shape, a + i * shape->a_row, b, c + i * shape->columns);
    return;
  }
  for (int64_t i = 0; i < shape->rows; i += 4) {
    int64_t rows = shape->rows - i < 4 ? shape->rows - i : 4;
    for (int64_t j = 0; j < shape->columns; j += block) {
      int64_t end = shape->columns - j < block ? shape->columns : j + block;
      NAME(rows_by_columns)(shape, a + i * shape->a_row, b, c + i * shape->columns, rows, j, end);
    }
  }
}
