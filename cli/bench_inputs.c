/* The batch that every row of `rango bench` runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "arrays.h"
#include "bench.h"
#include "output.h"

static int save(rango_tensor *const *inputs, size_t count, const char *folder) {
  char path[4200];
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/input_%zu.npy", folder, i);
    if (rango_tensor_save_npy(inputs[i], path) != RANGO_OK) return report_failure();
  }
  return EXIT_DONE;
}

/* ---- rows of the caller's arrays ---- */

static int take_rows(const rango_dataset *data, int64_t *batch, rango_tensor **inputs, size_t count) {
  int64_t fixed = rango_dataset_fixed_batch(data), rows = rango_dataset_rows(data);
  if (fixed && *batch && *batch != fixed)
    return report_failure_of("the model's batch is fixed at %lld", (long long)fixed);
  if (fixed) *batch = fixed;
  if (*batch == 0) *batch = 1;
  if (*batch > rows)
    return report_failure_of("the data has %lld rows, the batch %lld", (long long)rows, (long long)*batch);
  return rango_dataset_batch(data, 0, *batch, inputs, count) == RANGO_OK ? EXIT_DONE : report_failure();
}

/* ---- random numbers ---- */

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* Uniform in [-sqrt 3, sqrt 3): mean 0 and variance 1. Integers are 0 or 1, which any table has; bytes take all values.
 */
static bool fill_random(rango_tensor *tensor, uint64_t *state) {
  void *data = rango_tensor_data_mut(tensor);
  int64_t count = rango_tensor_count(tensor);
  for (int64_t i = 0; i < count; i++) {
    uint64_t bits = next_random(state);
    double real = sqrt(3.0) * ((double)(bits >> 11) / 4503599627370496.0 - 1.0);
    switch (rango_tensor_type(tensor)) {
    case RANGO_FLOAT32:
      ((float *)data)[i] = (float)real;
      break;
    case RANGO_FLOAT64:
      ((double *)data)[i] = real;
      break;
    case RANGO_UINT8:
    case RANGO_INT8:
      ((uint8_t *)data)[i] = (uint8_t)bits;
      break;
    case RANGO_BOOL:
      ((uint8_t *)data)[i] = bits & 1;
      break;
    case RANGO_INT32:
      ((int32_t *)data)[i] = bits & 1;
      break;
    case RANGO_INT64:
      ((int64_t *)data)[i] = bits & 1;
      break;
    default:
      return false;
    }
  }
  return true;
}

static int make_random(const char *file, const rango_model *model, size_t index, int64_t *batch, uint64_t *state,
                       rango_tensor **out) {
  rango_value_info info;
  int64_t dims[RANGO_MAX_RANK];
  if (rango_model_input(model, index, &info) != RANGO_OK) return report_failure();
  if (info.rank < 0 || info.rank > RANGO_MAX_RANK)
    return report_failure_of("%s: input '%s' has no declared shape: give --input", file, info.name);
  for (int i = 0; i < info.rank; i++) {
    dims[i] = info.dims[i];
    if (dims[i] < 0 && i > 0)
      return report_failure_of("%s: input '%s': the size of axis %d is open: give --input", file, info.name, i);
  }
  if (info.rank > 0 && dims[0] < 0) {
    if (*batch == 0) *batch = 1;
    dims[0] = *batch;
  } else if (info.rank > 0) {
    if (*batch && *batch != dims[0])
      return report_failure_of("%s: input '%s': the batch is fixed at %lld", file, info.name, (long long)dims[0]);
    *batch = dims[0];
  }
  if (rango_tensor_create(info.type, info.rank, dims, out) != RANGO_OK) return report_failure();
  if (fill_random(*out, state)) return EXIT_DONE;
  return report_failure_of("%s: input '%s' is %s: give --input", file, info.name, rango_type_name(info.type));
}

int bench_make_inputs(const char *file, const rango_model *model, const char *const *arguments, size_t count,
                      const char *folder, int64_t *batch) {
  size_t input_count = rango_model_input_count(model);
  rango_tensor **inputs = must_alloc(input_count, sizeof(rango_tensor *));
  rango_dataset *data = NULL;
  uint64_t state = 1;
  int code = EXIT_DONE;
  if (count) {
    code = rango_dataset_load(model, arguments, count, &data) == RANGO_OK ? EXIT_DONE : report_failure();
    if (code == EXIT_DONE) code = take_rows(data, batch, inputs, input_count);
  } else {
    for (size_t i = 0; i < input_count && code == EXIT_DONE; i++)
      code = make_random(file, model, i, batch, &state, &inputs[i]);
    if (*batch == 0) *batch = 1;
  }
  if (code == EXIT_DONE) code = save(inputs, input_count, folder);
  rango_dataset_free(data);
  tensors_free(inputs, input_count);
  free(inputs);
  return code;
}
