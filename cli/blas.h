/* The kernels of the linear algebra library. */
#ifndef CLI_BLAS_H
#define CLI_BLAS_H

/* The processor whose kernels OpenBLAS has chosen; NULL: it is another library. */
const char *blas_kernels(void);

/* Starts the program anew with the kernels named that this processor can use, where OpenBLAS doesn't know it; returns
 * where it does, where the user has named some (OPENBLAS_CORETYPE), and where there is another library. */
void blas_use_vectors(char **arguments);

#endif
