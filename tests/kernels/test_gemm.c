/* Register tiles, depthwise pixels and packing of every instruction set against sums in double precision; nothing is
 * read or written outside the arrays. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "kernels/neon/gemm_tile.h"
#include "kernels/pack.h"
#include "support/check.h"

#define CANARY 16 /* elements of NaN around every array */

/* `count` random floats between two canaries of NaN, at an odd address; freed with release. */
static float *guarded(rg_random *random, size_t count) {
  float *memory = malloc((count + 2 * CANARY + 1) * sizeof *memory);
  for (size_t i = 0; i < count + 2 * CANARY + 1; i++) memory[i] = NAN;
  for (size_t i = 0; i < count; i++) memory[1 + CANARY + i] = (float)(2.0 * rg_random_uniform(random) - 1.0);
  return memory + 1 + CANARY;
}

static void release(float *data, size_t count) {
  for (size_t i = 0; i < CANARY; i++) assert_true(isnan(data[-1 - (ptrdiff_t)i]) && isnan(data[count + i]));
  free(data - 1 - CANARY);
}

static const rg_kernels *const *all_kernels(void) {
  static const char *const names[] = {"generic", "neon", "avx2", "avx512"};
  static const rg_kernels *found[5];
  int count = 0;
  for (size_t i = 0; i < 4; i++)
    if (rg_kernels_get(names[i], &found[count]) == RANGO_OK) count++;
  found[count] = NULL;
  return found;
}

typedef struct tile_case {
  size_t rows, columns, segments, k;
  bool bias, residual, in_place;
  float low, high;
} tile_case;

static void check_tile(const rg_kernels *kernels, rg_random *random, const tile_case *c) {
  const size_t total = c->segments * c->k, stride = c->columns + 3, mr = kernels->mr;
  const size_t width = c->columns > kernels->nr / 2 ? kernels->nr : kernels->nr / 2;
  const float *pointers[8 * 16];
  float *a[8 * 16];
  for (size_t i = 0; i < 8 * 16; i++) pointers[i] = NULL; /* rows that aren't there must not be followed */
  for (size_t s = 0; s < c->segments; s++)
    for (size_t i = 0; i < c->rows; i++) pointers[s * mr + i] = a[s * mr + i] = guarded(random, c->k);
  float *b = guarded(random, total * width), *bias = guarded(random, c->columns);
  float *out = guarded(random, c->rows * stride), *before = malloc(c->rows * stride * sizeof *before);
  float *residual = c->in_place ? out : guarded(random, c->rows * stride);
  memcpy(before, out, c->rows * stride * sizeof *before);
  const rg_gemm_tile tile = {.rows = c->rows,
                             .columns = c->columns,
                             .segments = c->segments,
                             .k = c->k,
                             .a = pointers,
                             .b = b,
                             .c = out,
                             .c_stride = stride,
                             .bias = c->bias ? bias : NULL,
                             .residual = c->residual ? residual : NULL,
                             .residual_stride = stride,
                             .low = c->low,
                             .high = c->high};
  kernels->gemm(&tile);
  for (size_t i = 0; i < c->rows; i++)
    for (size_t j = 0; j < stride; j++) {
      const float *old = c->in_place ? before : residual;
      if (j >= c->columns) {
        assert_true(memcmp(&out[i * stride + j], &before[i * stride + j], sizeof(float)) == 0);
        continue;
      }
      double sum = c->bias ? (double)bias[j] : 0.0;
      for (size_t q = 0; q < total; q++)
        sum += (double)pointers[q / c->k * mr + i][q % c->k] * (double)b[q * width + j];
      if (c->residual) sum += (double)old[i * stride + j];
      sum = fmin(fmax(sum, (double)c->low), (double)c->high);
      if (!(fabs(out[i * stride + j] - sum) <= 1e-6 * ((double)total + 4.0)))
        fail_msg("%s, %zu x %zu of %zu x %zu: (%zu, %zu) is %g, not %g", kernels->isa, c->rows, c->columns, c->segments,
                 c->k, i, j, (double)out[i * stride + j], sum);
    }
  for (size_t s = 0; s < c->segments; s++)
    for (size_t i = 0; i < c->rows; i++) release(a[s * mr + i], c->k);
  release(b, total * width);
  release(bias, c->columns);
  release(out, c->rows * stride);
  if (!c->in_place) release(residual, c->rows * stride);
  free(before);
}

static void test_tiles(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    rg_random random;
    rg_random_seed(&random, 7);
    assert_true((*kernels)->mr <= 16);
    size_t turn = 0;
    for (size_t rows = 1; rows <= (*kernels)->mr; rows++)
      for (size_t columns = 1; columns <= (*kernels)->nr; columns++, turn++) {
        const tile_case c = {.rows = rows,
                             .columns = columns,
                             .segments = turn % 5,
                             .k = turn % 3 == 0 ? turn % 4 : 1 + rg_random_below(&random, 40),
                             .bias = turn % 2 != 0,
                             .residual = turn % 3 == 1,
                             .in_place = turn % 6 == 1,
                             .low = turn % 4 == 0 ? -0.5f : -INFINITY,
                             .high = turn % 8 == 0 ? 0.25f : INFINITY};
        check_tile(*kernels, &random, &c);
      }
  }
}

#if defined(__aarch64__)
/* The assembly of whole tiles and single rows against the intrinsics that it stands for: every length of k, in one
 * segment or several, and all that comes behind the sums. */
static void test_assembly_and_intrinsics_agree_in_every_bit(void **state) {
  (void)state;
  enum { ROWS = 8, COLUMNS = 8, STRIDE = 11, SEGMENTS_MAX = 3, K_MAX = 45 };
  rg_random random;
  rg_random_seed(&random, 21);
  for (size_t turn = 0; turn <= K_MAX * SEGMENTS_MAX * 8; turn++) {
    const size_t k = turn / 8 % (K_MAX + 1), segments = turn % (SEGMENTS_MAX + 1), stride = COLUMNS + turn % 4;
    const size_t rows = turn % 8 < 4 ? ROWS : 1;
    const float *pointers[SEGMENTS_MAX * ROWS];
    float *a[SEGMENTS_MAX * ROWS], *b = guarded(&random, segments * k * COLUMNS), *bias = guarded(&random, COLUMNS);
    float *c[2] = {guarded(&random, ROWS * STRIDE), guarded(&random, ROWS * STRIDE)};
    float *residual = guarded(&random, ROWS * STRIDE);
    for (size_t i = 0; i < segments * ROWS; i++) pointers[i] = a[i] = guarded(&random, k);
    memcpy(c[1], c[0], ROWS * STRIDE * sizeof(float));
    for (int way = 0; way < 2; way++) {
      const rg_gemm_tile tile = {.rows = rows,
                                 .columns = COLUMNS,
                                 .segments = segments,
                                 .k = k,
                                 .a = pointers,
                                 .b = b,
                                 .c = c[way],
                                 .c_stride = stride,
                                 .bias = turn % 3 ? bias : NULL,
                                 .residual = turn % 5 == 0   ? c[way]
                                             : turn % 5 == 1 ? residual
                                                             : NULL,
                                 .residual_stride = stride,
                                 .low = turn % 7 ? -INFINITY : -0.5f,
                                 .high = turn % 6 ? INFINITY : 0.5f};
      (way == 1 ? rg_neon_gemm_intrinsics : rows == 1 ? rg_neon_gemm_row : rg_neon_gemm_tile)(&tile);
    }
    assert_memory_equal(c[0], c[1], ROWS * STRIDE * sizeof(float));
    for (size_t i = 0; i < segments * ROWS; i++) release(a[i], k);
    release(b, segments * k * COLUMNS);
    release(bias, COLUMNS);
    release(residual, ROWS * STRIDE);
    for (int way = 0; way < 2; way++) release(c[way], ROWS * STRIDE);
  }
}
#endif

/* Where element (q, j) of the right operand lies: in columns one behind the other, or in panels `step` apart. */
static size_t right_at(const rg_kernels *kernels, bool narrow, size_t columns, size_t step, size_t q, size_t j) {
  const size_t panel = j / kernels->nr;
  return narrow ? j * step + q : panel * step + q * rg_pack_width(kernels, columns, panel) + j % kernels->nr;
}

/* Blocks of any size: several tiles of rows, the last lower, and panels, the last narrower; or few columns. With a
 * bias, bounds and a residual, which may be the result's own memory, or without. */
static void check_block(const rg_kernels *kernels, rg_random *random, bool narrow, size_t rows, size_t columns,
                        bool more) {
  const size_t segments = 1 + rg_random_below(random, 3), k = !narrow + rg_random_below(random, 40),
               total = segments * k;
  const size_t stride = columns + 3, tile_rows = rows < kernels->mr ? rows : kernels->mr - rows % 2;
  const size_t tiles = (rows + tile_rows - 1) / tile_rows, step = narrow ? total + 5 : kernels->nr * total + 7;
  const size_t panels = rg_pack_panels(kernels, columns), width = rg_pack_width(kernels, columns, panels - 1);
  const size_t floats = narrow ? (columns - 1) * step + total : (panels - 1) * step + width * total;
  const float **pointers = calloc(tiles * segments * kernels->mr, sizeof *pointers);
  float *a = guarded(random, rows * total), *b = guarded(random, floats), *c = guarded(random, rows * stride);
  float *bias = guarded(random, columns), *residual = guarded(random, rows * stride);
  float *before = malloc(rows * stride * sizeof *before);
  memcpy(before, c, rows * stride * sizeof *before);
  const float *added = narrow ? before : residual;
  for (size_t i = 0; i < rows; i++)
    for (size_t s = 0; s < segments; s++)
      pointers[(i / tile_rows * segments + s) * kernels->mr + i % tile_rows] = a + i * total + s * k;
  const rg_gemm_block block = {.first = {.rows = tile_rows,
                                         .segments = segments,
                                         .k = k,
                                         .a = pointers,
                                         .b = b,
                                         .c = c,
                                         .c_stride = stride,
                                         .bias = more ? bias : NULL,
                                         .residual = !more    ? NULL
                                                     : narrow ? c
                                                              : residual,
                                         .residual_stride = stride,
                                         .low = more ? -1.0f : -INFINITY,
                                         .high = INFINITY},
                               .rows = rows,
                               .columns = columns,
                               .panel_step = step};
  (narrow ? kernels->gemm_narrow : kernels->gemm_block)(&block);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < stride; j++) {
      if (j >= columns) {
        assert_true(memcmp(&c[i * stride + j], &before[i * stride + j], sizeof(float)) == 0);
        continue;
      }
      double sum = more ? (double)bias[j] + (double)added[i * stride + j] : 0.0;
      for (size_t q = 0; q < total; q++)
        sum += (double)a[i * total + q] * (double)b[right_at(kernels, narrow, columns, step, q, j)];
      if (more) sum = fmax(sum, -1.0);
      if (!(fabs(c[i * stride + j] - sum) <= 1e-6 * ((double)total + 4.0)))
        fail_msg("%s, %zu x %zu of %zu x %zu: (%zu, %zu) is %g, not %g", kernels->isa, rows, columns, segments, k, i, j,
                 (double)c[i * stride + j], sum);
    }
  free(pointers);
  free(before);
  release(a, rows * total);
  release(b, floats);
  release(c, rows * stride);
  release(bias, columns);
  release(residual, rows * stride);
}

/* Few columns that lie one behind the other. */
static void test_narrow(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    rg_random random;
    rg_random_seed(&random, 13);
    assert_true(((*kernels)->gemm_narrow != NULL) == ((*kernels)->narrow > 0));
    for (size_t rows = 1; rows <= 3 * (*kernels)->mr; rows++)
      for (size_t columns = 1; columns <= (*kernels)->narrow; columns++)
        for (int turn = 0; turn < 4; turn++) check_block(*kernels, &random, true, rows, columns, turn % 2 != 0);
  }
}

static void test_blocks(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    rg_random random;
    rg_random_seed(&random, 11);
    size_t turn = 0;
    for (size_t rows = 1; rows <= 3 * (*kernels)->mr; rows++)
      for (size_t columns = 1; columns <= 3 * (*kernels)->nr; columns += 1 + turn % 5, turn++)
        check_block(*kernels, &random, false, rows, columns, turn % 2 != 0);
  }
}

/* A NaN in the product must come out, whatever the bounds. */
static void test_nan_passes(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    const float a = NAN;
    float b[64] = {0}, c[64];
    const float *pointer = &a;
    const rg_gemm_tile tile = {.rows = 1,
                               .columns = (*kernels)->nr,
                               .segments = 1,
                               .k = 1,
                               .a = &pointer,
                               .b = b,
                               .c = c,
                               .c_stride = 64,
                               .low = 0.0f,
                               .high = 6.0f};
    (*kernels)->gemm(&tile);
    for (size_t j = 0; j < (*kernels)->nr; j++) assert_true(isnan(c[j]));
  }
}

static void test_depthwise(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    rg_random random;
    rg_random_seed(&random, 9);
    for (size_t turn = 0; turn < 160; turn++) {
      const size_t channels = 1 + turn % 70, rows = turn % 4, taps = turn % 5, count = 1 + turn % 11;
      const size_t tap_step = channels + turn % 2, pixel_step = (1 + turn % 3) * channels;
      const size_t span = (count - 1) * pixel_step + (taps > 0 ? taps - 1 : 0) * tap_step + channels;
      const size_t weight_row = taps * channels + turn % 7;
      const float *x[3];
      float *data[3], *weights = guarded(&random, rows * weight_row), *bias = guarded(&random, channels);
      float *residual = guarded(&random, count * channels), *out = guarded(&random, count * channels);
      for (size_t r = 0; r < rows; r++) data[r] = guarded(&random, span);
      for (size_t r = 0; r < rows; r++) x[r] = (r + turn) % 4 == 0 ? NULL : data[r];
      const rg_depthwise_line line = {.rows = rows,
                                      .taps = taps,
                                      .channels = channels,
                                      .count = count,
                                      .x = x,
                                      .tap_step = tap_step,
                                      .pixel_step = pixel_step,
                                      .weights = weights,
                                      .weight_row = weight_row,
                                      .bias = turn % 2 ? bias : NULL,
                                      .residual = turn % 3 ? residual : NULL,
                                      .out = out,
                                      .low = turn % 5 ? -INFINITY : 0.0f,
                                      .high = turn % 7 ? INFINITY : 0.5f};
      (*kernels)->depthwise(&line);
      for (size_t i = 0; i < count * channels; i++) {
        const size_t pixel = i / channels, c = i % channels;
        double sum = (turn % 2 ? (double)bias[c] : 0.0) + (turn % 3 ? (double)residual[i] : 0.0);
        for (size_t r = 0; r < rows; r++)
          for (size_t t = 0; t < taps && x[r] != NULL; t++)
            sum += (double)x[r][pixel * pixel_step + t * tap_step + c] *
                   (double)weights[r * weight_row + t * channels + c];
        sum = fmin(fmax(sum, (double)line.low), (double)line.high);
        assert_true(fabs(out[i] - sum) < 1e-5);
      }
      for (size_t r = 0; r < rows; r++) release(data[r], span);
      release(weights, rows * weight_row);
      release(bias, channels);
      release(residual, count * channels);
      release(out, count * channels);
    }
  }
}

/* Packing puts element (q, j) where rg_gemm_tile looks for it, zeros beside it, and nothing behind. */
static void test_packing(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    rg_random random;
    rg_random_seed(&random, 11);
    for (size_t n = 1; n <= 3 * (*kernels)->nr; n++)
      for (int transposed = 0; transposed < 2; transposed++) {
        const size_t k = 1 + n % 70, at = n % 3, total = k + at + n % 2, nr = (*kernels)->nr;
        size_t count;
        float *b = guarded(&random, k * n);
        assert_true(rg_pack_count(*kernels, total, n, &count));
        float *to = guarded(&random, count);
        const rg_pack_view view = {.b = b,
                                   .row = transposed ? 1 : n,
                                   .column = transposed ? k : 1,
                                   .k = k,
                                   .n = n,
                                   .scale = 0.5f,
                                   .at = at,
                                   .total = total,
                                   .narrow = n % 2 != 0};
        const size_t panels = rg_pack_panels(*kernels, n);
        rg_pack_panel_range(*kernels, &view, 0, panels, to);
        for (size_t q = 0; q < k; q++)
          for (size_t p = 0; p < panels; p++)
            for (size_t j = 0; j < rg_pack_width(*kernels, n, p); j++) {
              const size_t column = p * nr + j;
              if (view.narrow && p + 1 == panels) {
                if (column < n)
                  assert_true(to[rg_pack_offset(*kernels, total, p) + j * total + at + q] ==
                              0.5f * b[transposed ? column * k + q : q * n + column]);
                continue;
              }
              const float want = column >= n ? 0.0f : 0.5f * b[transposed ? column * k + q : q * n + column];
              assert_true(to[rg_pack_offset(*kernels, total, p) + (at + q) * rg_pack_width(*kernels, n, p) + j] ==
                          want);
            }
        release(b, k * n);
        release(to, count);
      }
    size_t count;
    assert_false(rg_pack_count(*kernels, SIZE_MAX / 2, 1000, &count));
  }
}

static void test_machine_probes(void **state) {
  (void)state;
  for (const rg_kernels *const *kernels = all_kernels(); *kernels != NULL; kernels++) {
    rg_random random;
    rg_random_seed(&random, 13);
    for (size_t count = 0; count < 300; count += 7) {
      float *x = guarded(&random, count);
      double sum = 0.0;
      for (size_t i = 0; i < count; i++) sum += (double)x[i];
      assert_true(fabs((*kernels)->read(x, count) - sum) < 1e-4);
      release(x, count);
    }
    assert_true(isfinite((*kernels)->peak(100)));
    assert_true((*kernels)->peak_flops >= 2 * (*kernels)->lanes);
  }
}

static void test_choice(void **state) {
  (void)state;
  const rg_kernels *kernels;
  check_ok(rg_kernels_get("generic", &kernels));
  assert_string_equal(rg_kernels_isa(kernels), "generic");
  check_fails(rg_kernels_get("mmx", &kernels), RANGO_ERROR_ARGUMENT, "generic");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#if defined(__aarch64__)
    cmocka_unit_test(test_assembly_and_intrinsics_agree_in_every_bit),
#endif
    cmocka_unit_test(test_tiles),
    cmocka_unit_test(test_blocks),
    cmocka_unit_test(test_narrow),
    cmocka_unit_test(test_nan_passes),
    cmocka_unit_test(test_depthwise),
    cmocka_unit_test(test_packing),
    cmocka_unit_test(test_machine_probes),
    cmocka_unit_test(test_choice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
