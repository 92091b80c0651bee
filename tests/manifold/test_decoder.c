/* The curved way back: finds what a linear one can't, and is never worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "manifold/decoder.h"

enum { ROWS = 1000 };

/* Two coordinates; the third output is a function of them that no linear map makes. */
static void curved_map_is_found(void **state) {
  (void)state;
  static float z[ROWS * 2], y[ROWS * 3], back[ROWS * 3];
  rg_random random;
  rg_decoder decoder, again;
  rg_random_seed(&random, 1);
  for (int i = 0; i < ROWS; i++) {
    double a = 5 + 2 * rg_random_uniform(&random), b = 0.1 * rg_random_uniform(&random);
    z[2 * i] = (float)a;
    z[2 * i + 1] = (float)b;
    y[3 * i] = (float)(3 * a);
    y[3 * i + 1] = (float)(20 * b - 7);
    y[3 * i + 2] = (float)(10 * sin(3 * a) * (1 + 5 * b));
  }
  assert_int_equal(rg_decoder_fit(z, y, ROWS, 2, 3, 48, 1, &decoder), RANGO_OK);
  print_message("held out: linear %.3f, curved %.3f\n", decoder.linear_error, decoder.error);
  assert_true(decoder.linear_error > 0.5);
  assert_true(decoder.error < 0.2 * decoder.linear_error);
  assert_int_equal(rg_decoder_apply(&decoder, z, ROWS, back), RANGO_OK);
  double left = 0, total = 0, mean[3] = {0};
  for (int i = 0; i < 3 * ROWS; i++) mean[i % 3] += y[i] / (double)ROWS;
  for (int i = 4 * 3; i < 3 * ROWS; i += 5 * 3) /* the rows held out */
    for (int j = 0; j < 3; j++) {
      left += pow(back[i + j] - y[i + j], 2);
      total += pow(y[i + j] - mean[j], 2);
    }
  assert_true(fabs(sqrt(left / total) - decoder.error) < 0.01);
  assert_int_equal(rg_decoder_fit(z, y, ROWS, 2, 3, 48, 1, &again), RANGO_OK);
  assert_memory_equal(again.second, decoder.second, 3 * 48 * sizeof(float));
  rg_decoder_free(&again);
  rg_decoder_free(&decoder);
}

/* Where the map is linear with noise, the linear solution is the start and the end is no worse. */
static void linear_map_is_kept(void **state) {
  (void)state;
  static float z[200 * 3], y[200 * 5];
  rg_random random;
  rg_decoder decoder;
  rg_random_seed(&random, 2);
  for (int i = 0; i < 200; i++) {
    for (int j = 0; j < 3; j++) z[3 * i + j] = (float)rg_random_normal(&random);
    for (int j = 0; j < 5; j++)
      y[5 * i + j] =
          (float)(z[3 * i] * (j + 1) - z[3 * i + 1] + 2 * j * z[3 * i + 2] + 0.01 * rg_random_normal(&random));
  }
  assert_int_equal(rg_decoder_fit(z, y, 200, 3, 5, 16, 1, &decoder), RANGO_OK);
  assert_true(decoder.linear_error < 0.01 && decoder.error <= decoder.linear_error);
  rg_decoder_free(&decoder);
  assert_int_equal(rg_decoder_fit(z, y, 9, 3, 5, 16, 1, &decoder), RANGO_ERROR_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(curved_map_is_found),
      cmocka_unit_test(linear_map_is_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
