/* Small services for arrays of numbers. */
#include "base/memory.h"
#include "linalg/linalg.h"

double rg_dot(const double *a, const double *b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

int rg_compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

rango_status rg_to_float(const double *from, int64_t count, float **out) {
  RG_TRY(rg_alloc((size_t)count * sizeof(float), RG_OUT(out)));
  for (int64_t i = 0; i < count; i++) (*out)[i] = (float)from[i];
  return RANGO_OK;
}

rango_status rg_to_double(const float *from, int64_t count, double **out) {
  RG_TRY(rg_alloc((size_t)count * sizeof(double), RG_OUT(out)));
  for (int64_t i = 0; i < count; i++) (*out)[i] = from[i];
  return RANGO_OK;
}
