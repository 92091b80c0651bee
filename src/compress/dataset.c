/* rango_dataset: arrays that hold the rows of a model's inputs. */
#include "compress/dataset.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/npy.h"

void rg_tensors_free(rango_tensor **tensors, size_t count) {
  for (size_t i = 0; i < count; i++) {
    rango_tensor_free(tensors[i]);
    tensors[i] = NULL;
  }
}

void rango_dataset_free(rango_dataset *dataset) {
  if (!dataset) return;
  for (size_t i = 0; dataset->items && i < dataset->count; i++) rg_tensor_clear(&dataset->items[i]);
  rg_free(dataset->items);
  rg_free(dataset->constant);
  rg_free(dataset->order);
  rg_free(dataset->files);
  rg_arena_free(dataset->arena);
  rg_model_release(dataset->model);
  rg_free(dataset);
}

static rango_status dataset_new(const rango_model *model, rango_dataset **out) {
  rango_dataset *data = NULL;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *data, RG_OUT(&data)));
  data->model = rg_model_retain((rango_model *)model);
  data->count = rango_model_input_count(model);
  rango_status status;
  RG_TRY_DONE(rg_calloc(data->count, sizeof *data->items, RG_OUT(&data->items)));
  RG_TRY_DONE(rg_calloc(data->count, sizeof *data->constant, RG_OUT(&data->constant)));
  RG_TRY_DONE(rg_calloc(data->count, sizeof *data->files, RG_OUT(&data->files)));
  RG_TRY_DONE(rg_arena_create(&data->arena));
  *out = data;
  data = NULL;
done:
  rango_dataset_free(data);
  return status;
}

/* An array against the input's declaration: type, rank, and all sizes but the first. */
static rango_status check_array(const rango_value_info *info, const rango_tensor *array) {
  char text[RG_SHAPE_TEXT];
  RG_FAIL_IF(array->type != info->type && info->type != RANGO_UNDEFINED, RANGO_ERROR_ARGUMENT,
             "input '%s' is %s, the array is %s: convert it first", info->name, rango_type_name(info->type),
             rango_type_name(array->type));
  RG_FAIL_IF(rango_type_bits(array->type) < 8, RANGO_ERROR_UNSUPPORTED, "input '%s': arrays of %s are not supported",
             info->name, rango_type_name(array->type));
  if (info->rank < 0) return RANGO_OK;
  RG_FAIL_IF(array->shape.rank != info->rank, RANGO_ERROR_ARGUMENT, "input '%s' has %d axes, the array %s has %d",
             info->name, info->rank, rg_shape_text(&array->shape, text, sizeof text), array->shape.rank);
  for (int i = 1; i < info->rank; i++)
    RG_FAIL_IF(info->dims[i] >= 0 && info->dims[i] != array->shape.dims[i], RANGO_ERROR_ARGUMENT,
               "input '%s' wants %lld at axis %d, the array is %s", info->name, (long long)info->dims[i], i,
               rg_shape_text(&array->shape, text, sizeof text));
  return RANGO_OK;
}

static bool has_own_shape(const rango_value_info *info, const rango_tensor *array) {
  return array->shape.rank == 0 || (info->rank > 0 && info->dims[0] == array->shape.dims[0]);
}

/* Which arrays hold rows and how many: those that differ from their input's own first size; if none does, the first
 * input's size counts. */
static rango_status find_rows(rango_dataset *data) {
  int64_t rows = -1;
  const char *who = "";
  rango_value_info info;
  for (int pass = 0; pass < 2 && rows < 0; pass++)
    for (size_t i = 0; i < data->count; i++) {
      const rango_tensor *array = &data->items[i];
      RG_TRY(rango_model_input(data->model, i, &info));
      if (array->shape.rank == 0 || (pass == 0 && has_own_shape(&info, array))) continue;
      if (pass == 1 && rows >= 0) break;
      RG_FAIL_IF(rows >= 0 && rows != array->shape.dims[0], RANGO_ERROR_ARGUMENT,
                 "input '%s' has %lld rows, input '%s' %lld: they must be equal", who, (long long)rows, info.name,
                 (long long)array->shape.dims[0]);
      rows = array->shape.dims[0];
      who = info.name;
    }
  RG_FAIL_IF(rows < 0, RANGO_ERROR_ARGUMENT, "no input has rows: every array is of rank 0");
  RG_FAIL_IF(rows == 0, RANGO_ERROR_ARGUMENT, "input '%s': the array has no rows", who);
  data->rows = rows;
  return RANGO_OK;
}

static rango_status dataset_finish(rango_dataset *data) {
  rango_value_info info;
  for (size_t i = 0; i < data->count; i++) {
    RG_TRY(rango_model_input(data->model, i, &info));
    RG_TRY(check_array(&info, &data->items[i]));
  }
  RG_TRY(find_rows(data));
  for (size_t i = 0; i < data->count; i++) {
    const rango_tensor *array = &data->items[i];
    RG_TRY(rango_model_input(data->model, i, &info));
    data->constant[i] = array->shape.rank == 0 || (has_own_shape(&info, array) && array->shape.dims[0] != data->rows);
    if (data->constant[i] || info.rank < 1 || info.dims[0] < 0) continue;
    RG_FAIL_IF(data->fixed_batch && data->fixed_batch != info.dims[0], RANGO_ERROR_ARGUMENT,
               "the model takes %lld rows of one input and %lld of '%s' at a time", (long long)data->fixed_batch,
               (long long)info.dims[0], info.name);
    data->fixed_batch = info.dims[0];
  }
  RG_FAIL_IF(data->fixed_batch && data->rows % data->fixed_batch, RANGO_ERROR_ARGUMENT,
             "the model takes %lld rows at a time: %lld rows are no multiple of that", (long long)data->fixed_batch,
             (long long)data->rows);
  return RANGO_OK;
}

rango_status rango_dataset_create(const rango_model *model, const rango_tensor *const *inputs, size_t count,
                                  rango_dataset **out) {
  RG_FAIL_IF(!model || !inputs || !out, RANGO_ERROR_ARGUMENT, "dataset: NULL argument");
  size_t wanted = rango_model_input_count(model);
  RG_FAIL_IF(count != wanted, RANGO_ERROR_ARGUMENT, "the model has %zu inputs, %zu arrays were given", wanted, count);
  rango_dataset *data = NULL;
  *out = NULL;
  RG_TRY(dataset_new(model, &data));
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < count; i++) {
    if (!inputs[i]) {
      status = rg_fail(RANGO_ERROR_ARGUMENT, "dataset: array %zu is NULL", i);
      goto done;
    }
    rg_tensor_init_view(&data->items[i], inputs[i]);
  }
  RG_TRY_DONE(dataset_finish(data));
  *out = data;
  data = NULL;
done:
  rango_dataset_free(data);
  return status;
}

/* "NAME=path" where NAME is an input: its index and the path; otherwise false. */
static bool split_argument(const rango_model *model, const char *argument, size_t *index, const char **path) {
  const char *equals = strchr(argument, '=');
  rango_value_info info;
  for (size_t i = 0; equals && i < rango_model_input_count(model); i++) {
    if (rango_model_input(model, i, &info) != RANGO_OK) continue;
    size_t length = strlen(info.name);
    if (strncmp(argument, info.name, length) != 0 || argument[length] != '=') continue;
    *index = i;
    *path = argument + length + 1;
    return true;
  }
  return false;
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static rango_status load_one(const char *path, rango_tensor *to) {
  rango_tensor *loaded = NULL;
  RG_TRY(rango_tensor_load_npy(path, &loaded));
  rg_tensor_init_view(to, loaded);
  rango_tensor_free(loaded);
  return RANGO_OK;
}

static rango_status load_arguments(rango_dataset *data, const char *const *arguments, size_t count) {
  rango_value_info info;
  for (size_t i = 0; i < count; i++) {
    size_t index = 0;
    const char *path = arguments[i];
    if (!split_argument(data->model, arguments[i], &index, &path) && data->count != 1) {
      RG_TRY(rango_model_input(data->model, 0, &info));
      RG_FAIL(RANGO_ERROR_ARGUMENT, "the model has %zu inputs: say which one '%s' is, as in '%s=%s'", data->count,
              arguments[i], info.name, arguments[i]);
    }
    RG_TRY(rango_model_input(data->model, index, &info));
    RG_FAIL_IF(data->items[index].type != RANGO_UNDEFINED, RANGO_ERROR_ARGUMENT, "input '%s' is given twice",
               info.name);
    RG_TRY(rg_arena_strndup(data->arena, path, strlen(path), &data->files[index]));
    RG_TRY(load_one(path, &data->items[index]));
  }
  for (size_t i = 0; i < data->count; i++) {
    RG_TRY(rango_model_input(data->model, i, &info));
    RG_FAIL_IF(data->items[i].type == RANGO_UNDEFINED, RANGO_ERROR_ARGUMENT,
               "no array for input '%s': give '%s=FILE.npy'", info.name, info.name);
  }
  return RANGO_OK;
}

rango_status rango_dataset_load(const rango_model *model, const char *const *arguments, size_t count,
                                rango_dataset **out) {
  RG_FAIL_IF(!model || !arguments || !out, RANGO_ERROR_ARGUMENT, "dataset: NULL argument");
  RG_FAIL_IF(count == 0, RANGO_ERROR_ARGUMENT, "dataset: no file given");
  rango_dataset *data = NULL;
  *out = NULL;
  RG_TRY(dataset_new(model, &data));
  rango_status status;
  size_t index;
  const char *path;
  if (count == 1 && ends_with(arguments[0], ".npz") && !split_argument(model, arguments[0], &index, &path)) {
    RG_TRY_DONE(rg_npz_load(model, arguments[0], data->items, data->count));
    RG_TRY_DONE(rg_arena_strndup(data->arena, arguments[0], strlen(arguments[0]), &data->files[0]));
    for (size_t i = 1; i < data->count; i++) data->files[i] = data->files[0];
  } else {
    RG_TRY_DONE(load_arguments(data, arguments, count));
  }
  status = dataset_finish(data);
  if (status != RANGO_OK) {
    rg_fail_context(status, "%s", arguments[0]);
    goto done;
  }
  *out = data;
  data = NULL;
done:
  rango_dataset_free(data);
  return status;
}

int64_t rango_dataset_rows(const rango_dataset *dataset) { return dataset ? dataset->rows : 0; }

int64_t rango_dataset_fixed_batch(const rango_dataset *dataset) { return dataset ? dataset->fixed_batch : 0; }

int64_t rg_dataset_batch_rows(const rango_dataset *data, int64_t wanted) {
  return data->fixed_batch ? data->fixed_batch : wanted < data->rows ? wanted : data->rows;
}

static rango_status copy_rows(const rango_dataset *data, const rango_tensor *array, int64_t begin, int64_t end,
                              rango_tensor **out) {
  rg_shape shape = array->shape;
  size_t row_bytes = array->bytes / (size_t)array->shape.dims[0];
  shape.dims[0] = end - begin;
  RG_TRY(rango_tensor_create(array->type, shape.rank, shape.dims, out));
  uint8_t *to = rango_tensor_data_mut(*out);
  for (int64_t i = begin; i < end; i++) {
    int64_t row = data->order ? data->order[i] : i;
    memcpy(to + (size_t)(i - begin) * row_bytes, (const uint8_t *)array->data + (size_t)row * row_bytes, row_bytes);
  }
  return RANGO_OK;
}

/* A tensor struct of its own over the same elements. */
static rango_status view(const rango_tensor *array, rango_tensor **out) {
  if (!array->buffer)
    return rango_tensor_wrap(array->type, array->shape.rank, array->shape.dims, array->data, array->bytes, out);
  int64_t none[1] = {0};
  RG_TRY(rango_tensor_create(array->type, 1, none, out));
  rg_tensor_clear(*out);
  rg_tensor_init_view(*out, array);
  return RANGO_OK;
}

rango_status rango_dataset_batch(const rango_dataset *dataset, int64_t begin, int64_t end, rango_tensor **inputs,
                                 size_t count) {
  RG_FAIL_IF(!dataset || !inputs, RANGO_ERROR_ARGUMENT, "dataset: NULL argument");
  RG_FAIL_IF(count != dataset->count, RANGO_ERROR_ARGUMENT, "the model has %zu inputs, not %zu", dataset->count, count);
  RG_FAIL_IF(begin < 0 || end > dataset->rows || begin >= end, RANGO_ERROR_ARGUMENT, "rows %lld to %lld of %lld",
             (long long)begin, (long long)end, (long long)dataset->rows);
  for (size_t i = 0; i < count; i++) inputs[i] = NULL;
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < count && status == RANGO_OK; i++)
    status = dataset->constant[i] ? view(&dataset->items[i], &inputs[i])
                                  : copy_rows(dataset, &dataset->items[i], begin, end, &inputs[i]);
  if (status != RANGO_OK) rg_tensors_free(inputs, count);
  return status;
}

rango_status rg_dataset_check_finite(const rango_dataset *data, const char *what) {
  rango_value_info info;
  for (size_t i = 0; i < data->count; i++) {
    const rango_tensor *array = &data->items[i];
    int64_t count;
    RG_TRY(rg_shape_count(&array->shape, &count));
    if (!rg_type_is_float(array->type) || count == 0) continue;
    int64_t per_row = array->shape.rank ? count / array->shape.dims[0] : 1;
    for (int64_t j = 0; j < count; j++) {
      double value = array->type == RANGO_FLOAT32 ? ((const float *)array->data)[j] : rg_tensor_get_double(array, j);
      if (isfinite(value)) continue;
      RG_TRY(rango_model_input(data->model, i, &info));
      RG_FAIL(RANGO_ERROR_NUMERIC, "%s%s%s, input '%s': row %lld holds a NaN or infinity", what,
              data->files[i] ? " " : "", data->files[i] ? data->files[i] : "", info.name, (long long)(j / per_row));
    }
  }
  return RANGO_OK;
}

rango_status rg_dataset_subset(const rango_dataset *data, const int64_t *order, int64_t rows, rango_dataset **out) {
  rango_dataset *part = NULL;
  *out = NULL;
  RG_TRY(dataset_new(data->model, &part));
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)rows * sizeof *part->order, RG_OUT(&part->order)));
  for (int64_t i = 0; i < rows; i++) part->order[i] = data->order ? data->order[order[i]] : order[i];
  for (size_t i = 0; i < data->count; i++) {
    rg_tensor_init_view(&part->items[i], &data->items[i]);
    part->constant[i] = data->constant[i];
    if (data->files[i])
      RG_TRY_DONE(rg_arena_strndup(part->arena, data->files[i], strlen(data->files[i]), &part->files[i]));
  }
  part->rows = rows;
  part->fixed_batch = data->fixed_batch;
  *out = part;
  part = NULL;
done:
  rango_dataset_free(part);
  return status;
}

rango_status rg_dataset_first_rows(const rango_dataset *data, int64_t rows, rango_dataset **out) {
  int64_t group = data->fixed_batch ? data->fixed_batch : 1, *order = NULL;
  if (rows > data->rows) rows = data->rows;
  rows = (rows + group - 1) / group * group;
  RG_TRY(rg_alloc((size_t)rows * sizeof *order, RG_OUT(&order)));
  for (int64_t i = 0; i < rows; i++) order[i] = i;
  rango_status status = rg_dataset_subset(data, order, rows, out);
  rg_free(order);
  return status;
}
