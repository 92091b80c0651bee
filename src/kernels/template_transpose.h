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

static void transpose(const float *x, size_t ldx, float *y, size_t ldy, size_t rows, size_t cols) {
  for (size_t r = 0; r < rows; r += TRANSPOSE_BLOCK) {
    const size_t n = rows - r < TRANSPOSE_BLOCK ? rows - r : TRANSPOSE_BLOCK;
    transpose_block(x + r * ldx, ldx, y + r, ldy, n, cols);
  }
}
