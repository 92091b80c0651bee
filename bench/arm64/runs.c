/* Runs a network once, then RUNS times between two calls of getppid, which count_instructions.c takes as marks. One
 * thread.
 *
 *   runs MODEL INPUT.npy OUTPUT.npy RUNS reference|generic|neon */
#include <rango.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(void) {
  fprintf(stderr, "runs: %s\n", rango_error_message());
  return 1;
}

int main(int count, char **arguments) {
  if (count != 6) return 2;
  const bool reference = strcmp(arguments[5], "reference") == 0;
  const rango_session_options options = {.struct_size = sizeof options,
                                         .device = reference ? RANGO_DEVICE_REFERENCE : RANGO_DEVICE_CPU,
                                         .threads = 1,
                                         .isa = reference ? NULL : arguments[5]};
  rango_model *model;
  rango_session *session;
  rango_tensor *input, *output = NULL;
  if (rango_model_load(arguments[1], NULL, &model) != RANGO_OK ||
      rango_session_create(model, &options, &session) != RANGO_OK ||
      rango_tensor_load_npy(arguments[2], &input) != RANGO_OK)
    return fails();
  const long runs = strtol(arguments[4], NULL, 10);
  for (long run = 0; run <= runs; run++) {
    if (run == 1) getppid();
    if (rango_session_run(session, (const rango_tensor *const[]){input}, 1, &output, 1) != RANGO_OK) return fails();
  }
  getppid();
  if (rango_tensor_save_npy(output, arguments[3]) != RANGO_OK) return fails();
  rango_tensor_free(output);
  rango_tensor_free(input);
  rango_session_free(session);
  rango_model_free(model);
  return 0;
}
