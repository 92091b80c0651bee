/* Manifolds of known dimension: the benchmark of Hein and Audibert (2005), Campadelli et al. (2015), in the order and
 * with the parameters that the literature reports on. */
#ifndef TESTS_MANIFOLD_BENCHMARKS_H
#define TESTS_MANIFOLD_BENCHMARKS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"

#define BENCHMARK_WIDEST 128

typedef struct benchmark {
  const char *name;
  int dimension, ambient; /* truth, columns */
  void (*draw)(rg_random *random, int dimension, int ambient, double *row);
} benchmark;

static inline double benchmark_uniform(rg_random *random, double low, double high) {
  return low + (high - low) * rg_random_uniform(random);
}

static void draw_sphere(rg_random *random, int dimension, int ambient, double *row) {
  double square = 0;
  for (int i = 0; i <= dimension; i++) {
    row[i] = rg_random_normal(random);
    square += row[i] * row[i];
  }
  for (int i = 0; i <= dimension; i++) row[i] /= sqrt(square);
}

static void draw_affine_3_5(rg_random *random, int dimension, int ambient, double *row) {
  static const double map[5][3] = {{1.2, -0.5, 0}, {0.5, 0.9, 0}, {-0.5, -0.2, 1}, {0.4, -0.9, -0.1}, {1.1, -0.3, 0}};
  static const double offset[5] = {3, -1, 0, 0, 8};
  double p[3];
  for (int i = 0; i < 3; i++) p[i] = benchmark_uniform(random, 0, 4);
  for (int i = 0; i < 5; i++) row[i] = map[i][0] * p[0] + map[i][1] * p[1] + map[i][2] * p[2] + offset[i];
}

static void draw_nonlinear_4_6(rg_random *random, int dimension, int ambient, double *row) {
  double p[4], turn;
  for (int i = 0; i < 4; i++) p[i] = rg_random_uniform(random);
  turn = 2 * acos(-1) * p[0];
  row[0] = p[1] * p[1] * cos(turn);
  row[1] = p[2] * p[2] * sin(turn);
  row[2] = p[1] + p[2] + (p[1] - p[3]) * (p[1] - p[3]);
  row[3] = p[1] - 2 * p[2] + (p[0] - p[3]) * (p[0] - p[3]);
  row[4] = -p[1] - 2 * p[2] + (p[2] - p[3]) * (p[2] - p[3]);
  row[5] = p[0] * p[0] - p[1] * p[1] + p[2] * p[2] - p[3] * p[3];
}

/* Each coordinate's circle with the next coordinate for a radius, repeated to fill the columns. */
static void draw_nonlinear(rg_random *random, int dimension, int ambient, double *row) {
  double p[BENCHMARK_WIDEST];
  for (int i = 0; i < dimension; i++) p[i] = rg_random_uniform(random);
  for (int i = 0; i < ambient; i++) {
    int j = i % (2 * dimension) / 2;
    double turn = 2 * acos(-1) * p[j], radius = p[(j + 1) % dimension];
    row[i] = radius * (i % 2 ? sin(turn) : cos(turn));
  }
}

static void draw_helix_1(rg_random *random, int dimension, int ambient, double *row) {
  double t = benchmark_uniform(random, 0, 2 * acos(-1));
  row[0] = (2 + cos(8 * t)) * cos(t);
  row[1] = (2 + cos(8 * t)) * sin(t);
  row[2] = sin(8 * t);
}

static void draw_helix_2(rg_random *random, int dimension, int ambient, double *row) {
  double r = benchmark_uniform(random, 0, 10 * acos(-1)), p = benchmark_uniform(random, 0, 10 * acos(-1));
  row[0] = r * cos(p);
  row[1] = r * sin(p);
  row[2] = 0.5 * p;
}

static void draw_roll(rg_random *random, int dimension, int ambient, double *row) {
  double t = 1.5 * acos(-1) * (1 + 2 * rg_random_uniform(random));
  row[0] = t * cos(t);
  row[1] = benchmark_uniform(random, 0, 21);
  row[2] = t * sin(t);
}

static void draw_affine(rg_random *random, int dimension, int ambient, double *row) {
  for (int i = 0; i < dimension; i++) row[i] = benchmark_uniform(random, -2.5, 2.5);
}

/* The faces of a cube. */
static void draw_cube(rg_random *random, int dimension, int ambient, double *row) {
  for (int i = 0; i <= dimension; i++) row[i] = rg_random_uniform(random);
  row[rg_random_below(random, (uint64_t)dimension + 1)] = (double)rg_random_below(random, 2);
}

static void draw_moebius(rg_random *random, int dimension, int ambient, double *row) {
  double turn = benchmark_uniform(random, 0, 2 * acos(-1)), radius = benchmark_uniform(random, -1, 1);
  row[0] = (1 + 0.5 * radius * cos(5 * turn)) * cos(turn);
  row[1] = (1 + 0.5 * radius * cos(5 * turn)) * sin(turn);
  row[2] = 0.5 * radius * sin(5 * turn);
}

static void draw_normal(rg_random *random, int dimension, int ambient, double *row) {
  for (int i = 0; i < dimension; i++) row[i] = rg_random_normal(random);
}

static void draw_s_curve(rg_random *random, int dimension, int ambient, double *row) {
  double t = 3 * acos(-1) * (rg_random_uniform(random) - 0.5);
  row[0] = sin(t);
  row[1] = benchmark_uniform(random, 0, 2);
  row[2] = (t > 0 ? 1 : -1) * (cos(t) - 1);
}

static void draw_spiral(rg_random *random, int dimension, int ambient, double *row) {
  double t = benchmark_uniform(random, 0, 10 * acos(-1));
  row[0] = 100 * cos(t);
  row[1] = 100 * sin(t);
  row[2] = t;
}

static void twice_tangents(const double *a, const double *b, int dimension, double *row) {
  for (int i = 0; i < dimension; i++) {
    row[i] = row[i + 2 * dimension] = a[i];
    row[i + dimension] = row[i + 3 * dimension] = b[i];
  }
}

static void draw_tangents(rg_random *random, int dimension, int ambient, double *row) {
  double p[BENCHMARK_WIDEST], a[BENCHMARK_WIDEST], b[BENCHMARK_WIDEST];
  for (int i = 0; i < dimension; i++) p[i] = rg_random_uniform(random);
  for (int i = 0; i < dimension; i++) {
    a[i] = tan(p[i] * cos(p[dimension - 1 - i]));
    b[i] = atan(p[dimension - 1 - i] * sin(p[i]));
  }
  twice_tangents(a, b, dimension, row);
}

/* Coordinates of the law beta(10, 1/2): a ratio of gamma variables, here sums of squares of normal ones. */
static void draw_beta(rg_random *random, int dimension, int ambient, double *row) {
  double a[BENCHMARK_WIDEST], b[BENCHMARK_WIDEST];
  for (int i = 0; i < dimension; i++) {
    double ten = 0, half = rg_random_normal(random);
    for (int j = 0; j < 20; j++) {
      double z = rg_random_normal(random);
      ten += z * z;
    }
    double x = ten / (ten + half * half), turn = 2 * acos(-1) * x;
    a[i] = x * sin(cos(turn));
    b[i] = x * cos(sin(turn));
  }
  twice_tangents(a, b, dimension, row);
}

/* A paraboloid over the multivariate Burr law, its sines and its squares. */
static void draw_paraboloid(rg_random *random, int dimension, int ambient, double *row) {
  double first = -log(1 - rg_random_uniform(random)), sum = 0;
  int n = dimension + 1;
  for (int i = 0; i < dimension; i++) {
    row[i] = 1 / (1 - log(1 - rg_random_uniform(random)) / first);
    sum += row[i] * row[i];
  }
  row[dimension] = sum;
  for (int i = 0; i < n; i++) {
    row[n + i] = sin(row[i]);
    row[2 * n + i] = row[i] * row[i];
  }
}

static const benchmark benchmarks[] = {
    {"M1 sphere", 10, 11, draw_sphere},
    {"M2 affine", 3, 5, draw_affine_3_5},
    {"M3 nonlinear", 4, 6, draw_nonlinear_4_6},
    {"M4 nonlinear", 4, 8, draw_nonlinear},
    {"M5a helix", 1, 3, draw_helix_1},
    {"M5b helicoid", 2, 3, draw_helix_2},
    {"M6 nonlinear", 6, 36, draw_nonlinear},
    {"M7 Swiss roll", 2, 3, draw_roll},
    {"M8 nonlinear", 12, 72, draw_nonlinear},
    {"M9 affine", 20, 20, draw_affine},
    {"M10a cube", 10, 11, draw_cube},
    {"M10b cube", 17, 18, draw_cube},
    {"M10c cube", 24, 25, draw_cube},
    {"M10d cube", 70, 71, draw_cube},
    {"M11 Moebius", 2, 3, draw_moebius},
    {"M12 Gaussian", 20, 20, draw_normal},
    {"M13a S-curve", 2, 3, draw_s_curve},
    {"M13b spiral", 1, 13, draw_spiral},
    {"Mbeta", 10, 40, draw_beta},
    {"Mn1 nonlinear", 18, 72, draw_tangents},
    {"Mn2 nonlinear", 24, 96, draw_tangents},
    {"Mp1 paraboloid", 3, 12, draw_paraboloid},
    {"Mp2 paraboloid", 6, 21, draw_paraboloid},
    {"Mp3 paraboloid", 9, 30, draw_paraboloid},
};
#define BENCHMARKS (sizeof benchmarks / sizeof *benchmarks)

/* rows [count][ambient] */
static inline void benchmark_draw(const benchmark *b, uint64_t seed, int64_t count, float *rows) {
  rg_random random;
  rg_random_seed(&random, seed);
  for (int64_t i = 0; i < count; i++) {
    double row[BENCHMARK_WIDEST] = {0};
    b->draw(&random, b->dimension, b->ambient, row);
    for (int j = 0; j < b->ambient; j++) rows[i * b->ambient + j] = (float)row[j];
  }
}

#endif
