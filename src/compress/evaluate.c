/* rango_evaluate: the public door to scoring. */
#include "compress/job.h"

rango_status rango_evaluate(const rango_model *model, const rango_dataset *data, const rango_evaluate_options *options,
                            rango_evaluation *out) {
  RG_FAIL_IF(!model || !data || !options || !out, RANGO_ERROR_ARGUMENT, "evaluate: NULL argument");
  RG_FAIL_IF(options->struct_size < sizeof *options || out->struct_size < sizeof *out, RANGO_ERROR_ARGUMENT,
             "evaluate: struct_size is not set");
  RG_FAIL_IF(!options->labels && !options->reference, RANGO_ERROR_ARGUMENT,
             "evaluate: give labels, or a reference model to compare with");
  RG_FAIL_IF(options->batch < 0, RANGO_ERROR_ARGUMENT, "evaluate: a batch of %lld rows", (long long)options->batch);
  double start = rg_now();
  rg_scoring how = {
      .data = data,
      .labels = options->labels,
      .output_error = options->output_error,
      .batch = options->batch ? rg_dataset_batch_rows(data, options->batch) : rg_default_batch(data),
      .session = options->session,
      .progress = options->progress,
      .user = options->user,
  };
  how.session.struct_size = sizeof how.session;
  rg_outputs reference = {0};
  rg_scores scores = {0};
  rango_status status = RANGO_OK;
  if (!options->labels) {
    RG_TRY_DONE(rg_outputs_create(options->reference, &how, &reference));
    how.reference = &reference;
  }
  RG_TRY_DONE(rg_score(model, &how, &scores));
  out->metric = scores.metric;
  out->value = rg_scores_value(&scores);
  out->top5 = scores.top5;
  out->count = scores.count;
  out->seconds = rg_now() - start;
done:
  rg_outputs_free(&reference);
  rg_scores_free(&scores);
  return status;
}
