/* Scoring outputs row by row, and confidence bounds over rows. */
#include "compress/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "linalg/linalg.h"

#define Z_95             1.6448536269514722 /* one-sided */
#define BOOTSTRAP_ROUNDS 1000
#define DEFAULT_BATCH    64
#define TOP              5

int64_t rg_default_batch(const rango_dataset *data) { return rg_dataset_batch_rows(data, DEFAULT_BATCH); }

void rg_scores_free(rg_scores *scores) {
  rg_free(scores->error);
  rg_free(scores->size);
  *scores = (rg_scores){0};
}

double rg_scores_value(const rg_scores *scores) {
  double error = 0, size = 0;
  for (int64_t i = 0; i < scores->count; i++) {
    error += scores->error[i];
    size += scores->size ? scores->size[i] : 1;
  }
  if (!scores->size) return 100 * (1 - error / size);
  return size > 0 ? sqrt(error / size) : error > 0 ? INFINITY : 0;
}

/* ---- bounds ---- */

static double drop_bound(const rg_scores *before, const rg_scores *after) {
  /* One row each way is added to what was seen (Agresti and Coull's idea): with no differing row the bound is not 0. */
  double n = (double)after->count + 2, sum = 0, square = 2;
  for (int64_t i = 0; i < after->count; i++) {
    double d = after->error[i] - (before ? before->error[i] : 0);
    sum += d;
    square += d * d;
  }
  double mean = sum / (double)after->count, variance = square / n - (sum / n) * (sum / n);
  return 100 * (mean + Z_95 * sqrt(variance / n));
}

/* 95th percentile of the relative error, or of its ratio to the one before, over rows drawn with repetition. */
static double bootstrap_bound(const rg_scores *before, const rg_scores *after, uint64_t seed) {
  double values[BOOTSTRAP_ROUNDS];
  rg_random random;
  rg_random_seed(&random, seed);
  for (int round = 0; round < BOOTSTRAP_ROUNDS; round++) {
    double error = 0, base = 0;
    for (int64_t i = 0; i < after->count; i++) {
      uint64_t row = rg_random_below(&random, (uint64_t)after->count);
      error += after->error[row];
      base += before ? before->error[row] : after->size[row];
    }
    values[round] = base > 0 ? sqrt(error / base) : error > 0 ? INFINITY : 1;
  }
  qsort(values, BOOTSTRAP_ROUNDS, sizeof *values, rg_compare_doubles);
  return values[(int)(0.95 * BOOTSTRAP_ROUNDS)];
}

double rg_scores_bound(const rg_scores *before, const rg_scores *after, uint64_t seed) {
  if (after->count == 0) return NAN;
  return after->size ? bootstrap_bound(before, after, seed) : drop_bound(before, after);
}

/* ---- rows ---- */

static double value_at(const rango_tensor *tensor, int64_t i) {
  return tensor->type == RANGO_FLOAT32 ? ((const float *)tensor->data)[i] : rg_tensor_get_double(tensor, i);
}

static int64_t largest(const rango_tensor *tensor, int64_t begin, int64_t classes) {
  int64_t best = 0;
  for (int64_t i = 1; i < classes; i++)
    if (value_at(tensor, begin + i) > value_at(tensor, begin + best)) best = i;
  return best;
}

/* Whether fewer than TOP classes score above `label`'s. */
static bool among_top(const rango_tensor *tensor, int64_t begin, int64_t classes, int64_t label) {
  double mine = value_at(tensor, begin + label);
  int above = 0;
  for (int64_t i = 0; i < classes && above < TOP; i++) above += value_at(tensor, begin + i) > mine;
  return above < TOP;
}

/* Scores lie along the last axis that is longer than 1 (so that [n, classes, 1, 1] is read as [n, classes]). */
static int64_t class_axis_size(const rango_tensor *output) {
  for (int i = output->shape.rank - 1; i > 0; i--)
    if (output->shape.dims[i] > 1) return output->shape.dims[i];
  return 1;
}

rango_status rg_labels_check(const rango_tensor *labels, const rango_dataset *data) {
  char text[RG_SHAPE_TEXT];
  RG_FAIL_IF(labels->shape.rank < 1 || labels->shape.dims[0] != data->rows, RANGO_ERROR_ARGUMENT,
             "labels are %s, the data has %lld rows: the first axis must be equal",
             rg_shape_text(&labels->shape, text, sizeof text), (long long)data->rows);
  RG_FAIL_IF(!rg_type_is_float(labels->type) && !rg_type_is_integer(labels->type) && labels->type != RANGO_BOOL,
             RANGO_ERROR_ARGUMENT, "labels are %s: integers (classes) or floating-point numbers (targets) are needed",
             rango_type_name(labels->type));
  return RANGO_OK;
}

typedef struct batch_range {
  int64_t begin, rows;
} batch_range;

static rango_status score_classes(const rango_tensor *output, const rango_tensor *labels, batch_range range,
                                  rg_scores *scores, int64_t *in_top, int64_t *classes) {
  int64_t count, label_count, bad_limit;
  RG_TRY(rg_shape_count(&output->shape, &count));
  RG_TRY(rg_shape_count(&labels->shape, &label_count));
  int64_t answers = label_count / labels->shape.dims[0], per_row = count / range.rows;
  RG_FAIL_IF(answers == 0 || per_row % answers, RANGO_ERROR_ARGUMENT,
             "a row has %lld labels and %lld scores: no multiple", (long long)answers, (long long)per_row);
  bad_limit = *classes = per_row / answers;
  for (int64_t row = 0; row < range.rows; row++) {
    double wrong = 0;
    for (int64_t j = 0; j < answers; j++) {
      int64_t at = (range.begin + row) * answers + j, label = rg_tensor_get_i64(labels, at);
      RG_FAIL_IF(label < 0 || label >= bad_limit, RANGO_ERROR_ARGUMENT,
                 "label %lld of row %lld: the model has %lld classes", (long long)label, (long long)(range.begin + row),
                 (long long)bad_limit);
      int64_t begin = row * per_row + j * *classes;
      wrong += largest(output, begin, *classes) != label;
      *in_top += among_top(output, begin, *classes, label);
    }
    scores->error[range.begin + row] = wrong / (double)answers;
  }
  return RANGO_OK;
}

static rango_status score_agreement(const rango_tensor *output, const rango_tensor *reference, batch_range range,
                                    rg_scores *scores) {
  int64_t count, classes = class_axis_size(output);
  RG_TRY(rg_shape_count(&output->shape, &count));
  int64_t per_row = count / range.rows, answers = per_row / classes;
  for (int64_t row = 0; row < range.rows; row++) {
    double wrong = 0;
    for (int64_t j = 0; j < answers; j++) {
      int64_t begin = row * per_row + j * classes;
      wrong += largest(output, begin, classes) != largest(reference, begin, classes);
    }
    scores->error[range.begin + row] = answers ? wrong / (double)answers : 0;
  }
  return RANGO_OK;
}

/* truth[offset ...] against the output. */
static rango_status score_error(const rango_tensor *output, const rango_tensor *truth, int64_t offset,
                                batch_range range, rg_scores *scores) {
  int64_t count;
  RG_TRY(rg_shape_count(&output->shape, &count));
  int64_t per_row = count / range.rows;
  for (int64_t row = 0; row < range.rows; row++) {
    double error = 0, size = 0;
    for (int64_t i = row * per_row; i < (row + 1) * per_row; i++) {
      double wanted = value_at(truth, offset + i), difference = value_at(output, i) - wanted;
      error += difference * difference;
      size += wanted * wanted;
    }
    RG_FAIL_IF(!isfinite(error), RANGO_ERROR_NUMERIC, "row %lld: the model's output or its target is not finite",
               (long long)(range.begin + row));
    scores->error[range.begin + row] = error;
    scores->size[range.begin + row] = size;
  }
  return RANGO_OK;
}

static rango_status score_batch(const rg_scoring *how, const rango_tensor *output, int64_t batch, batch_range range,
                                rg_scores *scores, int64_t *in_top, int64_t *classes) {
  int64_t count, label_count;
  RG_TRY(rg_shape_count(&output->shape, &count));
  RG_FAIL_IF(count == 0 || count % range.rows, RANGO_ERROR_ARGUMENT, "the first output has %lld elements for %lld rows",
             (long long)count, (long long)range.rows);
  if (scores->metric == RANGO_METRIC_TOP1) return score_classes(output, how->labels, range, scores, in_top, classes);
  if (scores->metric == RANGO_METRIC_RELATIVE_ERROR) {
    RG_TRY(rg_shape_count(&how->labels->shape, &label_count));
    int64_t per_row = count / range.rows;
    RG_FAIL_IF(label_count / how->labels->shape.dims[0] != per_row, RANGO_ERROR_ARGUMENT,
               "a row has %lld targets, the model gives %lld numbers",
               (long long)(label_count / how->labels->shape.dims[0]), (long long)per_row);
    return score_error(output, how->labels, range.begin * per_row, range, scores);
  }
  const rango_tensor *reference = how->reference->items[batch];
  RG_FAIL_IF(!rg_shape_equal(&output->shape, &reference->shape), RANGO_ERROR_ARGUMENT,
             "the two models' outputs differ in shape");
  if (scores->metric == RANGO_METRIC_AGREEMENT) return score_agreement(output, reference, range, scores);
  return score_error(output, reference, 0, range, scores);
}

/* ---- running ---- */

typedef rango_status (*batch_visitor)(void *argument, int64_t batch, batch_range range, rango_tensor **outputs);

/* Runs the model batch by batch; a visitor that keeps outputs[0] sets it to NULL. */
static rango_status run_batches(const rango_model *model, const rg_scoring *how, batch_visitor visit, void *argument) {
  const rango_dataset *data = how->data;
  size_t input_count = rango_model_input_count(model), output_count = rango_model_output_count(model);
  RG_FAIL_IF(input_count != data->count, RANGO_ERROR_ARGUMENT, "the model has %zu inputs, the data %zu", input_count,
             data->count);
  RG_FAIL_IF(output_count == 0, RANGO_ERROR_ARGUMENT, "the model has no output");
  rango_session *session = NULL;
  rango_tensor **inputs = NULL, **outputs = NULL;
  rango_status status;
  RG_TRY_DONE(rango_session_create(model, &how->session, &session));
  RG_TRY_DONE(rg_calloc(input_count, sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc(output_count, sizeof *outputs, RG_OUT(&outputs)));
  int64_t batch = 0;
  for (int64_t begin = 0; begin < data->rows; begin += how->batch, batch++) {
    int64_t end = begin + how->batch < data->rows ? begin + how->batch : data->rows;
    RG_TRY_DONE(rango_dataset_batch(data, begin, end, inputs, input_count));
    RG_TRY_DONE(rango_session_run(session, (const rango_tensor *const *)inputs, input_count, outputs, output_count));
    RG_TRY_DONE(visit(argument, batch, (batch_range){begin, end - begin}, outputs));
    rg_tensors_free(inputs, input_count);
    rg_tensors_free(outputs, output_count);
    if (how->progress && !how->progress(how->user, (double)end / (double)data->rows, "evaluating")) {
      status = rg_fail(RANGO_ERROR_CANCELLED, "stopped while evaluating");
      goto done;
    }
  }
done:
  if (inputs) rg_tensors_free(inputs, input_count);
  if (outputs) rg_tensors_free(outputs, output_count);
  rg_free(inputs);
  rg_free(outputs);
  rango_session_free(session);
  return status;
}

typedef struct score_state {
  const rg_scoring *how;
  rg_scores *scores;
  int64_t in_top, classes;
} score_state;

static rango_status visit_score(void *argument, int64_t batch, batch_range range, rango_tensor **outputs) {
  score_state *state = argument;
  return score_batch(state->how, outputs[0], batch, range, state->scores, &state->in_top, &state->classes);
}

rango_status rg_score(const rango_model *model, const rg_scoring *how, rg_scores *out) {
  *out = (rg_scores){.count = how->data->rows, .top5 = NAN};
  if (how->labels) {
    RG_TRY(rg_labels_check(how->labels, how->data));
    out->metric = rg_type_is_float(how->labels->type) ? RANGO_METRIC_RELATIVE_ERROR : RANGO_METRIC_TOP1;
  } else {
    out->metric = how->output_error ? RANGO_METRIC_OUTPUT_ERROR : RANGO_METRIC_AGREEMENT;
  }
  bool sized = out->metric == RANGO_METRIC_RELATIVE_ERROR || out->metric == RANGO_METRIC_OUTPUT_ERROR;
  score_state state = {how, out, 0, 0};
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)out->count, sizeof *out->error, RG_OUT(&out->error)));
  if (sized) RG_TRY_DONE(rg_calloc((size_t)out->count, sizeof *out->size, RG_OUT(&out->size)));
  RG_TRY_DONE(run_batches(model, how, visit_score, &state));
  if (state.classes > TOP) {
    int64_t labels;
    RG_TRY_DONE(rg_shape_count(&how->labels->shape, &labels));
    out->top5 = 100.0 * (double)state.in_top / (double)labels;
  }
done:
  if (status != RANGO_OK) rg_scores_free(out);
  return status;
}

static rango_status visit_keep(void *argument, int64_t batch, batch_range range, rango_tensor **outputs) {
  rg_outputs *kept = argument;
  kept->items[batch] = outputs[0];
  outputs[0] = NULL;
  return RANGO_OK;
}

rango_status rg_outputs_create(const rango_model *model, const rg_scoring *how, rg_outputs *out) {
  *out = (rg_outputs){.batch = how->batch, .count = (how->data->rows + how->batch - 1) / how->batch};
  RG_TRY(rg_calloc((size_t)out->count, sizeof(rango_tensor *), RG_OUT(&out->items)));
  rango_status status = run_batches(model, how, visit_keep, out);
  if (status != RANGO_OK) rg_outputs_free(out);
  return status;
}

void rg_outputs_free(rg_outputs *outputs) {
  if (outputs->items) rg_tensors_free(outputs->items, (size_t)outputs->count);
  rg_free(outputs->items);
  *outputs = (rg_outputs){0};
}
