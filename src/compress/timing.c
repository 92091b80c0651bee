/* Timing models against each other. */
#include <stdlib.h>
#include <time.h>

#include "compress/job.h"

#define MAX_MODELS 4
#define WARM_UP    3
#define ROUNDS     51
#define SECONDS    3.0 /* at most, once three rounds are done */

double rg_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static rango_status run_once(rango_session *session, rango_tensor *const *inputs, size_t input_count,
                             rango_tensor **outputs, size_t output_count, double *seconds) {
  double start = rg_now();
  RG_TRY(rango_session_run(session, (const rango_tensor *const *)inputs, input_count, outputs, output_count));
  *seconds = rg_now() - start;
  rg_tensors_free(outputs, output_count);
  return RANGO_OK;
}

rango_status rg_time_models(const rango_model *const *models, size_t count, const rango_dataset *data,
                            const rango_session_options *options, double *milliseconds) {
  rango_session *sessions[MAX_MODELS] = {NULL};
  double times[MAX_MODELS][ROUNDS], ignored;
  size_t output_count = rango_model_output_count(models[0]);
  rango_tensor **inputs = NULL, **outputs = NULL;
  rango_status status;
  RG_FAIL_IF(count > MAX_MODELS, RANGO_ERROR_INTERNAL, "too many models to time");
  RG_TRY_DONE(rg_calloc(data->count, sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc(output_count, sizeof *outputs, RG_OUT(&outputs)));
  RG_TRY_DONE(rango_dataset_batch(data, 0, rg_dataset_batch_rows(data, 1), inputs, data->count));
  for (size_t m = 0; m < count; m++) RG_TRY_DONE(rango_session_create(models[m], options, &sessions[m]));
  for (size_t i = 0; i < count * WARM_UP; i++)
    RG_TRY_DONE(run_once(sessions[i % count], inputs, data->count, outputs, output_count, &ignored));
  double start = rg_now();
  int rounds = 0;
  for (; rounds < ROUNDS && (rounds < 3 || rg_now() - start < SECONDS); rounds++)
    for (size_t m = 0; m < count; m++)
      RG_TRY_DONE(run_once(sessions[m], inputs, data->count, outputs, output_count, &times[m][rounds]));
  for (size_t m = 0; m < count; m++) {
    qsort(times[m], (size_t)rounds, sizeof(double), rg_compare_doubles);
    milliseconds[m] = 1e3 * times[m][rounds / 2];
  }
done:
  for (size_t m = 0; m < count && m < MAX_MODELS; m++) rango_session_free(sessions[m]);
  if (inputs) rg_tensors_free(inputs, data->count);
  if (outputs) rg_tensors_free(outputs, output_count);
  rg_free(inputs);
  rg_free(outputs);
  return status;
}
