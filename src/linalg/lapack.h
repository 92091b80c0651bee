/* The LAPACK and BLAS routines this room calls, from LAPACKE and CBLAS or from Apple's Accelerate. Column-major, with
 * the work arrays of their documentation: LAPACKE's own workspace query is not used. */
#ifndef RG_LINALG_LAPACK_H
#define RG_LINALG_LAPACK_H

#ifdef __APPLE__

#define ACCELERATE_NEW_LAPACK
#include <Accelerate/Accelerate.h>

static inline int rg_dsyevd(int n, double *a, double *w, double *work, int lwork, int *iwork, int liwork) {
  __LAPACK_int info = 0;
  dsyevd_("V", "L", &n, a, &n, w, work, &lwork, iwork, &liwork, &info);
  return (int)info;
}

static inline int rg_dgesdd(int m, int n, double *a, double *s, double *u, double *vt, double *work, int lwork,
                            int *iwork) {
  __LAPACK_int info = 0;
  int k = m < n ? m : n;
  dgesdd_("S", &m, &n, a, &m, s, u, &m, vt, &k, work, &lwork, iwork, &info);
  return (int)info;
}

static inline int rg_dpotrf(int n, double *a) {
  __LAPACK_int info = 0;
  dpotrf_("U", &n, a, &n, &info);
  return (int)info;
}

#else

#include <cblas.h>
#include <lapacke.h>

static inline int rg_dsyevd(int n, double *a, double *w, double *work, int lwork, int *iwork, int liwork) {
  return LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', n, a, n, w, work, lwork, iwork, liwork);
}

static inline int rg_dgesdd(int m, int n, double *a, double *s, double *u, double *vt, double *work, int lwork,
                            int *iwork) {
  return LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', m, n, a, m, s, u, m, vt, m < n ? m : n, work, lwork, iwork);
}

static inline int rg_dpotrf(int n, double *a) { return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', n, a, n); }

#endif
#endif
