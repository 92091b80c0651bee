/*
 * A tile's dispatch takes so many microseconds, and as many more as k is longer. So each tile is run on two lengths of
 * k, right behind each other, and the difference is what steps take: once on as many groups as there are
 * multiprocessors, and once on several for each. All tiles take turns, so that clocks that rise and fall meet them all.
 * The shortest times count: what else the machine does only adds to them.
 */
#include "gpu/tune.h"

#include <math.h>

#include "base/random.h"
#include "gpu/product.h"
#include "gpu/rates.h"
#include "gpu/record.h"

#define ROUNDS       15
#define ROUNDS_LEAST 5
#define ROUNDS_MOST  60     /* where a longer k never took longer */
#define TOTAL_MS     2000.0 /* ends the rounds before, where the device is slow */
#define K_MOST       4096
#define BYTES_MOST   ((size_t)128 << 20) /* of what tiles read, and of what they write */
#define BLOCK        ((size_t)1 << 20)   /* floats that are repeated */
#define TRIALS       (2 * RG_GPU_TILES)

/* How long the longer k (the shorter has a quarter of its steps) should take at least, for the clock's sake; how many
 * steps it begins with, a multiple of four; how many groups keep a multiprocessor busy. A CPU is interrupted for
 * milliseconds, and what it takes then says little: it has enough steps from the start. */
typedef struct extent {
  double milliseconds;
  int64_t steps, groups;
} extent;
static const extent extents[] = {{0.25, 4, 8}, {0, 16, 2}}; /* of a GPU, of software */

/* A tile at work, on a grid of groups. */
typedef struct trial {
  int tile;
  int64_t grid[2];
  int64_t steps; /* of the longer k */
  rg_gpu_list *list;
  double least_ms[2]; /* that the shorter and the longer k took */
} trial;

typedef struct tuning {
  rg_gpu_prepare prepare; /* its device's tasks */
  rg_gpu_buffer *in, *out;
  size_t bytes; /* of each */
  trial trials[TRIALS];
  double total_ms; /* of all dispatches so far */
} tuning;

/* ---- sizes ---- */

static const extent *extent_of(const tuning *t) { return &extents[t->prepare.device->info.software]; }

/* Groups of a device with so many multiprocessors: of a product as wide as high where they are few. A pair has no
 * columns of groups. */
static void set_grid(const tuning *t, trial *one, bool busy) {
  const rg_gpu_tile tile = rg_gpu_tile_get(one->tile);
  const int64_t units = rg_gpu_units(&t->prepare), each = busy ? extent_of(t)->groups : 1;
  int64_t high = 1;
  while ((high + 1) * (high + 1) <= units) high++;
  one->grid[0] = tile.pair ? units * each : high;
  one->grid[1] = tile.pair ? 1 : units / high * each;
  const int64_t most = (int64_t)(t->bytes / sizeof(float)) / (tile.rows * tile.columns * one->grid[0]);
  if (one->grid[1] > most && most > 0) one->grid[1] = most;
}

static bool fits(const tuning *t, const trial *one, int64_t steps) {
  const rg_gpu_tile tile = rg_gpu_tile_get(one->tile);
  const int64_t k = steps * tile.depth, room = (int64_t)(t->bytes / sizeof(float));
  const int64_t m = tile.rows * one->grid[0], n = tile.columns * one->grid[1];
  return k <= K_MOST && m <= room / k && n <= room / k && m <= room / n;
}

/* ---- running ---- */

/* Commands: a timestamp, the tile on the shorter k, a timestamp, the tile on the longer k, a timestamp. */
static rango_status record(tuning *t, const trial *one, rg_gpu_recorder *recorder) {
  const rg_gpu_part in = {.buffer = t->in, .bytes = t->bytes}, inputs[] = {in, in};
  const rg_gpu_part output = {.buffer = t->out, .bytes = t->bytes};
  const rg_gpu_places places = {.inputs = inputs, .outputs = &output};
  const int64_t depth = rg_gpu_tile_get(one->tile).depth;
  t->prepare.task_count = 0;
  RG_TRY(rg_gpu_tile_add(&t->prepare, one->tile, one->grid, one->steps / 4 * depth));
  RG_TRY(rg_gpu_tile_add(&t->prepare, one->tile, one->grid, one->steps * depth));
  RG_TRY(rg_gpu_record_timestamp(recorder));
  for (int i = 0; i < t->prepare.task_count; i++) {
    RG_TRY(rg_gpu_record_task(recorder, &t->prepare.tasks[i], &places));
    RG_TRY(rg_gpu_record_timestamp(recorder));
  }
  return RANGO_OK;
}

static rango_status make_list(tuning *t, trial *one) {
  rg_gpu_device *device = t->prepare.device;
  rg_gpu_recorder recorder = {0};
  device->backend->list_free(device, one->list);
  one->list = NULL;
  rango_status status = record(t, one, &recorder);
  if (status == RANGO_OK)
    status = device->backend->list_create(device, recorder.commands.items, recorder.commands.count, &one->list);
  rg_gpu_recorder_clear(&recorder);
  return status;
}

static rango_status run(tuning *t, trial *one) {
  rg_gpu_device *device = t->prepare.device;
  double at[3];
  RG_TRY(device->backend->list_run(device, one->list));
  RG_TRY(device->backend->list_times(device, one->list, at, 3));
  for (int i = 0; i < 2; i++) one->least_ms[i] = fmin(one->least_ms[i], at[i + 1] - at[i]);
  t->total_ms += at[2] - at[0];
  return RANGO_OK;
}

/* Lengthens k until it takes long enough. */
static rango_status make_trial(tuning *t, trial *one, int tile, bool busy) {
  one->tile = tile;
  set_grid(t, one, busy);
  for (one->steps = extent_of(t)->steps;; one->steps *= 2) {
    RG_FAIL_IF(!fits(t, one, one->steps), RANGO_ERROR_LIMIT, "%s: tensors of %zu bytes are too small to measure with",
               t->prepare.device->info.name, t->bytes);
    RG_TRY(make_list(t, one));
    one->least_ms[0] = one->least_ms[1] = INFINITY;
    for (int i = 0; i < 2; i++) RG_TRY(run(t, one)); /* the first may wake the device */
    if (one->least_ms[1] >= extent_of(t)->milliseconds || !fits(t, one, 2 * one->steps)) return RANGO_OK;
  }
}

static bool is_enough(const tuning *t, int rounds) {
  for (int i = 0; i < TRIALS; i++)
    if (t->trials[i].least_ms[1] <= t->trials[i].least_ms[0]) return rounds == ROUNDS_MOST;
  return rounds >= ROUNDS || (rounds >= ROUNDS_LEAST && t->total_ms >= TOTAL_MS);
}

static rango_status run_all(tuning *t) {
  for (int round = 0; !is_enough(t, round); round++)
    for (int i = 0; i < TRIALS; i++) RG_TRY(run(t, &t->trials[i]));
  return RANGO_OK;
}

/* ---- the result ---- */

/* Microseconds that a step takes: `groups` on each multiprocessor share it. */
static rango_status rate_of(const tuning *t, const trial *one, double groups, double *out) {
  const int64_t steps = one->steps - one->steps / 4;
  *out = 1e3 * (one->least_ms[1] - one->least_ms[0]) / (double)steps / groups;
  RG_FAIL_IF(!(*out > 0), RANGO_ERROR_DEVICE, "%s: its clock tells no time for %s: try again while it is idle",
             t->prepare.device->info.name, rg_gpu_shaders[rg_gpu_tile_get(one->tile).shader].name);
  return RANGO_OK;
}

static rango_status take_rates(const tuning *t, rg_gpu_rate rates[RG_GPU_TILES]) {
  for (int i = 0; i < RG_GPU_TILES; i++) {
    const trial *alone = &t->trials[2 * i], *busy = alone + 1;
    const double groups = (double)(busy->grid[0] * busy->grid[1]) / (double)rg_gpu_units(&t->prepare);
    RG_TRY(rate_of(t, alone, 1, &rates[i].alone));
    RG_TRY(rate_of(t, busy, groups, &rates[i].busy));
  }
  return RANGO_OK;
}

static rango_status make_buffers(tuning *t) {
  rg_gpu_device *device = t->prepare.device;
  const size_t block = BLOCK * sizeof(float);
  rg_random random;
  float *values;
  RG_TRY(device->backend->buffer_create(device, RG_GPU_LOCAL, t->bytes, &t->in));
  RG_TRY(device->backend->buffer_create(device, RG_GPU_LOCAL, t->bytes, &t->out));
  RG_TRY(rg_alloc(block, RG_OUT(&values)));
  rg_random_seed(&random, 1);
  for (size_t i = 0; i < BLOCK; i++) values[i] = (float)(rg_random_uniform(&random) - 0.5);
  rango_status status = RANGO_OK;
  for (size_t at = 0; at < t->bytes && status == RANGO_OK; at += block)
    status = device->backend->buffer_write(device, t->in, at, values, t->bytes - at < block ? t->bytes - at : block);
  rg_free(values);
  return status;
}

static rango_status measure(tuning *t, rg_gpu_rate rates[RG_GPU_TILES]) {
  RG_TRY(make_buffers(t));
  for (int i = 0; i < TRIALS; i++) RG_TRY(make_trial(t, &t->trials[i], i / 2, i % 2 == 1));
  RG_TRY(run_all(t));
  return take_rates(t, rates);
}

static void fill(const rg_gpu_device *device, const rg_gpu_rate rates[RG_GPU_TILES], rango_gpu_tuning *out) {
  out->tile_count = RG_GPU_TILES;
  for (int i = 0; i < RG_GPU_TILES; i++) {
    const rg_gpu_tile tile = rg_gpu_tile_get(i);
    const rg_gpu_rate before = device->tuned ? device->rates[i] : tile.rate;
    out->tiles[i] = (rango_gpu_tile){.name = rg_gpu_shaders[tile.shader].name,
                                     .pair = tile.pair,
                                     .rows = (int)tile.rows,
                                     .columns = (int)tile.columns,
                                     .depth = (int)tile.depth,
                                     .alone_us = rates[i].alone,
                                     .busy_us = rates[i].busy,
                                     .alone_us_before = before.alone,
                                     .busy_us_before = before.busy};
  }
}

rango_status rg_gpu_tune(rg_gpu_device *device, rango_gpu_tuning *out) {
  rg_gpu_rate rates[RG_GPU_TILES];
  tuning *t;
  RG_FAIL_IF(!device->info.timestamps, RANGO_ERROR_UNSUPPORTED, "%s has no timestamps to measure with",
             device->info.name);
  RG_TRY(rg_calloc(1, sizeof *t, RG_OUT(&t)));
  const size_t binding = device->info.binding_bytes - RG_GPU_ALIGNMENT;
  t->prepare.device = device;
  t->bytes = (binding < BYTES_MOST ? binding : BYTES_MOST) / RG_GPU_ALIGNMENT * RG_GPU_ALIGNMENT;
  rango_status status = measure(t, rates);
  for (int i = 0; i < TRIALS; i++) device->backend->list_free(device, t->trials[i].list);
  device->backend->buffer_free(device, t->in);
  device->backend->buffer_free(device, t->out);
  rg_free(t);
  RG_TRY(status);
  RG_TRY(rg_gpu_rates_write(&device->info, rates, out->file));
  fill(device, rates, out);
  return RANGO_OK;
}
