/* The metric in which errors of a layer's output are measured: |e|^2 = e' G e with G = L L', so that L' e has an
 * ordinary length. */
#include "compress/compress.h"

#define FLOOR 0.1 /* of the mean diagonal: directions that these gradients didn't show still count a little */

rango_status rg_metric_factor(double *g, int64_t n) {
  double trace = 0;
  for (int64_t i = 0; i < n; i++) trace += g[i * n + i];
  double add = trace > 0 ? FLOOR * trace / (double)n : 1;
  for (int64_t i = 0; i < n; i++) {
    g[i * n + i] += add;
    for (int64_t j = i + 1; j < n; j++) g[i * n + j] = 0;
  }
  return rg_cholesky(g, n);
}

void rg_metric_apply(const double *metric, int64_t n, int64_t columns, double *a) {
  if (metric) rg_lower_multiply_transposed(metric, n, a, columns);
}

void rg_metric_undo(const double *metric, int64_t n, int64_t columns, double *a) {
  if (metric) rg_lower_solve_transposed(metric, n, a, columns);
}

void rg_metric_apply_right(const double *metric, int64_t rows, int64_t n, double *a) {
  if (metric) rg_lower_multiply_right(metric, n, a, rows);
}
