/* Energy that hardware has taken, whoever used it: a reader a source. rango_meter_create (engine) picks one. Where a
 * source can't be read the status is RANGO_ERROR_UNSUPPORTED and the message says why. */
#ifndef RG_BASE_ENERGY_H
#define RG_BASE_ENERGY_H

#include "base/memory.h"

/* Readers embed it as their first member. */
struct rango_meter {
  rango_status (*read)(rango_meter *meter, double *joules); /* since it was made */
  void (*free)(rango_meter *meter);
};

#define RG_RAPL_FOLDER       "/sys/class/powercap"
#define RG_NVML_LIBRARY      "libnvidia-ml.so.1"
#define RG_POWERMETRICS      "/usr/bin/powermetrics"
#define RG_POWERMETRICS_STEP 100 /* milliseconds of a sample */

/* CPU packages and the memory that counts beside them, as Linux's powercap folder tells. */
rango_status rg_meter_rapl(const char *folder, rango_meter **out);
/* An NVIDIA GPU, through its driver's management library. */
rango_status rg_meter_nvml(const char *library, const uint8_t uuid[16], rango_meter **out);
/* macOS: the CPU, or the GPU, as the program prints every RG_POWERMETRICS_STEP. A reading waits for the next sample. */
rango_status rg_meter_powermetrics(const char *program, bool gpu, rango_meter **out);

/* Joules that the whole samples in powermetrics' text stand for; *rest is where an unfinished one begins. */
double rg_powermetrics_joules(const char *text, bool gpu, const char **rest, int *samples);

#endif
