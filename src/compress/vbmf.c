/*
 * The rank that empirical variational Bayes gives a matrix (Nakajima, Sugiyama, Babacan, Tomioka, Global analytic
 * solution of fully-observed variational Bayesian matrix factorization, JMLR 14, 2013; theorem 2, corollary 3): with
 * the sides L <= M, alpha = L / M and x = s^2 / (M sigma^2) for a singular value s, exactly those with
 *
 *   x > (1 + t) (1 + alpha / t),  t = 2.5129 sqrt(alpha)
 *
 * stand out of noise of variance sigma^2, and the free energy of the whole solution depends on sigma^2 alone.
 */
#include <math.h>

#include "compress/method.h"

#define GRID   512 /* values of the variance looked at, in equal ratios */
#define ROUNDS 60  /* of the golden section between the neighbours of the best */

typedef struct noise {
  const double *squares;
  int64_t count;
  double rows, columns, alpha, limit; /* limit: of x */
} noise;

/* The free energy's part of one singular value, as a function of x (equation 31). */
static double energy_of_value(const noise *n, double x) {
  if (x <= n->limit) return x - log(x);
  double t = x - (1 + n->alpha);
  t = 0.5 * (t + sqrt(t * t - 4 * n->alpha));
  return x - t + log((t + 1) / x) + n->alpha * log(t / n->alpha + 1);
}

static double energy(const noise *n, double log_variance) {
  double variance = exp(log_variance), sum = 0;
  for (int64_t i = 0; i < n->count; i++) {
    double x = n->squares[i] / (n->columns * variance);
    sum += energy_of_value(n, x > 1e-300 ? x : 1e-300);
  }
  return sum;
}

static double golden_section(const noise *n, double low, double high) {
  const double ratio = 0.5 * (sqrt(5) - 1);
  double a = high - ratio * (high - low), b = low + ratio * (high - low), ea = energy(n, a), eb = energy(n, b);
  for (int i = 0; i < ROUNDS; i++) {
    if (ea < eb) {
      high = b;
      b = a;
      eb = ea;
      a = high - ratio * (high - low);
      ea = energy(n, a);
    } else {
      low = a;
      a = b;
      ea = eb;
      b = low + ratio * (high - low);
      eb = energy(n, b);
    }
  }
  return 0.5 * (low + high);
}

/* Theorem 2's bounds: the variance is at most the mean square, and at least what the smaller half leaves. */
static double find_variance(const noise *n) {
  double total = 0, rest = 0;
  int64_t from = (int64_t)ceil(n->rows / (1 + n->alpha)) - 1;
  if (from >= n->count) from = n->count - 1;
  if (from < 0) from = 0;
  for (int64_t i = 0; i < n->count; i++) {
    total += n->squares[i];
    if (i >= from) rest += n->squares[i];
  }
  double mean = rest / (double)(n->count - from) / n->columns;
  double high = log(total / (n->rows * n->columns)), lower = n->squares[from] / (n->columns * n->limit);
  double low = log(fmax(fmax(lower, mean), exp(high) * 1e-12));
  if (!(low < high)) return exp(high);
  double step = (high - low) / GRID, best = low, least = INFINITY;
  for (int i = 0; i <= GRID; i++) {
    double e = energy(n, low + step * i);
    if (e >= least) continue;
    least = e;
    best = low + step * i;
  }
  return exp(golden_section(n, fmax(low, best - step), fmin(high, best + step)));
}

int64_t rg_vbmf_rank(const double *squares, int64_t count, int64_t short_side, int64_t long_side) {
  noise n = {.squares = squares, .count = count, .rows = (double)short_side, .columns = (double)long_side};
  if (count == 0 || !(squares[0] > 0)) return 0;
  n.alpha = n.rows / n.columns;
  double t = 2.5129 * sqrt(n.alpha);
  n.limit = (1 + t) * (1 + n.alpha / t);
  double threshold = n.columns * find_variance(&n) * n.limit;
  int64_t rank = 0;
  while (rank < count && squares[rank] > threshold) rank++;
  return rank;
}
