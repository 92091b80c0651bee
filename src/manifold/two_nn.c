/* Intrinsic dimension from the two nearest neighbours. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "linalg/linalg.h"
#include "manifold/manifold.h"

#define DROP     0.1 /* of the largest ratios: outliers */
#define QUANTILE 1.959963984540054

rango_estimate rg_two_nn(const double *distances, int64_t count, int64_t stride) {
  rango_estimate estimate = {NAN, NAN, NAN};
  double *logs = NULL, numerator = 0, denominator = 0;
  if (count < RG_MANIFOLD_LEAST || rg_alloc((size_t)count * sizeof *logs, RG_OUT(&logs)) != RANGO_OK) return estimate;
  int64_t used = 0;
  for (int64_t i = 0; i < count; i++)
    if (distances[i * stride] > 0) logs[used++] = log(distances[i * stride + 1] / distances[i * stride]);
  qsort(logs, (size_t)used, sizeof *logs, rg_compare_doubles);
  int64_t kept = (int64_t)((1 - DROP) * (double)used);
  for (int64_t i = 0; i < kept; i++) {
    numerator -= logs[i] * log(1 - (double)(i + 1) / (double)used);
    denominator += logs[i] * logs[i];
  }
  rg_free(logs);
  if (!(denominator > 0)) return estimate;
  double spread = QUANTILE / sqrt((double)kept);
  estimate.value = numerator / denominator;
  estimate.low = estimate.value / (1 + spread);
  estimate.high = spread < 1 ? estimate.value / (1 - spread) : INFINITY;
  return estimate;
}
