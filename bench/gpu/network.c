/*
 * Times one model on one device: medians of rounds, one call a round, inputs and outputs in the CPU's memory.
 *
 *   network MODEL.onnx DEVICE BATCH[,BATCH...] [--rounds N] [--half] [--check] [--profile] [--energy] [--threads N]
 *
 * DEVICE: cpu, vulkan or metal. Inputs are seeded: uint8 any, integers 0 to 999, floats in [-1, 1). Prints one line of
 * JSON a batch: milliseconds of the first call (pipelines included), of a call, and with --check the outputs' largest
 * distance from the CPU's relative to their largest element; with --energy the device's millijoules a call.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rango.h"

#define ROUNDS_MOST 10000

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void need(rango_status status) {
  if (status == RANGO_OK) return;
  fprintf(stderr, "network: %s\n", rango_error_message());
  exit(1);
}

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void fill(rango_tensor *tensor, uint32_t *state) {
  void *data = rango_tensor_data_mut(tensor);
  for (int64_t i = 0; i < rango_tensor_count(tensor); i++) switch (rango_tensor_type(tensor)) {
    case RANGO_UINT8:
      ((uint8_t *)data)[i] = (uint8_t)next_random(state);
      break;
    case RANGO_INT64:
      ((int64_t *)data)[i] = next_random(state) % 1000;
      break;
    case RANGO_INT32:
      ((int32_t *)data)[i] = (int32_t)(next_random(state) % 1000);
      break;
    case RANGO_FLOAT32:
      ((float *)data)[i] = (float)next_random(state) / 8388608.0f - 1.0f;
      break;
    default:
      break;
    }
}

typedef struct bench {
  const rango_model *model;
  size_t input_count, output_count;
  rango_tensor **inputs, **outputs;
} bench;

static void make_inputs(bench *b, int64_t batch) {
  uint32_t state = 1;
  for (size_t i = 0; i < b->input_count; i++) {
    rango_value_info info;
    int64_t dims[RANGO_MAX_RANK];
    need(rango_model_input(b->model, i, &info));
    for (int d = 0; d < info.rank; d++) dims[d] = info.dims[d] < 0 ? batch : info.dims[d];
    need(rango_tensor_create(info.type, info.rank, dims, &b->inputs[i]));
    fill(b->inputs[i], &state);
  }
}

static void free_all(rango_tensor **tensors, size_t count) {
  for (size_t i = 0; i < count; i++) {
    rango_tensor_free(tensors[i]);
    tensors[i] = NULL;
  }
}

static double call(rango_session *session, bench *b, rango_tensor **outputs) {
  const double start = now_ms();
  need(rango_session_run(session, (const rango_tensor *const *)b->inputs, b->input_count, outputs, b->output_count));
  return now_ms() - start;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of the outputs, from those of a session on the CPU. */
static double distance(bench *b) {
  const rango_session_options options = {.struct_size = sizeof options};
  rango_session *session;
  rango_tensor **truth = calloc(b->output_count, sizeof *truth);
  double worst = 0;
  need(rango_session_create(b->model, &options, &session));
  call(session, b, truth);
  for (size_t i = 0; i < b->output_count; i++) {
    const float *x = rango_tensor_data(truth[i]), *y = rango_tensor_data(b->outputs[i]);
    double most = 0, apart = 0;
    if (rango_tensor_type(truth[i]) != RANGO_FLOAT32) continue;
    for (int64_t j = 0; j < rango_tensor_count(truth[i]); j++) {
      most = fmax(most, fabs((double)x[j]));
      apart = isnan(y[j]) != isnan(x[j]) ? INFINITY : fmax(apart, fabs((double)x[j] - (double)y[j]));
    }
    worst = fmax(worst, most > 0 ? apart / most : apart);
  }
  free_all(truth, b->output_count);
  free(truth);
  rango_session_free(session);
  return worst;
}

/* Millijoules a call by the device's meter, over two seconds of calls. */
static double energy(rango_session *session, bench *b, rango_device device) {
  rango_meter *meter;
  double joules;
  int calls = 0;
  need(rango_meter_create(device, 0, &meter));
  for (const double end = now_ms() + 2000; now_ms() < end; calls++) call(session, b, b->outputs);
  need(rango_meter_read(meter, &joules));
  rango_meter_free(meter);
  return joules / calls * 1e3;
}

static void print_profile(const rango_session *session) {
  const rango_profile_entry *entries;
  const size_t count = rango_session_profile(session, &entries);
  for (size_t i = 0; i < count; i++)
    fprintf(stderr, "%9.4f ms %8.1f GFLOP/s  %-20s %-24s %s\n", entries[i].milliseconds / (double)entries[i].calls,
            2e-6 * (double)entries[i].macs * (double)entries[i].calls / entries[i].milliseconds, entries[i].op,
            entries[i].name, entries[i].where);
}

static void time_batch(bench *b, const rango_session_options *options, int64_t batch, int rounds, bool check,
                       bool metered) {
  static double times[ROUNDS_MOST];
  rango_session *session;
  make_inputs(b, batch);
  const double start = now_ms();
  need(rango_session_create(b->model, options, &session));
  call(session, b, b->outputs);
  const double first = now_ms() - start;
  for (int i = 0; i < 3; i++) call(session, b, b->outputs);
  for (int i = 0; i < rounds; i++) times[i] = call(session, b, b->outputs);
  qsort(times, (size_t)rounds, sizeof *times, by_size);
  printf("{\"batch\": %lld, \"first_ms\": %.3f, \"ms\": %.5f, \"low_ms\": %.5f", (long long)batch, first,
         times[rounds / 2], times[rounds / 20]);
  if (check) printf(", \"error\": %.3g", distance(b));
  if (metered) printf(", \"energy_mj\": %.4g", energy(session, b, options->device));
  printf("}\n");
  fflush(stdout);
  if (options->profile) print_profile(session);
  rango_session_free(session);
  free_all(b->inputs, b->input_count);
  free_all(b->outputs, b->output_count);
}

int main(int count, char **arguments) {
  rango_session_options options = {.struct_size = sizeof options};
  rango_model *model;
  int rounds = 30;
  bool check = false, metered = false;
  if (count < 4) {
    fprintf(stderr,
            "usage: network MODEL.onnx cpu|vulkan|metal BATCH[,BATCH...] [--rounds N] [--half] [--check] [--profile] "
            "[--energy]\n");
    return 2;
  }
  for (int i = 4; i < count; i++) {
    if (strcmp(arguments[i], "--half") == 0) options.gpu_half = true;
    if (strcmp(arguments[i], "--check") == 0) check = true;
    if (strcmp(arguments[i], "--energy") == 0) metered = true;
    if (strcmp(arguments[i], "--profile") == 0) options.profile = true;
    if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count) rounds = atoi(arguments[++i]);
    if (strcmp(arguments[i], "--threads") == 0 && i + 1 < count) options.threads = atoi(arguments[++i]);
  }
  if (rounds < 1 || rounds > ROUNDS_MOST) rounds = 30;
  options.device = strcmp(arguments[2], "vulkan") == 0  ? RANGO_DEVICE_VULKAN
                   : strcmp(arguments[2], "metal") == 0 ? RANGO_DEVICE_METAL
                                                        : RANGO_DEVICE_CPU;
  need(rango_model_load(arguments[1], NULL, &model));
  bench b = {
      .model = model, .input_count = rango_model_input_count(model), .output_count = rango_model_output_count(model)};
  b.inputs = calloc(b.input_count + 1, sizeof *b.inputs);
  b.outputs = calloc(b.output_count + 1, sizeof *b.outputs);
  for (char *rest = arguments[3], *batch; (batch = strtok_r(rest, ",", &rest)) != NULL;)
    time_batch(&b, &options, atoll(batch), rounds, check, metered);
  free(b.inputs);
  free(b.outputs);
  rango_model_free(model);
  return 0;
}
