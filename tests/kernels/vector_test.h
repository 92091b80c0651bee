/* For the tests of vector kernels: every instruction set that this CPU runs, random arrays, and canaries around
 * results. */
#ifndef VECTOR_TEST_H
#define VECTOR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "kernels/table.h"
#include "kernels/vector.h"

/* Calls test(kernels) for each instruction set. */
static inline void for_each_isa(void (*test)(const rg_vector_kernels *kernels, const char *isa)) {
  static const char *const names[] = {"generic", "avx2", "avx512", "neon"};
  int run = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const rg_kernels *kernels;
    if (rg_kernels_get(names[i], &kernels) != RANGO_OK) continue;
    test(kernels->vector, names[i]);
    run++;
  }
  assert_true(run > 0);
}

static inline float uniform(rg_random *random, float low, float high) {
  return low + (high - low) * (float)rg_random_uniform(random);
}

/* Memory for n floats with a page of canaries' worth on both sides, off the vector's alignment by `shift` floats. */
#define CANARIES 64
typedef struct guarded {
  float *memory, *data;
  size_t n;
} guarded;

static inline guarded guarded_new(size_t n, size_t shift) {
  guarded g = {malloc((n + 2 * CANARIES + shift) * sizeof(float)), NULL, n};
  assert_non_null(g.memory);
  memset(g.memory, 0xa5, (n + 2 * CANARIES + shift) * sizeof(float));
  g.data = g.memory + CANARIES + shift;
  return g;
}

static inline void guarded_check(const guarded *g) {
  const unsigned char *before = (const unsigned char *)g->memory, *begin = (const unsigned char *)g->data;
  const unsigned char *end = (const unsigned char *)(g->data + g->n);
  for (const unsigned char *p = before; p < begin; p++) assert_int_equal(*p, 0xa5);
  for (size_t i = 0; i < CANARIES * sizeof(float); i++) assert_int_equal(end[i], 0xa5);
}

static inline guarded guarded_random(rg_random *random, size_t n, float low, float high) {
  guarded g = guarded_new(n, rg_random_below(random, 3));
  for (size_t i = 0; i < n; i++) g.data[i] = uniform(random, low, high);
  return g;
}

static inline void guarded_free(guarded *g) {
  guarded_check(g);
  free(g->memory);
}

/* |y - reference| in units of reference's last place in float32. */
static inline double ulps(float y, double reference) {
  if (isnan(reference)) return isnan(y) ? 0 : INFINITY;
  const float rounded = (float)reference;
  if (isinf(rounded) || isinf(y)) {
    if (y == rounded) return 0;
    /* one step below infinity: the distance counts from 2^128 */
    return isinf(y) && fabs(reference) > 3.4028234e38 * (1 - 1e-6) ? 1 : INFINITY;
  }
  const int exponent = reference == 0 ? -126 : ilogb(reference) < -126 ? -126 : ilogb(reference);
  return fabs((double)y - reference) / ldexp(1.0, exponent - 23);
}

static inline void assert_close(float y, double reference, double tolerance, const char *what, size_t at) {
  const double error = fabs((double)y - reference);
  if (error <= tolerance * (1 + fabs(reference)) || (isnan(y) && isnan(reference)) || y == reference) return;
  fail_msg("%s: element %zu is %.9g, expected %.9g", what, at, (double)y, reference);
}

#endif
