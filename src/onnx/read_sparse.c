/* SparseTensorProto: values and where they lie in a tensor of zeros. */
#include "onnx/read.h"

#include "base/checked.h"

#include <string.h>

enum { VALUES = 1, INDICES = 2, DIMS = 3 };

typedef struct sparse_parts {
  rango_tensor values, indices;
  rg_shape shape;
} sparse_parts;

static void put_dim(void *out, size_t index, uint64_t value) {
  if (index < RANGO_MAX_RANK) ((rg_shape *)out)->dims[index] = (int64_t)value;
}

static rango_status read_part(rg_reader *reader, const rg_field *field, sparse_parts *out, rg_bytes *name) {
  rg_bytes data, unused;
  size_t rank = (size_t)out->shape.rank;
  switch (field->number) {
  case VALUES:
    RG_TRY(rg_field_bytes(field, &data));
    rg_tensor_clear(&out->values);
    return rg_read_tensor(reader, rg_wire_inside(field), &out->values, name, NULL);
  case INDICES:
    RG_TRY(rg_field_bytes(field, &data));
    rg_tensor_clear(&out->indices);
    return rg_read_tensor(reader, rg_wire_inside(field), &out->indices, &unused, NULL);
  case DIMS:
    RG_TRY(rg_field_list_read(field, RG_LIST_VARINT, put_dim, &out->shape, &rank));
    RG_FAIL_IF(rank > RANGO_MAX_RANK, RANGO_ERROR_LIMIT, "sparse tensor of %zu axes", rank);
    out->shape.rank = (int)rank;
    return RANGO_OK;
  default:
    return RANGO_OK;
  }
}

static rango_status check_parts(const sparse_parts *parts) {
  const rg_shape *values = &parts->values.shape, *indices = &parts->indices.shape;
  RG_FAIL_IF(rango_type_bits(parts->values.type) < 8, RANGO_ERROR_UNSUPPORTED, "sparse tensor of type %s",
             rango_type_name(parts->values.type));
  RG_FAIL_IF(values->rank != 1 || parts->indices.type != RANGO_INT64, RANGO_ERROR_FORMAT,
             "sparse tensor needs a list of values and int64 indices");
  bool linear = indices->rank == 1 && indices->dims[0] == values->dims[0];
  bool tuples = indices->rank == 2 && indices->dims[0] == values->dims[0] && indices->dims[1] == parts->shape.rank;
  RG_FAIL_IF(!linear && !tuples, RANGO_ERROR_FORMAT, "sparse tensor's indices don't fit its %lld values",
             (long long)values->dims[0]);
  return RANGO_OK;
}

/* Where value i lies, or -1. */
static int64_t place_of(const sparse_parts *parts, int64_t count, int64_t i) {
  const int64_t *indices = parts->indices.data;
  if (parts->indices.shape.rank == 1) return indices[i] < 0 || indices[i] >= count ? -1 : indices[i];
  int64_t place = 0;
  for (int axis = 0; axis < parts->shape.rank; axis++) {
    int64_t index = indices[i * parts->shape.rank + axis], size = parts->shape.dims[axis];
    if (index < 0 || index >= size) return -1;
    place = place * size + index; /* below count, which was checked */
  }
  return place;
}

static rango_status spread(rg_reader *reader, const sparse_parts *parts, rango_tensor *out) {
  int64_t count;
  size_t bytes, size = rango_type_bits(parts->values.type) / 8;
  RG_TRY(rg_shape_count(&parts->shape, &count));
  RG_TRY(rg_type_bytes(parts->values.type, count, &bytes));
  RG_TRY(rg_reader_charge(reader, bytes));
  RG_TRY(rg_tensor_init(out, parts->values.type, &parts->shape));
  memset(out->data, 0, bytes);
  for (int64_t i = 0; i < parts->values.shape.dims[0]; i++) {
    int64_t place = place_of(parts, count, i);
    RG_FAIL_IF(place < 0, RANGO_ERROR_FORMAT, "sparse tensor's index %lld is out of range", (long long)i);
    memcpy((char *)out->data + (size_t)place * size, (const char *)parts->values.data + (size_t)i * size, size);
  }
  return RANGO_OK;
}

rango_status rg_read_sparse(rg_reader *reader, rg_wire message, rango_tensor *out, rg_bytes *name) {
  sparse_parts parts = {0};
  rg_field field;
  rango_status status = RANGO_OK;
  *out = (rango_tensor){0};
  while (rg_wire_next(&message, &field)) RG_TRY_DONE(read_part(reader, &field, &parts, name));
  RG_TRY_DONE(message.status);
  RG_TRY_DONE(check_parts(&parts));
  status = spread(reader, &parts, out);
done:
  if (status != RANGO_OK) rg_tensor_clear(out);
  rg_tensor_clear(&parts.values);
  rg_tensor_clear(&parts.indices);
  return status;
}
