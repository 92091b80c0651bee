/* One element as a number, whatever the tensor's type. */
#include <math.h>
#include <string.h>

#include "tensor/float8.h"

/* Types of less than a byte: element i of the array, sign not yet extended. */
static unsigned packed_get(const uint8_t *data, unsigned bits, int64_t i) {
  unsigned per_byte = 8 / bits, place = (unsigned)((uint64_t)i % per_byte) * bits;
  return data[(uint64_t)i / per_byte] >> place & ((1u << bits) - 1);
}

static void packed_set(uint8_t *data, unsigned bits, int64_t i, unsigned code) {
  unsigned per_byte = 8 / bits, place = (unsigned)((uint64_t)i % per_byte) * bits, mask = (1u << bits) - 1;
  uint8_t *byte = &data[(uint64_t)i / per_byte];
  *byte = (uint8_t)((*byte & ~(mask << place)) | (code & mask) << place);
}

/* The integer of an integer or bool tensor; uint64 above INT64_MAX saturates. */
static int64_t integer_at(const rango_tensor *tensor, int64_t i) {
  const void *data = tensor->data;
  switch ((int)tensor->type) {
  case RANGO_BOOL:
    return ((const uint8_t *)data)[i] != 0;
  case RANGO_UINT8:
    return ((const uint8_t *)data)[i];
  case RANGO_INT8:
    return ((const int8_t *)data)[i];
  case RANGO_UINT16:
    return ((const uint16_t *)data)[i];
  case RANGO_INT16:
    return ((const int16_t *)data)[i];
  case RANGO_UINT32:
    return ((const uint32_t *)data)[i];
  case RANGO_INT32:
    return ((const int32_t *)data)[i];
  case RANGO_INT64:
    return ((const int64_t *)data)[i];
  case RANGO_UINT64: {
    uint64_t value = ((const uint64_t *)data)[i];
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
  }
  case RANGO_UINT4:
    return packed_get(data, 4, i);
  case RANGO_INT4:
    return (int64_t)(packed_get(data, 4, i) ^ 8u) - 8;
  case RANGO_UINT2:
    return packed_get(data, 2, i);
  case RANGO_INT2:
    return (int64_t)(packed_get(data, 2, i) ^ 2u) - 2;
  default:
    return 0;
  }
}

/* Weights in a mapped file may lie at any address. */
static double load_float(const uint8_t *data, int64_t i) {
  float value;
  memcpy(&value, data + (size_t)i * sizeof value, sizeof value);
  return value;
}

double rg_tensor_get_double(const rango_tensor *tensor, int64_t i) {
  const void *data = tensor->data;
  switch ((int)tensor->type) {
  case RANGO_FLOAT32:
    return load_float(data, i);
  case RANGO_FLOAT64:
    return ((const double *)data)[i];
  case RANGO_COMPLEX64:
    return ((const float *)data)[2 * i]; /* the real part */
  case RANGO_COMPLEX128:
    return ((const double *)data)[2 * i];
  case RANGO_FLOAT16:
    return rg_half_to_float(((const uint16_t *)data)[i]);
  case RANGO_BFLOAT16:
    return rg_bfloat16_to_float(((const uint16_t *)data)[i]);
  case RANGO_FLOAT8E4M3FN:
  case RANGO_FLOAT8E4M3FNUZ:
  case RANGO_FLOAT8E5M2:
  case RANGO_FLOAT8E5M2FNUZ:
  case RANGO_FLOAT8E8M0:
    return rg_float8_to_float(tensor->type, ((const uint8_t *)data)[i]);
  case RANGO_FLOAT4E2M1:
    return rg_float4_to_float((uint8_t)packed_get(data, 4, i));
  case RANGO_UINT64:
    return (double)((const uint64_t *)data)[i];
  default:
    return (double)integer_at(tensor, i);
  }
}

/* Toward zero; NaN is 0; what doesn't fit saturates. */
static int64_t truncate_to_i64(double value) {
  if (isnan(value)) return 0;
  if (value >= 0x1p63) return INT64_MAX;
  if (value <= -0x1p63) return INT64_MIN;
  return (int64_t)value;
}

int64_t rg_tensor_get_i64(const rango_tensor *tensor, int64_t i) {
  bool integer = rg_type_is_integer(tensor->type) || tensor->type == RANGO_BOOL;
  return integer ? integer_at(tensor, i) : truncate_to_i64(rg_tensor_get_double(tensor, i));
}

/* Nearest even within [low, high]; NaN is 0. */
static int64_t round_to(double value, int64_t low, int64_t high) {
  if (value <= (double)low) return low;
  if (value >= (double)high) return high;
  return truncate_to_i64(rint(value));
}

/* A double goes to a narrower float through float32 without rounding twice: float32 is rounded to odd. */
static float to_float_odd(double value) {
  float nearest = (float)value;
  if (isnan(value) || isinf(value) || isinf(nearest) || (double)nearest == value) return nearest;
  uint32_t bits;
  memcpy(&bits, &nearest, sizeof bits);
  if (bits & 1) return nearest;
  bool away = fabs((double)nearest) < fabs(value); /* the odd neighbour on value's side */
  bits = away ? bits + 1 : bits - 1;
  memcpy(&nearest, &bits, sizeof bits);
  return nearest;
}

static void set_float(rango_tensor *tensor, int64_t i, double value) {
  void *data = tensor->data;
  switch ((int)tensor->type) {
  case RANGO_FLOAT32:
    ((float *)data)[i] = (float)value;
    break;
  case RANGO_FLOAT64:
    ((double *)data)[i] = value;
    break;
  case RANGO_FLOAT16:
    ((uint16_t *)data)[i] = rg_float_to_half(to_float_odd(value));
    break;
  case RANGO_BFLOAT16:
    ((uint16_t *)data)[i] = rg_float_to_bfloat16(to_float_odd(value));
    break;
  case RANGO_FLOAT4E2M1:
    packed_set(data, 4, i, rg_float_to_float4(to_float_odd(value)));
    break;
  default:
    ((uint8_t *)data)[i] = rg_float_to_float8(tensor->type, to_float_odd(value), true);
    break;
  }
}

void rg_tensor_set_double(rango_tensor *tensor, int64_t i, double value) {
  void *data = tensor->data;
  switch ((int)tensor->type) {
  case RANGO_BOOL:
    ((uint8_t *)data)[i] = value != 0;
    break;
  case RANGO_UINT8:
    ((uint8_t *)data)[i] = (uint8_t)round_to(value, 0, UINT8_MAX);
    break;
  case RANGO_INT8:
    ((int8_t *)data)[i] = (int8_t)round_to(value, INT8_MIN, INT8_MAX);
    break;
  case RANGO_UINT16:
    ((uint16_t *)data)[i] = (uint16_t)round_to(value, 0, UINT16_MAX);
    break;
  case RANGO_INT16:
    ((int16_t *)data)[i] = (int16_t)round_to(value, INT16_MIN, INT16_MAX);
    break;
  case RANGO_UINT32:
    ((uint32_t *)data)[i] = (uint32_t)round_to(value, 0, UINT32_MAX);
    break;
  case RANGO_INT32:
    ((int32_t *)data)[i] = (int32_t)round_to(value, INT32_MIN, INT32_MAX);
    break;
  case RANGO_INT64:
    ((int64_t *)data)[i] = round_to(value, INT64_MIN, INT64_MAX);
    break;
  case RANGO_UINT64:
    ((uint64_t *)data)[i] = value >= 0x1p64 ? UINT64_MAX : value > 0 ? (uint64_t)rint(value) : 0;
    break;
  case RANGO_UINT4:
    packed_set(data, 4, i, (unsigned)round_to(value, 0, 15));
    break;
  case RANGO_INT4:
    packed_set(data, 4, i, (unsigned)round_to(value, -8, 7));
    break;
  case RANGO_UINT2:
    packed_set(data, 2, i, (unsigned)round_to(value, 0, 3));
    break;
  case RANGO_INT2:
    packed_set(data, 2, i, (unsigned)round_to(value, -2, 1));
    break;
  case RANGO_COMPLEX64:
    ((float *)data)[2 * i] = (float)value;
    ((float *)data)[2 * i + 1] = 0;
    break;
  case RANGO_COMPLEX128:
    ((double *)data)[2 * i] = value;
    ((double *)data)[2 * i + 1] = 0;
    break;
  case RANGO_STRING:
  case RANGO_UNDEFINED:
    break; /* no numbers */
  default:
    set_float(tensor, i, value);
    break;
  }
}
