/* Measuring the rates that the cost model needs, on one thread, with the kernels that will run. */
#include <time.h>

#include "base/checked.h"
#include "base/cpu_features.h"
#include "cpu/conv.h"
#include "cpu/costs.h"
#include "cpu/product.h"

#define READ_BYTES_MAX (256u << 20)
#define PROBE_TILES    16 /* of rows */
#define ROWS_MAX       16 /* of a tile */

typedef struct cost_bench {
  const rg_kernels *kernels;
  float *a, *b, *c; /* operands, each big enough for every probe */
  void *scratch;
  size_t scratch_bytes;
  double seconds; /* of each probe */
} cost_bench;

static double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of one call: the fastest of rounds of `repeat` calls. */
static double best_seconds(const cost_bench *bench, void (*call)(const struct cost_bench *, const void *),
                           const void *argument, int repeat) {
  const double start = seconds_now();
  double best = 1e30;
  for (int round = 0; round < 3 || seconds_now() - start < bench->seconds; round++) {
    const double begin = seconds_now();
    for (int i = 0; i < repeat; i++) call(bench, argument);
    const double taken = (seconds_now() - begin) / repeat;
    if (taken < best) best = taken;
  }
  return best > 1e-9 ? best : 1e-9;
}

typedef struct sizes {
  size_t m, n, k;
} sizes;

static void product(const cost_bench *bench, const void *argument) {
  const sizes *size = argument;
  const rg_product operands = {
      .a = bench->a, .a_row = size->k, .a_column = 1, .k = size->k, .b = bench->b, .c = bench->c};
  rg_gemm gemm;
  rg_gemm_plan(&gemm, bench->kernels, 1, 1, size->m, size->n, 1, size->k, 0);
  rg_product_run(&gemm, &operands, (rg_activation){RG_ACT_NONE, 0, 0}, NULL, bench->scratch);
}

/* Few columns, one behind the other. */
static void narrow_product(const cost_bench *bench, const void *argument) {
  const sizes *size = argument;
  const float *rows[PROBE_TILES * ROWS_MAX];
  for (size_t i = 0; i < size->m; i++) rows[i] = bench->a + i * size->k;
  const rg_gemm_block block = {.first = {.rows = bench->kernels->mr,
                                         .segments = 1,
                                         .k = size->k,
                                         .a = rows,
                                         .b = bench->b,
                                         .c = bench->c,
                                         .c_stride = size->n,
                                         .low = -1e30f,
                                         .high = 1e30f},
                               .rows = size->m,
                               .columns = size->n,
                               .panel_step = size->k};
  bench->kernels->gemm_narrow(&block);
}

#define DEPTHWISE_CHANNELS 64
#define DEPTHWISE_TAPS     9
#define DEPTHWISE_PIXELS   28

static void depthwise(const cost_bench *bench, const void *argument) {
  (void)argument;
  const float *x[3] = {bench->a, bench->a, bench->a};
  const rg_depthwise_line line = {.rows = 3,
                                  .taps = 3,
                                  .channels = DEPTHWISE_CHANNELS,
                                  .count = DEPTHWISE_PIXELS,
                                  .x = x,
                                  .tap_step = DEPTHWISE_CHANNELS,
                                  .pixel_step = DEPTHWISE_CHANNELS,
                                  .weights = bench->b,
                                  .weight_row = 3 * DEPTHWISE_CHANNELS,
                                  .out = bench->c,
                                  .low = -1e30f,
                                  .high = 1e30f};
  bench->kernels->depthwise(&line);
}

#define TRANSFORM_CHANNELS 64
#define TRANSFORM_POINTS   36

static void transform(const cost_bench *bench, const void *argument) {
  (void)argument;
  rg_winograd_input in = {
      .side = 6, .end = 6, .channels = TRANSFORM_CHANNELS, .v = bench->c, .v_step = TRANSFORM_CHANNELS};
  for (size_t i = 0; i < 6; i++) {
    in.rows[i] = bench->a;
    in.steps[i] = TRANSFORM_CHANNELS;
  }
  bench->kernels->winograd_input(&in);
}

/* Finding the windows of an image of WINDOW_CHANNELS channels: `argument` is a convolution. */
#define WINDOW_CHANNELS 8
#define WINDOW_WIDTH    64

static void find_windows(const cost_bench *bench, const void *argument) {
  const rg_conv *conv = argument;
  const rg_conv_operands operands = {.conv = conv, .x = bench->a};
  const size_t mr = bench->kernels->mr;
  for (size_t i = 0; i + mr <= conv->geometry.y.pixels; i += mr)
    rg_conv_rows(&operands, 0, i, mr, bench->c, bench->scratch);
}

/* 3 x 3 windows over `width` columns, a run a row of the window, as in a convolution of few channels. */
static rg_conv window_conv(const cost_bench *bench, size_t width, const float *zeros) {
  const size_t pixels = WINDOW_WIDTH * WINDOW_WIDTH;
  const int64_t high = (int64_t)(pixels / width), wide = (int64_t)width;
  return (rg_conv){
      .geometry = {.batch = 1,
                   .groups = 1,
                   .group_in = WINDOW_CHANNELS,
                   .group_out = 1,
                   .taps = 9,
                   .in = {1, high, wide},
                   .out = {1, high, wide},
                   .kernel = {1, 3, 3},
                   .stride = {1, 1, 1},
                   .dilation = {1, 1, 1},
                   .pad = {0, 1, 1},
                   .x = {.channels = WINDOW_CHANNELS,
                         .pixels = pixels,
                         .image_step = pixels * WINDOW_CHANNELS,
                         .pixel_step = WINDOW_CHANNELS,
                         .channel_step = 1},
                   .y = {.pixels = pixels}},
      .gemm = {.kernels = bench->kernels, .segments = 3, .k = 3 * WINDOW_CHANNELS, .pack_floats = 9 * WINDOW_CHANNELS},
      .mode = RG_CONV_RUNS,
      .zeros = zeros};
}

typedef struct stretch {
  const float *data;
  size_t floats;
} stretch;

static void read_stretch(const cost_bench *bench, const void *argument) {
  const stretch *part = argument;
  bench->c[0] = bench->kernels->read(part->data, part->floats);
}

/* Seconds of products of `size` with k = K_SHORT and k = K_LONG: what takes time beside the multiply-adds is in both.
 */
#define K_SHORT 16
#define K_LONG  256

static void measure_slope(const cost_bench *bench, void (*call)(const cost_bench *, const void *), sizes size,
                          double *gflops, double *beside) {
  size.k = K_SHORT;
  const double brief = best_seconds(bench, call, &size, 64);
  size.k = K_LONG;
  const double lengthy = best_seconds(bench, call, &size, 4), work = 2.0 * (double)(size.m * size.n);
  const double seconds = lengthy > brief ? (lengthy - brief) / (K_LONG - K_SHORT) : lengthy / K_LONG;
  *gflops = 1e-9 * work / seconds;
  *beside = brief > K_SHORT * seconds ? brief - K_SHORT * seconds : 1e-10;
}

static void measure_products(const cost_bench *bench, rg_costs *costs) {
  const size_t rows = PROBE_TILES * bench->kernels->mr, nr = bench->kernels->nr;
  rg_kernel_costs *rates = &costs->rates;
  const sizes least = {1, 1, 1};
  double beside;
  rates->overhead_us = 1e6 * best_seconds(bench, product, &least, 256);
  measure_slope(bench, product, (sizes){rows, 4 * nr, 0}, &rates->gflops, &beside);
  rates->tile_ns = 1e9 * beside / (4.0 * PROBE_TILES);
  measure_slope(bench, product, (sizes){rows, nr / 2, 0}, &rates->gflops_half, &beside);
  rates->gflops_narrow = rates->gflops_half;
  rates->narrow_ns = rates->tile_ns;
  if (bench->kernels->narrow == 0) return;
  measure_slope(bench, narrow_product, (sizes){rows, 4, 0}, &rates->gflops_narrow, &beside);
  rates->narrow_ns = 1e9 * beside / (double)rows;
}

/* The rest that is compute. */
static void measure_convolutions(const cost_bench *bench, rg_costs *costs) {
  static const float zeros[3 * WINDOW_CHANNELS];
  const rg_conv wide = window_conv(bench, WINDOW_WIDTH, zeros), tight = window_conv(bench, 2, zeros);
  const double pointers = 3.0 * (double)wide.geometry.y.pixels;
  rg_kernel_costs *rates = &costs->rates;
  rates->gflops_depthwise =
      2e-9 * DEPTHWISE_CHANNELS * DEPTHWISE_TAPS * DEPTHWISE_PIXELS / best_seconds(bench, depthwise, NULL, 16);
  rates->gbytes_transform = 4e-9 * TRANSFORM_POINTS * TRANSFORM_CHANNELS / best_seconds(bench, transform, NULL, 256);
  rates->pointer_ns = 1e9 * best_seconds(bench, find_windows, &wide, 4) / pointers;
  rates->copy_ns = 1e9 * best_seconds(bench, find_windows, &tight, 4) / pointers; /* every run is at a border */
}

static rango_status measure_reading(cost_bench *bench, rg_costs *costs) {
  const size_t l2 = rg_cpu_features()->l2_bytes > 0 ? rg_cpu_features()->l2_bytes : 1u << 20;
  const size_t l3 = rg_cpu_features()->l3_bytes > 0 ? rg_cpu_features()->l3_bytes : 2 * l2;
  const size_t bytes = 4 * l3 < READ_BYTES_MAX ? 4 * l3 : READ_BYTES_MAX, near = l3 > 4 * l2 ? 2 * l2 : l2;
  float *data;
  RG_TRY(rg_alloc(bytes, RG_OUT(&data)));
  for (size_t i = 0; i < bytes / sizeof(float); i++) data[i] = 1.0f;
  const stretch close = {data, l2 / 2 / sizeof(float)}, cached = {data, near / sizeof(float)};
  const stretch memory = {data, bytes / sizeof(float)};
  costs->rates.gbytes_l2 = 0.5e-9 * (double)l2 / best_seconds(bench, read_stretch, &close, 8);
  costs->rates.gbytes_cache = 1e-9 * (double)near / best_seconds(bench, read_stretch, &cached, 4);
  costs->rates.gbytes_ram = 1e-9 * (double)bytes / best_seconds(bench, read_stretch, &memory, 1);
  rg_free(data);
  return RANGO_OK;
}

static rango_status make_operands(cost_bench *bench) {
  const size_t rows = PROBE_TILES * bench->kernels->mr, nr = bench->kernels->nr, k = K_LONG;
  const size_t image = WINDOW_WIDTH * WINDOW_WIDTH * WINDOW_CHANNELS; /* depthwise takes less */
  const size_t a = rows * k > image ? rows * k : image, b = k * 4 * nr > image ? k * 4 * nr : image;
  const size_t c = rows * 4 * nr > image ? rows * 4 * nr : image;
  rg_gemm gemm;
  rg_gemm_plan(&gemm, bench->kernels, 1, 1, rows, 4 * nr, 1, k, 0);
  RG_TRY(rg_gemm_scratch_bytes(&gemm, &bench->scratch_bytes));
  RG_TRY(rg_alloc(bench->scratch_bytes, &bench->scratch));
  RG_TRY(rg_calloc(a, sizeof(float), RG_OUT(&bench->a)));
  RG_TRY(rg_calloc(b, sizeof(float), RG_OUT(&bench->b)));
  return rg_calloc(c, sizeof(float), RG_OUT(&bench->c));
}

static rango_status report(bool (*progress)(void *, double, const char *), void *user, double fraction) {
  if (progress != NULL && !progress(user, fraction, "measuring"))
    RG_FAIL(RANGO_ERROR_CANCELLED, "stopped by the caller");
  return RANGO_OK;
}

rango_status rg_costs_measure(const rg_kernels *kernels, double seconds,
                              bool (*progress)(void *user, double fraction, const char *stage), void *user,
                              rg_costs **out) {
  cost_bench probes = {.kernels = kernels, .seconds = seconds / 13.0};
  rg_costs *costs = NULL;
  rango_status status = RANGO_OK;
  *out = NULL;
  RG_TRY_DONE(rg_costs_default(kernels, &costs));
  RG_TRY_DONE(make_operands(&probes));
  RG_TRY_DONE(report(progress, user, 0.0));
  measure_products(&probes, costs);
  RG_TRY_DONE(report(progress, user, 7.0 / 13.0));
  measure_convolutions(&probes, costs);
  RG_TRY_DONE(report(progress, user, 10.0 / 13.0));
  RG_TRY_DONE(measure_reading(&probes, costs));
  RG_TRY_DONE(report(progress, user, 1.0));
  *out = costs;
  costs = NULL;
done:
  rg_costs_free(costs);
  rg_free(probes.a);
  rg_free(probes.b);
  rg_free(probes.c);
  rg_free(probes.scratch);
  return status;
}
