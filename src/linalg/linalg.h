/*
 * Dense linear algebra in double precision, on LAPACK. All matrices are row-major; shapes are beside the arguments.
 * Sizes may be 0. Every function fails with RANGO_ERROR_NUMERIC on NaN or infinite input, or when LAPACK doesn't
 * converge, and with RANGO_ERROR_LIMIT beyond RG_LINALG_MAX.
 */
#ifndef RG_LINALG_LINALG_H
#define RG_LINALG_LINALG_H

#include "base/error.h"

#define RG_LINALG_MAX 30000 /* rows or columns: LAPACK's work arrays of about 2 n^2 stay within its 32-bit sizes */

/* Threads that the routines below use (0: one for each core); returns what was set before. Without effect where the
 * library has no such setting (Accelerate). */
int rg_linalg_set_threads(int threads);

/* Eigenvectors of the symmetric a [n][n] (its lower triangle is read), replaced by them: row i belongs to values[i],
 * values descending, vectors orthonormal, each one's largest component positive. */
rango_status rg_eigen_symmetric(double *a, int64_t n, double *values);

/* Thin singular value decomposition a = u diag(s) vt, k = min(m, n): u [m][k], s [k] descending, vt [k][n]. `a` [m][n]
 * is left alone. */
rango_status rg_svd_thin(const double *a, int64_t m, int64_t n, double *u, double *s, double *vt);

/* The leading `rank` terms: u [m][rank], s [rank], vt [rank][n]. Randomised range finder (Halko, Martinsson, Tropp
 * 2011) with at least two power iterations, and more until one wins less than a thousandth of the squared error left.
 */
rango_status rg_svd_leading(const double *a, int64_t m, int64_t n, int64_t rank, uint64_t seed, double *u, double *s,
                            double *vt);

/* Cholesky factor: a [n][n] symmetric positive definite, its lower triangle replaced by L of a = L L'; the upper
 * triangle is left as it was. RANGO_ERROR_NUMERIC when a is not positive definite. */
rango_status rg_cholesky(double *a, int64_t n);

/* Solves l x = b for lower triangular l [n][n] (the upper triangle isn't read) and b [n][columns], which x replaces. */
void rg_lower_solve(const double *l, int64_t n, double *b, int64_t columns);
/* The same for l' x = b. */
void rg_lower_solve_transposed(const double *l, int64_t n, double *b, int64_t columns);
/* b [n][columns] becomes l' b; b [rows][n] becomes b l. The upper triangle of l isn't read. */
void rg_lower_multiply_transposed(const double *l, int64_t n, double *b, int64_t columns);
void rg_lower_multiply_right(const double *l, int64_t n, double *b, int64_t rows);

/* Solves (a + ridge * trace(a) / n * I) x = b for symmetric positive semidefinite a [n][n] (destroyed) and b
 * [n][columns], which x replaces. A ridge too small for the matrix's rank is raised tenfold until the factor exists. */
rango_status rg_ridge_solve(double *a, int64_t n, double ridge, double *b, int64_t columns);

/* c [m][n] = alpha * op(a) op(b) + beta * c; op transposes when asked; a is [m][k] or [k][m], b [k][n] or [n][k]. */
void rg_matmul(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
               const double *b, double beta, double *c);
/* c [n][n] = alpha * a' a + beta * c for a [m][n]: the lower triangle alone. */
void rg_gram(int64_t m, int64_t n, double alpha, const double *a, double beta, double *c);
void rg_matmul_float(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                     const float *b, float *c);

/* Whether all `count` numbers are finite; otherwise *bad is the first that isn't. */
bool rg_all_finite(const double *values, int64_t count, int64_t *bad);
bool rg_all_finite_float(const float *values, int64_t count, int64_t *bad);

/* ---- vectors ---- */
double rg_dot(const double *a, const double *b, int64_t count);
/* For qsort: ascending. */
int rg_compare_doubles(const void *a, const void *b);
/* Copies in the other precision, allocated: the caller frees *out. */
rango_status rg_to_float(const double *from, int64_t count, float **out);
rango_status rg_to_double(const float *from, int64_t count, double **out);

/* ---- streamed moments: mean and covariance of rows that come in blocks ---- */
typedef struct rg_moments {
  int64_t n;     /* columns */
  int64_t count; /* rows seen */
  double *shift; /* [n] subtracted before summing (the first block's mean), so that nothing cancels */
  double *sum;   /* [n] of shifted rows */
  double *gram;  /* [n][n] of shifted rows, lower triangle; NULL: mean only */
} rg_moments;

rango_status rg_moments_create(rg_moments *moments, int64_t n, bool gram);
void rg_moments_free(rg_moments *moments);
/* Adds rows [count][n]. RANGO_ERROR_NUMERIC names the first row that holds a NaN or infinity. */
rango_status rg_moments_add(rg_moments *moments, const float *rows, int64_t count);
/* mean [n] and covariance [n][n] (both triangles, divided by the rows); either may be NULL. At least one row. */
rango_status rg_moments_finish(const rg_moments *moments, double *mean, double *covariance);
/* Bytes that moments of n columns take. */
int64_t rg_moments_bytes(int64_t n, bool gram);

#endif
