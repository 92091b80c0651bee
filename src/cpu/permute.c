#include "cpu/permute.h"

#include <string.h>

#include "cpu/parallel.h"

void rg_permute_make(rg_permute *p, const rg_vector_kernels *kernels, size_t element, int rank, const size_t *dims,
                     const size_t *x_steps) {
  *p = (rg_permute){.kernels = kernels, .element = element, .total = 1};
  for (int i = 0; i < rank; i++) {
    p->total *= dims[i];
    if (dims[i] == 1) continue;
    const int last = p->rank - 1;
    if (p->rank > 0 && p->x_steps[last] == x_steps[i] * dims[i]) {
      p->dims[last] *= dims[i];
      p->x_steps[last] = x_steps[i];
    } else {
      p->dims[p->rank] = dims[i];
      p->x_steps[p->rank++] = x_steps[i];
    }
  }
  if (p->rank == 0) {
    p->dims[0] = p->x_steps[0] = 1;
    p->rank = 1;
  }
  size_t step = 1;
  p->rows = p->cols = p->rank - 1;
  for (int i = p->rank - 1; i >= 0; i--) {
    p->y_steps[i] = step;
    step *= p->dims[i];
    if (p->x_steps[i] == 1) p->cols = i;
  }
}

typedef struct job {
  const rg_permute *permute;
  const char *x;
  char *y;
} job;

#define BLOCK 16 /* rows and columns of a block of the plain transposes: both sides stay in the cache */

#define TRANSPOSE(type)                                                                                                \
  static void transpose_##type(const type *x, size_t ldx, type *y, size_t ldy, size_t rows, size_t cols) {             \
    for (size_t r0 = 0; r0 < rows; r0 += BLOCK)                                                                        \
      for (size_t c0 = 0; c0 < cols; c0 += BLOCK)                                                                      \
        for (size_t c = c0; c < cols && c < c0 + BLOCK; c++)                                                           \
          for (size_t r = r0; r < rows && r < r0 + BLOCK; r++) y[c * ldy + r] = x[r * ldx + c];                        \
  }
typedef struct pair {
  uint64_t half[2];
} pair;
TRANSPOSE(uint8_t)
TRANSPOSE(uint16_t)
TRANSPOSE(uint64_t)
TRANSPOSE(pair)

static void transpose(const rg_permute *p, const char *x, size_t ldx, char *y, size_t ldy, size_t rows, size_t cols) {
  switch (p->element) {
  case 1:
    transpose_uint8_t((const void *)x, ldx, (void *)y, ldy, rows, cols);
    break;
  case 2:
    transpose_uint16_t((const void *)x, ldx, (void *)y, ldy, rows, cols);
    break;
  case 4:
    p->kernels->transpose((const void *)x, ldx, (void *)y, ldy, rows, cols);
    break;
  case 8:
    transpose_uint64_t((const void *)x, ldx, (void *)y, ldy, rows, cols);
    break;
  default:
    transpose_pair((const void *)x, ldx, (void *)y, ldy, rows, cols);
    break;
  }
}

/* Offsets of the i-th combination of the axes other than `rows` and `cols`, the last changing fastest. */
static void offsets(const rg_permute *p, size_t i, size_t *x, size_t *y) {
  *x = *y = 0;
  for (int axis = p->rank - 1; axis >= 0; axis--) {
    if (axis == p->rows || axis == p->cols) continue;
    const size_t index = i % p->dims[axis];
    i /= p->dims[axis];
    *x += index * p->x_steps[axis];
    *y += index * p->y_steps[axis];
  }
}

static void matrices(const void *argument, size_t begin, size_t end) {
  const job *self = argument;
  const rg_permute *p = self->permute;
  for (size_t i = begin; i < end; i++) {
    size_t x, y;
    offsets(p, i, &x, &y);
    transpose(p, self->x + x * p->element, p->x_steps[p->rows], self->y + y * p->element, p->y_steps[p->cols],
              p->dims[p->rows], p->dims[p->cols]);
  }
}

/* The one matrix: columns [begin, end) of x, which are rows of y. */
static void matrix_columns(const void *argument, size_t begin, size_t end) {
  const job *self = argument;
  const rg_permute *p = self->permute;
  transpose(p, self->x + begin * p->element, p->x_steps[p->rows], self->y + begin * p->y_steps[p->cols] * p->element,
            p->y_steps[p->cols], p->dims[p->rows], end - begin);
}

/* Sizes that are constants are moves, without a call. */
#define COPY_ROWS(size)                                                                                                \
  case size:                                                                                                           \
    for (size_t i = 0; i < rows; i++) memcpy(to + i * to_step, from + i * from_step, size);                            \
    break

void rg_copy_rows(char *to, size_t to_step, const char *from, size_t from_step, size_t bytes, size_t rows) {
  switch (bytes) {
    COPY_ROWS(1);
    COPY_ROWS(2);
    COPY_ROWS(4);
    COPY_ROWS(8);
    COPY_ROWS(16);
    COPY_ROWS(32);
    COPY_ROWS(64);
  default:
    for (size_t i = 0; i < rows; i++) memcpy(to + i * to_step, from + i * from_step, bytes);
    break;
  }
}

/* Rows of y: those along the last axis but one are copied in one go. */
static void runs(const void *argument, size_t begin, size_t end) {
  const job *self = argument;
  const rg_permute *p = self->permute;
  const size_t count = p->dims[p->rows], step = p->x_steps[p->rows] * p->element, bytes = count * p->element;
  const size_t group = p->rank > 1 ? p->dims[p->rank - 2] : 1, group_step = p->rank > 1 ? p->x_steps[p->rank - 2] : 0;
  for (size_t i = begin; i < end;) {
    const size_t left = group - i % group, rows = left < end - i ? left : end - i;
    size_t x_at, y_at;
    offsets(p, i, &x_at, &y_at);
    const char *x = self->x + x_at * p->element;
    char *y = self->y + y_at * p->element;
    if (step == p->element)
      rg_copy_rows(y, bytes, x, group_step * p->element, bytes, rows);
    else
      for (size_t r = 0; r < rows; r++)
        rg_copy_rows(y + r * bytes, p->element, x + r * group_step * p->element, step, p->element, count);
    i += rows;
  }
}

void rg_permute_run(const rg_permute *p, rango_threads *threads, const void *x, void *y) {
  if (p->total == 0) return;
  const job self = {p, x, y};
  const size_t work = 2 * p->total;
  if (p->rows == p->cols)
    rg_cpu_parallel(threads, p->total / p->dims[p->rows], 1, work, runs, &self);
  else if (p->rank == 2)
    rg_cpu_parallel(threads, p->dims[p->cols], 64, work, matrix_columns, &self);
  else
    rg_cpu_parallel(threads, p->total / p->dims[p->rows] / p->dims[p->cols], 1, work, matrices, &self);
}
