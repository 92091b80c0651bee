/* Runs a classifier: classify MODEL.onnx IMAGES.npy prints each row's class. */
#include <rango.h>
#include <stdio.h>

static void print_classes(const rango_tensor *scores) {
  const float *score = rango_tensor_data(scores); /* [rows][classes] */
  const int64_t *dims = rango_tensor_dims(scores);
  for (int64_t row = 0; row < dims[0]; row++, score += dims[1]) {
    int64_t best = 0;
    for (int64_t i = 1; i < dims[1]; i++)
      if (score[i] > score[best]) best = i;
    printf("%lld: class %lld, score %g\n", (long long)row, (long long)best, (double)score[best]);
  }
}

int main(int argc, char **argv) {
  rango_model *model = NULL;
  rango_session *session = NULL;
  rango_tensor *images = NULL, *scores = NULL;
  if (argc != 3) {
    fprintf(stderr, "usage: classify MODEL.onnx IMAGES.npy\n");
    return 2;
  }
  rango_status status = rango_model_load(argv[1], NULL, &model);
  if (status == RANGO_OK) status = rango_session_create(model, NULL, &session);
  if (status == RANGO_OK) status = rango_tensor_load_npy(argv[2], &images);
  if (status == RANGO_OK) status = rango_session_run(session, (const rango_tensor *[]){images}, 1, &scores, 1);
  if (status != RANGO_OK) {
    fprintf(stderr, "classify: %s\n", rango_error_message());
  } else if (rango_tensor_type(scores) != RANGO_FLOAT32 || rango_tensor_rank(scores) != 2) {
    fprintf(stderr, "classify: %s gives no [rows, classes] of float32\n", argv[1]);
    status = RANGO_ERROR_ARGUMENT;
  } else {
    print_classes(scores);
  }
  rango_tensor_free(scores);
  rango_tensor_free(images);
  rango_session_free(session);
  rango_model_free(model);
  return status == RANGO_OK ? 0 : 1;
}
