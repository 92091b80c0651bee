/* Compresses a model with unlabelled samples: shrink MODEL.onnx CALIB.npy OUT.onnx keeps the answer on 99 % of them. */
#include <rango_compress.h>
#include <stdio.h>

static bool progress(void *user, double fraction, const char *stage) {
  (void)user;
  fprintf(stderr, "\r%3.0f %% %-40s", 100 * fraction, stage);
  return true; /* false would stop it */
}

static rango_status shrink(const rango_model *model, const rango_dataset *calib, const char *path) {
  rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
  options.calib = calib; /* three quarters of it fit the factors, the rest chooses */
  options.budget = RANGO_BUDGET_MIN_AGREEMENT;
  options.budget_value = 99;
  options.progress = progress;

  rango_compression *result = NULL;
  rango_status status = rango_compress(model, &options, &result);
  if (status == RANGO_OK) status = rango_model_save(rango_compression_model(result), path);
  if (status == RANGO_OK) {
    rango_compress_summary summary = {.struct_size = sizeof summary};
    rango_compression_summary(result, &summary);
    printf("\nparameters %lld -> %lld, multiply-adds %lld -> %lld, same answer on %.2f %% of %lld samples\n",
           (long long)summary.params_before, (long long)summary.params_after, (long long)summary.macs_before,
           (long long)summary.macs_after, summary.metric_after, (long long)summary.rows);
  }
  rango_compression_free(result);
  return status;
}

int main(int argc, char **argv) {
  rango_model *model = NULL;
  rango_dataset *calib = NULL;
  if (argc != 4) {
    fprintf(stderr, "usage: shrink MODEL.onnx CALIB.npy OUT.onnx\n");
    return 2;
  }
  rango_status status = rango_model_load(argv[1], NULL, &model);
  if (status == RANGO_OK) status = rango_dataset_load(model, (const char *[]){argv[2]}, 1, &calib);
  if (status == RANGO_OK) status = shrink(model, calib, argv[3]);
  if (status != RANGO_OK) fprintf(stderr, "\nshrink: %s\n", rango_error_message());
  rango_dataset_free(calib);
  rango_model_free(model);
  return status == RANGO_OK ? 0 : 1;
}
