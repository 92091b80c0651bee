#include "compare.h"

#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Two units in the last place, relative. */
static double type_precision(rango_type type) {
  switch (type) {
  case RANGO_FLOAT16:
    return 2.0 / 1024;
  case RANGO_BFLOAT16:
    return 2.0 / 128;
  case RANGO_FLOAT8E4M3FN:
  case RANGO_FLOAT8E4M3FNUZ:
    return 2.0 / 8;
  case RANGO_FLOAT8E5M2:
  case RANGO_FLOAT8E5M2FNUZ:
    return 2.0 / 4;
  default:
    return 0;
  }
}

static bool same_strings(const rango_tensor *got, const rango_tensor *expected, char *message, size_t bytes) {
  const char *const *a = rango_tensor_data(got), *const *b = rango_tensor_data(expected);
  for (int64_t i = 0; i < rango_tensor_count(got); i++) {
    if (strcmp(a[i], b[i]) == 0) continue;
    snprintf(message, bytes, "element %lld is '%s', expected '%s'", (long long)i, a[i], b[i]);
    return false;
  }
  return true;
}

static bool same_integers(const rango_tensor *got, const rango_tensor *expected, char *message, size_t bytes) {
  for (int64_t i = 0; i < rango_tensor_count(got); i++) {
    int64_t a = rg_tensor_get_i64(got, i), b = rg_tensor_get_i64(expected, i);
    if (a == b) continue;
    snprintf(message, bytes, "element %lld is %lld, expected %lld", (long long)i, (long long)a, (long long)b);
    return false;
  }
  return true;
}

static bool close_floats(const rango_tensor *got, const rango_tensor *expected, const rg_tolerance *tolerance,
                         char *message, size_t bytes) {
  double largest = 0, relative = fmax(tolerance->relative, type_precision(expected->type));
  int64_t count = rango_tensor_count(got);
  for (int64_t i = 0; i < count; i++) {
    double b = fabs(rg_tensor_get_double(expected, i));
    if (isfinite(b) && b > largest) largest = b;
  }
  for (int64_t i = 0; i < count; i++) {
    double a = rg_tensor_get_double(got, i), b = rg_tensor_get_double(expected, i);
    double limit = tolerance->absolute + relative * (tolerance->elementwise ? fabs(b) : largest);
    if (a == b || (isnan(a) && isnan(b)) || (isfinite(a) && isfinite(b) && fabs(a - b) <= limit)) continue;
    snprintf(message, bytes, "element %lld of %lld is %.9g, expected %.9g", (long long)i, (long long)count, a, b);
    return false;
  }
  return true;
}

bool compare_tensors(const rango_tensor *got, const rango_tensor *expected, const rg_tolerance *tolerance,
                     char *message, size_t bytes) {
  char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
  if (got->type != expected->type || !rg_shape_equal(&got->shape, &expected->shape)) {
    snprintf(message, bytes, "is %s %s, expected %s %s", rango_type_name(got->type),
             rg_shape_text(&got->shape, a, sizeof a), rango_type_name(expected->type),
             rg_shape_text(&expected->shape, b, sizeof b));
    return false;
  }
  if (got->type == RANGO_STRING) return same_strings(got, expected, message, bytes);
  if (rg_type_is_float(got->type)) return close_floats(got, expected, tolerance, message, bytes);
  if (got->type == RANGO_COMPLEX64 || got->type == RANGO_COMPLEX128) {
    /* As twice as many floats. */
    rango_tensor parts[2] = {*got, *expected};
    for (int i = 0; i < 2; i++) {
      parts[i].type = got->type == RANGO_COMPLEX64 ? RANGO_FLOAT32 : RANGO_FLOAT64;
      parts[i].shape = (rg_shape){.rank = 1, .dims = {2 * rango_tensor_count(got)}};
    }
    return close_floats(&parts[0], &parts[1], tolerance, message, bytes);
  }
  return same_integers(got, expected, message, bytes);
}
