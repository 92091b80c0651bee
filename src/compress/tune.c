/* rango_tune: what layers cost on this machine, for the time objective. */
#include "base/error.h"
#include "cpu/cpu.h"
#include "rango_compress.h"

#define TUNE_SECONDS 20.0

rango_status rango_tune(const char *path, int threads, rango_progress_function progress, void *user) {
  RG_FAIL_IF(!path, RANGO_ERROR_ARGUMENT, "tune: NULL argument");
  RG_FAIL_IF(threads < 0, RANGO_ERROR_ARGUMENT, "tune: %d threads", threads);
  const rg_kernels *kernels;
  rg_costs *costs = NULL;
  rango_status status;
  RG_TRY_DONE(rg_kernels_get(NULL, &kernels));
  RG_TRY_DONE(rg_costs_measure(kernels, TUNE_SECONDS, progress, user, &costs));
  RG_TRY_DONE(rg_costs_save(costs, path));
done:
  rg_costs_free(costs);
  return status;
}
