/* Element types and shapes. */
#include <stdio.h>

#include "base/checked.h"
#include "tensor/tensor.h"

static const struct {
  const char *name;
  uint8_t bits;
  bool is_float, is_integer;
} types[RANGO_TYPE_COUNT] = {
    [RANGO_UNDEFINED] = {"undefined", 0, false, false},
    [RANGO_FLOAT32] = {"float32", 32, true, false},
    [RANGO_UINT8] = {"uint8", 8, false, true},
    [RANGO_INT8] = {"int8", 8, false, true},
    [RANGO_UINT16] = {"uint16", 16, false, true},
    [RANGO_INT16] = {"int16", 16, false, true},
    [RANGO_INT32] = {"int32", 32, false, true},
    [RANGO_INT64] = {"int64", 64, false, true},
    [RANGO_STRING] = {"string", 0, false, false},
    [RANGO_BOOL] = {"bool", 8, false, false},
    [RANGO_FLOAT16] = {"float16", 16, true, false},
    [RANGO_FLOAT64] = {"float64", 64, true, false},
    [RANGO_UINT32] = {"uint32", 32, false, true},
    [RANGO_UINT64] = {"uint64", 64, false, true},
    [RANGO_COMPLEX64] = {"complex64", 64, false, false},
    [RANGO_COMPLEX128] = {"complex128", 128, false, false},
    [RANGO_BFLOAT16] = {"bfloat16", 16, true, false},
    [RANGO_FLOAT8E4M3FN] = {"float8e4m3fn", 8, true, false},
    [RANGO_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, true, false},
    [RANGO_FLOAT8E5M2] = {"float8e5m2", 8, true, false},
    [RANGO_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, true, false},
    [RANGO_UINT4] = {"uint4", 4, false, true},
    [RANGO_INT4] = {"int4", 4, false, true},
    [RANGO_FLOAT4E2M1] = {"float4e2m1", 4, true, false},
    [RANGO_FLOAT8E8M0] = {"float8e8m0", 8, true, false},
    [RANGO_UINT2] = {"uint2", 2, false, true},
    [RANGO_INT2] = {"int2", 2, false, true},
};

/* Types outside the list (a file's number) count as undefined. */
static size_t index_of(rango_type type) { return (size_t)type < RANGO_TYPE_COUNT ? (size_t)type : RANGO_UNDEFINED; }

const char *rango_type_name(rango_type type) { return types[index_of(type)].name; }
size_t rango_type_bits(rango_type type) { return types[index_of(type)].bits; }
bool rg_type_is_float(rango_type type) { return types[index_of(type)].is_float; }
bool rg_type_is_integer(rango_type type) { return types[index_of(type)].is_integer; }

rango_status rg_shape_count(const rg_shape *shape, int64_t *out) {
  char text[RG_SHAPE_TEXT];
  RG_FAIL_IF(shape->rank < 0 || shape->rank > RANGO_MAX_RANK, RANGO_ERROR_LIMIT,
             "a shape of rank %d; at most %d axes are supported", shape->rank, RANGO_MAX_RANK);
  bool empty = false;
  for (int i = 0; i < shape->rank; i++) {
    RG_FAIL_IF(shape->dims[i] < 0, RANGO_ERROR_FORMAT, "shape %s has a negative size",
               rg_shape_text(shape, text, sizeof text));
    empty |= shape->dims[i] == 0;
  }
  int64_t count = empty ? 0 : 1; /* an empty array stays empty, however big its other axes */
  for (int i = 0; i < shape->rank && !empty; i++)
    RG_FAIL_IF(!rg_mul_i64(count, shape->dims[i], &count), RANGO_ERROR_LIMIT, "shape %s has too many elements",
               rg_shape_text(shape, text, sizeof text));
  *out = count;
  return RANGO_OK;
}

rango_status rg_type_bytes(rango_type type, int64_t count, size_t *out) {
  size_t bits = type == RANGO_STRING ? 8 * sizeof(char *) : rango_type_bits(type), total;
  RG_FAIL_IF(!bits, RANGO_ERROR_UNSUPPORTED, "elements of type %d have no size", (int)type);
  RG_FAIL_IF(count < 0, RANGO_ERROR_FORMAT, "a negative number of elements (%lld)", (long long)count);
  bool fits = bits >= 8 ? rg_mul_size((size_t)count, bits / 8, &total)
                        : rg_add_size((size_t)count, 8 / bits - 1, &total); /* packed: rounded up to whole bytes */
  RG_FAIL_IF(!fits || total > PTRDIFF_MAX, RANGO_ERROR_LIMIT, "%lld elements of %s are too many", (long long)count,
             rango_type_name(type));
  *out = bits >= 8 ? total : total / (8 / bits);
  return RANGO_OK;
}

bool rg_shape_equal(const rg_shape *a, const rg_shape *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

const char *rg_shape_text(const rg_shape *shape, char *text, size_t bytes) {
  size_t used = 0;
  int written = snprintf(text, bytes, "[");
  int rank = shape->rank < RANGO_MAX_RANK ? shape->rank : RANGO_MAX_RANK;
  for (int i = 0; i <= rank && written > 0; i++) {
    used += (size_t)written;
    if (used >= bytes) return text; /* cut */
    written = i == rank ? snprintf(text + used, bytes - used, "]")
                        : snprintf(text + used, bytes - used, i ? ", %lld" : "%lld", (long long)shape->dims[i]);
  }
  return text;
}
