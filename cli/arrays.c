#include "arrays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "progress.h"

double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

void tensors_free(rango_tensor **tensors, size_t count) {
  for (size_t i = 0; tensors && i < count; i++) {
    rango_tensor_free(tensors[i]);
    tensors[i] = NULL;
  }
}

int find_output(const command *self, const rango_model *model, const char *argument, size_t *index, const char **path) {
  size_t count = rango_model_output_count(model);
  *index = 0;
  *path = argument;
  if (split_argument(model, rango_model_output, count, argument, index, path)) return EXIT_DONE;
  if (count == 1 && !strchr(argument, '=')) return EXIT_DONE;
  rango_value_info info = {.name = "NAME"};
  if (count) (void)rango_model_output(model, 0, &info);
  return args_wrong(self, "--output %s: say which of the model's %zu outputs, as in --output %s=Y.npy", argument, count,
                    info.name);
}

/* Whether the arrays' first sizes are those that the model declares, so that one call takes them all. */
static bool fits_as_it_is(const feed *f) {
  rango_value_info info;
  for (size_t i = 0; i < f->input_count; i++) {
    if (rango_model_input(f->model, i, &info) != RANGO_OK) return false;
    int rank = rango_tensor_rank(f->arrays.items[i]);
    if (rank == 0 || info.rank <= 0 || info.dims[0] < 0) continue;
    if (info.dims[0] != rango_tensor_dims(f->arrays.items[i])[0]) return false;
  }
  return true;
}

static int load_arrays(const command *self, const data_options *options, const text_list *arguments, bool whole,
                       feed *f) {
  int code = data_arrays_load(self, "--input", options, f->model, arguments, &f->arrays);
  if (code != EXIT_DONE || (whole && fits_as_it_is(f))) return code;
  rango_status status =
      rango_dataset_create(f->model, (const rango_tensor *const *)f->arrays.items, f->input_count, &f->data);
  return status == RANGO_OK ? EXIT_DONE : report_failure();
}

int feed_load(const command *self, const char *file, const data_options *options, const rango_model *model,
              const text_list *arguments, int64_t batch, feed *out) {
  *out = (feed){.file = file,
                .model = model,
                .input_count = rango_model_input_count(model),
                .output_count = rango_model_output_count(model)};
  int code = EXIT_DONE;
  if (arguments->count == 1 && ends_with(arguments->items[0], ".npz")) {
    if (rango_dataset_load(model, arguments->items, 1, &out->data) != RANGO_OK) code = report_failure();
  } else {
    code = load_arrays(self, options, arguments, batch == 0, out);
  }
  if (code != EXIT_DONE || !out->data) return code;
  int64_t fixed = rango_dataset_fixed_batch(out->data);
  out->batch = fixed ? fixed : batch ? batch : rango_dataset_rows(out->data);
  return EXIT_DONE;
}

void feed_free(feed *f) {
  rango_dataset_free(f->data);
  data_arrays_free(&f->arrays);
}

/* ---- joining the outputs of several calls ---- */

typedef struct joined {
  rango_type type;
  int rank;
  int64_t dims[RANGO_MAX_RANK]; /* dims[0] grows */
  char *bytes;
  size_t count, capacity;
} joined;

static int join_failure(const rango_model *model, size_t index, const char *why) {
  rango_value_info info = {.name = "?"};
  (void)rango_model_output(model, index, &info);
  return report_failure_of("output '%s': %s, so the outputs of several calls can't be joined", info.name, why);
}

static int append(const rango_model *model, size_t index, const rango_tensor *part, int64_t rows, joined *to) {
  int rank = rango_tensor_rank(part);
  const int64_t *dims = rango_tensor_dims(part);
  size_t bytes = rango_tensor_bytes(part);
  if (rank == 0 || dims[0] != rows) return join_failure(model, index, "its first axis is not the batch");
  if (rango_type_bits(rango_tensor_type(part)) < 8) return join_failure(model, index, "elements are no whole bytes");
  if (to->rank == 0) {
    to->type = rango_tensor_type(part);
    to->rank = rank;
    memcpy(to->dims, dims, (size_t)rank * sizeof *dims);
    to->dims[0] = 0;
  }
  if (to->rank != rank || memcmp(to->dims + 1, dims + 1, (size_t)(rank - 1) * sizeof *dims) != 0)
    return join_failure(model, index, "its shape changes from call to call");
  if (to->capacity - to->count < bytes) {
    size_t capacity = 2 * (to->count + bytes);
    char *grown = realloc(to->bytes, capacity);
    if (!grown) return report_failure_of("out of memory");
    to->bytes = grown;
    to->capacity = capacity;
  }
  if (bytes) memcpy(to->bytes + to->count, rango_tensor_data(part), bytes);
  to->count += bytes;
  to->dims[0] += dims[0];
  return EXIT_DONE;
}

static int finish(const joined *from, rango_tensor **out) {
  *out = NULL;
  if (rango_tensor_create(from->type, from->rank, from->dims, out) != RANGO_OK) return report_failure();
  if (from->count) memcpy(rango_tensor_data_mut(*out), from->bytes, from->count);
  return EXIT_DONE;
}

/* ---- running ---- */

static int call(const feed *f, rango_session *session, rango_tensor **inputs, rango_tensor **outputs, double *ms) {
  double start = now_ms();
  rango_status status =
      rango_session_run(session, (const rango_tensor *const *)inputs, f->input_count, outputs, f->output_count);
  *ms += now_ms() - start;
  return status == RANGO_OK ? EXIT_DONE : report_failure_on(f->file);
}

static int run_part(const feed *f, rango_session *session, int64_t begin, int64_t end, rango_tensor **inputs,
                    rango_tensor **outputs, joined *all, double *ms) {
  if (progress_interrupted()) return report_failure_of("interrupted");
  if (rango_dataset_batch(f->data, begin, end, inputs, f->input_count) != RANGO_OK) return report_failure();
  int code = call(f, session, inputs, outputs, ms);
  tensors_free(inputs, f->input_count);
  for (size_t i = 0; i < f->output_count && code == EXIT_DONE; i++)
    code = append(f->model, i, outputs[i], end - begin, &all[i]);
  tensors_free(outputs, f->output_count);
  return code;
}

static int run_parts(const feed *f, rango_session *session, rango_tensor **outputs, double *ms, int64_t *calls) {
  int64_t rows = rango_dataset_rows(f->data);
  rango_tensor **inputs = must_alloc(f->input_count, sizeof(rango_tensor *));
  joined *all = must_alloc(f->output_count, sizeof *all);
  int code = EXIT_DONE;
  for (int64_t begin = 0; begin < rows && code == EXIT_DONE; begin += f->batch, ++*calls) {
    int64_t end = begin + f->batch < rows ? begin + f->batch : rows;
    code = run_part(f, session, begin, end, inputs, outputs, all, ms);
    progress_show(NULL, (double)end / (double)rows, "running");
  }
  progress_clear();
  for (size_t i = 0; i < f->output_count && code == EXIT_DONE; i++) code = finish(&all[i], &outputs[i]);
  for (size_t i = 0; i < f->output_count; i++) free(all[i].bytes);
  free(all);
  free(inputs);
  return code;
}

int feed_run(const feed *f, rango_session *session, rango_tensor **outputs, double *milliseconds, int64_t *calls) {
  *milliseconds = 0;
  *calls = 0;
  if (f->data && f->batch < rango_dataset_rows(f->data)) return run_parts(f, session, outputs, milliseconds, calls);
  *calls = 1;
  if (!f->data) return call(f, session, f->arrays.items, outputs, milliseconds);
  rango_tensor **inputs = must_alloc(f->input_count, sizeof(rango_tensor *));
  int code = EXIT_DONE;
  if (rango_dataset_batch(f->data, 0, rango_dataset_rows(f->data), inputs, f->input_count) != RANGO_OK)
    code = report_failure();
  if (code == EXIT_DONE) code = call(f, session, inputs, outputs, milliseconds);
  tensors_free(inputs, f->input_count);
  free(inputs);
  return code;
}
