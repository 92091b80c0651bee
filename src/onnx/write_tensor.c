/* TensorProto. Elements are written raw, those of large initializers so that they can be used in place from a mapping.
 */
#include "onnx/write.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DIMS = 1, DATA_TYPE = 2, STRING_DATA = 6, NAME = 8, RAW_DATA = 9, EXTERNAL_DATA = 13, DATA_LOCATION = 14 };

#define ALIGNED_BYTES      4096 /* initializers of this size on are aligned */
#define EXTERNAL_BYTES     1024 /* tensors of this size on go to the data file, when there is one */
#define EXTERNAL_ALIGNMENT 64

static void put_strings(rg_put *put, const rango_tensor *tensor) {
  const char *const *texts = tensor->data;
  int64_t count = rango_tensor_count(tensor);
  for (int64_t i = 0; i < count; i++)
    rg_put_bytes(put, STRING_DATA, texts[i], tensor->lengths ? tensor->lengths[i] : strlen(texts[i]));
}

/* A field given twice counts as its last value (protocol buffers, "Last One Wins"): names of blanks before and after
 * the data move it to a multiple of RG_ALIGNMENT in the file and make the sum of both the same wherever it lies, so
 * that lengths are known before places are. */
static void put_aligned(rg_put *put, const rango_tensor *tensor, const char *name) {
  char blanks[RG_ALIGNMENT];
  memset(blanks, ' ', sizeof blanks);
  uint64_t start = put->position + rg_put_head_bytes(NAME, 0) + rg_put_head_bytes(RAW_DATA, tensor->bytes);
  size_t before = (size_t)(rg_round_up((size_t)start, RG_ALIGNMENT) - start);
  rg_put_bytes(put, NAME, blanks, before);
  rg_put_bytes(put, RAW_DATA, tensor->data, tensor->bytes);
  rg_put_bytes(put, NAME, blanks, RG_ALIGNMENT - 1 - before);
  rg_put_name(put, NAME, name);
}

static void put_entry(rg_put *put, const char *key, const char *value) {
  rg_put_mark mark = rg_put_begin(put, EXTERNAL_DATA);
  rg_put_name(put, 1, key);
  rg_put_name(put, 2, value);
  rg_put_end(put, mark);
}

static void put_external(rg_put *put, const rango_tensor *tensor) {
  static const char zeros[EXTERNAL_ALIGNMENT];
  char offset[24], length[24];
  uint64_t place = rg_round_up((size_t)put->data_position, EXTERNAL_ALIGNMENT);
  if (put->data) {
    rg_file_writer_write(put->data, zeros, (size_t)(place - put->data_position));
    rg_file_writer_write(put->data, tensor->data, tensor->bytes);
  }
  put->data_position = place + tensor->bytes;
  snprintf(offset, sizeof offset, "%" PRIu64, place);
  snprintf(length, sizeof length, "%zu", tensor->bytes);
  put_entry(put, "location", put->data_name);
  put_entry(put, "offset", offset);
  put_entry(put, "length", length);
  rg_put_int(put, DATA_LOCATION, 1);
}

void rg_write_tensor(rg_put *put, uint32_t field, const rango_tensor *tensor, const char *name, rg_bytes extra) {
  rg_put_mark mark = rg_put_begin(put, field);
  for (int i = 0; i < tensor->shape.rank; i++) rg_put_int(put, DIMS, tensor->shape.dims[i]);
  rg_put_int(put, DATA_TYPE, tensor->type);
  rg_put_raw(put, extra);
  bool strings = tensor->type == RANGO_STRING;
  bool external = put->external && !strings && tensor->bytes >= EXTERNAL_BYTES;
  if (name && !strings && !external && tensor->bytes >= ALIGNED_BYTES) {
    put_aligned(put, tensor, name);
  } else {
    rg_put_text(put, NAME, name);
    if (strings)
      put_strings(put, tensor);
    else if (external)
      put_external(put, tensor);
    else
      rg_put_bytes(put, RAW_DATA, tensor->data, tensor->bytes);
  }
  rg_put_end(put, mark);
}
