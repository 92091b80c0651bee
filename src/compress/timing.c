/* Timing models against each other. */
#include <stdlib.h>
#include <time.h>

#include "compress/job.h"

#define MAX_MODELS 4
#define WARM_UP    3
#define ROUNDS     51
#define SECONDS    3.0 /* at most, once three rounds are done */
#define TURNS      3   /* of large models */

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

/* What is measured. */
typedef struct stopwatch {
  rango_tensor **inputs, **outputs;
  size_t input_count, output_count;
  double times[MAX_MODELS][ROUNDS];
  int rounds[MAX_MODELS];
} stopwatch;

static rango_status run_round(stopwatch *w, rango_session *session, size_t model) {
  double seconds;
  RG_TRY(run_once(session, w->inputs, w->input_count, w->outputs, w->output_count, &seconds));
  w->times[model][w->rounds[model]++] = seconds;
  return RANGO_OK;
}

static rango_status warm_up(stopwatch *w, rango_session *session) {
  double ignored;
  for (int i = 0; i < WARM_UP; i++)
    RG_TRY(run_once(session, w->inputs, w->input_count, w->outputs, w->output_count, &ignored));
  return RANGO_OK;
}

/* A round of each after the other. */
static rango_status interleave(const rango_model *const *models, size_t count, const rango_session_options *options,
                               stopwatch *w) {
  rango_session *sessions[MAX_MODELS] = {NULL};
  rango_status status = RANGO_OK;
  for (size_t m = 0; m < count; m++) {
    RG_TRY_DONE(rango_session_create(models[m], options, &sessions[m]));
    RG_TRY_DONE(warm_up(w, sessions[m]));
  }
  double start = rg_now();
  for (int round = 0; round < ROUNDS && (round < 3 || rg_now() - start < SECONDS); round++)
    for (size_t m = 0; m < count; m++) RG_TRY_DONE(run_round(w, sessions[m], m));
done:
  for (size_t m = 0; m < count; m++) rango_session_free(sessions[m]);
  return status;
}

/* One session at a time, each a few times: two sets of packed weights don't fit. */
static rango_status take_turns(const rango_model *const *models, size_t count, const rango_session_options *options,
                               stopwatch *w) {
  rango_status status = RANGO_OK;
  for (int turn = 0; turn < TURNS && status == RANGO_OK; turn++)
    for (size_t m = 0; m < count && status == RANGO_OK; m++) {
      rango_session *session = NULL;
      RG_TRY(rango_session_create(models[m], options, &session));
      status = warm_up(w, session);
      double start = rg_now(), part = SECONDS / (double)(TURNS * count);
      for (int i = 0; i < ROUNDS / TURNS && (i == 0 || rg_now() - start < part) && status == RANGO_OK; i++)
        status = run_round(w, session, m);
      rango_session_free(session);
      rg_memory_trim();
    }
  return status;
}

static bool are_large(const rango_model *const *models, size_t count) {
  int64_t bytes = 0;
  for (size_t m = 0; m < count; m++) {
    const rg_value_list *values = &models[m]->graph->values;
    for (size_t i = 0; i < values->count; i++)
      if (values->items[i]->constant) bytes += (int64_t)values->items[i]->constant->bytes;
  }
  return bytes >= RG_MODEL_LARGE;
}

rango_status rg_time_models(const rango_model *const *models, size_t count, const rango_dataset *data,
                            const rango_session_options *options, double *milliseconds) {
  stopwatch w = {.input_count = data->count, .output_count = rango_model_output_count(models[0])};
  rango_status status;
  RG_FAIL_IF(count > MAX_MODELS, RANGO_ERROR_INTERNAL, "too many models to time");
  RG_TRY_DONE(rg_calloc(w.input_count, sizeof *w.inputs, RG_OUT(&w.inputs)));
  RG_TRY_DONE(rg_calloc(w.output_count, sizeof *w.outputs, RG_OUT(&w.outputs)));
  RG_TRY_DONE(rango_dataset_batch(data, 0, rg_dataset_batch_rows(data, 1), w.inputs, w.input_count));
  RG_TRY_DONE((are_large(models, count) ? take_turns : interleave)(models, count, options, &w));
  for (size_t m = 0; m < count; m++) {
    qsort(w.times[m], (size_t)w.rounds[m], sizeof(double), rg_compare_doubles);
    milliseconds[m] = 1e3 * w.times[m][w.rounds[m] / 2];
  }
done:
  if (w.inputs) rg_tensors_free(w.inputs, w.input_count);
  if (w.outputs) rg_tensors_free(w.outputs, w.output_count);
  rg_free(w.inputs);
  rg_free(w.outputs);
  return status;
}
