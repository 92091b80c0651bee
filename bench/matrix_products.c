/*
 * Matrix products of every instruction set that this CPU runs, on one thread: percent of the peak of multiply-adds that
 * is measured beside each, in the thread's own time (so that other work on the machine counts little). The fastest of
 * 12 rounds.
 *
 *   cc -std=gnu11 -O2 -Iinclude -Isrc bench/matrix_products.c build/release/librango.a -lpthreadpool -lpthread -lm
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cpu/product.h"

enum { ROUNDS = 12, PEAK_ITERATIONS = 50000 };

static double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static float *random_floats(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64);
  if (values == NULL) exit(1);
  for (size_t i = 0; i < count; i++) values[i] = (float)(rand() % 1000) / 1000.0f - 0.5f;
  return values;
}

static double peak_gflops(const rg_kernels *kernels) {
  double best = 1e30;
  volatile float kept;
  for (int round = 0; round < ROUNDS; round++) {
    const double begin = seconds_now();
    kept = kernels->peak(PEAK_ITERATIONS);
    const double taken = seconds_now() - begin;
    if (taken < best) best = taken;
  }
  (void)kept;
  return 1e-9 * PEAK_ITERATIONS * (double)kernels->peak_flops / best;
}

static double product_gflops(const rg_kernels *kernels, size_t m, size_t n, size_t k) {
  size_t packed, scratch_bytes;
  rg_gemm gemm;
  if (!rg_pack_count(kernels, k, n, &packed)) exit(1);
  float *a = random_floats(m * k), *b = random_floats(packed), *c = random_floats(m * n);
  rg_gemm_plan(&gemm, kernels, 1, 1, m, n, 1, k, 0);
  if (rg_gemm_scratch_bytes(&gemm, &scratch_bytes) != RANGO_OK) exit(1);
  float *scratch = random_floats(scratch_bytes / sizeof(float) + 1);
  const rg_product product = {.a = a, .a_row = k, .a_column = 1, .k = k, .b = b, .c = c};
  const double work = 2.0 * (double)m * (double)n * (double)k;
  const int repeat = (int)(2e8 / work) + 1;
  double best = 1e30;
  for (int round = 0; round < ROUNDS; round++) {
    const double begin = seconds_now();
    for (int i = 0; i < repeat; i++) rg_product_run(&gemm, &product, (rg_activation){RG_ACT_NONE, 0, 0}, NULL, scratch);
    const double taken = (seconds_now() - begin) / repeat;
    if (taken < best) best = taken;
  }
  free(a);
  free(b);
  free(c);
  free(scratch);
  return 1e-9 * work / best;
}

int main(void) {
  static const char *const names[] = {"generic", "neon", "avx2", "avx512"};
  static const size_t shapes[][3] = {{1024, 1024, 1024}, {256, 256, 256}, {196, 768, 768}, {196, 48, 768},
                                     {196, 768, 48},     {3136, 64, 576}, {3136, 16, 576}, {16, 512, 4608},
                                     {4, 1024, 1024},    {1, 1000, 512},  {1, 4096, 4096}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const rg_kernels *kernels;
    if (rg_kernels_get(names[i], &kernels) != RANGO_OK) continue;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      const double gflops = product_gflops(kernels, shapes[s][0], shapes[s][1], shapes[s][2]);
      const double peak = peak_gflops(kernels);
      printf("%-8s %5zu x %5zu x %5zu  %7.1f GFLOP/s  %5.1f %% of %.1f\n", kernels->isa, shapes[s][0], shapes[s][1],
             shapes[s][2], gflops, 100.0 * gflops / peak, peak);
    }
  }
  return 0;
}
