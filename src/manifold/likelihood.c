/* Intrinsic dimension by maximum likelihood, and what few samples make of it. */
#include <math.h>

#include "manifold/manifold.h"

#define QUANTILE      1.959963984540054
#define SPHERE_STEPS  1200
#define SPHERE_LEAST  1e-12 /* expected neighbours within the smallest angle of the integral */
#define DIMENSION_MIN 0.05
#define DIMENSION_MAX 2000.0
#define BISECTIONS    48

rango_estimate rg_levina_bickel(const double *distances, int64_t count, int64_t stride, int64_t k) {
  rango_estimate estimate = {NAN, NAN, NAN};
  double sum = 0; /* of the inverse estimates */
  int64_t used = 0;
  for (int64_t i = 0; i < count; i++) {
    const double *d = distances + i * stride;
    double logs = 0;
    if (!(d[0] > 0)) continue;
    used++;
    for (int64_t j = 0; j < k - 1; j++) logs += log(d[k - 1] / d[j]);
    sum += logs / (double)(k - 1);
  }
  if (!(sum > 0)) return estimate;
  double spread = QUANTILE / sqrt((double)(used * (k - 1)));
  estimate.value = (double)used / sum;
  estimate.low = estimate.value / (1 + spread);
  estimate.high = spread < 1 ? estimate.value / (1 - spread) : INFINITY;
  return estimate;
}

/* On the unit d-sphere a cap of angle t holds the share F(t), F' ~ sin^(d-1), and the chord is r = 2 sin(t/2). With r_j
 * the distance of the j-th of n = count - 1 others, the mean of sum_{j<k} ln(r_k / r_j) is the integral over ln r of
 * sum_{0<i<k} i P(exactly i points within r). */
double rg_levina_bickel_expected(double dimension, int64_t count, int64_t k) {
  const double pi = 3.14159265358979323846, n = (double)(count - 1);
  double ways[RG_MLE_NEIGHBOURS]; /* ln of i times n over i */
  if (k > RG_MLE_NEIGHBOURS) k = RG_MLE_NEIGHBOURS;
  for (int64_t i = 1; i < k; i++)
    ways[i] = log((double)i) + lgamma(n + 1) - lgamma((double)i + 1) - lgamma(n - (double)i + 1);
  double first = fmin(log(SPHERE_LEAST / (double)count) / dimension, -3), step = (log(pi) - first) / SPHERE_STEPS;
  double constant = lgamma((dimension + 1) / 2) - 0.5 * log(pi) - lgamma(dimension / 2);
  double share = exp(constant + dimension * first) / dimension, before = 0, sum = 0;
  for (int s = 0; s <= SPHERE_STEPS; s++) {
    double angle = s == SPHERE_STEPS ? pi : exp(first + step * s), sine = sin(angle);
    double density = sine > 0 ? exp(constant + (dimension - 1) * log(sine)) * angle : 0; /* dF / d ln t */
    if (s > 0) share += (density + before) / 2 * step;
    before = density;
    if (!(share > 1e-290) || share >= 1 - 1e-12) continue;
    double weight = 0, inside = log(share), outside = log1p(-share);
    for (int64_t i = 1; i < k; i++) weight += exp(ways[i] + (double)i * inside + (n - (double)i) * outside);
    sum += (s == 0 ? 0.5 : 1) * weight * angle / (2 * tan(angle / 2)) * step; /* d ln r = t / (2 tan(t/2)) d ln t */
  }
  return sum > 0 ? (double)(k - 1) / sum : INFINITY;
}

double rg_levina_bickel_invert(double estimate, int64_t count, int64_t k) {
  if (!isfinite(estimate)) return estimate;
  double low = DIMENSION_MIN, high = DIMENSION_MAX;
  for (int i = 0; i < BISECTIONS; i++) {
    double middle = sqrt(low * high);
    if (rg_levina_bickel_expected(middle, count, k) < estimate)
      low = middle;
    else
      high = middle;
  }
  return sqrt(low * high);
}
