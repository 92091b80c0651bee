/* Measuring the rates that the cost model needs, on one thread, with the kernels that will run. */
#include <time.h>

#include "base/checked.h"
#include "base/cpu_features.h"
#include "cpu/costs.h"
#include "cpu/product.h"

#define READ_BYTES_MAX (256u << 20)

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

#define DEPTHWISE_CHANNELS 256
#define DEPTHWISE_TAPS     9
#define DEPTHWISE_PIXELS   64

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

typedef struct stretch {
  const float *data;
  size_t floats;
} stretch;

static void read_stretch(const cost_bench *bench, const void *argument) {
  const stretch *part = argument;
  bench->c[0] = bench->kernels->read(part->data, part->floats);
}

/* Rates of multiply-adds. */
static void measure_rates(cost_bench *bench, rg_costs *costs) {
  const size_t rows = 16 * bench->kernels->mr, nr = bench->kernels->nr;
  const sizes whole = {rows, 4 * nr, 256}, half = {rows, nr / 2, 256}, row = {1, 4 * nr, 256};
  rg_kernel_costs *rates = &costs->rates;
  rates->gflops = 2e-9 * (double)(whole.m * whole.n * whole.k) / best_seconds(bench, product, &whole, 4);
  rates->gflops_half = 2e-9 * (double)(half.m * half.n * half.k) / best_seconds(bench, product, &half, 16);
  rates->gflops_row = 2e-9 * (double)(row.n * row.k) / best_seconds(bench, product, &row, 64);
  rates->gflops_depthwise =
      2e-9 * DEPTHWISE_CHANNELS * DEPTHWISE_TAPS * DEPTHWISE_PIXELS / best_seconds(bench, depthwise, NULL, 16);
  rates->gbytes_transform = 4e-9 * TRANSFORM_POINTS * TRANSFORM_CHANNELS / best_seconds(bench, transform, NULL, 256);
  const sizes least = {1, 1, 1};
  rates->overhead_us = 1e6 * best_seconds(bench, product, &least, 256);
}

static rango_status measure_reading(cost_bench *bench, rg_costs *costs) {
  const size_t l2 = rg_cpu_features()->l2_bytes > 0 ? rg_cpu_features()->l2_bytes : 1u << 20;
  const size_t l3 = rg_cpu_features()->l3_bytes > 0 ? rg_cpu_features()->l3_bytes : 2 * l2;
  const size_t bytes = 4 * l3 < READ_BYTES_MAX ? 4 * l3 : READ_BYTES_MAX, near = l3 > 4 * l2 ? 2 * l2 : l2;
  float *data;
  RG_TRY(rg_alloc(bytes, RG_OUT(&data)));
  for (size_t i = 0; i < bytes / sizeof(float); i++) data[i] = 1.0f;
  const stretch cached = {data, near / sizeof(float)}, memory = {data, bytes / sizeof(float)};
  costs->rates.gbytes_cache = 1e-9 * (double)near / best_seconds(bench, read_stretch, &cached, 4);
  costs->rates.gbytes_ram = 1e-9 * (double)bytes / best_seconds(bench, read_stretch, &memory, 1);
  rg_free(data);
  return RANGO_OK;
}

static rango_status make_operands(cost_bench *bench) {
  const size_t rows = 16 * bench->kernels->mr, nr = bench->kernels->nr, k = 256;
  const size_t image = (DEPTHWISE_PIXELS + DEPTHWISE_TAPS) * DEPTHWISE_CHANNELS;
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
  cost_bench probes = {.kernels = kernels, .seconds = seconds / 8.0};
  rg_costs *costs = NULL;
  rango_status status = RANGO_OK;
  *out = NULL;
  RG_TRY_DONE(rg_costs_default(kernels, &costs));
  RG_TRY_DONE(make_operands(&probes));
  RG_TRY_DONE(report(progress, user, 0.0));
  measure_rates(&probes, costs);
  RG_TRY_DONE(report(progress, user, 6.0 / 8.0));
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
