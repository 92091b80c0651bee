/* OpenBLAS tells x86 processors by their model numbers. One that came after the library gets the kernels of a Prescott,
 * which are several times slower than what it could run. The choice falls while the library is loaded, and there is no
 * call that changes it: only the environment of a new program does. */
#include "blas.h"

#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <unistd.h>

#include "rango.h"

#define VARIABLE "OPENBLAS_CORETYPE"

extern char *openblas_get_corename(void) __attribute__((weak)); /* other libraries lack it */

const char *blas_kernels(void) { return openblas_get_corename ? openblas_get_corename() : NULL; }

void blas_use_vectors(char **arguments) {
  const char *kernels = blas_kernels();
  rango_cpu_info cpu = {.struct_size = sizeof cpu};
  if (!kernels || strcmp(kernels, "Prescott") != 0 || getenv(VARIABLE)) return;
  if (rango_cpu_get_info(&cpu) != RANGO_OK || !strstr(cpu.features, "avx2 fma")) return;
  const char *better = strstr(cpu.features, "avx512vl") ? "SkylakeX" : "Haswell";
  if (setenv(VARIABLE, better, 1) == 0) execv("/proc/self/exe", arguments);
}
#else
const char *blas_kernels(void) { return NULL; }

void blas_use_vectors(char **arguments) { (void)arguments; }
#endif
