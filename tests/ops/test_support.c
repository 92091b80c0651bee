/* Axes, broadcasting, window geometry and activations, against brute force. */
#include <math.h>

#include "op_case.h"
#include "ops/support.h"

static void axes_count_from_both_ends(void **state) {
  (void)state;
  int axis;
  assert_true(rg_axis(-3, 3, &axis) && axis == 0);
  assert_true(rg_axis(2, 3, &axis) && axis == 2);
  assert_false(rg_axis(3, 3, &axis));
  assert_false(rg_axis(-4, 3, &axis));
  assert_false(rg_axis(0, 0, &axis));
  assert_false(rg_axis(INT64_MIN, 16, &axis));
}

static void sizes_broadcast_as_far_as_they_are_known(void **state) {
  (void)state;
  const int64_t a = RG_SIZE_SYMBOL(1), b = RG_SIZE_SYMBOL(2), u = RG_SIZE_UNKNOWN;
  const int64_t cases[][3] = {{3, 1, 3}, {1, 3, 3}, {a, a, a}, {a, 1, a}, {1, u, u}, {a, 5, 5},
                              {5, u, 5}, {a, b, u}, {u, u, u}, {0, 1, 0}, {0, 0, 0}, {a, u, u}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t out;
    assert_true(rg_broadcast_size(cases[i][0], cases[i][1], &out));
    assert_true(out == cases[i][2]);
  }
  int64_t out;
  assert_false(rg_broadcast_size(3, 2, &out));
  assert_false(rg_broadcast_size(0, 2, &out));
}

static void products_of_sizes_overflow_to_unknown(void **state) {
  (void)state;
  const int64_t a = RG_SIZE_SYMBOL(4);
  assert_true(rg_size_mul(a, 1) == a && rg_size_mul(1, a) == a && rg_size_mul(a, 0) == 0);
  assert_true(rg_size_mul(a, 2) == RG_SIZE_UNKNOWN && rg_size_add(a, 1) == RG_SIZE_UNKNOWN);
  assert_true(rg_size_add(a, 0) == a && rg_size_mul(6, 7) == 42 && rg_size_add(-3, 5) == 2);
  assert_true(rg_size_mul(INT64_MAX, 2) == RG_SIZE_UNKNOWN);
  assert_true(rg_size_mul(INT64_MAX / 2, -2) == RG_SIZE_UNKNOWN); /* would read as a symbol */
  assert_true(rg_size_add(INT64_MAX, 1) == RG_SIZE_UNKNOWN);
}

/* Windows that begin inside the input or the padding before it, counted one by one. */
static int64_t count_windows(const rg_window *window, int64_t size) {
  int64_t extent = (window->kernel[0] - 1) * window->dilation[0] + 1, count = 0;
  int64_t padded = window->pad_begin[0] + size + window->pad_end[0];
  for (int64_t begin = 0; begin < padded; begin += window->stride[0]) {
    bool fits = begin + extent <= padded;
    bool hangs_over =
        window->ceil && count > 0 && begin - window->stride[0] + extent < padded && begin < window->pad_begin[0] + size;
    count += fits || hangs_over;
  }
  return count;
}

static void windows_are_counted_right(void **state) {
  (void)state;
  for (int kernel = 1; kernel <= 4; kernel++)
    for (int stride = 1; stride <= 3; stride++)
      for (int dilation = 1; dilation <= 2; dilation++)
        for (int pads = 0; pads < 9; pads++)
          for (int size = 1; size <= 9; size++)
            for (int ceil = 0; ceil < 2; ceil++) {
              rg_window window = {.spatial = 1,
                                  .kernel = {kernel},
                                  .stride = {stride},
                                  .dilation = {dilation},
                                  .pad_begin = {pads % 3},
                                  .pad_end = {pads / 3},
                                  .ceil = ceil};
              int64_t expected = count_windows(&window, size), got = rg_window_output(&window, 0, size);
              if (expected == 0 ? got > 0 : got != expected)
                fail_msg("kernel %d stride %d dilation %d pads %d size %d ceil %d: %lld, expected %lld", kernel, stride,
                         dilation, pads, size, ceil, (long long)got, (long long)expected);
            }
}

static void same_padding_covers_the_input(void **state) {
  (void)state;
  for (int lower = 0; lower < 2; lower++)
    for (int kernel = 1; kernel <= 5; kernel++)
      for (int stride = 1; stride <= 3; stride++)
        for (int size = 1; size <= 9; size++) {
          rg_window window = {.spatial = 1,
                              .kernel = {kernel},
                              .stride = {stride},
                              .dilation = {1},
                              .same_upper = !lower,
                              .same_lower = lower};
          int64_t output = rg_window_output(&window, 0, size);
          assert_int_equal(output, (size + stride - 1) / stride);
          int64_t need = (output - 1) * stride + kernel - size, begin = window.pad_begin[0], end = window.pad_end[0];
          assert_int_equal(begin + end, need > 0 ? need : 0);
          assert_true(lower ? begin - end == 0 || begin - end == 1 : end - begin == 0 || end - begin == 1);
        }
}

static void windows_of_bad_attributes_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t values[4];
    int count;
  } bad[] = {{"strides", {0, 1}, 2},     {"strides", {1}, 1},           {"dilations", {-1, 1}, 2},
             {"pads", {0, 0, -1, 0}, 4}, {"pads", {0, 0}, 2},           {"kernel_shape", {3, 2}, 2},
             {"kernel_shape", {3}, 1},   {"strides", {INT64_MAX, 1}, 2}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    op_case self;
    rg_window window;
    op_case_start(&self, "Conv", 17);
    check_ok(rg_node_set_ints(self.node, bad[i].name, bad[i].values, (size_t)bad[i].count));
    check_fails(rg_window_read(self.node, 2, (const int64_t[]){3, 3}, &window), RANGO_ERROR_FORMAT, bad[i].name);
    op_case_end(&self);
  }
}

static void activations_survive_writing(void **state) {
  (void)state;
  op_case self;
  op_case_start(&self, "Relu", 17);
  for (int kind = RG_ACT_NONE; kind < RG_ACT_COUNT; kind++) {
    rg_activation activation = {(rg_activation_kind)kind, 0.25f, 0.75f};
    check_ok(rg_activation_write(self.node, activation));
    rg_activation read = rg_activation_read(self.node);
    assert_int_equal(read.kind, kind);
    assert_true(read.alpha == 0.25f && read.beta == 0.75f);
  }
  op_case_end(&self);
}

static void activations_are_what_they_say(void **state) {
  (void)state;
  const double xs[] = {-9, -3.2, -1, -0.3, 0, 0.2, 1, 2.9, 3.1, 12};
  for (size_t i = 0; i < sizeof xs / sizeof *xs; i++) {
    double x = xs[i], sigmoid = 1 / (1 + exp(-x));
    const double expected[] = {x,
                               x > 0 ? x : 0,
                               fmin(fmax(x, -1), 2),
                               x > 0 ? x : -1 * x,
                               sigmoid,
                               tanh(x),
                               x * 0.5 * erfc(-x / sqrt(2)),
                               0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))),
                               fmax(0, fmin(1, -1 * x + 2)),
                               x * fmax(0, fmin(1, x / 6 + 0.5)),
                               x * sigmoid,
                               x > 0 ? x : 1 - exp(x),
                               erf(x),
                               exp(x),
                               log(x),
                               sqrt(x),
                               1 / x,
                               x * x,
                               fabs(x),
                               -x,
                               floor(x),
                               ceil(x),
                               nearbyint(x)};
    for (int kind = RG_ACT_NONE; kind < RG_ACT_COUNT; kind++) {
      double got = rg_activation_apply((rg_activation){(rg_activation_kind)kind, -1, 2}, (float)x);
      if (isnan(got) && isnan(expected[kind])) continue;
      if (!(got == expected[kind] || fabs(got - expected[kind]) <= 2e-6 * (1 + fabs(expected[kind]))))
        fail_msg("%s(%g) = %g, expected %g", rg_activation_name((rg_activation_kind)kind), x, got, expected[kind]);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(axes_count_from_both_ends),
      cmocka_unit_test(sizes_broadcast_as_far_as_they_are_known),
      cmocka_unit_test(products_of_sizes_overflow_to_unknown),
      cmocka_unit_test(windows_are_counted_right),
      cmocka_unit_test(same_padding_covers_the_input),
      cmocka_unit_test(windows_of_bad_attributes_are_refused),
      cmocka_unit_test(activations_survive_writing),
      cmocka_unit_test(activations_are_what_they_say),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
