/* rango.h: models and tensors from files and memory. */
#include "onnx/onnx.h"

#include "base/file.h"

#include <string.h>

#define DEFAULT_BUDGET ((uint64_t)2 << 30)

static rango_status read_options(const char *caller, const rango_load_options *options, rango_load_options *out) {
  *out = (rango_load_options){.max_memory_bytes = DEFAULT_BUDGET};
  if (!options) return RANGO_OK;
  RG_FAIL_IF(options->struct_size < sizeof *options, RANGO_ERROR_ARGUMENT,
             "%s: options->struct_size is %zu, expected %zu", caller, options->struct_size, sizeof *options);
  out->folder = options->folder;
  if (options->max_memory_bytes) out->max_memory_bytes = options->max_memory_bytes;
  return RANGO_OK;
}

rango_status rango_model_load(const char *path, const rango_load_options *options, rango_model **out) {
  RG_FAIL_IF(!path || !out, RANGO_ERROR_ARGUMENT, "rango_model_load: %s is NULL", path ? "out" : "path");
  rango_load_options load;
  *out = NULL;
  RG_TRY(read_options("rango_model_load", options, &load));
  rg_buffer *file = NULL;
  rg_arena *arena = NULL;
  rango_status status = RANGO_OK;
  RG_TRY_DONE(rg_arena_create(&arena));
  if (!load.folder) RG_TRY_DONE(rg_path_folder(arena, path, &load.folder));
  RG_TRY_DONE(rg_file_map(path, &file));
  status = rg_onnx_read(file, path, load.folder, load.max_memory_bytes, out);
done:
  rg_buffer_release(file);
  rg_arena_free(arena);
  return status;
}

rango_status rango_model_load_memory(const void *data, size_t bytes, const rango_load_options *options,
                                     rango_model **out) {
  RG_FAIL_IF(!data || !out, RANGO_ERROR_ARGUMENT, "rango_model_load_memory: %s is NULL", data ? "out" : "data");
  rango_load_options load;
  rg_buffer *copy;
  *out = NULL;
  RG_TRY(read_options("rango_model_load_memory", options, &load));
  RG_TRY(rg_buffer_create(bytes, &copy));
  memcpy(rg_buffer_data(copy), data, bytes);
  rango_status status = rg_onnx_read(copy, "memory", load.folder, load.max_memory_bytes, out);
  rg_buffer_release(copy);
  return status;
}

rango_status rango_tensor_load_pb(const char *path, rango_tensor **out) {
  RG_FAIL_IF(!path || !out, RANGO_ERROR_ARGUMENT, "rango_tensor_load_pb: %s is NULL", path ? "out" : "path");
  rg_buffer *file;
  rango_tensor *tensor;
  *out = NULL;
  RG_TRY(rg_file_map(path, &file));
  rango_status status = rg_calloc(1, sizeof *tensor, RG_OUT(&tensor));
  if (status == RANGO_OK) {
    status = rg_onnx_read_tensor(file, path, tensor);
    if (status == RANGO_OK)
      *out = tensor;
    else
      rango_tensor_free(tensor);
  }
  rg_buffer_release(file);
  return status;
}
