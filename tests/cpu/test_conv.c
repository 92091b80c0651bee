/* Conv, depthwise, ConvTranspose and low-rank pairs of convolutions against sums in double precision over the
 * definition. */
#include "cpu/costs.h"
#include "node_host.h"

typedef struct conv_case {
  int spatial;
  int64_t batch, in, out, group;
  int64_t size[3], kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
} conv_case;

static int64_t output_size(const conv_case *c, int axis) {
  const int64_t reach = c->dilation[axis] * (c->kernel[axis] - 1) + 1;
  return (c->size[axis] + c->pad_begin[axis] + c->pad_end[axis] - reach) / c->stride[axis] + 1;
}

/* The elements in row-major order, to be freed. */
static double *in_order(const rango_tensor *tensor) {
  int64_t count;
  check_ok(rg_shape_count(&tensor->shape, &count));
  double *values = malloc((size_t)count * sizeof *values + 8);
  for (size_t i = 0; i < (size_t)count; i++) values[i] = (double)node_at(tensor, i);
  return values;
}

/* One output: x[pixels of an image's channel], w[kernel]. */
static double window_sum(const conv_case *c, const double *x, const double *w, const int64_t origin[3]) {
  double sum = 0.0;
  for (int64_t kz = 0; kz < c->kernel[0]; kz++)
    for (int64_t ky = 0; ky < c->kernel[1]; ky++)
      for (int64_t kx = 0; kx < c->kernel[2]; kx++) {
        const int64_t z = origin[0] + kz * c->dilation[0], y = origin[1] + ky * c->dilation[1];
        const int64_t at = origin[2] + kx * c->dilation[2];
        if (z < 0 || z >= c->size[0] || y < 0 || y >= c->size[1] || at < 0 || at >= c->size[2]) continue;
        const size_t tap = (size_t)((kz * c->kernel[1] + ky) * c->kernel[2] + kx);
        sum += x[(z * c->size[1] + y) * c->size[2] + at] * w[tap];
      }
  return sum;
}

/* The convolution by its definition: truth[batch][out][pixels]. */
static double *definition(const conv_case *c, const rango_tensor *x, const rango_tensor *w, const rango_tensor *bias,
                          const int64_t out_size[3]) {
  const size_t pixels = (size_t)(out_size[0] * out_size[1] * out_size[2]);
  const size_t in_pixels = (size_t)(c->size[0] * c->size[1] * c->size[2]);
  const size_t taps = (size_t)(c->kernel[0] * c->kernel[1] * c->kernel[2]);
  const int64_t group_in = c->in / c->group, group_out = c->out / c->group;
  double *truth = malloc((size_t)(c->batch * c->out) * pixels * sizeof *truth + 8);
  double *xs = in_order(x), *ws = in_order(w);
  for (int64_t n = 0; n < c->batch; n++)
    for (int64_t m = 0; m < c->out; m++)
      for (size_t p = 0; p < pixels; p++) {
        int64_t origin[3], left = (int64_t)p;
        for (int i = 2; i >= 0; i--) {
          origin[i] = left % out_size[i] * c->stride[i] - c->pad_begin[i];
          left /= out_size[i];
        }
        double sum = bias != NULL ? (double)node_at(bias, (size_t)m) : 0.0;
        for (int64_t q = 0; q < group_in; q++)
          sum += window_sum(c, xs + (size_t)(n * c->in + m / group_out * group_in + q) * in_pixels,
                            ws + (size_t)(m * group_in + q) * taps, origin);
        truth[(size_t)(n * c->out + m) * pixels + p] = sum;
      }
  free(xs);
  free(ws);
  return truth;
}

static void shape_of(const conv_case *c, int64_t batch, int64_t channels, const int64_t size[3], rg_shape *shape) {
  *shape = (rg_shape){.rank = 2 + c->spatial, .dims = {batch, channels}};
  for (int i = 0; i < c->spatial; i++) shape->dims[2 + i] = size[3 - c->spatial + i];
}

static void set_attributes(rg_node *node, const conv_case *c, const char *suffix) {
  const size_t spatial = (size_t)c->spatial, skip = 3 - spatial;
  int64_t pads[6];
  char name[32];
  for (size_t i = 0; i < spatial; i++) {
    pads[i] = c->pad_begin[skip + i];
    pads[spatial + i] = c->pad_end[skip + i];
  }
  snprintf(name, sizeof name, "strides%s", suffix);
  check_ok(rg_node_set_ints(node, name, c->stride + skip, spatial));
  snprintf(name, sizeof name, "dilations%s", suffix);
  check_ok(rg_node_set_ints(node, name, c->dilation + skip, spatial));
  snprintf(name, sizeof name, "pads%s", suffix);
  check_ok(rg_node_set_ints(node, name, pads, 2 * spatial));
  snprintf(name, sizeof name, "group%s", suffix);
  check_ok(rg_node_set_int(node, name, c->group));
}

static void finish(double *truth, size_t count, const rango_tensor *residual, rg_activation activation) {
  for (size_t i = 0; i < count; i++) {
    if (residual != NULL) truth[i] += (double)node_at(residual, i);
    truth[i] = (double)rg_activation_apply(activation, (float)truth[i]);
  }
}

/* Random geometry; `wide` chooses channels around the vector widths, otherwise few. */
static conv_case random_case(rg_random *random, int turn) {
  static const int64_t channels[] = {1, 2, 3, 5, 8, 9, 15, 16, 17, 31, 32, 33, 40, 64};
  conv_case c = {.spatial = 1 + turn % 3, .batch = 1 + turn % 2};
  const int kind = turn % 5; /* 0, 1, 2: plain, 3: grouped, 4: depthwise */
  c.group = kind < 3 ? 1 : kind == 3 ? 1 + (int64_t)rg_random_below(random, 3) : channels[rg_random_below(random, 14)];
  c.in = kind == 4 ? c.group : c.group * channels[rg_random_below(random, 12)];
  c.out = kind == 4 ? c.group : c.group * channels[rg_random_below(random, 14)];
  for (int i = 0; i < 3; i++) {
    const bool used = i >= 3 - c.spatial;
    c.kernel[i] = used && turn % 4 != 0 ? 1 + (int64_t)rg_random_below(random, c.spatial == 3 ? 3 : 4) : 1;
    c.stride[i] = used ? 1 + (int64_t)rg_random_below(random, 2 + (turn % 7 == 0)) : 1;
    c.dilation[i] = used ? 1 + (int64_t)rg_random_below(random, 2) : 1;
    c.pad_begin[i] = used ? (int64_t)rg_random_below(random, 3) : 0;
    c.pad_end[i] = used ? (int64_t)rg_random_below(random, 3) : 0;
    c.size[i] =
        used ? c.dilation[i] * (c.kernel[i] - 1) + 1 + (int64_t)rg_random_below(random, c.spatial == 3 ? 4 : 9) : 1;
  }
  return c;
}

/* One convolution with what `turn` chooses: constant or given weight, bias, residual. */
static void check_conv(const conv_case *c, int turn, rg_activation_kind kind, rg_layout x_layout, rg_layout y_layout) {
  const rg_activation activation = {kind, kind == RG_ACT_CLIP ? -0.5f : 0.2f, 0.5f};
  const int64_t out_size[3] = {output_size(c, 0), output_size(c, 1), output_size(c, 2)};
  rg_shape x, y, w;
  node_host host;
  node_begin(&host, RG_PRIVATE_DOMAIN, "Conv", 4, (uint64_t)turn);
  shape_of(c, c->batch, c->in, c->size, &x);
  shape_of(c, c->batch, c->out, out_size, &y);
  shape_of(c, c->out, c->in / c->group, c->kernel, &w);
  set_attributes(host.node, c, "");
  check_ok(rg_activation_write(host.node, activation));
  node_input(&host, 0, false, x_layout, &x);
  node_input(&host, 1, turn % 9 != 0, RG_ROW_MAJOR, &w);
  if (turn % 2) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(c->out));
  if (turn % 3 == 0) node_input(&host, 3, false, turn % 12 == 0 ? RG_ROW_MAJOR : y_layout, &y);
  double *truth = definition(c, &host.inputs[0], &host.inputs[1], turn % 2 ? &host.inputs[2] : NULL, out_size);
  int64_t count;
  check_ok(rg_shape_count(&y, &count));
  finish(truth, (size_t)count, turn % 3 == 0 ? &host.inputs[3] : NULL, activation);
  char what[100];
  snprintf(what, sizeof what, "case %d (%dD, %ld to %ld channels, group %ld)", turn, c->spatial, (long)c->in,
           (long)c->out, (long)c->group);
  node_check(&host, what, truth, &y, y_layout);
  free(truth);
  node_end(&host);
}

static void test_conv(void **state) {
  rg_random random;
  rg_random_seed(&random, 1);
  (void)state;
  for (int turn = 0; turn < 84; turn++) {
    const conv_case c = random_case(&random, turn);
    check_conv(&c, turn, (rg_activation_kind)(turn % 11), turn % 6 < 4 ? RG_CHANNELS_LAST : RG_ROW_MAJOR,
               turn % 7 < 5 ? RG_CHANNELS_LAST : RG_ROW_MAJOR);
  }
}

/* A convolution of stride 1 by its sizes: batch, in, out, height, width, kernel, pads at top, left, bottom, right. */
static conv_case plain_case(const int64_t v[11]) {
  return (conv_case){2,
                     v[0],
                     v[1],
                     v[2],
                     1,
                     {1, v[3], v[4]},
                     {1, v[5], v[6]},
                     {1, 1, 1},
                     {1, 1, 1},
                     {0, v[7], v[8]},
                     {0, v[9], v[10]}};
}

/* By which tiles an instruction set's cost table runs it; 0: not by Winograd's method. */
static size_t winograd_side(const char *isa, const conv_case *c) {
  const rg_kernels *kernels;
  rg_costs costs;
  check_ok(rg_kernels_get(isa, &kernels));
  rg_costs_init(&costs, kernels);
  return rg_costs_winograd(&costs, &(rg_cost_query){.kind = RG_COST_CONV,
                                                    .rows = c->batch,
                                                    .in = c->in,
                                                    .out = c->out,
                                                    .group = 1,
                                                    .kernel_h = c->kernel[1],
                                                    .kernel_w = c->kernel[2],
                                                    .height = output_size(c, 1),
                                                    .width = output_size(c, 2),
                                                    .plain = true});
}

/* Activations that don't bound the result: errors are relative to the largest. */
static const rg_activation_kind unbounded[] = {RG_ACT_NONE, RG_ACT_RELU, RG_ACT_LEAKY_RELU, RG_ACT_SILU};

/* Sizes and channels that Winograd's method takes, whole tiles and parts of them, all kinds of borders. */
static void test_winograd(void **state) {
  static const int64_t shapes[][11] = {{1, 16, 16, 32, 32, 3, 3, 1, 1, 1, 1}, {2, 64, 48, 9, 10, 3, 3, 1, 1, 1, 1},
                                       {1, 17, 33, 24, 18, 3, 3, 0, 0, 0, 0}, {3, 32, 64, 12, 12, 3, 3, 2, 0, 1, 2},
                                       {1, 96, 40, 14, 30, 3, 3, 0, 2, 2, 0}, {8, 72, 70, 2, 2, 3, 3, 1, 1, 1, 1},
                                       {1, 20, 50, 12, 12, 5, 5, 0, 0, 0, 0}, {2, 24, 16, 7, 9, 5, 5, 2, 2, 2, 2},
                                       {1, 64, 64, 16, 15, 3, 1, 1, 0, 1, 0}, {2, 48, 70, 11, 16, 1, 3, 0, 1, 0, 1},
                                       {1, 64, 33, 18, 5, 5, 1, 2, 0, 2, 0},  {1, 70, 64, 1, 41, 1, 5, 0, 2, 0, 0},
                                       {6, 64, 48, 2, 7, 3, 1, 1, 0, 1, 0},   {9, 48, 33, 5, 2, 1, 3, 0, 1, 0, 1},
                                       {8, 64, 64, 4, 4, 3, 3, 0, 0, 0, 0},   {8, 64, 40, 2, 2, 3, 3, 2, 2, 0, 0},
                                       {8, 40, 64, 2, 7, 3, 3, 1, 0, 1, 1}};
  enum { SQUARE3, SQUARE5, LINE, TWO_PIXELS };
  bool seen[4][7] = {{false}}; /* [kernel][side of a tile] */
  (void)state;
  for (int turn = 1; turn < 35; turn++) {
    const conv_case c = plain_case(shapes[turn % 17]);
    const int kind = output_size(&c, 1) == 2 && output_size(&c, 2) == 2 ? TWO_PIXELS
                     : c.kernel[1] != c.kernel[2]                       ? LINE
                     : c.kernel[1] == 5                                 ? SQUARE5
                                                                        : SQUARE3;
    for (const char *const *isa = node_isas(); *isa != NULL; isa++) seen[kind][winograd_side(*isa, &c)] = true;
    check_conv(&c, turn, unbounded[turn / 2 % 4], RG_CHANNELS_LAST, RG_CHANNELS_LAST);
  }
  for (int m = 2; m <= 6; m += 2) assert_true(seen[SQUARE3][m]); /* the method did run, with all tiles */
  assert_true(seen[SQUARE5][4] && seen[TWO_PIXELS][2]);
  assert_true(seen[LINE][2] || seen[LINE][4] || seen[LINE][6]);
}

/* The transpose by its definition: every input pixel is added to what its window covers. */
static double *transpose_definition(const conv_case *c, const rango_tensor *x, const rango_tensor *w,
                                    const rango_tensor *bias, const int64_t out_size[3]) {
  const int64_t pixels = out_size[0] * out_size[1] * out_size[2], in_pixels = c->size[0] * c->size[1] * c->size[2];
  const int64_t taps = c->kernel[0] * c->kernel[1] * c->kernel[2];
  const int64_t group_in = c->in / c->group, group_out = c->out / c->group;
  double *truth = malloc((size_t)(c->batch * c->out * pixels) * sizeof *truth + 8);
  double *xs = in_order(x), *ws = in_order(w);
  for (int64_t i = 0; i < c->batch * c->out * pixels; i++)
    truth[i] = bias != NULL ? (double)node_at(bias, (size_t)(i / pixels % c->out)) : 0.0;
  for (int64_t i = 0; i < c->batch * c->in * in_pixels; i++)
    for (int64_t m = 0; m < group_out; m++)
      for (int64_t t = 0; t < taps; t++) {
        const int64_t channel = i / in_pixels % c->in, pixel = i % in_pixels;
        const int64_t at[3] = {pixel / c->size[2] / c->size[1], pixel / c->size[2] % c->size[1], pixel % c->size[2]};
        const int64_t tap[3] = {t / c->kernel[2] / c->kernel[1], t / c->kernel[2] % c->kernel[1], t % c->kernel[2]};
        int64_t o[3];
        bool there = true;
        for (int axis = 0; axis < 3; axis++) {
          o[axis] = at[axis] * c->stride[axis] - c->pad_begin[axis] + tap[axis] * c->dilation[axis];
          there = there && o[axis] >= 0 && o[axis] < out_size[axis];
        }
        if (!there) continue;
        const int64_t to = (i / in_pixels / c->in * c->out + channel / group_in * group_out + m) * pixels;
        truth[to + (o[0] * out_size[1] + o[1]) * out_size[2] + o[2]] +=
            xs[i] * ws[(channel * group_out + m) * taps + t];
      }
  free(xs);
  free(ws);
  return truth;
}

static void test_conv_transpose(void **state) {
  rg_random random;
  rg_random_seed(&random, 2);
  (void)state;
  for (int turn = 0; turn < 42; turn++) {
    conv_case c = random_case(&random, turn);
    const rg_layout x_layout = turn % 6 < 4 ? RG_CHANNELS_LAST : RG_ROW_MAJOR;
    const rg_layout y_layout = turn % 7 < 5 ? RG_CHANNELS_LAST : RG_ROW_MAJOR;
    int64_t out_size[3];
    bool fits = true;
    for (int i = 0; i < 3; i++) {
      out_size[i] =
          (c.size[i] - 1) * c.stride[i] + c.dilation[i] * (c.kernel[i] - 1) + 1 - c.pad_begin[i] - c.pad_end[i];
      fits = fits && out_size[i] > 0;
    }
    if (!fits) continue;
    rg_shape x, y, w;
    node_host host;
    node_begin(&host, "", "ConvTranspose", 3, (uint64_t)turn);
    shape_of(&c, c.batch, c.in, c.size, &x);
    shape_of(&c, c.batch, c.out, out_size, &y);
    shape_of(&c, c.in, c.out / c.group, c.kernel, &w);
    set_attributes(host.node, &c, "");
    node_input(&host, 0, false, x_layout, &x);
    node_input(&host, 1, turn % 9 != 0, RG_ROW_MAJOR, &w);
    if (turn % 2) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(c.out));
    double *truth =
        transpose_definition(&c, &host.inputs[0], &host.inputs[1], turn % 2 ? &host.inputs[2] : NULL, out_size);
    char what[100];
    snprintf(what, sizeof what, "case %d (%dD, %ld to %ld channels, group %ld)", turn, c.spatial, (long)c.in,
             (long)c.out, (long)c.group);
    node_check(&host, what, truth, &y, y_layout);
    free(truth);
    node_end(&host);
  }
}

/* A tensor over doubles rounded to float, so that the second half can be computed by its definition. */
static rango_tensor rounded(const double *values, const rg_shape *shape) {
  rango_tensor tensor;
  int64_t count;
  check_ok(rg_shape_count(shape, &count));
  check_ok(rg_tensor_init(&tensor, RANGO_FLOAT32, shape));
  for (int64_t i = 0; i < count; i++) ((float *)tensor.data)[i] = (float)values[i];
  return tensor;
}

/* A pair with what `turn` chooses: biases, residual. */
static void check_pair(const conv_case *first, const conv_case *second, int turn, rg_activation activation,
                       rg_layout x_layout, rg_layout y_layout) {
  const int64_t out_size[3] = {output_size(second, 0), output_size(second, 1), output_size(second, 2)};
  rg_shape x, middle, y, w1, w2;
  node_host host;
  node_begin(&host, RG_PRIVATE_DOMAIN, "LowRankConv", 6, (uint64_t)turn);
  shape_of(first, first->batch, first->in, first->size, &x);
  shape_of(first, first->batch, first->out, second->size, &middle);
  shape_of(first, first->batch, second->out, out_size, &y);
  shape_of(first, first->out, first->in, first->kernel, &w1);
  shape_of(second, second->out, second->in, second->kernel, &w2);
  set_attributes(host.node, first, "1");
  set_attributes(host.node, second, "2");
  check_ok(rg_activation_write(host.node, activation));
  node_input(&host, 0, false, x_layout, &x);
  node_input(&host, 1, true, RG_ROW_MAJOR, &w1);
  if (turn % 2) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(first->out));
  node_input(&host, 3, true, RG_ROW_MAJOR, &w2);
  if (turn % 4) node_input(&host, 4, true, RG_ROW_MAJOR, SHAPE(second->out));
  if (turn % 3 == 0) node_input(&host, 5, false, y_layout, &y);
  double *between =
      definition(first, &host.inputs[0], &host.inputs[1], turn % 2 ? &host.inputs[2] : NULL, second->size);
  rango_tensor t = rounded(between, &middle);
  double *truth = definition(second, &t, &host.inputs[3], turn % 4 ? &host.inputs[4] : NULL, out_size);
  int64_t count;
  check_ok(rg_shape_count(&y, &count));
  finish(truth, (size_t)count, turn % 3 == 0 ? &host.inputs[5] : NULL, activation);
  char what[60];
  snprintf(what, sizeof what, "pair %d", turn);
  node_check(&host, what, truth, &y, y_layout);
  rg_tensor_clear(&t);
  free(between);
  free(truth);
  node_end(&host);
}

static void test_low_rank_conv(void **state) {
  static const int64_t ranks[] = {1, 4, 7, 16, 20, 33};
  rg_random random;
  rg_random_seed(&random, 3);
  (void)state;
  for (int turn = 0; turn < 42; turn++) {
    conv_case first = random_case(&random, turn), second = {.spatial = first.spatial, .batch = first.batch, .group = 1};
    first.group = 1;
    first.out = second.in = ranks[turn % 6];
    second.out = 1 + (int64_t)rg_random_below(&random, 40);
    for (int i = 0; i < 3; i++) {
      const bool spread = turn % 5 > 2 && i >= 3 - first.spatial; /* the second half looks at neighbours too */
      second.size[i] = output_size(&first, i);
      second.kernel[i] = spread ? 1 + (int64_t)rg_random_below(&random, 3) : 1;
      second.stride[i] = second.dilation[i] = 1;
      second.pad_begin[i] = spread ? second.kernel[i] / 2 : 0;
      second.pad_end[i] = spread ? second.kernel[i] - 1 - second.kernel[i] / 2 : 0;
    }
    check_pair(&first, &second, turn, (rg_activation){turn % 2 ? RG_ACT_RELU : RG_ACT_SILU, 0.0f, 0.0f},
               turn % 5 < 4 ? RG_CHANNELS_LAST : RG_ROW_MAJOR, turn % 7 < 6 ? RG_CHANNELS_LAST : RG_ROW_MAJOR);
  }
}

/* Pairs whose first half, second half, and both are run by Winograd's method. */
static void test_low_rank_winograd(void **state) {
  static const int64_t pairs[][2][11] = {
      {{1, 64, 16, 20, 20, 3, 3, 1, 1, 1, 1}, {1, 16, 48, 20, 20, 1, 1, 0, 0, 0, 0}},
      {{2, 40, 16, 16, 17, 1, 1, 0, 0, 0, 0}, {2, 16, 64, 16, 17, 3, 3, 1, 1, 1, 1}},
      {{1, 64, 32, 24, 23, 3, 1, 1, 0, 1, 0}, {1, 32, 64, 24, 23, 1, 3, 0, 1, 0, 1}}};
  bool seen = false;
  (void)state;
  for (int turn = 0; turn < 6; turn++) {
    const conv_case first = plain_case(pairs[turn % 3][0]), second = plain_case(pairs[turn % 3][1]);
    for (const char *const *isa = node_isas(); *isa != NULL; isa++)
      seen = seen || (winograd_side(*isa, &first) > 0 && winograd_side(*isa, &second) > 0);
    check_pair(&first, &second, turn, (rg_activation){unbounded[turn % 4], 0.2f, 0.0f}, RG_CHANNELS_LAST,
               RG_CHANNELS_LAST);
  }
  assert_true(seen);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conv),
      cmocka_unit_test(test_winograd),
      cmocka_unit_test(test_conv_transpose),
      cmocka_unit_test(test_low_rank_conv),
      cmocka_unit_test(test_low_rank_winograd),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
