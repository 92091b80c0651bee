/* Adam: stochastic gradients with each coordinate's step divided by its gradient's running size. */
#include <math.h>

#include "compress/refine.h"

#define MEAN_DECAY   0.9
#define SQUARE_DECAY 0.999
#define EPSILON      1e-12 /* against 0 / 0 */
#define SCALE_MIN    1e-3  /* arrays of zeros (biases) move, too */

rango_status rg_adam_create(const float *values, int64_t count, rg_adam *out) {
  double sum = 0;
  *out = (rg_adam){.count = count};
  RG_TRY(rg_calloc((size_t)count, sizeof(float), RG_OUT(&out->mean)));
  rango_status status = rg_calloc((size_t)count, sizeof(float), RG_OUT(&out->square));
  if (status != RANGO_OK) rg_adam_free(out);
  RG_TRY(status);
  for (int64_t i = 0; i < count; i++) sum += (double)values[i] * values[i];
  double scale = count ? sqrt(sum / (double)count) : 0;
  out->scale = scale > SCALE_MIN ? scale : SCALE_MIN;
  return RANGO_OK;
}

void rg_adam_free(rg_adam *adam) {
  rg_free(adam->mean);
  rg_free(adam->square);
  *adam = (rg_adam){0};
}

void rg_adam_step(rg_adam *adam, const float *gradient, double rate, int64_t step, float *values) {
  double mean_bias = 1 - pow(MEAN_DECAY, (double)step), square_bias = 1 - pow(SQUARE_DECAY, (double)step);
  for (int64_t i = 0; i < adam->count; i++) {
    double g = gradient[i];
    double mean = MEAN_DECAY * adam->mean[i] + (1 - MEAN_DECAY) * g;
    double square = SQUARE_DECAY * adam->square[i] + (1 - SQUARE_DECAY) * g * g;
    adam->mean[i] = (float)mean;
    adam->square[i] = (float)square;
    values[i] -= (float)(rate * adam->scale * (mean / mean_bias) / (sqrt(square / square_bias) + EPSILON));
  }
}
