/*
 * Time of the vector kernels of every instruction set that this CPU runs, beside plain loops over libm: nanoseconds an
 * element, medians of interleaved rounds, arrays that stay in the second-level cache.
 *
 *   tools/build release vector_kernels && build/release/bench/kernels/vector_kernels
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/table.h"
#include "kernels/vector.h"

enum { ROWS = 128, COLS = 128, COUNT = ROWS * COLS, ROUNDS = 41, VARIANTS = 5 };

static float x[COUNT], y[COUNT], row[COLS];

typedef void (*work)(const rg_vector_kernels *k); /* k NULL: plain C */

#define ELEMENTWISE(name, op, expression)                                                                              \
  static void name(const rg_vector_kernels *k) {                                                                       \
    if (k) {                                                                                                           \
      k->unary(op, 0, 0, x, y, COUNT);                                                                                 \
      return;                                                                                                          \
    }                                                                                                                  \
    for (int i = 0; i < COUNT; i++) y[i] = (expression);                                                               \
  }
ELEMENTWISE(bench_exp, RG_UNARY_EXP, expf(x[i]))
ELEMENTWISE(bench_sigmoid, RG_UNARY_SIGMOID, 1 / (1 + expf(-x[i])))
ELEMENTWISE(bench_tanh, RG_UNARY_TANH, tanhf(x[i]))
ELEMENTWISE(bench_gelu, RG_UNARY_GELU, 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f)))
ELEMENTWISE(bench_relu, RG_UNARY_RELU, x[i] < 0 ? 0 : x[i])

static void bench_add(const rg_vector_kernels *k) {
  if (k)
    k->binary(RG_BINARY_ADD, &(rg_operand){x, COLS, false}, &(rg_operand){row, 0, false}, y, ROWS, COLS);
  else
    for (int i = 0; i < COUNT; i++) y[i] = x[i] + row[i % COLS];
}

static void bench_softmax(const rg_vector_kernels *k) {
  if (k) {
    k->softmax_rows(x, y, ROWS, COLS, false);
    return;
  }
  for (int r = 0; r < ROWS; r++) {
    float largest = -INFINITY, sum = 0;
    for (int c = 0; c < COLS; c++) largest = fmaxf(largest, x[r * COLS + c]);
    for (int c = 0; c < COLS; c++) sum += y[r * COLS + c] = expf(x[r * COLS + c] - largest);
    for (int c = 0; c < COLS; c++) y[r * COLS + c] /= sum;
  }
}

static void bench_layer_norm(const rg_vector_kernels *k) {
  if (k) {
    k->layer_norm(x, y, ROWS, COLS, row, row, 1e-5f, false, NULL, NULL);
    return;
  }
  for (int r = 0; r < ROWS; r++) {
    float mean = 0, square = 0;
    for (int c = 0; c < COLS; c++) mean += x[r * COLS + c] / COLS;
    for (int c = 0; c < COLS; c++) square += (x[r * COLS + c] - mean) * (x[r * COLS + c] - mean) / COLS;
    const float factor = 1 / sqrtf(square + 1e-5f);
    for (int c = 0; c < COLS; c++) y[r * COLS + c] = (x[r * COLS + c] - mean) * factor * row[c] + row[c];
  }
}

static void bench_transpose(const rg_vector_kernels *k) {
  if (k)
    k->transpose(x, COLS, y, ROWS, ROWS, COLS);
  else
    for (int r = 0; r < ROWS; r++)
      for (int c = 0; c < COLS; c++) y[c * ROWS + r] = x[r * COLS + c];
}

static void bench_pool(const rg_vector_kernels *k) {
  const rg_pool_row shape = {
      .maximum = true, .channels = 64, .kernel_h = 2, .kernel_w = 2, .row = 16 * 64, .col = 64, .step = 2 * 64};
  for (int r = 0; r < 8; r++) {
    const float *from = x + r * 2 * 16 * 64;
    if (k) {
      k->pool_row(&shape, from, y + r * 8 * 64, 8);
      continue;
    }
    for (int p = 0; p < 8; p++)
      for (int c = 0; c < 64; c++)
        y[(r * 8 + p) * 64 + c] = fmaxf(fmaxf(from[p * 128 + c], from[p * 128 + 64 + c]),
                                        fmaxf(from[1024 + p * 128 + c], from[1024 + p * 128 + 64 + c]));
  }
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

int main(void) {
  static const char *const isas[VARIANTS] = {NULL, "generic", "neon", "avx2", "avx512"};
  static const struct {
    const char *name;
    work work;
  } rows[] = {{"relu", bench_relu},
              {"add a row", bench_add},
              {"exp", bench_exp},
              {"sigmoid", bench_sigmoid},
              {"tanh", bench_tanh},
              {"gelu", bench_gelu},
              {"softmax", bench_softmax},
              {"layer norm", bench_layer_norm},
              {"transpose", bench_transpose},
              {"max pool 2x2", bench_pool}};
  for (int i = 0; i < COUNT; i++) x[i] = (float)sin(i * 0.7) * 4;
  for (int i = 0; i < COLS; i++) row[i] = (float)cos(i * 0.3);
  printf("ns an element   libm loop");
  for (int v = 1; v < VARIANTS; v++) printf("%10s", isas[v]);
  printf("\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    double times[VARIANTS][ROUNDS];
    const rg_kernels *kernels[VARIANTS] = {NULL};
    for (int v = 1; v < VARIANTS; v++)
      if (rg_kernels_get(isas[v], &kernels[v]) != RANGO_OK) kernels[v] = NULL;
    for (int round = 0; round < ROUNDS; round++)
      for (int v = 0; v < VARIANTS; v++) {
        if (v > 0 && !kernels[v]) continue;
        const double begin = seconds();
        rows[i].work(v == 0 ? NULL : kernels[v]->vector);
        times[v][round] = seconds() - begin;
      }
    printf("%-16s", rows[i].name);
    for (int v = 0; v < VARIANTS; v++) {
      qsort(times[v], ROUNDS, sizeof(double), ascending);
      if (v > 0 && !kernels[v])
        printf("%10s", "-");
      else
        printf("%*.3f", v == 0 ? 9 : 10, 1e9 * times[v][ROUNDS / 2] / COUNT);
    }
    printf("\n");
  }
  return 0;
}
