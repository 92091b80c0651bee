/* The table's sgemm by CBLAS: Accelerate on macOS (which alone reaches the matrix units of Apple's CPUs), any other
 * elsewhere. Compiled in a RANGO_CBLAS build. */
#if defined(__APPLE__)
#define ACCELERATE_NEW_LAPACK
#include <Accelerate/Accelerate.h>
#else
#include <cblas.h>
#endif

#include "kernels/table.h"

void rg_cblas_sgemm(const rg_sgemm *p) {
  cblas_sgemm(CblasRowMajor, p->a_transposed ? CblasTrans : CblasNoTrans, p->b_transposed ? CblasTrans : CblasNoTrans,
              (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a, (int)p->a_row, p->b, (int)p->b_row, p->beta, p->c,
              (int)p->n);
}
