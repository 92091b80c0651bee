/* Loads a model and saves it: what tests/onnx/roundtrip.py compares. Usage: copy_model FROM TO [LIMIT], LIMIT being the
 * size in bytes over which tensors go to an external file. */
#include "onnx/write.h"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  if (count < 3 || count > 4) {
    fprintf(stderr, "usage: copy_model FROM TO [LIMIT]\n");
    return 2;
  }
  rango_model *model = NULL;
  rango_status status = rango_model_load(arguments[1], NULL, &model);
  if (status == RANGO_OK)
    status = count == 4 ? rg_onnx_write_limited(model, arguments[2], strtoull(arguments[3], NULL, 10))
                        : rango_model_save(model, arguments[2]);
  if (status != RANGO_OK) fprintf(stderr, "%s: %s\n", rango_status_name(status), rango_error_message());
  rango_model_free(model);
  return status != RANGO_OK;
}
