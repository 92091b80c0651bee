/* What the machine can do at most: multiply-adds in registers, and reading memory. */
#include <time.h>

#include "base/checked.h"
#include "base/cpu_features.h"
#include "base/threads.h"
#include "kernels/table.h"

#define READ_BYTES_MIN (64u << 20)
#define READ_BYTES_MAX (256u << 20)
#define THREADS_MAX    1024

typedef struct probe {
  const rg_kernels *kernels;
  size_t iterations; /* of the peak loop in a round */
  const float *data;
  size_t floats; /* of a thread */
  float sums[THREADS_MAX];
} probe;

static double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void compute_task(void *argument, size_t i) {
  probe *work = argument;
  work->sums[i] = work->kernels->peak(work->iterations);
}

static void read_task(void *argument, size_t i) {
  probe *work = argument;
  work->sums[i] = work->kernels->read(work->data + i * work->floats, work->floats);
}

/* The shortest round within `seconds`, at least three. */
static double best_round(rango_threads *threads, void (*task)(void *, size_t), probe *work, double seconds) {
  const size_t count = (size_t)rango_threads_count(threads);
  const double start = seconds_now();
  double best = 1e30;
  for (int round = 0; round < 3 || seconds_now() - start < seconds; round++) {
    const double begin = seconds_now();
    rg_threads_run(threads, task, work, count);
    const double taken = seconds_now() - begin;
    if (taken < best) best = taken;
  }
  return best > 1e-9 ? best : 1e-9;
}

static rango_status measure(rango_threads *threads, const rg_kernels *kernels, double seconds, double *gflops,
                            double *gbytes) {
  const size_t count = (size_t)rango_threads_count(threads), cache = 4 * rg_cpu_features()->l3_bytes;
  const size_t bytes = cache < READ_BYTES_MIN ? READ_BYTES_MIN : cache > READ_BYTES_MAX ? READ_BYTES_MAX : cache;
  probe *work;
  float *data;
  RG_TRY(rg_calloc(1, sizeof *work, RG_OUT(&work)));
  const rango_status status = rg_calloc(bytes, 1, RG_OUT(&data));
  if (status != RANGO_OK) {
    rg_free(work);
    return status;
  }
  for (size_t i = 0; i < bytes / sizeof(float); i += 512) data[i] = 1.0f; /* pages of its own, not one of zeros */
  *work = (probe){.kernels = kernels, .iterations = 100000, .data = data, .floats = bytes / sizeof(float) / count};
  const double compute = best_round(threads, compute_task, work, seconds / 2.0);
  *gflops = 1e-9 * (double)count * (double)work->iterations * (double)kernels->peak_flops / compute;
  const double reading = best_round(threads, read_task, work, seconds / 2.0);
  *gbytes = 1e-9 * (double)(count * work->floats * sizeof(float)) / reading;
  rg_free(data);
  rg_free(work);
  return RANGO_OK;
}

rango_status rango_cpu_measure_peak(int threads, double seconds, double *gflops, double *gbytes) {
  RG_FAIL_IF(gflops == NULL || gbytes == NULL, RANGO_ERROR_ARGUMENT, "rango_cpu_measure_peak: an output is NULL");
  RG_FAIL_IF(!(seconds >= 0.0) || seconds > 3600.0, RANGO_ERROR_ARGUMENT,
             "rango_cpu_measure_peak: %g seconds; use 0 to 3600", seconds);
  const rg_kernels *kernels;
  rango_threads *pool;
  RG_TRY(rg_kernels_get(NULL, &kernels));
  RG_TRY(rango_threads_create(threads, &pool));
  const rango_status status = measure(pool, kernels, seconds, gflops, gbytes);
  rango_threads_free(pool);
  return status;
}
