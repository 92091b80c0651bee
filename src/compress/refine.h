/* Recovery without labels: what `refine` asks for. */
#ifndef RG_COMPRESS_REFINE_H
#define RG_COMPRESS_REFINE_H

#include "compress/job.h"

/* Adam (Kingma and Ba 2015, algorithm 1) on one array; steps are measured in the array's own size, so that factors of
 * any scale move alike (Shazeer and Stern 2018, section 8). */
typedef struct rg_adam {
  int64_t count;
  float *mean, *square; /* [count] running moments of the gradient */
  double scale;         /* root mean square of the values at the start */
} rg_adam;

rango_status rg_adam_create(const float *values, int64_t count, rg_adam *out);
void rg_adam_free(rg_adam *adam);
/* `step` counts from 1. */
void rg_adam_step(rg_adam *adam, const float *gradient, double rate, int64_t step, float *values);

/* Trains the weights and biases of a compressed model to make of the calibration rows, images in many views
 * (augment.h), what the original network makes of them. Labels aren't used. After each pass val's rows say how close
 * the outputs are; *out is the closest network, NULL if that is the model itself. What is drawn at random is repeated
 * by the seed. RANGO_ERROR_UNSUPPORTED names a node that has no adjoint. */
rango_status rg_refine(rg_job *job, const rango_model *model, rango_model **out);

#endif
