#ifndef RG_APPLE_ACCELERATE_H
#define RG_APPLE_ACCELERATE_H

/* The interface that ACCELERATE_NEW_LAPACK chooses. */
typedef int __LAPACK_int;
enum CBLAS_ORDER { CblasRowMajor = 101, CblasColMajor = 102 };
enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112 };
enum CBLAS_UPLO { CblasUpper = 121, CblasLower = 122 };
enum CBLAS_DIAG { CblasNonUnit = 131, CblasUnit = 132 };
enum CBLAS_SIDE { CblasLeft = 141, CblasRight = 142 };

void cblas_sgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE trans_a, enum CBLAS_TRANSPOSE trans_b, __LAPACK_int m,
                 __LAPACK_int n, __LAPACK_int k, float alpha, const float *a, __LAPACK_int lda, const float *b,
                 __LAPACK_int ldb, float beta, float *c, __LAPACK_int ldc);
void cblas_dgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE trans_a, enum CBLAS_TRANSPOSE trans_b, __LAPACK_int m,
                 __LAPACK_int n, __LAPACK_int k, double alpha, const double *a, __LAPACK_int lda, const double *b,
                 __LAPACK_int ldb, double beta, double *c, __LAPACK_int ldc);
void cblas_dsyrk(enum CBLAS_ORDER order, enum CBLAS_UPLO uplo, enum CBLAS_TRANSPOSE trans, __LAPACK_int n,
                 __LAPACK_int k, double alpha, const double *a, __LAPACK_int lda, double beta, double *c,
                 __LAPACK_int ldc);
void cblas_dtrsm(enum CBLAS_ORDER order, enum CBLAS_SIDE side, enum CBLAS_UPLO uplo, enum CBLAS_TRANSPOSE trans,
                 enum CBLAS_DIAG diag, __LAPACK_int m, __LAPACK_int n, double alpha, const double *a, __LAPACK_int lda,
                 double *b, __LAPACK_int ldb);
void cblas_dtrmm(enum CBLAS_ORDER order, enum CBLAS_SIDE side, enum CBLAS_UPLO uplo, enum CBLAS_TRANSPOSE trans,
                 enum CBLAS_DIAG diag, __LAPACK_int m, __LAPACK_int n, double alpha, const double *a, __LAPACK_int lda,
                 double *b, __LAPACK_int ldb);
void dsyevd_(const char *job, const char *uplo, const __LAPACK_int *n, double *a, const __LAPACK_int *lda, double *w,
             double *work, const __LAPACK_int *lwork, __LAPACK_int *iwork, const __LAPACK_int *liwork,
             __LAPACK_int *info);
void dgesdd_(const char *job, const __LAPACK_int *m, const __LAPACK_int *n, double *a, const __LAPACK_int *lda,
             double *s, double *u, const __LAPACK_int *ldu, double *vt, const __LAPACK_int *ldvt, double *work,
             const __LAPACK_int *lwork, __LAPACK_int *iwork, __LAPACK_int *info);
void dpotrf_(const char *uplo, const __LAPACK_int *n, double *a, const __LAPACK_int *lda, __LAPACK_int *info);

#endif
