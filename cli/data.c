/* Data from arguments: what kind each is, and which input it is for. */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data_image.h"
#include "output.h"

bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

typedef enum data_kind { KIND_ARRAY, KIND_CSV, KIND_IMAGES } data_kind;

static data_kind kind_of(const char *path) {
  struct stat info;
  if (ends_with(path, ".csv")) return KIND_CSV;
  if (is_image_name(path) || (stat(path, &info) == 0 && S_ISDIR(info.st_mode))) return KIND_IMAGES;
  return KIND_ARRAY;
}

/* Of "NAME=FILE" or "FILE", before the model that knows the names is loaded. */
static data_kind kind_of_argument(const char *argument) {
  data_kind kind = kind_of(argument);
  const char *equals = strchr(argument, '=');
  return kind == KIND_ARRAY && equals ? kind_of(equals + 1) : kind;
}

static bool has_kind(const text_list *arguments, data_kind kind) {
  for (size_t i = 0; i < arguments->count; i++)
    if (kind_of_argument(arguments->items[i]) == kind) return true;
  return false;
}

bool data_may_have_labels(const data_options *options, const text_list *arguments) {
  return has_kind(arguments, KIND_IMAGES) || (options->label_column && has_kind(arguments, KIND_CSV));
}

/* ---- options ---- */

static bool is_side(long value) { return value >= 1 && value <= IMAGE_SIDE_MAX; }

/* "N": *width alone. "HxW": both. */
static int parse_size(const command *self, const char *name, const char *text, int *width, int *height) {
  char *end;
  if (!text) return EXIT_DONE;
  long first = strtol(text, &end, 10), second = 0;
  bool pair = *end == 'x' && end != text;
  if (pair) second = strtol(end + 1, &end, 10);
  if (end == text || *end || !is_side(first) || (pair && !is_side(second)))
    return args_wrong(self, "--%s needs a size, N or HxW, not '%s'", name, text);
  *width = (int)(pair ? second : first);
  *height = pair ? (int)first : 0;
  return EXIT_DONE;
}

static int parse_numbers(const command *self, const char *name, const char *text, bool positive, float *out,
                         int *count) {
  for (const char *at = text; at;) {
    char *end = NULL;
    float value = strtof(at, &end);
    bool good = end != at && (!*end || *end == ',') && isfinite(value) && (value > 0 || !positive);
    if (!good || *count == IMAGE_CHANNELS_MAX)
      return args_wrong(self, "--%s needs one %snumber, or three with commas between them, not '%s'", name,
                        positive ? "positive " : "", text);
    out[(*count)++] = value;
    at = *end ? end + 1 : NULL;
  }
  if (*count == 2) return args_wrong(self, "--%s: one number or three, not two", name);
  return EXIT_DONE;
}

int data_check(const command *self, data_options *options, const text_list *const *lists, size_t count) {
  image_recipe *recipe = &options->recipe;
  bool images = false, csv = false;
  for (size_t i = 0; i < count; i++) {
    images = images || has_kind(lists[i], KIND_IMAGES);
    csv = csv || has_kind(lists[i], KIND_CSV);
  }
  if (!images && (options->resize || options->crop || options->mean || options->std || recipe->layout))
    return args_wrong(self, "--resize, --crop, --mean, --std and --layout are for images: no folder of them is given");
  if (!csv && options->label_column)
    return args_wrong(self, "--label-column is for .csv files: none of the data is one");
  int code = parse_size(self, "resize", options->resize, &recipe->resize_width, &recipe->resize_height);
  if (code == EXIT_DONE) code = parse_size(self, "crop", options->crop, &recipe->crop_width, &recipe->crop_height);
  if (recipe->crop_height == 0) recipe->crop_height = recipe->crop_width;
  if (code == EXIT_DONE) code = parse_numbers(self, "mean", options->mean, false, recipe->mean, &recipe->mean_count);
  if (code == EXIT_DONE) code = parse_numbers(self, "std", options->std, true, recipe->std, &recipe->std_count);
  return code;
}

/* ---- arrays ---- */

bool split_argument(const rango_model *model, get_info get, size_t count, const char *argument, size_t *index,
                    const char **path) {
  rango_value_info info;
  for (size_t i = 0; i < count; i++) {
    if (get(model, i, &info) != RANGO_OK) continue;
    size_t length = strlen(info.name);
    if (strncmp(argument, info.name, length) != 0 || argument[length] != '=') continue;
    *index = i;
    *path = argument + length + 1;
    return true;
  }
  return false;
}

static int load_file(const data_options *options, const rango_model *model, size_t index, const char *path,
                     data_arrays *arrays) {
  switch (kind_of(path)) {
  case KIND_CSV:
    return data_load_csv(options->label_column, model, index, path, arrays);
  case KIND_IMAGES:
    return data_load_images(&options->recipe, model, index, path, arrays);
  default:
    break;
  }
  rango_tensor **out = &arrays->items[index];
  rango_status status = ends_with(path, ".pb") ? rango_tensor_load_pb(path, out) : rango_tensor_load_npy(path, out);
  return status == RANGO_OK ? EXIT_DONE : report_failure();
}

static int load_argument(const command *self, const char *flag, const data_options *options, const rango_model *model,
                         const char *argument, data_arrays *arrays) {
  size_t index = 0;
  const char *path = argument;
  rango_value_info info = {.name = "NAME"};
  if (!split_argument(model, rango_model_input, arrays->count, argument, &index, &path) && arrays->count != 1) {
    if (arrays->count) (void)rango_model_input(model, 0, &info);
    return args_wrong(self, "%s %s: say which of the model's %zu inputs, as in %s %s=X.npy", flag, argument,
                      arrays->count, flag, info.name);
  }
  if (arrays->items[index]) return args_wrong(self, "%s %s: the input is given twice", flag, argument);
  return load_file(options, model, index, path, arrays);
}

static int check_all_given(const command *self, const char *flag, const rango_model *model, const data_arrays *arrays) {
  rango_value_info info;
  for (size_t i = 0; i < arrays->count; i++) {
    if (arrays->items[i]) continue;
    if (rango_model_input(model, i, &info) != RANGO_OK) return report_failure();
    return args_wrong(self, "no array for input '%s': %s %s=X.npy", info.name, flag, info.name);
  }
  return EXIT_DONE;
}

int data_arrays_load(const command *self, const char *flag, const data_options *options, const rango_model *model,
                     const text_list *arguments, data_arrays *out) {
  size_t count = rango_model_input_count(model);
  *out = (data_arrays){.count = count,
                       .items = must_alloc(count, sizeof *out->items),
                       .mapped = must_alloc(count, sizeof *out->mapped),
                       .mapped_bytes = must_alloc(count, sizeof *out->mapped_bytes)};
  int code = EXIT_DONE;
  for (size_t i = 0; i < arguments->count && code == EXIT_DONE; i++)
    code = load_argument(self, flag, options, model, arguments->items[i], out);
  return code == EXIT_DONE ? check_all_given(self, flag, model, out) : code;
}

/* ---- rows ---- */

int data_rows_load(const command *self, const char *flag, const data_options *options, const rango_model *model,
                   const text_list *arguments, data_rows *out) {
  *out = (data_rows){0};
  rango_status status;
  if (has_kind(arguments, KIND_IMAGES) || has_kind(arguments, KIND_CSV)) {
    int code = data_arrays_load(self, flag, options, model, arguments, &out->arrays);
    if (code != EXIT_DONE) return code;
    status = rango_dataset_create(model, (const rango_tensor *const *)out->arrays.items, out->arrays.count, &out->set);
    return status == RANGO_OK ? EXIT_DONE : report_failure_on(arguments->items[0]);
  }
  status = rango_dataset_load(model, arguments->items, arguments->count, &out->set);
  return status == RANGO_OK ? EXIT_DONE : report_failure();
}

void data_rows_free(data_rows *rows) {
  rango_dataset_free(rows->set);
  data_arrays_free(&rows->arrays);
}

int data_take_labels(const data_options *options, const char *file, data_rows *rows, rango_tensor **out) {
  *out = NULL;
  if (file) return rango_tensor_load_npy(file, out) == RANGO_OK ? EXIT_DONE : report_failure();
  *out = rows->arrays.labels;
  rows->arrays.labels = NULL;
  if (*out || !options->label_column) return EXIT_DONE;
  return report_failure_of("--label-column %s: the data has no such column", options->label_column);
}
