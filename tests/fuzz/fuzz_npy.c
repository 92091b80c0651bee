/* libFuzzer: bytes as an .npy array. What can be read has the size it says. */
#include "rango.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  rango_tensor *tensor = NULL;
  if (rango_tensor_parse_npy(data, bytes, "fuzz", &tensor) != RANGO_OK) return 0;
  size_t held = rango_tensor_bytes(tensor);
  char *copy = malloc(held ? held : 1);
  if (copy && held) memcpy(copy, rango_tensor_data(tensor), held);
  free(copy);
  rango_tensor_free(tensor);
  return 0;
}
