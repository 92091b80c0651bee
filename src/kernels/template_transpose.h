/* The transpose of a matrix of 4-byte elements, in tiles of whole vectors. */

#define TRANSPOSE_BLOCK                                                                                                \
  64 /* rows of a block: its part of x, and the lines of y it fills, stay in the first-level cache */

static void transpose_block(const float *x, size_t ldx, float *y, size_t ldy, size_t rows, size_t cols) {
  size_t c = 0;
  for (; c + RG_LANES <= cols; c += RG_LANES) {
    size_t r = 0;
    for (; r + RG_LANES <= rows; r += RG_LANES) v_transpose_tile(x + r * ldx + c, ldx, y + c * ldy + r, ldy);
    for (; r < rows; r++)
      for (size_t j = c; j < c + RG_LANES; j++) memcpy(y + j * ldy + r, x + r * ldx + j, sizeof *y);
  }
  for (; c < cols; c++)
    for (size_t r = 0; r < rows; r++) memcpy(y + c * ldy + r, x + r * ldx + c, sizeof *y);
}

/* A few rows become a few neighbouring elements (the colours of an image), or the other way about: element by element,
 * with the smaller count known to the compiler. */
static inline void transpose_few(const float *x, size_t x_few, size_t x_many, float *y, size_t y_few, size_t y_many,
                                 const size_t few, size_t many) {
  for (size_t i = 0; i < many; i++)
    for (size_t j = 0; j < few; j++) memcpy(y + j * y_few + i * y_many, x + j * x_few + i * x_many, sizeof *y);
}

static void transpose_thin(const float *x, size_t x_few, size_t x_many, float *y, size_t y_few, size_t y_many,
                           size_t few, size_t many) {
  if (few == 1)
    transpose_few(x, x_few, x_many, y, y_few, y_many, 1, many);
  else if (few == 2)
    transpose_few(x, x_few, x_many, y, y_few, y_many, 2, many);
  else if (few == 3)
    transpose_few(x, x_few, x_many, y, y_few, y_many, 3, many);
  else
    transpose_few(x, x_few, x_many, y, y_few, y_many, 4, many);
}

static void transpose(const float *x, size_t ldx, float *y, size_t ldy, size_t rows, size_t cols) {
  if (rows == 0 || cols == 0) return;
  if (rows <= 4) {
    transpose_thin(x, ldx, 1, y, 1, ldy, rows, cols);
    return;
  }
  if (cols <= 4) {
    transpose_thin(x, 1, ldx, y, ldy, 1, cols, rows);
    return;
  }
  for (size_t r = 0; r < rows; r += TRANSPOSE_BLOCK) {
    const size_t n = rows - r < TRANSPOSE_BLOCK ? rows - r : TRANSPOSE_BLOCK;
    transpose_block(x + r * ldx, ldx, y + r, ldy, n, cols);
  }
}
